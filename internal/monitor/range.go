package monitor

import (
	"net/url"
	"strconv"
	"time"

	"github.com/quotekit/quotekit/internal/rest"
)

const (
	day = 24 * time.Hour
	// standardRange is what is shown if nothing else is asked for.
	standardRange = day
	// maxDays is the longest range: a year, and the month that one compares it with.
	maxDays = 400
)

// rangeParams are the parameters of [ParseRange].
var rangeParams = []rest.Param{
	{Name: "from", Doc: "The beginning of the range, rounded down to the minute. Without it the range is 24 hours long.", Type: time.Time{}},
	{Name: "to", Doc: "The end of the range, rounded up to the minute; now if it is not given.", Type: time.Time{}},
	{Name: "days_back", Doc: "The range is the last days, instead of `from` and `to`.", Type: 0, Min: 1, Max: maxDays},
}

// ParseRange reads a range from the parameters from and to, or days_back. Without
// them it is what the standard says until now. The error is a problem that names
// the parameter.
func ParseRange(q url.Values, now time.Time, standard time.Duration) (Range, error) {
	var errs []rest.FieldError
	wrong := func(name, message string) {
		errs = append(errs, rest.FieldError{Location: "query." + name, Message: message})
	}
	instant := func(name string) (t time.Time) {
		text := q.Get(name)
		if text == "" {
			return t
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			wrong(name, "want a time like 2006-01-02T15:04:05Z")
		}
		return t.UTC()
	}
	from, to := instant("from"), instant("to")
	days := q.Get("days_back")
	switch {
	case days == "":
	case q.Get("from") != "" || q.Get("to") != "":
		wrong("days_back", "not together with from or to")
	default:
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > maxDays {
			wrong("days_back", "want a number from 1 to "+strconv.Itoa(maxDays))
		}
		standard = time.Duration(n) * day
	}
	if errs != nil {
		return Range{}, rest.Invalid(errs...)
	}
	if q.Get("to") == "" {
		to = now.UTC()
	}
	if q.Get("from") == "" {
		from = to.Add(-standard)
	}
	switch {
	case !from.Before(to):
		wrong("from", "want a time before the end of the range")
	case to.Sub(from) > maxDays*day:
		wrong("from", "the range is longer than "+strconv.Itoa(maxDays)+" days")
	case from.Year() < 1970 || to.Year() > 9999:
		wrong("from", "want years from 1970 to 9999")
	}
	if errs != nil {
		return Range{}, rest.Invalid(errs...)
	}
	return Range{From: from.Truncate(time.Minute), To: upTo(to, time.Minute)}, nil
}

// upTo rounds t up to a multiple of unit.
func upTo(t time.Time, unit time.Duration) time.Time {
	if down := t.Truncate(unit); down.Before(t) {
		return down.Add(unit)
	}
	return t
}
