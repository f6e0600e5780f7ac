package bench

import (
	"context"
	"fmt"
	"sync"

	"github.com/quotekit/quotekit/internal/store"
)

// together measures a closed loop over several processes on one Postgres. Each has an
// equal part of the connections and of the events.
func together(processes int) measureFunc {
	return func(ctx context.Context, r *runner) (m Measured, err error) {
		err = r.underLoad(ctx, crowdConnections, func(b *bed) error {
			services := []*service{b.service}
			for len(services) < processes {
				s, _, err := r.serve(ctx, b.place)
				if err != nil {
					return err
				}
				services = append(services, s)
			}
			loads := make([]load, processes)
			errs := make([]error, processes)
			parts := make([]*bed, processes)
			for i, s := range services {
				parts[i] = &bed{place: b.place, service: s, mix: b.mix}
				if i > 0 {
					if err := r.warmUp(ctx, parts[i], crowdConnections/processes); err != nil {
						return fmt.Errorf("warm up: %w", err)
					}
					b.warm = append(b.warm, parts[i].warm...)
				}
			}
			enough := int(1.5*b.rate*r.Duration.Seconds()) + 2*crowdConnections
			events, err := b.mix.Take(min(enough, maxClosed) / processes * processes)
			if err != nil {
				return err
			}
			each := len(events) / processes
			before := make([]usage, processes)
			var working sync.WaitGroup
			for i, p := range parts {
				before[i] = p.usage()
				working.Go(func() {
					loads[i], errs[i] = p.closed(ctx, events[i*each:(i+1)*each], crowdConnections/processes, r.Duration)
				})
			}
			working.Wait()
			sent := events[:0:0]
			perSecond, spent := 0.0, 0.0
			for i, l := range loads {
				if errs[i] != nil {
					return errs[i]
				}
				if u := parts[i].usage(); u.known && before[i].known {
					spent += float64((u.processor - before[i].processor).Microseconds())
				}
				perSecond += l.perSecond()
				sent = append(sent, events[i*each:i*each+len(l.answers)]...)
			}
			m.Figures = Figures{{"events_per_second", perSecond}}
			if spent > 0 {
				m.Figures = append(m.Figures, Figure{"cpu_us_per_event", spent / float64(len(sent))})
			}
			if err := b.drained(ctx, r.Sizes.Patience); err != nil {
				return err
			}
			for _, s := range services[1:] {
				if err := s.stop(); err != nil {
					return err
				}
			}
			return b.check(ctx, sent, len(sent))
		})
		return m, err
	}
}

// measureFull is a closed loop of 64 connections on tables that have a long past.
func measureFull(ctx context.Context, r *runner) (m Measured, err error) {
	mix, err := r.mix()
	if err != nil {
		return m, err
	}
	err = inPlace(ctx, r.DatabaseURL, func(p *place) error {
		history := longPast(r.Events)
		if err := p.prepare(ctx, func(s *store.Store) error { return history.Fill(ctx, s) }); err != nil {
			return fmt.Errorf("fill the tables: %w", err)
		}
		s, _, err := r.serve(ctx, p)
		if err != nil {
			return err
		}
		b := &bed{place: p, service: s, mix: mix}
		if err := r.warmUp(ctx, b, crowdConnections); err != nil {
			return fmt.Errorf("warm up: %w", err)
		}
		events, err := b.mix.Take(min(int(1.5*b.rate*r.Duration.Seconds())+2*crowdConnections, maxClosed))
		if err != nil {
			return err
		}
		before := b.usage()
		l, err := b.closed(ctx, events, crowdConnections, r.Duration)
		if err != nil {
			return err
		}
		used := b.usage().since(before, len(l.answers))
		times := l.times()
		m.Figures = append(Figures{
			{"stored_events", float64(r.Events)},
			{"events_per_second", l.perSecond()},
			{"p50_ms", milliseconds(Quantile(times, 0.5))},
			{"p99_ms", milliseconds(Quantile(times, 0.99))},
			{"kept_events", float64(l.count(isKept))},
		}, used...)
		if err := b.stop(); err != nil {
			return err
		}
		return b.look(ctx, func(db *store.Store) error { return checkObjects(ctx, db, events[:len(l.answers)]) })
	})
	return m, err
}
