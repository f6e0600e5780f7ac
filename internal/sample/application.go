package sample

import (
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
)

// Application is sample data of the application that bills with Stripe: one
// user and what that user has written.
type Application struct {
	Clients []quotekit.Client
	Items   []quotekit.Item
	Quotes  []quotekit.Quote
}

// Application makes sample data for a user: the given numbers of clients, items
// and quotes. A quote needs a client and an item.
func (m *Maker) Application(userID string, clients, items, quotes int) Application {
	var a Application
	now := m.now().UTC().Truncate(time.Second)
	cities := []string{"Harbour Street", "Mill Lane", "Station Road", "Orchard Way"}
	for i := range clients {
		a.Clients = append(a.Clients, quotekit.Client{
			ID: m.uuid(), UserID: userID, Name: fmt.Sprintf("Sample Client %03d", i+1), Email: fmt.Sprintf("client-%03d@example.com", i+1),
			Phone: fmt.Sprintf("+1 555 01%02d", i%100), Address: fmt.Sprintf("%d %s", 1+m.rand.IntN(99), cities[i%len(cities)]),
		})
	}
	kinds := []struct{ name, unit, category string }{
		{"Design", "hour", "services"}, {"Printing", "piece", "production"}, {"Delivery", "trip", "logistics"}, {"Support", "month", "services"},
	}
	for i := range items {
		k := kinds[i%len(kinds)]
		a.Items = append(a.Items, quotekit.Item{
			ID: m.uuid(), UserID: userID, Name: fmt.Sprintf("%s %03d", k.name, i+1), Unit: k.unit, Category: k.category,
			UnitPrice: quotekit.Cents(100 + m.rand.Int64N(50_000)), Tags: []string{"sample", k.category},
		})
	}
	if clients == 0 || items == 0 {
		return a
	}
	statuses := []string{"draft", "sent", "accepted", "declined", "expired", "converted"}
	for i := range quotes {
		c := a.Clients[m.rand.IntN(clients)]
		q := quotekit.Quote{
			ID: m.uuid(), UserID: userID, ClientID: c.ID, ClientName: c.Name, ClientEmail: c.Email,
			Number: fmt.Sprintf("Q-%05d", i+1), Status: statuses[i%len(statuses)], TaxRate: 1900,
			CreatedAt: now.Add(-time.Duration(quotes-i) * time.Hour), ValidUntil: now.AddDate(0, 0, 30),
		}
		for range 1 + m.rand.IntN(3) {
			item := a.Items[m.rand.IntN(items)]
			line := quotekit.QuoteLine{ItemID: item.ID, Name: item.Name, Quantity: 1 + m.rand.Int64N(5), UnitPrice: item.UnitPrice}
			q.Lines = append(q.Lines, line)
			q.Subtotal += quotekit.Cents(line.Quantity) * line.UnitPrice
		}
		q.TaxAmount = (q.Subtotal*quotekit.Cents(q.TaxRate) + 5000) / 10_000
		q.Total = q.Subtotal + q.TaxAmount
		a.Quotes = append(a.Quotes, q)
	}
	return a
}
