package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// AuditFilter selects lines of the audit trail; what is empty does not restrict.
type AuditFilter struct {
	Actor, Action string
	// Target, and RequestID, find no deliveries.
	Target, RequestID string
	StripeEventID     string
	// OperatorsOnly leaves out deliveries and what happens by itself.
	OperatorsOnly bool
	// From is in the range of time, To is not.
	From, To *time.Time
}

// late is how much later than its line an id may have been made: once, they were
// not made of the time of the transaction.
const late = time.Minute

// notDelivered is the condition of the indexes over what is no delivery. Nearly all
// lines are deliveries, and these have one actor.
const (
	notDelivered = "action <> '" + AuditDelivered + "'"
	deliverer    = "stripe"
)

// AuditTrail lists lines of the audit trail, the newest first.
func (s *Store) AuditTrail(ctx context.Context, f AuditFilter, p Page) (lines []AuditRecord, cursor string, err error) {
	limit, err := p.limit()
	if err != nil {
		return nil, "", err
	}
	after, err := p.position()
	if err != nil {
		return nil, "", err
	}
	if after != nil && uuid.Validate(after.ID) != nil {
		return nil, "", errCursor
	}
	q := f.conditions()
	if after != nil {
		q.add("id < %s", after.ID)
	}
	query := selectAudit + q.where() + ` ORDER BY id DESC LIMIT ` + q.mark(limit+1)
	lines, err = queryAll(ctx, s.reader, query, q.args, scanAudit)
	if err != nil {
		return nil, "", fmt.Errorf("list audit trail: %w", err)
	}
	lines, cursor = next(lines, limit, func(a AuditRecord) position { return position{a.At, a.ID} })
	return lines, cursor, nil
}

func (f AuditFilter) conditions() (q filter) {
	q.equal("actor", f.Actor)
	q.equal("action", f.Action)
	q.equal("target", f.Target)
	q.equal("request_id", f.RequestID)
	q.equal("stripe_event_id", f.StripeEventID)
	byOther := (f.Actor != "" && f.Actor != deliverer) || (f.Action != "" && f.Action != AuditDelivered)
	if f.OperatorsOnly || byOther || f.Target != "" || f.RequestID != "" {
		q.add(notDelivered)
	}
	if f.OperatorsOnly {
		q.add("(actor <> %s OR request_id IS NOT NULL)", ownActor)
		for _, action := range automatic {
			if action != AuditDelivered {
				q.add("action <> %s", action)
			}
		}
	}
	if f.From != nil {
		q.add("at >= %s", f.From.UTC())
		q.add("id >= %s", firstAuditID(*f.From).String())
	}
	if f.To != nil {
		q.add("at < %s", f.To.UTC())
		q.add("id < %s", firstAuditID(f.To.Add(late)).String())
	}
	return q
}

const selectAudit = `
SELECT id, at, actor, action, stripe_event_id, target, reason, before, after, request_id, chain_sequence
FROM webhook_audit_trail`

func scanAudit(r row) (AuditRecord, error) {
	var a AuditRecord
	var before, after sql.NullString
	err := r.Scan(&a.ID, &a.At, &a.Actor, &a.Action, &a.StripeEventID, &a.Target, &a.Reason, &before, &after, &a.RequestID, &a.ChainSequence)
	a.Before, a.After = rawJSON(before), rawJSON(after)
	return a, err
}

// AuditLine reads a line of the audit trail, and nil if there is none with this id.
func (s *Store) AuditLine(ctx context.Context, id string) (*AuditRecord, error) {
	lines, err := queryAll(ctx, s.reader, selectAudit+` WHERE id = $1`, []any{id}, scanAudit)
	if err != nil || len(lines) == 0 {
		return nil, wrap(err, "read audit line "+id)
	}
	return &lines[0], nil
}

// EventAudit returns the audit trail of an event, oldest first.
func (s *Store) EventAudit(ctx context.Context, eventID string) ([]AuditRecord, error) {
	const query = selectAudit + `
WHERE stripe_event_id = $1
ORDER BY at, id
LIMIT 1000`
	records, err := queryAll(ctx, s.reader, query, []any{eventID}, scanAudit)
	return records, wrap(err, "read audit trail of event "+eventID)
}
