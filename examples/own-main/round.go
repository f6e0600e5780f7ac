package main

import (
	"encoding/json"

	"github.com/quotekit/quotekit"
)

// roundItemPrices is a bulk operation. It says what becomes of one row; that the rows are
// the caller's, that they are written in chunks, counted, and can be taken back, is the
// service's business.
func roundItemPrices() quotekit.Operation {
	return quotekit.Operation{
		Name: "round_item_prices", Summary: "Round the prices of items up.",
		Kind: quotekit.OperationUpdate, Table: quotekit.Items, Columns: []string{"unit_price"},
		Options: []quotekit.Option{{
			Name: "to", Summary: "Round up to a multiple of this amount, a decimal as a string, from 0.01 to 1000.00.",
			Required: true, Example: `"0.50"`,
		}},
		Prepare: prepareRound,
	}
}

// maxStep is the largest amount that prices are rounded to.
const maxStep quotekit.Cents = 1000_00

func prepareRound(options map[string]json.RawMessage) (quotekit.Step, []quotekit.FieldError) {
	var text string
	if err := json.Unmarshal(options["to"], &text); err != nil {
		return quotekit.Step{}, []quotekit.FieldError{{Field: "to", Message: `must be a decimal as a string, like "0.50"`}}
	}
	step, err := quotekit.ParseCents(text)
	if err != nil || step < 1 || step > maxStep {
		return quotekit.Step{}, []quotekit.FieldError{{Field: "to", Message: "must be an amount from 0.01 to " + maxStep.String()}}
	}
	return quotekit.Step{Update: func(item quotekit.Record) (quotekit.Values, *quotekit.ItemError) {
		price, ok := item.Cents("unit_price")
		rounded := roundUp(price, step)
		switch {
		case !ok || rounded == price:
			return nil, nil // it is as it should be, and the item is skipped
		case rounded > quotekit.MaxCents:
			return nil, &quotekit.ItemError{Code: quotekit.ItemOutOfRange, Message: "the price would be above " + quotekit.MaxCents.String()}
		}
		return quotekit.Values{"unit_price": rounded}, nil
	}}, nil
}

// roundUp is the least multiple of step that is not below price.
func roundUp(price, step quotekit.Cents) quotekit.Cents {
	if rest := price % step; rest > 0 {
		return price - rest + step
	} else if rest < 0 { // Go rounds towards zero
		return price - rest
	}
	return price
}
