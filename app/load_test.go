package app_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/webhook"
)

// deferredProducts is the table with the products' route deferred.
func deferredProducts(handle func(quotekit.HandlerFunc) quotekit.HandlerFunc) []quotekit.Route {
	routes := routesWith("product.created", handle)
	for i := range routes {
		routes[i].Deferred = routes[i].Type == "product.created"
	}
	return routes
}

func same(h quotekit.HandlerFunc) quotekit.HandlerFunc { return h }

func TestDeferred_IsAcknowledgedWhenKeptAndAppliedByItsLane(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		web := mustStart(t, url, app.Options{Routes: deferredProducts(same), Role: app.RoleWeb})
		body := product("evt_1", "prod_1")
		if a := web.post(body); a.HTTP != 200 || a.Status != "pending" || a.Duplicate {
			t.Fatalf("got %+v, want pending", a)
		}
		if a := web.post(body); a.Status != "pending" || !a.Duplicate {
			t.Fatalf("got %+v, want a duplicate that is pending", a)
		}
		row := "SELECT status, attempts, round, deliveries, failure_reason, error_message FROM stripe_webhook_events"
		want := "status=pending | attempts=0 | round=1 | deliveries=2 | failure_reason=null | error_message=null"
		if got := web.query(row); len(got) != 1 || got[0] != want {
			t.Errorf("got %v, want %s", got, want)
		}
		if got := web.value("SELECT COUNT(*) FROM river_job WHERE queue = 'lane_4'"); got != "2" {
			t.Errorf("got %s jobs on the lane, want one a round", got)
		}
		if got := web.query("SELECT 1 FROM stripe_products"); len(got) != 0 {
			t.Errorf("got rows of an event that nobody has handled")
		}
		web.stop()
		s := mustStart(t, url, app.Options{Routes: deferredProducts(same)})
		eventually(t, 30*time.Second, "the attempt", func() bool { return s.status("evt_1") == "succeeded" })
		if got := s.value("SELECT attempts FROM stripe_webhook_events"); got != "1" {
			t.Errorf("got %s attempts, want 1: the other round's job did nothing", got)
		}
		if a := s.post(body); a.Status != "succeeded" || !a.Duplicate {
			t.Errorf("got %+v, want a duplicate", a)
		}
		eventually(t, 10*time.Second, "the processing logs", func() bool {
			return len(s.query("SELECT 1 FROM webhook_processing_logs WHERE processing_stage = 'kept'")) == 2 &&
				len(s.query("SELECT 1 FROM webhook_processing_logs WHERE processing_stage = 'completed' AND status = 'succeeded'")) == 1
		})
	})
}

// TestDeferred_HasItsThreeRetries lets every attempt at an event fail that was
// never attempted in the request.
func TestDeferred_HasItsThreeRetries(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		b := &broken{fail: func(int) error { return errors.New("not now") }}
		s := mustStart(t, url, app.Options{Routes: deferredProducts(b.handle)})
		s.post(product("evt_1", "prod_1"))
		eventually(t, time.Minute, "the death", func() bool { return s.status("evt_1") == "dead" })
		if got := b.attempts.Load(); got != 4 {
			t.Errorf("got %d attempts, want the first and three retries", got)
		}
	})
}

// TestTimeout_EndsAHandlerThatDoesNotListen has handlers that ignore the end of
// their time: the sender, and the worker, wait no longer than the route allows.
func TestTimeout_EndsAHandlerThatDoesNotListen(t *testing.T) {
	for name, deferred := range map[string]bool{"in the request": false, "in the worker": true} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, url string) {
				release := make(chan struct{})
				defer close(release)
				var calls atomic.Int32
				routes := routesWith("product.created", func(original quotekit.HandlerFunc) quotekit.HandlerFunc {
					return func(ctx context.Context, e quotekit.Event) (quotekit.Changes, error) {
						if calls.Add(1) == 1 {
							<-release
						}
						return original(ctx, e)
					}
				})
				for i := range routes {
					routes[i].Timeout = min(routes[i].Timeout, 500*time.Millisecond)
					routes[i].Deferred = deferred
				}
				s := mustStart(t, url, app.Options{Routes: routes})
				if a := s.post(product("evt_1", "prod_1")); a.HTTP != 200 || a.Status != "pending" {
					t.Fatalf("got %+v, want pending", a)
				}
				eventually(t, 30*time.Second, "the end of its time", func() bool {
					return s.value("SELECT COALESCE(failure_reason, 'none') FROM stripe_webhook_events") == "TIMEOUT_EXCEEDED"
				})
				eventually(t, 30*time.Second, "the retry", func() bool { return s.status("evt_1") == "succeeded" })
			})
		})
	}
}

// TestSlots_UrgentOnesWaitForATurnAndOthersAreKept takes all turns of two lanes
// with handlers that hang: what comes after them is kept in the lane that is not
// urgent, and in the one that is, it waits until its time is over.
func TestSlots_UrgentOnesWaitForATurnAndOthersAreKept(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		release := make(chan struct{})
		hang := func(original quotekit.HandlerFunc) quotekit.HandlerFunc {
			return func(ctx context.Context, e quotekit.Event) (quotekit.Changes, error) {
				<-release
				return original(ctx, e)
			}
		}
		routes := routesWith("product.created", hang)
		for i, r := range routes {
			if r.Priority == 1 {
				routes[i].Handle = hang(r.Handle)
			}
			routes[i].Timeout = 2 * time.Second
		}
		s := mustStart(t, url, app.Options{Routes: routes, Role: app.RoleWeb, KeepAfter: 50 * time.Millisecond})
		subscription := fixture(t, "customer.subscription.created.dahlia.journey-a")
		var senders sync.WaitGroup
		for i := range 80 {
			senders.Go(func() {
				body := product(fmt.Sprint("evt_low_", i), fmt.Sprint("prod_", i))
				if i%2 == 0 {
					body = set(subscription, "id", fmt.Sprint("evt_high_", i))
				}
				a, err := s.tryPost(body)
				if err != nil || a.HTTP != 200 || a.Status != "pending" {
					t.Errorf("got %+v, %v", a, err)
				}
			})
		}
		senders.Wait()
		close(release)
		became := map[string]int{}
		for _, line := range s.query("SELECT event_type, attempts, COALESCE(failure_reason, 'kept') AS reason FROM stripe_webhook_events") {
			became[line]++
		}
		const late = " | attempts=1 | reason=TIMEOUT_EXCEEDED"
		low, high := "event_type=product.created", "event_type=customer.subscription.created"
		kept := became[low+" | attempts=0 | reason=kept"]
		if kept == 0 || kept+became[low+late] != 40 || became[high+late] != 40 {
			t.Errorf("got %v", became)
		}
	})
}

// TestCut_SessionsThatAreEndedAreNothingASenderNotices ends all sessions of the
// service, in the middle of a transaction and while they idle.
func TestCut_SessionsThatAreEndedAreNothingASenderNotices(t *testing.T) {
	database := storetest.PostgresURL(t, tables)
	var (
		cut   atomic.Pointer[func()]
		armed atomic.Bool
	)
	s := mustStart(t, database, app.Options{Role: app.RoleWeb, Observe: func(step string) {
		if step == webhook.StepApplied && armed.CompareAndSwap(true, false) {
			(*cut.Load())()
		}
	}})
	other := storetest.Open(t, database)
	end := func() {
		if _, err := other.Writer().Exec(`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
			t.Error(err)
		}
	}
	cut.Store(&end)
	var senders sync.WaitGroup
	for i := range 8 { // so that the pool has connections
		senders.Go(func() { s.post(product(fmt.Sprint("evt_before_", i), fmt.Sprint("prod_before_", i))) })
	}
	senders.Wait()
	for i := range 5 {
		armed.Store(true)
		if a := s.post(product(fmt.Sprint("evt_", i), fmt.Sprint("prod_", i))); a.Status != "succeeded" || a.Duplicate {
			t.Errorf("cut in a transaction: got %+v", a)
		}
		if armed.Load() {
			t.Error("nothing was cut")
		}
		end()
		if a := s.post(product(fmt.Sprint("evt_idle_", i), fmt.Sprint("prod_idle_", i))); a.Status != "succeeded" || a.Duplicate {
			t.Errorf("cut while idle: got %+v", a)
		}
	}
	if got := s.value("SELECT COUNT(*) FROM stripe_products"); got != "18" {
		t.Errorf("got %s products, want 18", got)
	}
}
