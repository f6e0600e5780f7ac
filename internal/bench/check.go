package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/store"
)

// mirrored says in which table the object of an event stands, by the beginning of the
// type; the first that fits decides. What is told of a setup intent stands with its
// payment method.
var mirrored = []struct{ prefix, table, key string }{
	{"customer.subscription.", "subscriptions", "stripe_subscription_id"},
	{"customer.", "stripe_customers", "stripe_customer_id"},
	{"checkout.session.", "stripe_checkout_sessions", "stripe_checkout_session_id"},
	{"invoice.", "stripe_invoices", "stripe_invoice_id"},
	{"payment_method.", "payment_methods", "stripe_payment_method_id"},
	{"product.", "stripe_products", "stripe_product_id"},
	{"price.", "stripe_prices", "stripe_price_id"},
}

// check stops the service and looks into the tables: every event that was sent has
// succeeded, all deliveries are noted, and there is a row for each object.
func (b *bed) check(ctx context.Context, events []sample.Event, deliveries int) error {
	if err := b.stop(); err != nil {
		return err
	}
	events, deliveries = slices.Concat(b.warm, events), len(b.warm)+deliveries
	return b.look(ctx, func(db *store.Store) error {
		if err := checkCount(ctx, db, "events that have succeeded", len(events),
			`SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'succeeded'`); err != nil {
			return err
		}
		if err := checkCount(ctx, db, "deliveries", deliveries,
			`SELECT COUNT(*) FROM webhook_audit_trail WHERE action = 'event.delivered'`); err != nil {
			return err
		}
		// A change that was applied twice would be there twice.
		if err := checkCount(ctx, db, "changes of subscriptions that are there twice", 0,
			`SELECT COUNT(*) FROM (SELECT stripe_event_id, field FROM subscription_changes GROUP BY stripe_event_id, field HAVING COUNT(*) > 1) AS doubled`); err != nil {
			return err
		}
		return checkObjects(ctx, db, events)
	})
}

func checkObjects(ctx context.Context, db *store.Store, events []sample.Event) error {
	want := map[int]map[string]bool{}
	for _, e := range events {
		for i, m := range mirrored {
			if strings.HasPrefix(e.Type, m.prefix) {
				if want[i] == nil {
					want[i] = map[string]bool{}
				}
				want[i][e.ObjectID] = true
				break
			}
		}
	}
	for i, ids := range want {
		m := mirrored[i]
		rows, err := db.Reader().QueryContext(ctx, `SELECT `+m.key+` FROM `+m.table)
		if err != nil {
			return fmt.Errorf("read %s: %w", m.table, err)
		}
		missing := len(ids)
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return errors.Join(err, rows.Close())
			}
			if ids[id] {
				missing--
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return fmt.Errorf("read %s: %w", m.table, err)
		}
		if missing > 0 {
			return fmt.Errorf("%s lacks the rows of %d of %d objects, whose events were acknowledged", m.table, missing, len(ids))
		}
	}
	return nil
}

// checkCount compares a number with what a query counts.
func checkCount(ctx context.Context, db *store.Store, what string, want int, query string, args ...any) error {
	var got int
	if err := db.Reader().QueryRowContext(ctx, query, args...).Scan(&got); err != nil {
		return fmt.Errorf("count %s: %w", what, err)
	}
	if got != want {
		return fmt.Errorf("the tables have %d %s, want %d", got, what, want)
	}
	return nil
}

// look opens the database of a place, whose service has ended, and closes it.
func (p *place) look(ctx context.Context, do func(*store.Store) error) error {
	db, err := p.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}
