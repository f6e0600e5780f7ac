package handlers

import (
	"context"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// paymentMethod handles payment_method.attached and detached. A detached one
// no longer shows its customer: that stands in previous_attributes, if anywhere.
// One that is fetched without a customer was detached: those that never had one
// have no events to fetch them for.
func paymentMethod(_ context.Context, e quotekit.Event) (quotekit.Changes, error) {
	d, err := read(e, stripe.DecodePaymentMethod)
	if err != nil {
		return quotekit.Changes{}, err
	}
	row, s := d.After, snapshot(e, d)
	c := quotekit.Change{Kind: quotekit.KindPaymentMethod, ID: row.StripePaymentMethodID, Snapshot: s}
	customer := row.StripeCustomerID
	if s.Stage == quotekit.StageDeleted || e.Fetched && customer == nil {
		c.Facts.DetachedAt = date(e)
		if d.Before != nil && d.Before.StripeCustomerID != nil {
			customer = d.Before.StripeCustomerID
		}
	}
	if customer != nil {
		c.Facts.Customer = dated(e, *customer)
	}
	return quotekit.Changes{Objects: []quotekit.Change{c}}, nil
}

// setupIntent handles setup_intent.succeeded: facts about the payment method
// that was set up. No default changes at Stripe, so none changes here.
func setupIntent(_ context.Context, e quotekit.Event) (quotekit.Changes, error) {
	if e.Object == nil {
		return quotekit.Changes{}, rejected(e, errNoObject)
	}
	intent, err := stripe.DecodeSetupIntent(e.Object)
	if err != nil {
		return quotekit.Changes{}, rejected(e, err)
	}
	claims := claim(e, stripe.MetadataUserID(intent.Metadata), quotekit.ClaimSetupIntentMetadata)
	if intent.PaymentMethodID == nil {
		return claimsOnly(intent.CustomerID, claims), nil
	}
	c := quotekit.Change{Kind: quotekit.KindPaymentMethod, ID: *intent.PaymentMethodID}
	c.Facts.Setup = dated(e, quotekit.Setup{
		StripeSetupIntentID: intent.ID,
		Usage:               intent.Usage,
		StripeMandateID:     intent.MandateID,
	})
	if intent.CustomerID != nil {
		c.Facts.Customer = dated(e, *intent.CustomerID)
	}
	return withClaims(c, intent.CustomerID, claims), nil
}

// claimsOnly is what is left of a setup intent without a payment method.
func claimsOnly(customer *string, claims []quotekit.Claim) quotekit.Changes {
	if customer == nil || len(claims) == 0 {
		return quotekit.Changes{}
	}
	return quotekit.Changes{Objects: []quotekit.Change{
		{Kind: quotekit.KindCustomer, ID: *customer, Facts: quotekit.Facts{Claims: claims}},
	}}
}
