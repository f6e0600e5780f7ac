package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/batch"
)

const jobsURL = "/v1/batch-jobs"

func TestBatchSubmit_KeyNamesOneJob(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u, other := s.user(), s.user()
		items := s.items(u, 10_00)
		body := submission("update_item_prices", items, adjustment("percentage", "5"))
		first := u.do("POST", jobsURL, body, "Idempotency-Key", "a key ~!")
		job := u.end(u.job(first))
		if first.status != 202 || first.header.Get("Location") != jobsURL+"/"+job.ID || first.header.Get("Idempotency-Replayed") != "" {
			t.Errorf("got %d %v", first.status, first.header)
		}
		for range 3 { // it has ended by now
			again := u.do("POST", jobsURL, body, "Idempotency-Key", "a key ~!")
			if u.job(again).ID != job.ID || again.header.Get("Idempotency-Replayed") != "true" || again.header.Get("Location") != jobsURL+"/"+job.ID {
				t.Errorf("got %d %s", again.status, again.body)
			}
		}
		for name, changed := range map[string]string{
			"a space": body + " ", "a dry run": strings.Replace(body, "{", `{"dry_run":true,`, 1), "another percentage": strings.Replace(body, `"5"`, `"6"`, 1),
		} {
			r := u.do("POST", jobsURL, changed, "Idempotency-Key", "a key ~!")
			if p := r.problem(t); r.status != 422 || p.Code != "idempotency_key_reused" {
				t.Errorf("%s more: got %d %s", name, r.status, r.body)
			}
		}
		if r := u.do("POST", jobsURL+"/"+job.ID+"/undo", "", "Idempotency-Key", "a key ~!"); r.status != 422 {
			t.Errorf("the key for an undo: got %d %s", r.status, r.body)
		}
		if theirs := other.run("update_item_prices", items, adjustment("percentage", "5")); theirs.ID == job.ID {
			t.Error("two jobs have one id")
		}
		theirs := other.job(other.do("POST", jobsURL, body, "Idempotency-Key", "a key ~!"))
		if theirs.ID == job.ID || other.end(theirs).SucceededItems != 0 {
			t.Errorf("somebody else's key: got %+v", theirs)
		}
		if got := s.price(items[0]); got != "10.50" {
			t.Errorf("the price is %s, want it raised once", got)
		}
		undo := u.end(u.job(u.do("POST", jobsURL+"/"+job.ID+"/undo", "", "Idempotency-Key", "u")))
		again := u.do("POST", jobsURL+"/"+job.ID+"/undo", "", "Idempotency-Key", "u")
		if u.job(again).ID != undo.ID || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("the undo again: got %s", again.body)
		}
		if r := u.do("POST", jobsURL+"/"+job.ID+"/undo", `{"dry_run":true}`, "Idempotency-Key", "u"); r.status != 422 {
			t.Errorf("a dry run under the key of the undo: got %d %s", r.status, r.body)
		}
	})
}

func TestBatchSubmit_RacingRequestsAreOneJob(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		items := s.items(u, 10_00, 20_00)
		body := submission("update_item_prices", items, adjustment("percentage", "5"))
		ids := make([]string, 20)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() {
				r, err := u.try("POST", jobsURL, body, "Idempotency-Key", "race")
				var j batch.Job
				if err == nil {
					err = json.Unmarshal(r.body, &j)
				}
				if err != nil || r.status/100 != 2 {
					t.Errorf("%v, status %d: %s", err, r.status, r.body)
				}
				ids[i] = j.ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("got the jobs %s and %s", ids[0], id)
			}
		}
		u.end(u.get(ids[0]))
		if n := s.value("SELECT COUNT(*) AS n FROM batch_jobs"); n != "1" || s.price(items[0]) != "10.50" {
			t.Errorf("got %s jobs and the price %s", n, s.price(items[0]))
		}
	})
}

// TestBatchSubmit_DryRunTellsAndChangesNothing: of every operation, and then the
// real one does what the dry run said.
func TestBatchSubmit_DryRunTellsAndChangesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		try := func(u *user, operation string, items any, options map[string]any) {
			before := s.application()
			body := submission(operation, items, options)
			dry := u.end(u.job(u.do("POST", jobsURL, strings.Replace(body, "{", `{"dry_run":true,`, 1), "Prefer", "wait=20")))
			if d := diff(s.application(), before); d != "" {
				t.Errorf("%s: the dry run changed rows:\n%s", operation, d)
			}
			u.checkSums(dry)
			real := u.run(operation, items, options)
			a, b := u.results(dry.ID), u.results(real.ID)
			if !dry.DryRun || dry.SucceededItems != real.SucceededItems || dry.FailedItems != real.FailedItems || dry.SkippedItems != real.SkippedItems {
				t.Errorf("%s: dry %+v\nreal %+v", operation, dry, real)
			}
			for i := range a {
				if strings.HasPrefix(operation, "bulk_create") {
					if a[i].ItemID != nil {
						t.Errorf("%s: a dry run made the row %s", operation, *a[i].ItemID)
					}
					continue
				}
				if plainly(t, a[i].Before) != plainly(t, b[i].Before) || plainly(t, a[i].After) != plainly(t, b[i].After) || a[i].Outcome != b[i].Outcome {
					t.Errorf("%s, item %d: dry %s %s %s, real %s %s %s", operation, i, a[i].Outcome, a[i].Before, a[i].After, b[i].Outcome, b[i].Before, b[i].After)
				}
			}
		}
		for _, o := range onRows {
			u := s.user()
			ids := o.rows(s, u, 60)
			if o.operation == "delete_clients" {
				s.quotes(u, 3, ids[0])
			}
			try(u, o.operation, append(ids, quotekit.NewID(), ids[0]), o.options)
		}
		for _, operation := range creates {
			try(s.user(), operation, append(objects(operation, 3), map[string]any{"x": 1}), nil)
		}
	})
}

// plainly is a before or after without what differs from run to run.
func plainly(t *testing.T, value json.RawMessage) string {
	t.Helper()
	var row map[string]any
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	if len(value) == 0 {
		return ""
	}
	if err := dec.Decode(&row); err != nil {
		t.Fatal(err)
	}
	delete(row, "updated_at")
	b, _ := json.Marshal(row)
	return string(b)
}

func TestBatchSubmit_Prefer(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := newBarrier()
		s := mustStartGated(t, url, b)
		u := s.user()
		ids := s.quotes(u, 2, nil)
		for prefer, applied := range map[string]string{
			"wait=20": "wait=20", "wait=500": "wait=20", `wait="7"`: "wait=7", "Wait = 5": "wait=5", "return=minimal, wait=5": "wait=5", "wait=5, wait=9": "wait=5",
			"respond-async": "", "wait=0": "", "wait=-1": "", "wait=abc": "", "wait": "", "wait=1e3": "", "wait=99999999999999999999": "", ",,;=": "", "": "",
		} {
			r := u.do("POST", jobsURL, submission("export_quotes", ids, nil), "Prefer", prefer)
			j := u.job(r)
			if r.header.Get("Location") != jobsURL+"/"+j.ID || j.Links.Self != jobsURL+"/"+j.ID {
				t.Errorf("%q: Location is %q", prefer, r.header.Get("Location"))
			}
			switch {
			case applied == "" && (r.status != 202 || r.header.Get("Preference-Applied") != "" || r.header.Get("Retry-After") == ""):
				t.Errorf("%q: got %d %v, want 202", prefer, r.status, r.header)
			case applied != "" && (r.status != 200 || r.header.Get("Preference-Applied") != applied || j.Status != quotekit.BatchCompleted):
				t.Errorf("%q: got %d %v, want 200 and %s", prefer, r.status, r.header, applied)
			}
			u.end(j)
		}
		s.decline(ids...)
		r := u.do("POST", jobsURL, submission("update_quote_status", ids, status("sent")), "Prefer", "wait=1")
		if j := u.job(r); r.status != 202 || j.Status != quotekit.BatchProcessing || r.header.Get("Preference-Applied") != "" {
			t.Errorf("a job that takes longer: got %d %s", r.status, r.body)
		}
	})
}

// TestBatchSubmit_SurvivesARestart: in every state.
func TestBatchSubmit_SurvivesARestart(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		web := mustStartBatch(t, url, app.Options{Role: app.RoleWeb})
		u := web.user()
		ids := web.quotes(u, 120, nil)
		pending := u.submit("update_quote_status", ids, status("sent"))
		cancelled := u.submit("delete_quotes", ids, nil)
		cancelled = u.job(u.do("POST", jobsURL+"/"+cancelled.ID+"/cancel", ""))
		if pending.Status != quotekit.BatchPending || cancelled.Status != quotekit.BatchCancelled || cancelled.UnprocessedItems != 120 {
			t.Fatalf("got %+v and %+v", pending, cancelled)
		}
		web.stop()

		b := newBarrier()
		s := mustStartGated(t, url, b)
		u = mustUser(t, s.URL(), u.id)
		if done := u.end(u.get(pending.ID)); done.SucceededItems != 120 {
			t.Errorf("the pending job: got %+v", done)
		}
		s.decline(ids[55])
		processing := u.submit("update_quote_status", ids, status("accepted"))
		<-b.reached
		b.open() // the chunk under way ends; the others are for the next process
		s.stop()

		s = mustStartBatch(t, url, app.Options{})
		u = mustUser(t, s.URL(), u.id)
		done := u.end(u.get(processing.ID))
		u.checkSums(done)
		if done.SucceededItems != 120 || s.value("SELECT COUNT(*) AS n FROM quotes WHERE status = 'accepted'") != "120" {
			t.Errorf("the job under way: got %+v", done)
		}
		u.wantOutcomes(u.get(cancelled.ID), u.outcomes(cancelled.ID)...)
		if undo := u.act(done.ID, "undo"); undo.SucceededItems != 120 {
			t.Errorf("the undo: got %+v", undo)
		}
	})
}

// TestBatchSubmit_UnknownOperationFails: a job that another version of the
// program took in, and this one cannot run.
func TestBatchSubmit_UnknownOperationFails(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		web := mustStartBatch(t, url, app.Options{Role: app.RoleWeb})
		u := web.user()
		ids := web.quotes(u, 3, nil)
		j := u.submit("update_quote_status", ids, status("sent"))
		web.stop()
		older := mustStartBatch(t, url, app.Options{Operations: newBarrier().operations()[:1]})
		u = mustUser(t, older.URL(), u.id)
		j = u.end(u.get(j.ID))
		if j.Status != quotekit.BatchFailed || j.ErrorMessage == nil || !strings.Contains(*j.ErrorMessage, "update_quote_status") {
			t.Errorf("got %+v", j)
		}
		u.wantOutcomes(j, "unprocessed", "unprocessed", "unprocessed")
		u.refused(j.ID, "undo", "")
		older.stop()
		s := mustStartBatch(t, url, app.Options{})
		u = mustUser(t, s.URL(), u.id)
		u.wantOutcomes(u.act(j.ID, "retry-failed"), "succeeded", "succeeded", "succeeded")
	})
}

func TestBatchCancel(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := newBarrier()
		s := mustStartGated(t, url, b)
		u := s.user()
		ids := s.quotes(u, 100, nil)
		s.decline(ids[10], ids[30])
		j := u.submit("update_quote_status", ids, status("sent"))
		<-b.reached
		cancelled := make(chan batch.Job)
		go func() {
			var j2 batch.Job
			r, err := u.try("POST", jobsURL+"/"+j.ID+"/cancel", "")
			if err == nil {
				err = json.Unmarshal(r.body, &j2)
			}
			if err != nil || r.status != 200 {
				t.Errorf("cancel: %v, %d %s", err, r.status, r.body)
			}
			cancelled <- j2
		}()
		if !s.Store().Postgres() {
			b.open() // the chunk holds the only writer
		}
		got := <-cancelled
		b.open()
		if got.Status != quotekit.BatchCancelled || got.CompletedAt == nil {
			t.Fatalf("got %+v", got)
		}
		if s.Store().Postgres() && got.ProcessedItems != 10 {
			t.Errorf("got %d items, want the 10 of the first chunk", got.ProcessedItems)
		}
		u.run("export_quotes", ids[:1], nil) // by now the chunk under way has ended
		after := u.get(j.ID)
		if fmt.Sprint(after.ProcessedItems, after.Status) != fmt.Sprint(got.ProcessedItems, got.Status) {
			t.Errorf("after the cancel: %+v, then %+v", got, after)
		}
		u.checkSums(after)
		for _, r := range u.results(j.ID) {
			if sent := s.value("SELECT status FROM quotes WHERE id = $1", *r.ItemID) == "sent"; sent != (r.Outcome == quotekit.Succeeded) {
				t.Errorf("item %d is %s, but the row says otherwise", r.Position, r.Outcome)
			}
		}
		before := s.jobRows()
		if r := u.do("POST", jobsURL+"/"+j.ID+"/cancel", ""); r.status != 200 || u.job(r).ProcessedItems != got.ProcessedItems {
			t.Errorf("cancel again: got %d %s", r.status, r.body)
		}
		if d := diff(s.jobRows(), before); d != "" {
			t.Errorf("the second cancel changed rows:\n%s", d)
		}
		undo := u.act(j.ID, "undo")
		if undo.SucceededItems != got.SucceededItems || undo.TotalItems != got.SucceededItems {
			t.Errorf("the undo of what was done: %+v", undo)
		}
		if n := s.value("SELECT COUNT(*) AS n FROM quotes WHERE status = 'sent'"); n != "0" {
			t.Errorf("%s quotes are still sent", n)
		}
	})
}
