package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
	// ManualReview says that nothing but a person will take it up again.
	ManualReview bool
}

// Bury puts events into the dead letter queue. An event that lies there
// already keeps its row: it has failed once more, and is unresolved again.
func (tx *Tx) Bury(ctx context.Context, letters []DeadLetter) error {
	letters = slices.Clone(letters)
	slices.SortFunc(letters, func(a, b DeadLetter) int {
		return strings.Compare(quotekit.DeadLetterID(a.EventID), quotekit.DeadLetterID(b.EventID))
	})
	rows := make([][]any, len(letters))
	for i, l := range letters {
		rows[i] = []any{
			quotekit.DeadLetterID(l.EventID), l.EventID, l.EventType, l.Data, string(l.Reason), 1,
			tx.Now, tx.Now, l.ManualReview, false,
		}
	}
	const prefix = `INSERT INTO webhook_dead_letter_queue (id, stripe_event_id, event_type, event_data, failure_reason,
  failure_count, first_failed_at, last_failed_at, requires_manual_review, resolved)`
	const suffix = `ON CONFLICT (id) DO UPDATE SET
  failure_reason = excluded.failure_reason,
  failure_count = webhook_dead_letter_queue.failure_count + 1,
  last_failed_at = excluded.last_failed_at,
  requires_manual_review = excluded.requires_manual_review,
  resolved = excluded.resolved,
  resolved_at = NULL,
  resolved_by = NULL`
	if err := tx.multiRow(ctx, prefix, suffix, 10, rows, nil); err != nil {
		return fmt.Errorf("bury events: %w", err)
	}
	return nil
}

// ResolveSettled marks the dead letters of events that have been settled as
// resolved. An empty note keeps what was noted before.
func (tx *Tx) ResolveSettled(ctx context.Context, eventIDs []string, note string) error {
	const update = `
UPDATE webhook_dead_letter_queue
SET resolved_at = $1, resolution_notes = COALESCE($2, resolution_notes), resolved = $3, requires_manual_review = $4
WHERE resolved = $4 AND stripe_event_id = $5`
	for _, id := range eventIDs {
		if err := tx.run(ctx, update, tx.Now, null(note), true, false, id); err != nil {
			return fmt.Errorf("resolve dead letter of event %s: %w", id, err)
		}
	}
	return nil
}

// ResolveDeadLetter closes one dead letter; resolvedBy is empty or a user id.
// It reports false if the letter was closed already.
func (tx *Tx) ResolveDeadLetter(ctx context.Context, id, note, resolvedBy string) (bool, error) {
	const update = `
UPDATE webhook_dead_letter_queue
SET resolved_at = $1, resolution_notes = $2, resolved_by = $3, resolved = $4, requires_manual_review = $5
WHERE resolved = $5 AND id = $6`
	result, err := tx.ExecContext(ctx, update, tx.Now, null(note), null(resolvedBy), true, false, id)
	return changedOne(result, err, "resolve dead letter "+id)
}

// NoteDeadLetter keeps why an operator retries a dead letter.
func (tx *Tx) NoteDeadLetter(ctx context.Context, eventID, note string) error {
	const update = `
UPDATE webhook_dead_letter_queue
SET resolution_notes = $1
WHERE stripe_event_id = $2 AND resolved = $3`
	if _, err := tx.ExecContext(ctx, update, null(note), eventID, false); err != nil {
		return fmt.Errorf("note dead letter of event %s: %w", eventID, err)
	}
	return nil
}
