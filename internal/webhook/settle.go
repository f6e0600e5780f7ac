package webhook

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/fold"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
)

const (
	// settleTimeout bounds the transaction of one group.
	settleTimeout = 15 * time.Second
)

// Settler decides events: it is the one place where their effects are written.
type Settler struct {
	store     *store.Store
	jobs      *jobs.Client
	telemetry *Telemetry
	now       func() time.Time
	logger    *slog.Logger
	observe   observer
}

// settling is an event of a group with all its deliveries in the group.
type settling struct {
	*delivery
	all []*delivery
}

// settle decides a group and answers all its deliveries.
func (s *Settler) settle(ctx context.Context, batch []*delivery) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	s.telemetry.metrics.Grouped(len(batch))
	spans := make([]trace.Span, len(batch))
	for i, d := range batch {
		spans[i] = d.span
	}
	ctx, span := traceGroup(ctx, "settle group", spans)
	defer span.End()
	byID := make(map[string]*settling, len(batch))
	group := make([]*settling, 0, len(batch))
	for _, d := range batch {
		if e := byID[d.event.ID]; e != nil {
			e.all = append(e.all, d)
			continue
		}
		e := &settling{d, []*delivery{d}}
		byID[d.event.ID] = e
		group = append(group, e)
	}
	s.settleGroup(ctx, group)
}

// settleGroup commits a group, or, if the database refuses its rows, its
// halves, until a bad event stands alone. A single event that is refused is
// kept as pending.
func (s *Settler) settleGroup(ctx context.Context, group []*settling) {
	started := s.now()
	states, err := s.commitRetrying(ctx, group)
	switch {
	case err == nil:
		s.observe.at(StepCommitted)
		s.answer(ctx, group, states, started)
	case notNow(err):
		s.refuse(group, err)
	case len(group) > 1:
		s.settleGroup(ctx, group[:len(group)/2])
		s.settleGroup(ctx, group[len(group)/2:])
	default:
		e := group[0]
		if e.decision.failure.reason == quotekit.ReasonDatabase { // it cannot even be kept
			s.refuse(group, err)
			return
		}
		s.logger.Warn("database refused an event's rows", "event_id", e.event.ID, "event_type", e.event.Type,
			"error", store.Describe(err))
		e.decision = fail(quotekit.ReasonDatabase, store.Describe(err))
		e.decision.failure.redact(e.event)
		s.settleGroup(ctx, group)
	}
}

// refuse tells the senders that nothing was kept.
func (s *Settler) refuse(group []*settling, err error) {
	s.logger.Error("group not committed", "events", len(group), "error", store.Describe(err))
	for _, e := range group {
		for _, d := range e.all {
			d.done <- answer{err: err}
		}
	}
}

var errExpired = errors.New("the time of an event in the group is over")

// commitRetrying commits a group, again when it lost a conflict or its
// connection, and again when the time of some of its events ran out before the
// commit could start: these are then kept as pending.
func (s *Settler) commitRetrying(ctx context.Context, group []*settling) (map[string]store.ReceivedState, error) {
	var tries tries
	for {
		states, err := s.commit(ctx, group)
		switch {
		case errors.Is(err, errExpired):
			now := s.now()
			for _, e := range group {
				if e.expired(now) {
					e.decision = timedOut(e.route)
				}
			}
		case err != nil && tries.again(ctx, s.store, err):
		default:
			return states, err
		}
	}
}

// commit is the transaction of a group. The order of its steps is the order of
// locking: events, objects, rows.
func (s *Settler) commit(ctx context.Context, group []*settling) (states map[string]store.ReceivedState, err error) {
	err = s.store.WithTx(ctx, func(tx *store.Tx) error {
		received := make([]store.ReceivedEvent, len(group))
		for i, e := range group {
			received[i] = s.receivedEvent(e)
		}
		if states, err = tx.ReceiveEvents(ctx, received); err != nil {
			return err
		}
		s.observe.at(StepInserted)
		var effects []effect
		for i, e := range group {
			if states[e.event.ID].Taken {
				effects = append(effects, newEffect(&e.event, e.decision, received[i].CustomerID))
			}
		}
		forgotten, err := applyTx(ctx, tx, effects)
		if err != nil {
			return err
		}
		if _, err := tx.ForgetEvents(ctx, forgotten, quotekit.EventSucceeded, quotekit.EventPending, quotekit.EventDead); err != nil {
			return err
		}
		for _, id := range forgotten {
			state := states[id]
			state.Status = quotekit.EventIgnored
			states[id] = state
		}
		var (
			buried  []store.DeadLetter
			revived []string
			pending []attemptJob
		)
		for _, e := range group {
			state := states[e.event.ID]
			if !state.Taken || slices.Contains(forgotten, e.event.ID) {
				continue
			}
			switch e.decision.status {
			case quotekit.EventDead:
				buried = append(buried, deadLetter(e.event, e.decision.failure.reason, e.decision.failure))
			case quotekit.EventPending:
				pending = append(pending, attemptJob{e.event.ID, state.Round, priority(e.route), e.span.SpanContext()})
			}
			if state.Deliveries > len(e.all) && e.decision.status != quotekit.EventDead && e.decision.status != quotekit.EventPending {
				revived = append(revived, e.event.ID)
			}
		}
		s.observe.at(StepApplied)
		if err := tx.Bury(ctx, buried); err != nil {
			return err
		}
		if err := tx.ResolveSettled(ctx, revived, "Settled after a new delivery."); err != nil {
			return err
		}
		if err := insertAttempts(ctx, s.jobs, tx, pending); err != nil {
			return err
		}
		if err := tx.Audit(ctx, deliveryAudit(group, states)); err != nil {
			return err
		}
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		now := s.now()
		for _, e := range group {
			if states[e.event.ID].Taken && e.expired(now) {
				return errExpired
			}
		}
		s.observe.at(StepBeforeCommit)
		return nil
	})
	return states, err
}

// receivedEvent is what the group writes of an event.
func (s *Settler) receivedEvent(e *settling) store.ReceivedEvent {
	r := store.ReceivedEvent{
		Event:      e.event,
		Deliveries: len(e.all),
		CustomerID: unmirrored(e.delivery),
		Status:     e.decision.status,
		Kept:       e.decision.kept,
		Reason:     e.decision.failure.reason,
		Message:    e.decision.failure.message,
	}
	switch {
	case e.decision.kept:
		r.NextAttemptAt = s.now()
	case r.Status == quotekit.EventPending:
		r.NextAttemptAt = s.now().Add(retryDelay(1))
	}
	return r
}

// unmirrored returns the customer of an event that leaves no row of its object behind.
func unmirrored(d *delivery) string {
	mirrored := slices.ContainsFunc(d.decision.changes, func(c fold.Change) bool { return c.ID == d.event.ObjectID })
	if mirrored && d.decision.status == quotekit.EventSucceeded {
		return ""
	}
	return stripe.CustomerOf(d.event)
}

// deliveryAudit has an entry per delivery. The first delivery of an event that
// nobody had seen is the only one that is no duplicate.
func deliveryAudit(group []*settling, states map[string]store.ReceivedState) []store.AuditEntry {
	var entries []store.AuditEntry
	for _, e := range group {
		state := states[e.event.ID]
		for i, d := range e.all {
			entries = append(entries, store.AuditEntry{
				Actor: d.source.actor, Action: d.source.action, StripeEventID: e.event.ID, Target: e.event.ObjectID,
				After:     deliveryOutcome{state.Status, isDuplicate(e, state, i)},
				RequestID: d.requestID,
			})
		}
	}
	return entries
}

type deliveryOutcome struct {
	Status    quotekit.EventStatus `json:"status"`
	Duplicate bool                 `json:"duplicate"`
}

func isDuplicate(e *settling, state store.ReceivedState, i int) bool {
	return i > 0 || state.Deliveries > len(e.all)
}

func (s *Settler) answer(ctx context.Context, group []*settling, states map[string]store.ReceivedState, started time.Time) {
	committed := s.now()
	transaction := trace.SpanContextFromContext(ctx)
	for _, e := range group {
		state := states[e.event.ID]
		for i, d := range e.all {
			duplicate := isDuplicate(e, state, i)
			d.trace(transaction, state.Status, started, committed)
			d.done <- answer{status: state.Status, duplicate: duplicate}
			s.telemetry.metrics.Delivered(d.source.action == store.AuditImported, duplicate)
		}
		if state.Taken {
			if state.Status != e.decision.status { // somebody who was forgotten
				e.decision = decision{status: state.Status}
			}
			s.telemetry.settled(e, started, committed)
		}
	}
}

// retryDelay is how long to wait before retry n of a round, 1 to 3: about 1, 4
// and 16 s, with a jitter of a fifth.
func retryDelay(n int) time.Duration {
	return jittered(time.Second<<(2*(cmp.Or(n, 1)-1)), 0.2)
}
