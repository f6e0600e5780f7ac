package stripe

import "github.com/quotekit/quotekit"

// SetupIntent is what a setup intent says about others; it has no row of its own.
type SetupIntent struct {
	ID string
	// CustomerID is nil if nothing was attached to a customer.
	CustomerID      *string
	PaymentMethodID *string
	Usage           *string
	MandateID       *string
	Metadata        quotekit.JSON
}

// DecodeSetupIntent reads a setup intent of any shape.
func DecodeSetupIntent(object []byte) (*SetupIntent, error) {
	d, err := decode(object, nil, readSetupIntent)
	return d.After, err
}

func readSetupIntent(o *object) *SetupIntent {
	return &SetupIntent{
		ID:              o.id(),
		CustomerID:      o.ref("customer"),
		PaymentMethodID: o.ref("payment_method"),
		Usage:           o.text("usage"),
		MandateID:       o.ref("mandate"),
		Metadata:        o.metadata("metadata"),
	}
}
