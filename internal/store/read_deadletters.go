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
	ErrorClass           *string    `json:"error_class" doc:"Short, and equal for equal errors."`
	ErrorMessage         *string    `json:"error_message" doc:"What the last attempt failed with, without payload."`
	AutomaticRetries     int        `json:"automatic_retries" doc:"How often it was taken up again by itself since it died or an operator took it up."`
	NextRetryAt          *time.Time `json:"next_retry_at" doc:"When it is taken up again by itself; null if it is not."`
	// Status is the event's, empty if the letter is another program's and the event
	// was never received here, or if it was deleted since the letter was resolved.
	Status       quotekit.EventStatus `json:"status" enum:"pending,succeeded,ignored,dead," doc:"The event's; empty if it was never received here, or was deleted."`
	EventCreated *time.Time           `json:"event_created" doc:"When it happened, as Stripe says; null if it is not here."`
	// SupersededBy is there if the event is older than what its row shows.
	SupersededBy *NewerEvent `json:"superseded_by" doc:"The newest succeeded event of the same object, if it is newer than this one."`
	// EventData is read for a single dead letter only.
	EventData json.RawMessage `json:"event_data,omitempty" doc:"The event, or {} if it was deleted because of the age of the letter; only where a single letter is read."`
}

// WithEvent reports whether the letter is shown with its event: it is the one that the
// service makes of an event, and the event is here.
func (d DeadLetterRecord) WithEvent() bool {
	return d.Status != "" && d.ID == quotekit.DeadLetterID(d.StripeEventID)
}

// The row may be the application's own, made before there was an event table.
const selectDeadLetters = `
SELECT d.id, d.stripe_event_id, d.event_type, d.failure_reason, d.failure_count, d.first_failed_at, d.last_failed_at,
  COALESCE(d.requires_manual_review, FALSE), COALESCE(d.resolved, FALSE), d.resolved_at, d.resolved_by,
  d.resolution_notes, d.error_class, COALESCE(d.error_message, e.error_message), d.automatic_retries, d.next_retry_at,
  COALESCE(e.status, ''), e.event_created, n.stripe_event_id, n.event_created`

const fromDeadLetters = `
FROM webhook_dead_letter_queue AS d
LEFT JOIN stripe_webhook_events AS e ON e.stripe_event_id = d.stripe_event_id` + joinNewer

// scanDeadLetter scans the columns of selectDeadLetters and those behind them.
func scanDeadLetter(r row, more ...any) (DeadLetterRecord, error) {
	var (
		d DeadLetterRecord
		n newerColumns
	)
	err := r.Scan(append([]any{
		&d.ID, &d.StripeEventID, &d.EventType, &d.FailureReason, &d.FailureCount, &d.FirstFailedAt, &d.LastFailedAt,
		&d.RequiresManualReview, &d.Resolved, &d.ResolvedAt, &d.ResolvedBy, &d.ResolutionNotes, &d.ErrorClass,
		&d.ErrorMessage, &d.AutomaticRetries, &d.NextRetryAt, &d.Status, &d.EventCreated, &n.id, &n.created,
	}, more...)...)
	d.SupersededBy = n.event()
	return d, err
}

// DeadLetterFilter selects dead letters; what is empty does not restrict.
type DeadLetterFilter struct {
	EventType, Reason, ErrorClass string
	// GroupID is that of an error group.
	GroupID  string
	Resolved *bool
	// RequiresManualReview and Livemode are nil for both. A letter whose event was
	// never received here is of neither mode.
	RequiresManualReview, Livemode *bool
	// From and To bound the last failure: From is in the range, To is not.
	From, To *time.Time
}

// DeadLetters lists dead letters, the last failed first.
func (s *Store) DeadLetters(ctx context.Context, f DeadLetterFilter, p Page) (letters []DeadLetterRecord, cursor string, err error) {
	var q filter
	// Beside the columns stands what the indexes have of them.
	for _, by := range [][2]string{{"d.event_type", f.EventType}, {"d.failure_reason", f.Reason}, {"d.error_class", f.ErrorClass}} {
		if column, value := by[0], by[1]; value != "" {
			q.add("substr("+column+", 1, 150) = %s AND "+column+" = %s", cut(value), value)
		}
	}
	if f.GroupID != "" {
		key, err := s.keyOfGroup(ctx, f.GroupID)
		if quotekit.CodeOf(err) == quotekit.ENotFound {
			return []DeadLetterRecord{}, "", nil
		}
		if err != nil {
			return nil, "", err
		}
		q.add(groupKey+" = %s", key)
	}
	switch {
	case f.Resolved == nil:
	case *f.Resolved:
		q.add("d.resolved IS TRUE")
	default:
		q.add("d.resolved IS NOT TRUE")
	}
	if f.RequiresManualReview != nil {
		q.add("COALESCE(d.requires_manual_review, FALSE) = %s", *f.RequiresManualReview)
	}
	if f.Livemode != nil {
		q.add("e.livemode = %s", *f.Livemode)
	}
	if f.From != nil {
		q.add("d.last_failed_at >= %s", f.From.UTC())
	}
	if f.To != nil {
		q.add("d.last_failed_at < %s", f.To.UTC())
	}
	end, limit, err := q.page(p, "d.last_failed_at", "d.id")
	if err != nil {
		return nil, "", err
	}
	letters, err = queryAll(ctx, s.reader, selectDeadLetters+fromDeadLetters+end, q.args,
		func(r row) (DeadLetterRecord, error) { return scanDeadLetter(r) })
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
	var data sql.NullString
	d, err := scanDeadLetter(s.reader.QueryRowContext(ctx, query, id), &data)
	if errors.Is(err, sql.ErrNoRows) {
		return DeadLetterRecord{}, quotekit.Errorf(quotekit.ENotFound, "there is no dead letter %s", id)
	}
	if err != nil {
		return DeadLetterRecord{}, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	d.EventData = rawJSON(data)
	return d, nil
}
