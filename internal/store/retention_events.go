package store

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
)

// keptByLetter is the condition that an event e has a dead letter which nobody has
// resolved, or not long enough ago: then it is kept with its payload, whatever its age.
func keptByLetter(mark string) string {
	return `EXISTS (
  SELECT 1
  FROM webhook_dead_letter_queue AS d
  WHERE d.stripe_event_id = e.stripe_event_id AND (d.resolved IS NOT TRUE OR d.resolved_at >= ` + mark + `))`
}

// selectOldEvents looks at events in the order of their arrival, one after the other,
// whether they can be deleted or not.
const selectOldEvents = `
SELECT received_at, stripe_event_id, stripe_event_id
FROM stripe_webhook_events
WHERE received_at >= $1 AND (received_at > $1 OR stripe_event_id > $2) AND received_at < $3
ORDER BY received_at, stripe_event_id
LIMIT $4`

// Payloads empties the payloads of events that were received before an instant, but
// not of those that are pending, and not of those with a dead letter that is not
// resolved or was resolved after it; see [Retention.LetterPayloads]. It looks at as
// many events as limit says, each once. It reports that it is done when it has come
// to the instant, or to an event that somebody else is about to change.
func (r *Retention) Payloads(ctx context.Context, before time.Time, limit int) (deleted int64, done bool, err error) {
	was := r.progress[retainedPayloads].position
	rows, err := queryAll(ctx, r.store.reader, selectOldEvents, []any{was.At, was.ID, before.UTC(), limit}, scanOldRow)
	if err != nil || len(rows) == 0 {
		return 0, true, wrap(err, "look for old payloads")
	}
	done = len(rows) < limit
	deleted, err = r.piece(ctx, retainedPayloads, func(tx *Tx) (int64, position, error) {
		locked, free, err := tx.lockOld(ctx, rows)
		if err != nil {
			return 0, was, err
		}
		done = done || len(free) < len(rows)
		n, err := tx.dropPayloads(ctx, locked, before)
		return n, last(free, was), err
	})
	return deleted, done, err
}

// LetterPayloads empties the payloads of events whose dead letter was resolved before
// an instant, and the event_data of the letters. It is otherwise like
// [Retention.Payloads], which has passed those events by, some of them.
func (r *Retention) LetterPayloads(ctx context.Context, before time.Time, limit int) (deleted int64, done bool, err error) {
	was := r.progress[retainedLetterPayloads].position
	rows, err := r.oldLetters(ctx, was, before, limit)
	if err != nil || len(rows) == 0 {
		return 0, true, err
	}
	done = len(rows) < limit
	deleted, err = r.piece(ctx, retainedLetterPayloads, func(tx *Tx) (int64, position, error) {
		locked, free, err := tx.lockOld(ctx, rows)
		if err != nil {
			return 0, was, err
		}
		done = done || len(free) < len(rows)
		if _, err := tx.dropPayloads(ctx, locked, before); err != nil {
			return 0, was, err
		}
		update := dropLetterPayloads + tx.dialect.among("id", "$2")
		n, err := tx.deletes(ctx, update, before.UTC(), tx.dialect.idsArgument(idsOf(free)))
		return n, last(free, was), err
	})
	return deleted, done, err
}

// dropLetterPayloads is to be followed by which.
const dropLetterPayloads = `
UPDATE webhook_dead_letter_queue
SET event_data = '{}'
WHERE resolved IS TRUE AND resolved_at < $1 AND `

// selectOldLetters looks at letters in the order in which they were resolved.
const selectOldLetters = `
SELECT resolved_at, id, stripe_event_id
FROM webhook_dead_letter_queue
WHERE resolved_at >= $1 AND (resolved_at > $1 OR id > $2) AND resolved_at < $3
ORDER BY resolved_at, id
LIMIT $4`

func (r *Retention) oldLetters(ctx context.Context, was position, before time.Time, limit int) ([]oldRow, error) {
	if was.ID == "" {
		was.ID = uuid.Nil.String()
	}
	rows, err := queryAll(ctx, r.store.reader, selectOldLetters, []any{was.At, was.ID, before.UTC(), limit}, scanOldRow)
	return rows, wrap(err, "look for old dead letters")
}

// lockOld locks the events of rows, so that nothing happens to them and to their
// letters until the transaction ends. It waits for nobody: it returns those events
// that it has locked, and the rows before the first whose event somebody else has.
func (tx *Tx) lockOld(ctx context.Context, rows []oldRow) (locked []string, free []oldRow, err error) {
	look := `
SELECT stripe_event_id
FROM stripe_webhook_events
WHERE ` + tx.dialect.amongTexts("stripe_event_id", "$1")
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.eventID
	}
	read := func(text string) (found []string, err error) {
		err = tx.returning(ctx, text, func(r row) error {
			var id string
			err := r.Scan(&id)
			found = append(found, id)
			return err
		}, tx.dialect.textsArgument(ids))
		return found, err
	}
	if locked, err = read(look + ` ORDER BY stripe_event_id` + tx.dialect.skipping()); err != nil {
		return nil, nil, err
	}
	if len(locked) == len(rows) {
		return locked, rows, nil
	}
	there, err := read(look) // a letter need not have an event here
	if err != nil {
		return nil, nil, err
	}
	taken := map[string]bool{}
	for _, id := range there {
		taken[id] = true
	}
	for _, id := range locked {
		taken[id] = false
	}
	if first := slices.IndexFunc(rows, func(r oldRow) bool { return taken[r.eventID] }); first >= 0 {
		rows = rows[:first]
	}
	return locked, rows, nil
}

// dropPayloads empties those of the payloads that may go.
func (tx *Tx) dropPayloads(ctx context.Context, eventIDs []string, before time.Time) (int64, error) {
	return tx.deletes(ctx, dropPayloads(tx.dialect), tx.Now, tx.dialect.textsArgument(eventIDs), before.UTC())
}

func dropPayloads(d Dialect) string {
	return `
UPDATE stripe_webhook_events AS e
SET payload = NULL, payload_deleted_at = $1
WHERE ` + d.amongTexts("e.stripe_event_id", "$2") + ` AND e.payload IS NOT NULL
  AND e.received_at < $3 AND e.status <> 'pending' AND NOT ` + keptByLetter("$3")
}

// Events deletes events that were received before an instant, with the exceptions of
// [Retention.Payloads]. Every run begins with the oldest event that is there, so those
// that were kept are looked at again.
func (r *Retention) Events(ctx context.Context, before time.Time, limit int) (deleted int64, done bool, err error) {
	was := r.progress[retainedEvents].position
	rows, err := queryAll(ctx, r.store.reader, selectOldEvents, []any{was.At, was.ID, before.UTC(), limit}, scanOldRow)
	switch {
	case err != nil:
		return 0, true, wrap(err, "look for old events")
	case len(rows) == 0 && was == position{}:
		return 0, true, nil
	}
	done = len(rows) < limit
	deleted, err = r.piece(ctx, retainedEvents, func(tx *Tx) (int64, position, error) {
		locked, _, err := tx.lockOld(ctx, rows)
		if err != nil {
			return 0, was, err
		}
		n, err := tx.deletes(ctx, dropEvents(tx.dialect), tx.dialect.textsArgument(locked), before.UTC())
		return n, again(done, last(rows, was)), err
	})
	return deleted, done, err
}

// again is where to go on: with the oldest row if a run is done.
func again(done bool, to position) position {
	if done {
		return position{}
	}
	return to
}

func dropEvents(d Dialect) string {
	return `
DELETE FROM stripe_webhook_events AS e
WHERE ` + d.amongTexts("e.stripe_event_id", "$1") + `
  AND e.received_at < $2 AND e.status <> 'pending' AND NOT ` + keptByLetter("$2")
}

// Letters deletes dead letters that were resolved before an instant. Those that
// another program has resolved without saying when stay.
func (r *Retention) Letters(ctx context.Context, before time.Time, limit int) (deleted int64, done bool, err error) {
	was := r.progress[retainedLetters].position
	rows, err := r.oldLetters(ctx, was, before, limit)
	if err != nil || len(rows) == 0 && was == (position{}) {
		return 0, true, err
	}
	done = len(rows) < limit
	deleted, err = r.piece(ctx, retainedLetters, func(tx *Tx) (int64, position, error) {
		n, err := tx.deletes(ctx, dropLetters+tx.dialect.among("id", "$2"), before.UTC(), tx.dialect.idsArgument(idsOf(rows)))
		return n, again(done, last(rows, was)), err
	})
	return deleted, done, err
}

// dropLetters is to be followed by which.
const dropLetters = `
DELETE FROM webhook_dead_letter_queue
WHERE resolved IS TRUE AND resolved_at < $1 AND `

// Groups deletes error groups whose last letter was resolved before an instant, with
// what was decided about them.
func (r *Retention) Groups(ctx context.Context, before time.Time, limit int) (deleted int64, done bool, err error) {
	const old = `
SELECT resolved_at, id, id
FROM webhook_error_groups AS g
WHERE g.resolved_at < $1 AND NOT ` + groupHasLetters + `
ORDER BY g.resolved_at
LIMIT $2`
	rows, err := queryAll(ctx, r.store.reader, old, []any{before.UTC(), limit}, scanOldRow)
	if err != nil || len(rows) == 0 {
		return 0, true, wrap(err, "look for old error groups")
	}
	deleted, err = r.piece(ctx, retainedGroups, func(tx *Tx) (int64, position, error) {
		n, err := tx.deletes(ctx, dropGroups+tx.dialect.amongTexts("g.id", "$2"), before.UTC(), tx.dialect.textsArgument(idsOf(rows)))
		return n, position{}, err
	})
	return deleted, len(rows) < limit || deleted == 0, err
}

// groupHasLetters is the condition that the group g has letters that are not resolved.
const groupHasLetters = `EXISTS (
  SELECT 1
  FROM webhook_dead_letter_queue AS d
  WHERE d.resolved IS NOT TRUE AND ` + groupKey + ` = g.group_key)`

// dropGroups is to be followed by which.
const dropGroups = `
DELETE FROM webhook_error_groups AS g
WHERE g.resolved_at < $1 AND NOT ` + groupHasLetters + ` AND `
