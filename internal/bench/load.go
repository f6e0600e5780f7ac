package bench

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/stripe"
)

// answer is what became of a delivery.
type answer struct {
	// took is the time since it was sent, or in an open loop since it was due; at is
	// when it was answered, since the load began.
	took, at  time.Duration
	status    quotekit.EventStatus
	duplicate bool
}

// load is what became of some deliveries, in their order.
type load struct {
	answers []answer
	began   time.Time
	took    time.Duration
	// late is how long after its time each was sent, in an open loop. The sender
	// itself may be slow, or all its connections wait.
	late []time.Duration
}

// perSecond is how many were answered in a second.
func (l load) perSecond() float64 { return float64(len(l.answers)) / l.took.Seconds() }

// times are how long the deliveries took, sorted.
func (l load) times() []time.Duration {
	times := make([]time.Duration, len(l.answers))
	for i, a := range l.answers {
		times[i] = a.took
	}
	slices.Sort(times)
	return times
}

// count is how many answers fit.
func (l load) count(fits func(answer) bool) int {
	n := 0
	for _, a := range l.answers {
		if fits(a) {
			n++
		}
	}
	return n
}

func isKept(a answer) bool { return a.status == quotekit.EventPending }

// target is the service that load is put on.
type target struct {
	url, secret string
}

// closed delivers events over so many connections: each sends its next one when the
// last is answered. It ends when all are answered, or when the time is over, and then
// returns what was sent until then.
func (t target) closed(ctx context.Context, events []sample.Event, connections int, within time.Duration) (load, error) {
	var (
		next    atomic.Int64
		answers = make([]answer, len(events))
	)
	began, took, err := t.each(ctx, connections, func(ctx context.Context, s *Sender, began time.Time) error {
		for ctx.Err() == nil && time.Since(began) < within {
			n := int(next.Add(1)) - 1
			if n >= len(events) {
				return nil
			}
			a, err := t.deliver(s, events[n].Body)
			if err != nil {
				return err
			}
			a.at = time.Since(began)
			answers[n] = a
		}
		return nil
	})
	if err != nil {
		return load{}, err
	}
	return load{answers: answers[:min(int(next.Load()), len(events))], began: began, took: took}, nil
}

// steady delivers events in an open loop, so many a second; see [pace].
func (t target) steady(ctx context.Context, events []sample.Event, connections int, perSecond float64) (load, error) {
	senders, hangUp, err := t.dial(connections)
	if err != nil {
		return load{}, err
	}
	defer hangUp()
	l := load{answers: make([]answer, len(events)), began: time.Now()}
	plan := schedule{began: l.began, perSecond: perSecond}
	took, late, err := pace(ctx, plan, len(events), connections, func(connection, n int) (err error) {
		l.answers[n], err = t.deliver(senders[connection], events[n].Body)
		return err
	})
	l.took, l.late = time.Since(l.began), late
	for i := range took {
		l.answers[i].took = took[i]
	}
	return l, err
}

func (t target) dial(connections int) (senders []*Sender, hangUp func(), err error) {
	hangUp = func() {
		for _, s := range senders {
			_ = s.Close()
		}
	}
	for range connections {
		s, err := Dial(t.url)
		if err != nil {
			hangUp()
			return nil, nil, fmt.Errorf("connect to the service: %w", err)
		}
		senders = append(senders, s)
	}
	return senders, hangUp, nil
}

// each runs f once for each of so many connections, side by side, and returns when it
// began and how long that took. The first error ends all.
func (t target) each(ctx context.Context, connections int, f func(context.Context, *Sender, time.Time) error) (began time.Time, took time.Duration, err error) {
	senders, hangUp, err := t.dial(connections)
	if err != nil {
		return began, 0, err
	}
	defer hangUp()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var working sync.WaitGroup
	began = time.Now()
	for _, s := range senders {
		working.Go(func() {
			if err := f(ctx, s, began); err != nil {
				fail(err)
			}
		})
	}
	working.Wait()
	return began, time.Since(began), context.Cause(ctx)
}

// deliver posts an event, signed as Stripe would now.
func (t target) deliver(s *Sender, body []byte) (answer, error) {
	began := time.Now()
	status, text, err := s.Post(body, stripe.Sign(body, t.secret, began))
	if err != nil {
		return answer{}, fmt.Errorf("deliver an event: %w", err)
	}
	a := answer{took: time.Since(began), duplicate: bytes.Contains(text, []byte(`"duplicate":true`))}
	switch {
	case status != 200:
		return a, fmt.Errorf("an event was answered %d: %.300s", status, text)
	case bytes.Contains(text, []byte(`"status":"succeeded"`)):
		a.status = quotekit.EventSucceeded
	case bytes.Contains(text, []byte(`"status":"pending"`)):
		a.status = quotekit.EventPending
	default:
		return a, fmt.Errorf("an event was answered %.300s", text)
	}
	return a, nil
}
