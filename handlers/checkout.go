package handlers

import (
	"context"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// checkout handles checkout.session.completed and the two events that tell how
// a delayed payment ended.
func checkout(_ context.Context, e quotekit.Event) (quotekit.Changes, error) {
	d, err := read(e, stripe.DecodeCheckoutSession)
	if err != nil {
		return quotekit.Changes{}, err
	}
	row := d.After
	var claims []quotekit.Claim
	if row.ClientReferenceID != nil {
		claims = claim(e, stripe.UserID(*row.ClientReferenceID), quotekit.ClaimClientReference)
	}
	claims = append(claims, claim(e, stripe.MetadataUserID(row.Metadata), quotekit.ClaimSessionMetadata)...)
	own := quotekit.Change{Kind: quotekit.KindCheckoutSession, ID: row.StripeCheckoutSessionID, Snapshot: snapshot(e, d)}
	return withClaims(own, row.StripeCustomerID, claims), nil
}
