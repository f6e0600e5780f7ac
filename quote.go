package quotekit

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Client is a customer of a user of the application.
type Client struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`
	Email   *string `json:"email"`
	Phone   *string `json:"phone"`
	Address *string `json:"address"`
	Notes   *string `json:"notes"`
}

// Item is something that a user sells.
type Item struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Unit      *string         `json:"unit"`
	UnitPrice Cents           `json:"unit_price"`
	Category  *string         `json:"category"`
	Tags      json.RawMessage `json:"tags"`
}

// Quote is a user's offer to a client.
type Quote struct {
	ID          string          `json:"id"`
	ClientID    *string         `json:"client_id"`
	ClientName  *string         `json:"client_name"`
	ClientEmail *string         `json:"client_email"`
	Number      *string         `json:"quote_number"`
	Status      string          `json:"status"`
	LineItems   json.RawMessage `json:"line_items"`
	Subtotal    *Cents          `json:"subtotal"`
	TaxRate     *Rate           `json:"tax_rate"`
	TaxAmount   *Cents          `json:"tax_amount"`
	Total       Cents           `json:"total"`
	Notes       *string         `json:"notes"`
	ValidUntil  *Timestamp      `json:"valid_until"`
	CreatedAt   Timestamp       `json:"created_at"`
	UpdatedAt   Timestamp       `json:"updated_at"`
}

// Cents is an amount of money of a quote or an item, in hundredths. These have
// no currency of their own; Stripe's amounts are integers with one.
type Cents int64

// MaxCents is the largest amount: a column has eight digits before the point.
const MaxCents Cents = 99_999_999_99

// String writes the amount as the API shows it: "12.50".
func (c Cents) String() string { return formatDecimal(int64(c), 2, 2) }

// MarshalJSON writes a decimal string.
func (c Cents) MarshalJSON() ([]byte, error) { return []byte(`"` + c.String() + `"`), nil }

// UnmarshalJSON reads a decimal, as a string or as a number, without ever
// making a float of it.
func (c *Cents) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	n, err := ParseCents(strings.Trim(string(b), `"`))
	*c = n
	return err
}

// ParseCents reads an amount like "12.5" exactly; it has at most two digits
// behind the point.
func ParseCents(s string) (Cents, error) {
	n, err := parseDecimal(s, 2)
	return Cents(n), err
}

// Rate is a percentage of 0 or more, in ten-thousandths of a percent: 190000 is
// 19 %.
type Rate int64

// MaxRate is the largest rate: a column has three digits before the point.
const MaxRate Rate = 999_9999

// String writes the rate with two to four digits behind the point.
func (r Rate) String() string { return formatDecimal(int64(r), 4, 2) }

// MarshalJSON writes a decimal string.
func (r Rate) MarshalJSON() ([]byte, error) { return []byte(`"` + r.String() + `"`), nil }

// UnmarshalJSON reads a decimal, as a string or as a number.
func (r *Rate) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	n, err := ParseRate(strings.Trim(string(b), `"`))
	*r = n
	return err
}

// ParseRate reads a percentage like "19" exactly; it has at most four digits
// behind the point.
func ParseRate(s string) (Rate, error) {
	n, err := parseDecimal(s, 4)
	return Rate(n), err
}

// formatDecimal writes n, which counts units of 10^-scale, with at least
// digits places behind the point.
func formatDecimal(n int64, scale, digits int) string {
	sign, u := "", uint64(n)
	if n < 0 {
		sign, u = "-", -u
	}
	s := strconv.FormatUint(u, 10)
	if missing := scale + 1 - len(s); missing > 0 {
		s = strings.Repeat("0", missing) + s
	}
	whole, fraction := s[:len(s)-scale], s[len(s)-scale:]
	for len(fraction) > digits && strings.HasSuffix(fraction, "0") {
		fraction = fraction[:len(fraction)-1]
	}
	return sign + whole + "." + fraction
}

// parseDecimal reads [-]digits[.digits] as a count of units of 10^-scale.
// Digits beyond the scale must be zeros.
func parseDecimal(s string, scale int) (int64, error) {
	digits := strings.TrimPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || (point && fraction == "") || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, errors.New("want a decimal number like 12.50")
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > scale {
		return 0, fmt.Errorf("more than %d digits behind the point", scale)
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", scale-len(fraction)), 10, 64)
	if err != nil {
		return 0, errors.New("too many digits")
	}
	if strings.HasPrefix(s, "-") {
		n = -n
	}
	return n, nil
}

// Timestamp is a time that is shown in UTC, in microseconds.
type Timestamp struct{ time.Time }

// timestampLayouts are how the API, Postgres' JSON and SQLite write a time, and
// how Postgres writes one without a zone and a date, in the table of an
// application.
var timestampLayouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999-07:00", "2006-01-02T15:04:05.999999999", time.DateOnly,
}

// MarshalJSON writes RFC 3339 in UTC.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return t.UTC().Truncate(time.Microsecond).AppendFormat(nil, `"`+time.RFC3339Nano+`"`), nil
}

// UnmarshalJSON reads a time as either engine or the API writes it.
func (t *Timestamp) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	var err error
	for _, layout := range timestampLayouts {
		if t.Time, err = time.Parse(layout, strings.Trim(string(b), `"`)); err == nil {
			t.Time = t.UTC()
			return nil
		}
	}
	return err
}
