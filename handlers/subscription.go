package handlers

import (
	"context"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// subscription handles customer.subscription.created, updated and deleted. Its
// snapshots are ordered by (terminal, created): a canceled subscription never
// comes back, whatever is dated later.
func subscription(_ context.Context, e quotekit.Event) (quotekit.Changes, error) {
	d, err := read(e, stripe.DecodeSubscription)
	if err != nil {
		return quotekit.Changes{}, err
	}
	row, s := d.After, snapshot(e, d)
	s.Order = quotekit.Order{rank(terminal(row) || s.Stage == quotekit.StageDeleted), int64(e.Created), afterSecond(e)}
	changes := withClaims(
		quotekit.Change{Kind: quotekit.KindSubscription, ID: row.StripeSubscriptionID, Snapshot: s},
		row.StripeCustomerID,
		claim(e, stripe.MetadataUserID(row.Metadata), quotekit.ClaimSubscriptionMetadata),
	)
	for _, difference := range d.Differences {
		changes.History = append(changes.History, quotekit.SubscriptionChange{
			StripeSubscriptionID: row.StripeSubscriptionID,
			Field:                difference.Field,
			Before:               difference.Before,
			After:                difference.After,
			ChangedAt:            date(e),
		})
	}
	return changes, nil
}

func terminal(row *quotekit.Subscription) bool {
	return row.Status != nil && (*row.Status == "canceled" || *row.Status == "incomplete_expired")
}

// rank makes a number for an [quotekit.Order]: what is true is greater.
func rank(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
