package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// objects to create, n of them.
func objects(operation string, n int) []map[string]any {
	list := make([]map[string]any, n)
	for i := range list {
		switch operation {
		case "bulk_create_items":
			list[i] = map[string]any{"name": fmt.Sprint("I", i), "unit_price": "1.50"}
		case "bulk_create_clients":
			list[i] = map[string]any{"name": fmt.Sprint("C", i)}
		case "bulk_create_quotes":
			list[i] = map[string]any{"client_name": fmt.Sprint("C", i), "total": "1"}
		}
	}
	return list
}

var creates = []string{"bulk_create_items", "bulk_create_clients", "bulk_create_quotes"}

// refused checks that an act on a job is answered with 409, and why.
func (u *user) refused(id, act, detail string) {
	u.t.Helper()
	r := u.do("POST", "/v1/batch-jobs/"+id+"/"+act, "")
	if p := r.problem(u.t); r.status != 409 || p.Code != "conflict" || !strings.Contains(p.Detail, detail) {
		u.t.Errorf("%s: got %d %s, want 409 with %q", act, r.status, r.body, detail)
	}
}

// undoDry is a dry run of an undo, which must change nothing.
func (s *service) undoDry(u *user, id string) batch.Job {
	s.t.Helper()
	before := s.application()
	j := u.end(u.job(u.do("POST", "/v1/batch-jobs/"+id+"/undo", `{"dry_run": true}`, "Prefer", "wait=20")))
	if d := diff(s.application(), before); d != "" || !j.DryRun {
		s.t.Errorf("the dry run of an undo changed rows:\n%s", d)
	}
	return j
}

// TestBatchUndo_PutsBackExactly: of every operation, with more rows than a chunk.
func TestBatchUndo_PutsBackExactly(t *testing.T) {
	const n = 70
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		for _, o := range onRows {
			if o.operation == "export_quotes" {
				continue
			}
			u := s.user()
			ids := o.rows(s, u, n)
			if o.operation == "delete_clients" {
				s.quotes(u, 3, ids[0])
				s.quotes(u, 2, ids[69])
			}
			before := s.application()
			j := u.run(o.operation, ids, o.options)
			after := s.application()
			dry := s.undoDry(u, j.ID)
			undo := u.act(j.ID, "undo")
			u.checkSums(undo)
			if dry.SucceededItems != n || undo.SucceededItems != n || undo.Operation != "undo" || undo.Links.Parent == nil || *undo.Links.Parent != "/v1/batch-jobs/"+j.ID {
				t.Errorf("undo of %s: got %+v, dry %+v", o.operation, undo, dry)
			}
			if d := diff(s.application(), before); d != "" || diff(after, before) == "" {
				t.Errorf("after the undo of %s:\n%s", o.operation, d)
			}
			if !slices.Equal(idsOf(u.results(undo.ID)), ids) {
				t.Errorf("undo of %s: the results have other ids", o.operation)
			}
			again := u.act(j.ID, "undo")
			if want := slices.Repeat([]string{"failed: changed_since"}, n); !slices.Equal(u.outcomes(again.ID), want) {
				t.Errorf("second undo of %s: got %q", o.operation, u.outcomes(again.ID))
			}
			if d := diff(s.application(), before); d != "" {
				t.Errorf("after the second undo of %s:\n%s", o.operation, d)
			}
			u.refused(undo.ID, "undo", "is an undo itself")
			u.refused(dry.ID, "undo", "is an undo itself")
			u.refused(again.ID, "undo", "")
		}
		for _, operation := range creates {
			u := s.user()
			before := s.application()
			j := u.run(operation, objects(operation, n), nil)
			dry := s.undoDry(u, j.ID)
			undo := u.act(j.ID, "undo")
			u.checkSums(undo)
			if undo.SucceededItems != n || dry.SucceededItems != n {
				t.Errorf("undo of %s: got %+v", operation, undo)
			}
			if d := diff(s.application(), before); d != "" {
				t.Errorf("after the undo of %s:\n%s", operation, d)
			}
			u.wantOutcomes(u.act(j.ID, "undo"), slices.Repeat([]string{"failed: changed_since"}, n)...)
		}
	})
}

// TestBatchUndo_LeavesLaterChangesAlone: a row that was changed since is not
// what the job made of it.
func TestBatchUndo_LeavesLaterChangesAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		const changed = "failed: changed_since"

		quotes := s.quotes(u, 4, nil)
		j := u.run("update_quote_status", quotes, status("sent"))
		u.run("update_quote_status", quotes[:1], status("accepted"))
		u.run("delete_quotes", quotes[1:2], nil)
		mustWrite(t, s, "UPDATE quotes SET notes = 'by hand', updated_at = created_at WHERE id = '"+quotes[2]+"'",
			"UPDATE quotes SET notes = 'by hand' WHERE id = '"+quotes[3]+"'")
		u.wantOutcomes(u.act(j.ID, "undo"), changed, changed, changed, "succeeded")
		if got := s.value("SELECT notes FROM quotes WHERE id = $1", quotes[3]); got != "by hand" {
			t.Errorf("the undo of a status changed the notes to %q", got)
		}
		if got := s.value("SELECT status FROM quotes WHERE id = $1", quotes[0]); got != "accepted" {
			t.Errorf("the undo made the first quote %s", got)
		}

		// What became of a row by way of other values is what it was, but not the same.
		items := s.items(u, 10_00, 10_00)
		j = u.run("update_item_prices", items, adjustment("fixed", "1"))
		u.run("update_item_prices", items[:1], adjustment("fixed", "1"))
		u.run("update_item_prices", items[:1], adjustment("fixed", "-1"))
		u.wantOutcomes(u.act(j.ID, "undo"), changed, "succeeded")

		deleted := s.quotes(u, 2, nil)
		j = u.run("delete_quotes", deleted, nil)
		other := s.user()
		mustWrite(t, s, fmt.Sprintf("INSERT INTO quotes (id, user_id, total, created_at, updated_at) VALUES ('%s', '%s', 1, '2026-01-01', '2026-01-01')", deleted[0], other.id))
		before := s.query("SELECT * FROM quotes WHERE id = $1", deleted[0])
		u.wantOutcomes(u.act(j.ID, "undo"), changed, "succeeded")
		if d := diff(s.query("SELECT * FROM quotes WHERE id = $1", deleted[0]), before); d != "" {
			t.Errorf("the undo overwrote somebody's row:\n%s", d)
		}

		for _, operation := range creates {
			j := u.run(operation, objects(operation, 3), nil)
			ids := idsOf(u.results(j.ID))
			table := strings.TrimPrefix(operation, "bulk_create_")
			mustWrite(t, s, "UPDATE "+table+" SET user_id = user_id, updated_at = created_at, created_at = '2026-01-01' WHERE id = '"+ids[1]+"'")
			u.wantOutcomes(u.act(j.ID, "undo"), "succeeded", changed, "succeeded")
			if n := s.value("SELECT COUNT(*) AS n FROM "+table+" WHERE id = $1", ids[1]); n != "1" {
				t.Errorf("%s: the changed row is gone", operation)
			}
		}
	})
}

func TestBatchUndo_OfClientsAndTheirQuotes(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		clients := s.clients(u, 2)
		quotes := s.quotes(u, 4, clients[0])
		j := u.run("delete_clients", clients[:1], nil)
		// Since then one quote was linked elsewhere, and one deleted.
		mustWrite(t, s, "UPDATE quotes SET client_id = '"+clients[1]+"' WHERE id = '"+quotes[0]+"'")
		gone := u.run("delete_quotes", quotes[1:2], nil)
		u.wantOutcomes(u.act(j.ID, "undo"), "succeeded")
		for i, want := range []string{clients[1], "", clients[0], clients[0]} {
			got := ""
			if i != 1 {
				got = s.value("SELECT client_id FROM quotes WHERE id = $1", quotes[i])
			}
			if got != want {
				t.Errorf("quote %d is linked to %q, want %q", i, got, want)
			}
		}
		u.wantOutcomes(u.act(gone.ID, "undo"), "succeeded")

		// Quotes whose client is gone do not come back without it.
		deleted := u.run("delete_quotes", quotes[2:], nil)
		client := u.run("delete_clients", clients[:1], nil)
		u.wantOutcomes(u.act(deleted.ID, "undo"), "failed: conflict", "failed: conflict")
		u.wantOutcomes(u.act(client.ID, "undo"), "succeeded")
		retried := u.act(deleted.ID, "undo")
		u.wantOutcomes(retried, "succeeded", "succeeded")
		if got := s.value("SELECT client_id FROM quotes WHERE id = $1", quotes[3]); got != clients[0] {
			t.Errorf("the quote came back with the client %s", got)
		}

		// A client that quotes have come to use stays.
		made := u.run("bulk_create_clients", objects("bulk_create_clients", 2), nil)
		used := idsOf(u.results(made.ID))[0]
		s.quotes(u, 1, used)
		u.wantOutcomes(u.act(made.ID, "undo"), "failed: changed_since", "succeeded")
		if n := s.value("SELECT COUNT(*) AS n FROM quotes WHERE client_id = $1", used); n != "1" {
			t.Error("the quote has lost its client")
		}
	})
}

func TestBatchUndo_NeedsSomethingToTakeBack(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := newBarrier()
		s := mustStartGated(t, url, b)
		u := s.user()
		ids := s.quotes(u, 15, nil)
		s.decline(ids[10])
		export := u.run("export_quotes", ids, nil)
		u.refused(export.ID, "undo", "has changed nothing")
		dry := u.end(u.job(u.do("POST", "/v1/batch-jobs", `{"operation":"delete_quotes","items":["`+ids[0]+`"],"dry_run":true}`, "Prefer", "wait=5")))
		u.refused(dry.ID, "undo", "has changed nothing")
		none := u.run("delete_quotes", []string{quotekit.NewID()}, nil)
		u.refused(none.ID, "undo", "has no succeeded items")
		all := u.run("update_quote_status", ids[:1], status("sent"))
		u.refused(all.ID, "retry-failed", "has no failed items")

		running := u.submit("update_quote_status", ids, status("accepted"))
		<-b.reached
		u.refused(running.ID, "undo", "wait until it ends")
		u.refused(running.ID, "retry-failed", "wait until it ends")
		b.open()
		u.end(running)
	})
}

func TestBatchRetryFailed_TakesOnlyTheFailed(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		items := s.items(u, 5_00, 50, 5_00, 20)
		missing := quotekit.NewID()
		j := u.run("update_item_prices", append(items, missing, items[0]), adjustment("fixed", "-1"))
		u.wantOutcomes(j, "succeeded", "failed: out_of_range", "succeeded", "failed: out_of_range", "failed: not_found", "skipped: duplicate")
		mustWrite(t, s, "UPDATE items SET unit_price = unit_price * 100 WHERE id = '"+items[1]+"'")
		again := u.act(j.ID, "retry-failed")
		u.wantOutcomes(again, "succeeded", "failed: out_of_range", "failed: not_found")
		if again.Operation != j.Operation || again.Links.Parent == nil || *again.Links.Parent != "/v1/batch-jobs/"+j.ID {
			t.Errorf("got %+v", again)
		}
		if got := idsOf(u.results(again.ID)); !slices.Equal(got, []string{items[1], items[3], missing}) {
			t.Errorf("got the items %q", got)
		}
		if got := []string{s.price(items[0]), s.price(items[1]), s.price(items[3])}; !slices.Equal(got, []string{"4.00", "49.00", "0.20"}) {
			t.Errorf("got the prices %q", got)
		}
		u.wantOutcomes(u.act(again.ID, "undo"), "succeeded")
		if got := s.price(items[1]); got != "50.00" {
			t.Errorf("after the undo of the retry: %s", got)
		}

		bad := u.run("bulk_create_items", []map[string]any{{"name": ""}, {"name": "x", "unit_price": "1"}}, nil)
		u.wantOutcomes(u.act(bad.ID, "retry-failed"), "failed: invalid")
	})
}

// existing are tables that an application has had before, with more in them than
// we know of, beside tables that refer to them.
var existing = []string{
	`CREATE TABLE clients (
		id UUID PRIMARY KEY DEFAULT gen_random_uuid(), user_id UUID NOT NULL, name VARCHAR(200) NOT NULL, email TEXT, phone TEXT,
		address TEXT, notes TEXT, created_at TIMESTAMPTZ DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now(), vip BOOLEAN DEFAULT FALSE
	)`,
	`CREATE TYPE quote_status AS ENUM ('draft', 'sent', 'accepted', 'declined', 'expired', 'converted')`,
	`CREATE TABLE quotes (
		number BIGINT GENERATED ALWAYS AS IDENTITY,
		id UUID PRIMARY KEY DEFAULT gen_random_uuid(), user_id UUID NOT NULL,
		client_id UUID REFERENCES clients (id) ON DELETE RESTRICT,
		client_name TEXT, client_email TEXT, quote_number TEXT, status quote_status NOT NULL DEFAULT 'draft', line_items JSONB,
		subtotal NUMERIC(10,2), tax_rate NUMERIC(7,4), tax_amount NUMERIC(10,2), total NUMERIC(10,2) NOT NULL, notes TEXT,
		valid_until TIMESTAMPTZ, created_at TIMESTAMPTZ DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now(),
		"Follow up" TEXT, "net.amount" TEXT, "a*b|c#@?" TEXT, "q""uote" TEXT, score DOUBLE PRECISION, photo BYTEA, labels TEXT[], due DATE, local TIMESTAMP, took INTERVAL, exact NUMERIC DEFAULT 12345678901234567890.123456788,
		span TSTZRANGE, address INET, settings JSONB,
		total_doubled NUMERIC GENERATED ALWAYS AS (total * 2) STORED
	)`,
	`CREATE FUNCTION touch() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at = clock_timestamp(); RETURN NEW; END $$`,
	`CREATE TRIGGER touch BEFORE UPDATE ON quotes FOR EACH ROW EXECUTE FUNCTION touch()`,
	`CREATE TABLE invoices (quote_id UUID REFERENCES quotes (id) ON DELETE RESTRICT)`,
	`CREATE TABLE later (quote_id UUID REFERENCES quotes (id) DEFERRABLE INITIALLY DEFERRED)`,
}

func TestBatchUndo_OfAnExistingApplication(t *testing.T) {
	url := storetest.PostgresURL(t, nil)
	db := storetest.Open(t, url)
	for _, text := range existing {
		if _, err := db.Reader().Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	s := mustStartBatch(t, url, app.Options{})
	u := s.user()
	client := s.clients(u, 1)[0]
	ids := s.quotes(u, 12, client)
	mustWrite(t, s, `UPDATE quotes SET "Follow up" = E'a\n"ü"', "net.amount" = '1', "q""uote" = '"', score = 0.1 + 0.2, photo = '\x00ff', labels = ARRAY['a', NULL, 'b,"c'],
		due = '2026-02-28', local = '2026-01-01 00:00:00.123456', took = '1 mon 2 days 03:04:05.678', exact = 12345678901234567890.123456789,
		span = '[2026-01-01,)', address = '::1', settings = '{"a": {"b": [1.50, null]}, "n": 12345678901234567890}'`,
		`UPDATE quotes SET score = 'NaN', local = 'infinity', exact = 'NaN' WHERE id = '`+ids[1]+`'`,
		`INSERT INTO invoices VALUES ('`+ids[3]+`')`, `INSERT INTO later VALUES ('`+ids[5]+`')`)
	before := s.application()

	want := slices.Repeat([]string{"succeeded"}, 12)
	want[3], want[5] = "failed: conflict", "failed: conflict"
	dry := u.end(u.job(u.do("POST", "/v1/batch-jobs", strings.Replace(submission("delete_quotes", ids, nil), "{", `{"dry_run":true,`, 1), "Prefer", "wait=20")))
	if d := diff(s.application(), before); d != "" {
		t.Errorf("the dry run changed rows:\n%s", d)
	}
	j := u.run("delete_quotes", ids, nil)
	u.wantOutcomes(j, want...)
	u.wantOutcomes(dry, want...)
	for _, r := range u.results(j.ID) {
		if r.ErrorMessage != nil && strings.Contains(*r.ErrorMessage, "Key (") {
			t.Errorf("a message shows the database's own: %s", *r.ErrorMessage)
		}
	}
	if n := s.value("SELECT COUNT(*) AS n FROM quotes"); n != "2" {
		t.Errorf("got %s quotes, want 2", n)
	}
	u.wantOutcomes(u.act(j.ID, "undo"), slices.Repeat([]string{"succeeded"}, 10)...)
	if d := diff(s.application(), before); d != "" {
		t.Errorf("the undo of the delete:\n%s", d)
	}

	// A trigger has the last word about updated_at; all else is as it was.
	j = u.run("update_quote_status", ids, status("sent"))
	u.wantOutcomes(j, slices.Repeat([]string{"succeeded"}, 12)...)
	u.wantOutcomes(u.act(j.ID, "undo"), slices.Repeat([]string{"succeeded"}, 12)...)
	if d := diff(withoutColumn(s.application(), "updated_at"), withoutColumn(before, "updated_at")); d != "" {
		t.Errorf("the undo of the statuses:\n%s", d)
	}
	j = u.run("delete_clients", []string{client}, nil)
	u.wantOutcomes(j, "succeeded")
	u.wantOutcomes(u.act(j.ID, "undo"), "succeeded")
	if d := diff(withoutColumn(s.application(), "updated_at"), withoutColumn(before, "updated_at")); d != "" {
		t.Errorf("the undo of the client:\n%s", d)
	}
	made := u.run("bulk_create_quotes", []map[string]any{{"client_id": client, "total": "1"}}, nil)
	u.wantOutcomes(made, "succeeded")
	u.wantOutcomes(u.act(made.ID, "undo"), "succeeded")
	for _, column := range []string{`"Follow up"`, `"net.amount"`, `"a*b|c#@?"`, `"q""uote"`, "labels", "photo", "exact"} {
		made := u.run("bulk_create_quotes", objects("bulk_create_quotes", 2), nil)
		value := "{}"
		if column == "exact" {
			value = "12345678901234567890.123456789"
		}
		mustWrite(t, s, "ALTER TABLE quotes DISABLE TRIGGER touch", "UPDATE quotes SET "+column+" = '"+value+"' WHERE id = '"+idsOf(u.results(made.ID))[0]+"'",
			"ALTER TABLE quotes ENABLE TRIGGER touch")
		u.wantOutcomes(u.act(made.ID, "undo"), "failed: changed_since", "succeeded")
	}
	long := u.run("bulk_create_clients", []map[string]any{{"name": strings.Repeat("x", 201)}, {"name": "short"}}, nil)
	u.wantOutcomes(long, "failed: conflict", "succeeded")
}

func withoutColumn(lines []string, column string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = strings.Join(slices.DeleteFunc(strings.Split(line, separator), func(part string) bool {
			return strings.HasPrefix(part, column+"=")
		}), separator)
	}
	return out
}
