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
	Email                  *string  `json:"email,omitempty" db:"email"`
	Name                   *string  `json:"name,omitempty" db:"name"`
	Phone                  *string  `json:"phone,omitempty" db:"phone"`
	Currency               *string  `json:"currency,omitempty" db:"currency"`
	Balance                *int64   `json:"balance,omitempty" db:"balance"`
	Delinquent             *bool    `json:"delinquent,omitempty" db:"delinquent"`
	DefaultPaymentMethodID *string  `json:"default_payment_method,omitempty" db:"default_payment_method_id"`
	DefaultSourceID        *string  `json:"default_source,omitempty" db:"default_source_id"`
	Metadata               JSON     `json:"metadata,omitempty" db:"metadata"`
	StripeCreatedAt        *Seconds `json:"created,omitempty" db:"stripe_created_at"`
}

// Product is a row of stripe_products.
type Product struct {
	StripeProductID string   `json:"id" db:"stripe_product_id,key"`
	Active          *bool    `json:"active,omitempty" db:"active"`
	Name            *string  `json:"name,omitempty" db:"name"`
	Description     *string  `json:"description,omitempty" db:"description"`
	Image           *string  `json:"image,omitempty" db:"image"`
	DefaultPriceID  *string  `json:"default_price,omitempty" db:"default_price_id"`
	UnitLabel       *string  `json:"unit_label,omitempty" db:"unit_label"`
	Metadata        JSON     `json:"metadata,omitempty" db:"metadata"`
	StripeUpdatedAt *Seconds `json:"updated,omitempty" db:"stripe_updated_at"`
	StripeCreatedAt *Seconds `json:"created,omitempty" db:"stripe_created_at"`
}

// Price is a row of stripe_prices.
type Price struct {
	StripePriceID     string   `json:"id" db:"stripe_price_id,key"`
	StripeProductID   *string  `json:"product,omitempty" db:"stripe_product_id"`
	Active            *bool    `json:"active,omitempty" db:"active"`
	Currency          *string  `json:"currency,omitempty" db:"currency"`
	Type              *string  `json:"type,omitempty" db:"type"`
	UnitAmount        *int64   `json:"unit_amount,omitempty" db:"unit_amount"`
	UnitAmountDecimal *string  `json:"unit_amount_decimal,omitempty" db:"unit_amount_decimal"`
	BillingScheme     *string  `json:"billing_scheme,omitempty" db:"billing_scheme"`
	TiersMode         *string  `json:"tiers_mode,omitempty" db:"tiers_mode"`
	Interval          *string  `json:"interval,omitempty" db:"interval"`
	IntervalCount     *int64   `json:"interval_count,omitempty" db:"interval_count"`
	UsageType         *string  `json:"usage_type,omitempty" db:"usage_type"`
	TrialPeriodDays   *int64   `json:"trial_period_days,omitempty" db:"trial_period_days"`
	AggregateUsage    *string  `json:"aggregate_usage,omitempty" db:"aggregate_usage"`
	Meter             *string  `json:"meter,omitempty" db:"meter"`
	LookupKey         *string  `json:"lookup_key,omitempty" db:"lookup_key"`
	Nickname          *string  `json:"nickname,omitempty" db:"nickname"`
	Metadata          JSON     `json:"metadata,omitempty" db:"metadata"`
	StripeCreatedAt   *Seconds `json:"created,omitempty" db:"stripe_created_at"`
}

// Subscription is a row of subscriptions with its items.
type Subscription struct {
	StripeSubscriptionID   string   `json:"id" db:"stripe_subscription_id,key"`
	StripeCustomerID       *string  `json:"customer,omitempty" db:"stripe_customer_id"`
	Status                 *string  `json:"status,omitempty" db:"status"`
	StripePriceID          *string  `json:"price,omitempty" db:"stripe_price_id"`
	Quantity               *int64   `json:"quantity,omitempty" db:"quantity"`
	Currency               *string  `json:"currency,omitempty" db:"currency"`
	CollectionMethod       *string  `json:"collection_method,omitempty" db:"collection_method"`
	CurrentPeriodStart     *Seconds `json:"current_period_start,omitempty" db:"current_period_start"`
	CurrentPeriodEnd       *Seconds `json:"current_period_end,omitempty" db:"current_period_end"`
	CancelAt               *Seconds `json:"cancel_at,omitempty" db:"cancel_at"`
	CancelAtPeriodEnd      *bool    `json:"cancel_at_period_end,omitempty" db:"cancel_at_period_end"`
	CanceledAt             *Seconds `json:"canceled_at,omitempty" db:"canceled_at"`
	EndedAt                *Seconds `json:"ended_at,omitempty" db:"ended_at"`
	CancellationDetails    JSON     `json:"cancellation_details,omitempty" db:"cancellation_details"`
	TrialStart             *Seconds `json:"trial_start,omitempty" db:"trial_start"`
	TrialEnd               *Seconds `json:"trial_end,omitempty" db:"trial_end"`
	PauseCollection        JSON     `json:"pause_collection,omitempty" db:"pause_collection"`
	DefaultPaymentMethodID *string  `json:"default_payment_method,omitempty" db:"default_payment_method_id"`
	DefaultSourceID        *string  `json:"default_source,omitempty" db:"default_source_id"`
	LatestInvoiceID        *string  `json:"latest_invoice,omitempty" db:"latest_invoice_id"`
	// Discounts lists {"id", "coupon"}; coupon is null where the event has only the id.
	Discounts       JSON     `json:"discounts,omitempty" db:"discounts"`
	Metadata        JSON     `json:"metadata,omitempty" db:"metadata"`
	StartDate       *Seconds `json:"start_date,omitempty" db:"start_date"`
	StripeCreatedAt *Seconds `json:"created,omitempty" db:"stripe_created_at"`

	Items []SubscriptionItem `json:"items,omitempty"`
	// ItemsCut reports that Stripe cut the list of items off (has_more), or
	// that the event has no list: an item that is not in it may still exist.
	ItemsCut bool `json:"items_cut,omitempty"`
}

// SubscriptionItem is a row of subscription_items.
type SubscriptionItem struct {
	StripeSubscriptionItemID string   `json:"id" db:"stripe_subscription_item_id,key"`
	StripePriceID            *string  `json:"price,omitempty" db:"stripe_price_id"`
	StripeProductID          *string  `json:"product,omitempty" db:"stripe_product_id"`
	Quantity                 *int64   `json:"quantity,omitempty" db:"quantity"`
	CurrentPeriodStart       *Seconds `json:"current_period_start,omitempty" db:"current_period_start"`
	CurrentPeriodEnd         *Seconds `json:"current_period_end,omitempty" db:"current_period_end"`
	Metadata                 JSON     `json:"metadata,omitempty" db:"metadata"`
	StripeCreatedAt          *Seconds `json:"created,omitempty" db:"stripe_created_at"`
}

// Invoice is a row of stripe_invoices. Amounts are in the currency's smallest
// unit and may be negative.
type Invoice struct {
	StripeInvoiceID      string   `json:"id" db:"stripe_invoice_id,key"`
	StripeCustomerID     *string  `json:"customer,omitempty" db:"stripe_customer_id"`
	StripeSubscriptionID *string  `json:"subscription,omitempty" db:"stripe_subscription_id"`
	ParentType           *string  `json:"parent_type,omitempty" db:"parent_type"`
	Status               *string  `json:"status,omitempty" db:"status"`
	Number               *string  `json:"number,omitempty" db:"number"`
	Currency             *string  `json:"currency,omitempty" db:"currency"`
	AmountDue            *int64   `json:"amount_due,omitempty" db:"amount_due"`
	AmountPaid           *int64   `json:"amount_paid,omitempty" db:"amount_paid"`
	AmountRemaining      *int64   `json:"amount_remaining,omitempty" db:"amount_remaining"`
	Subtotal             *int64   `json:"subtotal,omitempty" db:"subtotal"`
	Total                *int64   `json:"total,omitempty" db:"total"`
	Tax                  *int64   `json:"tax,omitempty" db:"tax"`
	Paid                 *bool    `json:"paid,omitempty" db:"paid"`
	BillingReason        *string  `json:"billing_reason,omitempty" db:"billing_reason"`
	AttemptCount         *int64   `json:"attempt_count,omitempty" db:"attempt_count"`
	NextPaymentAttempt   *Seconds `json:"next_payment_attempt,omitempty" db:"next_payment_attempt"`
	FinalizedAt          *Seconds `json:"finalized_at,omitempty" db:"finalized_at"`
	MarkedUncollectible  *Seconds `json:"marked_uncollectible_at,omitempty" db:"marked_uncollectible_at"`
	PaidAt               *Seconds `json:"paid_at,omitempty" db:"paid_at"`
	VoidedAt             *Seconds `json:"voided_at,omitempty" db:"voided_at"`
	HostedInvoiceURL     *string  `json:"hosted_invoice_url,omitempty" db:"hosted_invoice_url"`
	StripePaymentIntent  *string  `json:"payment_intent,omitempty" db:"stripe_payment_intent_id"`
	StripeChargeID       *string  `json:"charge,omitempty" db:"stripe_charge_id"`
	// Lines lists the lines the event shows, in one form for old and new
	// shapes: {"id","amount","currency","quantity","price","product",
	// "subscription","subscription_item","proration","period_start","period_end"}.
	Lines JSON `json:"lines,omitempty" db:"lines"`
	// LinesCut reports that Stripe cut the list of lines off.
	LinesCut             *bool    `json:"lines_cut,omitempty" db:"lines_cut"`
	SubscriptionMetadata JSON     `json:"subscription_metadata,omitempty" db:"subscription_metadata"`
	Metadata             JSON     `json:"metadata,omitempty" db:"metadata"`
	StripeCreatedAt      *Seconds `json:"created,omitempty" db:"stripe_created_at"`
}

// PaymentMethod is a row of payment_methods. Its last known customer, its
// detachment and its setup intent are facts, not part of the snapshot.
type PaymentMethod struct {
	StripePaymentMethodID string  `json:"id" db:"stripe_payment_method_id,key"`
	Type                  *string `json:"type,omitempty" db:"type"`
	// StripeCustomerID is shown in the table only until the first detachment.
	StripeCustomerID *string  `json:"customer,omitempty"`
	Brand            *string  `json:"brand,omitempty" db:"brand"`
	Last4            *string  `json:"last4,omitempty" db:"last4"`
	ExpMonth         *int64   `json:"exp_month,omitempty" db:"exp_month"`
	ExpYear          *int64   `json:"exp_year,omitempty" db:"exp_year"`
	Fingerprint      *string  `json:"fingerprint,omitempty" db:"fingerprint"`
	Wallet           *string  `json:"wallet,omitempty" db:"wallet"`
	BankName         *string  `json:"bank_name,omitempty" db:"bank_name"`
	BankCode         *string  `json:"bank_code,omitempty" db:"bank_code"`
	RoutingNumber    *string  `json:"routing_number,omitempty" db:"routing_number"`
	Country          *string  `json:"country,omitempty" db:"country"`
	Email            *string  `json:"email,omitempty" db:"email"`
	BillingDetails   JSON     `json:"billing_details,omitempty" db:"billing_details"`
	Metadata         JSON     `json:"metadata,omitempty" db:"metadata"`
	StripeCreatedAt  *Seconds `json:"created,omitempty" db:"stripe_created_at"`
}

// CheckoutSession is a row of stripe_checkout_sessions.
type CheckoutSession struct {
	StripeCheckoutSessionID string   `json:"id" db:"stripe_checkout_session_id,key"`
	StripeCustomerID        *string  `json:"customer,omitempty" db:"stripe_customer_id"`
	StripeSubscriptionID    *string  `json:"subscription,omitempty" db:"stripe_subscription_id"`
	StripeInvoiceID         *string  `json:"invoice,omitempty" db:"stripe_invoice_id"`
	StripePaymentIntentID   *string  `json:"payment_intent,omitempty" db:"stripe_payment_intent_id"`
	StripeSetupIntentID     *string  `json:"setup_intent,omitempty" db:"stripe_setup_intent_id"`
	Mode                    *string  `json:"mode,omitempty" db:"mode"`
	Status                  *string  `json:"status,omitempty" db:"status"`
	PaymentStatus           *string  `json:"payment_status,omitempty" db:"payment_status"`
	CustomerEmail           *string  `json:"customer_email,omitempty" db:"customer_email"`
	ClientReferenceID       *string  `json:"client_reference_id,omitempty" db:"client_reference_id"`
	AmountTotal             *int64   `json:"amount_total,omitempty" db:"amount_total"`
	Currency                *string  `json:"currency,omitempty" db:"currency"`
	UIMode                  *string  `json:"ui_mode,omitempty" db:"ui_mode"`
	Metadata                JSON     `json:"metadata,omitempty" db:"metadata"`
	StripeCreatedAt         *Seconds `json:"created,omitempty" db:"stripe_created_at"`
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
