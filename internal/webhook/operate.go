package webhook

import (
	"context"
	"fmt"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
)

// Operator does by hand what people decide about events. Every act is in the
// audit trail, in the transaction that does it.
type Operator struct {
	store  *store.Store
	jobs   *jobs.Client
	routes Routes
}

// Replay makes an event pending again, at once, and returns its status after
// that. A completed event stays as it is: its effects are in the tables and
// happen once. It fails with [quotekit.ENotFound].
func (o *Operator) Replay(ctx context.Context, eventID string, act quotekit.Act) (quotekit.EventStatus, error) {
	e, err := o.store.PendingEvent(ctx, eventID)
	if err != nil {
		return "", err
	}
	status := e.Status
	err = o.store.WithTx(ctx, func(tx *store.Tx) error {
		round, ok, err := tx.RearmEvent(ctx, eventID, quotekit.EventPending, quotekit.EventDead, quotekit.EventIgnored)
		if err != nil {
			return err
		}
		if ok {
			status = quotekit.EventPending
			if err := insertAttempts(ctx, o.jobs, tx, []attemptJob{{eventID, round, priority(o.routes[e.Type])}}); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, []store.AuditEntry{auditAct(act, store.AuditReplay, eventID, "", e.Status, status)})
	})
	if err != nil {
		return "", fmt.Errorf("replay event %s: %w", eventID, err)
	}
	return status, nil
}

// Retry takes a dead letter up again, in a new round of attempts. It fails with
// [quotekit.ENotFound], and with [quotekit.EConflict] when the event is not dead.
func (o *Operator) Retry(ctx context.Context, deadLetterID string, act quotekit.Act) (eventID string, err error) {
	letter, err := o.store.DeadLetter(ctx, deadLetterID)
	if err != nil {
		return "", err
	}
	eventID = letter.StripeEventID
	err = o.store.WithTx(ctx, func(tx *store.Tx) error {
		round, ok, err := tx.RearmEvent(ctx, eventID, quotekit.EventDead)
		if err != nil {
			return err
		}
		switch {
		case ok:
		case letter.Status == "":
			return quotekit.Errorf(quotekit.EConflict, "event %s was never received here, so there is no payload to retry", eventID)
		default:
			return quotekit.Errorf(quotekit.EConflict, "event %s is %s, so there is nothing to retry", eventID, letter.Status)
		}
		if err := tx.NoteDeadLetter(ctx, eventID, act.Reason); err != nil {
			return err
		}
		if err := insertAttempts(ctx, o.jobs, tx, []attemptJob{{eventID, round, priority(o.routes[letter.EventType])}}); err != nil {
			return err
		}
		return tx.Audit(ctx, []store.AuditEntry{
			auditAct(act, store.AuditRetry, eventID, deadLetterID, quotekit.EventDead, quotekit.EventPending),
		})
	})
	return eventID, err
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
		return tx.Audit(ctx, []store.AuditEntry{auditAct(act, store.AuditResolve, eventID, deadLetterID, "unresolved", "resolved")})
	})
	return eventID, err
}

func auditAct(a quotekit.Act, action, eventID, target string, before, after quotekit.EventStatus) store.AuditEntry {
	type state struct {
		Status quotekit.EventStatus `json:"status"`
	}
	return store.AuditEntry{
		Actor: a.Actor, Action: action, StripeEventID: eventID, Target: target, Reason: a.Reason,
		Before: state{before}, After: state{after}, RequestID: a.RequestID,
	}
}
