package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
)

// MirrorRow is one object as the mirror shall show it.
type MirrorRow struct {
	Key ObjectKey
	// Row is nil when only facts are known of the object.
	Row quotekit.Row
	// UserID is empty when no user is known. Products and prices have none.
	UserID     string
	Deleted    bool // of customers, products and prices
	SnapshotAt quotekit.Seconds
	// Items are those of a subscription.
	Items []MirrorItem

	// The following belong to payment methods.

	StripeCustomerID string // empty once detached
	LastCustomerID   string
	DetachedAt       quotekit.Seconds
	Setup            *quotekit.Setup
}

// MirrorItem is an item of a subscription and whether it has left it.
type MirrorItem struct {
	quotekit.SubscriptionItem
	Deleted bool
}

// MergeRows writes rows of the mirror, one statement a table. Whoever calls it
// holds the lock of the objects, so the rows replace what was there.
func (tx *Tx) MergeRows(ctx context.Context, rows []MirrorRow) error {
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b MirrorRow) int { return a.Key.Compare(b.Key) })
	values := map[quotekit.Kind][][]any{}
	var items [][]any
	for _, r := range rows {
		values[r.Key.Kind] = append(values[r.Key.Kind], r.values(tx.Now))
		for _, item := range r.Items {
			items = append(items, r.itemValues(item, tx.Now))
		}
	}
	for _, kind := range mirrorKinds {
		if err := tx.upsert(ctx, mirrorTables[kind], values[kind]); err != nil {
			return err
		}
	}
	slices.SortFunc(items, func(a, b []any) int { return compareItemKeys(a, b) })
	return tx.upsert(ctx, itemsTable, items)
}

// mirrorKinds fixes the order in which tables are written.
var mirrorKinds = []quotekit.Kind{
	quotekit.KindCustomer, quotekit.KindProduct, quotekit.KindPrice, quotekit.KindSubscription,
	quotekit.KindInvoice, quotekit.KindPaymentMethod, quotekit.KindCheckoutSession,
}

// values are in the order of the table's columns.
func (r MirrorRow) values(now time.Time) []any {
	t := mirrorTables[r.Key.Kind]
	values := []any{r.Key.Account, r.Key.Livemode}
	if r.Row != nil {
		values = append(values, t.values(r.Row)...)
	} else {
		values = append(values, make([]any, len(t.row))...)
	}
	values[2] = r.Key.ID
	switch r.Key.Kind {
	case quotekit.KindCustomer:
		values = append(values, null(r.UserID), r.Deleted)
	case quotekit.KindProduct, quotekit.KindPrice:
		values = append(values, r.Deleted)
	case quotekit.KindPaymentMethod:
		setup := r.Setup
		if setup == nil {
			setup = new(quotekit.Setup)
		}
		values = append(values, null(r.UserID), null(r.StripeCustomerID), null(r.LastCustomerID), seconds(r.DetachedAt),
			null(setup.StripeSetupIntentID), plain(setup.Usage), plain(setup.StripeMandateID))
	default:
		values = append(values, null(r.UserID))
	}
	return append(values, seconds(r.SnapshotAt), now, now)
}

func (r MirrorRow) itemValues(item MirrorItem, now time.Time) []any {
	values := []any{r.Key.Account, r.Key.Livemode}
	values = append(values, itemsTable.values(&item.SubscriptionItem)...)
	return append(values, r.Key.ID, item.Deleted, seconds(r.SnapshotAt), now, now)
}

// compareItemKeys compares account, livemode and the item's id.
func compareItemKeys(a, b []any) int {
	return ObjectKey{Account: a[0].(string), Livemode: a[1].(bool), ID: a[2].(string)}.
		Compare(ObjectKey{Account: b[0].(string), Livemode: b[1].(bool), ID: b[2].(string)})
}

// followers are the tables whose rows belong to the user of their customer, and
// the column that names the customer.
var followers = map[quotekit.Kind]struct{ table, customer string }{
	quotekit.KindSubscription:    {"subscriptions", "stripe_customer_id"},
	quotekit.KindInvoice:         {"stripe_invoices", "stripe_customer_id"},
	quotekit.KindPaymentMethod:   {"payment_methods", "last_stripe_customer_id"},
	quotekit.KindCheckoutSession: {"stripe_checkout_sessions", "stripe_customer_id"},
}

// LinkFollowers gives the objects of some kinds that follow a customer to the
// customer's user. Whoever writes such a row holds the lock of the customer, as
// the caller does.
func (tx *Tx) LinkFollowers(ctx context.Context, customer ObjectKey, userID string, kinds []quotekit.Kind) error {
	for _, kind := range kinds {
		f := followers[kind]
		update := `
UPDATE ` + f.table + `
SET user_id = $1, updated_at = $2
WHERE account = $3 AND livemode = $4 AND ` + f.customer + ` = $5 AND user_id IS DISTINCT FROM $1`
		if err := tx.run(ctx, update, null(userID), tx.Now, customer.Account, customer.Livemode, customer.ID); err != nil {
			return fmt.Errorf("link %s of customer %s: %w", f.table, customer.ID, err)
		}
	}
	return nil
}

// HistoryRow is a change of a subscription and the event that told it.
type HistoryRow struct {
	quotekit.SubscriptionChange
	Event *quotekit.Event
}

// AppendHistory adds to subscription_changes.
func (tx *Tx) AppendHistory(ctx context.Context, changes []HistoryRow) error {
	rows := make([][]any, len(changes))
	for i, c := range changes {
		rows[i] = []any{
			quotekit.NewID(), c.Event.Account, c.Event.Livemode, c.StripeSubscriptionID, c.Event.ID,
			c.Field, string(c.Before), string(c.After), seconds(c.ChangedAt),
		}
	}
	const prefix = `INSERT INTO subscription_changes (id, account, livemode, stripe_subscription_id, stripe_event_id,
  field, before, after, changed_at)`
	if err := tx.multiRow(ctx, prefix, "", 9, rows, nil); err != nil {
		return fmt.Errorf("append history: %w", err)
	}
	return nil
}
