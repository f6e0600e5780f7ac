package handlers

import (
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// Fetched is the table of the events of our own, one kind of object each: what
// Stripe's API answered when it was asked. They wait behind everything that
// Stripe sends by itself.
func Fetched() []quotekit.Route {
	var routes []quotekit.Route
	for _, r := range []struct {
		kind    quotekit.Kind
		handler string
		handle  quotekit.HandlerFunc
	}{
		{quotekit.KindCustomer, "customer", customer},
		{quotekit.KindProduct, "product", product},
		{quotekit.KindPrice, "price", price},
		{quotekit.KindSubscription, "subscription", subscription},
		{quotekit.KindInvoice, "payment", payment},
		{quotekit.KindPaymentMethod, "payment_method", paymentMethod},
		{quotekit.KindCheckoutSession, "checkout", checkout},
	} {
		routes = append(routes, quotekit.Route{
			Type: stripe.FetchedType(r.kind), Handler: r.handler, Handle: r.handle, Priority: quotekit.Lanes, Timeout: 5 * time.Second,
		})
	}
	return routes
}
