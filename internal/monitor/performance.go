package monitor

import (
	"context"
	"slices"
	"time"

	"github.com/quotekit/quotekit/internal/histogram"
	"github.com/quotekit/quotekit/internal/store"
)

// stageNames are the stages of an event in their order.
var stageNames = [...]string{"handle", "wait", "commit"}

// typeTimes gathers the times of one type.
type typeTimes struct {
	total  histogram.Histogram
	stages [len(stageNames)]histogram.Histogram
}

func (t *typeTimes) add(l store.Latency) error {
	if err := t.total.MergeText(l.Total); err != nil {
		return err
	}
	for i, text := range [...]string{l.Handle, l.Wait, l.Commit} {
		if err := t.stages[i].MergeText(text); err != nil {
			return err
		}
	}
	return nil
}

// Performance tells what was slow in a range of time, and where. An event type
// restricts it; empty does not.
func (r *Reads) Performance(ctx context.Context, in Range, eventType string) (Performance, error) {
	in = r.whole(in)
	p := Performance{Range: in, ByType: []TypeTimes{}, Benchmarks: []store.Benchmark{}, Slowest: []store.SlowestEvent{}}
	byType := map[string]*typeTimes{}
	err := r.Store.StagesByType(ctx, in.From, in.To, func(l store.Latency) error {
		if eventType != "" && l.EventType != eventType {
			return nil
		}
		if byType[l.EventType] == nil {
			byType[l.EventType] = new(typeTimes)
		}
		return byType[l.EventType].add(l)
	})
	if err != nil {
		return Performance{}, err
	}
	events, err := r.Store.SlowestEvents(ctx, eventType, in.From, in.To)
	if err != nil {
		return Performance{}, err
	}
	p.Slowest = slowest(events)
	s := newSeries(in, r.shortest(in.From))
	if err := r.fillSeries(ctx, in, eventType, s); err != nil {
		return Performance{}, err
	}
	p.Series, p.BucketSeconds = s.finish(), int(s.step/time.Second)
	benchmarks, err := r.Store.Benchmarks(ctx)
	if err != nil {
		return Performance{}, err
	}
	target := targets(benchmarks)
	all := new(histogram.Histogram)
	for name, t := range byType {
		all.Merge(&t.total)
		times := TypeTimes{EventType: name, Percentiles: percentilesOf(&t.total), TargetMS: target[name]}
		for i, stage := range stageNames {
			times.Stages = append(times.Stages, StageTimes{stage, percentilesOf(&t.stages[i])})
		}
		p.ByType = append(p.ByType, times)
	}
	p.Percentiles = percentilesOf(all)
	slices.SortFunc(p.ByType, func(a, b TypeTimes) int { return descending(a.P95, b.P95, a.EventType, b.EventType) })
	for _, b := range benchmarks {
		if eventType == "" || b.EventType == eventType {
			p.Benchmarks = append(p.Benchmarks, b)
		}
	}
	return p, nil
}
