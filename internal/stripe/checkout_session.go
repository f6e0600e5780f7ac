package stripe

import "github.com/quotekit/quotekit"

// DecodeCheckoutSession reads a checkout session of any shape. The customer is
// nil for guests and for some setup sessions.
func DecodeCheckoutSession(object, previous []byte) (Decoded[quotekit.CheckoutSession], error) {
	return decode(object, previous, readCheckoutSession)
}

func readCheckoutSession(o *object) *quotekit.CheckoutSession {
	s := &quotekit.CheckoutSession{
		StripeCheckoutSessionID: o.id(),
		StripeCustomerID:        o.ref("customer"),
		StripeSubscriptionID:    o.ref("subscription"),
		StripeInvoiceID:         o.ref("invoice"),
		StripePaymentIntentID:   o.ref("payment_intent"),
		StripeSetupIntentID:     o.ref("setup_intent"),
		Mode:                    o.text("mode"),
		Status:                  o.text("status"),
		PaymentStatus:           o.text("payment_status"),
		CustomerEmail:           o.hash("customer_details").text("email"),
		ClientReferenceID:       o.text("client_reference_id"),
		AmountTotal:             o.integer("amount_total"),
		Currency:                o.text("currency"),
		UIMode:                  o.text("ui_mode"),
		Metadata:                o.metadata("metadata"),
		StripeCreatedAt:         o.seconds("created"),
	}
	if s.CustomerEmail == nil { // before 2020 there was no customer_details
		s.CustomerEmail = o.text("customer_email")
	}
	return s
}
