package metrics_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/metrics"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func config(s *store.Store) metrics.Config {
	return metrics.Config{
		Version: "1", Role: "all", Store: s, Reconcile: "reconcile",
		Routes:          []quotekit.Route{{Type: "a.b", Priority: 1}, {Type: "c.d", Priority: 3}},
		Operations:      []quotekit.Operation{{Name: "delete_quotes"}},
		OtherOperations: []string{"undo"},
		Prepared:        func() bool { return true },
		Requests: func() []metrics.Requests {
			return []metrics.Requests{{Kind: "webhook", InFlight: 2, Limit: 7, TurnedAway: 3}}
		},
		Waiting: func() (int, time.Duration) { return 4, 1500 * time.Millisecond },
		Now:     time.Now,
	}
}

// mustWrite returns the lines of all figures but those of the Go runtime.
func mustWrite(t *testing.T, m *metrics.Metrics) map[string]string {
	t.Helper()
	var text bytes.Buffer
	if err := m.Write(&text); err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for line := range strings.Lines(text.String()) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && strings.HasPrefix(name, "quotekit_") {
			lines[name] = value
		}
	}
	return lines
}

func check(t *testing.T, got map[string]string, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s = %q, want %q", name, got[name], value)
		}
	}
}

func TestMetrics_LabelsAreBounded(t *testing.T) {
	m := metrics.New(config(storetest.Open(t, storetest.SQLiteURL(t, storetest.Tables))))
	before := len(mustWrite(t, m))
	for i := range 100 {
		name := fmt.Sprintf("strange.%d", i)
		m.Webhook.Decided(name, metrics.Dead, quotekit.FailureReason(name))
		m.Webhook.Refused(quotekit.ErrorCode(name))
		m.Webhook.Completed(name, time.Second, map[string]int64{name: 1})
		m.Webhook.Retried(name)
	}
	m.Webhook.Decided("a.b", metrics.Kept, "")
	m.Webhook.Completed("c.d", 20*time.Millisecond, map[string]int64{"handle": 1500})
	m.Batch.Counted("undo", false, quotekit.Failed, 5)

	got := mustWrite(t, m)

	if len(got) != before {
		t.Errorf("there are %d series, and were %d", len(got), before)
	}
	check(t, got, map[string]string{
		`quotekit_events_total{event_type="other",outcome="dead"}`:                          "100",
		`quotekit_events_total{event_type="a.b",outcome="kept"}`:                            "1",
		`quotekit_deliveries_refused_total{code="other"}`:                                   "100",
		`quotekit_dead_letters_buried_total{reason="HANDLER_REJECTED"}`:                     "0",
		`quotekit_event_retries_total{lane="5"}`:                                            "100",
		`quotekit_event_duration_seconds_bucket{lane="3",le="0.01"}`:                        "0",
		`quotekit_event_duration_seconds_bucket{lane="3",le="0.02"}`:                        "1",
		`quotekit_event_duration_seconds_count{lane="5"}`:                                   "100",
		`quotekit_event_stage_duration_seconds_sum{stage="handle"}`:                         "0.0015",
		`quotekit_batch_items_total{dry_run="false",operation="undo",outcome="failed"}`:     "5",
		`quotekit_requests_in_flight{kind="webhook"}`:                                       "2",
		`quotekit_requests_turned_away_total{kind="webhook"}`:                               "3",
		`quotekit_deliveries_waiting`:                                                       "4",
		`quotekit_deliveries_waiting_seconds`:                                               "1.5",
		`quotekit_database_up`:                                                              "1",
		`quotekit_batch_items_total{dry_run="true",operation="undo",outcome="failed"}`:      "0",
		`quotekit_batch_items_total{dry_run="true",operation="undo",outcome="unprocessed"}`: "",
	})
}

// TestWebhook_CountsWithoutAllocation: it is done for each event.
func TestWebhook_CountsWithoutAllocation(t *testing.T) {
	m := metrics.New(config(storetest.Open(t, storetest.SQLiteURL(t, storetest.Tables))))
	stages := map[string]int64{"handle": 100, "wait": 200, "commit": 300}
	for name, w := range map[string]*metrics.Webhook{"counting": m.Webhook, "nil": nil} {
		allocations := testing.AllocsPerRun(1000, func() {
			w.Grouped(3)
			w.Delivered(false, true)
			w.Decided("a.b", metrics.Succeeded, "")
			w.Decided("x.y", metrics.Dead, quotekit.ReasonRejected)
			w.Retried("a.b")
			w.Completed("a.b", time.Millisecond, stages)
		})
		if allocations != 0 {
			t.Errorf("%s: an event allocates %g times", name, allocations)
		}
	}
}

// TestTables_AreReadNowAndThen: not for each scrape, and they are never old.
func TestTables_AreReadNowAndThen(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		now := time.Now().UTC().Truncate(time.Second)
		prepared := false
		c := config(s)
		c.Now, c.Prepared = func() time.Time { return now }, func() bool { return prepared }
		m := metrics.New(c)
		const pending, oldest = `quotekit_lane_pending_events{lane="3"}`, `quotekit_lane_oldest_pending_seconds{lane="3"}`
		check(t, mustWrite(t, m), map[string]string{"quotekit_database_up": "0", pending: ""})
		prepared = true
		check(t, mustWrite(t, m), map[string]string{"quotekit_database_up": "1", pending: "0", oldest: "0", "quotekit_last_event_received_timestamp_seconds": ""})
		receive := func(eventType string, ids ...string) {
			err := s.WithTx(t.Context(), func(tx *store.Tx) error {
				var list []store.ReceivedEvent
				for _, id := range ids {
					list = append(list, store.ReceivedEvent{
						Event: quotekit.Event{ID: id, Type: eventType}, Deliveries: 1, Status: quotekit.EventPending, NextAttemptAt: tx.Now,
					})
				}
				_, err := tx.ReceiveEvents(t.Context(), list)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.FoldCounts(t.Context(), 100); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		receive("c.d", "evt_1", "evt_2")
		receive("no.route", "evt_3")
		check(t, mustWrite(t, m), map[string]string{pending: "0"}) // as it was read before

		now = began.Add(time.Hour)

		got := mustWrite(t, m)
		check(t, got, map[string]string{
			pending: "2", `quotekit_lane_pending_events{lane="5"}`: "1", `quotekit_lane_pending_events{lane="1"}`: "0",
			`quotekit_stored_events{status="pending"}`: "3", `quotekit_lane_oldest_pending_seconds{lane="1"}`: "0",
		})
		var age, all float64
		if _, err := fmt.Sscan(got[oldest]+" "+got["quotekit_oldest_unprocessed_seconds"], &age, &all); err != nil || age > 3600 || age < 3590 || all != age {
			t.Errorf("the oldest is %s old, of all %s, %v; want an hour", got[oldest], got["quotekit_oldest_unprocessed_seconds"], err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		check(t, mustWrite(t, m), map[string]string{"quotekit_database_up": "1", pending: "2"})
		now = now.Add(time.Minute)
		check(t, mustWrite(t, m), map[string]string{"quotekit_database_up": "0", pending: ""})
	})
}

func TestDecision_IsALabel(t *testing.T) {
	for d, want := range map[metrics.Decision]string{
		metrics.Succeeded: "succeeded", metrics.Ignored: "ignored", metrics.Failed: "failed", metrics.Kept: "kept", metrics.Dead: "dead",
	} {
		if d.String() != want {
			t.Errorf("got %s, want %s", d, want)
		}
	}
}

func BenchmarkWebhook(b *testing.B) {
	m := metrics.New(config(storetest.Open(b, storetest.SQLiteURL(b, storetest.Tables))))
	stages := map[string]int64{"handle": 100, "wait": 200, "commit": 300}
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			m.Webhook.Delivered(false, false)
			m.Webhook.Decided("a.b", metrics.Succeeded, "")
			m.Webhook.Completed("a.b", 3*time.Millisecond, stages)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	m := metrics.New(config(storetest.Open(b, storetest.SQLiteURL(b, storetest.Tables))))
	b.ReportAllocs()
	var text bytes.Buffer
	for b.Loop() {
		text.Reset()
		if err := m.Write(&text); err != nil {
			b.Fatal(err)
		}
	}
}
