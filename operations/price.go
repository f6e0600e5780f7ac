package operations

import (
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/quotekit/quotekit"
)

// adjustment is how a price changes.
type adjustment struct {
	percentage bool
	// millionths is the value times 10^6: of a percent, or of the currency.
	millionths int64
}

// minPercentage makes every price zero.
const minPercentage = -100_000_000

// updateItemPrices reads price_adjustment. Its value is a string, since the
// JSON numbers of many a sender are binary floats, and 0.1 is none of them.
func updateItemPrices(options map[string]json.RawMessage) (quotekit.Step, []quotekit.FieldError) {
	o := readOptions(options)
	var a adjustment
	if raw, ok := o.take("price_adjustment"); !ok {
		o.wrong("price_adjustment", "is required")
	} else if given, ok := readObject(raw, "price_adjustment", o.problems); ok {
		a = readAdjustment(given)
		given.refuseOthers()
	}
	return quotekit.Step{Update: a.update}, o.problems.all()
}

func readAdjustment(o object) (a adjustment) {
	switch kind := o.required("type", maxChoice); kind {
	case "percentage":
		a.percentage = true
	case "fixed", "": // none is told already
	default:
		o.wrong("type", "must be one of percentage, fixed")
	}
	if !o.has("value") {
		o.wrong("value", "is required")
	}
	s, ok := o.decimalText("value", "5")
	if !ok {
		return a
	}
	a.millionths, ok = plainDecimal(s, 12, 6)
	switch {
	case !ok:
		o.wrong("value", `must be a plain decimal like "5" or "-2.50", of at most 12 digits before the point and 6 behind it`)
	case a.percentage && a.millionths < minPercentage:
		o.wrong("value", "must not be below -100 percent")
	}
	return a
}

// update computes the new price of an item. The price is rounded first and
// looked at then, so that 0.01 lowered by 0.014 is 0.00. An item without a
// price, which the application's own table may have, has nothing to raise: it
// fails like a price that cannot be written, instead of being passed over.
func (a adjustment) update(r quotekit.Record) (quotekit.Values, *quotekit.ItemError) {
	old, ok := r.Cents("unit_price")
	if !ok {
		return nil, &quotekit.ItemError{Code: quotekit.ItemOutOfRange, Message: "the item has no price to change"}
	}
	exact := a.apply(old)
	price, ok := centsOf(exact)
	switch {
	case !ok:
		return nil, &quotekit.ItemError{Code: quotekit.ItemOutOfRange, Message: fmt.Sprintf(
			"the price %s would become %s, which is not from 0.00 to %s", old, showCents(exact), quotekit.MaxCents,
		)}
	case price == old:
		return quotekit.Values{}, nil
	}
	return quotekit.Values{"unit_price": price}, nil
}

// apply returns the new price in cents, rounded, whatever its size.
func (a adjustment) apply(old quotekit.Cents) *big.Int {
	const million = 1_000_000
	price, change := big.NewInt(int64(old)), big.NewInt(a.millionths)
	if a.percentage {
		// old * (1 + percent/100)
		hundred := big.NewInt(100 * million)
		return halfUp(price.Mul(price, change.Add(change, hundred)), hundred)
	}
	// A cent has ten thousand millionths of the currency.
	cent := big.NewInt(million / 100)
	return halfUp(price.Add(price.Mul(price, cent), change), cent)
}
