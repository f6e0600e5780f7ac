package app_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/sample"
)

// flood is a crowd of events that come as fast as they are answered, and beside it
// urgent ones that come steadily.
type flood struct {
	t       testing.TB
	address string // of the service
	// most bounds the urgent events, so that they do not keep a slow machine from
	// ever being done; zero: they come until the end.
	most int

	mu      sync.Mutex
	maker   *sample.Maker
	answers map[string]int // to the crowd, 503s included
	over    bool           // the whole crowd is acknowledged
	// during and after have, for every urgent event, the time from when it was to be
	// sent to its answer: of those that were due while the crowd came, and of those
	// after it, while what was kept is worked.
	during, after []time.Duration
}

func newFlood(t testing.TB, url string) *flood {
	return &flood{
		t: t, address: strings.TrimPrefix(url, "http://"), maker: sample.New(rand.NewPCG(3, 1), time.Now),
		answers: map[string]int{},
	}
}

// event makes an event about an object of its own.
func (f *flood) event(eventType string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, err := f.maker.Event(eventType)
	if err != nil {
		panic(err) // of whoever wrote the type
	}
	return body
}

func (f *flood) crowd(n int, eventType string) [][]byte {
	bodies := make([][]byte, n)
	for i := range bodies {
		bodies[i] = f.event(eventType)
	}
	return bodies
}

// pour delivers a crowd over many connections, and again what is answered 503.
func (f *flood) pour(bodies [][]byte, connections int) {
	var (
		left    atomic.Int64
		todo    = make(chan []byte, len(bodies))
		senders sync.WaitGroup
	)
	left.Store(int64(len(bodies)))
	for _, body := range bodies {
		todo <- body
	}
	for range connections {
		senders.Go(func() {
			s, err := dial(f.address)
			if err != nil {
				f.t.Error(err)
				return
			}
			defer func() { _ = s.Close() }()
			for body := range todo {
				a, err := s.deliver(body)
				f.count(a)
				if a.HTTP == 503 {
					todo <- body // there is room, since it came from there
					continue
				}
				if left.Add(-1) == 0 {
					close(todo)
				}
				if err != nil {
					f.t.Error(err)
					return
				}
			}
		})
	}
	senders.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
}

func (f *flood) count(a answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[fmt.Sprintf("%d %s", a.HTTP, cmp.Or(a.Status, a.Code))]++
}

const (
	// urgentEvery is the time between two urgent events: 50 a second.
	urgentEvery = 20 * time.Millisecond
	// urgentSenders is how many of them may be without an answer until the next
	// has to wait. Its time runs all the same.
	urgentSenders = 16
)

var urgentTypes = []string{"customer.subscription.updated", "customer.subscription.created", "customer.subscription.deleted"}

// urgently delivers urgent events until stop is closed, each when it is due, whether
// or not those before it are answered. Every one is to have its effect in the answer.
func (f *flood) urgently(stop <-chan struct{}) {
	var (
		next    atomic.Int64
		started = time.Now()
		senders sync.WaitGroup
	)
	for range urgentSenders {
		senders.Go(func() {
			s, err := dial(f.address)
			if err != nil {
				f.t.Error(err)
				return
			}
			defer func() { _ = s.Close() }()
			for {
				n := int(next.Add(1)) - 1
				if f.most > 0 && n >= f.most {
					return
				}
				body, due := f.event(urgentTypes[n%len(urgentTypes)]), started.Add(time.Duration(n)*urgentEvery)
				select {
				case <-stop:
					return
				case <-time.After(time.Until(due)):
				}
				f.mu.Lock()
				times := &f.during
				if f.over {
					times = &f.after
				}
				f.mu.Unlock()
				a, err := s.deliver(body)
				took := time.Since(due)
				if err != nil || a.HTTP != 200 || a.Status != "succeeded" || a.Duplicate {
					f.t.Errorf("an urgent event was answered %+v, %v", a, err)
					return
				}
				f.mu.Lock()
				*times = append(*times, took)
				f.mu.Unlock()
			}
		})
	}
	senders.Wait()
}

// run pours a crowd of customers with urgent events beside it, which go on until
// drained is true. Connections are so many for each handler that may run at a time:
// those who come must wait too long for their turn.
func (f *flood) run(events, connections int, drained func() bool) {
	bodies := f.crowd(events, "customer.created")
	stop := make(chan struct{})
	var urgent sync.WaitGroup
	urgent.Go(func() { f.urgently(stop) })
	f.pour(bodies, min(connections*max(2, runtime.GOMAXPROCS(0)), 1000)) // that is less than may be in flight
	in := comesTrue(15*time.Minute, drained)
	close(stop)
	urgent.Wait()
	if !in {
		f.t.Fatal("what was kept is still not drained")
	}
	if f.answers["200 pending"] == 0 {
		f.t.Error("nothing was kept, so there was no flood")
	}
	for text := range f.answers {
		if text != "200 succeeded" && text != "200 pending" && text != "503 unavailable" {
			f.t.Errorf("the flood was answered %s", text)
		}
	}
	if len(f.during) == 0 {
		f.t.Fatal("no urgent event came in the flood")
	}
	slices.Sort(f.during)
	slices.Sort(f.after)
}

// summary tells which answers were given how often, and how long urgent ones took.
func (f *flood) summary() string {
	var parts []string
	for _, text := range slices.Sorted(maps.Keys(f.answers)) {
		parts = append(parts, fmt.Sprintf("%s: %d", text, f.answers[text]))
	}
	for _, c := range []struct {
		when  string
		times []time.Duration
	}{{"meanwhile", f.during}, {"until it was drained", f.after}} {
		if len(c.times) > 0 {
			parts = append(parts, fmt.Sprintf("%d urgent events %s: p50 %.1f ms, p99 %.1f ms",
				len(c.times), c.when, quantile(c.times, 0.5), quantile(c.times, 0.99)))
		}
	}
	return strings.Join(parts, ", ")
}

// slowCustomers is the table with handlers of priority 5 that take their time.
func slowCustomers(takes time.Duration) []quotekit.Route {
	routes := handlers.Routes()
	for i, r := range routes {
		if r.Priority != quotekit.Lanes {
			continue
		}
		routes[i].Handle = func(ctx context.Context, e quotekit.Event) (quotekit.Changes, error) {
			select {
			case <-time.After(takes):
				return r.Handle(ctx, e)
			case <-ctx.Done():
				return quotekit.Changes{}, ctx.Err()
			}
		}
	}
	return routes
}

// TestFlood_UrgentEventsAreSettledInTheRequest floods the service with events of
// priority 5 whose handlers are slow. Those of priority 1 beside it are neither kept
// nor refused, and the flood is applied in the end.
func TestFlood_UrgentEventsAreSettledInTheRequest(t *testing.T) {
	events := 800
	if os.Getenv("QUOTEKIT_TEST_LONG") != "" {
		events = 20_000
	}
	onBoth(t, func(t *testing.T, url string) {
		routes := slowCustomers(20 * time.Millisecond)
		for i := range routes {
			routes[i].Timeout = time.Minute // what takes long here is for the benchmark to say
		}
		s := mustStart(t, url, app.Options{Routes: routes, KeepAfter: 1500 * time.Millisecond}) // the product's
		f := newFlood(t, s.URL())
		f.most = events / 2
		f.run(events, 16, func() bool { return len(s.query(pendingQuery)) == 0 })
		note("%s: %s", t.Name(), f.summary())

		urgent := len(f.during) + len(f.after)
		for query, want := range map[string]int{
			"SELECT COUNT(*) FROM stripe_webhook_events":                                           events + urgent,
			"SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'succeeded'":                events + urgent,
			"SELECT COUNT(*) FROM stripe_customers WHERE snapshot_at IS NOT NULL":                  events,
			"SELECT COUNT(*) FROM subscriptions WHERE snapshot_at IS NOT NULL":                     urgent,
			"SELECT COUNT(*) - COUNT(DISTINCT stripe_event_id || field) FROM subscription_changes": 0,
			`SELECT COUNT(*) FROM stripe_webhook_events WHERE event_type = 'customer.subscription.updated'
			AND stripe_event_id NOT IN (SELECT stripe_event_id FROM subscription_changes)`: 0,
		} {
			if got := s.value(query); got != fmt.Sprint(want) {
				t.Errorf("%s: got %s, want %d", query, got, want)
			}
		}
	})
}

const pendingQuery = "SELECT 1 FROM stripe_webhook_events WHERE status = 'pending' LIMIT 1"

// lanes has an event of each priority, and the table that its object has a row in.
var lanes = [quotekit.Lanes]struct{ eventType, table string }{
	{"customer.subscription.created", "subscriptions"},
	{"invoice.paid", "stripe_invoices"},
	{"payment_method.attached", "payment_methods"},
	{"product.created", "stripe_products"},
	{"customer.created", "stripe_customers"},
}

// TestLanes_EachDrainsWhileTheOthersAreFlooded holds the handlers of all lanes, with
// far more events behind them than workers could take. Then it lets those of one lane
// go: that lane works off all it has while the others stand. Each lane has its turn.
func TestLanes_EachDrainsWhileTheOthersAreFlooded(t *testing.T) {
	const (
		workers = 16 // of a lane; see package jobs
		events  = 3 * workers
	)
	onBoth(t, func(t *testing.T, url string) {
		var (
			gates  [quotekit.Lanes]laneGate
			routes = handlers.Routes()
		)
		for i, r := range routes {
			routes[i].Deferred, routes[i].Timeout = true, time.Minute // they are held for longer than theirs
			routes[i].Handle = func(ctx context.Context, e quotekit.Event) (quotekit.Changes, error) {
				if err := gates[r.Priority-1].pass(ctx); err != nil {
					return quotekit.Changes{}, err
				}
				return r.Handle(ctx, e)
			}
		}
		s := mustStart(t, url, app.Options{Routes: routes})
		f := newFlood(t, s.URL())
		fill := func(lane int) {
			gates[lane].shut()
			f.pour(f.crowd(events, lanes[lane].eventType), 8)
		}
		full := func() bool {
			for i := range gates {
				if gates[i].before.Load() < workers {
					return false
				}
			}
			return true
		}
		for i := range gates {
			fill(i)
			defer gates[i].open() // so that the service can stop
		}
		for i, lane := range lanes {
			eventually(t, 2*time.Minute, "the workers of all lanes are held", full)
			gates[i].open()
			eventually(t, 2*time.Minute, "the lane is drained", func() bool {
				return s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'pending' AND event_type = $1", lane.eventType) == "0"
			})
			for other, l := range lanes {
				got := s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'pending' AND event_type = $1", l.eventType)
				if other != i && got != fmt.Sprint(events) {
					t.Errorf("when lane %d was drained, lane %d had %s events, want all of its %d", i+1, other+1, got, events)
				}
			}
			fill(i)
		}
		for i := range gates {
			gates[i].open()
		}
		eventually(t, 2*time.Minute, "all lanes are drained", func() bool { return len(s.query(pendingQuery)) == 0 })
		if got := f.answers["200 pending"]; got != 2*events*len(lanes) {
			t.Errorf("got answers %v, want all pending", f.answers)
		}
		if got := s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'succeeded' AND attempts = 1"); got != fmt.Sprint(2*events*len(lanes)) {
			t.Errorf("got %s events that have succeeded in one attempt, want all %d", got, 2*events*len(lanes))
		}
		for _, lane := range lanes {
			// A row without snapshot_at is known from events of others only.
			if got := s.value("SELECT COUNT(*) FROM " + lane.table + " WHERE snapshot_at IS NOT NULL"); got != fmt.Sprint(2*events) {
				t.Errorf("%s: got %s rows, want %d", lane.table, got, 2*events)
			}
		}
	})
}

// laneGate holds those who want to pass while it is shut.
type laneGate struct {
	mu     sync.Mutex
	closed chan struct{} // nil: it is open
	before atomic.Int64  // how many stand before it
}

func (b *laneGate) shut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = make(chan struct{})
}

func (b *laneGate) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed != nil {
		close(b.closed)
		b.closed = nil
	}
}

// pass waits until the gate is open, or ctx ends.
func (b *laneGate) pass(ctx context.Context) error {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed == nil {
		return nil
	}
	b.before.Add(1)
	defer b.before.Add(-1)
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
