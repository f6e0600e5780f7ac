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

// EventRecord is an event as operators see it, without its payload.
type EventRecord struct {
	StripeEventID string                  `json:"stripe_event_id"`
	EventType     string                  `json:"event_type"`
	Account       string                  `json:"account" doc:"The connected account; empty for one's own."`
	APIVersion    *string                 `json:"api_version"`
	Livemode      bool                    `json:"livemode"`
	ObjectID      *string                 `json:"object_id" doc:"Stripe's id of the object that the event is about."`
	EventCreated  *time.Time              `json:"event_created" doc:"When it happened, as Stripe says."`
	Status        quotekit.EventStatus    `json:"status"`
	Attempts      int                     `json:"attempts" doc:"Attempts since it was received or taken up again."`
	Deliveries    int                     `json:"deliveries" doc:"How often Stripe delivered it."`
	ReceivedAt    time.Time               `json:"received_at"`
	ProcessedAt   *time.Time              `json:"processed_at" doc:"When it came to an end; null while it is pending."`
	ErrorMessage  *string                 `json:"error_message"`
	FailureReason *quotekit.FailureReason `json:"failure_reason"`
	NextAttemptAt *time.Time              `json:"next_attempt_at" doc:"When a pending event is attempted again."`
	ReplayMode    *quotekit.ReplayMode    `json:"replay_mode" doc:"What an operator wants applied; null leaves it to the route."`
	// PayloadDeletedAt is nil as long as the payload is there.
	PayloadDeletedAt *time.Time `json:"payload_deleted_at" doc:"When the payload was deleted because of its age; null if it is there."`
}

const selectEvents = `
SELECT stripe_event_id, event_type, account, api_version, livemode, object_id, event_created, status, attempts,
  deliveries, received_at, processed_at, error_message, failure_reason, next_attempt_at, replay_mode,
  payload_deleted_at
FROM stripe_webhook_events`

func scanEvent(r row) (EventRecord, error) {
	var e EventRecord
	err := r.Scan(&e.StripeEventID, &e.EventType, &e.Account, &e.APIVersion, &e.Livemode, &e.ObjectID, &e.EventCreated,
		&e.Status, &e.Attempts, &e.Deliveries, &e.ReceivedAt, &e.ProcessedAt, &e.ErrorMessage, &e.FailureReason, &e.NextAttemptAt,
		&e.ReplayMode, &e.PayloadDeletedAt)
	return e, err
}

// EventFilter selects events; what is empty does not restrict.
type EventFilter struct {
	EventType, Status, ObjectID string
}

// Events lists events, the last received first.
func (s *Store) Events(ctx context.Context, f EventFilter, p Page) (events []EventRecord, cursor string, err error) {
	var q filter
	q.equal("event_type", f.EventType)
	switch s := quotekit.EventStatus(f.Status); s {
	case quotekit.EventPending, quotekit.EventDead:
		// As text, since an index of these rows only is not used for an argument.
		q.add("status = '" + string(s) + "'")
	default:
		q.equal("status", f.Status)
	}
	q.equal("object_id", f.ObjectID)
	end, limit, err := q.page(p, "received_at", "stripe_event_id")
	if err != nil {
		return nil, "", err
	}
	events, err = queryAll(ctx, s.reader, selectEvents+end, q.args, scanEvent)
	if err != nil {
		return nil, "", fmt.Errorf("list events: %w", err)
	}
	events, cursor = next(events, limit, func(e EventRecord) position { return position{e.ReceivedAt, e.StripeEventID} })
	return events, cursor, nil
}

// Event reads one event. It fails with [quotekit.ENotFound].
func (s *Store) Event(ctx context.Context, id string) (EventRecord, error) {
	e, err := scanEvent(s.reader.QueryRowContext(ctx, selectEvents+" WHERE stripe_event_id = $1", id))
	if errors.Is(err, sql.ErrNoRows) {
		return EventRecord{}, quotekit.Errorf(quotekit.ENotFound, "there is no event %s", id)
	}
	if err != nil {
		return EventRecord{}, fmt.Errorf("read event %s: %w", id, err)
	}
	return e, nil
}

// NewerEvent is a succeeded event of the same object that happened later than
// another event.
type NewerEvent struct {
	StripeEventID string    `json:"stripe_event_id"`
	EventCreated  time.Time `json:"event_created" doc:"When it happened, as Stripe says."`
}

// joinNewer joins the event e with the newest succeeded event n of its object,
// if that is newer: one look into the index of objects, and one for its row.
const joinNewer = `
LEFT JOIN stripe_webhook_events AS n ON n.stripe_event_id = (
  SELECT s.stripe_event_id
  FROM stripe_webhook_events AS s
  WHERE s.object_id = e.object_id AND s.event_created > e.event_created AND s.account = e.account
    AND s.livemode = e.livemode AND s.status = 'succeeded'
  ORDER BY s.event_created DESC, s.stripe_event_id DESC
  LIMIT 1)`

const selectNewer = `
SELECT n.stripe_event_id, n.event_created
FROM stripe_webhook_events AS e` + joinNewer + `
WHERE e.stripe_event_id = $1`

// NewerEvent returns the newest succeeded event of the same object that is newer
// than an event, and nil if there is none.
func (s *Store) NewerEvent(ctx context.Context, eventID string) (*NewerEvent, error) {
	return scanNewer(s.reader.QueryRowContext(ctx, selectNewer, eventID), eventID)
}

// NewerEvent is that of [Store], in the transaction.
func (tx *Tx) NewerEvent(ctx context.Context, eventID string) (*NewerEvent, error) {
	return scanNewer(tx.QueryRowContext(ctx, selectNewer, eventID), eventID)
}

func scanNewer(r row, eventID string) (*NewerEvent, error) {
	var n newerColumns
	err := r.Scan(&n.id, &n.created)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("look for an event newer than %s: %w", eventID, err)
	}
	return n.event(), nil
}

// newerColumns are the columns of n, which are null if there is none.
type newerColumns struct {
	id      sql.NullString
	created sql.NullTime
}

func (n newerColumns) event() *NewerEvent {
	if !n.id.Valid {
		return nil
	}
	return &NewerEvent{n.id.String, n.created.Time}
}

// AuditRecord is a line of the audit trail.
type AuditRecord struct {
	ID            string          `json:"id" format:"uuid"`
	At            time.Time       `json:"at"`
	Actor         string          `json:"actor" doc:"stripe, or the name of an operator's token or user."`
	Action        string          `json:"action"`
	StripeEventID *string         `json:"stripe_event_id"`
	Target        *string         `json:"target" doc:"What was acted upon, if not the event itself."`
	Reason        *string         `json:"reason"`
	Before        json.RawMessage `json:"before" doc:"Any value."`
	After         json.RawMessage `json:"after" doc:"Any value."`
	RequestID     *string         `json:"request_id"`
	ChainSequence *int64          `json:"chain_sequence" doc:"Its place in the hash chain of what operators did; null if it is not in it."`
}

// LogRecord is a line of webhook_processing_logs.
type LogRecord struct {
	CreatedAt       time.Time       `json:"created_at"`
	ProcessingStage string          `json:"processing_stage" doc:"completed for an event that was settled at its first attempt."`
	Status          string          `json:"status"`
	HandlerName     *string         `json:"handler_name"`
	ExecutionTimeMS *int64          `json:"execution_time_ms"`
	ErrorMessage    *string         `json:"error_message"`
	RetryAttempt    *int            `json:"retry_attempt" doc:"0 is the first attempt."`
	Metadata        json.RawMessage `json:"metadata" doc:"The times of the stages, in microseconds."`
}

// EventLogs returns the processing logs of an event, oldest first.
func (s *Store) EventLogs(ctx context.Context, eventID string) ([]LogRecord, error) {
	const query = `
SELECT created_at, processing_stage, status, handler_name, execution_time_ms, error_message, retry_attempt, metadata
FROM webhook_processing_logs
WHERE stripe_event_id = $1
ORDER BY created_at, id
LIMIT 1000`
	records, err := queryAll(ctx, s.reader, query, []any{eventID}, func(r row) (LogRecord, error) {
		var l LogRecord
		var metadata sql.NullString
		err := r.Scan(&l.CreatedAt, &l.ProcessingStage, &l.Status, &l.HandlerName, &l.ExecutionTimeMS, &l.ErrorMessage, &l.RetryAttempt, &metadata)
		l.Metadata = rawJSON(metadata)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("read processing logs of event %s: %w", eventID, err)
	}
	return records, nil
}

func rawJSON(s sql.NullString) json.RawMessage {
	if !s.Valid {
		return json.RawMessage("null")
	}
	return json.RawMessage(s.String)
}

// queryAll scans every row of a query; the list is never nil.
func queryAll[T any](ctx context.Context, db *sql.DB, query string, args []any, scan func(row) (T, error)) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	list := []T{}
	err = scanRows(rows, func(r row) error {
		v, err := scan(r)
		list = append(list, v)
		return err
	})
	return list, err
}
