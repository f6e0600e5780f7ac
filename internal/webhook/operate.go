package webhook

import (
	"context"
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
)

// Operator does by hand what people decide about events. Every act is in the
// audit trail, in the transaction that does it.
type Operator struct {
	store   *store.Store
	jobs    *jobs.Client
	routes  Routes
	fetches bool // the current object can be had
}

// Replay makes an event pending again, at once, and returns its status after
// that. A completed event stays as it is: its effects are in the tables and
// happen once. It fails with [quotekit.ENotFound], and with [quotekit.EConflict]
// when the mode cannot be had, or the payload was deleted that it needs.
func (o *Operator) Replay(ctx context.Context, eventID string, mode quotekit.ReplayMode, act quotekit.Act) (quotekit.EventStatus, error) {
	if err := o.CheckMode(mode); err != nil {
		return "", err
	}
	e, err := o.store.PendingEvent(ctx, eventID)
	if err != nil {
		return "", err
	}
	status := e.Status
	err = o.store.WithTx(ctx, func(tx *store.Tx) error {
		round, ok, err := tx.RearmEvent(ctx, eventID, mode, quotekit.EventPending, quotekit.EventDead, quotekit.EventIgnored)
		if err != nil {
			return err
		}
		if ok {
			status = quotekit.EventPending
			if err := o.checkPayload(ctx, tx, eventID, e.Type, mode); err != nil {
				return err
			}
			if err := tx.TakeUpDeadLetter(ctx, eventID, act.Reason); err != nil {
				return err
			}
			if err := insertAttempts(ctx, o.jobs, tx, []attemptJob{{eventID: eventID, round: round, priority: priority(o.routes[e.Type])}}); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, []store.AuditEntry{auditAct(act, store.AuditReplay, eventID, "", state{Status: e.Status}, state{status, mode})})
	})
	if err != nil {
		return "", fmt.Errorf("replay event %s: %w", eventID, err)
	}
	return status, nil
}

// Retry takes a dead letter up again, in a new round of attempts. It fails with
// [quotekit.ENotFound], and with [quotekit.EConflict] when the event is not dead,
// the mode cannot be had, or the payload was deleted that it needs.
func (o *Operator) Retry(ctx context.Context, deadLetterID string, mode quotekit.ReplayMode, act quotekit.Act) (eventID string, err error) {
	if err := o.CheckMode(mode); err != nil {
		return "", err
	}
	letter, err := o.store.DeadLetter(ctx, deadLetterID)
	if err != nil {
		return "", err
	}
	eventID = letter.StripeEventID
	err = o.store.WithTx(ctx, func(tx *store.Tx) error {
		round, ok, err := tx.RearmEvent(ctx, eventID, mode, quotekit.EventDead)
		if err != nil {
			return err
		}
		switch {
		case ok:
		case letter.Status == "":
			return quotekit.Errorf(quotekit.EConflict, "event %s is not here, or not any more, so there is no payload to retry", eventID)
		default:
			return quotekit.Errorf(quotekit.EConflict, "event %s is %s, so there is nothing to retry", eventID, letter.Status)
		}
		if err := o.checkPayload(ctx, tx, eventID, letter.EventType, mode); err != nil {
			return err
		}
		if err := tx.TakeUpDeadLetter(ctx, eventID, act.Reason); err != nil {
			return err
		}
		if err := insertAttempts(ctx, o.jobs, tx, []attemptJob{{eventID: eventID, round: round, priority: priority(o.routes[letter.EventType])}}); err != nil {
			return err
		}
		return tx.Audit(ctx, []store.AuditEntry{
			auditAct(act, store.AuditRetry, eventID, deadLetterID, state{Status: quotekit.EventDead}, state{quotekit.EventPending, mode}),
		})
	})
	return eventID, err
}

// CheckMode fails with [quotekit.EConflict] when events cannot be replayed in a
// mode here.
func (o *Operator) CheckMode(mode quotekit.ReplayMode) error {
	if mode == quotekit.ReplayCurrent && !o.fetches {
		return quotekit.Errorf(quotekit.EConflict, noKey+", so the current object cannot be fetched; the stored payload can be applied")
	}
	return nil
}

// checkPayload fails with [quotekit.EConflict] if an attempt would have to apply a
// payload that was deleted. The transaction has locked the event.
func (o *Operator) checkPayload(ctx context.Context, tx *store.Tx, eventID, eventType string, mode quotekit.ReplayMode) error {
	route := o.routes[eventType]
	if route == nil || mode == quotekit.ReplayCurrent || mode == "" && route.Refetch && o.fetches {
		return nil
	}
	deleted, at, err := tx.PayloadDeleted(ctx, eventID)
	if err != nil || !deleted {
		return err
	}
	return quotekit.Errorf(quotekit.EConflict, "the payload of event %s was deleted on %s, so it cannot be applied; "+
		"the object as it is at Stripe now can be, with the mode current", eventID, at.UTC().Format(time.DateOnly))
}

// Resolve closes a dead letter without applying its event. It fails with
// [quotekit.ENotFound], and with [quotekit.EConflict] when it is closed.
func (o *Operator) Resolve(ctx context.Context, deadLetterID string, act quotekit.Act) (eventID string, err error) {
	letter, err := o.store.DeadLetter(ctx, deadLetterID)
	if err != nil {
		return "", err
	}
	eventID = letter.StripeEventID
	err = o.store.WithTx(ctx, func(tx *store.Tx) error {
		open, err := tx.ResolveDeadLetter(ctx, letter.ID, act.Reason, act.UserID)
		if err != nil {
			return err
		}
		if !open {
			return quotekit.Errorf(quotekit.EConflict, "dead letter %s is resolved already", deadLetterID)
		}
		return tx.Audit(ctx, []store.AuditEntry{auditAct(act, store.AuditResolve, eventID, deadLetterID, state{Status: "unresolved"}, state{Status: "resolved"})})
	})
	return eventID, err
}

// state is what an act changes, as the audit trail shows it.
type state struct {
	Status quotekit.EventStatus `json:"status"`
	Mode   quotekit.ReplayMode  `json:"mode,omitempty"`
}

func auditAct(a quotekit.Act, action, eventID, target string, before, after state) store.AuditEntry {
	return store.AuditEntry{
		Actor: a.Actor, Action: action, StripeEventID: eventID, Target: target, Reason: a.Reason,
		Before: before, After: after, RequestID: a.RequestID,
	}
}
