package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func mustAudit(t *testing.T, s *store.Store, entries ...store.AuditEntry) {
	t.Helper()
	mustTx(t, s, func(tx *store.Tx) error { return tx.Audit(t.Context(), entries) })
}

// act is an entry with everything in it that an engine may write in its own way.
func act(n int) store.AuditEntry {
	return store.AuditEntry{
		Actor: "ada", Action: store.AuditResolve, StripeEventID: fmt.Sprintf("evt_%d", n), Target: "letter", Reason: `"why" <é>`,
		Before: map[string]any{"b": 1.50, "a": []any{1e-7, 1e21, nil, "x\u2028"}, "empty": map[string]any{}},
		After:  struct{ Z, A int }{n, 2}, RequestID: "req_1",
	}
}

func mustLines(t *testing.T, s *store.Store) []store.ChainLine {
	t.Helper()
	lines, err := s.ChainLines(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestChain_HasWhatOperatorsDo, in order, and nothing else.
func TestChain_HasWhatOperatorsDo(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		mustAudit(t, s,
			store.AuditEntry{Actor: "stripe", Action: store.AuditDelivered, StripeEventID: "evt_0"}, act(1),
			store.AuditEntry{Actor: "quotekit", Action: store.AuditAutoRetry}, act(2))
		mustAudit(t, s, store.AuditEntry{Actor: "quotekit", Action: store.AuditTaskStart})
		mustAudit(t, s, act(3))

		lines := mustLines(t, s)
		if len(lines) != 3 {
			t.Fatalf("got %d lines, want 3", len(lines))
		}
		previous := ""
		for i, l := range lines {
			if l.Sequence != int64(i+1) || l.Previous != previous || l.Hash != l.Want || len(l.Hash) != 64 {
				t.Errorf("line %d: got %+v after %s", i+1, l, previous)
			}
			previous = l.Hash
		}
		head, err := s.ChainHead(t.Context())
		if err != nil || head.Sequence != 3 || head.Hash != previous || head.BeganAt.IsZero() {
			t.Errorf("got the head %+v, %v, want line 3 and %s", head, err, previous)
		}

		trail, _, err := s.AuditTrail(t.Context(), store.AuditFilter{OperatorsOnly: true}, store.Page{})
		if err != nil || len(trail) != 3 || *trail[0].StripeEventID != "evt_3" || *trail[2].ChainSequence != 1 {
			t.Errorf("got %+v, %v of the operators", trail, err)
		}
	})
}

// TestChain_SerializesActs appends from many goroutines, each in its own transaction.
func TestChain_SerializesActs(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		const writers, each = 8, 5
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for n := range each {
					err := s.WithTx(context.WithoutCancel(t.Context()), func(tx *store.Tx) error {
						return tx.Audit(t.Context(), []store.AuditEntry{act(w), act(n)})
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		lines := mustLines(t, s)
		if len(lines) != writers*each*2 {
			t.Fatalf("got %d lines, want %d", len(lines), writers*each*2)
		}
		previous := ""
		for i, l := range lines {
			if l.Sequence != int64(i+1) || l.Previous != previous || l.Hash != l.Want {
				t.Fatalf("line %d: got %+v after %s", i+1, l, previous)
			}
			previous = l.Hash
		}
	})
}

// TestAuditTrail_IsListedInOrder: by time, and within a transaction as it was written,
// page by page, with filters, while lines are added.
func TestAuditTrail_IsListedInOrder(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678_000, time.UTC)
	onBothAt(t, func() time.Time { return now }, func(t *testing.T, s *store.Store) {
		var want []string
		for n := range 25 {
			now = now.Add(time.Millisecond + 300*time.Microsecond)
			mustAudit(t, s,
				store.AuditEntry{Actor: "stripe", Action: store.AuditDelivered, StripeEventID: fmt.Sprintf("evt_%d", n)},
				store.AuditEntry{Actor: "ada", Action: store.AuditReplay, StripeEventID: fmt.Sprintf("evt_%d", n), Target: "t", RequestID: "req_1"})
			want = append([]string{fmt.Sprintf("evt_%d event.replay", n), fmt.Sprintf("evt_%d event.delivered", n)}, want...)
		}
		all := func(f store.AuditFilter) (got []string) {
			for p := (store.Page{Limit: 7}); ; {
				lines, cursor, err := s.AuditTrail(t.Context(), f, p)
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range lines {
					got = append(got, *l.StripeEventID+" "+l.Action)
				}
				if cursor == "" {
					return got
				}
				mustAudit(t, s, store.AuditEntry{Actor: "late", Action: "late", StripeEventID: "evt_late", Target: "t", RequestID: "req_1"})
				p.Cursor = cursor
			}
		}
		equal(t, "all", all(store.AuditFilter{}), want)
		var acts []string
		for i := 0; i < len(want); i += 2 {
			acts = append(acts, want[i])
		}
		from, to := now.Add(-13*1300*time.Microsecond), now.Add(-1300*time.Microsecond)
		for name, f := range map[string]store.AuditFilter{
			"actor": {Actor: "ada"}, "action": {Action: store.AuditReplay}, "both": {Actor: "ada", Target: "t", RequestID: "req_1", Action: store.AuditReplay},
		} {
			equal(t, name, all(f), acts)
		}
		equal(t, "event", all(store.AuditFilter{StripeEventID: "evt_3"}), []string{"evt_3 event.replay", "evt_3 event.delivered"})
		equal(t, "range", all(store.AuditFilter{Actor: "ada", From: &from, To: &to}), acts[2:14])
		equal(t, "deliveries", all(store.AuditFilter{Actor: "stripe", To: &from}), []string{
			"evt_10 event.delivered", "evt_9 event.delivered", "evt_8 event.delivered", "evt_7 event.delivered", "evt_6 event.delivered",
			"evt_5 event.delivered", "evt_4 event.delivered", "evt_3 event.delivered", "evt_2 event.delivered", "evt_1 event.delivered", "evt_0 event.delivered",
		})
		if _, _, err := s.AuditTrail(t.Context(), store.AuditFilter{}, store.Page{Cursor: "eyJpZCI6IngifQ"}); err == nil {
			t.Error("a foreign cursor was taken")
		}
	})
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got\n%v\nwant\n%v", what, got, want)
	}
}
