package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// maxClosed bounds the events of a closed loop, which are made before it begins: of
	// 2 kB each.
	maxClosed = 200_000
	// maxWarm bounds how long a service is warmed up.
	maxWarm = 2 * time.Second
	// steadyConnections is how many events of an open loop may be without an answer
	// until the next has to wait. Its time runs all the same.
	steadyConnections = 64
	// crowdConnections are those of loads where their number does not matter.
	crowdConnections = 64
)

// bed is a service in a place, under load.
type bed struct {
	*place
	*service
	mix *Mix
	// warm are the events that it has settled already, so that its caches are filled and
	// its statements prepared, and rate is how many of them in a second.
	warm []sample.Event
	rate float64
}

// underLoad starts a service in a new place, warms it up over so many connections,
// unless that is zero, and does something with it.
func (r *runner) underLoad(ctx context.Context, connections int, do func(b *bed) error, args ...string) error {
	mix, err := r.mix()
	if err != nil {
		return err
	}
	return inPlace(ctx, r.DatabaseURL, func(p *place) error {
		s, _, err := r.serve(ctx, p, args...)
		if err != nil {
			return err
		}
		b := &bed{place: p, service: s, mix: mix}
		if connections > 0 {
			if err := r.warmUp(ctx, b, connections); err != nil {
				return fmt.Errorf("warm up: %w", err)
			}
		}
		return do(b)
	})
}

func (r *runner) warmUp(ctx context.Context, b *bed, connections int) error {
	events, err := b.mix.Take(r.Sizes.Warm)
	if err != nil {
		return err
	}
	l, err := b.closed(ctx, events, connections, min(r.Duration/5, maxWarm))
	if err != nil {
		return err
	}
	if len(l.answers) == 0 {
		return errors.New("no event was answered")
	}
	b.warm, b.rate = events[:len(l.answers)], l.perSecond()
	return nil
}

// whole is closed for a load that has to come to its end.
func (b *bed) whole(ctx context.Context, events []sample.Event, connections int) (load, error) {
	l, err := b.closed(ctx, events, connections, answerWithin)
	if err == nil && len(l.answers) < len(events) {
		err = fmt.Errorf("only %d of %d events were answered within %s", len(l.answers), len(events), answerWithin)
	}
	return l, err
}

// closedLoop measures a closed loop of so many connections.
func closedLoop(connections int) measureFunc {
	return func(ctx context.Context, r *runner) (m Measured, err error) {
		err = r.underLoad(ctx, connections, func(b *bed) error {
			enough := int(1.5*b.rate*r.Duration.Seconds()) + 2*connections
			events, err := b.mix.Take(min(enough, maxClosed))
			if err != nil {
				return err
			}
			before := b.usage()
			l, err := b.closed(ctx, events, connections, r.Duration)
			if err != nil {
				return err
			}
			used := b.usage().since(before, len(l.answers))
			times := l.times()
			m.Figures = Figures{
				{"events_per_second", l.perSecond()},
				{"p50_ms", milliseconds(Quantile(times, 0.5))},
				{"p99_ms", milliseconds(Quantile(times, 0.99))},
				{"max_ms", milliseconds(Quantile(times, 1))},
				{"kept_events", float64(l.count(isKept))},
			}
			m.Figures = append(m.Figures, used...)
			for _, floor := range []struct{ ratio, of string }{
				{"ratio_to_single_rows", singleRows}, {"ratio_to_multi_rows", multiRows},
			} {
				if v, ok := r.floors.Get(floor.of); ok && v > 0 {
					m.Figures = append(m.Figures, Figure{floor.ratio, l.perSecond() / v})
				}
			}
			if err := b.drained(ctx, r.Sizes.Patience); err != nil {
				return err
			}
			return b.check(ctx, events[:len(l.answers)], len(l.answers))
		})
		return m, err
	}
}

// openLoop measures an open loop of so many events a second.
func openLoop(perSecond int) measureFunc {
	return func(ctx context.Context, r *runner) (m Measured, err error) {
		err = r.underLoad(ctx, crowdConnections, func(b *bed) error {
			events, err := b.mix.Take(max(1, int(float64(perSecond)*r.Duration.Seconds())))
			if err != nil {
				return err
			}
			before := b.usage()
			l, err := b.steady(ctx, events, steadyConnections, float64(perSecond))
			if err != nil {
				return err
			}
			used := b.usage().since(before, len(events))
			times := l.times()
			slices.Sort(l.late)
			m.Figures = Figures{
				{"events_per_second", l.perSecond()},
				{"p50_ms", milliseconds(Quantile(times, 0.5))},
				{"p99_ms", milliseconds(Quantile(times, 0.99))},
				{"p999_ms", milliseconds(Quantile(times, 0.999))},
				{"max_ms", milliseconds(Quantile(times, 1))},
				{"sent_late_p99_ms", milliseconds(Quantile(l.late, 0.99))},
				{"kept_events", float64(l.count(isKept))},
			}
			m.Figures = append(m.Figures, used...)
			if err := b.drained(ctx, r.Sizes.Patience); err != nil {
				return err
			}
			return b.check(ctx, events, len(events))
		})
		return m, err
	}
}

// burst delivers many events at once, and looks when each has had its effect.
func burst(connections int) measureFunc {
	return func(ctx context.Context, r *runner) (m Measured, err error) {
		err = r.underLoad(ctx, crowdConnections, func(b *bed) error {
			events, err := b.mix.Take(r.Sizes.Burst)
			if err != nil {
				return err
			}
			l, err := b.whole(ctx, events, connections)
			if err == nil {
				err = b.drained(ctx, r.Sizes.Patience)
			}
			used := b.usage()
			if err == nil {
				err = b.check(ctx, events, len(events))
			}
			if err != nil {
				return err
			}
			processed, err := b.processedAt(ctx)
			if err != nil {
				return err
			}
			m.Figures = burstFigures(l, events, processed, priorities(r.Routes))
			m.Figures = append(m.Figures, used.memory()...)
			return nil
		})
		return m, err
	}
}

// priorities are those of the routed types.
func priorities(routes []quotekit.Route) map[string]int {
	of := map[string]int{}
	for _, route := range routes {
		of[route.Type] = route.Priority
	}
	return of
}

// burstFigures tell when a burst was settled, and its most and its least urgent events:
// since it began, and since each was sent. What was kept was settled when processed
// says.
func burstFigures(l load, events []sample.Event, processed map[string]time.Time, priority map[string]int) Figures {
	var last time.Duration
	var finished, took [quotekit.Lanes + 1][]time.Duration
	for i, a := range l.answers {
		sent, at, e := a.at-a.took, a.at, events[i]
		if isKept(a) {
			at = processed[e.ID].Sub(l.began)
		}
		last = max(last, at)
		p := priority[e.Type]
		finished[p], took[p] = append(finished[p], at), append(took[p], at-sent)
	}
	f := Figures{{"settled_seconds", last.Seconds()}, {"events_per_second", float64(len(events)) / last.Seconds()}}
	for _, p := range []int{1, quotekit.Lanes} {
		slices.Sort(finished[p])
		slices.Sort(took[p])
		f = append(
			f,
			Figure{fmt.Sprintf("priority%d_median_finish_ms", p), milliseconds(Quantile(finished[p], 0.5))},
			Figure{fmt.Sprintf("priority%d_p50_ms", p), milliseconds(Quantile(took[p], 0.5))},
			Figure{fmt.Sprintf("priority%d_p99_ms", p), milliseconds(Quantile(took[p], 0.99))},
		)
	}
	return append(f, Figure{"kept_events", float64(l.count(isKept))})
}

// processedAt is when the events were settled, as the service noted it at the
// beginning of the transaction. The service has ended.
func (p *place) processedAt(ctx context.Context) (map[string]time.Time, error) {
	at := map[string]time.Time{}
	err := p.look(ctx, func(db *store.Store) error {
		rows, err := db.Reader().QueryContext(ctx, `SELECT stripe_event_id, processed_at FROM stripe_webhook_events WHERE processed_at IS NOT NULL`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var id string
			var t time.Time
			if err := rows.Scan(&id, &t); err != nil {
				return errors.Join(err, rows.Close())
			}
			at[id] = t
		}
		return errors.Join(rows.Err(), rows.Close())
	})
	if err != nil {
		return nil, fmt.Errorf("read when events were settled: %w", err)
	}
	return at, nil
}

// measureDuplicates delivers every event several times, in any order.
func measureDuplicates(ctx context.Context, r *runner) (m Measured, err error) {
	err = r.underLoad(ctx, crowdConnections, func(b *bed) error {
		events, err := b.mix.Take(r.Sizes.Copied)
		if err != nil {
			return err
		}
		deliveries := slices.Repeat(events, r.Sizes.Copies)
		rand.New(rand.NewPCG(r.seed, 3)).Shuffle(len(deliveries), func(i, j int) {
			deliveries[i], deliveries[j] = deliveries[j], deliveries[i]
		})
		before := b.usage()
		l, err := b.whole(ctx, deliveries, crowdConnections)
		if err != nil {
			return err
		}
		used := b.usage().since(before, len(deliveries))
		if first := l.count(func(a answer) bool { return !a.duplicate }); first != len(events) {
			return fmt.Errorf("%d deliveries were answered as the first of their event, want %d", first, len(events))
		}
		times := l.times()
		m.Figures = append(Figures{
			{"deliveries_per_second", l.perSecond()},
			{"events_per_second", float64(len(events)) / l.took.Seconds()},
			{"p50_ms", milliseconds(Quantile(times, 0.5))},
			{"p99_ms", milliseconds(Quantile(times, 0.99))},
		}, used...)
		if err := b.drained(ctx, r.Sizes.Patience); err != nil {
			return err
		}
		if err := b.counted(ctx, len(b.warm)+len(events), r.Sizes.Patience); err != nil {
			return err
		}
		return b.check(ctx, events, len(deliveries))
	})
	return m, err
}

// measureLane delivers events of deferred routes as fast as they are kept, and looks
// how fast workers settle them.
func measureLane(ctx context.Context, r *runner) (m Measured, err error) {
	err = r.underLoad(ctx, 0, func(b *bed) error {
		events, err := b.mix.Take(r.Sizes.Lane)
		if err != nil {
			return err
		}
		l, err := b.whole(ctx, events, crowdConnections)
		if err != nil {
			return err
		}
		if kept := l.count(isKept); kept != len(events) {
			return fmt.Errorf("%d of %d events were kept for their lane", kept, len(events))
		}
		if err := b.drained(ctx, r.Sizes.Patience); err != nil {
			return err
		}
		used := b.usage()
		if err := b.check(ctx, events, len(events)); err != nil {
			return err
		}
		processed, err := b.processedAt(ctx)
		if err != nil {
			return err
		}
		var first, last time.Time
		for _, at := range processed {
			if first.IsZero() || at.Before(first) {
				first = at
			}
			if at.After(last) {
				last = at
			}
		}
		m.Figures = append(Figures{
			{"events_per_second", float64(len(events)) / max(last.Sub(first), time.Millisecond).Seconds()},
			{"kept_per_second", l.perSecond()},
			{"settled_seconds", last.Sub(l.began).Seconds()},
		}, used.memory()...)
		return nil
	}, "--deferred")
	return m, err
}
