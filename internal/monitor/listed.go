package monitor

import (
	"net/url"
	"time"

	"github.com/quotekit/quotekit/internal/rest"
)

// listRange are the parameters that restrict a list to a range of time; what they
// are about is said by of.
func listRange(of string) []rest.Param {
	return []rest.Param{
		{Name: "from", Doc: "Only what " + of + " then or later, to the minute.", Type: time.Time{}},
		{Name: "to", Doc: "Only what " + of + " before, to the minute.", Type: time.Time{}},
		{Name: "days_back", Doc: "Only what " + of + " in the last days, instead of `from` and `to`.", Type: 0, Min: 1, Max: maxDays},
	}
}

// readListRange reads [listRange]. What is not given does not restrict.
func readListRange(q url.Values, now time.Time) (from, to *time.Time, err error) {
	if q.Get("from") == "" && q.Get("to") == "" && q.Get("days_back") == "" {
		return nil, nil, nil
	}
	in, err := ParseRange(q, now, maxDays*day)
	if err != nil {
		return nil, nil, err
	}
	if q.Get("from") != "" || q.Get("days_back") != "" {
		from = &in.From
	}
	if q.Get("to") != "" {
		to = &in.To
	}
	return from, to, nil
}
