package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"
)

// Retention deletes what is old, a piece at a time: each piece is a transaction of its
// own, and notes in webhook_retention how far it has come. What is looked at is read
// before that, outside of it. Only one process has it at a time; it is not for several
// goroutines.
type Retention struct {
	store    *Store
	owner    string
	progress map[retained]retainedTo
}

// retained is something that is kept for a while.
type retained string

const (
	retainedPayloads       retained = "payloads"
	retainedLetterPayloads retained = "letter_payloads"
	retainedEvents         retained = "events"
	retainedLogs           retained = "logs"
	retainedDeliveries     retained = "deliveries"
	retainedActs           retained = "acts"
	retainedFigures        retained = "figures"
	retainedRefusals       retained = "refusals"
	retainedLetters        retained = "letters"
	retainedGroups         retained = "error_groups"
)

// retainedTo is how far a deletion has come.
type retainedTo struct {
	// position is the last row that was looked at. It is zero where each run begins
	// with the oldest row.
	position
	// Deleted is how many rows, or payloads, are gone so far.
	Deleted int64 `json:"deleted"`
}

// RetentionLease is how long a process has the retention after its last piece.
const RetentionLease = 30 * time.Second

// errRetentionTaken means that the retention is another process's by now.
var errRetentionTaken = errors.New("another process has gone on deleting what is old")

// BeginRetention takes the retention for an owner. It is nil while another one has it.
func (s *Store) BeginRetention(ctx context.Context, owner string) (*Retention, error) {
	const claim = `
UPDATE webhook_retention
SET lease_owner = $1, lease_until = $2
WHERE id = 1 AND (lease_until IS NULL OR lease_until < $3 OR lease_owner = $1)
RETURNING CAST(progress AS TEXT)`
	r := &Retention{store: s, owner: owner, progress: map[retained]retainedTo{}}
	err := s.WithTx(ctx, func(tx *Tx) error {
		var progress string
		err := tx.QueryRowContext(ctx, claim, owner, tx.Now.Add(RetentionLease), tx.Now).Scan(&progress)
		if err != nil {
			return err
		}
		return json.Unmarshal([]byte(progress), &r.progress)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("begin to delete what is old: %w", err)
	}
	return r, nil
}

// End lets another process go on.
func (r *Retention) End(ctx context.Context) error {
	const release = `UPDATE webhook_retention SET lease_until = NULL WHERE id = 1 AND lease_owner = $1`
	return r.store.WithTx(ctx, func(tx *Tx) error { return wrap(tx.run(ctx, release, r.owner), "end the deletion of what is old") })
}

// Deleted says how many rows, or payloads, of each kind are gone since the service was
// installed.
func (r *Retention) Deleted() map[string]int64 {
	all := map[string]int64{}
	for what, to := range r.progress {
		all[string(what)] = to.Deleted
	}
	return all
}

// piece deletes in a transaction of its own, with the note of how far it has come. It
// gives up waiting for a lock of somebody else.
func (r *Retention) piece(ctx context.Context, what retained, do func(tx *Tx) (deleted int64, to position, err error)) (deleted int64, err error) {
	var next retainedTo
	err = r.store.WithTx(ctx, func(tx *Tx) error {
		if err := tx.BoundLockWait(ctx, time.Second); err != nil {
			return err
		}
		if deleted, next.position, err = do(tx); err != nil {
			return err
		}
		next.Deleted = r.progress[what].Deleted + deleted
		return r.note(ctx, tx, what, next)
	})
	if err != nil {
		return 0, fmt.Errorf("delete old %s: %w", what, err)
	}
	r.progress[what] = next
	return deleted, nil
}

// note writes how far a deletion has come, and fails if the retention is another
// process's.
func (r *Retention) note(ctx context.Context, tx *Tx, what retained, to retainedTo) error {
	const update = `
UPDATE webhook_retention
SET progress = $1, lease_until = $2, updated_at = $3
WHERE id = 1 AND lease_owner = $4`
	progress := maps.Clone(r.progress)
	progress[what] = to
	text, err := json.Marshal(progress)
	if err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, update, string(text), tx.Now.Add(RetentionLease), tx.Now, r.owner)
	ours, err := changedOne(result, err, "note how far it has come")
	if err == nil && !ours {
		err = errRetentionTaken
	}
	return err
}

// deletes runs a statement and returns how many rows it has changed.
func (tx *Tx) deletes(ctx context.Context, text string, args ...any) (int64, error) {
	result, err := tx.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// oldRow is a row that may be deleted.
type oldRow struct {
	position
	eventID string
}

func scanOldRow(r row) (o oldRow, err error) {
	var at sql.NullTime
	err = r.Scan(&at, &o.ID, &o.eventID)
	o.At = at.Time
	return o, err
}

func idsOf(rows []oldRow) []string {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return ids
}

// last is the position of the last row, or where it was without any.
func last(rows []oldRow, was position) position {
	if len(rows) == 0 {
		return was
	}
	return rows[len(rows)-1].position
}
