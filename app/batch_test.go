package app_test

import (
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func TestBatch_DeletesAndRestores(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		ids := s.quotes(u, 120, nil)
		before := s.application()
		j := u.run("delete_quotes", ids, nil)
		u.checkSums(j)
		if j.Status != quotekit.BatchCompleted || j.SucceededItems != 120 {
			t.Fatalf("got %+v", j)
		}
		if rows := s.application(); len(rows) != 0 {
			t.Errorf("got %d rows, want none", len(rows))
		}
		undo := u.act(j.ID, "undo")
		u.checkSums(undo)
		if undo.SucceededItems != 120 || *undo.Links.Parent != "/v1/batch-jobs/"+j.ID {
			t.Errorf("got %+v", undo)
		}
		if d := diff(s.application(), before); d != "" {
			t.Errorf("the rows are not what they were:\n%s", d)
		}
	})
}

// TestBatch_WebProcessesLeaveTheWorkToWorkers has one process that only takes
// jobs in, and one that only works on them.
func TestBatch_WebProcessesLeaveTheWorkToWorkers(t *testing.T) {
	url := storetest.PostgresURL(t, tables)
	web := mustStartBatch(t, url, app.Options{Role: app.RoleWeb})
	u := web.user()
	ids := web.items(u, 1_00, 2_00)
	j := u.submit("update_item_prices", ids, adjustment("fixed", "0.50"))
	if j.Status != quotekit.BatchPending || j.UnprocessedItems != 2 {
		t.Fatalf("without a worker, got %+v", j)
	}
	worker := mustStartBatch(t, url, app.Options{Role: app.RoleWorker})
	if j = u.end(j); j.SucceededItems != 2 {
		t.Errorf("got %+v", j)
	}
	started := time.Now()
	j = u.run("update_item_prices", ids, adjustment("fixed", "0.50"))
	t.Logf("a job taken in by the web process was done by the worker in %s", time.Since(started))
	if j.SucceededItems != 2 {
		t.Errorf("got %+v", j)
	}
	worker.stop()
	if j = u.submit("delete_quotes", []string{quotekit.NewID()}, nil); j.Status != quotekit.BatchPending {
		t.Errorf("without a worker, got %+v", j)
	}
	if j = u.job(u.do("POST", "/v1/batch-jobs/"+j.ID+"/cancel", "")); j.Status != quotekit.BatchCancelled || j.UnprocessedItems != 1 {
		t.Errorf("got %+v", j)
	}
	u.checkSums(j)
}

// TestBatch_FillsTheColumnsOfTheDocument looks at a job as other programs do.
func TestBatch_FillsTheColumnsOfTheDocument(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		ids := append(s.items(u, 1_00), quotekit.NewID(), quotekit.NewID())
		r := u.do("POST", "/v1/batch-jobs", submission("update_item_prices", ids, adjustment("percentage", "5")),
			"Prefer", "wait=20", "X-Request-Id", "request-of-the-test")
		j := u.job(r)
		const columns = `SELECT user_id, operation_type, total_items, processed_items, failed_items, skipped_items, progress_percent,
			status, request_id, options, error_details, fence FROM batch_jobs WHERE id = $1`
		want := "user_id=" + u.id + ` | operation_type=update_item_prices | total_items=3 | processed_items=3 | failed_items=2 | ` +
			`skipped_items=0 | progress_percent=100 | status=completed | request_id=request-of-the-test | ` +
			`options={"price_adjustment":{"type":"percentage","value":"5"}} | error_details={"not_found":2} | fence=1`
		if got := s.query(columns, j.ID); len(got) != 1 || got[0] != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got := s.value(`SELECT COUNT(*) FROM batch_jobs WHERE execution_time_ms >= 0 AND started_at >= created_at AND completed_at >= started_at`); got != "1" {
			t.Error("the times are not in their order")
		}
	})
}
