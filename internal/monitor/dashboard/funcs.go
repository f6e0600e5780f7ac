package dashboard

import (
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quotekit/quotekit/internal/monitor"
)

// functions are what templates may call beside the methods of [View].
var functions = template.FuncMap{
	"asset":    asset,
	"count":    count,
	"ms":       ms,
	"percent":  percent,
	"time":     timeTag,
	"ago":      agoTag,
	"seconds":  seconds,
	"dict":     dict,
	"json":     jsonText,
	"short":    short,
	"spark":    spark,
	"plural":   plural,
	"duration": duration,
	"stamp":    stamp,
	"deref":    deref,
	"join":     strings.Join,

	"eventPath":  eventPath,
	"objectPath": objectPath,
	"letterPath": letterPath,
	"alonePath":  alonePath,
	"groupPath":  groupPath,
	"taskPath":   taskPath,
	"batchPath":  batchPath,
	"stateClass": stateClass,
	"value":      value,

	"rfc":       func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"minute":    func(t time.Time) string { return t.UTC().Format("Jan 2 15:04") },
	"half":      func(n int) int { return n / 2 },
	"zero":      zero,
	"typeState": typeState,
	"timeState": timeState,
	"alertMark": alertMark,
	"batchMark": batchMark,

	"benchmarkState": benchmarkState,
	"deliveryMark":   deliveryMark,
	"alertValue":     alertValue,
	"localLink":      localLink,
	"limit":          limit,
	"raw":            func(text json.RawMessage) string { return raw(text) },
	"perSecond":      perSecond,
	"improvement":    improvement,
	"countOf":        countOf,

	"input": func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04") },
}

// count writes a number with separators of thousands.
func count(n any) string {
	digits := fmt.Sprint(deref(n))
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, c := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return sign + b.String()
}

// perSecond writes items per second, which may be missing.
func perSecond(f *float64) string {
	if f == nil {
		return nothing
	}
	return plainNumber(*f) + "/s"
}

// plainNumber writes a number with one digit after the point, if it has one.
func plainNumber(f float64) string {
	text := strconv.FormatFloat(f, 'f', 1, 64)
	whole, digit, _ := strings.Cut(text, ".")
	if digit == "0" {
		return count(whole)
	}
	return count(whole) + "." + digit
}

// bytesText writes a number of bytes in its unit.
func bytesText(f float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if f < 1024 {
			return plainNumber(f) + " " + unit
		}
		f /= 1024
	}
	return plainNumber(f) + " TiB"
}

// countOf is [count] of what may be missing.
func countOf(n *int64) string {
	if n == nil {
		return nothing
	}
	return count(*n)
}

// improvement writes a number of percent, which may be missing.
func improvement(f *float64) string {
	if f == nil {
		return nothing
	}
	return strconv.FormatFloat(*f, 'f', 1, 64) + " %"
}

// zero is [count], but a dash for 0, so that what is not 0 is seen.
func zero(n int64) string {
	if n == 0 {
		return nothing
	}
	return count(n)
}

// nothing stands where there is no value.
const nothing = "–"

// ms writes milliseconds, which may be missing.
func ms(v any) string {
	var f float64
	switch v := deref(v).(type) {
	case float64:
		f = v
	case int64:
		f = float64(v)
	case int:
		f = float64(v)
	default:
		return nothing
	}
	switch {
	case f >= 10_000:
		return strconv.FormatFloat(f/1000, 'f', 1, 64) + " s"
	case f >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64) + " ms"
	case f >= 1:
		return strconv.FormatFloat(f, 'f', 1, 64) + " ms"
	}
	return strconv.FormatFloat(f, 'f', 2, 64) + " ms"
}

// percent writes a ratio of 0 to 1, which may be missing. What is not all is never
// rounded up to all.
func percent(v any) string {
	f, ok := deref(v).(float64)
	if !ok {
		return nothing
	}
	p := f * 100
	digits := 1
	if p > 99.9 && p < 100 {
		digits = 3
		p = float64(int64(p*1000)) / 1000
	}
	text := strconv.FormatFloat(p, 'f', digits, 64)
	return strings.TrimSuffix(text, ".0") + " %"
}

// seconds writes a length of time in its two largest units.
func seconds(v any) string {
	switch n := deref(v).(type) {
	case float64:
		return duration(time.Duration(n * float64(time.Second)))
	case int64:
		return duration(time.Duration(n) * time.Second)
	case int:
		return duration(time.Duration(n) * time.Second)
	}
	return nothing
}

func duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + duration(-d)
	case d < time.Second:
		return strconv.Itoa(int(d.Milliseconds())) + " ms"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60), " 0 min")
	}
	return strings.TrimSuffix(fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24), " 0 h")
}

// timeTag writes an instant in UTC, which the script writes in the zone that is
// chosen, with how long ago it is where it is hovered over.
func timeTag(v any) template.HTML {
	t, ok := deref(v).(time.Time)
	if !ok || t.IsZero() {
		return nothing
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339Nano) + `">` + stamp(t) + `</time>`) //nolint:gosec // digits
}

// agoTag is [timeTag], but the script writes how long ago it is, and the instant
// where it is hovered over.
func agoTag(v any) template.HTML {
	tag := timeTag(v)
	return template.HTML(strings.Replace(string(tag), "<time ", "<time data-ago ", 1)) //nolint:gosec // digits
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }

// deref is what a pointer points to; nil stays nil.
func deref(v any) any {
	switch v := v.(type) {
	case *int64:
		if v != nil {
			return *v
		}
	case *int:
		if v != nil {
			return *v
		}
	case *float64:
		if v != nil {
			return *v
		}
	case *string:
		if v != nil {
			return *v
		}
	case *time.Time:
		if v != nil {
			return *v
		}
	default:
		return v
	}
	return nil
}

// dict makes a map of names and values in turn, to hand several to a partial.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict has %d arguments, want names and values in turn", len(pairs))
	}
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict has the name %v, want a text", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// jsonText writes a value as JSON that people can read.
func jsonText(v any) (string, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return string(b), err
}

// short cuts a text after so many characters.
func short(n int, text string) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return string(r[:n-1]) + "…"
}

// plural writes a number with its noun: 1 event, 2 events.
func plural(n any, one, many string) string {
	if text := count(n); text != "1" {
		return text + " " + many
	}
	return "1 " + one
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// severityMark is a shape for what a colour says, too.
func severityMark(s monitor.Severity) string {
	switch s {
	case monitor.SeverityCritical:
		return "▲"
	case monitor.SeverityWarning:
		return "◆"
	}
	return "●"
}
