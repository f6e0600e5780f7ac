package dashboard

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/store"
)

// performanceView is the data of the page of performance.
type performanceView struct {
	monitor.Performance
	filters
	EventType string
	Types     []string
	Chart     *Chart
	Words     string
	Wider     string
}

// performance tells what is slow, and where.
func (d *Dashboard) performance(r *http.Request) (Answer, error) {
	in, err := d.readRange(r)
	if err != nil {
		return Answer{}, err
	}
	eventType := r.URL.Query().Get("event_type")
	p, err := d.Reads.Performance(r.Context(), in, eventType)
	if err != nil {
		return Answer{}, err
	}
	v := performanceView{
		Performance: p, filters: filtersOf(r, [2]string{"event_type", "type"}), EventType: eventType,
		Words: d.rangeWords(r), Wider: wider(r),
	}
	for _, t := range p.ByType {
		v.Types = append(v.Types, t.EventType)
	}
	for _, b := range p.Benchmarks {
		v.Types = append(v.Types, b.EventType)
	}
	if eventType != "" {
		v.Types = append(v.Types, eventType)
	}
	slices.Sort(v.Types)
	v.Types = slices.Compact(v.Types)
	if p.Samples > 0 {
		v.Chart = percentilesChart(p, v.Words)
	}
	api := rangeQuery(in)
	if eventType != "" {
		api.Set("event_type", eventType)
	}
	return Answer{Data: v, JSON: p, API: "/v1/monitor/performance?" + api.Encode(), Ranged: true}, nil
}

// percentilesChart draws how long events took at each moment.
func percentilesChart(p monitor.Performance, words string) *Chart {
	at := make([]time.Time, len(p.Series))
	values := make([][]*float64, 3)
	var worst monitor.Point
	for i, point := range p.Series {
		at[i] = point.At
		for s, f := range []*float64{point.P50, point.P95, point.P99} {
			values[s] = append(values[s], f)
		}
		if point.P95 != nil && (worst.P95 == nil || *point.P95 > *worst.P95) {
			worst = point
		}
	}
	c := newChart("percentiles", "Time from arrival to commit", at, p.From, p.To)
	c.Summary = fmt.Sprintf("Of %s %s half took at most %s, 95 %% at most %s, 99 %% at most %s.",
		plural(p.Samples, "event", "events"), words, ms(p.P50), ms(p.P95), ms(p.P99))
	if worst.P95 != nil {
		c.Summary += fmt.Sprintf(" The slowest %s began %s, with a p95 of %s.", bucketWords(p.BucketSeconds), stamp(worst.At), ms(worst.P95))
	}
	c.lines([]Series{
		{Name: "p50", Class: "l1", Line: true}, {Name: "p95", Class: "l2", Line: true}, {Name: "p99", Class: "l3", Line: true},
	}, values, ms)
	return c
}

// timeState says whether a type is as fast as it should be.
func timeState(t monitor.TypeTimes) mark {
	switch {
	case t.P95 == nil:
		return mark{"quiet", "no data"}
	case *t.P95 > 500:
		return mark{"critical", "slow"}
	case slow(t.P95, t.TargetMS):
		return mark{"warning", "above target"}
	}
	return mark{"ok", "within target"}
}

// benchmarkState says whether the present is as fast as it should be.
func benchmarkState(b store.Benchmark) mark {
	switch {
	case b.CurrentMS == nil:
		return mark{"quiet", "no data"}
	case b.TargetMS == nil:
		return mark{"quiet", "no target"}
	case *b.CurrentMS > float64(*b.TargetMS):
		return mark{"warning", "above target"}
	}
	return mark{"ok", "within target"}
}
