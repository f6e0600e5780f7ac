package quotekit

import "encoding/json"

// The rows of the mirror of Stripe. A field's column stands in its db tag and
// is the column's only description: package store builds the statements from
// these tags. The key column is tagged "key"; account, livemode and the
// columns that are computed (user_id, deleted, ...) are added by the store.
// Pointers are nullable: what Stripe calls null stays null.

// JSON is canonical JSON text: keys sorted, no white space. Empty is NULL.
type JSON string

// MarshalJSON embeds the text as it is.
func (j JSON) MarshalJSON() ([]byte, error) {
	if j == "" {
		return []byte("null"), nil
	}
	return []byte(j), nil
}

// UnmarshalJSON keeps the text as it is.
func (j *JSON) UnmarshalJSON(b []byte) error {
	*j = ""
	if string(b) != "null" {
		*j = JSON(b)
	}
	return nil
}

var _ json.Marshaler = JSON("")

// Customer is a row of stripe_customers.
type Customer struct {
	StripeCustomerID       string   `json:"id" db:"stripe_customer_id,key"`
	Email                  *string  `json:"email,omitzero" db:"email"`
	Name                   *string  `json:"name,omitzero" db:"name"`
	Phone                  *string  `json:"phone,omitzero" db:"phone"`
	Currency               *string  `json:"currency,omitzero" db:"currency"`
	Balance                *int64   `json:"balance,omitzero" db:"balance"`
	Delinquent             *bool    `json:"delinquent,omitzero" db:"delinquent"`
	DefaultPaymentMethodID *string  `json:"default_payment_method,omitzero" db:"default_payment_method_id"`
	DefaultSourceID        *string  `json:"default_source,omitzero" db:"default_source_id"`
	Metadata               JSON     `json:"metadata,omitzero" db:"metadata"`
	StripeCreatedAt        *Seconds `json:"created,omitzero" db:"stripe_created_at"`
}

// Product is a row of stripe_products.
type Product struct {
	StripeProductID string   `json:"id" db:"stripe_product_id,key"`
	Active          *bool    `json:"active,omitzero" db:"active"`
	Name            *string  `json:"name,omitzero" db:"name"`
	Description     *string  `json:"description,omitzero" db:"description"`
	Image           *string  `json:"image,omitzero" db:"image"`
	DefaultPriceID  *string  `json:"default_price,omitzero" db:"default_price_id"`
	UnitLabel       *string  `json:"unit_label,omitzero" db:"unit_label"`
	Metadata        JSON     `json:"metadata,omitzero" db:"metadata"`
	StripeUpdatedAt *Seconds `json:"updated,omitzero" db:"stripe_updated_at"`
	StripeCreatedAt *Seconds `json:"created,omitzero" db:"stripe_created_at"`
}

// Price is a row of stripe_prices.
type Price struct {
	StripePriceID     string   `json:"id" db:"stripe_price_id,key"`
	StripeProductID   *string  `json:"product,omitzero" db:"stripe_product_id"`
	Active            *bool    `json:"active,omitzero" db:"active"`
	Currency          *string  `json:"currency,omitzero" db:"currency"`
	Type              *string  `json:"type,omitzero" db:"type"`
	UnitAmount        *int64   `json:"unit_amount,omitzero" db:"unit_amount"`
	UnitAmountDecimal *string  `json:"unit_amount_decimal,omitzero" db:"unit_amount_decimal"`
	BillingScheme     *string  `json:"billing_scheme,omitzero" db:"billing_scheme"`
	TiersMode         *string  `json:"tiers_mode,omitzero" db:"tiers_mode"`
	Interval          *string  `json:"interval,omitzero" db:"interval"`
	IntervalCount     *int64   `json:"interval_count,omitzero" db:"interval_count"`
	UsageType         *string  `json:"usage_type,omitzero" db:"usage_type"`
	TrialPeriodDays   *int64   `json:"trial_period_days,omitzero" db:"trial_period_days"`
	AggregateUsage    *string  `json:"aggregate_usage,omitzero" db:"aggregate_usage"`
	Meter             *string  `json:"meter,omitzero" db:"meter"`
	LookupKey         *string  `json:"lookup_key,omitzero" db:"lookup_key"`
	Nickname          *string  `json:"nickname,omitzero" db:"nickname"`
	Metadata          JSON     `json:"metadata,omitzero" db:"metadata"`
	StripeCreatedAt   *Seconds `json:"created,omitzero" db:"stripe_created_at"`
}

// Subscription is a row of subscriptions with its items.
type Subscription struct {
	StripeSubscriptionID   string   `json:"id" db:"stripe_subscription_id,key"`
	StripeCustomerID       *string  `json:"customer,omitzero" db:"stripe_customer_id"`
	Status                 *string  `json:"status,omitzero" db:"status"`
	StripePriceID          *string  `json:"price,omitzero" db:"stripe_price_id"`
	Quantity               *int64   `json:"quantity,omitzero" db:"quantity"`
	Currency               *string  `json:"currency,omitzero" db:"currency"`
	CollectionMethod       *string  `json:"collection_method,omitzero" db:"collection_method"`
	CurrentPeriodStart     *Seconds `json:"current_period_start,omitzero" db:"current_period_start"`
	CurrentPeriodEnd       *Seconds `json:"current_period_end,omitzero" db:"current_period_end"`
	CancelAt               *Seconds `json:"cancel_at,omitzero" db:"cancel_at"`
	CancelAtPeriodEnd      *bool    `json:"cancel_at_period_end,omitzero" db:"cancel_at_period_end"`
	CanceledAt             *Seconds `json:"canceled_at,omitzero" db:"canceled_at"`
	EndedAt                *Seconds `json:"ended_at,omitzero" db:"ended_at"`
	CancellationDetails    JSON     `json:"cancellation_details,omitzero" db:"cancellation_details"`
	TrialStart             *Seconds `json:"trial_start,omitzero" db:"trial_start"`
	TrialEnd               *Seconds `json:"trial_end,omitzero" db:"trial_end"`
	PauseCollection        JSON     `json:"pause_collection,omitzero" db:"pause_collection"`
	DefaultPaymentMethodID *string  `json:"default_payment_method,omitzero" db:"default_payment_method_id"`
	DefaultSourceID        *string  `json:"default_source,omitzero" db:"default_source_id"`
	LatestInvoiceID        *string  `json:"latest_invoice,omitzero" db:"latest_invoice_id"`
	// Discounts lists {"id", "coupon"}; coupon is null where the event has only the id.
	Discounts       JSON     `json:"discounts,omitzero" db:"discounts"`
	Metadata        JSON     `json:"metadata,omitzero" db:"metadata"`
	StartDate       *Seconds `json:"start_date,omitzero" db:"start_date"`
	StripeCreatedAt *Seconds `json:"created,omitzero" db:"stripe_created_at"`

	Items []SubscriptionItem `json:"items,omitempty"`
	// ItemsCut reports that Stripe cut the list of items off (has_more), or
	// that the event has no list: an item that is not in it may still exist.
	ItemsCut bool `json:"items_cut,omitzero"`
}

// SubscriptionItem is a row of subscription_items.
type SubscriptionItem struct {
	StripeSubscriptionItemID string   `json:"id" db:"stripe_subscription_item_id,key"`
	StripePriceID            *string  `json:"price,omitzero" db:"stripe_price_id"`
	StripeProductID          *string  `json:"product,omitzero" db:"stripe_product_id"`
	Quantity                 *int64   `json:"quantity,omitzero" db:"quantity"`
	CurrentPeriodStart       *Seconds `json:"current_period_start,omitzero" db:"current_period_start"`
	CurrentPeriodEnd         *Seconds `json:"current_period_end,omitzero" db:"current_period_end"`
	Metadata                 JSON     `json:"metadata,omitzero" db:"metadata"`
	StripeCreatedAt          *Seconds `json:"created,omitzero" db:"stripe_created_at"`
}

// Invoice is a row of stripe_invoices. Amounts are in the currency's smallest
// unit and may be negative.
type Invoice struct {
	StripeInvoiceID      string   `json:"id" db:"stripe_invoice_id,key"`
	StripeCustomerID     *string  `json:"customer,omitzero" db:"stripe_customer_id"`
	StripeSubscriptionID *string  `json:"subscription,omitzero" db:"stripe_subscription_id"`
	ParentType           *string  `json:"parent_type,omitzero" db:"parent_type"`
	Status               *string  `json:"status,omitzero" db:"status"`
	Number               *string  `json:"number,omitzero" db:"number"`
	Currency             *string  `json:"currency,omitzero" db:"currency"`
	AmountDue            *int64   `json:"amount_due,omitzero" db:"amount_due"`
	AmountPaid           *int64   `json:"amount_paid,omitzero" db:"amount_paid"`
	AmountRemaining      *int64   `json:"amount_remaining,omitzero" db:"amount_remaining"`
	Subtotal             *int64   `json:"subtotal,omitzero" db:"subtotal"`
	Total                *int64   `json:"total,omitzero" db:"total"`
	Tax                  *int64   `json:"tax,omitzero" db:"tax"`
	Paid                 *bool    `json:"paid,omitzero" db:"paid"`
	BillingReason        *string  `json:"billing_reason,omitzero" db:"billing_reason"`
	AttemptCount         *int64   `json:"attempt_count,omitzero" db:"attempt_count"`
	NextPaymentAttempt   *Seconds `json:"next_payment_attempt,omitzero" db:"next_payment_attempt"`
	FinalizedAt          *Seconds `json:"finalized_at,omitzero" db:"finalized_at"`
	MarkedUncollectible  *Seconds `json:"marked_uncollectible_at,omitzero" db:"marked_uncollectible_at"`
	PaidAt               *Seconds `json:"paid_at,omitzero" db:"paid_at"`
	VoidedAt             *Seconds `json:"voided_at,omitzero" db:"voided_at"`
	HostedInvoiceURL     *string  `json:"hosted_invoice_url,omitzero" db:"hosted_invoice_url"`
	StripePaymentIntent  *string  `json:"payment_intent,omitzero" db:"stripe_payment_intent_id"`
	StripeChargeID       *string  `json:"charge,omitzero" db:"stripe_charge_id"`
	// Lines lists the lines the event shows, in one form for old and new
	// shapes: {"id","amount","currency","quantity","price","product",
	// "subscription","subscription_item","proration","period_start","period_end"}.
	Lines JSON `json:"lines,omitzero" db:"lines"`
	// LinesCut reports that Stripe cut the list of lines off.
	LinesCut             *bool    `json:"lines_cut,omitzero" db:"lines_cut"`
	SubscriptionMetadata JSON     `json:"subscription_metadata,omitzero" db:"subscription_metadata"`
	Metadata             JSON     `json:"metadata,omitzero" db:"metadata"`
	StripeCreatedAt      *Seconds `json:"created,omitzero" db:"stripe_created_at"`
}

// PaymentMethod is a row of payment_methods. Its last known customer, its
// detachment and its setup intent are facts, not part of the snapshot.
type PaymentMethod struct {
	StripePaymentMethodID string  `json:"id" db:"stripe_payment_method_id,key"`
	Type                  *string `json:"type,omitzero" db:"type"`
	// StripeCustomerID is shown in the table only until the first detachment.
	StripeCustomerID *string  `json:"customer,omitzero"`
	Brand            *string  `json:"brand,omitzero" db:"brand"`
	Last4            *string  `json:"last4,omitzero" db:"last4"`
	ExpMonth         *int64   `json:"exp_month,omitzero" db:"exp_month"`
	ExpYear          *int64   `json:"exp_year,omitzero" db:"exp_year"`
	Fingerprint      *string  `json:"fingerprint,omitzero" db:"fingerprint"`
	Wallet           *string  `json:"wallet,omitzero" db:"wallet"`
	BankName         *string  `json:"bank_name,omitzero" db:"bank_name"`
	BankCode         *string  `json:"bank_code,omitzero" db:"bank_code"`
	RoutingNumber    *string  `json:"routing_number,omitzero" db:"routing_number"`
	Country          *string  `json:"country,omitzero" db:"country"`
	Email            *string  `json:"email,omitzero" db:"email"`
	BillingDetails   JSON     `json:"billing_details,omitzero" db:"billing_details"`
	Metadata         JSON     `json:"metadata,omitzero" db:"metadata"`
	StripeCreatedAt  *Seconds `json:"created,omitzero" db:"stripe_created_at"`
}

// CheckoutSession is a row of stripe_checkout_sessions.
type CheckoutSession struct {
	StripeCheckoutSessionID string   `json:"id" db:"stripe_checkout_session_id,key"`
	StripeCustomerID        *string  `json:"customer,omitzero" db:"stripe_customer_id"`
	StripeSubscriptionID    *string  `json:"subscription,omitzero" db:"stripe_subscription_id"`
	StripeInvoiceID         *string  `json:"invoice,omitzero" db:"stripe_invoice_id"`
	StripePaymentIntentID   *string  `json:"payment_intent,omitzero" db:"stripe_payment_intent_id"`
	StripeSetupIntentID     *string  `json:"setup_intent,omitzero" db:"stripe_setup_intent_id"`
	Mode                    *string  `json:"mode,omitzero" db:"mode"`
	Status                  *string  `json:"status,omitzero" db:"status"`
	PaymentStatus           *string  `json:"payment_status,omitzero" db:"payment_status"`
	CustomerEmail           *string  `json:"customer_email,omitzero" db:"customer_email"`
	ClientReferenceID       *string  `json:"client_reference_id,omitzero" db:"client_reference_id"`
	AmountTotal             *int64   `json:"amount_total,omitzero" db:"amount_total"`
	Currency                *string  `json:"currency,omitzero" db:"currency"`
	UIMode                  *string  `json:"ui_mode,omitzero" db:"ui_mode"`
	Metadata                JSON     `json:"metadata,omitzero" db:"metadata"`
	StripeCreatedAt         *Seconds `json:"created,omitzero" db:"stripe_created_at"`
}

// Kind implements [Row].
func (*Customer) Kind() Kind { return KindCustomer }

// Kind implements [Row].
func (*Product) Kind() Kind { return KindProduct }

// Kind implements [Row].
func (*Price) Kind() Kind { return KindPrice }

// Kind implements [Row].
func (*Subscription) Kind() Kind { return KindSubscription }

// Kind implements [Row].
func (*Invoice) Kind() Kind { return KindInvoice }

// Kind implements [Row].
func (*PaymentMethod) Kind() Kind { return KindPaymentMethod }

// Kind implements [Row].
func (*CheckoutSession) Kind() Kind { return KindCheckoutSession }

// Progress implements [Row]: customers have no monotone field.
func (*Customer) Progress() []int64 { return nil }

// Progress implements [Row].
func (p *Product) Progress() []int64 { return progress(p.StripeUpdatedAt) }

// Progress implements [Row]: prices have no monotone field.
func (*Price) Progress() []int64 { return nil }

// Progress implements [Row].
func (s *Subscription) Progress() []int64 {
	return progress(s.CurrentPeriodEnd, s.EndedAt, s.CanceledAt)
}

// Progress implements [Row].
func (i *Invoice) Progress() []int64 {
	return progress(i.PaidAt, i.VoidedAt, i.MarkedUncollectible, i.FinalizedAt)
}

// Progress implements [Row]: payment methods have no monotone field.
func (*PaymentMethod) Progress() []int64 { return nil }

// Progress implements [Row]: a session that is paid was unpaid before.
func (c *CheckoutSession) Progress() []int64 {
	if c.PaymentStatus != nil && *c.PaymentStatus == "paid" {
		return []int64{1}
	}
	return []int64{0}
}

func progress(fields ...*Seconds) []int64 {
	p := make([]int64, len(fields))
	for i, f := range fields {
		if f != nil {
			p[i] = int64(*f)
		}
	}
	return p
}
