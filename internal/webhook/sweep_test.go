package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func withJobs(ctx context.Context, s *store.Store) error {
	return s.Migrate(ctx, func(ctx context.Context) error { return jobs.Migrate(ctx, s) })
}

// TestSweep_LeavesWhatWaitsItsTurn has late events with jobs that wait for a worker,
// and between them some that were due before all of these and have no job.
func TestSweep_LeavesWhatWaitsItsTurn(t *testing.T) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &AttemptWorker{})
	for _, url := range []string{storetest.SQLiteURL(t, withJobs), storetest.PostgresURL(t, withJobs)} {
		ahead := func() time.Time { return time.Now().Add(2 * time.Minute) }
		s, err := store.Open(t.Context(), store.Config{URL: url, Now: ahead})
		if err != nil {
			t.Fatal(err)
		}
		client, err := jobs.New(s, workers, jobs.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		routes := Routes{"a": {Type: "a", Priority: 5}, "b": {Type: "b", Priority: 5}, "c": {Type: "c", Priority: 1}}
		sweeper := &Sweeper{store: s, jobs: client, routes: routes, logger: slog.New(slog.DiscardHandler)}
		add := func(n int, eventType string, due time.Time, withJob bool) {
			t.Helper()
			err := s.WithTx(t.Context(), func(tx *store.Tx) error {
				var list []attemptJob
				var events []store.ReceivedEvent
				for i := range n {
					id := fmt.Sprint("evt_", eventType, due.Unix(), "_", i)
					events = append(events, store.ReceivedEvent{
						Event: quotekit.Event{ID: id, Type: eventType}, Status: quotekit.EventPending, Kept: true, NextAttemptAt: due,
					})
					list = append(list, attemptJob{eventID: id, priority: routes[eventType].Priority})
				}
				if _, err := tx.ReceiveEvents(t.Context(), events); err != nil {
					return err
				}
				if !withJob {
					return nil
				}
				return insertAttempts(t.Context(), client, tx, list)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		now := time.Now()
		add(30, "a", now, true)
		add(3, "a", now.Add(-time.Minute), false)
		add(4, "b", now.Add(-time.Minute), false)
		add(5, "c", now.Add(-time.Minute), false) // nothing waits in its lane
		sweep := func(late time.Duration) int {
			t.Helper()
			n, err := sweeper.Sweep(t.Context(), late)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		// By the clock all 42 are late: two minutes have passed.
		if got := sweep(30 * time.Second); got != 12 {
			t.Errorf("got %d events taken up, want the 12 that have no job", got)
		}
		if got := sweep(30 * time.Second); got != 0 {
			t.Errorf("got %d events taken up twice", got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
