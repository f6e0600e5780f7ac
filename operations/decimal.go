package operations

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/quotekit/quotekit"
)

// plainDecimal reads [-]digits[.digits] as a count of units of 10^-after. It
// refuses more digits than before and after the point are allowed, which
// together are at most 18, and anything else a decimal can be written with.
func plainDecimal(s string, before, after int) (n int64, ok bool) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || len(whole) > before || len(fraction) > after || point && fraction == "" {
		return 0, false
	}
	for _, c := range []byte(whole + fraction) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", after-len(fraction)), 10, 64)
	if negative {
		n = -n
	}
	return n, err == nil
}

// halfUp divides and rounds to the nearest integer, a half to the greater one.
// The denominator is positive.
func halfUp(numerator, denominator *big.Int) *big.Int {
	n := new(big.Int).Lsh(numerator, 1)
	n.Add(n, denominator)
	return n.Div(n, new(big.Int).Lsh(denominator, 1)) // Div rounds down, below zero too
}

// centsOf returns n as an amount, if a column holds it.
func centsOf(n *big.Int) (c quotekit.Cents, ok bool) {
	if n.Sign() < 0 || n.Cmp(big.NewInt(int64(quotekit.MaxCents))) > 0 {
		return 0, false
	}
	return quotekit.Cents(n.Int64()), true
}

// showCents writes a number of cents that may be beyond [quotekit.Cents].
func showCents(n *big.Int) string {
	whole, rest := new(big.Int).QuoRem(new(big.Int).Abs(n), big.NewInt(100), new(big.Int))
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	cents := strconv.FormatInt(rest.Int64()+100, 10)[1:]
	return sign + whole.String() + "." + cents
}
