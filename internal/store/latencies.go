package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Latency is a row of webhook_latencies: the times of the events of a type that
// were completed in a bucket, as one run of one process has seen them. The
// histograms are those of package histogram, as text.
type Latency struct {
	Granularity Granularity
	EventType   string
	Bucket      time.Time
	// Writer is the id of the run of the process.
	Writer                      string
	Samples                     int64
	Sum, Max                    time.Duration
	Total, Handle, Wait, Commit string
	// Slowest are the slowest events of the bucket, the slowest first.
	Slowest []SlowestEvent
}

// Refusals are requests that were refused in a minute, as one run of one process
// has seen them.
type Refusals struct {
	Minute   time.Time
	Code     string
	Writer   string
	Requests int64
}

// WriteFigures writes what a run of a process has measured so far: its rows are
// replaced. Rows are unique by their key.
func (s *Store) WriteFigures(ctx context.Context, latencies []Latency, refusals []Refusals) error {
	if len(latencies)+len(refusals) == 0 {
		return nil
	}
	slices.SortFunc(latencies, func(a, b Latency) int {
		return cmp.Or(strings.Compare(string(a.Granularity), string(b.Granularity)), strings.Compare(a.EventType, b.EventType), a.Bucket.Compare(b.Bucket))
	})
	slices.SortFunc(refusals, func(a, b Refusals) int {
		return cmp.Or(a.Minute.Compare(b.Minute), strings.Compare(a.Code, b.Code))
	})
	times := make([][]any, len(latencies))
	for i, l := range latencies {
		slowest, err := json.Marshal(l.Slowest)
		if err != nil {
			return fmt.Errorf("encode slowest events: %w", err)
		}
		times[i] = []any{
			string(l.Granularity), l.EventType, l.Bucket, l.Writer, l.Samples, l.Sum.Microseconds(), l.Max.Microseconds(),
			l.Total, l.Handle, l.Wait, l.Commit, string(slowest),
		}
	}
	refused := make([][]any, len(refusals))
	for i, r := range refusals {
		refused[i] = []any{r.Minute, r.Code, r.Writer, r.Requests}
	}
	const (
		timesPrefix = `INSERT INTO webhook_latencies (granularity, event_type, bucket, writer, samples, sum_us, max_us,
  total_histogram, handle_histogram, wait_histogram, commit_histogram, slowest)`
		timesSuffix = `ON CONFLICT (granularity, event_type, bucket, writer) DO UPDATE SET
  samples = excluded.samples,
  sum_us = excluded.sum_us,
  max_us = excluded.max_us,
  total_histogram = excluded.total_histogram,
  handle_histogram = excluded.handle_histogram,
  wait_histogram = excluded.wait_histogram,
  commit_histogram = excluded.commit_histogram,
  slowest = excluded.slowest`
		refusedPrefix = `INSERT INTO webhook_refusals (bucket, code, writer, requests)`
		refusedSuffix = `ON CONFLICT (bucket, code, writer) DO UPDATE SET
  requests = excluded.requests`
	)
	err := s.WithTx(ctx, func(tx *Tx) error {
		if err := tx.multiRow(ctx, timesPrefix, timesSuffix, 12, times, nil); err != nil {
			return err
		}
		return tx.multiRow(ctx, refusedPrefix, refusedSuffix, 4, refused, nil)
	})
	return wrap(err, "write figures")
}
