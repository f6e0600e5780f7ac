package stripe

import "github.com/quotekit/quotekit"

// DecodeProduct reads a product of any shape.
func DecodeProduct(object, previous []byte) (Decoded[quotekit.Product], error) {
	return decode(object, previous, readProduct)
}

func readProduct(o *object) *quotekit.Product {
	p := &quotekit.Product{
		StripeProductID: o.id(),
		Active:          o.boolean("active"),
		Name:            o.text("name"),
		Description:     o.text("description"),
		Image:           firstImage(o),
		DefaultPriceID:  o.ref("default_price"),
		UnitLabel:       o.text("unit_label"),
		Metadata:        o.metadata("metadata"),
		StripeUpdatedAt: o.seconds("updated"),
		StripeCreatedAt: o.seconds("created"),
	}
	return p
}

func firstImage(o *object) *string {
	for image := range o.array("images").all() {
		if !image.isString() {
			o.wrong("images", "an array of strings")
			return nil
		}
		url := cleanText(image.str())
		return &url
	}
	return nil
}
