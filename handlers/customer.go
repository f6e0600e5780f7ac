package handlers

import (
	"context"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// customer handles customer.created, updated and deleted.
func customer(_ context.Context, e quotekit.Event) (quotekit.Changes, error) {
	d, err := read(e, stripe.DecodeCustomer)
	if err != nil {
		return quotekit.Changes{}, err
	}
	c := lifecycle(e, d.After.StripeCustomerID, d)
	c.Facts.Claims = claim(e, stripe.MetadataUserID(d.After.Metadata), quotekit.ClaimCustomerMetadata)
	return quotekit.Changes{Objects: []quotekit.Change{c}}, nil
}
