package store_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// at is the time of the rows of these tests, with all digits that are kept.
var at = time.Date(2026, 3, 1, 12, 30, 0, 123456000, time.UTC)

func mustInsert(t *testing.T, s *store.Store, user string, table quotekit.ApplicationTable, rows ...quotekit.Values) {
	t.Helper()
	err := s.InsertApplication(t.Context(), user, map[quotekit.ApplicationTable][]quotekit.Values{table: rows})
	if err != nil {
		t.Fatal(err)
	}
}

func mustList[T any](t *testing.T, s *store.Store, table quotekit.ApplicationTable, user string, f store.RowFilter, p store.Page) ([]T, string) {
	t.Helper()
	rows, cursor, err := store.ListRows[T](t.Context(), s, table, user, f, p)
	if err != nil {
		t.Fatal(err)
	}
	return rows, cursor
}

// itemNames lists all items of a user in their order, reading pages of a size.
func itemNames(t *testing.T, s *store.Store, user string, f store.RowFilter, limit int) string {
	t.Helper()
	var names []string
	p := store.Page{Limit: limit}
	for range 100 {
		items, cursor := mustList[quotekit.Item](t, s, quotekit.Items, user, f, p)
		for _, i := range items {
			names = append(names, i.Name)
		}
		if cursor == "" {
			return strings.Join(names, " ")
		}
		p.Cursor = cursor
	}
	t.Fatal("there is always another page")
	return ""
}

func TestListRows_ReadsQuotesExactly(t *testing.T) {
	const lines = `[{"name": "Design", "quantity": 12345678901234567890.50, "unit_price": "10.00"}]`
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		user, client := quotekit.NewID(), quotekit.NewID()
		mustInsert(t, s, user, quotekit.Clients, quotekit.Values{"id": client, "name": "Ada"})
		mustInsert(t, s, user, quotekit.Quotes,
			quotekit.Values{
				"id": "00000000-0000-4000-8000-000000000002", "client_id": client, "client_name": "Ada", "client_email": "a@example.com",
				"quote_number": "Q-1", "status": "sent", "line_items": json.RawMessage(lines), "subtotal": quotekit.Cents(12345678_90),
				"tax_rate": quotekit.Rate(7_7500), "tax_amount": quotekit.Cents(5), "total": quotekit.Cents(-50), "notes": "a\n\"b\"",
				"valid_until": at.Add(time.Hour), "created_at": at, "updated_at": at.Truncate(time.Second),
			},
			quotekit.Values{
				"id": "00000000-0000-4000-8000-000000000001", "status": "draft", "total": quotekit.Cents(0),
				"created_at": at, "updated_at": at,
			})

		quotes, cursor := mustList[quotekit.Quote](t, s, quotekit.Quotes, user, store.RowFilter{}, store.Page{})

		if len(quotes) != 2 || cursor != "" {
			t.Fatalf("got %d quotes and cursor %q", len(quotes), cursor)
		}
		want := []string{
			`{"id":"00000000-0000-4000-8000-000000000002","client_id":"` + client + `","client_name":"Ada",` +
				`"client_email":"a@example.com","quote_number":"Q-1","status":"sent","line_items":LINES,"subtotal":"12345678.90",` +
				`"tax_rate":"7.75","tax_amount":"0.05","total":"-0.50","notes":"a\n\"b\"","valid_until":"2026-03-01T13:30:00.123456Z",` +
				`"created_at":"2026-03-01T12:30:00.123456Z","updated_at":"2026-03-01T12:30:00Z"}`,
			`{"id":"00000000-0000-4000-8000-000000000001","client_id":null,"client_name":null,` +
				`"client_email":null,"quote_number":null,"status":"draft","line_items":null,"subtotal":null,` +
				`"tax_rate":null,"tax_amount":null,"total":"0.00","notes":null,"valid_until":null,` +
				`"created_at":"2026-03-01T12:30:00.123456Z","updated_at":"2026-03-01T12:30:00.123456Z"}`,
		}
		for i, q := range quotes {
			got, err := json.Marshal(q)
			if err != nil {
				t.Fatal(err)
			}
			// Postgres sorts the keys of JSON its own way.
			want := strings.Replace(want[i], "LINES", mustCompact(t, q.LineItems), 1)
			if string(got) != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
			one, err := store.ReadRow[quotekit.Quote](t.Context(), s, quotekit.Quotes, user, q.ID)
			if err != nil {
				t.Fatal(err)
			}
			if again, _ := json.Marshal(one); string(again) != string(got) {
				t.Errorf("alone it is %s, in the list %s", again, got)
			}
		}
		if got, want := canonical(t, quotes[0].LineItems), canonical(t, []byte(lines)); got != want {
			t.Errorf("got line items %s, want %s", got, want)
		}
	})
}

func mustCompact(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	b, err := json.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// canonical writes JSON with sorted keys, and numbers as they are.
func canonical(t *testing.T, raw []byte) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestListRows_ReadsItemsAndClientsExactly(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		user := quotekit.NewID()
		mustInsert(t, s, user, quotekit.Items,
			quotekit.Values{
				"name": "a", "unit": "h", "unit_price": quotekit.Cents(5), "category": "c", "tags": json.RawMessage(`["x","y z"]`),
				"created_at": at,
			},
			quotekit.Values{"name": "b", "unit_price": quotekit.MaxCents, "created_at": at.Add(-time.Microsecond)})
		mustInsert(t, s, user, quotekit.Clients, quotekit.Values{"name": "Ada", "phone": "+49 1"})

		var got []string
		items, _ := mustList[quotekit.Item](t, s, quotekit.Items, user, store.RowFilter{}, store.Page{})
		for _, i := range items {
			i.ID = ""
			got = append(got, mustMarshal(t, i))
		}
		clients, _ := mustList[quotekit.Client](t, s, quotekit.Clients, user, store.RowFilter{}, store.Page{})
		for _, c := range clients {
			c.ID = ""
			got = append(got, mustMarshal(t, c))
		}
		want := []string{
			`{"id":"","name":"a","unit":"h","unit_price":"0.05","category":"c","tags":["x","y z"]}`,
			`{"id":"","name":"b","unit":null,"unit_price":"99999999.99","category":null,"tags":null}`,
			`{"id":"","name":"Ada","email":null,"phone":"+49 1","address":null,"notes":null}`,
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func mustMarshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestListRows_AreOneUsers(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		ada, bob := quotekit.NewID(), quotekit.NewID()
		for i := range 3 {
			mustInsert(t, s, ada, quotekit.Items, quotekit.Values{"name": fmt.Sprint("a", i), "unit_price": quotekit.Cents(1), "created_at": at})
			mustInsert(t, s, bob, quotekit.Items, quotekit.Values{"name": fmt.Sprint("b", i), "unit_price": quotekit.Cents(1), "created_at": at})
		}
		items, cursor := mustList[quotekit.Item](t, s, quotekit.Items, ada, store.RowFilter{}, store.Page{Limit: 1})
		others, _ := mustList[quotekit.Item](t, s, quotekit.Items, bob, store.RowFilter{}, store.Page{Limit: 200, Cursor: cursor})
		for _, i := range others {
			if !strings.HasPrefix(i.Name, "b") {
				t.Errorf("with the cursor of another user Bob sees %s", i.Name)
			}
		}
		if _, err := store.ReadRow[quotekit.Item](t.Context(), s, quotekit.Items, bob, items[0].ID); quotekit.CodeOf(err) != quotekit.ENotFound {
			t.Errorf("got %v for the row of another user, want not found", err)
		}
		if got := itemNames(t, s, quotekit.NewID(), store.RowFilter{Search: "a", SearchColumns: []string{"name", "category"}}, 0); got != "" {
			t.Errorf("somebody without rows sees %s", got)
		}
	})
}

func TestListRows_NewestFirstHoweverManyOfATime(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		user := quotekit.NewID()
		var want []string
		for i := range 25 { // five of each time
			name := fmt.Sprintf("n%02d", i)
			mustInsert(t, s, user, quotekit.Items, quotekit.Values{
				"id": fmt.Sprintf("00000000-0000-4000-8000-%012x", i), "name": name, "unit_price": quotekit.Cents(1),
				"created_at": at.Add(time.Duration(i/5) * 100 * time.Millisecond),
			})
			want = append([]string{name}, want...)
		}
		for _, limit := range []int{1, 2, 5, 24, 25, 26, 200} {
			if got := itemNames(t, s, user, store.RowFilter{}, limit); got != strings.Join(want, " ") {
				t.Errorf("pages of %d: got %s\nwant %s", limit, got, strings.Join(want, " "))
			}
		}
	})
}

func TestListRows_RowsWithoutATimeComeLast(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t, storetest.Tables))
	mustExec(t, s, `ALTER TABLE items ALTER COLUMN created_at DROP NOT NULL`)
	user := quotekit.NewID()
	for i := range 9 {
		mustInsert(t, s, user, quotekit.Items, quotekit.Values{
			"id": fmt.Sprintf("00000000-0000-4000-8000-%012x", i), "name": fmt.Sprintf("n%d", i),
			"unit_price": quotekit.Cents(1), "created_at": at.Add(time.Duration(i) * time.Second),
		})
	}
	mustExec(t, s, `UPDATE items SET created_at = NULL WHERE name IN ('n1', 'n5', 'n8', 'n4')`)
	for _, limit := range []int{1, 2, 4, 5, 6, 8, 9, 10} {
		if got, want := itemNames(t, s, user, store.RowFilter{}, limit), "n7 n6 n3 n2 n0 n8 n5 n4 n1"; got != want {
			t.Errorf("pages of %d: got %s, want %s", limit, got, want)
		}
	}
}

func TestListRows_SearchTakesEveryCharacterAsItIs(t *testing.T) {
	names := []string{`50%`, `a_b`, `a\b`, `Über`, `ÄRGER`, `it's`, `AbC`, `''`, `%_\`}
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		user := quotekit.NewID()
		for i, name := range names {
			mustInsert(t, s, user, quotekit.Items, quotekit.Values{
				"name": name, "unit_price": quotekit.Cents(1), "created_at": at.Add(-time.Duration(i) * time.Second),
			})
		}
		f := store.RowFilter{SearchColumns: []string{"name", "category"}}
		for _, name := range names {
			f.Search = name
			if got := itemNames(t, s, user, f, 0); got != name {
				t.Errorf("search for %s: got %s", name, got)
			}
		}
		for search, want := range map[string]string{
			"%": `50% %_\`, "_": `a_b %_\`, `\`: `a\b %_\`, "aBc": "AbC", "BER": "Über", "rger": "ÄRGER", "'": `it's ''`, "a%b": "", "--": "",
			"": strings.Join(names, " "),
		} {
			f.Search = search
			if got := itemNames(t, s, user, f, 2); got != want {
				t.Errorf("search for %q: got %q, want %q", search, got, want)
			}
		}
	})
}

func TestListRows_FiltersHoldTogether(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		user, client := quotekit.NewID(), quotekit.NewID()
		mustInsert(t, s, user, quotekit.Clients, quotekit.Values{"id": client, "name": "Ada"})
		for i, status := range []string{"draft", "sent", "sent", "draft"} {
			row := quotekit.Values{"quote_number": fmt.Sprint("Q", i), "status": status, "total": quotekit.Cents(1), "notes": "Note"}
			if i > 1 {
				row["client_id"] = client
			}
			mustInsert(t, s, user, quotekit.Quotes, row)
		}
		search := []string{"client_name", "client_email", "quote_number", "notes"}
		for _, tt := range []struct {
			status, client, search string
			want                   string
		}{
			{"", "", "", "Q3 Q2 Q1 Q0"},
			{"sent", "", "", "Q2 Q1"},
			{"", client, "", "Q3 Q2"},
			{"sent", client, "", "Q2"},
			{"sent", client, "note", "Q2"},
			{"sent", "", "q1", "Q1"},
			{"sent", client, "q1", ""},
			{"", quotekit.NewID(), "", ""},
		} {
			f := store.RowFilter{
				Equal:  map[string]string{"status": tt.status, "client_id": tt.client},
				Search: tt.search, SearchColumns: search,
			}
			var got []string
			quotes, _ := mustList[quotekit.Quote](t, s, quotekit.Quotes, user, f, store.Page{})
			for _, q := range quotes {
				got = append(got, *q.Number)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%+v: got %s", tt, got)
			}
		}
	})
}

func TestListRows_ARowThatCannotBeReadIsNamed(t *testing.T) {
	for _, column := range []string{"created_at", "valid_until"} {
		t.Run(column, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T, s *store.Store) {
				user, id := quotekit.NewID(), quotekit.NewID()
				mustInsert(t, s, user, quotekit.Quotes, quotekit.Values{"id": id, "status": "draft", "total": quotekit.Cents(1)})
				mustExec(t, s, "UPDATE quotes SET "+column+" = 'infinity'")
				_, _, err := store.ListRows[quotekit.Quote](t.Context(), s, quotekit.Quotes, user, store.RowFilter{}, store.Page{})
				if err == nil || !strings.Contains(err.Error(), id) {
					t.Errorf("list: got %v, want an error with the id", err)
				}
				_, err = store.ReadRow[quotekit.Quote](t.Context(), s, quotekit.Quotes, user, id)
				if err == nil || !strings.Contains(err.Error(), id) {
					t.Errorf("read: got %v, want an error with the id", err)
				}
			})
		})
	}
}

func TestListRows_RefusesPagesThatAreNone(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		for _, p := range []store.Page{{Limit: -1}, {Limit: store.MaxPage + 1}, {Cursor: "x"}, {Cursor: "e30"}} {
			_, _, err := store.ListRows[quotekit.Item](t.Context(), s, quotekit.Items, quotekit.NewID(), store.RowFilter{}, p)
			if quotekit.CodeOf(err) != quotekit.EInvalid {
				t.Errorf("%+v: got %v, want invalid", p, err)
			}
		}
	})
}
