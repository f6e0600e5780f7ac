package webhook

import (
	"context"
	"errors"
	"sync"

	"github.com/quotekit/quotekit"
)

// maxGroup bounds the events of one transaction. Multi-row statements gain
// little beyond it, while the wait and what a halving repeats grow.
const maxGroup = 128

var (
	errOverload = errors.New("more events wait than the queue holds")
	errStopped  = errors.New("the service is stopping")
)

// Group collects deliveries while transactions run and hands them over in
// groups, the most urgent first and within a priority in order of arrival.
type Group struct {
	settle func(ctx context.Context, batch []*delivery)
	limit  int

	mu      sync.Mutex
	waiting [quotekit.Lanes][]*delivery // by priority - 1
	count   int
	stopped bool

	wake chan struct{} // holds a token when something may be waiting
	done sync.WaitGroup
}

// newGroup makes a group that refuses more than limit waiting deliveries.
func newGroup(limit int, settle func(context.Context, []*delivery)) *Group {
	return &Group{settle: settle, limit: limit, wake: make(chan struct{}, 1)}
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
	case g.count >= g.limit:
		return errOverload
	}
	lane := priority(d.route) - 1
	g.waiting[lane] = append(g.waiting[lane], d)
	g.count++
	g.signal()
	return nil
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
		batch, last := g.take()
		if len(batch) > 0 {
			g.settle(ctx, batch)
		}
		if last {
			return
		}
	}
}

// take removes the next group. It passes the token on when more is waiting, or
// when the others have to be told that it is over.
func (g *Group) take() (batch []*delivery, last bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for lane, queue := range g.waiting {
		n := min(len(queue), maxGroup-len(batch))
		batch = append(batch, queue[:n]...)
		clear(queue[:n]) // let the garbage collector have them
		g.waiting[lane] = queue[n:]
		if len(g.waiting[lane]) == 0 {
			g.waiting[lane] = queue[:0]
		}
	}
	g.count -= len(batch)
	if g.count > 0 || g.stopped {
		g.signal()
	}
	return batch, g.stopped && g.count == 0
}
