package dashboard

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/quotekit/quotekit/internal/monitor"
)

// overviewView is the data of the overview.
type overviewView struct {
	monitor.Overview
	Chart *Chart
	Words string // of the range
	// Never is whether no event was ever received.
	Never bool
	Setup []Check
	// Wider is a longer range; empty if there is none.
	Wider string
	// Since is when the range begins, as links take it.
	Since string
}

// overview tells whether all is well.
func (d *Dashboard) overview(r *http.Request) (Answer, error) {
	in, err := d.readRange(r)
	if err != nil {
		return Answer{}, err
	}
	o, err := d.Reads.Overview(r.Context(), in)
	if err != nil {
		return Answer{}, err
	}
	v := overviewView{
		Overview: o, Words: d.rangeWords(r), Never: o.TotalEvents == 0 && o.LastEventAt == nil, Setup: d.Setup,
		Wider: wider(r), Since: in.From.Format(time.RFC3339),
	}
	if o.TotalEvents > 0 {
		v.Chart = outcomes(o, v.Words)
	}
	return Answer{Data: v, JSON: o, API: "/v1/monitor/overview?" + rangeQuery(in).Encode(), Ranged: true}, nil
}

// outcomes draws what became of the events of each moment.
func outcomes(o monitor.Overview, words string) *Chart {
	at := make([]time.Time, len(o.Series))
	values := make([][]int64, 4)
	var busiest monitor.Point
	for i, p := range o.Series {
		at[i] = p.At
		for s, n := range []int64{p.Succeeded, p.Ignored, p.Pending, p.Dead} {
			values[s] = append(values[s], n)
		}
		if p.Total > busiest.Total {
			busiest = p
		}
	}
	c := newChart("outcomes", "Events by outcome", at, o.From, o.To)
	c.Summary = fmt.Sprintf("%s %s: %s succeeded, %s ignored, %s pending, %s dead. Most came in the %s from %s: %s.",
		plural(o.Counts.Total, "event", "events"), words, count(o.Counts.Succeeded), count(o.Counts.Ignored), count(o.Counts.Pending),
		count(o.Counts.Dead), bucketWords(o.BucketSeconds), stamp(busiest.At), count(busiest.Total))
	c.stack([]Series{
		{Name: "succeeded", Class: "s1"}, {Name: "ignored", Class: "s4"}, {Name: "pending", Class: "s2"}, {Name: "dead", Class: "s3"},
	}, values)
	return c
}

// bucketWords names the length of a point of a series.
func bucketWords(seconds int) string {
	switch d := time.Duration(seconds) * time.Second; d {
	case time.Minute:
		return "minute"
	case time.Hour:
		return "hour"
	case 24 * time.Hour:
		return "day"
	default:
		return duration(d)
	}
}

// rangeWords names the range of a page in a sentence.
func (d *Dashboard) rangeWords(r *http.Request) string {
	w := d.when(r)
	switch {
	case w == nil:
		return ""
	case w.Words != "":
		return "in the " + w.Words
	}
	return "from " + stamp(w.From) + " to " + stamp(w.To)
}

// wider is the URL of the next longer quick range.
func wider(r *http.Request) string {
	q := r.URL.Query()
	key := q.Get("range")
	if key == "" && q.Get("from") == "" && q.Get("to") == "" && q.Get("days_back") == "" {
		key = standardRange
	}
	longer := key == "" // an absolute range: the longest
	for _, quick := range quickRanges {
		if longer && (key != "" || quick.Key == "30d") {
			return with(&url.URL{Path: r.URL.Path, RawQuery: r.URL.RawQuery}, "range", quick.Key, "from", "", "to", "", "days_back", "")
		}
		longer = longer || quick.Key == key
	}
	return ""
}
