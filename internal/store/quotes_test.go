package store_test

import (
	"context"
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
		clients := []quotekit.Client{{ID: client, UserID: user, Name: "Ada"}}
		items := []quotekit.Item{{ID: quotekit.NewID(), UserID: user, Name: "Design", UnitPrice: 12345678_90}}
		quotes := []quotekit.Quote{{
			ID: quotekit.NewID(), UserID: user, ClientID: client, Status: "draft", Subtotal: 10_05, TaxRate: 19_00,
			TaxAmount: 1_91, Total: 11_96, CreatedAt: time.Unix(1_775_000_000, 0),
			Lines: []quotekit.QuoteLine{{ItemID: "x", Name: "Design", Quantity: 1, UnitPrice: 10_05}},
		}}
		if err := s.InsertApplication(context.Background(), clients, items, quotes); err != nil {
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
		items[0].ID, quotes[0].ID = quotekit.NewID(), quotekit.NewID()
		if err := s.InsertApplication(context.Background(), clients, items, quotes); err == nil {
			t.Fatal("got no error for a client that is there")
		}
		var n int
		if err := s.Reader().QueryRow("SELECT COUNT(*) FROM items").Scan(&n); err != nil || n != 1 {
			t.Errorf("got %d items, %v, want 1", n, err)
		}
	})
}

func TestCents_String(t *testing.T) {
	for c, want := range map[quotekit.Cents]string{0: "0.00", 5: "0.05", 1250: "12.50", -5: "-0.05", -1250: "-12.50"} {
		if got := c.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
