package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

// TestReads_OfAlertsUseIndexes: they are made every ten seconds.
func TestReads_OfAlertsUseIndexes(t *testing.T) {
	until := time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)
	explain(t, []explained{
		{
			"what waits", func(ctx context.Context, s *store.Store) error {
				_, err := s.OldestUnprocessed(ctx)
				return err
			},
			[]string{
				"stripe_webhook_events stripe_webhook_events_pending_idx", "e stripe_webhook_events_pending_idx",
				"webhook_dead_letter_queue webhook_dead_letter_queue_stripe_event_id_idx", "d webhook_dead_letter_queue_stripe_event_id_idx",
			},
		},
		{
			"what was decided", func(ctx context.Context, s *store.Store) error {
				_, err := s.DecidedSince(ctx, until.Add(-15*time.Minute))
				return err
			},
			[]string{"webhook_event_counts pkey"},
		},
		{
			"busy hours", func(ctx context.Context, s *store.Store) error {
				_, err := s.BusyHours(ctx, until.Add(-8*24*time.Hour))
				return err
			},
			[]string{"webhook_event_counts pkey"},
		},
		{
			"versions", func(ctx context.Context, s *store.Store) error {
				_, err := s.NewestVersions(ctx, until.Add(-time.Minute), 500)
				return err
			},
			[]string{"stripe_webhook_events stripe_webhook_events_received_at_idx"},
		},
		{
			"unfinished jobs", func(ctx context.Context, s *store.Store) error {
				_, err := s.BatchProgress(ctx, 200)
				return err
			},
			[]string{"batch_jobs batch_jobs_running_idx", "j batch_jobs_running_idx", "j batch_jobs_status_idx", "i pkey", "batch_job_inputs pkey"},
		},
		{
			"reports", func(ctx context.Context, s *store.Store) error {
				_, err := s.TaskReports(ctx, "reconcile", until.Add(-24*time.Hour), 500)
				return err
			},
			[]string{"webhook_tasks webhook_tasks_created_at_idx"},
		},
	})
}
