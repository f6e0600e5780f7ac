package store_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func TestFunctions_CleanupOldBatchJobs(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t, storetest.Tables))
	mustMakeJobs(t, s, oldJobs)
	call := func(text string) (n int, err error) {
		err = s.Reader().QueryRowContext(t.Context(), text).Scan(&n)
		return n, err
	}
	for _, bad := range []string{"-1", "NULL", "-2147483648"} {
		if _, err := call(`SELECT cleanup_old_batch_jobs(` + bad + `)`); err == nil || !strings.Contains(err.Error(), "22023") {
			t.Errorf("%s: got %v, want an invalid_parameter_value", bad, err)
		}
	}
	if got := keptJobs(t, s); len(got) != len(oldJobs) {
		t.Errorf("what was refused has deleted: %q are left", got)
	}
	if n, err := call(`SELECT cleanup_old_batch_jobs(3650)`); n != 0 || err != nil {
		t.Errorf("older than ten years: got %d, %v", n, err)
	}
	if n, err := call(`SELECT cleanup_old_batch_jobs()`); n != 6 || err != nil {
		t.Errorf("older than 30 days: got %d, %v, want 6", n, err)
	}
	if got, want := keptJobs(t, s), wantKept(oldJobs); !slices.Equal(got, want) {
		t.Errorf("kept %q\nwant %q", got, want)
	}
	if n, err := call(`SELECT cleanup_old_batch_jobs(p_days_old => 0)`); n != 3 || err != nil {
		t.Errorf("all that ended: got %d, %v, want 3", n, err)
	}
}

func TestFunctions_GetBatchJobStatus(t *testing.T) {
	// In a schema of its own, called from another one.
	s := mustOpen(t, store.Config{URL: storetest.PostgresURL(t, nil), Schema: "kit"})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	outside := mustOpen(t, store.Config{URL: url(s)})
	id, foreign := quotekit.NewID(), quotekit.NewID()
	mustExec(t, s, `INSERT INTO batch_jobs (id, user_id, operation_type, total_items, processed_items, failed_items, skipped_items, progress_percent, status, request_id, execution_time_ms, completed_at)
		VALUES ($1, $1, 'delete_quotes', 10, 8, 3, 1, 80, 'cancelled', 'r', 17, now()), ($2, $2, 'old', 2, 2, 1, 0, 100, 'completed', 'r', NULL, now())`, id, foreign)
	mustExec(t, s, `UPDATE batch_jobs SET error_details = '[{"id": "x"}]' WHERE id = $1`, foreign)
	for i, code := range []string{"not_found", "not_found", "conflict", "", "duplicate"} {
		outcome := map[string]string{"": "succeeded", "duplicate": "skipped"}[code]
		if outcome == "" {
			outcome = "failed"
		}
		mustExec(t, s, `INSERT INTO batch_job_items (job_id, position, outcome, error_code) VALUES ($1, $2, $3, NULLIF($4, ''))`, id, i, outcome, code)
	}
	const columns = "id,operation_type,status,total_items,processed_items,failed_items,skipped_items,progress_percent,error_summary,execution_time_ms,created_at,completed_at"
	rows, err := outside.Reader().QueryContext(t.Context(), `SELECT * FROM kit.get_batch_job_status($1)`, id)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil || strings.Join(names, ",") != columns || !rows.Next() {
		t.Fatalf("got the columns %q, %v", names, err)
	}
	var (
		got                                        [3]string
		total, processed, failed, skipped, percent int
		summary                                    string
		took                                       sql.NullInt64
		began, ended                               time.Time
	)
	err = rows.Scan(&got[0], &got[1], &got[2], &total, &processed, &failed, &skipped, &percent, &summary, &took, &began, &ended)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(got, total, processed, failed, skipped, percent, took.Int64); text != "["+id+" delete_quotes cancelled] 10 8 3 1 80 17" {
		t.Errorf("got %s", text)
	}
	var codes map[string]int
	if err := json.Unmarshal([]byte(summary), &codes); err != nil || len(codes) != 2 || codes["not_found"] != 2 || codes["conflict"] != 1 {
		t.Errorf("error_summary = %s, %v", summary, err)
	}
	if rows.Next() {
		t.Error("got two rows")
	}
	err = outside.Reader().QueryRowContext(t.Context(), `SELECT error_summary FROM kit.get_batch_job_status($1)`, foreign).Scan(&summary)
	if err != nil || summary != `[{"id": "x"}]` {
		t.Errorf("of another program's job: got %s, %v", summary, err)
	}
	var n int
	for _, unknown := range []any{quotekit.NewID(), nil} {
		err = outside.Reader().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM kit.get_batch_job_status($1)`, unknown).Scan(&n)
		if err != nil || n != 0 {
			t.Errorf("%v: got %d rows, %v", unknown, n, err)
		}
	}
}

// TestFunctions_ReplaceOlderOnes: those that the application's own migration has
// made, whatever they return.
func TestFunctions_ReplaceOlderOnes(t *testing.T) {
	for name, older := range map[string][]string{
		"other columns": {
			`CREATE FUNCTION get_batch_job_status(p_job_id UUID) RETURNS TABLE (id UUID, status TEXT) LANGUAGE sql AS $$ SELECT p_job_id, 'x' $$`,
			`CREATE FUNCTION cleanup_old_batch_jobs(p_days_old INTEGER DEFAULT 30) RETURNS INTEGER LANGUAGE sql AS $$ SELECT 1 $$`,
		},
		"other names": {
			`CREATE FUNCTION get_batch_job_status(job UUID) RETURNS JSONB LANGUAGE sql AS $$ SELECT '{}'::JSONB $$`,
			`CREATE FUNCTION cleanup_old_batch_jobs(days INTEGER) RETURNS VOID LANGUAGE sql AS $$ SELECT $$`,
		},
		"none": nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t, store.Config{URL: storetest.PostgresURL(t, nil)})
			for _, text := range older {
				mustExec(t, s, text)
			}
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			mustExec(t, s, `SELECT total_items, error_summary FROM get_batch_job_status(p_job_id => gen_random_uuid())`)
			var n, functions int
			err := s.Reader().QueryRowContext(t.Context(), `SELECT cleanup_old_batch_jobs(), (SELECT COUNT(*) FROM pg_proc WHERE proname IN ('get_batch_job_status', 'cleanup_old_batch_jobs'))`).Scan(&n, &functions)
			if err != nil || n != 0 || functions != 2 {
				t.Errorf("got %d deleted, %d functions, %v", n, functions, err)
			}
		})
	}
}
