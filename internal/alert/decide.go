package alert

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// clearFor is how long a condition must not be seen before its alert is resolved.
	clearFor = 30 * time.Second
	// flapWithin is how soon after it was resolved an alert that comes back is the
	// same one, and how often people are told of it from then on.
	flapWithin = 10 * time.Minute
	// remindEvery is how often it is told that an alert still fires.
	remindEvery = 4 * time.Hour
)

// What is told of an alert.
const (
	toldFiring   = "firing"
	toldWorse    = "worse"
	toldReminder = "reminder"
	toldResolved = "resolved"
	toldTest     = "test"
)

// key is what an alert is of.
type key struct{ rule, subject string }

func (k key) compare(other key) int {
	return cmp.Or(cmp.Compare(k.rule, other.rule), cmp.Compare(k.subject, other.subject))
}

// found is a condition with its rule.
type found struct {
	rule Rule
	Condition
}

// note is something to be told.
type note struct {
	alert store.AlertRow
	event string
	// quietly: only to Alertmanager, which has to know what people need not hear.
	quietly bool
}

// decision is what an evaluation changes.
type decision struct {
	save  []store.AlertRow
	drop  []string // ids of alerts that nobody was shown
	notes []note   // the worst first
}

// decide makes of the alerts as they were and of the conditions that hold now what
// becomes of the alerts, and what is told. It is pure but for the ids of new alerts.
func decide(now time.Time, alerts []store.AlertRow, holding []found, tell bool) (d decision) {
	holds := map[key]found{}
	for _, f := range holding {
		holds[key{f.rule.Name, f.Subject}] = f
	}
	// If a clock was set back, an alert that is over may be among them beside one of
	// the same key that is not: what holds is of the latter.
	alerts = slices.Clone(alerts)
	slices.SortStableFunc(alerts, func(a, b store.AlertRow) int { return cmp.Compare(over(a), over(b)) })
	for _, a := range alerts {
		k := key{a.Rule, a.Subject}
		f, ok := holds[k]
		delete(holds, k)
		was := a
		switch {
		case ok:
			hold(&a, f, now)
		case a.State == store.AlertPending:
			d.drop = append(d.drop, a.ID)
			continue
		default:
			pass(&a, now)
		}
		d.keep(a, was, now, tell)
	}
	for _, k := range slices.SortedFunc(maps.Keys(holds), key.compare) {
		f := holds[k]
		a := store.AlertRow{ID: quotekit.NewID(), Rule: k.rule, Subject: k.subject, State: store.AlertPending}
		if f.rule.AtOnce {
			fire(&a, now)
		} else {
			a.Since, a.PendingSince = now, now
		}
		see(&a, f, now)
		d.keep(a, store.AlertRow{}, now, tell)
	}
	slices.SortStableFunc(d.notes, func(a, b note) int { return cmp.Compare(rank(b.alert.Severity), rank(a.alert.Severity)) })
	return d
}

// over is 1 for an alert that is resolved, else 0.
func over(a store.AlertRow) int {
	if a.State == quotekit.AlertResolved {
		return 1
	}
	return 0
}

// keep writes an alert that has changed, and what has to be told of it.
func (d *decision) keep(a, was store.AlertRow, now time.Time, tell bool) {
	if tell {
		event, quietly := toTell(&a, now)
		if event != "" {
			d.notes = append(d.notes, note{a, event, quietly})
		}
	}
	if a != was {
		d.save = append(d.save, a)
	}
}

// hold is for an alert whose condition holds.
func hold(a *store.AlertRow, f found, now time.Time) {
	switch {
	case a.State != store.AlertPending && a.State != quotekit.AlertResolved:
		a.ClearSince = time.Time{}
	case a.PendingSince.IsZero() && !f.rule.AtOnce: // it was resolved, and is seen again
		a.PendingSince = now
		return
	case a.State == store.AlertPending:
		fire(a, now)
	default:
		comeBack(a, now)
	}
	see(a, f, now)
}

// fire begins to fire.
func fire(a *store.AlertRow, now time.Time) {
	a.State, a.Since, a.PendingSince = quotekit.AlertFiring, now, time.Time{}
}

// comeBack is for a resolved alert that fires again. Somebody who took it on has it
// still.
func comeBack(a *store.AlertRow, now time.Time) {
	since := a.Since
	soon := now.Sub(a.ResolvedAt) <= flapWithin
	fire(a, now)
	if soon {
		a.Since, a.Flapping = since, true
	}
	if a.AcknowledgedBy != "" {
		a.State = quotekit.AlertAcknowledged
	}
	a.ResolvedAt, a.ClearSince = time.Time{}, time.Time{}
}

// see notes what was measured.
func see(a *store.AlertRow, f found, now time.Time) {
	a.Severity, a.Summary, a.Value, a.Threshold, a.Unit = f.Severity, f.Summary, f.Value, f.Threshold, string(f.rule.Unit)
	a.UpdatedAt = now
}

// pass is for an alert whose condition does not hold.
func pass(a *store.AlertRow, now time.Time) {
	switch {
	case a.State == quotekit.AlertResolved:
		a.PendingSince = time.Time{}
	case a.ClearSince.IsZero():
		a.ClearSince = now
	case now.Sub(a.ClearSince) >= clearFor:
		a.State, a.ResolvedAt, a.UpdatedAt = quotekit.AlertResolved, now, now
	}
}

// toTell says what has to be told of an alert now, if anything, and notes in it that
// this is told.
func toTell(a *store.AlertRow, now time.Time) (event string, quietly bool) {
	known := a.NotifiedState == quotekit.AlertFiring // to people: that it fires
	worse := rank(a.Severity) > rank(a.NotifiedSeverity)
	tooSoon := a.Flapping && now.Sub(a.LastNotifiedAt) < flapWithin
	due := a.ClearSince.IsZero() && now.Sub(a.LastNotifiedAt) >= remindEvery
	silenced := a.SilencedUntil.After(now)
	switch a.State {
	case quotekit.AlertFiring, quotekit.AlertAcknowledged:
		taken := a.State == quotekit.AlertAcknowledged
		switch {
		case silenced && !(known && due):
			return "", false
		case known && worse && !silenced:
			event = toldWorse
		case known && due:
			event, quietly = toldReminder, silenced || taken
		case !known && (worse || !taken && !tooSoon):
			event = toldFiring
		default:
			return "", false
		}
		a.NotifiedState = quotekit.AlertFiring
		if !quietly {
			a.NotifiedSeverity = a.Severity
		}
	case quotekit.AlertResolved:
		if !known || tooSoon && !silenced {
			return "", false
		}
		event, quietly = toldResolved, silenced
		a.NotifiedState = quotekit.AlertResolved
	default:
		return "", false
	}
	a.LastNotifiedAt = now
	return event, quietly
}

// rank orders severities; nothing is less than a warning.
func rank(s quotekit.AlertSeverity) int {
	switch s {
	case quotekit.AlertCritical:
		return 2
	case quotekit.AlertWarning:
		return 1
	}
	return 0
}
