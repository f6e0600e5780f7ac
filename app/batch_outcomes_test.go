package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/batch"
)

// onRows are the operations on rows, and how to make some for a user.
var onRows = []struct {
	operation string
	options   map[string]any
	rows      func(*service, *user, int) []string
}{
	{"delete_quotes", nil, draftQuotes},
	{"update_quote_status", status("sent"), draftQuotes},
	{"export_quotes", map[string]any{"format": "csv"}, draftQuotes},
	{"delete_clients", nil, (*service).clients},
	{"update_item_prices", adjustment("percentage", "5"), func(s *service, u *user, n int) []string {
		return s.items(u, slices.Repeat([]quotekit.Cents{10_00}, n)...)
	}},
}

func draftQuotes(s *service, u *user, n int) []string { return s.quotes(u, n, nil) }

func TestBatch_EveryItemHasItsOutcome(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		for _, o := range onRows {
			u, other := s.user(), s.user()
			ids, foreign := o.rows(s, u, 2), o.rows(s, other, 1)[0]
			missing := quotekit.NewID()
			others := s.query("SELECT * FROM quotes WHERE user_id = $1", other.id)
			j := u.run(o.operation, []string{
				ids[0], missing, foreign, strings.ToUpper(ids[0]), ids[1], missing, strings.ToUpper(foreign),
			}, o.options)
			u.wantOutcomes(j, "succeeded", "failed: not_found", "failed: not_found", "skipped: duplicate", "succeeded",
				"skipped: duplicate", "skipped: duplicate")
			if j.Status != quotekit.BatchCompleted || j.ProgressPercent != 100 || j.CompletedAt == nil || j.ExecutionTimeMS == nil {
				t.Errorf("%s: got %+v", o.operation, j)
			}
			if want := map[quotekit.ItemCode]int{"not_found": 2}; !maps.Equal(j.ErrorSummary, want) {
				t.Errorf("%s: error_summary = %v, want %v", o.operation, j.ErrorSummary, want)
			}
			results := u.results(j.ID)
			if got, want := idsOf(results), []string{ids[0], missing, foreign, ids[0], ids[1], missing, foreign}; !slices.Equal(got, want) {
				t.Errorf("%s: ids are %q, want %q", o.operation, got, want)
			}
			if a, b := strings.ReplaceAll(*results[1].ErrorMessage, missing, "X"), strings.ReplaceAll(*results[2].ErrorMessage, foreign, "X"); a != b {
				t.Errorf("%s: a missing row is told apart from a foreign one: %q, %q", o.operation, a, b)
			}
			if d := diff(s.query("SELECT * FROM quotes WHERE user_id = $1", other.id), others); d != "" {
				t.Errorf("%s changed rows of somebody else:\n%s", o.operation, d)
			}
		}
	})
}

func TestBatch_AnyStatusMayFollowAny(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		for _, to := range quotekit.QuoteStatuses {
			var rows []quotekit.Values
			for _, from := range quotekit.QuoteStatuses {
				rows = append(rows, quotekit.Values{"status": from, "total": quotekit.Cents(1)})
			}
			ids := s.rows(u, quotekit.Quotes, rows...)
			same := ids[slices.Index(quotekit.QuoteStatuses, to)]
			before := s.query("SELECT * FROM quotes WHERE id = $1", same)
			j := u.run("update_quote_status", ids, status(to))
			want := slices.Repeat([]string{"succeeded"}, len(ids))
			want[slices.Index(ids, same)] = "skipped: unchanged"
			u.wantOutcomes(j, want...)
			for i, r := range u.results(j.ID) {
				if got := s.value("SELECT status FROM quotes WHERE id = $1", ids[i]); got != to {
					t.Errorf("%s to %s: got %s", quotekit.QuoteStatuses[i], to, got)
				}
				var was, is struct{ Status string }
				if ids[i] != same && (json.Unmarshal(r.Before, &was) != nil || json.Unmarshal(r.After, &is) != nil ||
					was.Status != quotekit.QuoteStatuses[i] || is.Status != to) {
					t.Errorf("%s to %s: before %s, after %s", quotekit.QuoteStatuses[i], to, r.Before, r.After)
				}
			}
			if d := diff(s.query("SELECT * FROM quotes WHERE id = $1", same), before); d != "" {
				t.Errorf("a quote that was %s already has changed:\n%s", to, d)
			}
		}
	})
}

// price is the price of an item, as the API writes it.
func (s *service) price(id string) string {
	s.t.Helper()
	if s.Store().Postgres() {
		return s.value("SELECT CAST(unit_price AS TEXT) AS p FROM items WHERE id = $1", id)
	}
	return s.value("SELECT printf('%d.%02d', unit_price / 100, unit_price % 100) AS p FROM items WHERE id = $1", id)
}

func TestBatch_PricesAreExact(t *testing.T) {
	const out = "failed: out_of_range"
	tests := []struct {
		kind, value string
		prices      []quotekit.Cents
		want        []string // the new price, or the outcome of a price that stays
	}{
		{"percentage", "5", []quotekit.Cents{10_00, 10, 9, 0, quotekit.MaxCents}, []string{"10.50", "0.11", "skipped: unchanged", "skipped: unchanged", out}},
		{"percentage", "-50", []quotekit.Cents{1, 3, 5, 10_01}, []string{"skipped: unchanged", "0.02", "0.03", "5.01"}},
		{"percentage", "-100", []quotekit.Cents{1, quotekit.MaxCents, 0}, []string{"0.00", "0.00", "skipped: unchanged"}},
		{"percentage", "0.000001", []quotekit.Cents{10_00, quotekit.MaxCents}, []string{"skipped: unchanged", out}},
		{"percentage", "33.333333", []quotekit.Cents{75_000_000_00}, []string{"99999999.75"}},
		{"fixed", "-0.10", []quotekit.Cents{10, 9, 11, 1}, []string{"0.00", out, "0.01", out}},
		{"fixed", "0.005", []quotekit.Cents{1_00, 0, quotekit.MaxCents}, []string{"1.01", "0.01", out}},
		{"fixed", "-0.005", []quotekit.Cents{1_00, 1, 0}, []string{"skipped: unchanged", "skipped: unchanged", "skipped: unchanged"}},
		{"fixed", "0.01", []quotekit.Cents{quotekit.MaxCents - 1, quotekit.MaxCents}, []string{"99999999.99", out}},
		{"fixed", "99999999.99", []quotekit.Cents{0, 1}, []string{"99999999.99", out}},
		{"fixed", "-999999999999.999999", []quotekit.Cents{0, quotekit.MaxCents}, []string{out, out}},
	}
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		for _, tt := range tests {
			ids := s.items(u, tt.prices...)
			j := u.run("update_item_prices", ids, adjustment(tt.kind, tt.value))
			u.checkSums(j)
			outcomes := u.outcomes(j.ID)
			for i, r := range u.results(j.ID) {
				got, want := outcomes[i], tt.want[i]
				if got == "succeeded" {
					got = s.price(ids[i])
					before, after := fmt.Sprintf(`{"unit_price":%q}`, tt.prices[i]), fmt.Sprintf(`{"unit_price":%q}`, got)
					if string(r.Before) != before || string(r.After) != after {
						t.Errorf("%s %s of %s: before %s, after %s", tt.kind, tt.value, tt.prices[i], r.Before, r.After)
					}
				} else if s.price(ids[i]) != tt.prices[i].String() {
					t.Errorf("%s %s of %s: %s, but the price is %s", tt.kind, tt.value, tt.prices[i], got, s.price(ids[i]))
				}
				if got != want {
					t.Errorf("%s %s of %s: got %s, want %s", tt.kind, tt.value, tt.prices[i], got, want)
				}
			}
		}
	})
}

// created are the objects that a create has made, as results show them.
func created(t testing.TB, results []batch.JobResult) []map[string]any {
	t.Helper()
	list := make([]map[string]any, len(results))
	for i, r := range results {
		if r.After == nil || string(r.After) == "null" {
			continue
		}
		if err := json.Unmarshal(r.After, &list[i]); err != nil {
			t.Fatal(err)
		}
		if r.ItemID == nil || list[i]["id"] != *r.ItemID {
			t.Errorf("item_id is %v, the row's id %v", r.ItemID, list[i]["id"])
		}
		delete(list[i], "id")
		delete(list[i], "created_at")
		delete(list[i], "updated_at")
	}
	return list
}

// sameJSON compares values by their JSON.
func sameJSON(t testing.TB, what string, got any, want string) {
	t.Helper()
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var parsed any
	if err := json.Unmarshal([]byte(want), &parsed); err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	w, _ := json.Marshal(parsed)
	if string(b) != string(w) {
		t.Errorf("%s: got %s, want %s", what, b, w)
	}
}

func TestBatch_Creates(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u, other := s.user(), s.user()
		raw := func(objects ...string) []json.RawMessage {
			list := make([]json.RawMessage, len(objects))
			for i, o := range objects {
				list[i] = json.RawMessage(o)
			}
			return list
		}

		items := u.run("bulk_create_items", raw(
			`{"name": "Brick <b> ü 😀", "unit_price": "12.5", "unit": "m²", "category": "a\tb", "tags": ["x", "\"y\""]}`,
			`{"name": "Free", "unit_price": "0"}`,
			`{"name": "Most", "unit_price": "99999999.99"}`,
		), nil)
		u.wantOutcomes(items, "succeeded", "succeeded", "succeeded")
		sameJSON(t, "items", created(t, u.results(items.ID)), `[
			{"name": "Brick <b> ü 😀", "unit_price": "12.50", "unit": "m²", "category": "a\tb", "tags": ["x", "\"y\""]},
			{"name": "Free", "unit_price": "0.00", "unit": null, "category": null, "tags": []},
			{"name": "Most", "unit_price": "99999999.99", "unit": null, "category": null, "tags": []}]`)

		clients := u.run("bulk_create_clients", raw(
			`{"name": "Ada", "email": "ada@example.com", "phone": "+49 30 1", "address": "A\r\nB", "notes": "=1"}`, `{"name": "Bob"}`,
		), nil)
		u.wantOutcomes(clients, "succeeded", "succeeded")
		sameJSON(t, "clients", created(t, u.results(clients.ID)), `[
			{"name": "Ada", "email": "ada@example.com", "phone": "+49 30 1", "address": "A\r\nB", "notes": "=1"},
			{"name": "Bob", "email": null, "phone": null, "address": null, "notes": null}]`)
		ada, bob := idsOf(u.results(clients.ID))[0], idsOf(u.results(clients.ID))[1]

		foreign := s.clients(other, 1)[0]
		quotes := u.run("bulk_create_quotes", []any{
			map[string]any{"client_id": strings.ToUpper(ada), "tax_rate": "19", "line_items": raw(`{"name": "A", "quantity": 1.5, "unit_price": "0.03"}`, `{"name": "B", "unit_price": "10"}`)},
			map[string]any{"client_id": bob, "total": "5.10", "client_name": "Robert", "status": "sent", "valid_until": "2027-01-31"},
			map[string]any{"client_id": foreign, "total": "1"},
			map[string]any{"client_id": quotekit.NewID(), "total": "1"},
			map[string]any{"client_name": "Nobody", "total": "1", "notes": "ü"},
			map[string]any{"total": "1"},
		}, nil)
		u.wantOutcomes(quotes, "succeeded", "succeeded", "failed: invalid", "failed: invalid", "succeeded", "failed: invalid")
		results := u.results(quotes.ID)
		sameJSON(t, "quotes", created(t, results), fmt.Sprintf(`[
			{"client_id": %q, "client_name": "Ada", "client_email": "ada@example.com", "quote_number": null, "status": "draft",
			 "line_items": [{"name": "A", "quantity": 1.5, "unit_price": "0.03"}, {"name": "B", "quantity": 1, "unit_price": "10.00"}],
			 "subtotal": "10.05", "tax_rate": "19.00", "tax_amount": "1.91", "total": "11.96", "notes": null, "valid_until": null},
			{"client_id": %q, "client_name": "Robert", "client_email": null, "quote_number": null, "status": "sent", "line_items": null,
			 "subtotal": null, "tax_rate": null, "tax_amount": null, "total": "5.10", "notes": null, "valid_until": "2027-01-31T00:00:00Z"},
			null, null,
			{"client_id": null, "client_name": "Nobody", "client_email": null, "quote_number": null, "status": "draft", "line_items": null,
			 "subtotal": null, "tax_rate": null, "tax_amount": null, "total": "1.00", "notes": "ü", "valid_until": null},
			null]`, ada, bob))
		if a, b := *results[2].ErrorMessage, *results[3].ErrorMessage; a != b || strings.Contains(a, foreign) || results[2].ItemID != nil {
			t.Errorf("a foreign client is told apart from a missing one: %q, %q", a, b)
		}
		if n := s.value("SELECT COUNT(*) AS n FROM quotes"); n != "3" {
			t.Errorf("got %s quotes, want 3", n)
		}
	})
}

// TestBatch_DeletedClientsLeaveTheirQuotes: also those of more than one chunk.
func TestBatch_DeletedClientsLeaveTheirQuotes(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		clients := s.clients(u, 2)
		gone, kept := s.quotes(u, 120, clients[0]), s.quotes(u, 2, clients[1])
		j := u.run("delete_clients", clients[:1], nil)
		u.wantOutcomes(j, "succeeded")
		if n := s.value("SELECT COUNT(*) AS n FROM quotes WHERE client_id IS NULL AND client_name = 'Ada & Söhne'"); n != fmt.Sprint(len(gone)) {
			t.Errorf("got %s quotes without a client and with its name, want %d", n, len(gone))
		}
		if n := s.value("SELECT COUNT(*) AS n FROM quotes WHERE client_id = $1", clients[1]); n != fmt.Sprint(len(kept)) {
			t.Errorf("got %s quotes of the other client, want %d", n, len(kept))
		}
	})
}

// TestBatch_ConflictIsThatOfOneItem: a rule of the database that one of a
// hundred new rows breaks.
func TestBatch_ConflictIsThatOfOneItem(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		mustWrite(t, s, "CREATE UNIQUE INDEX numbers ON quotes (user_id, quote_number)")
		u := s.user()
		var quotes []map[string]any
		want := slices.Repeat([]string{"succeeded"}, 100)
		for i := range want {
			quotes = append(quotes, map[string]any{"client_name": "A", "total": "1", "quote_number": fmt.Sprint("N", i)})
		}
		quotes[77]["quote_number"] = "N12" // of another chunk
		quotes[78]["quote_number"] = "N79" // of the same chunk
		j := u.run("bulk_create_quotes", quotes, nil)
		u.checkSums(j)
		got := u.outcomes(j.ID)
		if j.FailedItems != 2 || j.SucceededItems != 98 {
			t.Fatalf("got %q", got)
		}
		for i, o := range got {
			if o != "succeeded" && (o != "failed: conflict" || !slices.Contains([]int{12, 77, 78, 79}, i)) {
				t.Errorf("item %d: %s", i, o)
			}
		}
		if n := s.value("SELECT COUNT(*) AS n FROM quotes"); n != "98" {
			t.Errorf("got %s quotes, want 98", n)
		}
	})
}
