package app_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/reconcile"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

// clock runs as fast as any other and shows another time.
type clock struct{ behind atomic.Int64 }

func clockAt(at time.Time) *clock {
	c := new(clock)
	c.set(at)
	return c
}

func (c *clock) set(at time.Time)          { c.behind.Store(int64(time.Since(at))) }
func (c *clock) pass(d time.Duration)      { c.behind.Add(-int64(d)) }
func (c *clock) now() time.Time            { return time.Now().Add(-time.Duration(c.behind.Load())) }
func (c *clock) options() app.Options      { return app.Options{Now: c.now} }
func (c *clock) ago(d time.Duration) int64 { return c.now().Add(-d).Unix() }

// withStripe is a configuration with a key of the fake.
func withStripe(url string, fake *stripetest.Server) app.Config {
	return app.Config{
		DatabaseURL: url, Addr: "127.0.0.1:0", WebhookSecrets: []string{secret},
		AdminTokens:     []rest.Token{{Name: "ada", Secret: token}},
		StripeSecretKey: stripetest.Key, StripeAPIBase: fake.URL, StripeRequestsPerSecond: 100, ReconcileMinutes: 15,
	}
}

// another returns a fresh database of the same engine.
func another(t *testing.T, url string) string {
	if strings.HasPrefix(url, "postgres") {
		return storetest.PostgresURL(t, tables)
	}
	return storetest.SQLiteURL(t, tables)
}

// start starts a task and returns its id.
func (s *service) start(path, body string) (id string) {
	s.t.Helper()
	status, answer := s.call("POST", path, body)
	if status != 202 {
		s.t.Fatalf("POST %s %s: got %d %v", path, body, status, answer)
	}
	return answer["id"].(string)
}

// taskEnd waits for the end of a task.
func (s *service) taskEnd(id string) store.Task {
	s.t.Helper()
	var task store.Task
	eventually(s.t, 90*time.Second, "the end of the task", func() bool {
		var err error
		if task, err = s.Store().Task(context.Background(), id); err != nil {
			s.t.Fatal(err)
		}
		return task.Status.Finished()
	})
	return task
}

// reconcile compares with the list and returns the report.
func (s *service) reconcile(body string) reconcile.Report {
	s.t.Helper()
	return s.report(s.taskEnd(s.start("/v1/monitor/reconcile", body)))
}

func (s *service) report(t store.Task) (r reconcile.Report) {
	s.t.Helper()
	if t.Status != quotekit.TaskCompleted {
		s.t.Fatalf("the %s is %s: %s", t.Kind, t.Status, t.Error)
	}
	if err := json.Unmarshal(t.Report, &r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

// deliverAll delivers events.
func (s *service) deliverAll(events [][]byte) {
	s.t.Helper()
	for _, body := range events {
		if a := s.post(body); a.HTTP != 200 || a.Status == "dead" {
			s.t.Fatalf("got %+v", a)
		}
	}
}

// lives are the events of many users whose stories begin at the same time, in
// the order in which they happened.
func lives(users int, end time.Time) [][]byte {
	maker := sample.New(rand.NewPCG(11, 13), func() time.Time { return end })
	var events []sample.Event
	for range users {
		events = append(events, maker.Journey()...)
	}
	slices.SortStableFunc(events, func(a, b sample.Event) int { return int(a.Created - b.Created) })
	bodies := make([][]byte, len(events))
	for i, e := range events {
		bodies[i] = e.Body
	}
	return bodies
}

// between returns the events of from <= created < to.
func between(events [][]byte, from, to time.Time) [][]byte {
	return slices.DeleteFunc(slices.Clone(events), func(body []byte) bool {
		created := gjson.GetBytes(body, "created").Int()
		return created < from.Unix() || created >= to.Unix()
	})
}

// productAt is the creation of a product at some second.
func productAt(event, id string, created int64) []byte {
	return set(product(event, id), "created", created)
}

// mustCome waits until a channel is closed.
func mustCome(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(60 * time.Second):
		t.Fatal("it did not come within a minute")
	}
}
