package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
)

// Benchmark is a row of webhook_performance_benchmarks: what the time of an event
// type was, should be and is.
type Benchmark struct {
	EventType   string     `json:"event_type"`
	BaselineMS  *int64     `json:"baseline_time_ms"`
	TargetMS    *int64     `json:"target_time_ms"`
	CurrentMS   *float64   `json:"current_avg_time_ms" doc:"The average of the last 24 hours."`
	Improvement *float64   `json:"improvement_percent" doc:"By how much the current time is below the baseline."`
	Samples     *int64     `json:"sample_count"`
	UpdatedAt   *time.Time `json:"updated_at"`
}

// SlowestEvent is an event that took long.
type SlowestEvent struct {
	StripeEventID string    `json:"stripe_event_id"`
	EventType     string    `json:"event_type"`
	TookMS        int64     `json:"took_ms"`
	At            time.Time `json:"at"`
}

// cover cuts a range of whole minutes into pieces whose buckets it consists of:
// minutes, hours, days, hours and minutes, each from one of the bounds to the
// next. A piece may be empty. None has buckets longer than the longest given.
func cover(from, to time.Time, longest Granularity) (bounds [6]time.Time) {
	up := func(t time.Time, unit time.Duration) time.Time { return t.Add(unit - 1).Truncate(unit) }
	inner := func(a, b time.Time, unit time.Duration) (time.Time, time.Time) {
		first, last := up(a, unit), b.Truncate(unit)
		if !first.Before(last) {
			return b, b // all of it belongs to the piece before
		}
		return first, last
	}
	from, to = from.UTC(), to.UTC()
	hour, hourEnd := to, to
	if longest != Minute {
		hour, hourEnd = inner(from, to, time.Hour)
	}
	day, dayEnd := hourEnd, hourEnd
	if longest == Day {
		day, dayEnd = inner(hour, hourEnd, 24*time.Hour)
	}
	return [6]time.Time{from, hour, day, dayEnd, hourEnd, to}
}

// covered is a query of the pieces of [cover], whose bounds are its arguments
// from first on.
func covered(columns, table, condition string, first int) string {
	text := ""
	for i, g := range []Granularity{Minute, Hour, Day, Hour, Minute} {
		if i > 0 {
			text += `
  UNION ALL`
		}
		text += fmt.Sprintf(`
  SELECT %s
  FROM %s
  WHERE %s AND granularity = '%s' AND bucket >= $%d AND bucket < $%d`, columns, table, condition, g, first+i, first+i+1)
	}
	return text
}

// typesOf begins a query that reads the buckets of every type: a type after the
// other, since a type's buckets lie side by side. Postgres reads it with one process,
// as it should: to start others takes longer.
const typesOf = `
WITH types AS (
  SELECT DISTINCT event_type
  FROM webhook_event_counts
  WHERE granularity = 'ever' AND event_type <> ''
)`

// coveredByType is [covered] for every type of typesOf.
func coveredByType(columns, table string) string {
	return covered("types.event_type, "+columns, "types\n  CROSS JOIN "+table, table+".event_type = types.event_type", 1)
}

// EventCount is how many events of a type are in a state.
type EventCount struct {
	EventType string
	Status    quotekit.EventStatus
	Events    int64
}

// EventCounts counts the events received in a range of whole minutes by type and
// present state. Figures are a moment late.
func (s *Store) EventCounts(ctx context.Context, from, to time.Time) ([]EventCount, error) {
	query := typesOf + `
SELECT event_type, status, CAST(SUM(events) AS BIGINT)
FROM (` + coveredByType("status, events", "webhook_event_counts") + `
) AS pieces
GROUP BY event_type, status`
	counts, err := queryAll(ctx, s.reader, query, boundsOf(cover(from, to, Day)), func(r row) (c EventCount, err error) {
		return c, r.Scan(&c.EventType, &c.Status, &c.Events)
	})
	return counts, wrap(err, "count events")
}

func boundsOf(bounds [6]time.Time, before ...any) []any {
	args := before
	for _, b := range bounds {
		args = append(args, b)
	}
	return args
}

// TimedCount is how many events were received in a bucket that are in a state.
type TimedCount struct {
	At     time.Time
	Status quotekit.EventStatus
	Events int64
}

// EventSeries counts the events of a type, or of [AllTypes], in a range of whole
// minutes by time and present state, in buckets that are no longer than the
// longest given.
func (s *Store) EventSeries(ctx context.Context, eventType string, from, to time.Time, longest Granularity) ([]TimedCount, error) {
	query := covered("bucket, status, events", "webhook_event_counts", "event_type = $1", 2)
	counts, err := queryAll(ctx, s.reader, query, boundsOf(cover(from, to, longest), eventType), func(r row) (c TimedCount, err error) {
		return c, r.Scan(&c.At, &c.Status, &c.Events)
	})
	return counts, wrap(err, "count events by time")
}

// EverCount is how many events of a type are in a state, whenever they came.
type EverCount struct {
	EventCount
	// LastAt is when the last event of the type was received that was ever in the state.
	LastAt time.Time
}

// EverCounts counts all events by type and present state, [AllTypes] among them.
func (s *Store) EverCounts(ctx context.Context) ([]EverCount, error) {
	const query = `
SELECT event_type, status, events, last_at
FROM webhook_event_counts
WHERE granularity = 'ever'`
	counts, err := queryAll(ctx, s.reader, query, nil, func(r row) (c EverCount, err error) {
		return c, r.Scan(&c.EventType, &c.Status, &c.Events, &c.LastAt)
	})
	return counts, wrap(err, "count all events")
}

// LatenciesByType reads how long events took that were completed in a range of whole
// minutes, but for the rows of [AllTypes]. Of a row it reads the type, the bucket and
// the histogram of the total; there may be many rows of a type.
func (s *Store) LatenciesByType(ctx context.Context, from, to time.Time, f func(Latency) error) error {
	query := typesOf + coveredByType("bucket, total_histogram", "webhook_latencies")
	return wrap(s.latencies(ctx, query, boundsOf(cover(from, to, Day)), f), "read times by type")
}

// LatencySeries is [Store.LatenciesByType] for the events of one type, or of
// [AllTypes], in buckets no longer than the longest given. There may be many rows of a
// bucket.
func (s *Store) LatencySeries(ctx context.Context, eventType string, from, to time.Time, longest Granularity, f func(Latency) error) error {
	query := covered("event_type, bucket, total_histogram", "webhook_latencies", "event_type = $1", 2)
	return wrap(s.latencies(ctx, query, boundsOf(cover(from, to, longest), eventType), f), "read times")
}

func (s *Store) latencies(ctx context.Context, query string, args []any, f func(Latency) error) error {
	rows, err := s.reader.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return scanRows(rows, func(r row) error {
		var l Latency
		if err := r.Scan(&l.EventType, &l.Bucket, &l.Total); err != nil {
			return err
		}
		return f(l)
	})
}

// StagesByType is [Store.LatenciesByType] with the histograms of the stages, too.
func (s *Store) StagesByType(ctx context.Context, from, to time.Time, f func(Latency) error) error {
	query := typesOf + coveredByType("bucket, total_histogram, handle_histogram, wait_histogram, commit_histogram", "webhook_latencies")
	rows, err := s.reader.QueryContext(ctx, query, boundsOf(cover(from, to, Day))...)
	if err != nil {
		return fmt.Errorf("read times of stages: %w", err)
	}
	err = scanRows(rows, func(r row) error {
		var l Latency
		if err := r.Scan(&l.EventType, &l.Bucket, &l.Total, &l.Handle, &l.Wait, &l.Commit); err != nil {
			return err
		}
		return f(l)
	})
	return wrap(err, "read times of stages")
}

// SlowestEvents returns slow events of a type, or of [AllTypes], that were completed in
// a range of whole minutes: the slowest of each bucket, in no certain order.
func (s *Store) SlowestEvents(ctx context.Context, eventType string, from, to time.Time) ([]SlowestEvent, error) {
	query := covered("slowest", "webhook_latencies", "event_type = $1", 2)
	var events []SlowestEvent
	texts, err := queryAll(ctx, s.reader, query, boundsOf(cover(from, to, Day), eventType), scanText)
	for _, text := range texts {
		var some []SlowestEvent
		if err := json.Unmarshal([]byte(text), &some); err != nil {
			return nil, fmt.Errorf("read slowest events: %w", err)
		}
		events = append(events, some...)
	}
	return events, wrap(err, "read slowest events")
}

// PendingSince counts the pending events that were received before an instant and,
// as in [Store.OldestUnprocessed], have no dead letter, to at most limit.
func (s *Store) PendingSince(ctx context.Context, before time.Time, limit int) (n int64, err error) {
	const query = `
SELECT COUNT(*)
FROM (
  SELECT 1
  FROM stripe_webhook_events AS e
  WHERE e.status = 'pending' AND e.received_at < $1 AND NOT EXISTS (
    SELECT 1 FROM webhook_dead_letter_queue AS d WHERE d.stripe_event_id = e.stripe_event_id AND d.resolved IS NOT TRUE
  )
  LIMIT $2
) AS stuck`
	err = s.reader.QueryRowContext(ctx, query, before.UTC(), limit).Scan(&n)
	return n, wrap(err, "count pending events")
}

// UnresolvedDeadLetters counts the dead letters that are not resolved, to at most limit.
func (s *Store) UnresolvedDeadLetters(ctx context.Context, limit int) (n int64, err error) {
	const query = `
SELECT COUNT(*)
FROM (
  SELECT 1
  FROM webhook_dead_letter_queue
  WHERE resolved IS NOT TRUE
  LIMIT $1
) AS unresolved`
	err = s.reader.QueryRowContext(ctx, query, limit).Scan(&n)
	return n, wrap(err, "count dead letters")
}

// RunningBatches counts the bulk operations that wait or run, to at most limit.
func (s *Store) RunningBatches(ctx context.Context, limit int) (n int64, err error) {
	const query = `
SELECT COUNT(*)
FROM (
  SELECT 1
  FROM batch_jobs
  WHERE status IN ('pending', 'processing')
  LIMIT $1
) AS unfinished`
	err = s.reader.QueryRowContext(ctx, query, limit).Scan(&n)
	return n, wrap(err, "count bulk operations")
}

// Benchmarks lists what the times of event types should be and are, by type. The
// table may be the application's own, with several rows of a type.
func (s *Store) Benchmarks(ctx context.Context) ([]Benchmark, error) {
	const query = `
SELECT event_type, baseline_time_ms, target_time_ms, current_avg_time_ms, improvement_percent, sample_count, updated_at
FROM webhook_performance_benchmarks
ORDER BY event_type
LIMIT 1000`
	list, err := queryAll(ctx, s.reader, query, nil, func(r row) (b Benchmark, err error) {
		return b, r.Scan(&b.EventType, &b.BaselineMS, &b.TargetMS, &b.CurrentMS, &b.Improvement, &b.Samples, &b.UpdatedAt)
	})
	return list, wrap(err, "read benchmarks")
}

// Refusals counts the requests to the webhook that were refused in a range of whole
// minutes, by code.
func (s *Store) Refusals(ctx context.Context, from, to time.Time) (map[string]int64, error) {
	const query = `
SELECT code, CAST(SUM(requests) AS BIGINT)
FROM webhook_refusals
WHERE bucket >= $1 AND bucket < $2
GROUP BY code`
	counts := map[string]int64{}
	_, err := queryAll(ctx, s.reader, query, []any{from.UTC(), to.UTC()}, func(r row) (struct{}, error) {
		var (
			code string
			n    int64
		)
		err := r.Scan(&code, &n)
		counts[code] = n
		return struct{}{}, err
	})
	return counts, wrap(err, "count refused requests")
}
