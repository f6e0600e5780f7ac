package app_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// routesWith returns the service's table with one handler replaced.
func routesWith(eventType string, handle func(original quotekit.HandlerFunc) quotekit.HandlerFunc) []quotekit.Route {
	routes := handlers.Routes()
	for i, r := range routes {
		if r.Type == eventType {
			routes[i].Handle = handle(r.Handle)
		}
	}
	return routes
}

// broken makes a handler that fails until it is mended.
type broken struct {
	mended   atomic.Bool
	attempts atomic.Int32
	fail     func(attempt int) error
}

func (b *broken) handle(original quotekit.HandlerFunc) quotekit.HandlerFunc {
	return func(ctx context.Context, e quotekit.Event) (quotekit.Changes, error) {
		n := int(b.attempts.Add(1))
		if !b.mended.Load() {
			if err := b.fail(n); err != nil {
				return quotekit.Changes{}, err
			}
		}
		return original(ctx, e)
	}
}

const productEvent = `{"id":%q,"object":"event","type":"product.created","api_version":"2026-03-25.dahlia","created":1775000000,
"livemode":false,"data":{"object":{"id":%q,"object":"product","active":true,"name":"Plan","metadata":{}}}}`

func product(event, id string) []byte { return fmt.Appendf(nil, productEvent, event, id) }

func (s *service) status(event string) string {
	return s.value("SELECT status FROM stripe_webhook_events WHERE stripe_event_id = $1", event)
}

func TestFailure_RetryHealsATransientError(t *testing.T) {
	for name, fail := range map[string]func(int) error{
		"error":   func(int) error { return errors.New("not now") },
		"panic":   func(int) error { panic("secret value of the payload") },
		"timeout": nil, // set below: needs the route's context
	} {
		t.Run(name, func(t *testing.T) {
			onBothAtOnce(t, func(t *testing.T, url string) {
				b := &broken{fail: fail}
				handle := b.handle
				if fail == nil {
					handle = func(original quotekit.HandlerFunc) quotekit.HandlerFunc {
						return func(ctx context.Context, e quotekit.Event) (quotekit.Changes, error) {
							if b.attempts.Add(1) == 1 {
								<-ctx.Done()
							}
							return original(ctx, e)
						}
					}
				}
				routes := routesWith("product.created", handle)
				for i := range routes {
					routes[i].Timeout = min(routes[i].Timeout, 300*time.Millisecond)
				}
				s := mustStart(t, url, app.Options{Routes: routes})
				if a := s.post(product("evt_1", "prod_1")); a.HTTP != 200 || a.Status != "pending" {
					t.Fatalf("got %+v, want pending", a)
				}
				if got := s.query("SELECT * FROM stripe_products"); len(got) != 0 {
					t.Errorf("got rows of a failed event: %v", got)
				}
				b.mended.Store(true)
				eventually(t, 10*time.Second, "the retry", func() bool { return s.status("evt_1") == "succeeded" })
				if got := s.value("SELECT name FROM stripe_products"); got != "Plan" {
					t.Errorf("got product %q", got)
				}
				if got := s.value("SELECT attempts FROM stripe_webhook_events"); got != "2" {
					t.Errorf("got %s attempts, want 2", got)
				}
				if got := s.query("SELECT 1 FROM webhook_dead_letter_queue"); len(got) != 0 {
					t.Errorf("got a dead letter of an event that was healed")
				}
				eventually(t, 5*time.Second, "the processing logs", func() bool {
					return len(s.query("SELECT 1 FROM webhook_processing_logs WHERE processing_stage = 'retry_scheduled'")) == 1 &&
						len(s.query("SELECT 1 FROM webhook_processing_logs WHERE processing_stage = 'completed'")) == 1
				})
			})
		})
	}
}

func TestFailure_ARejectedPayloadIsDeadAtOnceAndComesBack(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := &broken{fail: func(int) error { return quotekit.Permanent(errors.New("no use")) }}
		s := mustStart(t, url, app.Options{Routes: routesWith("product.created", b.handle)})
		body := product("evt_1", "prod_1")
		if a := s.post(body); a.HTTP != 200 || a.Status != "dead" || a.Duplicate {
			t.Fatalf("got %+v, want dead", a)
		}
		if a := s.post(body); a.Status != "dead" || !a.Duplicate {
			t.Fatalf("got %+v, want dead again", a)
		}
		letter := "SELECT failure_reason, failure_count, resolved, requires_manual_review FROM webhook_dead_letter_queue"
		if got := s.query(letter); len(got) != 1 || got[0] != "failure_reason=HANDLER_REJECTED | failure_count=2 | resolved=false | requires_manual_review=true" {
			t.Fatalf("got dead letters %v", got)
		}
		id := quotekit.DeadLetterID("evt_1")

		// By hand, still broken: the same row fails once more.
		if status, answer := s.call("POST", "/v1/monitor/dead-letter-queue/"+id+"/retry", `{"reason":"try"}`); status != 202 {
			t.Fatalf("got %d %v", status, answer)
		}
		eventually(t, 10*time.Second, "the third death", func() bool {
			return s.value("SELECT failure_count FROM webhook_dead_letter_queue") == "3" && s.status("evt_1") == "dead"
		})

		// By hand, mended.
		b.mended.Store(true)
		if status, answer := s.call("POST", "/v1/monitor/dead-letter-queue/"+id+"/retry", `{"reason":"deployed the fix"}`); status != 202 {
			t.Fatalf("got %d %v", status, answer)
		}
		eventually(t, 10*time.Second, "the retry", func() bool { return s.status("evt_1") == "succeeded" })
		if got := s.query("SELECT resolved, resolution_notes FROM webhook_dead_letter_queue"); got[0] != "resolved=true | resolution_notes=deployed the fix" {
			t.Errorf("got %v", got)
		}
		if got := s.query("SELECT stripe_product_id FROM stripe_products"); len(got) != 1 {
			t.Errorf("got products %v", got)
		}
		trail := s.query("SELECT actor, action, reason FROM webhook_audit_trail WHERE action <> 'event.delivered' ORDER BY at")
		want := "[actor=ada | action=dead_letter.retry | reason=try actor=ada | action=dead_letter.retry | reason=deployed the fix]"
		if fmt.Sprint(trail) != want {
			t.Errorf("got audit trail %v, want %s", trail, want)
		}
		if a := s.post(body); a.Status != "succeeded" || !a.Duplicate {
			t.Errorf("got %+v, want a duplicate", a)
		}
		if status, _ := s.call("POST", "/v1/monitor/dead-letter-queue/"+id+"/retry", `{}`); status != 409 {
			t.Errorf("got %d for the retry of a succeeded event, want 409", status)
		}
	})
}

func TestFailure_ThreeRetriesThenDeadWithTheSharedReason(t *testing.T) {
	for name, test := range map[string]struct {
		fail func(int) error
		want string
	}{
		"panics": {func(int) error { panic("boom") }, "HANDLER_PANIC"},
		"different reasons": {func(n int) error {
			if n == 2 {
				panic("boom")
			}
			return errors.New("not now")
		}, "MAX_RETRIES_EXCEEDED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, url string) {
				t.Parallel()
				b := &broken{fail: test.fail}
				s := mustStart(t, url, app.Options{Routes: routesWith("product.created", b.handle)})
				s.post(product("evt_1", "prod_1"))
				// About 1, 4 and 16 s.
				eventually(t, 60*time.Second, "the death", func() bool { return s.status("evt_1") == "dead" })
				if got := b.attempts.Load(); got != 4 {
					t.Errorf("got %d attempts, want 4", got)
				}
				if got := s.value("SELECT failure_reason FROM webhook_dead_letter_queue"); got != test.want {
					t.Errorf("got reason %s, want %s", got, test.want)
				}
			})
		})
	}
}

func TestFailure_ARedeliveryTakesAPendingEventUpAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := &broken{fail: func(int) error { return errors.New("not now") }}
		s := mustStart(t, url, app.Options{Routes: routesWith("product.created", b.handle), Role: app.RoleWeb}) // no workers
		body := product("evt_1", "prod_1")
		if a := s.post(body); a.Status != "pending" {
			t.Fatalf("got %+v", a)
		}
		b.mended.Store(true)
		if a := s.post(body); a.Status != "succeeded" || !a.Duplicate {
			t.Fatalf("got %+v, want the redelivery to settle it", a)
		}
		got := s.query("SELECT attempts, deliveries, round, next_attempt_at FROM stripe_webhook_events")
		if fmt.Sprint(got) != "[attempts=1 | deliveries=2 | round=1 | next_attempt_at=null]" {
			t.Errorf("got %v", got)
		}
	})
}

// TestFailure_ALostJobIsFound stops the service between failure and retry and
// removes the job: the event itself says when it is due.
func TestFailure_ALostJobIsFound(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		b := &broken{fail: func(int) error { return errors.New("not now") }}
		s := mustStart(t, url, app.Options{Routes: routesWith("product.created", b.handle), Role: app.RoleWeb})
		s.post(product("evt_1", "prod_1"))
		if _, err := s.Store().Writer().Exec("DELETE FROM river_job"); err != nil {
			t.Fatal(err)
		}
		s.stop()
		s = mustStart(t, url, app.Options{})
		eventually(t, 30*time.Second, "the retry", func() bool { return s.status("evt_1") == "succeeded" })
	})
}

func TestOperator_ResolveGivesAnEventUp(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := &broken{fail: func(int) error { return quotekit.Permanent(errors.New("no use")) }}
		s := mustStart(t, url, app.Options{Routes: routesWith("product.created", b.handle)})
		s.post(product("evt_1", "prod_1"))
		path := "/v1/monitor/dead-letter-queue/" + quotekit.DeadLetterID("evt_1") + "/resolve"
		if status, answer := s.call("POST", path, `{}`); status != 400 {
			t.Errorf("got %d %v without a reason, want 400", status, answer)
		}
		if status, answer := s.call("POST", path, `{"reason":"a test event"}`); status != 200 {
			t.Fatalf("got %d %v", status, answer)
		}
		if status, _ := s.call("POST", path, `{"reason":"again"}`); status != 409 {
			t.Errorf("got %d for the second resolve, want 409", status)
		}
		if _, answer := s.call("GET", "/v1/monitor/dead-letter-queue?resolved=false", ""); len(answer["items"].([]any)) != 0 {
			t.Errorf("got unresolved dead letters %v", answer)
		}
		_, answer := s.call("GET", "/v1/monitor/events/evt_1", "")
		if got := len(answer["audit_trail"].([]any)); got != 2 || answer["status"] != "dead" {
			t.Errorf("got %v", answer)
		}
	})
}

func TestOperator_NobodyGetsIn(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		s.post(product("evt_1", "prod_1"))
		for _, c := range []struct{ method, path string }{
			{"GET", "/v1/monitor/events"},
			{"GET", "/v1/monitor/events/evt_1"},
			{"POST", "/v1/monitor/events/evt_1/replay"},
			{"GET", "/v1/monitor/dead-letter-queue"},
			{"GET", "/v1/monitor/dead-letter-queue/x"},
			{"POST", "/v1/monitor/dead-letter-queue/x/retry"},
			{"POST", "/v1/monitor/dead-letter-queue/x/resolve"},
		} {
			for _, bearer := range []string{"", "Bearer wrong", "Basic " + token, "Bearer " + secret} {
				if got := s.statusOf(c.method, c.path, bearer); got != 401 {
					t.Errorf("%s %s with %q: got %d, want 401", c.method, c.path, bearer, got)
				}
			}
		}
		if status, answer := s.call("POST", "/v1/monitor/events/evt_1/replay", `{"reason":"to see"}`); status != 200 || answer["status"] != "succeeded" {
			t.Errorf("got %d %v for the replay of a completed event", status, answer)
		}
		if status, _ := s.call("POST", "/v1/monitor/events/evt_none/replay", ""); status != 404 {
			t.Errorf("got %d for an unknown event, want 404", status)
		}
	})
}

// TestFailure_ATimeoutCountsTheWaitForTheDatabase holds the row that an event
// writes until the event's time is over.
func TestFailure_ATimeoutCountsTheWaitForTheDatabase(t *testing.T) {
	const timeout = 300 * time.Millisecond
	routes := handlers.Routes()
	for i := range routes {
		routes[i].Timeout = timeout
	}
	s := mustStart(t, storetest.PostgresURL(t, tables), app.Options{Routes: routes, Role: app.RoleWeb})
	s.post(product("evt_1", "prod_1"))
	holder, err := s.Store().Writer().Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Rollback() }()
	if _, err := holder.Exec("SELECT 1 FROM stripe_products FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	update := set(set(product("evt_2", "prod_1"), "created", 1_775_000_001), "data.object.name", "Other")
	answered := make(chan answer, 1)
	posted := time.Now()
	go func() {
		a, err := s.tryPost(update)
		if err != nil {
			t.Error(err)
		}
		answered <- a
	}()
	eventually(t, 5*time.Second, "the event waits for the row until its time is over", func() bool {
		waiting := s.value("SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
		return waiting == "1" && time.Since(posted) > timeout
	})
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	if a := <-answered; a.Status != "pending" {
		t.Errorf("got %+v, want pending", a)
	}
	got := s.query("SELECT status, failure_reason FROM stripe_webhook_events WHERE stripe_event_id = 'evt_2'")
	if len(got) != 1 || got[0] != "status=pending | failure_reason=TIMEOUT_EXCEEDED" {
		t.Errorf("got %v", got)
	}
	if name := s.value("SELECT name FROM stripe_products"); name != "Plan" {
		t.Errorf("got product %q, want no effect of the late event", name)
	}
}
