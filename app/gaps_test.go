package app_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

// TestGaps_FourDaysOfDowntime: a service is away for four days of the lives of
// many users, and Stripe gives up on what it could not deliver. At its start the
// service finds the gap by itself; in the end the tables are those of a service
// that was never away.
func TestGaps_FourDaysOfDowntime(t *testing.T) {
	t.Parallel()
	end := time.Unix(1_790_000_000, 0)
	begin := end.Add(-65 * 24 * time.Hour) // of all stories
	down, up := begin.Add(12*time.Hour), begin.Add(4*24*time.Hour+12*time.Hour)
	events := lives(32, end)
	lost := between(events, down, up)
	if len(lost) < 200 {
		t.Fatalf("only %d events are lost, which fit into two pages", len(lost))
	}
	onBoth(t, func(t *testing.T, url string) {
		never := mustStart(t, another(t, url), app.Options{})
		never.deliverAll(events)
		want := never.mirror()
		never.stop()

		c := clockAt(down)
		fake := stripetest.New(t, c.now)
		fake.Happen(events...)
		s := mustStartWith(t, withStripe(url, fake), c.options())
		s.deliverAll(between(events, begin, down))
		s.stop()

		c.set(up)
		s = mustStartWith(t, withStripe(url, fake), c.options())
		var task store.Task
		eventually(t, 20*time.Second, "a reconcile that nobody asked for", func() bool {
			tasks, _, err := s.Store().Tasks(context.Background(), store.TaskFilter{Kind: "reconcile"}, store.Page{})
			if err != nil {
				t.Fatal(err)
			}
			if len(tasks) == 0 {
				return false
			}
			task = tasks[0]
			return true
		})
		r := s.report(s.taskEnd(task.ID))
		if r.Missed != len(lost) || r.Imported != len(lost) || r.Failed != 0 {
			t.Errorf("got %+v, want all %d missed and imported", r, len(lost))
		}
		if task.Actor != "quotekit" || !strings.HasPrefix(task.Reason, "no event was received for ") {
			t.Errorf("got actor %q and reason %q", task.Actor, task.Reason)
		}
		if got := s.value("SELECT COUNT(DISTINCT stripe_event_id) FROM webhook_audit_trail WHERE actor = 'reconcile' AND action = 'event.imported'"); got != fmt.Sprint(len(lost)) {
			t.Errorf("got %s imports in the audit trail, want %d", got, len(lost))
		}
		c.set(end)
		s.deliverAll(between(events, up, end.Add(time.Hour)))
		eventually(t, 2*time.Minute, "what a busy machine has kept for its lane", func() bool {
			return s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'pending'") == "0"
		})
		if d := diff(s.mirror(), want); d != "" {
			t.Errorf("the rows are not those of a service that was never away:\n%s", d)
		}
	})
}

// TestGaps_ADryRunReportsAndImportsNothing, and a second one says the same.
func TestGaps_ADryRunReportsAndImportsNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := clockAt(time.Unix(1_775_000_000, 0))
		fake := stripetest.New(t, c.now)
		var body [][]byte
		for i := range 4 {
			body = append(body, productAt(fmt.Sprintf("evt_%d", i), fmt.Sprintf("prod_%d", i), c.ago(time.Duration(i+1)*time.Minute)))
		}
		fake.Happen(body...)
		fake.Happen(set(productAt("evt_other", "prod_x", c.ago(time.Minute)), "type", "charge.succeeded"))
		s := mustStartWith(t, withStripe(url, fake), c.options())
		s.post(body[1])
		for range 2 {
			r := s.reconcile(`{"dry_run":true,"since":"2h","reason":"to see"}`)
			if r.Listed != 4 || r.Missed != 3 || r.Imported != 0 || !r.DryRun || r.ByType["product.created"] != 3 ||
				r.OldestMissed == nil || r.OldestMissed.Unix() != gjson.GetBytes(body[3], "created").Int() {
				t.Errorf("got %+v", r)
			}
			if got := s.value("SELECT COUNT(*) FROM stripe_webhook_events"); got != "1" {
				t.Errorf("got %s events after a dry run, want one", got)
			}
		}
		if r := s.reconcile(`{"since":"2h"}`); r.Listed != 4 || r.Missed != 3 || r.Imported != 3 {
			t.Errorf("got %+v", r)
		}
		if r := s.reconcile(`{"since":"2h"}`); r.Listed != 4 || r.Missed != 0 || r.OldestMissed != nil {
			t.Errorf("got %+v the second time", r)
		}
		trail := s.query("SELECT actor, reason FROM webhook_audit_trail WHERE action = 'task.start' ORDER BY id")
		if len(trail) != 4 || trail[0] != "actor=ada | reason=to see" {
			t.Errorf("got %v", trail)
		}
		payload := s.value("SELECT payload FROM stripe_webhook_events WHERE stripe_event_id = 'evt_0'")
		if payload != show(body[0]) {
			t.Errorf("the payload was changed on its way: %s", payload)
		}
	})
}

// TestGaps_WhatBecomesVisibleLateIsFound by the next run, whose window overlaps.
func TestGaps_WhatBecomesVisibleLateIsFound(t *testing.T) {
	c := clockAt(time.Unix(1_775_000_000, 0))
	onBoth(t, func(t *testing.T, url string) {
		fake := stripetest.New(t, c.now)
		s := mustStartWith(t, withStripe(url, fake), c.options())
		fake.Happen(productAt("evt_1", "prod_1", c.ago(2*time.Minute)))
		fake.HappenLate(c.now().Add(30*time.Minute), productAt("evt_late", "prod_2", c.ago(time.Minute)))
		first := s.reconcile(`{}`)
		c.pass(40 * time.Minute)
		second := s.reconcile(`{}`)
		if first.Missed != 1 || second.Missed != 1 || second.Imported != 1 {
			t.Errorf("got %+v and then %+v, want one each", first, second)
		}
		if got, want := second.Since, first.Until.Add(-time.Hour); !got.Equal(want) {
			t.Errorf("the second run began at %s, want an hour before the end of the first: %s", got, want)
		}
	})
}

// TestGaps_FaultsDoNotLoseAPage: Stripe answers 429 and 500, and cuts the
// connection, between and within pages of events in one second.
func TestGaps_FaultsDoNotLoseAPage(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		c := clockAt(time.Unix(1_775_000_000, 0))
		fake := stripetest.New(t, c.now)
		at := c.ago(time.Minute)
		for i := range 350 {
			fake.Happen(productAt(fmt.Sprintf("evt_%03d", i), fmt.Sprintf("prod_%d", i), at))
		}
		s := mustStartWith(t, withStripe(url, fake), c.options())
		fake.Fail(
			stripetest.Fault{}, stripetest.Fault{Status: 429, Code: "rate_limit"}, stripetest.Fault{Status: 500},
			stripetest.Fault{}, stripetest.Fault{Cut: true}, stripetest.Fault{Status: 429, Code: "rate_limit", RetryAfter: "1"},
			// More than a step tries: the step is made again.
			stripetest.Fault{Status: 503}, stripetest.Fault{Status: 503}, stripetest.Fault{Status: 503}, stripetest.Fault{Status: 503},
		)
		r := s.reconcile(`{}`)
		if r.Listed != 350 || r.Missed != 350 || r.Imported != 350 {
			t.Errorf("got %+v", r)
		}
		if got := s.value("SELECT COUNT(*) FROM stripe_products"); got != "350" {
			t.Errorf("got %s products", got)
		}
	})
}

// TestGaps_ARunGoesOnAfterARestart where it was, and counts what was imported by
// a step that was not written down.
func TestGaps_ARunGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		c := clockAt(time.Unix(1_775_000_000, 0))
		fake := stripetest.New(t, c.now)
		var bodies [][]byte
		for i := range 450 {
			bodies = append(bodies, productAt(fmt.Sprintf("evt_%03d", i), fmt.Sprintf("prod_%d", i), c.ago(time.Minute)))
		}
		fake.Happen(bodies...)
		s := mustStartWith(t, withStripe(url, fake), c.options())
		third, release := make(chan struct{}), make(chan struct{})
		free := sync.OnceFunc(func() { close(release) })
		t.Cleanup(free)
		var once sync.Once
		fake.Before(func(*http.Request) {
			if len(fake.Requests("/v1/events")) >= 3 {
				once.Do(func() { close(third) })
				<-release
			}
		})
		id := s.start("/v1/monitor/reconcile", `{}`)
		mustCome(t, third)
		s.stop() // Stripe does not answer, so the step is cut off
		fake.Before(nil)
		free()
		// As if the process had been killed after the import of the next page and
		// before the step was written.
		s = mustStart(t, url, app.Options{Role: app.RoleWeb})
		task, err := s.Store().Task(context.Background(), id)
		if err != nil || task.Status.Finished() {
			t.Fatalf("the run is %s, %v, before its end", task.Status, err)
		}
		done := task.Done
		if done == 0 || done == 450 {
			t.Fatalf("%d events are compared, want a part", done)
		}
		next := bodies[449-done] // the list is newest first
		s.post(next)
		err = s.Store().WithTx(context.Background(), func(tx *store.Tx) error {
			return tx.Audit(context.Background(), []store.AuditEntry{{
				Actor: "reconcile", Action: store.AuditImported, RequestID: id, StripeEventID: gjson.GetBytes(next, "id").Str,
			}})
		})
		if err != nil {
			t.Fatal(err)
		}
		s.stop()

		before := len(fake.Requests("/v1/events"))
		s = mustStartWith(t, withStripe(url, fake), c.options())
		r := s.report(s.taskEnd(id))
		if r.Listed != 450 || r.Missed != 450 || r.Imported != 450 {
			t.Errorf("got %+v", r)
		}
		if first := fake.Requests("/v1/events")[before]; !strings.Contains(first.Query, "starting_after=evt_") {
			t.Errorf("it began anew after the restart, with %s", first.Query)
		}
	})
}

// TestGaps_TheCursorMayBeForgotten: the event that a page ended with is no longer
// listed when the next page is asked for.
func TestGaps_TheCursorMayBeForgotten(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := clockAt(time.Unix(1_775_000_000, 0))
		fake := stripetest.New(t, c.now)
		for i := range 250 { // ten in a second
			fake.Happen(productAt(fmt.Sprintf("evt_%03d", i), fmt.Sprintf("prod_%d", i), c.ago(time.Minute)+int64(i/10)))
		}
		fake.Before(func(r *http.Request) {
			if after := r.URL.Query().Get("starting_after"); after == "evt_150" {
				fake.Forget(after)
			}
		})
		s := mustStartWith(t, withStripe(url, fake), c.options())
		r := s.reconcile(`{}`)
		if r.Missed != 250 || r.Imported != 250 {
			t.Errorf("got %+v", r)
		}
		if got := s.value("SELECT COUNT(*) FROM stripe_products"); got != "250" {
			t.Errorf("got %s products", got)
		}
	})
}

// TestGaps_TheWindow: which run begins where.
func TestGaps_TheWindow(t *testing.T) {
	c := clockAt(time.Unix(1_775_000_000, 0))
	fake := stripetest.New(t, c.now)
	s := mustStartWith(t, withStripe(storetest.SQLiteURL(t, tables), fake), c.options())
	near := func(what string, got, want time.Time) {
		t.Helper()
		if d := got.Sub(want).Abs(); d > time.Minute {
			t.Errorf("%s: got %s, want about %s", what, got, want)
		}
	}
	started := c.now()
	first := s.reconcile(`{"dry_run":true}`)
	near("a first run begins before the start", first.Since, started.Add(-time.Hour))

	c.pass(24 * time.Hour)
	near("a dry run does not count", s.reconcile(`{}`).Since, started.Add(-time.Hour))
	ended := c.now()

	c.pass(24 * time.Hour)
	near("an hour, as asked for", s.reconcile(`{"since":"1h"}`).Since, c.now().Add(-time.Hour))
	near("which leaves a gap, so it does not count", s.reconcile(`{}`).Since, ended.Add(-time.Hour))
	ended = c.now()

	c.pass(24 * time.Hour)
	s.reconcile(`{"since":"30d"}`)
	c.pass(time.Hour)
	near("one that goes back far enough counts", s.reconcile(`{}`).Since, ended.Add(24*time.Hour-time.Hour))
	ended = c.now()

	c.pass(50 * 24 * time.Hour)
	r := s.reconcile(`{}`)
	near("not beyond what Stripe remembers", r.Since, c.now().Add(-30*24*time.Hour))
	if r.Forgotten == nil {
		t.Fatal("the report does not say that Stripe has forgotten")
	}
	near("what was forgotten", *r.Forgotten, ended.Add(-time.Hour))
}

// TestGaps_OneAtATime: the second is told which one is under way.
func TestGaps_OneAtATime(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		fake := stripetest.New(t, time.Now)
		release := make(chan struct{})
		fake.Before(func(*http.Request) { <-release })
		s := mustStartWith(t, withStripe(url, fake), app.Options{})
		var mu sync.Mutex
		var accepted, conflicts []string
		var work sync.WaitGroup
		for range 6 {
			work.Go(func() {
				status, answer := s.call("POST", "/v1/monitor/reconcile", "")
				mu.Lock()
				defer mu.Unlock()
				switch status {
				case 202:
					accepted = append(accepted, answer["id"].(string))
				case 409:
					conflicts = append(conflicts, answer["detail"].(string))
				default:
					t.Errorf("got %d %v", status, answer)
				}
			})
		}
		work.Wait()
		close(release)
		if len(accepted) != 1 || len(conflicts) != 5 || slices.ContainsFunc(conflicts, func(d string) bool { return !strings.Contains(d, accepted[0]) }) {
			t.Errorf("got %v accepted and %v refused", accepted, conflicts)
		}
		if len(accepted) > 0 {
			s.taskEnd(accepted[0])
		}
	})
}

func TestGaps_WithoutAKey(t *testing.T) {
	s := mustStart(t, storetest.SQLiteURL(t, tables), app.Options{})
	for _, path := range []string{"/v1/monitor/reconcile", "/v1/monitor/backfill"} {
		status, answer := s.call("POST", path, `{}`)
		if status != 409 || answer["code"] != "stripe_key_missing" || !strings.Contains(answer["detail"].(string), "STRIPE_SECRET_KEY") {
			t.Errorf("%s: got %d %v", path, status, answer)
		}
		if got := s.statusOf("POST", path, ""); got != 401 {
			t.Errorf("%s: got %d for a stranger", path, got)
		}
	}
}

func TestGaps_BadRequests(t *testing.T) {
	fake := stripetest.New(t, time.Now)
	s := mustStartWith(t, withStripe(storetest.SQLiteURL(t, tables), fake), app.Options{})
	for path, bodies := range map[string][]string{
		"/v1/monitor/reconcile": {`{"since":"yesterday"}`, `{"since":"-1h"}`, `{"since":"9999-01-01T00:00:00Z"}`, `{"sinse":"1h"}`, `[]`, `{"reason":"` + strings.Repeat("x", 2001) + `"}`},
		"/v1/monitor/backfill":  {`{"only":["charges"]}`, `{"only":"customers"}`},
	} {
		for _, body := range bodies {
			// Past the check of the document, which knows that they are wrong.
			req, err := http.NewRequest("POST", s.URL()+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != 400 {
				t.Errorf("%s %.60s: got %d, want 400", path, body, resp.StatusCode)
			}
		}
	}
	if got := s.value("SELECT COUNT(*) FROM webhook_tasks"); got != "0" {
		t.Errorf("got %s tasks", got)
	}
}

// TestGaps_ARefusedKeyEndsTheRun, and says what is wrong, but not with which key.
func TestGaps_ARefusedKeyEndsTheRun(t *testing.T) {
	fake := stripetest.New(t, time.Now)
	config := withStripe(storetest.SQLiteURL(t, tables), fake)
	config.StripeSecretKey = "sk_test_planted"
	var log notebook
	s := mustStartWith(t, config, app.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	task := s.taskEnd(s.start("/v1/monitor/reconcile", `{}`))
	if task.Status != "failed" || !strings.HasPrefix(task.Error, "Stripe refuses the key in STRIPE_SECRET_KEY (status 401") {
		t.Errorf("got %s: %s", task.Status, task.Error)
	}
	if strings.Contains(log.String(), "planted") {
		t.Errorf("the log shows the key:\n%s", log.String())
	}
}

// TestGaps_WhatWasMissedIsInTheLog, without payload.
func TestGaps_WhatWasMissedIsInTheLog(t *testing.T) {
	c := clockAt(time.Unix(1_775_000_000, 0))
	fake := stripetest.New(t, c.now)
	fake.Happen(set(productAt("evt_1", "prod_1", c.ago(29*24*time.Hour+time.Hour)), "data.object.name", "planted name"))
	var log notebook
	o := c.options()
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := mustStartWith(t, withStripe(storetest.SQLiteURL(t, tables), fake), o)
	if r := s.reconcile(`{"since":"30d"}`); r.Missed != 1 {
		t.Errorf("got %+v", r)
	}
	for _, want := range []string{"level=WARN msg=\"events were missed\"", "missed=1", "days_left=0", "oldest_missed="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "planted") {
		t.Error("the log shows a payload")
	}
}
