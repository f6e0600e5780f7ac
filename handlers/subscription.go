package handlers

import (
	"context"
	"fmt"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// subscription handles customer.subscription.created, updated and deleted. Its
// snapshots are ordered by (terminal, created): a canceled subscription never
// comes back, whatever is dated later.
func subscription(_ context.Context, e quotekit.Event) (quotekit.Changes, error) {
	row, s, err := snapshot(e, stripe.DecodeSubscription)
	if err != nil {
		return quotekit.Changes{}, err
	}
	s.Order = quotekit.Order{rank(terminal(row) || s.Stage == quotekit.StageDeleted), int64(e.Created)}

	changes := withClaims(
		quotekit.Change{Kind: quotekit.KindSubscription, ID: row.StripeSubscriptionID, Snapshot: s},
		row.StripeCustomerID,
		claim(e, stripe.MetadataUserID(row.Metadata), quotekit.ClaimSubscriptionMetadata),
	)
	if s.Before != nil {
		changes.History, err = history(e, row.StripeSubscriptionID)
	}
	return changes, err
}

func terminal(row *quotekit.Subscription) bool {
	return row.Status != nil && (*row.Status == "canceled" || *row.Status == "incomplete_expired")
}

// history lists what e itself says has changed, a row for every key at the top
// of its previous_attributes.
func history(e quotekit.Event, id string) ([]quotekit.SubscriptionChange, error) {
	differences, err := stripe.Differences(e.Object, e.Previous)
	if err != nil {
		return nil, rejected(e, fmt.Errorf("compare: %w", err))
	}
	changes := make([]quotekit.SubscriptionChange, len(differences))
	for i, d := range differences {
		changes[i] = quotekit.SubscriptionChange{
			StripeSubscriptionID: id,
			Field:                d.Field,
			Before:               d.Before,
			After:                d.After,
			ChangedAt:            e.Created,
		}
	}
	return changes, nil
}

// rank makes a number for an [quotekit.Order]: what is true is greater.
func rank(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
