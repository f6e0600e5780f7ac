package monitor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/histogram"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// maxCounted is to where rows are counted that have no count of their own.
	maxCounted = 100_000
	// stuckAfter is how old a pending event is that should have been processed.
	stuckAfter = time.Minute
	// urgentAfter is how old one is that nobody can have overlooked.
	urgentAfter = 10 * time.Minute
	// maxNewGroups is how many error groups the overview shows.
	maxNewGroups = 5
)

// Overview tells whether all is well: what a range of time has brought, and what
// is wrong now.
func (r *Reads) Overview(ctx context.Context, in Range) (Overview, error) {
	now := r.Now().UTC()
	in = r.whole(in)
	o := Overview{Range: in, GeneratedAt: now, ByType: []TypeCounts{}, NewErrorGroups: []ErrorGroup{}}
	byType := map[string]*TypeCounts{}
	if err := r.countTypes(ctx, in, &o, byType); err != nil {
		return Overview{}, err
	}
	s := newSeries(in, r.shortest(in.From))
	if err := r.fillSeries(ctx, in, store.AllTypes, s); err != nil {
		return Overview{}, err
	}
	if err := r.timeTypes(ctx, in, &o, byType); err != nil {
		return Overview{}, err
	}
	o.Series, o.BucketSeconds = s.finish(), int(s.step/time.Second)
	received, err := r.everCounts(ctx, &o, byType)
	if err != nil {
		return Overview{}, err
	}
	for _, t := range byType {
		t.rate()
		o.ByType = append(o.ByType, *t)
	}
	slices.SortFunc(o.ByType, func(a, b TypeCounts) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.EventType, b.EventType))
	})
	if err := r.present(ctx, &o, received); err != nil {
		return Overview{}, err
	}
	return o, nil
}

// countTypes counts the events of the range, of each type and of all.
func (r *Reads) countTypes(ctx context.Context, in Range, o *Overview, byType map[string]*TypeCounts) error {
	counts, err := r.Store.EventCounts(ctx, in.From, in.To)
	if err != nil {
		return err
	}
	for _, c := range counts {
		if byType[c.EventType] == nil {
			byType[c.EventType] = &TypeCounts{EventType: c.EventType}
		}
		byType[c.EventType].add(c.Status, c.Events)
		o.Counts.add(c.Status, c.Events)
	}
	o.Counts.rate()
	o.TotalEvents, o.SuccessRate = o.Counts.Total, o.Counts.SuccessRate
	return nil
}

// timeTypes adds how long the events of the range took, and should take.
func (r *Reads) timeTypes(ctx context.Context, in Range, o *Overview, byType map[string]*TypeCounts) error {
	times := map[string]*histogram.Histogram{}
	all := new(histogram.Histogram)
	err := r.Store.LatenciesByType(ctx, in.From, in.To, func(l store.Latency) error {
		if times[l.EventType] == nil {
			times[l.EventType] = new(histogram.Histogram)
		}
		return times[l.EventType].MergeText(l.Total)
	})
	if err != nil {
		return err
	}
	benchmarks, err := r.Store.Benchmarks(ctx)
	if err != nil {
		return err
	}
	target := targets(benchmarks)
	for _, h := range times {
		all.Merge(h)
	}
	o.Percentiles = percentilesOf(all)
	for name, t := range byType {
		t.TargetMS = target[name]
		if times[name] != nil {
			t.P95 = percentilesOf(times[name]).P95
		}
	}
	return nil
}

// fillSeries counts and times the events of a type, or of all, by time.
func (r *Reads) fillSeries(ctx context.Context, in Range, eventType string, s *series) error {
	longest := granularity(s.step)
	counts, err := r.Store.EventSeries(ctx, eventType, in.From, in.To, longest)
	if err != nil {
		return err
	}
	for _, c := range counts {
		s.points[s.index(c.At)].add(c.Status, c.Events)
	}
	return r.Store.LatencySeries(ctx, eventType, in.From, in.To, longest, func(l store.Latency) error {
		return s.times[s.index(l.Bucket)].MergeText(l.Total)
	})
}

// everCounts adds what does not depend on the range. It reports whether an event
// was ever received.
func (r *Reads) everCounts(ctx context.Context, o *Overview, byType map[string]*TypeCounts) (received bool, err error) {
	counts, err := r.Store.EverCounts(ctx)
	if err != nil {
		return false, err
	}
	for _, c := range counts {
		if c.EventType == store.AllTypes {
			received = received || c.Events > 0
			if c.Status == quotekit.EventPending {
				o.Pending = max(c.Events, 0)
			}
			o.LastEventAt = latest(o.LastEventAt, c.LastAt)
		} else if t := byType[c.EventType]; t != nil {
			t.LastEventAt = latest(t.LastEventAt, c.LastAt)
		}
	}
	return received, nil
}

func latest(a *time.Time, b time.Time) *time.Time {
	if a != nil && a.After(b) {
		return a
	}
	return &b
}

// present adds how things stand now, and says so in a sentence.
func (r *Reads) present(ctx context.Context, o *Overview, received bool) error {
	oldest, err := r.Store.OldestUnprocessed(ctx)
	if err != nil {
		return err
	}
	var stuck int64
	if oldest != nil {
		o.OldestUnprocessed = max(o.GeneratedAt.Sub(oldest.ReceivedAt).Seconds(), 0)
		if stuck, err = r.Store.PendingSince(ctx, o.GeneratedAt.Add(-stuckAfter), maxCounted); err != nil {
			return err
		}
	}
	if o.DeadLetters, err = r.Store.UnresolvedDeadLetters(ctx, maxCounted+1); err != nil {
		return err
	}
	if o.DeadLettersMore = o.DeadLetters > maxCounted; o.DeadLettersMore {
		o.DeadLetters = maxCounted
	}
	groups, err := r.newGroups(ctx, o)
	if err != nil {
		return err
	}
	if o.RunningBatches, err = r.Store.RunningBatches(ctx, maxCounted); err != nil {
		return err
	}
	var alerts []quotekit.Alert
	if r.Alerts != nil {
		all, err := r.Alerts.ListAlerts(ctx, o.GeneratedAt)
		if err != nil {
			return err
		}
		for _, a := range all {
			if a.State == quotekit.AlertFiring {
				alerts = append(alerts, a)
			}
		}
	}
	o.FiringAlerts = int64(len(alerts))
	o.Health = health(o, received, stuck, groups, alerts)
	return nil
}

// newGroups adds the newest error groups of the range that nobody has decided about,
// and returns how many have begun within a day.
func (r *Reads) newGroups(ctx context.Context, o *Overview) (recent int64, err error) {
	if o.DeadLetters == 0 {
		return 0, nil
	}
	groups, err := r.ErrorGroups(ctx, store.MaxGroups)
	if err != nil {
		return 0, err
	}
	for _, g := range groups {
		if g.State != quotekit.GroupOpen {
			continue
		}
		if g.FirstFailedAt.After(o.GeneratedAt.Add(-day)) {
			recent++
		}
		if !g.FirstFailedAt.Before(o.From) && g.FirstFailedAt.Before(o.To) {
			o.NewErrorGroups = append(o.NewErrorGroups, g)
		}
	}
	slices.SortStableFunc(o.NewErrorGroups, func(a, b ErrorGroup) int { return b.FirstFailedAt.Compare(a.FirstFailedAt) })
	o.NewErrorGroups = o.NewErrorGroups[:min(len(o.NewErrorGroups), maxNewGroups)]
	return recent, nil
}

// health says in one sentence what is wrong, or that nothing is.
func health(o *Overview, received bool, stuck, groups int64, alerts []quotekit.Alert) Health {
	h := Health{Status: SeverityOK}
	var wrong []string
	say := func(s Severity, format string, args ...any) {
		if s == SeverityCritical || h.Status == SeverityOK {
			h.Status = s
		}
		wrong = append(wrong, fmt.Sprintf(format, args...))
	}
	oldest := time.Duration(o.OldestUnprocessed * float64(time.Second))
	if stuck > 0 {
		severity := SeverityWarning
		if oldest >= urgentAfter {
			severity = SeverityCritical
		}
		say(severity, "%s stuck; the oldest is %s old", plural(stuck, "event is", "events are"), inWords(oldest))
	}
	if o.DeadLetters > 0 {
		more := ""
		if o.DeadLettersMore {
			more = "more than "
		}
		say(SeverityWarning, "%s%s", more, plural(o.DeadLetters, "dead letter waits for a decision", "dead letters wait for a decision"))
	}
	if groups > 0 {
		say(SeverityWarning, "%s new", plural(groups, "error group is", "error groups are"))
	}
	critical := int64(0)
	for _, a := range alerts {
		if a.Severity == quotekit.AlertCritical {
			critical++
		}
	}
	switch n := int64(len(alerts)); {
	case critical > 0:
		say(SeverityCritical, "%s firing, %d of them critical", plural(n, "alert is", "alerts are"), critical)
	case n > 0:
		say(SeverityWarning, "%s firing", plural(n, "alert is", "alerts are"))
	}
	switch {
	case len(wrong) > 0:
		h.Sentence = strings.ToUpper(wrong[0][:1]) + strings.Join(wrong, "; ")[1:] + "."
	case !received:
		h.Sentence = "No event has been received yet."
	case o.LastEventAt != nil:
		h.Sentence = fmt.Sprintf("All is well; the last event came %s ago.", inWords(o.GeneratedAt.Sub(*o.LastEventAt)))
	default:
		h.Sentence = "All is well."
	}
	return h
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// inWords is a duration as people say it, in its largest unit.
func inWords(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(int(d/time.Second), 0))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d/time.Minute))
	case d < 2*day:
		return fmt.Sprintf("%d h", int(d/time.Hour))
	}
	return fmt.Sprintf("%d days", int(d/day))
}
