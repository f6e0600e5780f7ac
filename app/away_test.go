package app_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestAway_EverythingComesBackByItself takes the database away from a service
// with work under way, in two ways, and gives it back.
func TestAway_EverythingComesBackByItself(t *testing.T) { // not in parallel: it counts goroutines
	p, behind := mustProxy(t, storetest.PostgresURL(t, tables))
	b := &broken{fail: func(int) error { return errors.New("not now") }}
	s := mustStartWith(t, batchConfig(behind), app.Options{Routes: routesWith("product.created", b.handle)})
	u := s.user()
	before := 0
	for round, way := range []struct {
		name        string
		leave, back func()
	}{
		{"refused", p.refuse, p.admit},
		{"silent", p.stall, p.flow},
	} {
		b.mended.Store(false)
		id := fmt.Sprintf("evt_%d", round)
		if a := s.post(product(id, "prod_"+id)); a.Status != "pending" {
			t.Fatalf("%s: got %+v, want pending", way.name, a)
		}
		quotes := s.quotes(u, 200, nil)
		job := u.submit("update_quote_status", quotes, status("sent"))
		way.leave()
		b.mended.Store(true)
		eventually(t, 60*time.Second, way.name+": it is not ready", func() bool { return s.statusOf("GET", "/readyz", "") == 503 })
		if a := s.post(product("evt_away", "prod_away")); a.HTTP != 503 {
			t.Errorf("%s: got %+v without a database", way.name, a)
		}
		way.back()
		eventually(t, 60*time.Second, way.name+": readiness", func() bool { return s.statusOf("GET", "/readyz", "") == 200 })
		eventually(t, 60*time.Second, way.name+": a delivery is kept", func() bool {
			return s.post(product(id+"_after", "prod_"+id)).HTTP == 200
		})
		eventually(t, 90*time.Second, way.name+": the retry", func() bool { return s.status(id) == "succeeded" })
		eventually(t, 90*time.Second, way.name+": the bulk operation", func() bool {
			return s.value("SELECT COUNT(*) FROM batch_jobs WHERE id = $1 AND status = 'completed'", job.ID) == "1"
		})
		if round == 0 {
			before = workers()
		}
	}
	if !comesTrue(30*time.Second, func() bool { return workers() <= before+leaders }) {
		t.Errorf("%d goroutines work after the first time, %d after the second", before, workers())
	}
}

// leaders is about how many goroutines River has more while a client leads.
const leaders = 25

// workers counts the goroutines of our rooms and of River.
func workers() (n int) {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, stack := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(stack, "quotekit/internal/") || strings.Contains(stack, "riverqueue/river") {
			n++
		}
	}
	return n
}

// TestAway_StopsWithinItsBound stops a service that has lost its database, with
// work under way.
func TestAway_StopsWithinItsBound(t *testing.T) {
	for name, leave := range map[string]func(*proxy){"refused": (*proxy).refuse, "silent": (*proxy).stall} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, behind := mustProxy(t, storetest.PostgresURL(t, tables))
			b := &broken{fail: func(int) error { return errors.New("not now") }}
			s := mustStartWith(t, batchConfig(behind), app.Options{Routes: routesWith("product.created", b.handle)})
			u := s.user()
			s.post(product("evt_1", "prod_1"))
			u.submit("update_quote_status", s.quotes(u, 500, nil), status("sent"))
			leave(p)
			answered := make(chan answer, 1)
			go func() {
				a, _ := s.tryPost(product("evt_2", "prod_2"))
				answered <- a
			}()
			eventually(t, 60*time.Second, "it is not ready", func() bool { return s.statusOf("GET", "/readyz", "") == 503 })
			began := time.Now()
			s.stop() // fails the test on an error
			took := time.Since(began)
			t.Logf("the stop took %s", took)
			if took > 30*time.Second {
				t.Error("which is too long")
			}
			if a := <-answered; a.HTTP == 200 {
				t.Errorf("got %+v without a database", a)
			}
		})
	}
}
