package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestOldestByType_IsThatOfEachType: of what was received first.
func TestOldestByType_IsThatOfEachType(t *testing.T) {
	start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	now := start
	onBothAt(t, func() time.Time { return now }, func(t *testing.T, s *store.Store) {
		now = start
		check := func(limit int, wantAll bool, want map[string]time.Time) {
			t.Helper()
			got, all, err := s.OldestByType(t.Context(), limit)
			if err != nil {
				t.Fatal(err)
			}
			if all != wantAll || len(got) != len(want) {
				t.Errorf("limit %d: got %v, all %t, want %v, %t", limit, got, all, want, wantAll)
			}
			for name, at := range want {
				if !got[name].Equal(at) {
					t.Errorf("limit %d: %s since %s, want %s", limit, name, got[name], at)
				}
			}
		}
		check(10, true, nil)
		for _, step := range []struct {
			eventType, id string
			status        quotekit.EventStatus
		}{
			{"a.b", "evt_1", quotekit.EventSucceeded},
			{"a.b", "evt_2", quotekit.EventPending},
			{"a.b", "evt_3", quotekit.EventPending},
			{"c.d", "evt_4", quotekit.EventDead},
			{"c.d", "evt_5", quotekit.EventPending},
		} {
			now = now.Add(time.Second)
			mustReceive(t, s, step.eventType, step.status, step.id)
		}
		at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
		check(10, true, map[string]time.Time{"a.b": at(2), "c.d": at(5)})
		check(3, false, map[string]time.Time{"a.b": at(2), "c.d": at(5)}) // there may be others
		check(2, false, map[string]time.Time{"a.b": at(2)})
	})
}

// TestReads_OfMetricsUseIndexes: they are made every few seconds.
func TestReads_OfMetricsUseIndexes(t *testing.T) {
	explain(t, []explained{
		{
			"the oldest of each type", func(ctx context.Context, s *store.Store) error {
				_, _, err := s.OldestByType(ctx, 10_000)
				return err
			},
			[]string{
				"stripe_webhook_events stripe_webhook_events_pending_idx", "e stripe_webhook_events_pending_idx",
				"webhook_dead_letter_queue webhook_dead_letter_queue_stripe_event_id_idx", "d webhook_dead_letter_queue_stripe_event_id_idx",
				"waiting -", "numbered -", // what the index has found
			},
		},
		{
			"the last reconcile", func(ctx context.Context, s *store.Store) error {
				_, err := s.LastCompleted(ctx, "reconcile", time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
				return err
			},
			[]string{"webhook_tasks webhook_tasks_created_at_idx"},
		},
	})
}

func TestPools_AreThoseOfTheEngine(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		conn, err := s.Writer().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		pools := s.Pools()
		want := []string{"writer", "reader"}
		if s.Postgres() {
			want = []string{"postgres"}
		}
		if len(pools) != len(want) {
			t.Fatalf("got %+v", pools)
		}
		for i, p := range pools {
			if p.Name != want[i] || p.Limit < 1 || p.InUse+p.Idle > p.Limit {
				t.Errorf("got %+v", p)
			}
		}
		if pools[0].InUse != 1 {
			t.Errorf("the writer has %d connections in use, want 1", pools[0].InUse)
		}
	})
}

// TestFiles_TellOfCheckpoints: what was committed is moved, and that is counted.
func TestFiles_TellOfCheckpoints(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		mustReceive(t, s, "a.b", quotekit.EventSucceeded, "evt_1")
		if s.Postgres() {
			if f, ok := s.Files(); ok {
				t.Errorf("got %+v", f)
			}
			return
		}
		deadline := time.After(10 * time.Second)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			f, ok := s.Files()
			if ok && f.Checkpoints > 0 && f.PendingPages == 0 && f.Database > 0 && f.WAL > 0 && f.FailedCheckpoints == 0 {
				return
			}
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("got %+v, %t", f, ok)
			}
		}
	})
}
