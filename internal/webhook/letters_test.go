package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/task"
)

// kit is a service whose clock stands still until the test moves it, and whose
// jobs the test works itself.
type kit struct {
	t       *testing.T
	now     atomic.Pointer[time.Time]
	store   *store.Store
	service *Service
	worker  *AttemptWorker
}

func tables(ctx context.Context, s *store.Store) error {
	return s.Migrate(ctx, func(ctx context.Context) error { return jobs.Migrate(ctx, s) })
}

// onBoth runs f with a kit on each engine.
func onBoth(t *testing.T, routes []quotekit.Route, fetcher Fetcher, f func(k *kit)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(newKit(t, storetest.SQLiteURL(t, tables), routes, fetcher)) })
	t.Run("postgres", func(t *testing.T) { f(newKit(t, storetest.PostgresURL(t, tables), routes, fetcher)) })
}

func newKit(t *testing.T, url string, routes []quotekit.Route, fetcher Fetcher) *kit {
	t.Helper()
	k := &kit{t: t}
	k.set(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	now := func() time.Time { return *k.now.Load() }
	var err error
	if k.store, err = store.Open(t.Context(), store.Config{URL: url, Now: now}); err != nil {
		t.Fatal(err)
	}
	workers := river.NewWorkers()
	logger := slog.New(slog.DiscardHandler)
	client, err := jobs.New(k.store, workers, jobs.Config{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	if k.service, err = New(k.store, client, workers, Config{
		Routes: routes, Tasks: task.New(k.store, client, workers, now, logger), Fetcher: fetcher, Now: now, Logger: logger,
	}); err != nil {
		t.Fatal(err)
	}
	k.worker = &AttemptWorker{
		store: k.store, routes: k.service.sweeper.routes, fetcher: fetcher, telemetry: k.service.telemetry, now: now, logger: logger,
		group: k.service.group, slots: newSlots(),
	}
	k.service.Start()
	t.Cleanup(func() {
		k.service.Stop()
		if err := k.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

func (k *kit) set(now time.Time)           { k.now.Store(&now) }
func (k *kit) advance(d time.Duration)     { k.set(k.now.Load().Add(d)) }
func (k *kit) act(why string) quotekit.Act { return quotekit.Act{Actor: "ada", Reason: why} }

func (k *kit) deliver(payload string) quotekit.EventStatus {
	k.t.Helper()
	imported, err := k.service.Import(k.t.Context(), "test", [][]byte{[]byte(payload)})
	if err != nil {
		k.t.Fatal(err)
	}
	return imported[0].Status
}

// work does what the jobs of an event do, moving the clock to each attempt, until
// the event is not pending any more.
func (k *kit) work(eventID string) quotekit.EventStatus {
	k.t.Helper()
	for range 100 {
		e, err := k.store.PendingEvent(k.t.Context(), eventID)
		if err != nil {
			k.t.Fatal(err)
		}
		if e.Status != quotekit.EventPending {
			return e.Status
		}
		err = k.worker.Work(k.t.Context(), &river.Job[AttemptArgs]{Args: AttemptArgs{EventID: eventID, Round: e.Round}})
		var snooze *river.JobSnoozeError
		switch {
		case errors.As(err, &snooze):
			k.advance(snooze.Duration)
		case err != nil:
			k.t.Fatal(err)
		}
	}
	k.t.Fatal("the event stays pending")
	return ""
}

func (k *kit) sweep(want int) {
	k.t.Helper()
	due, err := k.service.sweeper.RetryLetters(k.t.Context())
	if err != nil || due != want {
		k.t.Fatalf("at %s: got %d due dead letters, %v, want %d", k.now.Load(), due, err, want)
	}
}

func (k *kit) letter(eventID string) store.DeadLetterRecord {
	k.t.Helper()
	letter, err := k.store.DeadLetter(k.t.Context(), eventID)
	if err != nil {
		k.t.Fatal(err)
	}
	return letter
}

// audits counts the entries of an event's audit trail with an action.
func (k *kit) audits(eventID, action string) (found []store.AuditRecord) {
	k.t.Helper()
	trail, err := k.store.EventAudit(k.t.Context(), eventID)
	if err != nil {
		k.t.Fatal(err)
	}
	for _, a := range trail {
		if a.Action == action {
			found = append(found, a)
		}
	}
	return found
}

// scheduled fails unless the letter is to be taken up again after about the pause.
func (k *kit) scheduled(eventID string, retries int, pause time.Duration) {
	k.t.Helper()
	letter := k.letter(eventID)
	if letter.NextRetryAt == nil {
		k.t.Fatalf("got no next retry, want one after %s; letter %+v", pause, letter)
	}
	after := letter.NextRetryAt.Sub(letter.LastFailedAt)
	if after < pause*94/100 || after > pause*106/100 || letter.RequiresManualReview || letter.AutomaticRetries != retries || letter.Resolved {
		k.t.Fatalf("got a retry after %s, letter %+v; want about %s after %d automatic retries", after, letter, pause, retries)
	}
}

const plainEvent = `{"id":%q,"object":"event","type":"plain","created":%d,"data":{"object":{"id":"obj_1","object":"thing"}}}`

// broken is a table with one route, which fails as long as it is told to.
func broken(failing *atomic.Bool, fail error) []quotekit.Route {
	return []quotekit.Route{{
		Type: "plain", Handler: "plain", Priority: 3, Timeout: time.Second,
		Handle: func(context.Context, quotekit.Event) (quotekit.Changes, error) {
			if failing.Load() {
				return quotekit.Changes{}, fail
			}
			return quotekit.Changes{}, nil
		},
	}}
}

func TestDeadLetter_IsTakenUpByItselfFourTimes(t *testing.T) {
	var failing atomic.Bool
	failing.Store(true)
	onBoth(t, broken(&failing, errors.New("not now")), nil, func(k *kit) {
		k.deliver(fmt.Sprintf(plainEvent, "evt_1", 1_775_000_000))
		k.work("evt_1")
		for n, pause := range slowRetries {
			k.scheduled("evt_1", n, pause)
			k.advance(pause * 9 / 10)
			k.sweep(0)
			k.advance(pause * 2 / 10)
			k.sweep(1)
			k.sweep(0)
			if letter := k.letter("evt_1"); letter.Status != quotekit.EventPending || letter.NextRetryAt != nil || letter.Resolved {
				t.Fatalf("got %+v, want the event pending", letter)
			}
			if got := k.work("evt_1"); got != quotekit.EventDead {
				t.Fatalf("got %s", got)
			}
		}
		letter := k.letter("evt_1")
		if !letter.RequiresManualReview || letter.NextRetryAt != nil || letter.FailureCount != 5 || letter.AutomaticRetries != 4 {
			t.Fatalf("got %+v, want a review after four automatic retries", letter)
		}
		k.advance(1000 * time.Hour)
		k.sweep(0)
		trail := k.audits("evt_1", store.AuditAutoRetry)
		if len(trail) != 4 || trail[3].Actor != "quotekit" || *trail[3].Target != letter.ID {
			t.Errorf("got audit trail %+v", trail)
		}

		// A person begins anew.
		if _, err := k.service.Retry(t.Context(), letter.ID, "", k.act("again")); err != nil {
			t.Fatal(err)
		}
		k.work("evt_1")
		k.scheduled("evt_1", 0, slowRetries[0])
	})
}

func TestDeadLetter_IsResolvedWhenAnAutomaticRetrySucceeds(t *testing.T) {
	var failing atomic.Bool
	onBoth(t, broken(&failing, errors.New("not now")), nil, func(k *kit) {
		failing.Store(true)
		k.deliver(fmt.Sprintf(plainEvent, "evt_1", 1_775_000_000))
		k.work("evt_1")
		k.advance(10 * time.Minute)
		k.sweep(1)
		k.work("evt_1")
		k.advance(time.Hour)
		k.sweep(1)

		// The process dies and its job is lost: the event says itself that it is due.
		if _, err := k.store.Writer().ExecContext(t.Context(), "DELETE FROM river_job"); err != nil {
			t.Fatal(err)
		}
		k.advance(2 * overdueAfter)
		if n, err := k.service.sweeper.Sweep(t.Context(), overdueAfter); err != nil || n != 1 {
			t.Fatalf("got %d overdue events, %v", n, err)
		}
		failing.Store(false)
		if got := k.work("evt_1"); got != quotekit.EventSucceeded {
			t.Fatalf("got %s", got)
		}
		letter := k.letter("evt_1")
		if !letter.Resolved || letter.NextRetryAt != nil || letter.FailureCount != 2 || letter.RequiresManualReview {
			t.Errorf("got %+v, want it resolved", letter)
		}
		k.advance(1000 * time.Hour)
		k.sweep(0)
	})
}

func TestDeadLetter_OfAPermanentReasonWaitsForAPerson(t *testing.T) {
	var failing atomic.Bool
	failing.Store(true)
	onBoth(t, broken(&failing, quotekit.Permanent(errors.New("no use"))), nil, func(k *kit) {
		if got := k.deliver(fmt.Sprintf(plainEvent, "evt_1", 1_775_000_000)); got != quotekit.EventDead {
			t.Fatalf("got %s", got)
		}
		if letter := k.letter("evt_1"); !letter.RequiresManualReview || letter.NextRetryAt != nil {
			t.Errorf("got %+v, want a review at once", letter)
		}
		k.advance(1000 * time.Hour)
		k.sweep(0)
	})
}

func TestDeadLetter_OnceResolvedIsNotTakenUp(t *testing.T) {
	var failing atomic.Bool
	failing.Store(true)
	onBoth(t, broken(&failing, errors.New("not now")), nil, func(k *kit) {
		k.deliver(fmt.Sprintf(plainEvent, "evt_1", 1_775_000_000))
		k.work("evt_1")
		if _, err := k.service.Resolve(t.Context(), "evt_1", k.act("a test event")); err != nil {
			t.Fatal(err)
		}
		k.advance(1000 * time.Hour)
		k.sweep(0)
		if letter := k.letter("evt_1"); letter.Status != quotekit.EventDead || !letter.Resolved {
			t.Errorf("got %+v", letter)
		}
	})
}

// TestDeadLetter_ADeliveryKeepsTheSchedule: Stripe's own retries do not make ours
// begin anew.
func TestDeadLetter_ADeliveryKeepsTheSchedule(t *testing.T) {
	var failing atomic.Bool
	failing.Store(true)
	onBoth(t, broken(&failing, errors.New("not now")), nil, func(k *kit) {
		payload := fmt.Sprintf(plainEvent, "evt_1", 1_775_000_000)
		k.deliver(payload)
		k.work("evt_1")
		k.advance(10 * time.Minute)
		k.sweep(1)
		k.work("evt_1")
		if got := k.deliver(payload); got != quotekit.EventPending {
			t.Fatalf("got %s", got)
		}
		k.work("evt_1")
		k.scheduled("evt_1", 1, slowRetries[1])

		// A letter whose time comes while a delivery is being attempted is only
		// struck off.
		k.deliver(payload)
		k.advance(time.Hour)
		k.sweep(1)
		if letter := k.letter("evt_1"); letter.NextRetryAt != nil || letter.AutomaticRetries != 1 || len(k.audits("evt_1", store.AuditAutoRetry)) != 1 {
			t.Errorf("got %+v, want no automatic retry of a pending event", letter)
		}
	})
}
