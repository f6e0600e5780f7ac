package monitor

import (
	"cmp"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/histogram"
	"github.com/quotekit/quotekit/internal/store"
)

// add counts events of a state. The rate is made at the end, with rate.
func (c *Counts) add(s quotekit.EventStatus, events int64) {
	c.Total += events
	switch s {
	case quotekit.EventSucceeded:
		c.Succeeded += events
	case quotekit.EventPending:
		c.Pending += events
	case quotekit.EventDead:
		c.Dead += events
	case quotekit.EventIgnored:
		c.Ignored += events
	}
}

// rate works out the success rate.
func (c *Counts) rate() {
	c.SuccessRate = nil
	if decided := c.Total - c.Pending; decided > 0 {
		rate := 1 - float64(c.Dead)/float64(decided)
		c.SuccessRate = &rate
	}
}

// percentilesOf reads off what a distribution says.
func percentilesOf(h *histogram.Histogram) Percentiles {
	p := Percentiles{Samples: h.Count}
	if h.Count == 0 {
		return p
	}
	q := h.Quantiles(0.5, 0.95, 0.99)
	p.P50, p.P95, p.P99, p.Avg, p.Max = millis(q[0]), millis(q[1]), millis(q[2]), millis(h.Mean()), millis(h.Max)
	return p
}

// millis is a time in milliseconds, to the microsecond.
func millis(d time.Duration) *float64 {
	ms := float64(d.Microseconds()) / 1000
	return &ms
}

// steps are how long the points of a series may be.
var steps = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, day, 7 * day,
}

// shortest is how long the shortest buckets are that there still are of an instant.
func (r *Reads) shortest(at time.Time) time.Duration {
	now := r.Now()
	old := func(unit, kept time.Duration) bool { return kept > 0 && at.Truncate(unit).Before(now.Add(-kept)) }
	switch {
	case old(day, r.HoursKept):
		return day
	case old(time.Hour, r.MinutesKept):
		return time.Hour
	}
	return time.Minute
}

// whole widens a range to the whole hours or days of which there still are figures.
func (r *Reads) whole(in Range) Range {
	return Range{in.From.Truncate(r.shortest(in.From)), upTo(in.To, r.shortest(in.To))}
}

// step is how long the points of the series of a range are: as short as gives at
// most 120 points, but not shorter than the least.
func (r Range) step(least time.Duration) time.Duration {
	for _, s := range steps {
		if s >= least && r.To.Sub(r.From) <= 120*s {
			return s
		}
	}
	return steps[len(steps)-1]
}

// granularity is how long the buckets may be that points of this length are made of.
func granularity(step time.Duration) store.Granularity {
	switch {
	case step < time.Hour:
		return store.Minute
	case step < day:
		return store.Hour
	}
	return store.Day
}

// series is a row of points, with nothing where nothing happened.
type series struct {
	step   time.Duration
	first  time.Time
	points []Point
	times  []histogram.Histogram
}

func newSeries(r Range, least time.Duration) *series {
	s := &series{step: r.step(least)}
	s.first = r.From.Truncate(s.step)
	for at := s.first; at.Before(r.To); at = at.Add(s.step) {
		s.points = append(s.points, Point{At: at})
	}
	s.times = make([]histogram.Histogram, len(s.points))
	return s
}

func (s *series) index(at time.Time) int { return int(at.Sub(s.first) / s.step) }

// finish works out what the points show.
func (s *series) finish() []Point {
	for i := range s.points {
		s.points[i].rate()
		s.points[i].Percentiles = percentilesOf(&s.times[i])
	}
	return s.points
}

// targets are what the times of events should be, by type. Of several the smallest
// counts.
func targets(benchmarks []store.Benchmark) map[string]*int64 {
	all := map[string]*int64{}
	for _, b := range benchmarks {
		if before := all[b.EventType]; b.TargetMS != nil && (before == nil || *b.TargetMS < *before) {
			all[b.EventType] = b.TargetMS
		}
	}
	return all
}

// descending compares two figures, of which the larger comes first and none last,
// and then two names.
func descending(a, b *float64, nameA, nameB string) int {
	value := func(f *float64) float64 {
		if f == nil {
			return -1
		}
		return *f
	}
	return cmp.Or(cmp.Compare(value(b), value(a)), cmp.Compare(nameA, nameB))
}

// slowest returns the slowest of some events.
func slowest(events []store.SlowestEvent) []store.SlowestEvent {
	const most = 20
	slices.SortFunc(events, func(a, b store.SlowestEvent) int {
		return cmp.Or(cmp.Compare(b.TookMS, a.TookMS), b.At.Compare(a.At), cmp.Compare(a.StripeEventID, b.StripeEventID))
	})
	return append([]store.SlowestEvent{}, events[:min(most, len(events))]...)
}
