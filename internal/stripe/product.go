package stripe

import (
	"github.com/quotekit/quotekit"
	"github.com/tidwall/gjson"
)

// DecodeProduct reads a product of any shape.
func DecodeProduct(raw []byte) (*quotekit.Product, error) {
	o, err := openObject(raw)
	if err != nil {
		return nil, err
	}
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
	return p, o.done()
}

func firstImage(o *object) *string {
	images := o.array("images")
	if len(images) == 0 {
		return nil
	}
	if images[0].Type != gjson.String {
		o.wrong("images", "an array of strings")
		return nil
	}
	url := cleanText(images[0].Str)
	return &url
}
