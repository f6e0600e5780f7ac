package stripe

import "github.com/quotekit/quotekit"

// DecodePrice reads a price of any shape. UnitAmount stays nil where Stripe
// says null (tiered, fractional and customer-chosen amounts), which is not the
// same as a price of 0.
func DecodePrice(object, previous []byte) (Decoded[quotekit.Price], error) {
	return decode(object, previous, readPrice)
}

func readPrice(o *object) *quotekit.Price {
	recurring := o.hash("recurring")
	p := &quotekit.Price{
		StripePriceID:     o.id(),
		StripeProductID:   o.ref("product"),
		Active:            o.boolean("active"),
		Currency:          o.text("currency"),
		Type:              o.text("type"),
		UnitAmount:        o.integer("unit_amount"),
		UnitAmountDecimal: o.decimal("unit_amount_decimal"),
		BillingScheme:     o.text("billing_scheme"),
		TiersMode:         o.text("tiers_mode"),
		Interval:          recurring.text("interval"),
		IntervalCount:     recurring.integer("interval_count"),
		UsageType:         recurring.text("usage_type"),
		TrialPeriodDays:   recurring.integer("trial_period_days"),
		AggregateUsage:    recurring.text("aggregate_usage"),
		Meter:             recurring.ref("meter"),
		LookupKey:         o.text("lookup_key"),
		Nickname:          o.text("nickname"),
		Metadata:          o.metadata("metadata"),
		StripeCreatedAt:   o.seconds("created"),
	}
	return p
}
