package operations

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/quotekit/quotekit"
)

const maxLines = 500

// quantityScale is the number of digits behind the point of a quantity. With
// nine before it, every JSON reader gets it exactly, even one that reads floats.
const quantityScale = 4

// line is one line of a quote as it is stored.
type line struct {
	ItemID      string         `json:"item_id,omitempty"`
	Name        string         `json:"name"`
	Description string         `json:"description,omitempty"`
	Unit        string         `json:"unit,omitempty"`
	Quantity    units          `json:"quantity"`
	UnitPrice   quotekit.Cents `json:"unit_price"`
}

// units is a quantity, in ten-thousandths.
type units int64

// MarshalJSON writes a number with as few digits as it needs.
func (u units) MarshalJSON() ([]byte, error) {
	s := strconv.FormatInt(int64(u), 10)
	s = strings.Repeat("0", max(0, quantityScale+1-len(s))) + s
	whole, fraction := s[:len(s)-quantityScale], strings.TrimRight(s[len(s)-quantityScale:], "0")
	if fraction != "" {
		whole += "." + fraction
	}
	return []byte(whole), nil
}

// amount is the price of the line in cents, rounded.
func (l line) amount() *big.Int {
	product := new(big.Int).Mul(big.NewInt(int64(l.Quantity)), big.NewInt(int64(l.UnitPrice)))
	return halfUp(product, big.NewInt(1_0000))
}

// lines reads the lines of a quote.
func (o object) lines(name string) []line {
	elements, _ := o.array(name, maxLines, "line")
	lines := make([]line, 0, len(elements))
	for i, element := range elements {
		given, ok := readObject(element, join(join(o.path, name), strconv.Itoa(i)), o.problems)
		if !ok {
			continue
		}
		var l line
		l.ItemID, _ = given.text("item_id", maxReference)
		l.Name = given.required("name", maxName)
		l.Description, _ = given.text("description", maxDescription)
		l.Unit, _ = given.text("unit", maxUnit)
		l.Quantity = given.units("quantity")
		l.UnitPrice, _ = given.requiredMoney("unit_price")
		given.refuseOthers()
		lines = append(lines, l)
	}
	return lines
}

// units reads a quantity, a number or a string; one, if there is none. A number
// is read as it is written.
func (o object) units(name string) units {
	s, ok := string(o.members[name]), true
	if o.members[name].Kind() == '0' {
		o.take(name)
	} else if s, ok = o.decimalText(name, "1.5"); !ok {
		return 1_0000
	}
	n, ok := plainDecimal(s, 9, quantityScale)
	if !ok || n <= 0 {
		o.wrong(name, "must be a plain decimal above 0, of at most 9 digits before the point and 4 behind it")
	}
	return units(n)
}
