package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestCounts_AreThoseOfTheEvents lets several goroutines do everything that
// decides events, and roll some of it back, while two others fold.
func TestCounts_AreThoseOfTheEvents(t *testing.T) {
	var clock atomic.Int64 // microseconds
	now := func() time.Time { return time.UnixMicro(clock.Load()) }
	onBothAt(t, now, func(t *testing.T, s *store.Store) {
		clock.Store(time.Date(2026, 2, 28, 23, 58, 0, 0, time.UTC).UnixMicro())
		var folding, deciding sync.WaitGroup
		ctx, stop := context.WithCancel(t.Context())
		for range 2 {
			folding.Go(func() {
				for ctx.Err() == nil {
					if _, err := s.FoldCounts(ctx, 3); err != nil && ctx.Err() == nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for seed := range uint64(4) {
			deciding.Go(func() {
				d := &decider{t: t, store: s, random: rand.New(rand.NewPCG(seed, 7)), task: quotekit.NewID()}
				for range 60 {
					clock.Add(int64(d.random.IntN(20)) * time.Second.Microseconds())
					d.decide()
				}
			})
		}
		deciding.Wait()
		mustReceive(t, s, "d.all", quotekit.EventPending, "evt_pending")
		mustReceive(t, s, "d.all", quotekit.EventSucceeded, "evt_succeeded")
		mustReceive(t, s, "d.all", quotekit.EventIgnored, "evt_ignored")
		mustReceive(t, s, "d.all", quotekit.EventDead, "evt_dead")
		stop() // in the middle of a fold, or not
		folding.Wait()
		mustFold(t, s)
		if got, want := counted(t, s), countedAnew(t, s); !slices.Equal(got, want) {
			t.Errorf("the counts differ from the events:\n%s", diff(want, got))
		}
	})
}

// onBothAt runs f on each engine with a clock of its own.
func onBothAt(t *testing.T, now func() time.Time, f func(t *testing.T, s *store.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		f(t, mustOpen(t, store.Config{URL: storetest.SQLiteURL(t, storetest.Tables), Now: now}))
	})
	t.Run("postgres", func(t *testing.T) {
		f(t, mustOpen(t, store.Config{URL: storetest.PostgresURL(t, storetest.Tables), Now: now}))
	})
}

// mustFold folds until nothing is left. What an interrupted fold has locked is
// left out until the database has noticed.
func mustFold(t *testing.T, s *store.Store) {
	t.Helper()
	for began := time.Now(); ; {
		if _, err := s.FoldCounts(t.Context(), 50); err != nil {
			t.Fatal(err)
		}
		left := lines(t, s, `SELECT counts FROM webhook_count_deltas`)
		if len(left) == 0 {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("not folded in a minute: %q", left)
		}
	}
}

// mustReceive receives events of a type that end in a state.
func mustReceive(t *testing.T, s *store.Store, eventType string, status quotekit.EventStatus, ids ...string) {
	t.Helper()
	mustTx(t, s, func(tx *store.Tx) error {
		var group []store.ReceivedEvent
		for _, id := range ids {
			group = append(group, store.ReceivedEvent{
				Event: quotekit.Event{ID: id, Type: eventType, Payload: []byte("{}")}, Deliveries: 1, Status: status,
			})
		}
		_, err := tx.ReceiveEvents(t.Context(), group)
		return err
	})
}

// decider does at random what decides events.
type decider struct {
	t      *testing.T
	store  *store.Store
	random *rand.Rand
	task   string
	pieces int
}

var errRolledBack = errors.New("rolled back")

func (d *decider) decide() {
	acts := []func(context.Context, *store.Tx) error{d.receive, d.receive, d.finish, d.rearm, d.retryPiece, d.retryDue}
	act := acts[d.random.IntN(len(acts))]
	err := d.store.WithTx(d.t.Context(), func(tx *store.Tx) error {
		if err := act(d.t.Context(), tx); err != nil {
			return err
		}
		if d.random.IntN(5) == 0 {
			if d.random.IntN(2) == 0 {
				if err := tx.Flush(d.t.Context()); err != nil {
					return err
				}
			}
			return errRolledBack
		}
		return nil
	})
	lost := store.Classify(err) == store.Retryable || quotekit.CodeOf(err) == quotekit.EConflict
	if err != nil && !errors.Is(err, errRolledBack) && !lost {
		d.t.Error(err)
	}
}

// event is one of a few events, so that they meet again.
func (d *decider) event() quotekit.Event {
	n := d.random.IntN(80)
	return quotekit.Event{ID: fmt.Sprintf("evt_%02d", n), Type: []string{"a.created", "b.updated", "c\"\u00fc.deleted"}[n%3], Payload: []byte("{}")}
}

func (d *decider) receive(ctx context.Context, tx *store.Tx) error {
	statuses := []quotekit.EventStatus{quotekit.EventPending, quotekit.EventDead, quotekit.EventDead, quotekit.EventSucceeded, quotekit.EventIgnored}
	var (
		group  []store.ReceivedEvent
		buried []store.DeadLetter
	)
	for range 1 + d.random.IntN(8) {
		e := store.ReceivedEvent{Event: d.event(), Deliveries: 1 + d.random.IntN(2), Status: statuses[d.random.IntN(len(statuses))]}
		if !slices.ContainsFunc(group, func(o store.ReceivedEvent) bool { return o.ID == e.ID }) {
			group = append(group, e)
		}
	}
	states, err := tx.ReceiveEvents(ctx, group)
	if err != nil {
		return err
	}
	for _, e := range group {
		if e.Status == quotekit.EventDead && states[e.ID].Taken {
			buried = append(buried, d.letter(e.ID, e.Type))
		}
	}
	return tx.Bury(ctx, buried)
}

func (d *decider) letter(id, eventType string) store.DeadLetter {
	return store.DeadLetter{EventID: id, EventType: eventType, Data: "{}", Reason: quotekit.ReasonDatabase, RetryAfter: []time.Duration{time.Second, time.Second}}
}

func (d *decider) finish(ctx context.Context, tx *store.Tx) error {
	statuses := []quotekit.EventStatus{quotekit.EventPending, quotekit.EventDead, quotekit.EventSucceeded}
	var list []store.FinishedAttempt
	for range 6 {
		e, err := d.store.PendingEvent(ctx, d.event().ID)
		if err != nil { // not received yet
			continue
		}
		if !slices.ContainsFunc(list, func(o store.FinishedAttempt) bool { return o.Event.ID == e.ID }) {
			list = append(list, store.FinishedAttempt{Event: e, Attempt: store.Attempt{Status: statuses[d.random.IntN(3)]}})
		}
	}
	ours, err := tx.FinishAttempts(ctx, list)
	if err != nil {
		return err
	}
	var buried []store.DeadLetter
	for i, a := range list {
		if ours[i] && a.Status == quotekit.EventDead {
			buried = append(buried, d.letter(a.Event.ID, a.Event.Type))
		}
	}
	return tx.Bury(ctx, buried)
}

func (d *decider) rearm(ctx context.Context, tx *store.Tx) error {
	_, _, err := tx.RearmEvent(ctx, d.event().ID, quotekit.ReplayStored, quotekit.EventPending, quotekit.EventDead, quotekit.EventIgnored)
	return err
}

func (d *decider) retryPiece(ctx context.Context, tx *store.Tx) error {
	from := d.pieces
	seen := map[string]bool{}
	for range 5 {
		id := d.event().ID
		if seen[id] {
			continue
		}
		seen[id] = true
		_, err := tx.ExecContext(ctx, `INSERT INTO webhook_task_items (task_id, position, dead_letter_id, stripe_event_id) VALUES ($1, $2, $3, $4)`,
			d.task, d.pieces, quotekit.DeadLetterID(id), id)
		if err != nil {
			return err
		}
		d.pieces++
	}
	_, err := tx.RetryPiece(ctx, store.Piece{TaskID: d.task, From: from, To: d.pieces}, quotekit.ReplayStored)
	return err
}

func (d *decider) retryDue(ctx context.Context, tx *store.Tx) error {
	_, _, err := tx.RetryDueLetters(ctx, 5)
	return err
}

// counted lists the counts that are not zero, a line each.
func counted(t *testing.T, s *store.Store) []string {
	t.Helper()
	rows, err := s.Reader().QueryContext(t.Context(), `SELECT granularity, event_type, bucket, status, events FROM webhook_event_counts WHERE events <> 0`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var (
			granularity, eventType, status string
			bucket                         time.Time
			events                         int
		)
		if err := rows.Scan(&granularity, &eventType, &bucket, &status, &events); err != nil {
			t.Fatal(err)
		}
		all = append(all, countLine(granularity, eventType, bucket, status, events))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func countLine(granularity, eventType string, bucket time.Time, status string, events int) string {
	return fmt.Sprintf("%s %q %s %s %d", granularity, eventType, bucket.UTC().Format(time.RFC3339Nano), status, events)
}

// countedAnew makes the same lines from the events.
func countedAnew(t *testing.T, s *store.Store) []string {
	t.Helper()
	rows, err := s.Reader().QueryContext(t.Context(), `SELECT event_type, status, received_at FROM stripe_webhook_events`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	type key struct {
		granularity, eventType string
		bucket                 time.Time
		status                 string
	}
	counts := map[key]int{}
	for rows.Next() {
		var (
			eventType, status string
			at                time.Time
		)
		if err := rows.Scan(&eventType, &status, &at); err != nil {
			t.Fatal(err)
		}
		at = at.UTC()
		y, m, d := at.Date()
		for _, name := range []string{eventType, ""} {
			counts[key{"minute", name, at.Truncate(time.Minute), status}]++
			counts[key{"hour", name, at.Truncate(time.Hour), status}]++
			counts[key{"day", name, time.Date(y, m, d, 0, 0, 0, 0, time.UTC), status}]++
			counts[key{"ever", name, time.Unix(0, 0).UTC(), status}]++
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	var all []string
	for k, n := range counts {
		all = append(all, countLine(k.granularity, k.eventType, k.bucket, k.status, n))
	}
	slices.Sort(all)
	return all
}
