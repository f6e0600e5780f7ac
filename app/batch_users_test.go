package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
)

var requestID = regexp.MustCompile(`req_[A-Z0-9]+`)

// anonymous is an answer without what differs from request to request.
func anonymous(r reply, id string) string {
	body := requestID.ReplaceAllString(string(r.body), "req")
	return fmt.Sprint(r.status, " ", r.header.Get("Content-Type"), " ", strings.ReplaceAll(body, id, "ID"))
}

// TestBatchUsers_OthersJobsAreNone: every endpoint answers for somebody else's
// job, in any state, as for one that never was.
func TestBatchUsers_OthersJobsAreNone(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := newBarrier()
		s := mustStartGated(t, url, b)
		u, thief := s.user(), s.user()
		ids := s.quotes(u, 15, nil)
		s.decline(ids[12])
		export := u.run("export_quotes", ids, nil)
		failed := u.run("delete_quotes", append(ids[:1:1], quotekit.NewID()), nil)
		running := u.submit("update_quote_status", ids[1:], status("sent"))
		<-b.reached
		rows, jobs := s.application(), s.jobRows()
		for _, job := range []string{export.ID, failed.ID, running.ID} {
			for _, request := range []struct{ method, path, body string }{
				{"GET", "", ""},
				{"GET", "/results", ""},
				{"GET", "/results?outcome=failed", ""},
				{"GET", "/events", ""},
				{"GET", "/export", ""},
				{"POST", "/cancel", ""},
				{"POST", "/undo", ""},
				{"POST", "/undo", `{"dry_run":true}`},
				{"POST", "/retry-failed", ""},
			} {
				random := quotekit.NewID()
				got := anonymous(thief.do(request.method, jobsURL+"/"+job+request.path, request.body), job)
				want := anonymous(thief.do(request.method, jobsURL+"/"+random+request.path, request.body), random)
				if got != want || !strings.HasPrefix(got, "404 application/problem+json") {
					t.Errorf("%s %s: got %s\nwant %s", request.method, request.path, got, want)
				}
			}
		}
		if r := thief.do("GET", jobsURL, ""); !bytes.Contains(r.body, []byte(`"items":[]`)) {
			t.Errorf("the list has %s", r.body)
		}
		if d := diff(s.jobRows(), jobs) + diff(s.application(), rows); d != "" {
			t.Errorf("rows have changed:\n%s", d)
		}
		b.open()
		u.end(running)
	})
}

// TestBatchUsers_OthersRowsAreNone: no operation reads or changes a row of
// somebody else, or tells that there is one.
func TestBatchUsers_OthersRowsAreNone(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u, thief := s.user(), s.user()
		client := s.clients(u, 1)[0]
		s.quotes(u, 1, client)
		for _, o := range onRows {
			id, random := o.rows(s, u, 1)[0], quotekit.NewID()
			if o.operation == "delete_clients" {
				s.quotes(u, 1, id)
			}
			before := s.application()
			for _, dry := range []string{"false", "true"} {
				answers := map[string]string{}
				for _, it := range []string{id, random} {
					body := strings.Replace(submission(o.operation, []string{it}, o.options), "{", `{"dry_run":`+dry+`,`, 1)
					j := thief.end(thief.job(thief.do("POST", jobsURL, body, "Prefer", "wait=20")))
					thief.wantOutcomes(j, "failed: not_found")
					answers[it] = anonymous(thief.do("GET", jobsURL+"/"+j.ID+"/results", ""), it)
					if j.Links.Export != nil {
						answers[it] += string(thief.do("GET", *j.Links.Export, "").body)
					}
				}
				if answers[id] != answers[random] {
					t.Errorf("%s: got %s\nwant %s", o.operation, answers[id], answers[random])
				}
			}
			if d := diff(s.application(), before); d != "" {
				t.Errorf("%s changed rows of somebody else:\n%s", o.operation, d)
			}
		}
		before := s.application()
		answers := map[string]string{}
		for _, id := range []string{client, quotekit.NewID()} {
			j := thief.run("bulk_create_quotes", []map[string]any{{"client_id": id, "total": "1"}}, nil)
			thief.wantOutcomes(j, "failed: invalid")
			answers[id] = anonymous(thief.do("GET", jobsURL+"/"+j.ID+"/results", ""), id)
		}
		for _, a := range answers {
			if a != answers[client] {
				t.Errorf("a foreign client is told apart from a missing one: %s, %s", a, answers[client])
			}
		}
		if d := diff(s.application(), before); d != "" {
			t.Errorf("rows have changed:\n%s", d)
		}
	})
}

// TestBatchUsers_UndoTakesNothingFromOthers: a row that has come to belong to
// somebody else is not the caller's to change, nor to put back.
func TestBatchUsers_UndoTakesNothingFromOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u, other := s.user(), s.user()
		items := s.items(u, 1_00, 1_00)
		j := u.run("update_item_prices", items, adjustment("fixed", "1"))
		mustWrite(t, s, "UPDATE items SET user_id = '"+other.id+"' WHERE id = '"+items[0]+"'")
		u.wantOutcomes(u.act(j.ID, "undo"), "failed: changed_since", "succeeded")
		if got := s.price(items[0]); got != "2.00" {
			t.Errorf("the price of somebody else's item is %s", got)
		}
		quotes := s.quotes(u, 1, s.clients(u, 1)[0])
		client := s.value("SELECT client_id FROM quotes WHERE id = $1", quotes[0])
		j = u.run("delete_clients", []string{client}, nil)
		mustWrite(t, s, "UPDATE quotes SET user_id = '"+other.id+"' WHERE id = '"+quotes[0]+"'")
		u.wantOutcomes(u.act(j.ID, "undo"), "succeeded")
		if got := s.value("SELECT client_id FROM quotes WHERE id = $1", quotes[0]); got != "null" {
			t.Errorf("somebody else's quote was linked to %s", got)
		}
	})
}

// TestBatchUsers_OtherPrograms: rows of another program in the table of the
// user's document are listed, and left alone.
func TestBatchUsers_OtherPrograms(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		pending, done, exported := quotekit.NewID(), quotekit.NewID(), quotekit.NewID()
		const insert = `INSERT INTO batch_jobs (id, user_id, operation_type, total_items, processed_items, failed_items, status, request_id, error_details, created_at, completed_at) VALUES `
		mustWrite(t, s,
			insert+fmt.Sprintf(`('%s', '%s', 'delete_quotes', 5, 0, 0, 'pending', 'r', NULL, '2026-01-01 00:00:00+00:00', NULL)`, pending, u.id),
			insert+fmt.Sprintf(`('%s', '%s', 'delete_quotes', 5, 5, 2, 'completed', 'r', '[{"id": "x", "error": "y"}]', '2026-01-02 00:00:00+00:00', '2026-01-02 00:00:00+00:00')`, done, u.id),
			insert+fmt.Sprintf(`('%s', '%s', 'export_quotes', 5, 5, 0, 'completed', 'r', NULL, '2026-01-02 00:00:00+00:00', '2026-01-02 00:00:00+00:00')`, exported, u.id),
		)
		before := s.query("SELECT * FROM batch_jobs ORDER BY id")
		ours := u.run("delete_quotes", s.quotes(u, 1, nil), nil) // by now the runner has looked
		u.act(ours.ID, "undo")
		var list struct {
			Items []struct{ ID, Status string }
		}
		if r := u.do("GET", jobsURL, ""); json.Unmarshal(r.body, &list) != nil || len(list.Items) != 5 {
			t.Errorf("got %s", r.body)
		}
		if j := u.get(pending); j.Status != quotekit.BatchPending || j.UnprocessedItems != 5 {
			t.Errorf("got %+v", j)
		}
		for _, id := range []string{pending, done, exported} {
			for _, act := range []string{"undo", "retry-failed"} {
				u.refused(id, act, "")
			}
			if r := u.do("GET", jobsURL+"/"+id+"/results", ""); r.status != 200 {
				t.Errorf("results: got %d %s", r.status, r.body)
			}
			if r := u.do("GET", jobsURL+"/"+id+"/export", ""); r.status != 409 {
				t.Errorf("a file of another program's export: got %d %s", r.status, r.body)
			}
		}
		u.refused(pending, "cancel", "another program")
		if d := diff(s.query("SELECT * FROM batch_jobs WHERE request_id = 'r' ORDER BY id"), before); d != "" {
			t.Errorf("rows of another program have changed:\n%s", d)
		}
	})
}
