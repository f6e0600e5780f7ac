package stripe

import "github.com/quotekit/quotekit"

// DecodeCustomer reads a customer of any shape. Before 2019-10 its balance was
// called account_balance; before 2018 it had neither name nor invoice_settings.
func DecodeCustomer(object, previous []byte) (Decoded[quotekit.Customer], error) {
	return decode(object, previous, readCustomer)
}

func readCustomer(o *object) *quotekit.Customer {
	c := &quotekit.Customer{
		StripeCustomerID:       o.id(),
		Email:                  o.text("email"),
		Name:                   o.text("name"),
		Phone:                  o.text("phone"),
		Currency:               o.text("currency"),
		Balance:                o.integer("balance"),
		Delinquent:             o.boolean("delinquent"),
		DefaultPaymentMethodID: o.hash("invoice_settings").ref("default_payment_method"),
		DefaultSourceID:        o.ref("default_source"),
		Metadata:               o.metadata("metadata"),
		StripeCreatedAt:        o.seconds("created"),
	}
	if c.Balance == nil {
		c.Balance = o.integer("account_balance")
	}
	return c
}
