package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// AuditCut is the action of the line that says that the beginning of the chain of the
// audit trail was deleted.
const AuditCut = "audit_trail.cut"

// ChainCut says up to where the chain was deleted, and is what the line says that was
// appended to it then.
type ChainCut struct {
	// Sequence and Hash are those of the last line that is gone.
	Sequence int64  `json:"sequence"`
	Hash     string `json:"hash"`
}

// Logs deletes lines of the processing logs that were written before an instant. On
// Postgres those of others, which have no time, stay.
func (r *Retention) Logs(ctx context.Context, before time.Time, limit int) (deleted int64, done bool, err error) {
	was := r.progress[retainedLogs].position
	query, args := r.oldLogs(was, before, limit)
	rows, err := queryAll(ctx, r.store.reader, query, args, scanOldRow)
	if err != nil || len(rows) == 0 && was == (position{}) {
		return 0, true, wrap(err, "look for old processing logs")
	}
	done = len(rows) < limit
	deleted, err = r.piece(ctx, retainedLogs, func(tx *Tx) (int64, position, error) {
		n, err := tx.deletes(ctx, dropLogs+tx.dialect.among("id", "$1"), tx.dialect.idsArgument(idsOf(rows)))
		return n, again(done, last(rows, was)), err
	})
	return deleted, done, err
}

// dropLogs is to be followed by which.
const dropLogs = `
DELETE FROM webhook_processing_logs
WHERE `

// oldLogs looks at logs in order of time. On SQLite only this program writes them, and
// their ids stand for the time.
func (r *Retention) oldLogs(was position, before time.Time, limit int) (query string, args []any) {
	if was.ID == "" {
		was.ID = uuid.Nil.String()
	}
	if !r.store.Postgres() {
		return `
SELECT created_at, id, stripe_event_id
FROM webhook_processing_logs
WHERE id > $1 AND id < $2
ORDER BY id
LIMIT $3`, []any{was.ID, firstAuditID(before.Truncate(time.Millisecond)).String(), limit}
	}
	return `
SELECT created_at, id, stripe_event_id
FROM webhook_processing_logs
WHERE created_at >= $1 AND (created_at > $1 OR id > $2) AND created_at < $3
ORDER BY created_at, id
LIMIT $4`, []any{was.At, was.ID, before.UTC(), limit}
}

// Deliveries deletes lines of the audit trail that are not in its chain, which are
// deliveries and what happens by itself, and were written before an instant. The
// triggers of the table let no line of the last 90 days go.
func (r *Retention) Deliveries(ctx context.Context, before time.Time, limit int) (deleted int64, done bool, err error) {
	was := r.progress[retainedDeliveries].position
	if was.ID == "" {
		was.ID = uuid.Nil.String()
	}
	rows, err := queryAll(ctx, r.store.reader, selectOldDeliveries,
		[]any{was.ID, firstAuditID(before).String(), before.UTC(), limit}, scanOldRow)
	if err != nil || len(rows) == 0 {
		return 0, true, wrap(err, "look for old lines of the audit trail")
	}
	deleted, err = r.piece(ctx, retainedDeliveries, func(tx *Tx) (int64, position, error) {
		n, err := tx.deletes(ctx, dropDeliveries+tx.dialect.among("id", "$1"), tx.dialect.idsArgument(idsOf(rows)))
		return n, last(rows, was), err
	})
	return deleted, len(rows) < limit, err
}

const selectOldDeliveries = `
SELECT at, id, ''
FROM webhook_audit_trail
WHERE id > $1 AND id < $2 AND at < $3 AND chain_sequence IS NULL
ORDER BY id
LIMIT $4`

// dropDeliveries is to be followed by which.
const dropDeliveries = `
DELETE FROM webhook_audit_trail
WHERE chain_sequence IS NULL AND `

// errChainBroken means that the beginning of the chain is not what was written.
var errChainBroken = errors.New("the chain of the audit trail is broken, so nothing of it is deleted")

// Acts deletes the lines at the beginning of the chain of the audit trail, which are
// the acts of operators, that were written before an instant. In one transaction the
// chain is cut off behind them, they are deleted, and a line that says so is appended,
// so that what is left can be checked from its new beginning to its end. If they are
// not as they were written, they stay, as evidence, and it fails.
func (r *Retention) Acts(ctx context.Context, before time.Time, limit int) (deleted int64, done bool, err error) {
	head, err := r.store.ChainHead(ctx)
	if err != nil {
		return 0, true, err
	}
	lines, err := r.store.ChainLines(ctx, head.Cut.Sequence, limit)
	if err != nil {
		return 0, true, err
	}
	cut := head.Cut
	for _, l := range lines {
		if !l.At.Before(before) {
			break
		}
		if l.Sequence != cut.Sequence+1 || l.Previous != cut.Hash || l.Hash != l.Want {
			return 0, true, fmt.Errorf("line %d: %w", cut.Sequence+1, errChainBroken)
		}
		cut = ChainCut{l.Sequence, l.Hash}
	}
	if cut == head.Cut {
		return 0, true, nil
	}
	deleted, err = r.piece(ctx, retainedActs, func(tx *Tx) (int64, position, error) {
		n, err := tx.cutChain(ctx, head.Cut, cut)
		return n, position{}, err
	})
	return deleted, deleted < int64(limit), err
}

func (tx *Tx) cutChain(ctx context.Context, was, cut ChainCut) (int64, error) {
	const move = `
UPDATE webhook_audit_chain
SET cut_sequence = $1, cut_hash = $2, updated_at = $3
WHERE id = 1 AND cut_sequence = $4`
	moved, err := tx.deletes(ctx, move, cut.Sequence, cut.Hash, tx.Now, was.Sequence)
	if err != nil || moved == 0 {
		return 0, err // somebody else has cut it off
	}
	n, err := tx.deletes(ctx, dropActs, was.Sequence, cut.Sequence)
	if err != nil {
		return 0, err
	}
	return n, tx.Audit(ctx, []AuditEntry{{Actor: ownActor, Action: AuditCut, After: cut}})
}

const dropActs = `
DELETE FROM webhook_audit_trail
WHERE chain_sequence > $1 AND chain_sequence <= $2`
