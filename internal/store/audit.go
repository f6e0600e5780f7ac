package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// The actions of the audit trail that are package webhook's and task's.
const (
	AuditDelivered        = "event.delivered"
	AuditUserConflict     = "user_link.conflict"
	AuditReplay           = "event.replay"
	AuditReveal           = "event.reveal"
	AuditRetry            = "dead_letter.retry"
	AuditResolve          = "dead_letter.resolve"
	AuditAutoRetry        = "dead_letter.auto_retry"
	AuditSent             = "dead_letter.sent" // by the SQL function send_to_dead_letter_queue
	AuditRefetched        = "event.refetched"
	AuditImported         = "event.imported"
	AuditTaskStart        = "task.start"
	AuditGroupAcknowledge = "error_group.acknowledge"
	AuditGroupIgnore      = "error_group.ignore"
	AuditGroupReopen      = "error_group.reopen"
	AuditTaskCancel       = "task.cancel"
	AuditTaskPause        = "task.pause"
	AuditTaskResume       = "task.resume"
	AuditTaskRate         = "task.rate"
)

// automatic are the actions that nobody decides about.
var automatic = []string{AuditDelivered, AuditUserConflict, AuditAutoRetry, AuditSent, AuditRefetched, AuditImported}

// ownActor is who acts when the service does so by itself.
const ownActor = "quotekit"

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

// chained reports whether its line is in the chain: what people did, and that the chain
// was cut off. A token may have the service's own name; what the service does by itself
// has no request.
func (e AuditEntry) chained() bool {
	byOperator := (e.Actor != ownActor || e.RequestID != "") && !slices.Contains(automatic, e.Action)
	return byOperator || e.Action == AuditCut
}

// auditLine is an entry as it is stored.
type auditLine struct {
	id                                                string
	at                                                time.Time
	actor, action, eventID, target, reason, requestID string
	before, after                                     string // JSON text, or empty
}

// values are in the order of insertAudit.
func (l auditLine) values() []any {
	return []any{
		l.id, l.at, l.actor, l.action, null(l.eventID), null(l.target), null(l.reason), null(l.before), null(l.after),
		null(l.requestID),
	}
}

const insertAudit = `INSERT INTO webhook_audit_trail (id, at, actor, action, stripe_event_id, target, reason,
  before, after, request_id)`

// Audit appends to the audit trail. It commits or vanishes with what it tells. What
// operators do is written at the end of the transaction, since the end of the hash
// chain is locked then.
func (tx *Tx) Audit(ctx context.Context, entries []AuditEntry) error {
	var rows [][]any
	for _, e := range entries {
		line, err := tx.auditLine(e)
		if err != nil {
			return err
		}
		if e.chained() {
			tx.acts = append(tx.acts, line)
		} else {
			rows = append(rows, line.values())
		}
	}
	return wrap(tx.multiRow(ctx, insertAudit, "", 10, rows, nil), "write audit trail")
}

func (tx *Tx) auditLine(e AuditEntry) (line auditLine, err error) {
	line = auditLine{
		id: auditID(tx.Now, tx.audited.Add(1)), at: tx.Now, actor: e.Actor, action: e.Action, eventID: e.StripeEventID,
		target: e.Target, reason: e.Reason, requestID: e.RequestID,
	}
	if line.before, err = auditJSON(e.Before); err == nil {
		line.after, err = auditJSON(e.After)
	}
	return line, err
}

func auditJSON(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode audit entry: %w", err)
	}
	return string(b), nil
}

// auditID is a UUIDv7 whose order is exactly that of time, and within an instant that
// of the entries of this process, which n counts: the trail is listed by it, and a
// range of time is a range of ids, without another index on the busiest table but one.
func auditID(at time.Time, n uint32) string {
	id := firstAuditID(at)
	binary.BigEndian.PutUint32(id[8:], 0x80000000|n&0x3fffffff)
	_, _ = rand.Read(id[12:]) // it never fails
	return id.String()
}

// firstAuditID is the least id of an instant.
func firstAuditID(at time.Time) (id uuid.UUID) {
	micros := max(at.UnixMicro(), 0)
	binary.BigEndian.PutUint64(id[:], uint64(micros/1000)<<16|0x7000|uint64(micros%1000))
	id[8] = 0x80
	return id
}
