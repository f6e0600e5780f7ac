package alert_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/alert"
	"github.com/quotekit/quotekit/internal/histogram"
)

// scene is what a rule is to find in the database, and what puts it right.
type scene struct {
	rule, subject string
	arrange       func(w *watch)
	heal          func(w *watch)
}

// scenes has every rule that measures by the database.
func scenes() []scene {
	at := func(w *watch, before time.Duration) time.Time { return w.clock.now().Add(-before) }
	event := func(w *watch, id, status, version string, age time.Duration) {
		w.mustExec(`INSERT INTO stripe_webhook_events (stripe_event_id, event_type, status, api_version, received_at)
			VALUES ($1, 'invoice.paid', $2, $3, $4)`, id, status, version, at(w, age))
	}
	counts := func(w *watch, granularity, eventType, status string, n int, bucket time.Time) {
		w.mustExec(`INSERT INTO webhook_event_counts (granularity, event_type, bucket, status, events, last_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			granularity, eventType, bucket, status, n, bucket)
	}
	empty := func(table string) func(*watch) { return func(w *watch) { w.mustExec("DELETE FROM " + table) } }
	letter := func(w *watch, event string) {
		w.mustExec(`INSERT INTO webhook_dead_letter_queue (id, stripe_event_id, event_type, event_data, failure_reason)
			VALUES ($1, $2, 'invoice.paid', '{}', 'HANDLER_REJECTED')`, quotekit.NewID(), event)
	}
	return []scene{
		{
			"dead_letters_present", "", func(w *watch) { letter(w, "evt_1") },
			func(w *watch) { w.mustExec(`UPDATE webhook_dead_letter_queue SET resolved = TRUE`) },
		},
		{
			"oldest_unprocessed", "", func(w *watch) { event(w, "evt_1", "pending", "", 65*time.Second) },
			func(w *watch) { w.mustExec(`UPDATE stripe_webhook_events SET status = 'succeeded'`) },
		},
		{
			"success_rate", "invoice.paid", func(w *watch) {
				minute := at(w, 5*time.Minute).Truncate(time.Minute)
				for _, eventType := range []string{"", "invoice.paid"} {
					counts(w, "minute", eventType, "succeeded", 30, minute)
					counts(w, "minute", eventType, "dead", 3, minute)
				}
				counts(w, "minute", "customer.created", "succeeded", 30, minute)
				counts(w, "ever", "customer.created", "succeeded", 30, minute)
				counts(w, "ever", "invoice.paid", "succeeded", 33, minute)
			}, empty("webhook_event_counts"),
		},
		{
			"p95", "invoice.paid", func(w *watch) {
				counts(w, "ever", "invoice.paid", "succeeded", 20, at(w, time.Minute))
				var h histogram.Histogram
				for range 10 {
					h.Add(300 * time.Millisecond)
				}
				for _, writer := range []string{quotekit.NewID(), quotekit.NewID()} { // two processes
					w.mustExec(`INSERT INTO webhook_latencies (granularity, event_type, bucket, writer, samples, sum_us, max_us, total_histogram,
						handle_histogram, wait_histogram, commit_histogram, slowest) VALUES ('minute', 'invoice.paid', $1, $2, 10, 0, 0, $3, '', '', '', '[]')`,
						at(w, time.Minute).Truncate(time.Minute), writer, h.String())
				}
			}, empty("webhook_latencies"),
		},
		{
			"no_events", "", func(w *watch) {
				counts(w, "ever", "invoice.paid", "succeeded", 40, at(w, 7*time.Hour))
				counts(w, "ever", "quotekit.refetched", "succeeded", 1, at(w, time.Minute)) // our own
				for day := 1; day <= 8; day++ {
					counts(w, "hour", "", "succeeded", 5, at(w, time.Duration(day)*24*time.Hour).Add(-2*time.Hour).Truncate(time.Hour))
				}
			}, func(w *watch) { counts(w, "ever", "customer.created", "succeeded", 1, at(w, 0)) },
		},
		{
			"signature_failures", "", func(w *watch) {
				for _, code := range []string{"signature_mismatch", "signature_missing"} {
					w.mustExec(`INSERT INTO webhook_refusals (bucket, code, writer, requests) VALUES ($1, $2, $3, 10)`,
						at(w, time.Minute).Truncate(time.Minute), code, quotekit.NewID())
				}
				w.mustExec(`INSERT INTO webhook_refusals (bucket, code, writer, requests) VALUES ($1, 'overloaded', $2, 1000)`,
					at(w, time.Minute).Truncate(time.Minute), quotekit.NewID())
			}, empty("webhook_refusals"),
		},
		{
			"api_version", "", func(w *watch) {
				event(w, "evt_1", "succeeded", "2024-06-20", 30*time.Second)
				event(w, "evt_2", "succeeded", "2025-03-31.basil", time.Second)
			}, func(w *watch) { w.clock.forward(24 * time.Hour) },
		},
		{
			"batch_stalled", "", func(w *watch) {
				id := quotekit.NewID()
				w.mustExec(`INSERT INTO batch_jobs (id, user_id, operation_type, total_items, status, request_id, created_at, revision)
					VALUES ($1, $2, 'delete_quotes', 10, 'processing', 'r', $3, 7)`, id, quotekit.NewID(), at(w, time.Hour))
				w.mustExec(`INSERT INTO batch_job_inputs (job_id, items) VALUES ($1, '[]')`, id)
				w.evaluate(tick) // from now on it is known how far it was
				w.clock.forward(time.Minute)
			}, func(w *watch) { w.mustExec(`UPDATE batch_jobs SET revision = revision + 1`) },
		},
		{
			"events_missed", "", func(w *watch) {
				w.mustExec(`INSERT INTO webhook_tasks (id, kind, status, arguments, report, actor, created_at)
					VALUES ($1, 'reconcile', 'completed', '{}', $2, 'quotekit', $3)`,
					quotekit.NewID(), fmt.Sprintf(`{"missed": 2, "imported": 2, "oldest_missed": %q}`, at(w, 30*time.Hour).Format(time.RFC3339)), at(w, time.Hour))
			}, func(w *watch) { w.clock.forward(24 * time.Hour) },
		},
	}
}

// TestEvaluate_EachRuleFiresIsToldAndResolves takes every rule through its life, by
// what is in the database.
func TestEvaluate_EachRuleFiresIsToldAndResolves(t *testing.T) {
	measured := map[string]bool{"disk_low": true, "clock_skew": true} // see below
	for _, sc := range scenes() {
		measured[sc.rule] = true
		t.Run(sc.rule, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *watch) {
				w.evaluate(tick)
				if got := w.alerts(); len(got) != 0 {
					t.Fatalf("on an empty database: %+v", got)
				}
				sc.arrange(w)
				w.evaluate(tick)
				w.evaluate(tick)
				fired := w.only()
				if fired.Rule != sc.rule || fired.Subject != sc.subject || fired.State != quotekit.AlertFiring || fired.Severity != quotekit.AlertWarning {
					t.Errorf("got %+v", fired)
				}
				name := strings.TrimSpace(sc.rule + " " + sc.subject)
				w.wantTold("firing " + name)
				for _, kind := range []string{alert.Slack, alert.Alertmanager} {
					if got := w.receivers.take(kind); len(got) != 1 {
						t.Errorf("%s was told %d times", kind, len(got))
					}
				}
				if mails, _ := w.receivers.mail.take(); len(mails) != 1 {
					t.Errorf("%d mails were sent", len(mails))
				}
				w.evaluate(tick)
				w.wantTold()
				sc.heal(w)
				for range 4 {
					w.evaluate(tick)
				}
				if got := w.only(); got.State != quotekit.AlertResolved || got.ID != fired.ID {
					t.Errorf("got %+v", got)
				}
				w.wantTold("resolved " + name)
			})
		})
	}
	for _, r := range alert.Rules() {
		if !measured[r.Name] {
			t.Errorf("nothing measures %s", r.Name)
		}
	}
}

// TestEvaluate_TheMachine: the disk is full to a limit that no disk is below, and the
// clock is wrong as far as others tell.
func TestEvaluate_TheMachine(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		c := w.Config
		c.Clocks = func() map[string]time.Duration { return map[string]time.Duration{"Stripe": -10 * time.Minute} }
		limits, err := alert.ParseLimits("disk_low=1000000TiB/1KiB")
		if err != nil {
			t.Fatal(err)
		}
		c.Limits = limits
		other := *w
		other.Service = mustNew(t, w.store, c)
		other.evaluate(tick)
		other.evaluate(tick)
		got := map[string]quotekit.AlertSeverity{}
		for _, a := range other.alerts() {
			got[a.Rule+" "+a.Subject] = a.Severity
		}
		want := 1
		if !w.store.Postgres() {
			want = 2
			if got["disk_low "] != quotekit.AlertWarning {
				t.Errorf("got %v", got)
			}
		}
		if len(got) != want || got["clock_skew Stripe"] != quotekit.AlertCritical {
			t.Errorf("got %v", got)
		}
	})
}

// TestEvaluate_WhatDiedAndIsTriedAgainIsNotOld: such an event is in the dead letter
// queue, of which another rule tells.
func TestEvaluate_WhatDiedAndIsTriedAgainIsNotOld(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		for _, sc := range scenes()[:2] {
			sc.arrange(w)
		}
		w.evaluate(tick)
		w.evaluate(tick)
		if got := w.only(); got.Rule != "dead_letters_present" {
			t.Errorf("got %+v", got)
		}
	})
}

// TestEvaluate_ABatchThatWaitsItsTurnDoesNotStandStill: a job is worked on while
// another waits.
func TestEvaluate_ABatchThatWaitsItsTurnDoesNotStandStill(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		for _, status := range []string{"pending", "processing"} {
			id := quotekit.NewID()
			w.mustExec(`INSERT INTO batch_jobs (id, user_id, operation_type, total_items, status, request_id, created_at, revision)
				VALUES ($1, $2, 'delete_quotes', 10, $3, 'r', $4, 1)`, id, quotekit.NewID(), status, w.clock.now().Add(-time.Hour))
			w.mustExec(`INSERT INTO batch_job_inputs (job_id, items) VALUES ($1, '[]')`, id)
		}
		for range 12 {
			w.mustExec(`UPDATE batch_jobs SET revision = revision + 1 WHERE status = 'processing'`)
			w.evaluate(tick)
		}
		if got := w.alerts(); len(got) != 0 {
			t.Errorf("while the other is worked on: %+v", got)
		}
		w.mustExec(`UPDATE batch_jobs SET status = 'completed' WHERE status = 'processing'`)
		w.evaluate(tick)
		w.evaluate(tick)
		if got := w.only(); got.Rule != "batch_stalled" {
			t.Errorf("got %+v", got)
		}
	})
}

// TestEvaluate_ARuleThatIsOffResolves: who takes a rule out is rid of its alerts.
func TestEvaluate_ARuleThatIsOffResolves(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		scenes()[0].arrange(w)
		w.evaluate(tick)
		w.wantTold("firing dead_letters_present")
		w.Service = newService(t, w.store, w.clock, w.receivers.channels(), w.log, "dead_letters_present=off")
		for range 4 {
			w.evaluate(tick)
		}
		w.wantTold("resolved dead_letters_present")
	})
}

func TestEvaluate_DeletesWhatIsOld(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		scenes()[0].arrange(w)
		w.evaluate(tick)
		w.send()
		scenes()[0].heal(w)
		w.holdFor(time.Minute, nil)
		w.evaluate(tick)
		w.send()
		w.clock.forward(89 * 24 * time.Hour)
		w.evaluate(0)
		all := func() int {
			list, err := w.ListAlerts(t.Context(), time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			return len(list) + len(w.deliveries())
		}
		if got := all(); got != 9 {
			t.Errorf("after 89 days there are %d alerts and deliveries, want 1 and 8", got)
		}
		w.evaluate(2 * 24 * time.Hour)
		if got := all(); got != 0 {
			t.Errorf("after 91 days there are %d alerts and deliveries", got)
		}
	})
}
