package store_test

import (
	"strings"
	"testing"

	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// userDocument is what the application's own migration made, on Supabase.
var userDocument = []string{
	`CREATE TABLE batch_jobs (
		id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
		user_id UUID NOT NULL REFERENCES auth.users(id),
		operation_type TEXT NOT NULL,
		total_items INTEGER NOT NULL DEFAULT 0,
		processed_items INTEGER NOT NULL DEFAULT 0,
		failed_items INTEGER NOT NULL DEFAULT 0,
		progress_percent INTEGER NOT NULL DEFAULT 0,
		status TEXT NOT NULL DEFAULT 'pending',
		request_id TEXT NOT NULL,
		options JSONB DEFAULT '{}',
		error_details JSONB DEFAULT NULL,
		execution_time_ms INTEGER DEFAULT NULL,
		created_at TIMESTAMPTZ DEFAULT NOW(),
		completed_at TIMESTAMPTZ DEFAULT NULL
	)`,
	`CREATE TABLE webhook_processing_logs (
		id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
		stripe_event_id TEXT NOT NULL,
		event_type TEXT NOT NULL,
		processing_stage TEXT NOT NULL,
		status TEXT NOT NULL,
		handler_name TEXT,
		execution_time_ms INTEGER,
		database_queries INTEGER DEFAULT 0,
		api_calls_made INTEGER DEFAULT 0,
		error_message TEXT DEFAULT NULL,
		retry_attempt INTEGER DEFAULT 0,
		metadata JSONB DEFAULT '{}',
		created_at TIMESTAMPTZ DEFAULT NOW()
	)`,
	`CREATE TABLE webhook_dead_letter_queue (
		id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
		stripe_event_id TEXT NOT NULL,
		event_type TEXT NOT NULL,
		event_data JSONB NOT NULL,
		failure_reason TEXT NOT NULL,
		failure_count INTEGER NOT NULL DEFAULT 1,
		first_failed_at TIMESTAMPTZ DEFAULT NOW(),
		last_failed_at TIMESTAMPTZ DEFAULT NOW(),
		requires_manual_review BOOLEAN DEFAULT FALSE,
		resolved BOOLEAN DEFAULT FALSE,
		resolved_at TIMESTAMPTZ DEFAULT NULL,
		resolved_by UUID REFERENCES auth.users(id),
		resolution_notes TEXT DEFAULT NULL
	)`,
	`CREATE TABLE webhook_performance_benchmarks (
		event_type VARCHAR(100) NOT NULL,
		baseline_time_ms INTEGER NOT NULL,
		target_time_ms INTEGER NOT NULL,
		note TEXT
	)`,
}

const documentUser = "0b7a2f3e-1c5d-4e6f-8a9b-0c1d2e3f4a5b"

var documentRows = []string{
	`INSERT INTO auth.users (id) VALUES ('` + documentUser + `')`,
	`INSERT INTO batch_jobs (user_id, operation_type, request_id, options)
		VALUES ('` + documentUser + `', 'delete_quotes', 'r1', '{"a": 1}')`,
	`INSERT INTO webhook_processing_logs (stripe_event_id, event_type, processing_stage, status)
		VALUES ('evt_1', 'customer.created', 'received', 'completed')`,
	`INSERT INTO webhook_dead_letter_queue (stripe_event_id, event_type, event_data, failure_reason, resolved_by)
		VALUES ('evt_1', 'customer.created', '{"id": "evt_1"}', 'TIMEOUT_EXCEEDED', '` + documentUser + `'),
			('evt_1', 'customer.created', '{"id": "evt_1"}', 'TIMEOUT_EXCEEDED', NULL)`,
	`INSERT INTO webhook_performance_benchmarks (event_type, baseline_time_ms, target_time_ms, note)
		VALUES ('customer.subscription.created', 900, 300, 'mine'), ('customer.subscription.created', 900, 301, 'twice')`,
}

func TestMigrate_LeavesTheTablesOfTheDocumentWhole(t *testing.T) {
	s := mustOpen(t, store.Config{URL: storetest.PostgresURL(t, nil)})
	mustExec(t, s, `CREATE SCHEMA auth`)
	mustExec(t, s, `CREATE TABLE auth.users (id UUID PRIMARY KEY)`)
	for _, text := range append(userDocument[:len(userDocument):len(userDocument)], documentRows...) {
		mustExec(t, s, text)
	}
	catalogBefore, rowsBefore := catalog(t, s), documentContent(t, s)

	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := map[string]bool{}
	for _, line := range catalog(t, s) {
		after[line] = true
	}
	for _, line := range catalogBefore {
		if !after[line] {
			t.Errorf("lost or changed: %s", line)
		}
	}
	if got := documentContent(t, s); got != rowsBefore {
		t.Errorf("got rows\n%s\nwant\n%s", got, rowsBefore)
	}
	for _, c := range []string{"id", "current_avg_time_ms", "improvement_percent", "sample_count", "updated_at"} {
		mustExec(t, s, `SELECT `+c+` FROM webhook_performance_benchmarks`)
	}
	if got, want := benchmarks(t, s), 5; got != want {
		t.Errorf("got %d benchmarks, want %d: two of the application, three of the document", got, want)
	}
}

func TestMigrate_SeedsTheBenchmarksOfTheDocument(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		if got, want := benchmarks(t, s), 4; got != want {
			t.Errorf("got %d benchmarks, want %d", got, want)
		}
		var baseline, target int
		err := s.Reader().QueryRowContext(t.Context(), `
			SELECT baseline_time_ms, target_time_ms FROM webhook_performance_benchmarks
			WHERE event_type = $1`, "checkout.session.completed").Scan(&baseline, &target)
		if err != nil || baseline != 600 || target != 250 {
			t.Errorf("got %d, %d, %v; want 600, 250", baseline, target, err)
		}
	})
}

func benchmarks(t *testing.T, s *store.Store) (n int) {
	t.Helper()
	err := s.Reader().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM webhook_performance_benchmarks`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// documentContent shows the columns and rows the application had.
func documentContent(t *testing.T, s *store.Store) string {
	t.Helper()
	return strings.Join(lines(t, s, `
		SELECT 'job ' || to_jsonb(j)::TEXT FROM (
			SELECT id, user_id, operation_type, total_items, processed_items, failed_items, progress_percent, status, request_id,
				options, error_details, execution_time_ms, created_at, completed_at
			FROM batch_jobs
		) AS j
		UNION ALL SELECT 'log ' || to_jsonb(l)::TEXT FROM (
			SELECT id, stripe_event_id, event_type, processing_stage, status, handler_name, execution_time_ms, database_queries,
				api_calls_made, error_message, retry_attempt, metadata, created_at
			FROM webhook_processing_logs
		) AS l
		UNION ALL SELECT 'dead ' || to_jsonb(d)::TEXT FROM (
			SELECT id, stripe_event_id, event_type, event_data, failure_reason, failure_count, first_failed_at, last_failed_at,
				requires_manual_review, resolved, resolved_at, resolved_by, resolution_notes
			FROM webhook_dead_letter_queue
		) AS d
		UNION ALL SELECT 'benchmark ' || event_type || baseline_time_ms || target_time_ms || note
			FROM webhook_performance_benchmarks WHERE note IS NOT NULL
		ORDER BY 1`), "\n")
}
