package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// BulkSummary tells what the dead letters of a bulk act are like.
type BulkSummary struct {
	FirstFailedAt *time.Time `json:"first_failed_at" doc:"When the one that failed longest ago failed last; null without letters."`
	LastFailedAt  *time.Time `json:"last_failed_at" doc:"When the one that failed last did; null without letters."`
	Superseded    int        `json:"superseded" doc:"A newer event of the same object has succeeded."`
	Forgotten     int        `json:"forgotten" doc:"The event is older than what Stripe can be asked for."`
	UnderWay      int        `json:"under_way" doc:"The event is being attempted already."`
	Scheduled     int        `json:"scheduled" doc:"It would be taken up again by itself later."`
	// NoHandler is not read here, but from the types by who knows the routes.
	NoHandler int        `json:"no_handler" doc:"No route takes events of their type now: attempted again, they are ignored."`
	Parts     []BulkPart `json:"parts" doc:"The letters by what they died of, the most first; at most 20."`
}

// BulkPart counts letters that died of the same.
type BulkPart struct {
	EventType     string `json:"event_type"`
	FailureReason string `json:"failure_reason"`
	ErrorClass    string `json:"error_class"`
	Count         int    `json:"count"`
}

// The items of a bulk act stand in the order of d.last_failed_at.
const fromTaskItems = `
FROM webhook_task_items AS i
JOIN webhook_dead_letter_queue AS d ON d.id = i.dead_letter_id
LEFT JOIN stripe_webhook_events AS e ON e.stripe_event_id = d.stripe_event_id`

// BulkSummary looks at the dead letters of a bulk act as they are now. Events
// created before an instant are forgotten at Stripe.
func (s *Store) BulkSummary(ctx context.Context, taskID string, forgotten time.Time) (b BulkSummary, err error) {
	const counts = `
SELECT
  COUNT(CASE WHEN EXISTS (
    SELECT 1
    FROM stripe_webhook_events AS n
    WHERE n.object_id = e.object_id AND n.event_created > e.event_created AND n.account = e.account
      AND n.livemode = e.livemode AND n.status = 'succeeded') THEN 1 END),
  COUNT(CASE WHEN e.event_created < $1 THEN 1 END),
  COUNT(CASE WHEN e.status = 'pending' THEN 1 END),
  COUNT(CASE WHEN d.next_retry_at IS NOT NULL THEN 1 END)` + fromTaskItems + `
WHERE i.task_id = $2`
	const parts = `
SELECT d.event_type, d.failure_reason, COALESCE(d.error_class, ''), COUNT(*)` + fromTaskItems + `
WHERE i.task_id = $1
GROUP BY d.event_type, d.failure_reason, COALESCE(d.error_class, '')
ORDER BY COUNT(*) DESC, d.event_type, d.failure_reason, COALESCE(d.error_class, '')
LIMIT 20`
	err = s.reader.QueryRowContext(ctx, counts, forgotten.UTC(), taskID).Scan(&b.Superseded, &b.Forgotten, &b.UnderWay, &b.Scheduled)
	if err != nil {
		return b, wrap(err, "count what task "+taskID+" is about")
	}
	b.Parts, err = queryAll(ctx, s.reader, parts, []any{taskID}, func(r row) (BulkPart, error) {
		var p BulkPart
		err := r.Scan(&p.EventType, &p.FailureReason, &p.ErrorClass, &p.Count)
		return p, err
	})
	if err == nil {
		b.FirstFailedAt, err = s.failedAt(ctx, taskID, "i.position")
	}
	if err == nil {
		b.LastFailedAt, err = s.failedAt(ctx, taskID, "i.position DESC")
	}
	return b, wrap(err, "look at what task "+taskID+" is about")
}

// TaskTypes counts the dead letters of a bulk act by the type of their event.
func (s *Store) TaskTypes(ctx context.Context, taskID string) (map[string]int, error) {
	const query = `
SELECT d.event_type, COUNT(*)` + fromTaskItems + `
WHERE i.task_id = $1
GROUP BY d.event_type`
	types := map[string]int{}
	_, err := queryAll(ctx, s.reader, query, []any{taskID}, func(r row) (struct{}, error) {
		var name string
		var n int
		err := r.Scan(&name, &n)
		types[name] = n
		return struct{}{}, err
	})
	return types, wrap(err, "count the types of task "+taskID)
}

// failedAt is when the first letter of a task in some order failed last.
func (s *Store) failedAt(ctx context.Context, taskID, order string) (*time.Time, error) {
	var at *time.Time
	query := `
SELECT d.last_failed_at` + fromTaskItems + `
WHERE i.task_id = $1
ORDER BY ` + order + `
LIMIT 1`
	err := s.reader.QueryRowContext(ctx, query, taskID).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return at, err
}
