package sample

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
)

// quoteLine is a line of a sample quote.
type quoteLine struct {
	ItemID    string         `json:"item_id"`
	Name      string         `json:"name"`
	Quantity  int64          `json:"quantity"`
	UnitPrice quotekit.Cents `json:"unit_price"`
}

// Application makes sample data of the application that bills with Stripe, for
// one user: the given numbers of clients, items and quotes. A quote needs a
// client and an item.
func (m *Maker) Application(clients, items, quotes int) map[quotekit.ApplicationTable][]quotekit.Values {
	a := map[quotekit.ApplicationTable][]quotekit.Values{}
	cities := []string{"Harbour Street", "Mill Lane", "Station Road", "Orchard Way"}
	for i := range clients {
		a[quotekit.Clients] = append(a[quotekit.Clients], quotekit.Values{
			"id": m.uuid(), "name": fmt.Sprintf("Sample Client %03d", i+1), "email": fmt.Sprintf("client-%03d@example.com", i+1),
			"phone":   fmt.Sprintf("+1 555 01%02d", i%100),
			"address": fmt.Sprintf("%d %s", 1+m.rand.IntN(99), cities[i%len(cities)]),
		})
	}
	kinds := []struct{ name, unit, category string }{
		{"Design", "hour", "services"}, {"Printing", "piece", "production"}, {"Delivery", "trip", "logistics"}, {"Support", "month", "services"},
	}
	for i := range items {
		k := kinds[i%len(kinds)]
		a[quotekit.Items] = append(a[quotekit.Items], quotekit.Values{
			"id": m.uuid(), "name": fmt.Sprintf("%s %03d", k.name, i+1), "unit": k.unit, "category": k.category,
			"unit_price": quotekit.Cents(100 + m.rand.Int64N(50_000)), "tags": mustJSON([]string{"sample", k.category}),
		})
	}
	if clients == 0 || items == 0 {
		return a
	}
	now := m.now().UTC().Truncate(time.Second)
	for i := range quotes {
		lines, subtotal := m.quoteLines(a[quotekit.Items])
		tax := (subtotal*19 + 50) / 100
		c := a[quotekit.Clients][m.rand.IntN(clients)]
		a[quotekit.Quotes] = append(a[quotekit.Quotes], quotekit.Values{
			"id": m.uuid(), "client_id": c["id"], "client_name": c["name"], "client_email": c["email"],
			"quote_number": fmt.Sprintf("Q-%05d", i+1), "status": quotekit.QuoteStatuses[i%len(quotekit.QuoteStatuses)],
			"line_items": mustJSON(lines), "subtotal": subtotal, "tax_rate": quotekit.Rate(19_0000), "tax_amount": tax,
			"total": subtotal + tax, "valid_until": now.AddDate(0, 0, 30),
			"created_at": now.Add(-time.Duration(quotes-i) * time.Hour),
		})
	}
	return a
}

func (m *Maker) quoteLines(items []quotekit.Values) (lines []quoteLine, subtotal quotekit.Cents) {
	for range 1 + m.rand.IntN(3) {
		item := items[m.rand.IntN(len(items))]
		line := quoteLine{
			ItemID: item["id"].(string), Name: item["name"].(string), Quantity: 1 + m.rand.Int64N(5),
			UnitPrice: item["unit_price"].(quotekit.Cents),
		}
		lines = append(lines, line)
		subtotal += quotekit.Cents(line.Quantity) * line.UnitPrice
	}
	return lines, subtotal
}

// mustJSON encodes what always can be.
func mustJSON(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic("encode sample data: " + err.Error())
	}
	return b
}
