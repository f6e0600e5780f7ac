package handlers

import (
	"time"

	"github.com/quotekit/quotekit"
)

// Routes is the table of the event types that have effects. Every other type
// is acknowledged, recorded and ignored.
func Routes() []quotekit.Route {
	return []quotekit.Route{
		{Type: "customer.subscription.created", Handler: "subscription", Handle: subscription, Priority: 1, Timeout: 5 * time.Second},
		{Type: "customer.subscription.updated", Handler: "subscription", Handle: subscription, Priority: 1, Timeout: 5 * time.Second},
		{Type: "customer.subscription.deleted", Handler: "subscription", Handle: subscription, Priority: 1, Timeout: 5 * time.Second},

		{Type: "checkout.session.completed", Handler: "checkout", Handle: checkout, Priority: 2, Timeout: 4 * time.Second},
		{Type: "checkout.session.async_payment_succeeded", Handler: "checkout", Handle: checkout, Priority: 2, Timeout: 4 * time.Second},
		{Type: "checkout.session.async_payment_failed", Handler: "checkout", Handle: checkout, Priority: 2, Timeout: 4 * time.Second},

		{Type: "invoice.payment_succeeded", Handler: "payment", Handle: payment, Priority: 2, Timeout: 3 * time.Second},
		{Type: "invoice.payment_failed", Handler: "payment", Handle: payment, Priority: 2, Timeout: 3 * time.Second},
		{Type: "invoice.paid", Handler: "payment", Handle: payment, Priority: 2, Timeout: 3 * time.Second},
		{Type: "invoice.voided", Handler: "payment", Handle: payment, Priority: 2, Timeout: 3 * time.Second},
		{Type: "invoice.marked_uncollectible", Handler: "payment", Handle: payment, Priority: 2, Timeout: 3 * time.Second},

		{Type: "setup_intent.succeeded", Handler: "payment_method", Handle: setupIntent, Priority: 3, Timeout: 3 * time.Second},
		{Type: "payment_method.attached", Handler: "payment_method", Handle: paymentMethod, Priority: 3, Timeout: 2 * time.Second},
		{Type: "payment_method.detached", Handler: "payment_method", Handle: paymentMethod, Priority: 3, Timeout: 2 * time.Second},

		{Type: "product.created", Handler: "product", Handle: product, Priority: 4, Timeout: 2 * time.Second},
		{Type: "product.updated", Handler: "product", Handle: product, Priority: 4, Timeout: 2 * time.Second},
		{Type: "product.deleted", Handler: "product", Handle: product, Priority: 4, Timeout: 2 * time.Second},
		{Type: "price.created", Handler: "price", Handle: price, Priority: 4, Timeout: 2 * time.Second},
		{Type: "price.updated", Handler: "price", Handle: price, Priority: 4, Timeout: 2 * time.Second},
		{Type: "price.deleted", Handler: "price", Handle: price, Priority: 4, Timeout: 2 * time.Second},

		{Type: "customer.created", Handler: "customer", Handle: customer, Priority: 5, Timeout: 1500 * time.Millisecond},
		{Type: "customer.updated", Handler: "customer", Handle: customer, Priority: 5, Timeout: 1500 * time.Millisecond},
		{Type: "customer.deleted", Handler: "customer", Handle: customer, Priority: 5, Timeout: 1500 * time.Millisecond},
	}
}
