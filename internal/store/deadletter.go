package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

// DeadLetter is an event that is buried.
type DeadLetter struct {
	EventID   string
	EventType string
	// Data is the event as JSON that jsonb takes; the bytes that were received
	// are the payload of the event's own row.
	Data   string
	Reason quotekit.FailureReason
	// ErrorClass and ErrorMessage say what the last attempt failed with, without
	// payload.
	ErrorClass, ErrorMessage string
	// RetryAfter are the pauses before it is taken up again by itself, one for each
	// time. Behind the last, or if there are none, nothing but a person will.
	RetryAfter []time.Duration
}

// Bury puts events into the dead letter queue. An event that lies there
// already keeps its row: it has failed once more, and is unresolved again. The
// transaction has locked the rows of the events before.
func (tx *Tx) Bury(ctx context.Context, letters []DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	letters = slices.Clone(letters)
	slices.SortFunc(letters, func(a, b DeadLetter) int {
		return strings.Compare(quotekit.DeadLetterID(a.EventID), quotekit.DeadLetterID(b.EventID))
	})
	known, err := tx.buriedBefore(ctx, letters)
	if err != nil {
		return err
	}
	rows := make([][]any, len(letters))
	for i, l := range letters {
		id := quotekit.DeadLetterID(l.EventID)
		before := known[id]
		var next time.Time
		if before.retries < len(l.RetryAfter) {
			next = tx.Now.Add(l.RetryAfter[before.retries]).Truncate(time.Microsecond)
		}
		rows[i] = []any{
			id, l.EventID, l.EventType, l.Data, string(l.Reason), 1,
			tx.Now, tx.Now, next.IsZero(), false, null(l.ErrorClass), null(l.ErrorMessage), instant(next),
		}
		group := groupOf(l.EventType, string(l.Reason), l.ErrorClass)
		tx.groups.joined(groupChange{group, tx.Now, tx.Now})
		if before.open && before.errorGroup != group {
			tx.groups.left(before.groupChange)
		}
	}
	const prefix = `INSERT INTO webhook_dead_letter_queue (id, stripe_event_id, event_type, event_data, failure_reason,
  failure_count, first_failed_at, last_failed_at, requires_manual_review, resolved, error_class, error_message, next_retry_at)`
	const suffix = `ON CONFLICT (id) DO UPDATE SET
  failure_reason = excluded.failure_reason,
  failure_count = webhook_dead_letter_queue.failure_count + 1,
  last_failed_at = excluded.last_failed_at,
  requires_manual_review = excluded.requires_manual_review,
  resolved = excluded.resolved,
  resolved_at = NULL,
  resolved_by = NULL,
  error_class = excluded.error_class,
  error_message = excluded.error_message,
  next_retry_at = excluded.next_retry_at`
	if err := tx.multiRow(ctx, prefix, suffix, 13, rows, nil); err != nil {
		return fmt.Errorf("bury events: %w", err)
	}
	return nil
}

// buriedLetter is what is known of a letter before it is buried again.
type buriedLetter struct {
	groupChange
	retries int // how often it was taken up by itself
	open    bool
}

// buriedBefore reads those of the letters, by id, that are there already.
func (tx *Tx) buriedBefore(ctx context.Context, letters []DeadLetter) (map[string]buriedLetter, error) {
	query := `
SELECT id, automatic_retries, resolved IS NOT TRUE, event_type, failure_reason, COALESCE(error_class, ''), first_failed_at,
  last_failed_at
FROM webhook_dead_letter_queue
WHERE ` + tx.dialect.among("id", "$1")
	ids := make([]string, len(letters))
	for i, l := range letters {
		ids[i] = quotekit.DeadLetterID(l.EventID)
	}
	known := map[string]buriedLetter{}
	err := tx.returning(ctx, query, func(r row) error {
		var (
			l                      buriedLetter
			id, typ, reason, class string
			first, last            sql.NullTime
		)
		err := r.Scan(&id, &l.retries, &l.open, &typ, &reason, &class, &first, &last)
		l.groupChange = groupChange{groupOf(typ, reason, class), cmp.Or(first.Time, tx.Now), cmp.Or(last.Time, tx.Now)}
		known[id] = l
		return err
	}, tx.dialect.idsArgument(ids))
	return known, wrap(err, "read dead letters")
}

// ResolveSettled marks the dead letters of events that have been settled as
// resolved. An empty note keeps what was noted before.
func (tx *Tx) ResolveSettled(ctx context.Context, eventIDs []string, note string) error {
	const update = `
UPDATE webhook_dead_letter_queue
SET resolved_at = $1, resolution_notes = COALESCE($2, resolution_notes), resolved = $3, requires_manual_review = $4,
  next_retry_at = NULL
WHERE resolved = $4 AND stripe_event_id = $5`
	for _, id := range eventIDs {
		if err := tx.run(ctx, update, tx.Now, null(note), true, false, id); err != nil {
			return fmt.Errorf("resolve dead letter of event %s: %w", id, err)
		}
	}
	tx.groups.settled = append(tx.groups.settled, eventIDs...)
	return nil
}

// ResolveRetried marks the dead letter of an event that a retry has completed as
// resolved. The note goes behind what was noted when it was taken up.
func (tx *Tx) ResolveRetried(ctx context.Context, eventID, note string) error {
	const update = `
UPDATE webhook_dead_letter_queue
SET resolved_at = $1, resolution_notes = COALESCE(resolution_notes || ' ' || $2, $2, resolution_notes), resolved = $3,
  requires_manual_review = $4, next_retry_at = NULL
WHERE resolved = $4 AND stripe_event_id = $5`
	if err := tx.run(ctx, update, tx.Now, null(note), true, false, eventID); err != nil {
		return fmt.Errorf("resolve dead letter of event %s: %w", eventID, err)
	}
	tx.groups.settled = append(tx.groups.settled, eventID)
	return nil
}

// ResolveDeadLetter closes one dead letter; resolvedBy is empty or a user id.
// It reports false if the letter was closed already.
func (tx *Tx) ResolveDeadLetter(ctx context.Context, id, note, resolvedBy string) (bool, error) {
	const update = `
UPDATE webhook_dead_letter_queue
SET resolved_at = $1, resolution_notes = $2, resolved_by = $3, resolved = $4, requires_manual_review = $5,
  next_retry_at = NULL
WHERE COALESCE(resolved, FALSE) = $5 AND id = $6
RETURNING stripe_event_id`
	found := false
	err := tx.returning(ctx, update, func(r row) error {
		var eventID string
		err := r.Scan(&eventID)
		tx.groups.settled = append(tx.groups.settled, eventID)
		found = true
		return err
	}, tx.Now, null(note), null(resolvedBy), true, false, id)
	return found, wrap(err, "resolve dead letter "+id)
}

// TakeUpDeadLetter keeps why an operator takes a dead letter up again, if there
// is one. What happens by itself starts anew: should the event die once more, it
// has all its automatic retries before it.
func (tx *Tx) TakeUpDeadLetter(ctx context.Context, eventID, note string) error {
	const update = `
UPDATE webhook_dead_letter_queue
SET automatic_retries = 0, next_retry_at = NULL,
  resolution_notes = CASE WHEN resolved THEN resolution_notes ELSE $1 END
WHERE stripe_event_id = $2`
	if _, err := tx.ExecContext(ctx, update, null(note), eventID); err != nil {
		return fmt.Errorf("take up dead letter of event %s: %w", eventID, err)
	}
	return nil
}
