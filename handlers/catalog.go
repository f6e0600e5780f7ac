package handlers

import (
	"context"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// product handles product.created, updated and deleted.
func product(_ context.Context, e quotekit.Event) (quotekit.Changes, error) {
	d, err := read(e, stripe.DecodeProduct)
	if err != nil {
		return quotekit.Changes{}, err
	}
	c := lifecycle(e, d.After.StripeProductID, d)
	return quotekit.Changes{Objects: []quotekit.Change{c}}, nil
}

// price handles price.created, updated and deleted.
func price(_ context.Context, e quotekit.Event) (quotekit.Changes, error) {
	d, err := read(e, stripe.DecodePrice)
	if err != nil {
		return quotekit.Changes{}, err
	}
	c := lifecycle(e, d.After.StripePriceID, d)
	return quotekit.Changes{Objects: []quotekit.Change{c}}, nil
}
