package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// standardTarget is what the time of an event should be below, in milliseconds, if
// nobody says otherwise.
const standardTarget = 200

// KeepBenchmarks brings the table of benchmarks up to date: the figures of the last
// 24 hours, and a row for each of the types. The table may be the application's own.
func (s *Store) KeepBenchmarks(ctx context.Context, types []string) error {
	const insert = `
INSERT INTO webhook_performance_benchmarks (event_type, target_time_ms)
SELECT CAST($1 AS TEXT), CAST($2 AS INTEGER)
WHERE NOT EXISTS (SELECT 1 FROM webhook_performance_benchmarks WHERE event_type = $1)`
	const update = `
UPDATE webhook_performance_benchmarks
SET current_avg_time_ms = CAST($1 AS DOUBLE PRECISION),
  improvement_percent = CASE WHEN baseline_time_ms > 0
    THEN 100.0 * (baseline_time_ms - CAST($1 AS DOUBLE PRECISION)) / baseline_time_ms END,
  sample_count = $2, updated_at = $3
WHERE event_type = $4`
	now := s.instant()
	times, err := s.averages(ctx, now.Add(-24*time.Hour), now)
	if err != nil {
		return err
	}
	err = s.WithTx(ctx, func(tx *Tx) error {
		for _, t := range slices.Sorted(slices.Values(types)) {
			if err := tx.run(ctx, insert, t, standardTarget); err != nil {
				return err
			}
		}
		return nil
	})
	// The application's own table may require a baseline, which nobody knows.
	if err != nil && Classify(err) != DataError {
		return fmt.Errorf("add benchmarks: %w", err)
	}
	benchmarks, err := s.Benchmarks(ctx)
	if err != nil {
		return err
	}
	err = s.WithTx(ctx, func(tx *Tx) error {
		last := ""
		for _, b := range benchmarks { // sorted by type
			if b.EventType == last {
				continue
			}
			last = b.EventType
			var average any
			t := times[b.EventType]
			if t.samples > 0 {
				average = float64(t.sum) / float64(t.samples) / 1000
			}
			if err := tx.run(ctx, update, average, t.samples, tx.Now, b.EventType); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "keep benchmarks")
}

// average is the number of events and the sum of their times in microseconds.
type average struct{ samples, sum int64 }

// averages adds up the times of events that were completed in a range of time, by
// type.
func (s *Store) averages(ctx context.Context, from, to time.Time) (map[string]average, error) {
	query := typesOf + `
SELECT event_type, CAST(SUM(samples) AS BIGINT), CAST(SUM(sum_us) AS BIGINT)
FROM (` + coveredByType("samples, sum_us", "webhook_latencies") + `
) AS pieces
GROUP BY event_type`
	all := map[string]average{}
	bounds := cover(Minute.Bucket(from), Minute.Bucket(to).Add(time.Minute), Day)
	_, err := queryAll(ctx, s.reader, query, boundsOf(bounds), func(r row) (struct{}, error) {
		var (
			eventType string
			a         average
		)
		err := r.Scan(&eventType, &a.samples, &a.sum)
		all[eventType] = a
		return struct{}{}, err
	})
	return all, wrap(err, "add up times")
}
