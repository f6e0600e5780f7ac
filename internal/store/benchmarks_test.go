package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// figures make the rows of times of one run of a process, all of which take as long.
func figures(eventType string, at time.Time, samples int64, each time.Duration) []store.Latency {
	var rows []store.Latency
	writer := quotekit.NewID()
	for _, g := range []store.Granularity{store.Minute, store.Hour, store.Day} {
		for _, name := range []string{eventType, store.AllTypes} {
			rows = append(rows, store.Latency{
				Granularity: g, EventType: name, Bucket: g.Bucket(at), Writer: writer, Samples: samples,
				Sum: time.Duration(samples) * each, Max: each, Total: "0 0", Handle: "0 0", Wait: "0 0", Commit: "0 0",
			})
		}
	}
	return rows
}

func TestKeepBenchmarks(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 30, 30, 0, time.UTC)
	onBothAt(t, func() time.Time { return now }, func(t *testing.T, s *store.Store) {
		const known, unknown = "checkout.session.completed", "customer.created" // the former has a baseline of 600
		for _, eventType := range []string{known, unknown, "no.route"} {
			mustReceive(t, s, eventType, quotekit.EventSucceeded, "evt_"+eventType)
		}
		mustFold(t, s)
		for _, rows := range [][]store.Latency{
			figures(known, now, 3, 100*time.Millisecond),
			figures(known, now.Add(-24*time.Hour), 1, 500*time.Millisecond), // its minute is in
			figures(known, now.Add(-24*time.Hour-time.Minute), 7, time.Second),
			figures(unknown, now.Add(-12*time.Hour), 2, 1500*time.Microsecond),
			figures("no.route", now, 2, time.Millisecond),
		} {
			if err := s.WriteFigures(t.Context(), rows, nil); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // the second changes nothing
			if err := s.KeepBenchmarks(t.Context(), []string{known, unknown, "never.seen"}); err != nil {
				t.Fatal(err)
			}
			list, err := s.Benchmarks(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, b := range list {
				if !slices.Contains([]string{known, unknown, "never.seen", "invoice.payment_succeeded"}, b.EventType) {
					continue
				}
				if !b.UpdatedAt.Equal(now) {
					t.Errorf("%s is of %v, want %v", b.EventType, b.UpdatedAt, now)
				}
				got = append(got, fmt.Sprint(b.EventType, text(b.BaselineMS), text(b.TargetMS), text(b.CurrentMS), text(b.Improvement), text(b.Samples)))
			}
			want := []string{
				"checkout.session.completed 600 250 200 66.66666666666667 4", "customer.created - 200 1.5 - 2",
				"invoice.payment_succeeded 300 120 - - 0", "never.seen - 200 - - 0",
			}
			if !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		}
	})
}

func text[T any](v *T) string {
	if v == nil {
		return " -"
	}
	return fmt.Sprintf(" %v", *v)
}

// TestKeepBenchmarks_OfTheApplicationsOwnTable, which wants a baseline of every row
// and has two rows of a type.
func TestKeepBenchmarks_OfTheApplicationsOwnTable(t *testing.T) {
	s := mustOpen(t, store.Config{URL: storetest.PostgresURL(t, nil)})
	mustExec(t, s, `CREATE TABLE webhook_performance_benchmarks (event_type VARCHAR(80) NOT NULL, baseline_time_ms INTEGER NOT NULL, target_time_ms INTEGER NOT NULL)`)
	mustExec(t, s, `INSERT INTO webhook_performance_benchmarks VALUES ('a.b', 100, 50), ('a.b', 200, 60)`)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustReceive(t, s, "a.b", quotekit.EventSucceeded, "evt_1")
	mustFold(t, s)
	if err := s.WriteFigures(t.Context(), figures("a.b", time.Now(), 4, 25*time.Millisecond), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.KeepBenchmarks(t.Context(), []string{"c.d"}); err != nil {
		t.Fatal(err)
	}
	got := lines(t, s, `SELECT concat_ws(' ', baseline_time_ms, current_avg_time_ms, improvement_percent, sample_count) FROM webhook_performance_benchmarks WHERE event_type = 'a.b' ORDER BY 1`)
	if want := []string{"100 25 75 4", "200 25 87.5 4"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
