package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// customers makes the rows of n customers, sorted by id.
func customers(tx *store.Tx, n int, name *string) [][]any {
	rows := make([][]any, n)
	for i := range rows {
		values := store.CustomersTable.Values(&quotekit.Customer{
			StripeCustomerID: fmt.Sprintf("cus_%05d", i), Name: name, Metadata: `{"a":"b"}`,
		})
		rows[i] = slices.Concat([]any{"", true}, values, []any{nil, false, nil, tx.Now, tx.Now})
	}
	return rows
}

func TestUpsert_WritesAnyNumberOfRows(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		written := 0
		for _, n := range []int{0, 1, 2, 3, 127, 128, 129, 255, 300} {
			for _, name := range []string{"first", "second"} {
				mustTx(t, s, func(tx *store.Tx) error {
					return tx.Upsert(t.Context(), store.CustomersTable, customers(tx, n, &name))
				})
			}
			written = max(written, n)
			var count, named int
			err := s.Reader().QueryRowContext(t.Context(), `
				SELECT COUNT(*), COUNT(CASE WHEN name = 'second' THEN 1 END) FROM stripe_customers`).Scan(&count, &named)
			if err != nil || count != written || named != written {
				t.Errorf("%d rows: got %d in all, %d named second, %v; want %d", n, count, named, err, written)
			}
		}
	})
}

func TestUpsert_KeepsTheTimeOfCreationAndClearsWhatIsAbsent(t *testing.T) {
	storetest.RunWith(t, nil, func(t *testing.T, s *store.Store) {
		clock := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.FixedZone("", 3600))
		s = reopen(t, s, &clock)
		first, name := clock, "name"
		for _, n := range []*string{&name, nil} {
			mustTx(t, s, func(tx *store.Tx) error {
				return tx.Upsert(t.Context(), store.CustomersTable, customers(tx, 1, n))
			})
			clock = clock.Add(time.Hour)
		}
		var got sql.NullString
		var created, updated time.Time
		var metadata string
		err := s.Reader().QueryRowContext(t.Context(), `
			SELECT name, created_at, updated_at, metadata FROM stripe_customers`).Scan(&got, &created, &updated, &metadata)
		if err != nil {
			t.Fatal(err)
		}
		if want := first.Truncate(time.Microsecond); !created.Equal(want) {
			t.Errorf("created at %v, want %v", created, want)
		}
		if want := first.Add(time.Hour).Truncate(time.Microsecond); !updated.Equal(want) {
			t.Errorf("updated at %v, want %v", updated, want)
		}
		if got.Valid {
			t.Errorf("got name %q, want NULL", got.String)
		}
	})
}

// reopen makes the tables and opens the database again with another clock.
func reopen(t *testing.T, s *store.Store, clock *time.Time) *store.Store {
	t.Helper()
	c := store.Config{Now: func() time.Time { return *clock }}
	if s.Postgres() {
		c.URL = url(s)
	} else {
		c.URL = storetest.SQLiteURL(t, nil)
	}
	s = mustOpen(t, c)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMirrorTables_WriteEveryColumn(t *testing.T) {
	rows := []any{
		&quotekit.Customer{}, &quotekit.Product{}, &quotekit.Price{}, &quotekit.Subscription{},
		&quotekit.SubscriptionItem{}, &quotekit.Invoice{}, &quotekit.PaymentMethod{}, &quotekit.CheckoutSession{},
	}
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		actual := columns(t, s)
		for i, table := range store.MirrorTables {
			if got, want := slices.Sorted(slices.Values(table.Columns())), actual[table.Name()]; !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", table.Name(), got, want)
			}
			mustTx(t, s, func(tx *store.Tx) error {
				row := append([]any{"acct_1", false}, table.Values(fill(rows[i]))...)
				for _, c := range table.Columns()[len(row):] {
					row = append(row, computedValue(tx, c))
				}
				for range 2 { // an insert and an update
					if err := tx.Upsert(t.Context(), table, [][]any{row}); err != nil {
						return err
					}
				}
				return nil
			})
			for _, c := range table.Columns() {
				var n int
				query := fmt.Sprintf(`SELECT COUNT("%s") FROM %s`, c, table.Name())
				if err := s.Reader().QueryRowContext(t.Context(), query).Scan(&n); err != nil || n != 1 {
					t.Errorf("%s.%s: got %d values, %v", table.Name(), c, n, err)
				}
			}
		}
	})
}

func computedValue(tx *store.Tx, column string) any {
	switch column {
	case "user_id":
		return quotekit.NewID()
	case "deleted":
		return true
	case "snapshot_at", "detached_at", "created_at", "updated_at":
		return tx.Now
	}
	return column
}

func TestMultiRow_ReturnsEveryRow(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		for range 3 { // prepared, prepared for keeps, kept
			got := map[string]bool{}
			mustTx(t, s, func(tx *store.Tx) error {
				var rows [][]any
				for i := range 300 {
					rows = append(rows, []any{"", true, "customer", fmt.Sprintf("cus_%05d", i), tx.Now})
				}
				return tx.MultiRow(t.Context(),
					`INSERT INTO stripe_objects (account, livemode, kind, object_id, updated_at)`,
					`ON CONFLICT (account, livemode, kind, object_id) DO UPDATE
					SET updated_at = excluded.updated_at RETURNING object_id`,
					5, rows, func(r store.Row) error {
						var id string
						err := r.Scan(&id)
						got[id] = true
						return err
					})
			})
			if len(got) != 300 {
				t.Errorf("got %d rows back, want 300", len(got))
			}
		}
		if !s.Postgres() && s.KeptStatements() != 1 {
			t.Errorf("got %d kept statements, want 1", s.KeptStatements())
		}
	})
}

func TestMultiRow_StopsAtAnErrorOfTheScan(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		want := errors.New("no")
		err := s.WithTx(t.Context(), func(tx *store.Tx) error {
			return tx.MultiRow(t.Context(), `INSERT INTO stripe_objects (livemode, kind, object_id)`,
				`RETURNING object_id`, 3, [][]any{{true, "a", "b"}, {true, "a", "c"}},
				func(store.Row) error { return want })
		})
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	})
}

func mustTx(t *testing.T, s *store.Store, f func(*store.Tx) error) {
	t.Helper()
	if err := s.WithTx(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}
