package webhook

import (
	"context"
	"runtime"
	"time"

	"github.com/quotekit/quotekit"
)

const (
	// urgent is the last priority that is settled in the request whatever the
	// load; those after it are kept for their lane when it is high.
	urgent = 2
	// urgentSlots is how many handlers of an urgent lane run at a time: more than
	// cores, so that some that are slow do not hold up the others.
	urgentSlots = 8
)

// slots bound the handlers of each lane that run at a time. A handler is pure, so
// beyond one a core they only take turns, and everybody else waits for his turn
// longer: with dozens of them, an urgent event would spend its time in the queue
// of the scheduler. A handler that ignores the end of its time keeps its slot.
type slots [quotekit.Lanes]chan struct{}

func newSlots() *slots {
	var s slots
	for i := range s {
		n := urgentSlots
		if i >= urgent {
			n = max(2, runtime.GOMAXPROCS(0))
		}
		s[i] = make(chan struct{}, n)
	}
	return &s
}

// take waits for a slot of a lane, as long as patience and ctx allow, and returns
// what gives it back.
func (s *slots) take(ctx context.Context, lane int, patience time.Duration) (release func(), ok bool) {
	slot := s[lane-1]
	release = func() { <-slot }
	select {
	case slot <- struct{}{}:
		return release, true
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case slot <- struct{}{}:
		return release, true
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil, false
}

// workerPatience is how long a worker waits for a turn. The time of the route
// begins after it.
const workerPatience = 10 * time.Second

// handle runs the handler of an attempt in a slot of its lane. One that may call
// others needs none: it waits more than it works, and the workers are bounded.
func (w *AttemptWorker) handle(ctx context.Context, a *attempt) decision {
	if a.route == nil || a.route.Deferred {
		return handle(ctx, a.route, a.event, w.now().Sub(a.ready))
	}
	release, ok := w.slots.take(ctx, a.route.Priority, workerPatience)
	a.ready = w.now()
	if !ok {
		return timedOut(a.route)
	}
	return handleThen(ctx, a.route, a.event, 0, release)
}
