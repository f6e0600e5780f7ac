package stripe

import "github.com/quotekit/quotekit"

// DecodePaymentMethod reads a payment method of any shape: the fields all have
// in common, and those of the hash that is named like its type. Of a type that
// is not in knownMethods it takes what has the expected kind and leaves the rest.
func DecodePaymentMethod(object, previous []byte) (Decoded[quotekit.PaymentMethod], error) {
	return decode(object, previous, readPaymentMethod)
}

func readPaymentMethod(o *object) *quotekit.PaymentMethod {
	p := &quotekit.PaymentMethod{
		StripePaymentMethodID: o.id(),
		Type:                  o.text("type"),
		StripeCustomerID:      o.ref("customer"),
		BillingDetails:        o.json("billing_details"),
		Metadata:              o.metadata("metadata"),
		StripeCreatedAt:       o.seconds("created"),
	}
	if own := ownHash(o, p.Type); own != nil {
		p.Brand = own.text("brand")
		p.Last4 = own.text("last4")
		p.ExpMonth = own.integer("exp_month")
		p.ExpYear = own.integer("exp_year")
		p.Fingerprint = own.text("fingerprint")
		p.Wallet = own.hash("wallet").text("type")
		p.BankName = own.text("bank_name")
		p.BankCode = own.text("bank_code")
		p.RoutingNumber = own.text("routing_number")
		p.Country = own.text("country")
		p.Email = own.text("email")
	}
	return p
}

// knownMethods are the types whose hash we know field by field.
var knownMethods = map[string]bool{
	"card": true, "sepa_debit": true, "us_bank_account": true, "link": true,
}

// ownHash opens the hash named like the type, nil if there is none.
func ownHash(o *object, kind *string) *object {
	switch {
	case kind == nil:
		return nil
	case knownMethods[*kind]:
		return o.hash(*kind)
	case !o.get(*kind).isObject():
		return nil
	}
	return newObject(o.get(*kind)) // errors in here are its own
}
