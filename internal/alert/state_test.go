package alert_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/alert"
)

const tick = 10 * time.Second

var ann = quotekit.Act{Actor: "ann", Reason: "on it"}

// late and later are the same condition, bad and worse; dead is one that fires at
// once.
var (
	late  = map[string]alert.Condition{"oldest_unprocessed": {Severity: quotekit.AlertWarning, Summary: "late", Value: 70, Threshold: 60}}
	later = map[string]alert.Condition{"oldest_unprocessed": {Severity: quotekit.AlertCritical, Summary: "later", Value: 700, Threshold: 600}}
	dead  = map[string]alert.Condition{"dead_letters_present": {Severity: quotekit.AlertWarning, Summary: "dead", Value: 1, Threshold: 1}}
)

func both(a, b map[string]alert.Condition) map[string]alert.Condition {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// holdFor evaluates every ten seconds for a time.
func (w *watch) holdFor(d time.Duration, conditions map[string]alert.Condition) {
	w.t.Helper()
	for end := w.clock.now().Add(d); w.clock.now().Before(end); {
		w.holding(tick, conditions)
	}
}

func TestAlert_FiresWhenSeenTwiceAndResolvesAfterHalfAMinute(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.holding(tick, late)
		if got := w.alerts(); len(got) != 0 {
			t.Fatalf("after one look: got %+v", got)
		}
		w.holding(tick, nil) // it was nothing
		w.holding(tick, late)
		w.wantTold()
		w.holding(tick, late)
		fired := w.only()
		if fired.State != quotekit.AlertFiring || fired.Value != 70 || fired.Threshold != 60 || fired.Unit != "seconds" ||
			!fired.Since.Equal(w.clock.now()) || fired.Summary != "late" || fired.Link != "/dashboard" ||
			fired.Runbook != "https://github.com/quotekit/quotekit/blob/main/docs/alerts.md#oldest_unprocessed" {
			t.Errorf("got %+v", fired)
		}
		w.wantTold("firing oldest_unprocessed")
		w.holding(3*time.Hour, late)
		w.wantTold()
		for range 3 { // seen not to hold at 0, 10 and 20 s
			w.holding(tick, nil)
		}
		if got := w.only(); got.State != quotekit.AlertFiring {
			t.Fatalf("after 20 s: got %+v", got)
		}
		w.holding(tick, nil)
		got := w.only()
		if got.State != quotekit.AlertResolved || got.ResolvedAt == nil || got.ID != fired.ID {
			t.Errorf("got %+v", got)
		}
		w.wantTold("resolved oldest_unprocessed")
		w.holding(time.Hour, nil)
		w.holding(time.Hour, nil)
		w.wantTold()
	})
}

func TestAlert_DeadLettersFireAtOnceAndTogetherWithOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.holding(tick, later)
		w.holding(tick, both(dead, later))
		w.wantTold("firing oldest_unprocessed", "firing dead_letters_present") // the worst first
		messages := map[string]bool{}
		for _, d := range w.deliveries() {
			messages[d.MessageID] = true
		}
		if len(messages) != 4 {
			t.Errorf("got %d messages, want one to each of 4 channels", len(messages))
		}
	})
}

func TestAlert_IsToldAgainWhenWorse(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.holdFor(time.Minute, late)
		w.wantTold("firing oldest_unprocessed")
		w.holding(tick, later)
		w.wantTold("worse oldest_unprocessed")
		if got := w.only(); got.Severity != quotekit.AlertCritical || got.Threshold != 600 {
			t.Errorf("got %+v", got)
		}
		w.holding(tick, late) // better, and bad again: known
		w.holding(tick, later)
		w.wantTold()
	})
}

func TestAlert_RemindsUntilSomebodyTakesItOn(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.holdFor(time.Minute, late)
		w.wantTold("firing oldest_unprocessed")
		w.holding(4*time.Hour, late)
		w.wantTold("reminder oldest_unprocessed")
		got, err := w.Acknowledge(t.Context(), w.only().ID, ann)
		if err != nil || got.State != quotekit.AlertAcknowledged || got.AcknowledgedBy != "ann" || got.Note != "on it" {
			t.Fatalf("got %+v, %v", got, err)
		}
		w.receivers.take(alert.Alertmanager)
		w.holding(5*time.Hour, late)
		w.wantTold()
		if got := w.receivers.take(alert.Alertmanager); len(got) != 1 { // which else would take it for resolved
			t.Errorf("Alertmanager was told %d times, want once", len(got))
		}
		w.holding(tick, later)
		w.wantTold("worse oldest_unprocessed")
		w.holdFor(time.Minute, nil)
		w.wantTold("resolved oldest_unprocessed")
		if _, err := w.Acknowledge(t.Context(), w.only().ID, ann); quotekit.CodeOf(err) != quotekit.EConflict {
			t.Errorf("a resolved alert is acknowledged: %v", err)
		}
	})
}

func TestAlert_SilencedIsNotHeardOf(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.holdFor(time.Minute, late)
		w.wantTold("firing oldest_unprocessed")
		id := w.only().ID
		until := w.clock.now().Add(2 * time.Hour)
		got, err := w.Silence(t.Context(), id, until, ann)
		if err != nil || got.State != quotekit.AlertSilenced || got.SilencedUntil == nil || !got.SilencedUntil.Equal(until) {
			t.Fatalf("got %+v, %v", got, err)
		}
		w.holding(tick, later) // worse
		w.holdFor(time.Minute, nil)
		if got := w.only(); got.State != quotekit.AlertResolved {
			t.Errorf("got %+v", got)
		}
		w.clock.forward(30 * time.Minute)
		w.holdFor(time.Minute, later) // back, as the same
		if got := w.only(); got.State != quotekit.AlertSilenced || got.ID != id {
			t.Errorf("got %+v", got)
		}
		w.wantTold()
		w.holding(2*time.Hour, later)
		if got := w.only(); got.State != quotekit.AlertFiring || got.SilencedUntil != nil {
			t.Errorf("after the silence: got %+v", got)
		}
		w.wantTold("firing oldest_unprocessed")

		if _, err := w.Silence(t.Context(), id, w.clock.now().Add(time.Hour), ann); err != nil {
			t.Fatal(err)
		}
		if got, err = w.Unsilence(t.Context(), id, ann); err != nil || got.State != quotekit.AlertFiring {
			t.Errorf("got %+v, %v", got, err)
		}
		for _, d := range []time.Duration{0, -time.Hour, 31 * 24 * time.Hour} {
			if _, err := w.Silence(t.Context(), id, w.clock.now().Add(d), ann); quotekit.CodeOf(err) != quotekit.EInvalid {
				t.Errorf("a silence of %s: got %v", d, err)
			}
		}
		if _, err := w.Silence(t.Context(), quotekit.NewID(), until, ann); quotekit.CodeOf(err) != quotekit.ENotFound {
			t.Errorf("a silence of nothing: got %v", err)
		}
	})
}

func TestAlert_FlappingIsOneAlertToldOnceInTenMinutes(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.holdFor(time.Minute, late)
		w.wantTold("firing oldest_unprocessed")
		first := w.only()
		w.holdFor(time.Minute, nil)
		w.wantTold("resolved oldest_unprocessed")
		told := w.clock.now()
		for range 4 { // comes and goes
			w.holdFor(time.Minute, late)
			w.holdFor(time.Minute, nil)
		}
		w.wantTold()
		w.holdFor(time.Minute, late)
		w.wantTold()
		if got := w.only(); got.ID != first.ID || got.State != quotekit.AlertFiring || !got.Since.Equal(first.Since) {
			t.Errorf("got %+v, want that of %s", got, first.ID)
		}
		w.holding(told.Add(10*time.Minute).Sub(w.clock.now()), late)
		w.wantTold("firing oldest_unprocessed")
		w.holding(tick, later)
		w.wantTold("worse oldest_unprocessed") // that does not wait
		told = w.clock.now()
		w.holdFor(time.Minute, nil)
		w.wantTold()
		w.holding(told.Add(10*time.Minute).Sub(w.clock.now()), nil)
		w.wantTold("resolved oldest_unprocessed")

		w.clock.forward(time.Hour)
		w.holdFor(time.Minute, late) // this is another one
		w.wantTold("firing oldest_unprocessed")
		if got := w.alerts(); len(got) != 2 || got[0].ID == first.ID || got[1].ID != first.ID {
			t.Errorf("got %+v", got)
		}
	})
}

// TestAlert_OfNewerVersionsIsLeftAlone: during a rollout an older process evaluates,
// which does not know the rule.
func TestAlert_OfNewerVersionsIsLeftAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.holding(tick, dead)
		w.mustExec(`UPDATE webhook_alerts SET rule = 'of_tomorrow'`)
		before := w.only()
		w.holding(time.Hour, nil)
		w.holding(time.Hour, nil)
		if got := w.only(); got.State != quotekit.AlertFiring || got.UpdatedAt != before.UpdatedAt || got.Link != "/dashboard/alerts" {
			t.Errorf("got %+v", got)
		}
	})
}

// TestAlert_WithoutChannelsIsToldWhenThereIsOne: who sets up a channel hears of what
// fires already.
func TestAlert_WithoutChannelsIsToldWhenThereIsOne(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		deaf := &watch{newService(t, w.store, w.clock, alert.Channels{}, w.log), t, w.store, w.clock, w.receivers, w.log}
		deaf.holdFor(time.Minute, late)
		if got := w.deliveries(); len(got) != 0 {
			t.Fatalf("got %+v", got)
		}
		w.holding(tick, late)
		w.wantTold("firing oldest_unprocessed")
	})
}

func TestAlert_ActsAreInTheAuditTrail(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.holding(tick, dead)
		id := w.only().ID
		if _, err := w.Acknowledge(t.Context(), id, quotekit.Act{Actor: "ann", Reason: "a", RequestID: "r"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Silence(t.Context(), id, w.clock.now().Add(time.Hour), ann); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Unsilence(t.Context(), id, ann); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Silence(t.Context(), id, w.clock.now(), ann); err == nil { // refused: not there
			t.Fatal("a silence that is over begins")
		}
		rows, err := w.store.Reader().QueryContext(t.Context(), `
			SELECT actor, action, CAST("before" AS TEXT), CAST("after" AS TEXT) FROM webhook_audit_trail WHERE target = $1`, id)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		var got []string
		for rows.Next() {
			var actor, action, before, after string
			if err := rows.Scan(&actor, &action, &before, &after); err != nil {
				t.Fatal(err)
			}
			var was, is struct{ State string }
			if err := errors.Join(json.Unmarshal([]byte(before), &was), json.Unmarshal([]byte(after), &is)); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%s %s: %s → %s", actor, action, was.State, is.State))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		want := []string{
			"ann alert.acknowledge: firing → acknowledged", "ann alert.silence: acknowledged → silenced", "ann alert.unsilence: silenced → acknowledged",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestEvaluate_ByTwoAtOnceIsDoneOnce lets two processes evaluate at the same time.
func TestEvaluate_ByTwoAtOnceIsDoneOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		other := newService(t, w.store, w.clock, w.receivers.channels(), w.log)
		w.mustExec(`INSERT INTO webhook_dead_letter_queue (id, stripe_event_id, event_type, event_data, failure_reason)
			VALUES ($1, 'evt_1', 'customer.created', '{}', 'HANDLER_REJECTED')`, quotekit.NewID())
		for range 3 {
			w.clock.forward(tick)
			var evaluating sync.WaitGroup
			for _, s := range []*alert.Service{w.Service, other, w.Service, other} {
				evaluating.Go(func() {
					if err := s.Evaluate(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			evaluating.Wait()
		}
		w.wantTold("firing dead_letters_present")
		w.only()
		e, err := w.store.AlertEvaluation(t.Context())
		if err != nil || e.Revision != 3 {
			t.Errorf("evaluated %d times, want 3; %v", e.Revision, err)
		}
	})
}

// TestAlert_AfterAClockWasSetBack: what was resolved long ago seems to be of just now,
// beside an alert of the same that fires.
func TestAlert_AfterAClockWasSetBack(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.holdFor(time.Minute, late)
		w.holdFor(time.Minute, nil)
		w.clock.forward(12 * time.Minute)
		w.holdFor(time.Minute, late)
		firing := w.alerts()[0]
		w.clock.forward(-10 * time.Minute)
		w.holdFor(time.Minute, late)
		got := w.alerts()
		if len(got) != 2 || got[0].ID != firing.ID || got[0].State != quotekit.AlertFiring || got[1].State != quotekit.AlertResolved {
			t.Errorf("got %+v", got)
		}
	})
}
