package handlers

import (
	"context"
	"math"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// payment handles the events of an invoice. Its snapshots are ordered by (paid
// or void, created, attempt_count, amount_paid, not failed): what is paid or
// void stays so, and of one attempt's two ends success is the later one.
func payment(_ context.Context, e quotekit.Event) (quotekit.Changes, error) {
	d, err := read(e, stripe.DecodeInvoice)
	if err != nil {
		return quotekit.Changes{}, err
	}
	row, s := d.After, snapshot(e, d)
	s.Order = quotekit.Order{
		rank(closed(row)),
		int64(e.Created),
		number(row.AttemptCount),
		number(row.AmountPaid),
		rank(e.Type != "invoice.payment_failed"),
	}
	if e.Fetched {
		s.Order[2] = math.MaxInt64 // after all events of its second
	}
	return withClaims(
		quotekit.Change{Kind: quotekit.KindInvoice, ID: row.StripeInvoiceID, Snapshot: s},
		row.StripeCustomerID,
		claim(e, stripe.MetadataUserID(row.SubscriptionMetadata), quotekit.ClaimSubscriptionMetadata),
	), nil
}

// closed reports whether an invoice is paid or void. Before 2018-11 there was
// no status, only paid.
func closed(row *quotekit.Invoice) bool {
	if row.Status != nil {
		return *row.Status == "paid" || *row.Status == "void"
	}
	return row.Paid != nil && *row.Paid
}

func number(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}
