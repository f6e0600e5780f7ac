package dashboard

import (
	"net/http"
	"net/url"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
)

// quickRanges are the ranges that have a button.
var quickRanges = []struct {
	Key, Words string
	Long       time.Duration
}{
	{"1h", "last hour", time.Hour},
	{"24h", "last 24 hours", 24 * time.Hour},
	{"7d", "last 7 days", 7 * 24 * time.Hour},
	{"30d", "last 30 days", 30 * 24 * time.Hour},
}

// standardRange is what is shown if the URL says nothing.
const standardRange = "24h"

// When is the range of time of a page, as its picker shows it.
type When struct {
	monitor.Range
	// Key is the quick range; empty if the range is absolute.
	Key    string
	Words  string
	Quick  []QuickRange
	Hidden []Hidden
}

// QuickRange is a link to a quick range.
type QuickRange struct {
	Key, Words, URL string
	Current         bool
}

// Hidden is a parameter that a form has to carry on.
type Hidden struct{ Name, Value string }

// readRange reads the range of time that the URL asks for: range=24h, or from and
// to. Times without a zone, which is what forms send, are UTC.
func (d *Dashboard) readRange(r *http.Request) (monitor.Range, error) {
	q := r.URL.Query()
	standard := 24 * time.Hour
	key := q.Get("range")
	for _, quick := range quickRanges {
		if quick.Key == key {
			standard = quick.Long
		}
	}
	plain := url.Values{}
	for _, name := range []string{"from", "to", "days_back"} {
		if v := q.Get(name); v != "" && knownRange(key) == "" {
			if t, err := time.Parse("2006-01-02T15:04", v); err == nil {
				v = t.Format(time.RFC3339)
			}
			plain.Set(name, v)
		}
	}
	if key != "" && knownRange(key) == "" {
		return monitor.Range{}, quotekit.Errorf(quotekit.EInvalid, "The range is none of 1h, 24h, 7d, 30d.")
	}
	return monitor.ParseRange(plain, d.Now(), standard)
}

func knownRange(key string) string {
	for _, quick := range quickRanges {
		if quick.Key == key {
			return quick.Words
		}
	}
	return ""
}

// when is the picker of the range that the URL asks for, or nil if it asks for none
// that there is.
func (d *Dashboard) when(r *http.Request) *When {
	in, err := d.readRange(r)
	if err != nil {
		return nil
	}
	q := r.URL.Query()
	w := &When{Range: in, Key: q.Get("range")}
	if w.Key == "" && q.Get("from") == "" && q.Get("to") == "" && q.Get("days_back") == "" {
		w.Key = standardRange
	}
	w.Words = knownRange(w.Key)
	for _, quick := range quickRanges {
		u := with(r.URL, "range", quick.Key, "from", "", "to", "", "days_back", "", "cursor", "")
		w.Quick = append(w.Quick, QuickRange{quick.Key, quick.Words, u, quick.Key == w.Key})
	}
	w.Hidden = hidden(q, "range", "from", "to", "days_back", "cursor")
	return w
}

// hidden lists the parameters of a query but some.
func hidden(q url.Values, but ...string) []Hidden {
	for _, name := range but {
		q.Del(name)
	}
	var out []Hidden
	for _, name := range sortedKeys(q) {
		for _, v := range q[name] {
			out = append(out, Hidden{name, v})
		}
	}
	return out
}

// with is a URL with other parameters: names and values in turn. An empty value
// takes the parameter away.
func with(u *url.URL, pairs ...string) string {
	q := u.Query()
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return u.Path
	}
	return u.Path + "?" + q.Encode()
}

// rangeQuery is a range as the API takes it.
func rangeQuery(in monitor.Range) url.Values {
	return url.Values{"from": {in.From.Format(time.RFC3339)}, "to": {in.To.Format(time.RFC3339)}}
}
