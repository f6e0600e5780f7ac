package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
)

// TableRow is a row of a table of the mirror, as it is.
type TableRow struct {
	Table string
	Key   string
	// Account is the connected account, empty for one's own.
	Account string
	Columns []TableColumn
}

// TableColumn is a column of a row.
type TableColumn struct {
	Name  string
	Value json.RawMessage
}

// viewedTables are those that an object may have a row in.
var viewedTables = []*table{
	customersTable, productsTable, pricesTable, subscriptionsTable, itemsTable, invoicesTable, paymentMethodsTable,
	checkoutSessionsTable,
}

// ObjectRows reads the rows of the mirror that have an object's id as their key, in
// an account in both modes; of a subscription those of its items, too.
func (s *Store) ObjectRows(ctx context.Context, account, objectID string) ([]TableRow, error) {
	return s.objectRows(ctx, `account = $1 AND livemode IN (FALSE, TRUE) AND %s = $2`, account, objectID)
}

// ConnectedRows is [Store.ObjectRows] of all connected accounts.
func (s *Store) ConnectedRows(ctx context.Context, objectID string) ([]TableRow, error) {
	return s.objectRows(ctx, connected+` AND %s = $1`, objectID)
}

// objectRows reads the rows of all tables; where has a place for the key.
func (s *Store) objectRows(ctx context.Context, where string, args ...any) ([]TableRow, error) {
	rows := []TableRow{}
	for _, t := range viewedTables {
		found, err := s.tableRows(ctx, t, fmt.Sprintf(where, quote(t.key)), args...)
		if err != nil {
			return nil, err
		}
		rows = append(rows, found...)
		if t != subscriptionsTable {
			continue
		}
		items, err := s.itemRows(ctx, found)
		if err != nil {
			return nil, err
		}
		rows = append(rows, items...)
	}
	return rows, nil
}

// itemRows reads the items of subscriptions, which may be one in both modes.
func (s *Store) itemRows(ctx context.Context, subscriptions []TableRow) (items []TableRow, err error) {
	read := map[string]bool{}
	for _, row := range subscriptions {
		if read[row.Account] {
			continue
		}
		read[row.Account] = true
		found, err := s.tableRows(ctx, itemsTable, `stripe_subscription_id = $1 AND account = $2`, row.Key, row.Account)
		if err != nil {
			return nil, err
		}
		items = append(items, found...)
	}
	return items, nil
}

// maxRowsOfObject bounds the items of a subscription that are read.
const maxRowsOfObject = 100

func (s *Store) tableRows(ctx context.Context, t *table, where string, args ...any) ([]TableRow, error) {
	query := fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT %d", quoteList(t.columns), quote(t.name), where, quote(t.key), maxRowsOfObject)
	rows, err := queryAll(ctx, s.reader, query, args, func(r row) (TableRow, error) {
		values := make([]any, len(t.columns))
		into := make([]any, len(t.columns))
		for i := range values {
			into[i] = &values[i]
		}
		out := TableRow{Table: t.name, Columns: make([]TableColumn, len(t.columns))}
		if err := r.Scan(into...); err != nil {
			return out, err
		}
		for i, name := range t.columns {
			value, err := t.shown(name, values[i])
			if err != nil {
				return out, err
			}
			out.Columns[i] = TableColumn{name, value}
			switch name {
			case t.key:
				out.Key = fmt.Sprint(values[i])
			case "account":
				out.Account = fmt.Sprint(values[i])
			}
		}
		return out, nil
	})
	return rows, wrap(err, "read "+t.name)
}

// shown is the value of a column as JSON. Drivers give JSONB as text or bytes.
func (t *table) shown(column string, v any) (json.RawMessage, error) {
	switch text := v.(type) {
	case time.Time:
		v = text.UTC()
	case []byte:
		v = string(text)
	}
	if text, ok := v.(string); ok && t.json[column] && json.Valid([]byte(text)) {
		return json.RawMessage(text), nil
	}
	return json.Marshal(v)
}

// ObjectEvent is an event of an object, and whether it was stale: a newer one of
// the object had been applied before it succeeded.
type ObjectEvent struct {
	EventRecord
	Stale bool
}

// ObjectEvents lists the events of an object in Stripe's order, the newest first; those
// of a connected account, or without one all.
func (s *Store) ObjectEvents(ctx context.Context, account, objectID string, p Page) (events []ObjectEvent, cursor string, err error) {
	var q filter
	q.add("object_id = %s", objectID)
	q.equal("account", account)
	q.add("event_created IS NOT NULL")
	end, limit, err := q.page(p, "event_created", "stripe_event_id")
	if err != nil {
		return nil, "", err
	}
	events, err = queryAll(ctx, s.reader, selectEvents+end, q.args, func(r row) (ObjectEvent, error) {
		e, err := scanEvent(r)
		return ObjectEvent{EventRecord: e}, err
	})
	if err != nil {
		return nil, "", fmt.Errorf("list events of object %s: %w", objectID, err)
	}
	events, cursor = next(events, limit, func(e ObjectEvent) position { return position{*e.EventCreated, e.StripeEventID} })
	if len(events) == 0 {
		return events, cursor, nil
	}
	applied, err := s.appliedAfter(ctx, objectID, *events[0].EventCreated)
	if err != nil {
		return nil, "", err
	}
	markStale(events, applied)
	return events, cursor, nil
}

// side is where an object lives.
type side struct {
	account  string
	livemode bool
}

// appliedAfter returns when the first of the events of an object that are newer than
// an instant had succeeded.
func (s *Store) appliedAfter(ctx context.Context, objectID string, created time.Time) (map[side]time.Time, error) {
	const query = `
SELECT account, livemode, processed_at
FROM stripe_webhook_events
WHERE object_id = $1 AND event_created > $2 AND status = 'succeeded' AND processed_at IS NOT NULL`
	applied := map[side]time.Time{}
	_, err := queryAll(ctx, s.reader, query, []any{objectID, created}, func(r row) (struct{}, error) {
		var at side
		var when time.Time
		err := r.Scan(&at.account, &at.livemode, &when)
		if first, ok := applied[at]; !ok || when.Before(first) {
			applied[at] = when
		}
		return struct{}{}, err
	})
	return applied, wrap(err, "look for newer events of object "+objectID)
}

// markStale goes from the newest event to the oldest. Of events of the same second
// none is stale: package fold decides between them by what they say.
func markStale(events []ObjectEvent, applied map[side]time.Time) {
	for from := 0; from < len(events); {
		to := from
		for to < len(events) && events[to].EventCreated.Equal(*events[from].EventCreated) {
			to++
		}
		for i := from; i < to; i++ {
			e := &events[i]
			first, ok := applied[side{e.Account, e.Livemode}]
			e.Stale = ok && e.Status == quotekit.EventSucceeded && e.ProcessedAt != nil && first.Before(*e.ProcessedAt)
		}
		for _, e := range events[from:to] {
			at := side{e.Account, e.Livemode}
			if e.Status != quotekit.EventSucceeded || e.ProcessedAt == nil {
				continue
			}
			if first, ok := applied[at]; !ok || e.ProcessedAt.Before(first) {
				applied[at] = *e.ProcessedAt
			}
		}
		from = to
	}
}

// EventPayload returns the bytes of an event as they were received, nil if they are
// gone. It fails with [quotekit.ENotFound].
func (s *Store) EventPayload(ctx context.Context, id string) ([]byte, error) {
	var payload []byte
	err := s.reader.QueryRowContext(ctx, `SELECT payload FROM stripe_webhook_events WHERE stripe_event_id = $1`, id).Scan(&payload)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, quotekit.Errorf(quotekit.ENotFound, "there is no event %s", id)
	}
	return payload, wrap(err, "read payload of event "+id)
}

// PreviousEvent returns the event of the same object before another one in Stripe's
// order, with its payload; the id is empty if there is none.
func (s *Store) PreviousEvent(ctx context.Context, e EventRecord) (id string, payload []byte, err error) {
	const query = `
SELECT stripe_event_id, payload
FROM stripe_webhook_events
WHERE object_id = $1 AND event_created <= $2 AND account = $3 AND livemode = $4 AND (event_created < $2 OR stripe_event_id < $5)
ORDER BY event_created DESC, stripe_event_id DESC
LIMIT 1`
	if e.ObjectID == nil || e.EventCreated == nil {
		return "", nil, nil
	}
	err = s.reader.QueryRowContext(ctx, query, *e.ObjectID, *e.EventCreated, e.Account, e.Livemode, e.StripeEventID).Scan(&id, &payload)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, nil
	}
	return id, payload, wrap(err, "look for the event before "+e.StripeEventID)
}

// SubscriptionChange is a row of subscription_changes.
type SubscriptionChange struct {
	Field         string
	Before, After json.RawMessage
	ChangedAt     time.Time
}

// SubscriptionChanges reads what an event of a subscription has added to
// subscription_changes.
func (s *Store) SubscriptionChanges(ctx context.Context, subscriptionID, eventID string) ([]SubscriptionChange, error) {
	const query = `
SELECT field, CAST(before AS TEXT), CAST(after AS TEXT), changed_at
FROM subscription_changes
WHERE stripe_subscription_id = $1 AND stripe_event_id = $2
ORDER BY field
LIMIT 200`
	changes, err := queryAll(ctx, s.reader, query, []any{subscriptionID, eventID}, func(r row) (c SubscriptionChange, err error) {
		var before, after sql.NullString
		err = r.Scan(&c.Field, &before, &after, &c.ChangedAt)
		c.Before, c.After = rawJSON(before), rawJSON(after)
		return c, err
	})
	return changes, wrap(err, "read changes of event "+eventID)
}
