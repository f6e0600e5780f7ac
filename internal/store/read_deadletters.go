package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
)

// DeadLetterRecord is a dead letter as operators see it.
type DeadLetterRecord struct {
	ID                   string     `json:"id" format:"uuid"`
	StripeEventID        string     `json:"stripe_event_id"`
	EventType            string     `json:"event_type"`
	FailureReason        string     `json:"failure_reason" doc:"Of our own letters one of the reasons of events."`
	FailureCount         int        `json:"failure_count"`
	FirstFailedAt        time.Time  `json:"first_failed_at"`
	LastFailedAt         time.Time  `json:"last_failed_at"`
	RequiresManualReview bool       `json:"requires_manual_review"`
	Resolved             bool       `json:"resolved"`
	ResolvedAt           *time.Time `json:"resolved_at"`
	ResolvedBy           *string    `json:"resolved_by"`
	ResolutionNotes      *string    `json:"resolution_notes" doc:"The reason that was given."`
	ErrorMessage         *string    `json:"error_message"`
	// Status is the event's, empty if the letter is the application's own and
	// the event was never received here.
	Status quotekit.EventStatus `json:"status" enum:"pending,succeeded,ignored,dead," doc:"The event's; empty if it was never received here."`
	// EventData is read for a single dead letter only.
	EventData json.RawMessage `json:"event_data,omitempty" doc:"The event; only where a single letter is read."`
}

// The row may be the application's own, made before there was an event table.
const selectDeadLetters = `
SELECT d.id, d.stripe_event_id, d.event_type, d.failure_reason, d.failure_count, d.first_failed_at, d.last_failed_at,
  COALESCE(d.requires_manual_review, FALSE), COALESCE(d.resolved, FALSE), d.resolved_at, d.resolved_by,
  d.resolution_notes, e.error_message, COALESCE(e.status, '')`

const fromDeadLetters = `
FROM webhook_dead_letter_queue AS d
LEFT JOIN stripe_webhook_events AS e ON e.stripe_event_id = d.stripe_event_id`

func (d *DeadLetterRecord) targets() []any {
	return []any{
		&d.ID, &d.StripeEventID, &d.EventType, &d.FailureReason, &d.FailureCount, &d.FirstFailedAt, &d.LastFailedAt,
		&d.RequiresManualReview, &d.Resolved, &d.ResolvedAt, &d.ResolvedBy, &d.ResolutionNotes, &d.ErrorMessage, &d.Status,
	}
}

// DeadLetterFilter selects dead letters; what is empty does not restrict.
type DeadLetterFilter struct {
	EventType, Reason string
	Resolved          *bool
}

// DeadLetters lists dead letters, the last failed first.
func (s *Store) DeadLetters(ctx context.Context, f DeadLetterFilter, p Page) (letters []DeadLetterRecord, cursor string, err error) {
	var q filter
	q.equal("d.event_type", f.EventType)
	q.equal("d.failure_reason", f.Reason)
	if f.Resolved != nil {
		q.add("d.resolved = %s", *f.Resolved)
	}
	end, limit, err := q.page(p, "d.last_failed_at", "d.id")
	if err != nil {
		return nil, "", err
	}
	letters, err = queryAll(ctx, s.reader, selectDeadLetters+fromDeadLetters+end, q.args,
		func(r row) (DeadLetterRecord, error) {
			var d DeadLetterRecord
			err := r.Scan(d.targets()...)
			return d, err
		})
	if err != nil {
		return nil, "", fmt.Errorf("list dead letters: %w", err)
	}
	letters, cursor = next(letters, limit, func(d DeadLetterRecord) position { return position{d.LastFailedAt, d.ID} })
	return letters, cursor, nil
}

// DeadLetter reads a dead letter by its own id or by that of its event. It
// fails with [quotekit.ENotFound].
func (s *Store) DeadLetter(ctx context.Context, id string) (DeadLetterRecord, error) {
	column := "d.stripe_event_id"
	if uuid.Validate(id) == nil {
		column = "d.id"
	}
	query := selectDeadLetters + `, d.event_data` + fromDeadLetters + `
WHERE ` + column + ` = $1
ORDER BY d.last_failed_at DESC
LIMIT 1`
	var (
		d    DeadLetterRecord
		data sql.NullString
	)
	err := s.reader.QueryRowContext(ctx, query, id).Scan(append(d.targets(), &data)...)
	if errors.Is(err, sql.ErrNoRows) {
		return DeadLetterRecord{}, quotekit.Errorf(quotekit.ENotFound, "there is no dead letter %s", id)
	}
	if err != nil {
		return DeadLetterRecord{}, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	d.EventData = rawJSON(data)
	return d, nil
}
