package alert

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

// Limits are from where on a value is bad; nil is nowhere. Off takes the rule out.
type Limits struct {
	Warning, Critical *float64
	Off               bool
}

func limits(warning, critical float64) Limits {
	return Limits{Warning: &warning, Critical: &critical}
}

func warnOnly(warning float64) Limits { return Limits{Warning: &warning} }

// judge says how bad a value is, and which limit says so.
func (l Limits) judge(value float64, below bool) (severity quotekit.AlertSeverity, threshold float64, bad bool) {
	reaches := func(limit *float64) bool {
		switch {
		case limit == nil:
			return false
		case below:
			return value < *limit
		}
		return value >= *limit
	}
	switch {
	case reaches(l.Critical):
		return quotekit.AlertCritical, *l.Critical, true
	case reaches(l.Warning):
		return quotekit.AlertWarning, *l.Warning, true
	}
	return "", 0, false
}

// Unit is what the values of a rule are in.
type Unit string

// The units.
const (
	Events       Unit = "events"
	Seconds      Unit = "seconds"
	Milliseconds Unit = "ms"
	Ratio        Unit = "ratio"
	Bytes        Unit = "bytes"
	Versions     Unit = "versions"
)

// ParseLimits reads limits of rules like
//
//	oldest_unprocessed=120s/600s,p95=off,success_rate=98%
//
// A rule has its limits after the sign of equality: warning/critical, only one of
// them (10 or /10), or off. What is not named keeps its limits. The error names the
// element and follows the name of the setting.
func ParseLimits(text string) (map[string]Limits, error) {
	rules := map[string]Rule{}
	var names []string
	for _, r := range Rules() {
		rules[r.Name] = r
		names = append(names, r.Name)
	}
	parsed := map[string]Limits{}
	for element := range strings.SplitSeq(text, ",") {
		element = strings.TrimSpace(element)
		name, value, ok := strings.Cut(element, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		rule, known := rules[name]
		_, twice := parsed[name]
		switch {
		case !ok || value == "":
			return nil, fmt.Errorf("has the element %q, not RULE=WARNING/CRITICAL or RULE=off", element)
		case !known:
			return nil, fmt.Errorf("has the element %q, whose rule does not exist; the rules are %s", element, strings.Join(names, ", "))
		case twice:
			return nil, fmt.Errorf("has the rule %s twice", name)
		}
		l, err := rule.parse(value)
		if err != nil {
			return nil, fmt.Errorf("has the element %q: %w", element, err)
		}
		parsed[name] = l
	}
	return parsed, nil
}

func (r Rule) parse(value string) (Limits, error) {
	if value == "off" {
		return Limits{Off: true}, nil
	}
	warning, critical, _ := strings.Cut(value, "/")
	var l Limits
	for _, limit := range []struct {
		text string
		into **float64
	}{{warning, &l.Warning}, {critical, &l.Critical}} {
		if limit.text == "" {
			continue
		}
		n, err := r.Unit.parse(limit.text)
		if err != nil {
			return l, err
		}
		*limit.into = &n
	}
	switch {
	case l.Warning == nil && l.Critical == nil:
		return l, errors.New("there is no limit")
	case l.Warning == nil || l.Critical == nil:
	case r.Below && *l.Critical > *l.Warning:
		return l, errors.New("critical is above the warning, and bad is what is below")
	case !r.Below && *l.Critical < *l.Warning:
		return l, errors.New("critical is below the warning, and bad is what is above")
	}
	return l, nil
}

// parse reads a limit; it is above zero.
func (u Unit) parse(text string) (float64, error) {
	n, want := math.NaN(), ""
	switch u {
	case Seconds, Milliseconds:
		want = "a time like 90s, 10m or 200ms"
		if d, err := time.ParseDuration(text); err == nil && u == Seconds {
			n = d.Seconds()
		} else if err == nil {
			n = float64(d) / float64(time.Millisecond)
		}
	case Ratio:
		want = "a rate like 95% or 0.95"
		digits, percent := strings.CutSuffix(text, "%")
		if f, err := strconv.ParseFloat(digits, 64); err == nil && percent {
			n = f / 100
		} else if err == nil {
			n = f
		}
		if n > 1 {
			n = math.NaN()
		}
	case Bytes:
		want = "a size like 512MiB or 2GiB"
		for i, suffix := range []string{"KiB", "MiB", "GiB", "TiB"} {
			digits, ok := strings.CutSuffix(text, suffix)
			if f, err := strconv.ParseFloat(digits, 64); ok && err == nil {
				n = f * math.Pow(1024, float64(i+1))
			}
		}
		if f, err := strconv.ParseUint(text, 10, 63); err == nil {
			n = float64(f)
		}
	default:
		want = "a whole number"
		if i, err := strconv.ParseUint(text, 10, 31); err == nil {
			n = float64(i)
		}
	}
	if !(n > 0) || math.IsInf(n, 0) {
		return 0, fmt.Errorf("%q is not %s", text, want)
	}
	return n, nil
}

// Text is a limit as people write it; a dash if there is none.
func (u Unit) Text(limit *float64) string {
	if limit == nil {
		return "–"
	}
	n := *limit
	switch u {
	case Seconds:
		text := time.Duration(n * float64(time.Second)).String()
		return strings.NewReplacer("h0m0s", "h", "m0s", "m").Replace(text)
	case Milliseconds:
		return strconv.FormatFloat(n, 'f', -1, 64) + " ms"
	case Ratio:
		return strconv.FormatFloat(n*100, 'f', -1, 64) + " %"
	case Bytes:
		return size(uint64(n))
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}
