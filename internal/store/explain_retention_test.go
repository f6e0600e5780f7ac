package store_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

// oldBefore is in the middle of the history of these tests.
var oldBefore = time.Date(2026, 3, 3, 5, 6, 0, 0, time.UTC)

// TestExplain_Retention: what is old is found by indexes.
func TestExplain_Retention(t *testing.T) {
	piece := func(delete func(*store.Retention, context.Context, time.Time, int) (int64, bool, error)) func(context.Context, *store.Store) error {
		return func(ctx context.Context, s *store.Store) error {
			r, err := s.BeginRetention(ctx, "me")
			if err != nil {
				return err
			}
			_, _, err = delete(r, ctx, oldBefore, 20)
			return err
		}
	}
	byArrival := []string{"stripe_webhook_events stripe_webhook_events_received_at_idx"}
	explain(t, []explained{
		{"old payloads", piece((*store.Retention).Payloads), byArrival},
		{"old events", piece((*store.Retention).Events), byArrival},
		{"old letters", piece((*store.Retention).Letters), []string{"webhook_dead_letter_queue webhook_dead_letter_queue_resolved_at_idx"}},
		{"old error groups", piece((*store.Retention).Groups), []string{
			"webhook_error_groups webhook_error_groups_resolved_at_idx", "webhook_dead_letter_queue webhook_dead_letter_queue_group_idx",
			"g webhook_error_groups_resolved_at_idx", "d webhook_dead_letter_queue_group_idx", // SQLite tells the alias
		}},
		{"old logs", piece((*store.Retention).Logs), []string{
			"webhook_processing_logs webhook_processing_logs_created_at_idx", "webhook_processing_logs pkey",
		}},
		{"old deliveries", piece((*store.Retention).Deliveries), []string{"webhook_audit_trail pkey"}},
		{"old acts", piece((*store.Retention).Acts), []string{
			"webhook_audit_chain pkey", "webhook_audit_chain -", // it is one row
			"webhook_audit_trail webhook_audit_trail_chain_key",
		}},
		{"old refusals", piece((*store.Retention).Refusals), []string{"webhook_refusals pkey"}},
		{"old figures", piece(func(r *store.Retention, ctx context.Context, before time.Time, limit int) (int64, bool, error) {
			return r.Figures(ctx, store.Minute, before, limit)
		}), []string{"webhook_event_counts pkey", "webhook_latencies pkey", "f pkey"}},
	})
}

// TestExplain_RetentionDeletes: so is what is deleted.
func TestExplain_RetentionDeletes(t *testing.T) {
	const (
		events, e       = "stripe_webhook_events pkey", "e pkey" // SQLite tells the alias
		letterOfEvent   = "webhook_dead_letter_queue webhook_dead_letter_queue_stripe_event_id_idx"
		d               = "d webhook_dead_letter_queue_stripe_event_id_idx"
		letters         = "webhook_dead_letter_queue pkey"
		resolvedLetters = "webhook_dead_letter_queue webhook_dead_letter_queue_resolved_at_idx"
		oldest          = "oldest -" // a subquery
	)
	indexes := map[string][]string{
		"payloads":            {events, e, letterOfEvent, d},
		"payloads of letters": {letters, resolvedLetters},
		"events":              {events, e, letterOfEvent, d},
		"letters":             {letters, resolvedLetters},
		"error groups": {
			"webhook_error_groups pkey", "g pkey", "webhook_dead_letter_queue webhook_dead_letter_queue_group_idx", "d webhook_dead_letter_queue_group_idx",
		},
		"logs":       {"webhook_processing_logs pkey"},
		"deliveries": {"webhook_audit_trail pkey"},
		"acts":       {"webhook_audit_trail webhook_audit_trail_chain_key"},
		"counts":     {"webhook_event_counts pkey", oldest},
		"times":      {"webhook_latencies pkey", oldest},
		"refusals":   {"webhook_refusals pkey", oldest},
	}
	onHistory(t, func(t *testing.T, s *store.Store, _ *store.Recorder) {
		writes := store.RetentionWrites(s.Dialect(), oldBefore)
		if len(writes) != len(indexes) {
			t.Fatalf("got %d statements, want %d", len(writes), len(indexes))
		}
		for name, q := range writes {
			used := slices.DeleteFunc(plan(t, s, q), func(u string) bool { return strings.HasPrefix(u, "json_each ") }) // the ids
			if len(used) == 0 {
				t.Errorf("%s: reads no table", name)
			}
			for _, u := range used {
				if !slices.Contains(indexes[name], u) {
					t.Errorf("%s: uses %s, want one of %q", name, u, indexes[name])
				}
			}
		}
	})
}
