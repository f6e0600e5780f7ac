package retention_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/retention"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

const day = 24 * time.Hour

// scene is a store with old events, and what deletes them.
type scene struct {
	*testing.T
	store   *store.Store
	config  retention.Config
	pressed func() bool
	skew    time.Duration
	log     bytes.Buffer
}

// onBoth makes a scene with events of 50 days ago and of today on each engine.
func onBoth(t *testing.T, old int, f func(s *scene)) {
	storetest.Run(t, func(t *testing.T, opened *store.Store) {
		s := &scene{T: t, store: opened, pressed: func() bool { return false }}
		s.config = retention.Config{
			Events: 45 * day, Payloads: 35 * day, Acts: 365 * day,
			Pressed: func() bool { return s.pressed() }, StripeSkew: func() time.Duration { return s.skew },
			Now: time.Now, Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
		}
		s.mustTx(func(tx *store.Tx) error {
			var events []store.ReceivedEvent
			for n := range old + 1 {
				events = append(events, store.ReceivedEvent{
					Event:      quotekit.Event{ID: fmt.Sprintf("evt_%04d", n), Type: "a.b", Payload: []byte("{}")},
					Deliveries: 1, Status: quotekit.EventSucceeded,
				})
			}
			if _, err := tx.ReceiveEvents(t.Context(), events); err != nil {
				return err
			}
			_, err := tx.ExecContext(t.Context(), `UPDATE stripe_webhook_events SET received_at = $1 WHERE stripe_event_id <> 'evt_0000'`, time.Now().UTC().Add(-50*day))
			return err
		})
		f(s)
	})
}

func (s *scene) mustTx(f func(*store.Tx) error) {
	s.Helper()
	if err := s.store.WithTx(s.Context(), f); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) service() *retention.Service {
	return retention.New(s.store, river.NewWorkers(), s.config)
}

// events is how many there are.
func (s *scene) events() (n int) {
	s.Helper()
	if err := s.store.Reader().QueryRow(`SELECT COUNT(*) FROM stripe_webhook_events`).Scan(&n); err != nil {
		s.Fatal(err)
	}
	return n
}

// TestTurn_DeletesWhatIsOld, in as many pieces as it takes, and says how much.
func TestTurn_DeletesWhatIsOld(t *testing.T) {
	onBoth(t, 1100, func(s *scene) {
		left, err := s.service().Turn(t.Context())
		if left || err != nil || s.events() != 1 {
			t.Errorf("got %v, %v, and %d events, want the one of today", left, err, s.events())
		}
		if text := s.log.String(); !strings.Contains(text, `msg="what is old was deleted" events=1100 payloads=1100`) {
			t.Errorf("the log says %s", text)
		}
		s.log.Reset()
		if left, err := s.service().Turn(t.Context()); left || err != nil || s.log.Len() > 0 {
			t.Errorf("with nothing old: got %v, %v, %s", left, err, s.log.String())
		}
	})
}

// TestTurn_KeepsForEver what has no time.
func TestTurn_KeepsForEver(t *testing.T) {
	onBoth(t, 10, func(s *scene) {
		s.config.Events = 0
		if left, err := s.service().Turn(t.Context()); left || err != nil || s.events() != 11 {
			t.Errorf("got %v, %v, and %d events, want all", left, err, s.events())
		}
		if text := s.log.String(); !strings.Contains(text, "payloads=10") {
			t.Errorf("the log says %s", text)
		}
	})
}

// TestTurn_LetsDeliveriesGoFirst: while they wait, nothing is deleted.
func TestTurn_LetsDeliveriesGoFirst(t *testing.T) {
	onBoth(t, 10, func(s *scene) {
		var looks atomic.Int32
		enough, calm := make(chan struct{}), make(chan struct{})
		s.pressed = func() bool {
			if looks.Add(1) == 3 {
				close(enough)
			}
			select {
			case <-calm:
				return false
			default:
				return true
			}
		}
		done := make(chan error, 1)
		go func() {
			_, err := s.service().Turn(context.WithoutCancel(t.Context()))
			done <- err
		}()
		<-enough
		if n := s.events(); n != 11 {
			t.Errorf("%d events are left while deliveries wait, want all", n)
		}
		close(calm)
		if err := <-done; err != nil || s.events() != 1 {
			t.Errorf("got %v, and %d events, want one", err, s.events())
		}
	})
}

// TestTurn_DoesNotWaitForEver for deliveries that always wait.
func TestTurn_DoesNotWaitForEver(t *testing.T) {
	onBoth(t, 10, func(s *scene) {
		s.pressed = func() bool { return true }
		s.config.Payloads, s.config.Acts = 0, 0
		if _, err := s.service().Turn(t.Context()); err != nil || s.events() != 1 {
			t.Errorf("got %v, and %d events, want one", err, s.events())
		}
	})
}

// TestTurn_StopsAndComesAgain: after the piece under way, with something left.
func TestTurn_StopsAndComesAgain(t *testing.T) {
	onBoth(t, 10, func(s *scene) {
		service := s.service()
		service.Stop()
		if left, err := service.Turn(t.Context()); !left || err != nil || s.events() != 11 {
			t.Errorf("got %v, %v, and %d events, want all", left, err, s.events())
		}
		if left, err := s.service().Turn(t.Context()); left || err != nil || s.events() != 1 {
			t.Errorf("got %v, %v, and %d events from the next process, which has to wait for nobody", left, err, s.events())
		}
		service.Stop() // twice is as good
	})
}

// TestTurn_TrustsNoClockThatIsAlone: if ours is an hour from Stripe's or the database's,
// nothing is old for certain.
func TestTurn_TrustsNoClockThatIsAlone(t *testing.T) {
	onBoth(t, 10, func(s *scene) {
		check := func(service *retention.Service) {
			t.Helper()
			if left, err := service.Turn(t.Context()); left || err != nil || s.events() != 11 {
				t.Errorf("got %v, %v, and %d events, want all", left, err, s.events())
			}
			if text := s.log.String(); !strings.Contains(text, "nothing old is deleted") {
				t.Errorf("the log says %s", text)
			}
			s.log.Reset()
		}
		s.skew = -2 * time.Hour
		check(s.service())
		s.skew = 0
		if s.store.Postgres() { // its clock is another
			ahead, err := store.Open(t.Context(), store.Config{
				URL: s.store.Pool().Config().ConnString(), Now: func() time.Time { return time.Now().Add(60 * day) },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ahead.Close() }()
			check(retention.New(ahead, river.NewWorkers(), s.config))
		}
		s.skew = 59 * time.Minute
		if _, err := s.service().Turn(t.Context()); err != nil || s.events() != 1 {
			t.Errorf("got %v, and %d events", err, s.events())
		}
	})
}

// TestTurn_GoesOnWhereOneKindFails: a broken chain is no reason to keep all events.
func TestTurn_GoesOnWhereOneKindFails(t *testing.T) {
	onBoth(t, 10, func(s *scene) {
		s.mustTx(func(tx *store.Tx) error {
			tx.Now = time.Now().UTC().Add(-400 * day).Truncate(time.Second)
			return tx.Audit(t.Context(), []store.AuditEntry{{Actor: "ada", Action: store.AuditReplay, RequestID: "r"}})
		})
		s.mustTx(func(tx *store.Tx) error {
			_, err := tx.ExecContext(t.Context(), `UPDATE webhook_audit_chain SET cut_hash = 'forged'`)
			return err
		})
		left, err := s.service().Turn(t.Context())
		if left || err == nil || !strings.Contains(err.Error(), "the chain of the audit trail is broken") || s.events() != 1 {
			t.Errorf("got %v, %v, and %d events", left, err, s.events())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.service().Turn(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v after the end", err)
		}
	})
}
