package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func TestInsertApplication_KeepsMoneyExact(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		user, client := quotekit.NewID(), quotekit.NewID()
		rows := map[quotekit.ApplicationTable][]quotekit.Values{
			quotekit.Clients: {{"id": client, "name": "Ada"}},
			quotekit.Items:   {{"name": "Design", "unit_price": quotekit.Cents(12345678_90), "tags": json.RawMessage(`["a"]`)}},
			quotekit.Quotes: {{
				"client_id": client, "status": "draft", "subtotal": quotekit.Cents(10_05), "tax_rate": quotekit.Rate(19_0000),
				"tax_amount": quotekit.Cents(1_91), "total": quotekit.Cents(11_96), "created_at": time.Unix(1_775_000_000, 0),
			}},
		}
		if err := s.InsertApplication(context.Background(), user, rows); err != nil {
			t.Fatal(err)
		}
		query := "SELECT unit_price, total, tax_rate FROM items, quotes"
		want := "12345678.90 11.96 19.0000"
		if !s.Postgres() {
			want = "1234567890 1196 190000"
		}
		var price, total, rate string
		if err := s.Reader().QueryRow(query).Scan(&price, &total, &rate); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(price, " ", total, " ", rate); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		// A row that is refused takes the others with it.
		if err := s.InsertApplication(context.Background(), user, rows); err == nil {
			t.Fatal("got no error for a client that is there")
		}
		var n int
		if err := s.Reader().QueryRow("SELECT COUNT(*) FROM items").Scan(&n); err != nil || n != 1 {
			t.Errorf("got %d items, %v, want 1", n, err)
		}
	})
}
