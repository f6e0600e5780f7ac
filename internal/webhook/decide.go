package webhook

import (
	"context"
	"fmt"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// groupActions are what a decision about an error group is called in the audit trail.
var groupActions = map[quotekit.GroupState]string{
	quotekit.GroupAcknowledged: store.AuditGroupAcknowledge,
	quotekit.GroupIgnored:      store.AuditGroupIgnore,
	quotekit.GroupOpen:         store.AuditGroupReopen,
}

// DecideGroup notes that an error group is acknowledged, ignored or open, who cares
// for it, and why. It fails with [quotekit.ENotFound], and with [quotekit.EConflict]
// if no letter of the group is left.
func (o *Operator) DecideGroup(ctx context.Context, id string, state quotekit.GroupState, owner string, act quotekit.Act) error {
	action := groupActions[state]
	if action == "" {
		return quotekit.Errorf(quotekit.EInvalid, "nobody decides that an error group is %s", state)
	}
	g, err := o.store.ErrorGroup(ctx, id)
	if err != nil {
		return err
	}
	type decision struct {
		State quotekit.GroupState `json:"state"`
		Owner string              `json:"owner,omitempty"`
	}
	err = o.store.WithTx(ctx, func(tx *store.Tx) error {
		open, err := tx.DecideGroup(ctx, g, state, owner, act.Reason, act.Actor)
		if err != nil {
			return err
		}
		if !open {
			return quotekit.Errorf(quotekit.EConflict, "error group %s has no dead letter left, so it is resolved", id)
		}
		return tx.Audit(ctx, []store.AuditEntry{{
			Actor: act.Actor, Action: action, Target: id, Reason: act.Reason,
			Before: decision{g.State, g.Owner}, After: decision{state, owner}, RequestID: act.RequestID,
		}})
	})
	if err != nil && quotekit.CodeOf(err) == quotekit.EInternal {
		err = fmt.Errorf("decide about error group %s: %w", id, err)
	}
	return err
}

// Reveal returns the payload of an event, byte for byte as it was received. Of an
// event that was never received here, and by the id of a dead letter, it is the
// event_data of the letter. That somebody looked, and why, is committed to the audit
// trail before that. It fails with [quotekit.ENotFound], also where the payload is
// gone, and with [quotekit.EInvalid] without a reason.
func (o *Operator) Reveal(ctx context.Context, id string, act quotekit.Act) ([]byte, error) {
	if act.Reason == "" {
		return nil, quotekit.Errorf(quotekit.EInvalid, "say why the payload of event %s is to be seen", id)
	}
	entry := store.AuditEntry{Actor: act.Actor, Action: store.AuditReveal, StripeEventID: id, Reason: act.Reason, RequestID: act.RequestID}
	payload, err := o.store.EventPayload(ctx, id)
	if quotekit.CodeOf(err) == quotekit.ENotFound {
		letter, lerr := o.store.DeadLetter(ctx, id)
		switch {
		case lerr == nil:
			err, payload = nil, letter.EventData
			entry.StripeEventID, entry.Target = letter.StripeEventID, letter.ID
		case quotekit.CodeOf(lerr) != quotekit.ENotFound:
			err = lerr
		}
	}
	if err != nil {
		return nil, err
	}
	if len(payload) == 0 || string(payload) == "{}" {
		return nil, quotekit.Errorf(quotekit.ENotFound, "the payload of event %s was deleted because of its age, or since the person was forgotten", id)
	}
	err = o.store.WithTx(ctx, func(tx *store.Tx) error { return tx.Audit(ctx, []store.AuditEntry{entry}) })
	if err != nil {
		return nil, fmt.Errorf("reveal event %s: %w", id, err)
	}
	return payload, nil
}
