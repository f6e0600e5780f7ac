package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/quotekit/quotekit"
)

// maxGroup bounds the events of one transaction. Multi-row statements gain
// little beyond it, while the wait and what a halving repeats grow.
const maxGroup = 128

// maxAttempts bounds the attempts of workers in one transaction. It is less than
// what a group of deliveries may have, since those may have to wait for it.
const maxAttempts = 32

const (
	// keepAfter is the first bound of the wait: when somebody has waited longer for
	// a group, what is not urgent is kept for its lane instead of being settled. Urgent
	// events do not feel it: they wait for the group under way and their own, however
	// many others wait. It is what a burst of a thousand connections makes two processors
	// wait, since to keep an event and settle it later costs more than twice what it costs
	// to settle it; see docs/performance.md.
	keepAfter = 1500 * time.Millisecond
	// turnShare is the part of it, 100 ms, that an event which is not urgent waits for a
	// handler's turn. Handlers that are that slow are as slow for those behind it, and
	// who waits takes a place among the requests in flight.
	turnShare = 15
	// refuseAfter is the second bound: nothing has been committed for so long that
	// more deliveries would only wait until their sender hangs up.
	refuseAfter = 5 * time.Second
)

var (
	errOverload = errors.New("more events wait than the queue holds")
	errStopped  = fmt.Errorf("the service is stopping: %w", context.Canceled)
)

// Group collects deliveries while transactions run and hands them over in
// groups, the most urgent first and within a priority in order of arrival. When
// they wait too long, it decides that those that are not urgent are kept.
//
// The attempts of workers go through it, too, in groups of their own that take turns
// with those of deliveries: on SQLite nobody else could tell which of them is to have
// the connection that writes.
type Group struct {
	settle    func(ctx context.Context, batch []*delivery)
	attempted func(ctx context.Context, batch []*finishing)
	limit     int
	keepAfter time.Duration
	now       func() time.Time

	mu      sync.Mutex
	waiting [quotekit.Lanes][]*delivery // by priority - 1, each in order of queued
	count   int
	// attempts are those that wait, by priority - 1.
	attempts [quotekit.Lanes][]*finishing
	stopped  bool

	wake chan struct{} // holds a token when something may be waiting
	done sync.WaitGroup
}

// newGroup makes a group that refuses more than limit waiting deliveries. The
// function for attempts is set by whoever has workers.
func newGroup(limit int, keepAfter time.Duration, now func() time.Time, settle func(context.Context, []*delivery)) *Group {
	return &Group{settle: settle, limit: limit, keepAfter: keepAfter, now: now, wake: make(chan struct{}, 1)}
}

// start runs the committers. Each settles one group at a time.
func (g *Group) start(ctx context.Context, committers int) {
	for range committers {
		g.done.Go(func() { g.run(ctx) })
	}
}

// submit hands a delivery over; the answer comes by its channel.
func (g *Group) submit(d *delivery) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.stopped:
		return errStopped
	case g.count >= g.limit, g.oldest() > refuseAfter:
		return errOverload
	}
	d.queued = g.now()
	lane := priority(d.route) - 1
	g.waiting[lane] = append(g.waiting[lane], d)
	g.count++
	g.signal()
	return nil
}

// submitAttempt hands over an attempt of a worker; the outcome comes by its channel.
func (g *Group) submitAttempt(f *finishing) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return errStopped
	}
	lane := priority(f.route) - 1
	g.attempts[lane] = append(g.attempts[lane], f)
	g.signal()
	return nil
}

// behind reports whether somebody has waited longer than the first bound.
func (g *Group) behind() bool { return g.waited() > g.keepAfter }

// waited is how long the first of those who wait has waited.
func (g *Group) waited() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.oldest()
}

// queued is how many deliveries wait, and how long the first has.
func (g *Group) queued() (deliveries int, first time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.count, g.oldest()
}

// oldest is how long the first of those who wait has waited. It is called with
// the lock.
func (g *Group) oldest() time.Duration {
	if g.count == 0 {
		return 0
	}
	now, wait := g.now(), time.Duration(0)
	for _, queue := range g.waiting {
		if len(queue) > 0 {
			wait = max(wait, now.Sub(queue[0].queued))
		}
	}
	return wait
}

// stop refuses new deliveries, settles those that wait and returns when the
// committers have ended.
func (g *Group) stop() {
	g.mu.Lock()
	g.stopped = true
	g.signal()
	g.mu.Unlock()
	g.done.Wait()
}

func (g *Group) signal() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

func (g *Group) run(ctx context.Context) {
	for range g.wake {
		batch, attempts, last := g.take()
		if len(batch) > 0 {
			g.settle(ctx, batch)
		}
		if len(attempts) > 0 {
			g.attempted(ctx, attempts)
		}
		if last {
			return
		}
	}
}

// take removes the next group. It passes the token on when more is waiting, or
// when the others have to be told that it is over.
//
// When it is behind, what is not urgent is kept, and has room of its own in the
// group: it costs little, and an endless stream of urgent events must not starve it.
func (g *Group) take() (batch []*delivery, attempts []*finishing, last bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	batch, attempts = g.takeDeliveries(), g.takeAttempts()
	more := g.count > 0 || slices.ContainsFunc(g.attempts[:], func(q []*finishing) bool { return len(q) > 0 })
	if more || g.stopped {
		g.signal()
	}
	return batch, attempts, g.stopped && !more
}

func (g *Group) takeDeliveries() (batch []*delivery) {
	behind := g.oldest() > g.keepAfter
	room := maxGroup
	for lane, queue := range g.waiting {
		if behind && lane == urgent {
			room = maxGroup
		}
		n := min(len(queue), room)
		room -= n
		for _, d := range queue[:n] {
			if behind && lane >= urgent && d.decision.status == quotekit.EventSucceeded {
				d.decision = keep()
			}
		}
		batch = append(batch, queue[:n]...)
		clear(queue[:n]) // let the garbage collector have them
		g.waiting[lane] = queue[n:]
		if len(g.waiting[lane]) == 0 {
			g.waiting[lane] = queue[:0]
		}
	}
	g.count -= len(batch)
	return batch
}

// takeAttempts takes one of each lane in turn, so that none waits for another.
func (g *Group) takeAttempts() (batch []*finishing) {
	for took := true; took; {
		took = false
		for lane, queue := range g.attempts {
			if len(queue) == 0 || len(batch) == maxAttempts {
				continue
			}
			batch = append(batch, queue[0])
			queue[0] = nil
			g.attempts[lane] = queue[1:]
			took = true
		}
	}
	return batch
}
