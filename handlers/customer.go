package handlers

import (
	"context"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// customer handles customer.created, updated and deleted.
func customer(_ context.Context, e quotekit.Event) (quotekit.Changes, error) {
	row, c, err := mirrored(e, stripe.DecodeCustomer)
	if err != nil {
		return quotekit.Changes{}, err
	}
	if row != nil {
		c.Facts.Claims = claim(e, stripe.MetadataUserID(row.Metadata), quotekit.ClaimCustomerMetadata)
	}
	return quotekit.Changes{Objects: []quotekit.Change{c}}, nil
}
