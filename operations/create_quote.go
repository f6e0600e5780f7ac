package operations

import (
	"encoding/json"
	"math/big"

	"github.com/quotekit/quotekit"
)

// createQuote makes a row of {client_id?, client_name?, client_email?,
// quote_number?, status?, line_items?, subtotal?, tax_rate?, tax_amount?,
// total?, notes?, valid_until?, created_at?}, with a client_id or a
// client_name, and a total or lines. Whether the client is the caller's own is
// for the store to say. Amounts that are given are kept, even if they do not
// add up: an imported quote stays what its client has seen.
func createQuote(text json.RawMessage) (quotekit.Values, []quotekit.FieldError) {
	return create(text, func(o object) quotekit.Values {
		hasClient, hasLines, hasTotal := o.has("client_id"), o.has("line_items"), o.has("total")
		values := quotekit.Values{
			"client_id":    orNil(o.id("client_id")),
			"client_name":  orNil(o.client(hasClient)),
			"client_email": orNil(o.email("client_email")),
			"quote_number": orNil(o.text("quote_number", maxNumber)),
			"status":       o.status("status"),
			"notes":        orNil(o.text("notes", maxNotes)),
			"valid_until":  orNil(o.time("valid_until", true)),
		}
		if t, ok := o.time("created_at", false); ok {
			values["created_at"] = t
		}
		before := o.problems.count()
		lines := o.lines("line_items")
		amounts := o.amounts()
		switch {
		case o.problems.count() > before: // nothing to compute with
		case len(lines) > 0:
			amounts.compute(o, lines)
		case !hasTotal:
			o.wrong("total", "is required where there are no line_items")
		}
		values["line_items"] = nil
		if hasLines {
			values["line_items"] = encode(lines)
		}
		amounts.write(values)
		return values
	})
}

func (o object) client(hasID bool) (name string, ok bool) {
	if hasID {
		return o.text("client_name", maxName)
	}
	return o.requiredText("client_name", maxName, "is required where there is no client_id")
}

// status reads the status of a quote, a draft if none is given.
func (o object) status(name string) string {
	s, ok := o.text(name, maxChoice)
	if !ok {
		return quotekit.QuoteStatuses[0]
	}
	o.checkStatus(name, s)
	return s
}

// amounts are those of a quote; nil is one that is not known.
type amounts struct {
	subtotal, tax, total *big.Int
	rate                 quotekit.Rate
	hasRate              bool
}

// amounts reads the amounts that are given.
func (o object) amounts() (a amounts) {
	read := func(name string) *big.Int {
		if c, ok := o.money(name); ok {
			return big.NewInt(int64(c))
		}
		return nil
	}
	a.subtotal = read("subtotal")
	a.rate, a.hasRate = o.rate("tax_rate")
	a.tax = read("tax_amount")
	a.total = read("total")
	return a
}

// compute fills in the amounts that are not given. Without a rate the tax is
// zero. Each line and the tax are rounded half up to the cent.
func (a *amounts) compute(o object, lines []line) {
	if a.subtotal == nil {
		a.subtotal = new(big.Int)
		for _, l := range lines {
			a.subtotal.Add(a.subtotal, l.amount())
		}
	}
	if a.tax == nil {
		product := new(big.Int).Mul(a.subtotal, big.NewInt(int64(a.rate)))
		a.tax = halfUp(product, big.NewInt(100*1_0000)) // a rate counts ten-thousandths of a percent
	}
	if a.total == nil {
		a.total = new(big.Int).Add(a.subtotal, a.tax)
	}
	for _, amount := range []struct {
		name  string
		cents *big.Int
	}{{"subtotal", a.subtotal}, {"tax amount", a.tax}, {"total", a.total}} {
		if _, ok := centsOf(amount.cents); !ok {
			o.wrong("total", "cannot be computed: the %s would be %s, and the most is %s",
				amount.name, showCents(amount.cents), quotekit.MaxCents)
			return
		}
	}
}

func (a amounts) write(values quotekit.Values) {
	column := func(n *big.Int) any {
		if n == nil {
			return nil
		}
		return orNil(centsOf(n))
	}
	values["subtotal"] = column(a.subtotal)
	values["tax_rate"] = orNil(a.rate, a.hasRate)
	values["tax_amount"] = column(a.tax)
	values["total"] = column(a.total)
}
