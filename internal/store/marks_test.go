package store_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestExplain_Marks: what is asked every second reads no table that grows from
// beginning to end.
func TestExplain_Marks(t *testing.T) {
	explain(t, []explained{{"marks", func(ctx context.Context, s *store.Store) error {
		_, err := s.Marks(ctx)
		return err
	}, []string{
		"webhook_event_counts pkey",
		"webhook_dead_letter_queue webhook_dead_letter_queue_open_idx", "webhook_dead_letter_queue webhook_dead_letter_queue_group_idx",
		"webhook_dead_letter_queue webhook_dead_letter_queue_event_type_idx", "webhook_dead_letter_queue webhook_dead_letter_queue_failure_reason_idx",
		"webhook_dead_letter_queue webhook_dead_letter_queue_error_class_idx",
		"webhook_alerts webhook_alerts_unresolved_key", "webhook_alerts webhook_alerts_resolved_at_idx", "batch_jobs batch_jobs_unfinished_idx", "batch_jobs batch_jobs_running_idx",
		"batch_jobs batch_jobs_status_idx", "batch_jobs batch_jobs_completed_at_idx", "webhook_tasks webhook_tasks_due_at_idx",
		"webhook_tasks webhook_tasks_one_at_a_time_key", "webhook_tasks webhook_tasks_created_at_idx",
		"webhook_audit_chain -", "webhook_audit_chain pkey", // one row
	}}})
}

// TestMarks_ChangeWithTheirTopic and with no other.
func TestMarks_ChangeWithTheirTopic(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		mustMarks := func() map[string]string {
			t.Helper()
			marks, err := s.Marks(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return marks
		}
		act := quotekit.Act{Actor: "ada"}
		for _, tt := range []struct {
			name  string
			do    func(*store.Tx) error
			topic []string
		}{
			{"nothing", func(*store.Tx) error { return nil }, nil},
			{"a task", func(tx *store.Tx) error {
				return tx.InsertTask(ctx, store.NewTask{ID: quotekit.NewID(), Kind: "reconcile", Arguments: []byte("{}"), Act: act})
			}, []string{"tasks"}},
			{"an act", func(tx *store.Tx) error {
				return tx.Audit(ctx, []store.AuditEntry{{Actor: "ada", Action: "test.act"}})
			}, []string{"audit-trail"}},
			{"a bulk operation", func(tx *store.Tx) error {
				_, err := tx.InsertBatch(ctx, store.NewBatch{
					ID: quotekit.NewID(), UserID: quotekit.NewID(), Operation: "delete_quotes", Options: []byte("{}"), Items: []byte("[]"),
				})
				return err
			}, []string{"batch-jobs"}},
		} {
			before := mustMarks()
			if err := s.WithTx(ctx, tt.do); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			after := mustMarks()
			var changed []string
			for _, topic := range slices.Sorted(maps.Keys(after)) {
				if after[topic] != before[topic] {
					changed = append(changed, topic)
				}
			}
			if !slices.Equal(changed, tt.topic) {
				t.Errorf("%s changes %v, want %v", tt.name, changed, tt.topic)
			}
		}
	})
}

// TestSession_IsTouchedAndRevoked: the rest is seen through the pages.
func TestSession_IsTouchedAndRevoked(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		now := time.Now()
		err := s.WithTx(ctx, func(tx *store.Tx) error {
			return tx.OpenSession(ctx, store.Session{IDHash: "h", Actor: "ada", Role: "admin", Fingerprint: "f", ExpiresAt: now.Add(time.Hour)}, "")
		})
		if err != nil {
			t.Fatal(err)
		}
		first, err := s.Session(ctx, "h", now, now.Add(-time.Minute))
		if err != nil || first.Actor != "ada" || first.Role != "admin" || first.Fingerprint != "f" || first.UserID != "" {
			t.Fatalf("got %+v, %v", first, err)
		}
		if err := s.TouchSession(ctx, "h"); err != nil {
			t.Fatal(err)
		}
		if again, err := s.Session(ctx, "h", now, now.Add(-time.Minute)); err != nil || !again.LastSeenAt.After(first.LastSeenAt) {
			t.Errorf("last seen %s, then %s, %v; want later", first.LastSeenAt, again.LastSeenAt, err)
		}
		for _, want := range []bool{true, false} {
			err = s.WithTx(ctx, func(tx *store.Tx) error {
				got, err := tx.RevokeSession(ctx, "h")
				if got != want {
					t.Errorf("revoked: %t, want %t", got, want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Session(ctx, "h", now, now.Add(-time.Minute)); quotekit.CodeOf(err) != quotekit.ENotFound {
			t.Errorf("a revoked session: %v, want not found", err)
		}
	})
}
