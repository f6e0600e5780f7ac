package handlers_test

import (
	"context"
	"testing"

	"github.com/quotekit/quotekit/internal/stripe"
)

// BenchmarkEvent is what one event costs on the goroutine of its request
// between the signature and the group: envelope and handler.
func BenchmarkEvent(b *testing.B) {
	routes := routesByType()
	for _, name := range []string{
		"customer.created.dahlia.journey-a",
		"customer.subscription.created.pre-basil.active",
		"customer.subscription.updated.dahlia.journey-a",
		"invoice.payment_succeeded.dahlia.journey-a",
		"payment_method.attached.dahlia.card",
	} {
		body := mustRead(b, fixtures+"/"+name+".json")
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				e, err := stripe.ParseEvent(body)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := routes[e.Type].Handle(context.Background(), e); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("envelope/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := stripe.ParseEvent(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
