package monitor_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/rest"
)

func TestParseRange(t *testing.T) {
	now := time.Date(2026, 11, 28, 20, 15, 30, 1000, time.FixedZone("", 3600))
	tests := []struct {
		query string
		want  string // the range, or the parameter that is wrong and why
	}{
		{"", "2026-11-27T19:15 2026-11-28T19:16"},
		{"from=&to=&days_back=", "2026-11-27T19:15 2026-11-28T19:16"},
		{"days_back=1", "2026-11-27T19:15 2026-11-28T19:16"},
		{"days_back=30", "2026-10-29T19:15 2026-11-28T19:16"},
		{"days_back=400", "2025-10-24T19:15 2026-11-28T19:16"},
		{"from=2026-11-28T10:00:59Z", "2026-11-28T10:00 2026-11-28T19:16"},
		{"to=2026-11-20T10:00:00Z", "2026-11-19T10:00 2026-11-20T10:00"},
		{"to=2026-11-20T10:00:00.000001Z", "2026-11-19T10:00 2026-11-20T10:01"},
		{"from=2026-11-20T10:00:10%2B02:00&to=2026-11-20T10:00:20%2B02:00", "2026-11-20T08:00 2026-11-20T08:01"},
		{"from=2025-10-01T00:00:00Z&to=2026-11-05T00:00:00Z", "2025-10-01T00:00 2026-11-05T00:00"},
		{"from=2025-10-01T00:00:00Z&to=2026-11-05T00:00:01Z", "query.from: the range is longer than 400 days"},
		{"from=2026-11-28T10:00:00Z&to=2026-11-28T10:00:00Z", "query.from: want a time before the end of the range"},
		{"from=2026-11-29T10:00:00Z", "query.from: want a time before the end of the range"},
		{"from=yesterday", "query.from: want a time like 2006-01-02T15:04:05Z"},
		{"to=2026-11-28", "query.to: want a time like 2006-01-02T15:04:05Z"},
		{"from=x&to=y", "query.from: want a time like 2006-01-02T15:04:05Z; query.to: want a time like 2006-01-02T15:04:05Z"},
		{"to=0001-01-01T00:00:00Z", "query.from: want years from 1970 to 9999"},
		{"days_back=0", "query.days_back: want a number from 1 to 400"},
		{"days_back=401", "query.days_back: want a number from 1 to 400"},
		{"days_back=9999999999999999999", "query.days_back: want a number from 1 to 400"},
		{"days_back=7&from=2026-11-28T10:00:00Z", "query.days_back: not together with from or to"},
		{"days_back=7&to=2026-11-28T10:00:00Z", "query.days_back: not together with from or to"},
	}
	for _, tt := range tests {
		q, err := url.ParseQuery(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		r, err := monitor.ParseRange(q, now, 24*time.Hour)
		const format = "2006-01-02T15:04"
		got := r.From.Format(format) + " " + r.To.Format(format)
		var p *rest.Problem
		switch {
		case errors.As(err, &p):
			var all []string
			for _, e := range p.Errors {
				all = append(all, e.Location+": "+e.Message)
			}
			got = strings.Join(all, "; ")
		case err != nil || r.From.Location() != time.UTC || r.To.Location() != time.UTC || r.From.Second()+r.To.Second() != 0:
			t.Errorf("%q: got %v, %v", tt.query, r, err)
		}
		if got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.query, got, tt.want)
		}
	}
}
