package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/quotekit/quotekit"
)

// The actions of the audit trail.
const (
	AuditDelivered    = "event.delivered"
	AuditUserConflict = "user_link.conflict"
	AuditReplay       = "event.replay"
	AuditRetry        = "dead_letter.retry"
	AuditResolve      = "dead_letter.resolve"
)

// AuditEntry is a line of the audit trail: who did what to what, and why.
type AuditEntry struct {
	// Actor is "stripe", or the name of an operator's token or user.
	Actor         string
	Action        string
	StripeEventID string
	// Target is what was acted upon, if it is not the event itself.
	Target string
	Reason string
	// Before and After are encoded as JSON; nil is NULL.
	Before, After any
	RequestID     string
}

// Audit appends to the audit trail. It commits or vanishes with what it tells.
func (tx *Tx) Audit(ctx context.Context, entries []AuditEntry) error {
	rows := make([][]any, len(entries))
	for i, e := range entries {
		before, err := auditJSON(e.Before)
		if err != nil {
			return err
		}
		after, err := auditJSON(e.After)
		if err != nil {
			return err
		}
		rows[i] = []any{
			quotekit.NewID(), tx.Now, e.Actor, e.Action, null(e.StripeEventID), null(e.Target), null(e.Reason),
			before, after, null(e.RequestID),
		}
	}
	const prefix = `INSERT INTO webhook_audit_trail (id, at, actor, action, stripe_event_id, target, reason,
  before, after, request_id)`
	if err := tx.multiRow(ctx, prefix, "", 10, rows, nil); err != nil {
		return fmt.Errorf("write audit trail: %w", err)
	}
	return nil
}

func auditJSON(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode audit entry: %w", err)
	}
	return string(b), nil
}
