package stripe

import (
	"encoding/json"
	"math"

	"github.com/quotekit/quotekit"
)

// DecodeInvoice reads an invoice of any shape. Where the new shape has moved or
// dropped a field, the row has one column for both: the subscription (parent),
// the tax (the sum of total_taxes), paid (the status).
func DecodeInvoice(object, previous []byte) (Decoded[quotekit.Invoice], error) {
	return decode(object, previous, readInvoice)
}

func readInvoice(o *object) *quotekit.Invoice {
	transitions := o.hash("status_transitions")
	i := &quotekit.Invoice{
		StripeInvoiceID:      o.id(),
		StripeCustomerID:     o.ref("customer"),
		StripeSubscriptionID: o.ref("subscription"),
		Status:               o.text("status"),
		Number:               o.text("number"),
		Currency:             o.text("currency"),
		AmountDue:            o.integer("amount_due"),
		AmountPaid:           o.integer("amount_paid"),
		AmountRemaining:      o.integer("amount_remaining"),
		Subtotal:             o.integer("subtotal"),
		Total:                o.integer("total"),
		Tax:                  tax(o),
		Paid:                 o.boolean("paid"),
		BillingReason:        o.text("billing_reason"),
		AttemptCount:         o.integer("attempt_count"),
		NextPaymentAttempt:   o.seconds("next_payment_attempt"),
		FinalizedAt:          transitions.seconds("finalized_at"),
		MarkedUncollectible:  transitions.seconds("marked_uncollectible_at"),
		PaidAt:               transitions.seconds("paid_at"),
		VoidedAt:             transitions.seconds("voided_at"),
		HostedInvoiceURL:     o.text("hosted_invoice_url"),
		StripePaymentIntent:  o.ref("payment_intent"),
		StripeChargeID:       o.ref("charge"),
		SubscriptionMetadata: o.hash("subscription_details").metadata("metadata"),
		Metadata:             o.metadata("metadata"),
		StripeCreatedAt:      o.seconds("created"),
	}
	i.Lines, i.LinesCut = lines(o)
	readParent(o.hash("parent"), i)
	if i.Paid == nil && i.Status != nil {
		paid := *i.Status == "paid"
		i.Paid = &paid
	}
	return i
}

// readParent reads what the new shape keeps in parent. Only a parent of the
// type subscription_details names a subscription; the old fields come first.
func readParent(parent *object, i *quotekit.Invoice) {
	i.ParentType = parent.text("type")
	details := parent.hash("subscription_details")
	subscription, metadata := details.ref("subscription"), details.metadata("metadata")
	if i.ParentType == nil || *i.ParentType != "subscription_details" {
		return
	}
	if i.StripeSubscriptionID == nil {
		i.StripeSubscriptionID = subscription
	}
	if i.SubscriptionMetadata == "" {
		i.SubscriptionMetadata = metadata
	}
}

// tax is the old tax or, where there is none, the sum of total_taxes.
func tax(o *object) *int64 {
	if amount := o.integer("tax"); amount != nil {
		return amount
	}
	taxes := o.objects("total_taxes")
	if taxes == nil {
		return nil
	}
	var sum int64
	for _, t := range taxes {
		amount := t.integer("amount")
		if amount == nil {
			continue
		}
		if *amount > 0 && sum > math.MaxInt64-*amount || *amount < 0 && sum < math.MinInt64-*amount {
			o.wrong("total_taxes", "a list of amounts whose sum is an integer")
			return nil
		}
		sum += *amount
	}
	return &sum
}

// line is one element of the column lines; its fields are in the order of
// their names, so that the JSON is canonical.
type line struct {
	Amount           *int64            `json:"amount"`
	Currency         *string           `json:"currency"`
	ID               *string           `json:"id"`
	PeriodEnd        *quotekit.Seconds `json:"period_end"`
	PeriodStart      *quotekit.Seconds `json:"period_start"`
	Price            *string           `json:"price"`
	Product          *string           `json:"product"`
	Proration        *bool             `json:"proration"`
	Quantity         *int64            `json:"quantity"`
	Subscription     *string           `json:"subscription"`
	SubscriptionItem *string           `json:"subscription_item"`
}

// lines lists the lines that the event shows and whether there are more; both
// are empty if the event has no list.
func lines(o *object) (quotekit.JSON, *bool) {
	if !o.has("lines") {
		return "", nil
	}
	elements, cut := o.list("lines")
	list := make([]line, 0, len(elements))
	for _, e := range elements {
		list = append(list, readLine(e))
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "", nil // cannot be: numbers, strings and booleans
	}
	return quotekit.JSON(text), &cut
}

func readLine(o *object) line {
	period := o.hash("period")
	l := line{
		Amount:           o.integer("amount"),
		Currency:         o.text("currency"),
		ID:               o.ref("id"),
		PeriodEnd:        period.seconds("end"),
		PeriodStart:      period.seconds("start"),
		Proration:        o.boolean("proration"),
		Quantity:         o.integer("quantity"),
		Subscription:     o.ref("subscription"),
		SubscriptionItem: o.ref("subscription_item"),
	}
	l.Price, l.Product = priceOf(o)
	if l.Price == nil {
		details := o.hash("pricing").hash("price_details")
		l.Price, l.Product = details.ref("price"), details.ref("product")
	}
	parent := o.hash("parent")
	for _, key := range [...]string{"subscription_item_details", "invoice_item_details"} {
		details := parent.hash(key)
		if l.Subscription == nil {
			l.Subscription = details.ref("subscription")
		}
		if l.SubscriptionItem == nil {
			l.SubscriptionItem = details.ref("subscription_item")
		}
		if l.Proration == nil {
			l.Proration = details.boolean("proration")
		}
	}
	return l
}
