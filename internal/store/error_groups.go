package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
)

// An error group is the dead letters of one event type that died of the same. Which
// letters it has, how many and since when, is told by the letters that are not
// resolved: also by those that other programs wrote, and by those that an older
// version resolves. webhook_error_groups adds what letters cannot tell: what people
// have decided, when the first failed, and when the last one was resolved. A group
// whose letters came after that has regressed, and what was decided before does not
// count any more.

// groupKey is the group of the letter d, as the index has it.
const groupKey = `(substr(d.event_type, 1, 150) || '|' || substr(d.failure_reason, 1, 150) || '|' || substr(COALESCE(d.error_class, ''), 1, 150))`

// errorGroup is what the letters of a group have in common, cut off as in groupKey.
type errorGroup struct{ eventType, reason, class string }

func groupOf(eventType, reason, class string) errorGroup {
	return errorGroup{cut(eventType), cut(reason), cut(class)}
}

// cut is substr(s, 1, 150).
func cut(s string) string {
	n := 0
	for i := range s {
		if n++; n > 150 {
			return s[:i]
		}
	}
	return s
}

func (g errorGroup) key() string { return g.eventType + "|" + g.reason + "|" + g.class }

// GroupID is the id of the error group of letters with this type, reason and class.
func GroupID(eventType, reason, class string) string { return groupOf(eventType, reason, class).id() }

func (g errorGroup) id() string {
	sum := sha256.Sum256([]byte(g.key()))
	return hex.EncodeToString(sum[:8])
}

// groupChanges are the groups that a transaction changes, by id, with when a letter
// of them has failed first.
type groupChanges struct {
	came, went map[string]groupChange
	// settled are events whose letters were resolved, if they had any.
	settled []string
}

type groupChange struct {
	errorGroup
	firstFailedAt, lastFailedAt time.Time
}

func (c *groupChanges) joined(g groupChange) { note(&c.came, g) }
func (c *groupChanges) left(g groupChange)   { note(&c.went, g) }

func note(groups *map[string]groupChange, g groupChange) {
	if *groups == nil {
		*groups = map[string]groupChange{}
	}
	if before, ok := (*groups)[g.id()]; ok {
		g.firstFailedAt = earlier(g.firstFailedAt, before.firstFailedAt)
		if before.lastFailedAt.After(g.lastFailedAt) {
			g.lastFailedAt = before.lastFailedAt
		}
	}
	(*groups)[g.id()] = g
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

const insertGroup = `
INSERT INTO webhook_error_groups (id, group_key, event_type, failure_reason, error_class, first_failed_at, last_failed_at`

// writeGroups notes which groups have begun, and which have no letter left. It comes
// at the end of the transaction, in the order of ids, and before the chain of the
// audit trail. A group that letters join is not locked, so that an outage of a
// handler, in which every transaction buries letters of one group, is not slowed
// down by it. One that letters leave is: of two transactions that resolve the last
// two letters, the second must see what the first has done.
func (tx *Tx) writeGroups(ctx context.Context) error {
	if err := tx.leaveSettled(ctx); err != nil {
		return err
	}
	came, went := tx.groups.came, tx.groups.went
	tx.groups = groupChanges{}
	const begin = insertGroup + `)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO NOTHING`
	const lock = insertGroup + `)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET
  last_failed_at = CASE WHEN webhook_error_groups.last_failed_at > excluded.last_failed_at
    THEN webhook_error_groups.last_failed_at ELSE excluded.last_failed_at END`
	const resolve = `
UPDATE webhook_error_groups
SET resolved_at = $1
WHERE id = $2 AND NOT EXISTS (
  SELECT 1
  FROM webhook_dead_letter_queue AS d
  WHERE d.resolved IS NOT TRUE AND ` + groupKey + ` = $3)`
	all := maps.Clone(came)
	if all == nil {
		all = map[string]groupChange{}
	}
	maps.Copy(all, went)
	for _, id := range slices.Sorted(maps.Keys(all)) {
		g, text := all[id], begin
		if _, ok := went[id]; ok {
			text = lock
		}
		if err := tx.run(ctx, text, id, g.key(), g.eventType, g.reason, g.class, g.firstFailedAt, g.lastFailedAt); err != nil {
			return fmt.Errorf("write error group %s: %w", id, err)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(went)) {
		if err := tx.run(ctx, resolve, tx.Now, id, went[id].key()); err != nil {
			return fmt.Errorf("resolve error group %s: %w", id, err)
		}
	}
	return nil
}

// leaveSettled finds the groups of the letters that the transaction has resolved.
func (tx *Tx) leaveSettled(ctx context.Context) error {
	if len(tx.groups.settled) == 0 {
		return nil
	}
	query := `
SELECT event_type, failure_reason, COALESCE(error_class, ''), first_failed_at, last_failed_at
FROM webhook_dead_letter_queue
WHERE resolved_at = $1 AND ` + tx.dialect.amongTexts("stripe_event_id", "$2")
	err := tx.returning(ctx, query, func(r row) error {
		var typ, reason, class string
		var first, last sql.NullTime
		err := r.Scan(&typ, &reason, &class, &first, &last)
		tx.groups.left(groupChange{groupOf(typ, reason, class), cmp.Or(first.Time, tx.Now), cmp.Or(last.Time, tx.Now)})
		return err
	}, tx.Now, tx.dialect.textsArgument(tx.groups.settled))
	return wrap(err, "read the groups of dead letters")
}

// DecideGroup notes what people have decided about a group. It reports false if no
// letter of it is left.
func (tx *Tx) DecideGroup(ctx context.Context, g ErrorGroup, state quotekit.GroupState, owner, note, by string) (bool, error) {
	const look = `
SELECT 1
FROM webhook_dead_letter_queue AS d
WHERE d.resolved IS NOT TRUE AND ` + groupKey + ` = $1
LIMIT 1`
	const upsert = insertGroup + `, state, owner, note, updated_at, updated_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (id) DO UPDATE SET
  state = excluded.state,
  owner = excluded.owner,
  note = excluded.note,
  updated_at = excluded.updated_at,
  updated_by = excluded.updated_by`
	key := groupOf(g.EventType, g.FailureReason, g.ErrorClass)
	found := false
	err := tx.returning(ctx, look, func(row) error {
		found = true
		return nil
	}, key.key())
	if err != nil || !found {
		return false, wrap(err, "look for letters of error group "+g.ID)
	}
	err = tx.run(ctx, upsert, key.id(), key.key(), key.eventType, key.reason, key.class, g.FirstFailedAt, g.LastFailedAt,
		string(state), null(owner), null(note), tx.Now, by)
	return true, wrap(err, "decide about error group "+g.ID)
}
