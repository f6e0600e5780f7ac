package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
)

// ProcessingLog is a line of webhook_processing_logs: one stage of one attempt.
type ProcessingLog struct {
	At            time.Time
	StripeEventID string
	EventType     string
	// Stage is "completed" for an event that was settled at its first attempt.
	Stage   string
	Status  string
	Handler string
	Took    time.Duration
	Message string
	// Attempt is 0 for the first attempt, 1 for the first retry.
	Attempt int
	// StageMicros are the times of the stages, in microseconds.
	StageMicros map[string]int64
}

// WriteLogs appends telemetry. It is not part of any event's transaction.
func (s *Store) WriteLogs(ctx context.Context, logs []ProcessingLog) error {
	rows := make([][]any, len(logs))
	for i, l := range logs {
		metadata, err := json.Marshal(map[string]any{"stage_us": l.StageMicros})
		if err != nil {
			return fmt.Errorf("encode processing log: %w", err)
		}
		rows[i] = []any{
			quotekit.NewID(), l.StripeEventID, l.EventType, l.Stage, l.Status, null(l.Handler),
			l.Took.Milliseconds(), null(l.Message), l.Attempt, string(metadata), l.At.UTC().Truncate(time.Microsecond),
		}
	}
	const prefix = `INSERT INTO webhook_processing_logs (id, stripe_event_id, event_type, processing_stage, status,
  handler_name, execution_time_ms, error_message, retry_attempt, metadata, created_at)`
	err := s.WithTx(ctx, func(tx *Tx) error { return tx.multiRow(ctx, prefix, "", 11, rows, nil) })
	if err != nil {
		return fmt.Errorf("write processing logs: %w", err)
	}
	return nil
}
