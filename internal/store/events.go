package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

// ReceivedEvent is an event with what the deliveries of a group decide of it.
type ReceivedEvent struct {
	quotekit.Event
	// Deliveries is how often the event came in this group.
	Deliveries int
	// CustomerID is the customer that the event is about, where no row of the mirror
	// tells; empty elsewhere.
	CustomerID string
	// Status is what the event becomes, unless it was completed before.
	Status  quotekit.EventStatus
	Reason  quotekit.FailureReason // of pending and dead
	Message string                 // of pending and dead, without payload
	// Kept says that the deliveries were no attempt: the first is still to come.
	Kept bool
	// NextAttemptAt is when a pending event is attempted again.
	NextAttemptAt time.Time
}

// ReceivedState is an event after the deliveries of a group.
type ReceivedState struct {
	Status quotekit.EventStatus
	// Deliveries counts those of this group too.
	Deliveries int
	Round      int
	// Taken reports that this transaction decides the event: it was new, or
	// pending, or dead. If not, it was completed before and nothing has changed
	// but the count of its deliveries.
	Taken bool
}

const receiveEventsPrefix = `INSERT INTO stripe_webhook_events (stripe_event_id, event_type, account, api_version,
  livemode, object_id, event_created, status, attempts, deliveries, payload, received_at, processed_at,
  error_message, failure_reason, failure_reasons, next_attempt_at, settle_id, customer_id)`

// The row that was there decides: the CASEs see it, RETURNING sees the result.
// That settle_id has become ours tells us that the event is ours to decide.
const receiveEventsSuffix = `ON CONFLICT (stripe_event_id) DO UPDATE SET
  deliveries = stripe_webhook_events.deliveries + excluded.deliveries,
  status = CASE WHEN stripe_webhook_events.status IN ('succeeded', 'ignored')
    THEN stripe_webhook_events.status ELSE excluded.status END,
  attempts = CASE WHEN stripe_webhook_events.status IN ('succeeded', 'ignored')
    THEN stripe_webhook_events.attempts ELSE excluded.attempts END,
  round = CASE WHEN stripe_webhook_events.status IN ('succeeded', 'ignored')
    THEN stripe_webhook_events.round ELSE stripe_webhook_events.round + 1 END,
  processed_at = CASE WHEN stripe_webhook_events.status IN ('succeeded', 'ignored')
    THEN stripe_webhook_events.processed_at ELSE excluded.processed_at END,
  error_message = CASE WHEN stripe_webhook_events.status IN ('succeeded', 'ignored')
    THEN stripe_webhook_events.error_message ELSE excluded.error_message END,
  failure_reason = CASE WHEN stripe_webhook_events.status IN ('succeeded', 'ignored')
    THEN stripe_webhook_events.failure_reason ELSE excluded.failure_reason END,
  failure_reasons = CASE WHEN stripe_webhook_events.status IN ('succeeded', 'ignored')
    THEN stripe_webhook_events.failure_reasons ELSE excluded.failure_reasons END,
  next_attempt_at = CASE WHEN stripe_webhook_events.status IN ('succeeded', 'ignored')
    THEN stripe_webhook_events.next_attempt_at ELSE excluded.next_attempt_at END,
  settle_id = CASE WHEN stripe_webhook_events.status IN ('succeeded', 'ignored')
    THEN stripe_webhook_events.settle_id ELSE excluded.settle_id END,
  payload = CASE WHEN stripe_webhook_events.status IN ('succeeded', 'ignored')
    THEN stripe_webhook_events.payload ELSE COALESCE(stripe_webhook_events.payload, excluded.payload) END,
  payload_deleted_at = CASE WHEN stripe_webhook_events.status IN ('succeeded', 'ignored')
    THEN stripe_webhook_events.payload_deleted_at END,
  customer_id = COALESCE(excluded.customer_id, stripe_webhook_events.customer_id),
  previous_status = stripe_webhook_events.status
RETURNING stripe_event_id, status, deliveries, round, CAST(settle_id AS TEXT), COALESCE(previous_status, ''),
  event_type, received_at`

// ReceiveEvents writes the events of a group and tells by event id what became
// of each. It locks their rows, so it comes first in its transaction. Events
// are unique by id.
func (tx *Tx) ReceiveEvents(ctx context.Context, events []ReceivedEvent) (map[string]ReceivedState, error) {
	settleID := quotekit.NewID()
	events = slices.Clone(events)
	slices.SortFunc(events, func(a, b ReceivedEvent) int { return strings.Compare(a.ID, b.ID) })
	rows := make([][]any, len(events))
	for i, e := range events {
		rows[i] = []any{
			e.ID, e.Type, clip(e.Account), null(clip(e.APIVersion)), e.Livemode, null(clip(e.ObjectID)), seconds(e.Created),
			string(e.Status), attempts(e), e.Deliveries, e.Payload, tx.Now, tx.processedAt(e.Status),
			null(e.Message), null(string(e.Reason)), null(string(e.Reason)), instant(e.NextAttemptAt), settleID,
			null(clip(e.CustomerID)),
		}
	}
	states := make(map[string]ReceivedState, len(events))
	scan := func(r row) error {
		var (
			id, settled, eventType string
			was                    quotekit.EventStatus
			receivedAt             time.Time
			s                      ReceivedState
		)
		if err := r.Scan(&id, &s.Status, &s.Deliveries, &s.Round, &settled, &was, &eventType, &receivedAt); err != nil {
			return err
		}
		s.Taken = settled == settleID
		tx.count(eventType, receivedAt, was, s.Status)
		states[id] = s
		return nil
	}
	if err := tx.multiRow(ctx, receiveEventsPrefix, receiveEventsSuffix, 19, rows, scan); err != nil {
		return nil, fmt.Errorf("receive events: %w", err)
	}
	return states, nil
}

// attempts is the count after the attempt that the deliveries of a group are;
// what has no route or is kept for later is not attempted.
func attempts(e ReceivedEvent) int {
	if e.Kept || e.Status == quotekit.EventIgnored {
		return 0
	}
	return 1
}

func (tx *Tx) processedAt(s quotekit.EventStatus) any {
	if s == quotekit.EventPending {
		return nil
	}
	return tx.Now
}

// PendingEvent is an event that is to be attempted again.
type PendingEvent struct {
	ID         string
	Type       string
	Account    string
	APIVersion string
	Livemode   bool
	ObjectID   string
	Status     quotekit.EventStatus
	// Payload is empty if it was deleted.
	Payload []byte
	// Attempts counts those of this round.
	Attempts int
	Round    int
	// Reasons are the distinct reasons its attempts failed for in this round.
	Reasons       []quotekit.FailureReason
	NextAttemptAt time.Time
	ReceivedAt    time.Time
	// Created is when it happened at Stripe; zero if it does not say.
	Created time.Time
	// Mode is what an operator wants applied; empty leaves it to the route.
	Mode quotekit.ReplayMode
}

// PendingEvent reads an event for another attempt. It fails with
// [quotekit.ENotFound].
func (s *Store) PendingEvent(ctx context.Context, id string) (PendingEvent, error) {
	const query = `
SELECT event_type, status, payload, attempts, round, failure_reasons, next_attempt_at, received_at, event_created,
  COALESCE(replay_mode, ''), account, COALESCE(api_version, ''), livemode, COALESCE(object_id, '')
FROM stripe_webhook_events
WHERE stripe_event_id = $1`
	e := PendingEvent{ID: id}
	var (
		reasons sql.NullString
		next    sql.NullTime
		created sql.NullTime
	)
	err := s.reader.QueryRowContext(ctx, query, id).Scan(&e.Type, &e.Status, &e.Payload, &e.Attempts, &e.Round, &reasons,
		&next, &e.ReceivedAt, &created, &e.Mode, &e.Account, &e.APIVersion, &e.Livemode, &e.ObjectID)
	if errors.Is(err, sql.ErrNoRows) {
		return PendingEvent{}, quotekit.Errorf(quotekit.ENotFound, "there is no event %s", id)
	}
	if err != nil {
		return PendingEvent{}, fmt.Errorf("read event %s: %w", id, err)
	}
	for _, r := range strings.Split(reasons.String, ",") {
		if r != "" {
			e.Reasons = append(e.Reasons, quotekit.FailureReason(r))
		}
	}
	e.NextAttemptAt, e.Created = next.Time, created.Time
	return e, nil
}

// Attempt is the outcome of another attempt at a pending event.
type Attempt struct {
	Status        quotekit.EventStatus
	Reason        quotekit.FailureReason
	Message       string
	Reasons       []quotekit.FailureReason // of the round, the new one included
	NextAttemptAt time.Time
}

// FinishedAttempt is an attempt at an event, as it was read.
type FinishedAttempt struct {
	Event PendingEvent
	Attempt
}

// FinishAttempts writes the outcomes of attempts. It is the first statement of the
// deciding transaction, and reports false, having changed nothing, for those whose
// event somebody else has decided in the meantime.
func (tx *Tx) FinishAttempts(ctx context.Context, attempts []FinishedAttempt) (ours []bool, err error) {
	const update = `
UPDATE stripe_webhook_events
SET status = $1, attempts = attempts + 1, processed_at = $2, error_message = $3,
  failure_reason = $4, failure_reasons = $5, next_attempt_at = $6
WHERE stripe_event_id = $7 AND status = 'pending' AND round = $8 AND attempts = $9
RETURNING stripe_event_id`
	order := make([]int, len(attempts)) // of their ids, so that all lock in one order
	for i := range attempts {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(attempts[a].Event.ID, attempts[b].Event.ID) })
	ours = make([]bool, len(attempts))
	queries := make([]query, len(attempts))
	for i, n := range order {
		a := attempts[n]
		reasons := make([]string, len(a.Reasons))
		for j, r := range a.Reasons {
			reasons[j] = string(r)
		}
		args := []any{
			string(a.Status), tx.processedAt(a.Status), null(a.Message), null(string(a.Reason)),
			null(strings.Join(reasons, ",")), instant(a.NextAttemptAt), a.Event.ID, a.Event.Round, a.Event.Attempts,
		}
		queries[i] = query{update, args, func(r row) error {
			ours[n] = true
			tx.count(a.Event.Type, a.Event.ReceivedAt, quotekit.EventPending, a.Status)
			return r.Scan(new(string))
		}}
	}
	if err := tx.all(ctx, queries); err != nil {
		return nil, fmt.Errorf("finish attempts: %w", err)
	}
	return ours, nil
}

// rearm makes an event pending and due at once ($1), in a new round with attempts
// counted from zero.
const rearm = `
UPDATE stripe_webhook_events
SET status = 'pending', attempts = 0, round = round + 1, processed_at = NULL, failure_reasons = NULL, next_attempt_at = $1,
  previous_status = status`

// RearmEvent makes an event pending and due at once, in a new round with
// attempts counted from zero, which apply what mode says. It reports the round,
// and false when the event is not in one of the given states.
func (tx *Tx) RearmEvent(ctx context.Context, id string, mode quotekit.ReplayMode, from ...quotekit.EventStatus) (round int, ok bool, err error) {
	update := rearm + `, replay_mode = $2
WHERE stripe_event_id = $3 AND status IN (` + list(4, len(from)) + `)
RETURNING round, previous_status, event_type, received_at`
	args := []any{tx.Now, null(string(mode)), id}
	for _, s := range from {
		args = append(args, string(s))
	}
	var (
		was        quotekit.EventStatus
		eventType  string
		receivedAt time.Time
	)
	err = tx.QueryRowContext(ctx, update, args...).Scan(&round, &was, &eventType, &receivedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("rearm event %s: %w", id, err)
	}
	tx.count(eventType, receivedAt, was, quotekit.EventPending)
	return round, true, nil
}

// PayloadDeleted reports whether the payload of an event was deleted, and when.
func (tx *Tx) PayloadDeleted(ctx context.Context, id string) (deleted bool, at time.Time, err error) {
	const query = `SELECT payload_deleted_at FROM stripe_webhook_events WHERE stripe_event_id = $1 AND payload IS NULL`
	var when sql.NullTime
	err = tx.QueryRowContext(ctx, query, id).Scan(&when)
	if errors.Is(err, sql.ErrNoRows) {
		return false, time.Time{}, nil
	}
	return err == nil, when.Time, wrap(err, "look for the payload of event "+id)
}

// OverdueEvent is a pending event whose attempt should have happened.
type OverdueEvent struct {
	ID    string
	Type  string
	Round int
}

// OverdueTypes returns the types of the pending events that have been due for
// longer than late.
func (s *Store) OverdueTypes(ctx context.Context, late time.Duration) ([]string, error) {
	const query = `
SELECT DISTINCT event_type
FROM stripe_webhook_events
WHERE status = 'pending' AND next_attempt_at < $1`
	rows, err := s.reader.QueryContext(ctx, query, s.instant().Add(-late))
	if err != nil {
		return nil, fmt.Errorf("list types of overdue events: %w", err)
	}
	var types []string
	err = scanRows(rows, func(r row) error {
		var t string
		if err := r.Scan(&t); err != nil {
			return err
		}
		types = append(types, t)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list types of overdue events: %w", err)
	}
	return types, nil
}

// TakeOverdue returns at most limit pending events of the given types that were
// due before the given instant, the longest overdue first, and makes them due now,
// so that nobody else takes them until they are overdue again.
func (tx *Tx) TakeOverdue(ctx context.Context, types []string, before time.Time, limit int) ([]OverdueEvent, error) {
	update := `
UPDATE stripe_webhook_events
SET next_attempt_at = $1
WHERE status = 'pending' AND next_attempt_at < $2 AND stripe_event_id IN (
  SELECT stripe_event_id
  FROM stripe_webhook_events
  WHERE status = 'pending' AND next_attempt_at < $2 AND event_type IN (` + list(4, len(types)) + `)
  ORDER BY next_attempt_at
  LIMIT $3)
RETURNING stripe_event_id, event_type, round`
	args := []any{tx.Now, before, limit}
	for _, t := range types {
		args = append(args, t)
	}
	rows, err := tx.QueryContext(ctx, update, args...)
	if err != nil {
		return nil, fmt.Errorf("take overdue events: %w", err)
	}
	var events []OverdueEvent
	err = scanRows(rows, func(r row) error {
		var e OverdueEvent
		if err := r.Scan(&e.ID, &e.Type, &e.Round); err != nil {
			return err
		}
		events = append(events, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take overdue events: %w", err)
	}
	return events, nil
}
