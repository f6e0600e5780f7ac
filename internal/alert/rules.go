package alert

import (
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
)

// Rule is a row of the table: something that is looked at in every evaluation.
type Rule struct {
	Name string
	// Measures says in words what is measured, and Unit in what the limits are.
	Measures string
	Unit     Unit
	// Limits are the limits unless others are configured.
	Limits Limits
	// Below: what is below the limits is bad, not what reaches them.
	Below bool
	// AtOnce: it fires when it is seen first. The others have to be seen twice.
	AtOnce bool
	// Page shows what it is about. A %s in it is the subject.
	Page string
	// Check makes of what was measured the conditions that hold, at most one of a
	// subject. It is pure.
	Check func(m *Measures, l Limits) []Condition
}

// Condition is what a rule finds true.
type Condition struct {
	Subject          string
	Severity         quotekit.AlertSeverity
	Summary          string
	Value, Threshold float64
}

const (
	// window is the time that success and times are looked at for.
	window = 15 * time.Minute
	// leastEvents is how many events of a type a rate or a percentile needs.
	leastEvents = 20
	// refusalWindow is the time that refused requests are counted in.
	refusalWindow = 5 * time.Minute
	// remembered is how long an API version or a missed event counts.
	remembered = 24 * time.Hour
	// stripeKeeps is how long Stripe lists an event.
	stripeKeeps = 30 * 24 * time.Hour
	// leastFree is the part of a file system that should be free, whatever its size.
	leastFree = 0.05
)

// Rules is the table of alerts. The name is the anchor of docs/alerts.md, too.
func Rules() []Rule {
	const (
		kib = 1 << 10
		mib = kib << 10
		gib = mib << 10
	)
	return []Rule{
		{
			Name: "dead_letters_present", Measures: "dead letters that are not resolved",
			Unit: Events, Limits: limits(1, 100), AtOnce: true,
			Page: "/dashboard/dead-letter-queue", Check: deadLetters,
		},
		{
			Name: "oldest_unprocessed", Measures: "age of the oldest event that is received and not processed",
			Unit: Seconds, Limits: limits(60, 600),
			Page: "/dashboard", Check: oldestUnprocessed,
		},
		{
			Name: "success_rate", Measures: "part of the decided events of a type that are not dead, in the last 15 minutes, of 20 at least",
			Unit: Ratio, Limits: limits(0.95, 0.90), Below: true,
			Page: "/dashboard/dead-letter-queue?event_type=%s", Check: successRate,
		},
		{
			Name: "p95", Measures: "time in which 95 % of the events of a type are processed, in the last 15 minutes, of 20 at least; the warning is the type's target, if it has one",
			Unit: Milliseconds, Limits: limits(200, 500),
			Page: "/dashboard/performance?event_type=%s", Check: slowTypes,
		},
		{
			Name: "no_events", Measures: "time since the last event, if the same hours of former days had some",
			Unit: Seconds, Limits: limits(6*3600, 24*3600),
			Page: "/dashboard", Check: noEvents,
		},
		{
			Name: "signature_failures", Measures: "requests of the last 5 minutes whose signature was missing or wrong",
			Unit: Events, Limits: limits(20, 500),
			Page: "/dashboard", Check: signatureFailures,
		},
		{
			Name: "api_version", Measures: "API versions of the events of the last day, beside the expected one (without QUOTEKIT_STRIPE_API_VERSION: beside the last)",
			Unit: Versions, Limits: warnOnly(1),
			Page: "/dashboard/performance", Check: apiVersion,
		},
		{
			Name: "batch_stalled", Measures: "time in which a batch job that should run has made no progress",
			Unit: Seconds, Limits: limits(60, 600),
			Page: "/dashboard/batch-jobs", Check: batchStalled,
		},
		{
			Name: "events_missed", Measures: "events of the last day's comparisons with Stripe's list that were never delivered",
			Unit: Events, Limits: limits(1, 100),
			Page: "/dashboard/tasks?kind=reconcile", Check: eventsMissed,
		},
		{
			Name: "disk_low", Measures: "free space where the SQLite file is; the warning is 5 % of the file system, if that is more",
			Unit: Bytes, Limits: limits(gib, 256*mib), Below: true,
			Page: "/dashboard", Check: diskLow,
		},
		{
			Name: "clock_skew", Measures: "difference between the clock of the evaluating process and that of the database or of Stripe",
			Unit: Seconds, Limits: limits(5, 120),
			Page: "/dashboard", Check: clockSkew,
		},
	}
}

// one is the only condition of a rule about the whole service, if its value is bad.
func one(l Limits, value float64, below bool, summary string, args ...any) []Condition {
	severity, threshold, bad := l.judge(value, below)
	if !bad {
		return nil
	}
	return []Condition{{Severity: severity, Summary: fmt.Sprintf(summary, args...), Value: value, Threshold: threshold}}
}

func deadLetters(m *Measures, l Limits) []Condition {
	atLeast := ""
	if m.AtLeast {
		atLeast = "at least "
	}
	return one(l, float64(m.DeadLetters), false, "%s%s in the dead letter queue.", atLeast, count(m.DeadLetters, "event is", "events are"))
}

func oldestUnprocessed(m *Measures, l Limits) []Condition {
	if m.Oldest == nil {
		return nil
	}
	age := m.Now.Sub(m.Oldest.Received)
	return one(l, age.Seconds(), false, "The event %s (%s) was received %s ago and is not processed.",
		m.Oldest.ID, m.Oldest.Type, spoken(age))
}

func successRate(m *Measures, l Limits) (found []Condition) {
	for _, t := range m.Types {
		if t.Decided < leastEvents {
			continue
		}
		rate := float64(t.Decided-t.Dead) / float64(t.Decided)
		c := one(l, rate, true, "%.1f %% of the %s events of the last 15 minutes succeeded: %d of %d died.",
			rate*100, t.EventType, t.Dead, t.Decided)
		found = append(found, about(t.EventType, c)...)
	}
	return found
}

func slowTypes(m *Measures, l Limits) (found []Condition) {
	for _, t := range m.Types {
		if t.Samples < leastEvents {
			continue
		}
		own := l
		if t.TargetMS > 0 && l.Warning != nil {
			own.Warning = &t.TargetMS
		}
		c := one(own, t.P95MS, false, "5 %% of the %s events of the last 15 minutes took longer than %.0f ms.", t.EventType, t.P95MS)
		found = append(found, about(t.EventType, c)...)
	}
	return found
}

// about gives conditions a subject.
func about(subject string, conditions []Condition) []Condition {
	for i := range conditions {
		conditions[i].Subject = subject
	}
	return conditions
}

// noEvents compares the hours without events with the same hours of the seven days
// before: more than half of those we know anything of must have had some, and, where
// we know a week, that of the same day of the week.
func noEvents(m *Measures, l Limits) []Condition {
	if m.LastEvent.IsZero() || len(m.Hours) == 0 {
		return nil
	}
	silent := m.Now.Sub(m.LastEvent)
	severity, threshold, bad := l.judge(silent.Seconds(), false)
	if !bad {
		return nil
	}
	// The hours that lie in the last hours whole, on the days before.
	length := time.Duration(threshold * float64(time.Second)).Truncate(time.Hour)
	begin := m.Now.Add(-length).Truncate(time.Hour)
	const day = 24 * time.Hour
	first := m.Hours[0]
	for _, h := range m.Hours {
		if h.Before(first) {
			first = h
		}
	}
	known, busy, sameDay := 0, 0, true
	for back := 1; back <= 7; back++ {
		from, to := begin.Add(-time.Duration(back)*day), m.Now.Add(-time.Duration(back)*day)
		if to.Before(first) {
			break
		}
		known++
		had := false
		for _, h := range m.Hours {
			had = had || !h.Before(from) && h.Before(to)
		}
		if had {
			busy++
		}
		if back == 7 {
			sameDay = had
		}
	}
	if busy*2 <= known || !sameDay {
		return nil
	}
	return []Condition{{
		Severity: severity, Value: silent.Seconds(), Threshold: threshold,
		Summary: fmt.Sprintf("No event was received for %s; the same hours of former days had some.", spoken(silent)),
	}}
}

func signatureFailures(m *Measures, l Limits) []Condition {
	return one(l, float64(m.SignatureFailures), false, "%s of the last 5 minutes had no right signature.",
		count(m.SignatureFailures, "request", "requests"))
}

func apiVersion(m *Measures, l Limits) []Condition {
	if m.Expected == "" {
		if len(m.Versions) == 0 {
			return nil
		}
		return one(l, float64(len(m.Versions)-1), false, "Events of the last day have several API versions: %s.", versions(m.Versions))
	}
	var others []VersionSeen
	for _, v := range m.Versions {
		if v.Version != m.Expected {
			others = append(others, v)
		}
	}
	return one(l, float64(len(others)), false, "Events of the last day have the API version %s; expected is %s.", versions(others), m.Expected)
}

func batchStalled(m *Measures, l Limits) []Condition {
	var longest BatchProgress
	stalled := int64(0)
	for _, b := range m.Batches {
		if _, _, bad := l.judge(m.Now.Sub(b.Still).Seconds(), false); !bad {
			continue
		}
		stalled++
		if longest.ID == "" || b.Still.Before(longest.Still) {
			longest = b
		}
	}
	if stalled == 0 {
		return nil
	}
	still := m.Now.Sub(longest.Still)
	return one(l, still.Seconds(), false, "%s: nothing has happened to %s (%s) for %s.",
		count(stalled, "batch job stands still", "batch jobs stand still"), longest.ID, longest.Operation, spoken(still))
}

func eventsMissed(m *Measures, l Limits) []Condition {
	if m.Missed == nil {
		return nil
	}
	days := max(0, int(m.Missed.Oldest.Add(stripeKeeps).Sub(m.Now)/(24*time.Hour)))
	left := fmt.Sprintf("Stripe forgets the oldest in %s", count(int64(days), "day", "days"))
	if m.Missed.Waiting > 0 {
		return one(l, float64(m.Missed.Events+m.Missed.Waiting), false, "%s never delivered, and %d of them are not imported; %s.",
			count(int64(m.Missed.Events+m.Missed.Waiting), "event was", "events were"), m.Missed.Waiting, left)
	}
	return one(l, float64(m.Missed.Events), false, "%s never delivered, found in Stripe's list and imported; %s.",
		count(int64(m.Missed.Events), "event was", "events were"), left)
}

func diskLow(m *Measures, l Limits) []Condition {
	if m.Disk == nil {
		return nil
	}
	if part := float64(m.Disk.Total) * leastFree; l.Warning != nil && part > *l.Warning {
		l.Warning = &part
	}
	return one(l, float64(m.Disk.Free), true, "%s of %s are free where the database is.", size(m.Disk.Free), size(m.Disk.Total))
}

func clockSkew(m *Measures, l Limits) (found []Condition) {
	for whose, ahead := range m.Clocks {
		way := "ahead of"
		if ahead < 0 {
			way = "behind"
		}
		c := one(l, ahead.Abs().Seconds(), false, "The clock of this machine is %s %s that of %s.", spoken(ahead.Abs()), way, whose)
		found = append(found, about(whose, c)...)
	}
	return found
}
