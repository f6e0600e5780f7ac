package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// KnownEvents returns which of the events are kept, and of those which were
// imported on behalf of the given request. There may be a few hundred ids.
func (s *Store) KnownEvents(ctx context.Context, ids []string, requestID string) (known, imported map[string]bool, err error) {
	if len(ids) == 0 {
		return nil, nil, nil
	}
	args := make([]any, len(ids), len(ids)+2)
	for i, id := range ids {
		args[i] = id
	}
	known, err = s.setOf(ctx, `
SELECT stripe_event_id
FROM stripe_webhook_events
WHERE stripe_event_id IN (`+list(1, len(ids))+`)`, args)
	if err != nil {
		return nil, nil, fmt.Errorf("look up events: %w", err)
	}
	imported, err = s.setOf(ctx, fmt.Sprintf(`
SELECT stripe_event_id
FROM webhook_audit_trail
WHERE stripe_event_id IN (%s) AND action = $%d AND request_id = $%d`, list(1, len(ids)), len(ids)+1, len(ids)+2),
		append(args, AuditImported, requestID))
	if err != nil {
		return nil, nil, fmt.Errorf("look up imports: %w", err)
	}
	return known, imported, nil
}

// setOf returns the values of a column of texts.
func (s *Store) setOf(ctx context.Context, query string, args []any) (map[string]bool, error) {
	values, err := queryAll(ctx, s.reader, query, args, scanText)
	set := make(map[string]bool, len(values))
	for _, v := range values {
		set[v] = true
	}
	return set, err
}

func scanText(r row) (text string, err error) {
	err = r.Scan(&text)
	return text, err
}

// LastReceived is when the last event of one's own account was received before
// an instant, and zero if there is none. Events of our own do not count.
func (s *Store) LastReceived(ctx context.Context, before time.Time) (time.Time, error) {
	const query = `
SELECT received_at
FROM stripe_webhook_events
WHERE received_at < $1 AND account = '' AND event_type NOT LIKE 'quotekit.%'
ORDER BY received_at DESC
LIMIT 1`
	var at time.Time
	err := s.reader.QueryRowContext(ctx, query, before.UTC()).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return at, wrap(err, "read the last event")
}

// CustomerAfter returns the first customer of one's own account, in the order of
// ids, that comes after the given one and is not deleted. It is empty if there
// is none.
func (s *Store) CustomerAfter(ctx context.Context, livemode bool, after string) (id string, err error) {
	const query = `
SELECT stripe_customer_id
FROM stripe_customers
WHERE account = '' AND livemode = $1 AND stripe_customer_id > $2 AND NOT deleted
ORDER BY stripe_customer_id
LIMIT 1`
	err = s.reader.QueryRowContext(ctx, query, livemode, after).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, wrap(err, "read the next customer")
}

// UnfinishedTask reads the task of a kind that is pending or running, the oldest
// if there are several. It fails with [quotekit.ENotFound].
func (s *Store) UnfinishedTask(ctx context.Context, kind string) (Task, error) {
	r := s.reader.QueryRowContext(ctx, selectTasks+`
WHERE kind = $1 AND status IN ('pending', 'running')
ORDER BY created_at, id
LIMIT 1`, kind)
	return oneTask(r, fmt.Sprintf("unfinished %s task", kind))
}

// EachTask calls f for the tasks of a kind, the newest first, until it returns
// false.
func (s *Store) EachTask(ctx context.Context, filter TaskFilter, f func(Task) bool) error {
	for cursor := ""; ; {
		tasks, next, err := s.Tasks(ctx, filter, Page{Limit: MaxPage, Cursor: cursor})
		if err != nil {
			return err
		}
		for _, t := range tasks {
			if !f(t) {
				return nil
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}
