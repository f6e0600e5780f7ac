package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
)

// MaxGroups is how many error groups are read at most, and maxCounted how many
// letters of one are counted.
const (
	MaxGroups  = 200
	maxCounted = 10_000
)

// ErrorGroup is an error group as it stands.
type ErrorGroup struct {
	ID                                   string
	EventType, FailureReason, ErrorClass string
	// Letters is how many are not resolved; More says that there are more.
	Letters int64
	More    bool
	// State is effective: resolved without letters, and open after a regression.
	State                       quotekit.GroupState
	Regressed                   bool
	Owner, Note, UpdatedBy      string
	FirstFailedAt, LastFailedAt time.Time
	ResolvedAt, UpdatedAt       *time.Time
	// The letter that failed last, of those that are not resolved.
	SampleID, SampleEventID, SampleMessage string
}

// GroupFilter selects error groups; what is empty does not restrict.
type GroupFilter struct {
	ID, EventType, Reason, ErrorClass string
}

func (f GroupFilter) fits(g ErrorGroup) bool {
	fits := func(want, got string) bool { return want == "" || cut(want) == got }
	return (f.ID == "" || f.ID == g.ID) && fits(f.EventType, g.EventType) && fits(f.Reason, g.FailureReason) && fits(f.ErrorClass, g.ErrorClass)
}

// openKeys jumps from one group to the next in the index of groups: as many looks
// as there are groups, however many letters they have.
const openKeys = `
WITH RECURSIVE keys (group_key) AS (
  SELECT (
    SELECT ` + groupKey + `
    FROM webhook_dead_letter_queue AS d
    WHERE d.resolved IS NOT TRUE
    ORDER BY ` + groupKey + `
    LIMIT 1)
  UNION ALL
  SELECT (
    SELECT ` + groupKey + `
    FROM webhook_dead_letter_queue AS d
    WHERE d.resolved IS NOT TRUE AND ` + groupKey + ` > keys.group_key
    ORDER BY ` + groupKey + `
    LIMIT 1)
  FROM keys
  WHERE keys.group_key IS NOT NULL
)`

// groupColumns are those of the letter d that failed last and of the row g, which
// may not be there. Letters are counted up to a bound.
const groupColumns = `
SELECT d.event_type, d.failure_reason, COALESCE(d.error_class, ''), d.id, d.stripe_event_id, COALESCE(d.error_message, ''),
  d.first_failed_at, d.last_failed_at, COALESCE(g.state, 'open'), COALESCE(g.owner, ''), COALESCE(g.note, ''),
  COALESCE(g.updated_by, ''), g.first_failed_at, g.resolved_at, g.updated_at, (
    SELECT COUNT(*)
    FROM (
      SELECT 1
      FROM webhook_dead_letter_queue AS d
      WHERE d.resolved IS NOT TRUE AND ` + groupKey + ` = keys.group_key
      LIMIT $1
    ) AS counted)`

// joinGroups joins keys with the letter that failed last, and with the row.
const joinGroups = `
JOIN webhook_dead_letter_queue AS d ON d.id = (
  SELECT d.id
  FROM webhook_dead_letter_queue AS d
  WHERE d.resolved IS NOT TRUE AND ` + groupKey + ` = keys.group_key
  ORDER BY d.last_failed_at DESC, d.id DESC
  LIMIT 1)
LEFT JOIN webhook_error_groups AS g ON g.group_key = keys.group_key`

func scanGroup(r row) (ErrorGroup, error) {
	var (
		g                     ErrorGroup
		letterFirst           sql.NullTime
		letterLast, groupTime sql.NullTime
	)
	err := r.Scan(&g.EventType, &g.FailureReason, &g.ErrorClass, &g.SampleID, &g.SampleEventID, &g.SampleMessage,
		&letterFirst, &letterLast, &g.State, &g.Owner, &g.Note, &g.UpdatedBy, &groupTime, &g.ResolvedAt, &g.UpdatedAt, &g.Letters)
	key := groupOf(g.EventType, g.FailureReason, g.ErrorClass)
	g.ID, g.EventType, g.FailureReason, g.ErrorClass = key.id(), key.eventType, key.reason, key.class
	g.LastFailedAt = letterLast.Time
	if g.FirstFailedAt = groupTime.Time; !groupTime.Valid {
		g.FirstFailedAt = letterFirst.Time
	}
	if g.Letters > maxCounted {
		g.Letters, g.More = maxCounted, true
	}
	if g.ResolvedAt != nil {
		g.Regressed = true
		if g.UpdatedAt == nil || !g.UpdatedAt.After(*g.ResolvedAt) {
			g.State = quotekit.GroupOpen
		}
	}
	return g, err
}

// ErrorGroups lists groups with letters that are not resolved, the last failed
// first. More says that there are others beyond [MaxGroups]: these were not looked at.
func (s *Store) ErrorGroups(ctx context.Context, f GroupFilter) (groups []ErrorGroup, more bool, err error) {
	const query = openKeys + groupColumns + `
FROM (SELECT group_key FROM keys WHERE group_key IS NOT NULL LIMIT $2) AS keys` + joinGroups
	groups, err = queryAll(ctx, s.reader, query, []any{maxCounted + 1, MaxGroups + 1}, scanGroup)
	if err != nil {
		return nil, false, wrap(err, "list error groups")
	}
	more = len(groups) > MaxGroups
	groups = slices.DeleteFunc(groups[:min(len(groups), MaxGroups)], func(g ErrorGroup) bool { return !f.fits(g) })
	slices.SortStableFunc(groups, func(a, b ErrorGroup) int { return b.LastFailedAt.Compare(a.LastFailedAt) })
	return groups, more, nil
}

// ResolvedGroups lists groups that have no letter left, the last resolved first.
func (s *Store) ResolvedGroups(ctx context.Context, f GroupFilter) ([]ErrorGroup, error) {
	const query = selectResolvedGroups + `
WHERE g.resolved_at IS NOT NULL AND NOT EXISTS (
  SELECT 1
  FROM webhook_dead_letter_queue AS d
  WHERE d.resolved IS NOT TRUE AND ` + groupKey + ` = g.group_key)
ORDER BY g.resolved_at DESC
LIMIT $1`
	groups, err := queryAll(ctx, s.reader, query, []any{MaxGroups}, scanResolvedGroup)
	groups = slices.DeleteFunc(groups, func(g ErrorGroup) bool { return !f.fits(g) })
	return groups, wrap(err, "list resolved error groups")
}

const selectResolvedGroups = `
SELECT g.event_type, g.failure_reason, g.error_class, COALESCE(g.owner, ''), COALESCE(g.note, ''), COALESCE(g.updated_by, ''),
  g.first_failed_at, g.last_failed_at, g.resolved_at, g.updated_at
FROM webhook_error_groups AS g`

func scanResolvedGroup(r row) (ErrorGroup, error) {
	g := ErrorGroup{State: quotekit.GroupResolved}
	err := r.Scan(&g.EventType, &g.FailureReason, &g.ErrorClass, &g.Owner, &g.Note, &g.UpdatedBy, &g.FirstFailedAt, &g.LastFailedAt,
		&g.ResolvedAt, &g.UpdatedAt)
	g.ID = GroupID(g.EventType, g.FailureReason, g.ErrorClass)
	return g, err
}

// ErrorGroup reads a group. It fails with [quotekit.ENotFound].
func (s *Store) ErrorGroup(ctx context.Context, id string) (ErrorGroup, error) {
	var key string
	err := s.reader.QueryRowContext(ctx, `SELECT group_key FROM webhook_error_groups WHERE id = $1`, id).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) { // another program wrote its letters
		groups, _, err := s.ErrorGroups(ctx, GroupFilter{ID: id})
		if err != nil || len(groups) > 0 {
			return append(groups, ErrorGroup{})[0], err
		}
		return ErrorGroup{}, quotekit.Errorf(quotekit.ENotFound, "there is no error group %s", id)
	}
	if err != nil {
		return ErrorGroup{}, wrap(err, "read error group "+id)
	}
	const open = groupColumns + `
FROM (SELECT CAST($2 AS TEXT) AS group_key) AS keys` + joinGroups
	g, err := scanGroup(s.reader.QueryRowContext(ctx, open, maxCounted+1, key))
	if errors.Is(err, sql.ErrNoRows) { // no letter is left
		g, err = scanResolvedGroup(s.reader.QueryRowContext(ctx, selectResolvedGroups+` WHERE g.id = $1`, id))
	}
	return g, wrap(err, "read error group "+id)
}

// keyOfGroup returns the key of a group of which there is a row, or that has letters.
func (s *Store) keyOfGroup(ctx context.Context, id string) (string, error) {
	g, err := s.ErrorGroup(ctx, id)
	return groupOf(g.EventType, g.FailureReason, g.ErrorClass).key(), err
}
