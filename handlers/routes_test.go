package handlers_test

import (
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/handlers"
)

func TestRoutes_AreTheTableOfTheProduct(t *testing.T) {
	want := []struct {
		handler  string
		priority int
		timeout  time.Duration
		types    []string
	}{
		{"subscription", 1, 5 * time.Second, []string{"customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted"}},
		{"checkout", 2, 4 * time.Second, []string{"checkout.session.completed", "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed"}},
		{"payment", 2, 3 * time.Second, []string{"invoice.payment_succeeded", "invoice.payment_failed", "invoice.paid", "invoice.voided", "invoice.marked_uncollectible"}},
		{"payment_method", 3, 3 * time.Second, []string{"setup_intent.succeeded"}},
		{"payment_method", 3, 2 * time.Second, []string{"payment_method.attached", "payment_method.detached"}},
		{"product", 4, 2 * time.Second, []string{"product.created", "product.updated", "product.deleted"}},
		{"price", 4, 2 * time.Second, []string{"price.created", "price.updated", "price.deleted"}},
		{"customer", 5, 1500 * time.Millisecond, []string{"customer.created", "customer.updated", "customer.deleted"}},
	}
	routes := routesByType()
	n := 0
	for _, w := range want {
		for _, kind := range w.types {
			n++
			r := routes[kind]
			if r.Handler != w.handler || r.Priority != w.priority || r.Timeout != w.timeout || r.Handle == nil {
				t.Errorf("%s: got %s, priority %d, %s", kind, r.Handler, r.Priority, r.Timeout)
			}
		}
	}
	if got := len(handlers.Routes()); got != n || len(routes) != n {
		t.Errorf("got %d routes of %d types, want %d", got, len(routes), n)
	}
	for _, r := range routes {
		if r.Priority < 1 || r.Priority > quotekit.Lanes {
			t.Errorf("%s: priority %d", r.Type, r.Priority)
		}
	}
}
