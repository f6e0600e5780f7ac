package store_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/bench"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// explained is a read and the indexes that may serve it, as "table index"; that of a
// primary key is "pkey". A table that is read from beginning to end is "table -".
type explained struct {
	name    string
	read    func(context.Context, *store.Store) error
	indexes []string
}

// explain lists which indexes the queries of each read use on a database with some
// thousand events. On Postgres tables are read from beginning to end only where
// there is no other way, which is what happens anyway when they are large.
func explain(t *testing.T, reads []explained) {
	onHistory(t, func(t *testing.T, s *store.Store, recorder *store.Recorder) {
		for _, r := range reads {
			if err := r.read(t.Context(), s); err != nil {
				t.Errorf("%s: %v", r.name, err)
				continue
			}
			var used []string
			for _, q := range recorder.Take() {
				used = append(used, plan(t, s, q)...)
			}
			recorder.Take()
			if len(used) == 0 {
				t.Errorf("%s reads no table", r.name)
			}
			for _, u := range used {
				if !slices.Contains(r.indexes, u) {
					t.Errorf("%s uses %s, want one of %q", r.name, u, r.indexes)
				}
			}
		}
	})
}

// onHistory gives a store with some thousand events, whose reads are recorded.
func onHistory(t *testing.T, f func(*testing.T, *store.Store, *store.Recorder)) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		events := 8000
		if !s.Postgres() {
			events = 400 // SQLite decides by the indexes alone
		}
		history := bench.History{
			Events: events, Days: 3, Until: time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC), Logs: 2000, Histogram: "0 0 3:1",
		}
		if err := history.Fill(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		recorder, stop, err := store.Record(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}()
		if s.Postgres() {
			mustQuery(t, s, `SELECT set_config('enable_seqscan', 'off', FALSE)`)
			recorder.Take()
		}
		f(t, s, recorder)
	})
}

func mustQuery(t *testing.T, s *store.Store, query string, args ...any) []string {
	t.Helper()
	return lines(t, s, query, args...)
}

// plan returns the indexes that a query uses.
func plan(t *testing.T, s *store.Store, q store.Recorded) []string {
	t.Helper()
	if s.Postgres() {
		var nodes []map[string]any
		text := strings.Join(mustQuery(t, s, "EXPLAIN (FORMAT JSON) "+q.Text, q.Args...), "")
		if err := json.Unmarshal([]byte(text), &nodes); err != nil {
			t.Fatal(err)
		}
		return planNodes(nodes[0]["Plan"].(map[string]any), "")
	}
	rows, err := s.Reader().QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+q.Text, q.Args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var used []string
	for rows.Next() {
		var (
			id, parent, unused int
			detail             string
		)
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(detail)
		if len(words) < 2 || words[0] != "SCAN" && words[0] != "SEARCH" {
			continue
		}
		index := "-"
		if _, after, found := strings.Cut(detail, " INDEX "); found {
			index, _, _ = strings.Cut(after, " ")
			if strings.HasPrefix(index, "sqlite_autoindex_") {
				index = "pkey"
			}
		} else if strings.Contains(detail, "USING PRIMARY KEY") {
			index = "pkey"
		}
		if words[0] == "SEARCH" || strings.Contains(words[1], "_") { // else a subquery, which has a name of one word
			used = append(used, words[1]+" "+index)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return used
}

// planNodes returns the indexes of a node and of those below it.
func planNodes(node map[string]any, table string) (used []string) {
	if name, ok := node["Relation Name"].(string); ok {
		table = name
	}
	below, _ := node["Plans"].([]any)
	index, ok := node["Index Name"].(string)
	switch {
	case ok:
		if strings.HasSuffix(index, "_pkey") {
			index = "pkey"
		}
		used = append(used, table+" "+index)
	case node["Relation Name"] != nil && len(below) == 0:
		used = append(used, table+" -")
	}
	for _, n := range below {
		used = append(used, planNodes(n.(map[string]any), table)...)
	}
	return used
}

// TestExplain_Statistics: none of the tables that grow is read from beginning to end.
func TestExplain_Statistics(t *testing.T) {
	to := time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)
	from := to.Add(-2*24*time.Hour - 7*time.Minute)
	nothing := func(store.Latency) error { return nil }
	counts := []string{"webhook_event_counts pkey"}
	latencies := append([]string{"webhook_latencies pkey"}, counts...) // of which the types are read
	pending := []string{
		"stripe_webhook_events stripe_webhook_events_pending_idx", "webhook_dead_letter_queue webhook_dead_letter_queue_stripe_event_id_idx",
		"e stripe_webhook_events_pending_idx", "d webhook_dead_letter_queue_stripe_event_id_idx", // SQLite tells the alias
	}
	explain(t, []explained{
		{"event counts", func(ctx context.Context, s *store.Store) error {
			_, err := s.EventCounts(ctx, from, to)
			return err
		}, counts},
		{"event series", func(ctx context.Context, s *store.Store) error {
			_, err := s.EventSeries(ctx, store.AllTypes, from, to, store.Day)
			return err
		}, counts},
		{"ever", func(ctx context.Context, s *store.Store) error {
			_, err := s.EverCounts(ctx)
			return err
		}, counts},
		{"times by type", func(ctx context.Context, s *store.Store) error {
			return s.LatenciesByType(ctx, from, to, nothing)
		}, latencies},
		{"series of times", func(ctx context.Context, s *store.Store) error {
			return s.LatencySeries(ctx, "a.b", from, to, store.Hour, nothing)
		}, latencies},
		{"stages", func(ctx context.Context, s *store.Store) error {
			return s.StagesByType(ctx, from, to, nothing)
		}, latencies},
		{"slowest events", func(ctx context.Context, s *store.Store) error {
			_, err := s.SlowestEvents(ctx, store.AllTypes, from, to)
			return err
		}, latencies},
		{"oldest unprocessed", func(ctx context.Context, s *store.Store) error {
			_, err := s.OldestUnprocessed(ctx)
			return err
		}, pending},
		{"pending since", func(ctx context.Context, s *store.Store) error {
			_, err := s.PendingSince(ctx, to, 100)
			return err
		}, pending},
		{"dead letters", func(ctx context.Context, s *store.Store) error {
			_, err := s.UnresolvedDeadLetters(ctx, 100)
			return err
		}, []string{ // any that has only those which are not resolved
			"webhook_dead_letter_queue webhook_dead_letter_queue_open_idx", "webhook_dead_letter_queue webhook_dead_letter_queue_group_idx",
			"webhook_dead_letter_queue webhook_dead_letter_queue_event_type_idx", "webhook_dead_letter_queue webhook_dead_letter_queue_failure_reason_idx",
			"webhook_dead_letter_queue webhook_dead_letter_queue_error_class_idx",
		}},
		{"running batches", func(ctx context.Context, s *store.Store) error {
			_, err := s.RunningBatches(ctx, 100)
			return err
		}, []string{
			"batch_jobs batch_jobs_unfinished_idx", "batch_jobs batch_jobs_running_idx", "batch_jobs batch_jobs_status_idx",
		}},
		{"refusals", func(ctx context.Context, s *store.Store) error {
			_, err := s.Refusals(ctx, from, to)
			return err
		}, []string{"webhook_refusals pkey"}},
		{"benchmarks, of which there are few", func(ctx context.Context, s *store.Store) error {
			_, err := s.Benchmarks(ctx)
			return err
		}, []string{"webhook_performance_benchmarks pkey"}},
	})
}
