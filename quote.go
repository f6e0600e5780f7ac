package quotekit

import (
	"fmt"
	"time"
)

// Cents is an amount of money of a quote or an item, in hundredths. These have
// no currency of their own; Stripe's amounts are integers with one.
type Cents int64

// String writes the amount as the API shows it: "12.50".
func (c Cents) String() string {
	sign := ""
	if c < 0 {
		sign, c = "-", -c
	}
	return fmt.Sprintf("%s%d.%02d", sign, c/100, c%100)
}

// Client is a customer of a user of the application.
type Client struct {
	ID, UserID, Name, Email, Phone, Address, Notes string
}

// Item is something that a user sells.
type Item struct {
	ID, UserID, Name, Unit, Category string
	UnitPrice                        Cents
	Tags                             []string
}

// Quote is a user's offer to a client.
type Quote struct {
	ID, UserID, ClientID, ClientName, ClientEmail, Number, Status string
	Lines                                                         []QuoteLine
	Subtotal, TaxAmount, Total                                    Cents
	// TaxRate is in hundredths of a percent: 1900 is 19 %.
	TaxRate               int64
	ValidUntil, CreatedAt time.Time
}

// QuoteLine is one line of a quote.
type QuoteLine struct {
	ItemID, Name string
	Quantity     int64
	UnitPrice    Cents
}
