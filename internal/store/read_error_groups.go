package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

// MaxGroups is how many error groups a page has at most, maxCounted how many
// letters of one are counted, and maxHourly how many of an hour.
const (
	MaxGroups  = 200
	maxCounted = 10_000
	maxHourly  = 1_000
	// maxLooks bounds how many pages of groups are looked through for those that fit
	// a filter.
	maxLooks = 25
)

// Hours is how many hours [ErrorGroup.Hourly] has.
const Hours = 24

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
	// Hourly is how many of the letters failed last within each hour since
	// HourlyFrom, at most 1,000 of each; the hour that runs now is the last.
	Hourly     [Hours]int64
	HourlyFrom time.Time
}

// GroupFilter selects error groups; what is empty does not restrict.
type GroupFilter struct {
	ID, EventType, Reason, ErrorClass string
}

func (f GroupFilter) fits(g ErrorGroup) bool {
	fits := func(want, got string) bool { return want == "" || cut(want) == got }
	return (f.ID == "" || f.ID == g.ID) && fits(f.EventType, g.EventType) && fits(f.Reason, g.FailureReason) && fits(f.ErrorClass, g.ErrorClass)
}

// openKeys jumps from one group to the next in the index of groups, after the key
// $2: as many looks as there are groups, however many letters they have.
const openKeys = `
WITH RECURSIVE keys (group_key) AS (
  SELECT (
    SELECT ` + groupKey + `
    FROM webhook_dead_letter_queue AS d
    WHERE d.resolved IS NOT TRUE AND ` + groupKey + ` > $2
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
var groupColumns = `
SELECT d.event_type, d.failure_reason, COALESCE(d.error_class, ''), d.id, d.stripe_event_id, COALESCE(d.error_message, ''),
  d.first_failed_at, d.last_failed_at, COALESCE(g.state, 'open'), COALESCE(g.owner, ''), COALESCE(g.note, ''),
  COALESCE(g.updated_by, ''), g.first_failed_at, g.resolved_at, g.updated_at, (
    SELECT COUNT(*)
    FROM (
      SELECT 1
      FROM webhook_dead_letter_queue AS d
      WHERE d.resolved IS NOT TRUE AND ` + groupKey + ` = keys.group_key
      LIMIT $1
    ) AS counted)` + hourColumns()

// hourColumns counts the letters of each hour; $4 is when the first begins, and so
// on, up to the end of the last.
func hourColumns() string {
	var b strings.Builder
	for i := range Hours {
		fmt.Fprintf(&b, `, (
    SELECT COUNT(*)
    FROM (
      SELECT 1
      FROM webhook_dead_letter_queue AS d
      WHERE d.resolved IS NOT TRUE AND `+groupKey+` = keys.group_key AND d.last_failed_at >= $%d AND d.last_failed_at < $%d
      LIMIT %d
    ) AS hour)`, i+4, i+5, maxHourly)
	}
	return b.String()
}

// joinGroups joins keys with the letter that failed last, and with the row.
const joinGroups = `
JOIN webhook_dead_letter_queue AS d ON d.id = (
  SELECT d.id
  FROM webhook_dead_letter_queue AS d
  WHERE d.resolved IS NOT TRUE AND ` + groupKey + ` = keys.group_key
  ORDER BY d.last_failed_at DESC, d.id DESC
  LIMIT 1)
LEFT JOIN webhook_error_groups AS g ON g.group_key = keys.group_key`

// groupArguments are those of groupColumns, after which others are not needed; key
// and limit are of the query around it. They begin at the hour of which the first is.
func (s *Store) groupArguments(key string, limit int) (args []any, from time.Time) {
	from = s.instant().Truncate(time.Hour).Add(-(Hours - 1) * time.Hour)
	args = []any{maxCounted + 1, key, limit}
	for i := range Hours + 1 {
		args = append(args, from.Add(time.Duration(i)*time.Hour))
	}
	return args, from
}

func scanGroup(r row) (ErrorGroup, error) {
	var (
		g                     ErrorGroup
		letterFirst           sql.NullTime
		letterLast, groupTime sql.NullTime
	)
	into := []any{
		&g.EventType, &g.FailureReason, &g.ErrorClass, &g.SampleID, &g.SampleEventID, &g.SampleMessage,
		&letterFirst, &letterLast, &g.State, &g.Owner, &g.Note, &g.UpdatedBy, &groupTime, &g.ResolvedAt, &g.UpdatedAt, &g.Letters,
	}
	for i := range g.Hourly {
		into = append(into, &g.Hourly[i])
	}
	err := r.Scan(into...)
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

// ErrorGroups lists groups with letters that are not resolved: a page in the order
// of their keys, and in it the last failed first. Next is the cursor of the page
// behind it, empty if there is none.
func (s *Store) ErrorGroups(ctx context.Context, f GroupFilter, cursor string) (groups []ErrorGroup, next string, err error) {
	after, err := Page{Cursor: cursor}.position()
	if err != nil {
		return nil, "", err
	}
	if after == nil {
		after = &position{}
	}
	key := after.ID
	for range maxLooks {
		limit := MaxGroups - len(groups)
		looked, more, err := s.groupsAfter(ctx, key, limit)
		if err != nil {
			return nil, "", err
		}
		for _, g := range looked {
			if f.fits(g) {
				groups = append(groups, g)
			}
		}
		if next = ""; !more {
			break
		}
		last := looked[len(looked)-1]
		key = groupOf(last.EventType, last.FailureReason, last.ErrorClass).key()
		if next = (position{ID: key}).cursor(); len(groups) == MaxGroups {
			break
		}
	}
	slices.SortStableFunc(groups, func(a, b ErrorGroup) int { return b.LastFailedAt.Compare(a.LastFailedAt) })
	return groups, next, nil
}

// groupsAfter reads the groups whose keys come after one.
func (s *Store) groupsAfter(ctx context.Context, key string, limit int) (groups []ErrorGroup, more bool, err error) {
	query := openKeys + groupColumns + `
FROM (SELECT group_key FROM keys WHERE group_key IS NOT NULL LIMIT $3) AS keys` + joinGroups + `
ORDER BY keys.group_key`
	args, from := s.groupArguments(key, limit+1)
	groups, err = queryAll(ctx, s.reader, query, args, scanGroup)
	for i := range groups {
		groups[i].HourlyFrom = from
	}
	return groups[:min(len(groups), limit)], len(groups) > limit, wrap(err, "list error groups")
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
		groups, _, err := s.ErrorGroups(ctx, GroupFilter{ID: id}, "")
		if err != nil || len(groups) > 0 {
			return append(groups, ErrorGroup{})[0], err
		}
		return ErrorGroup{}, quotekit.Errorf(quotekit.ENotFound, "there is no error group %s", id)
	}
	if err != nil {
		return ErrorGroup{}, wrap(err, "read error group "+id)
	}
	open := groupColumns + `
FROM (SELECT CAST($2 AS TEXT) AS group_key LIMIT $3) AS keys` + joinGroups
	args, from := s.groupArguments(key, 1)
	g, err := scanGroup(s.reader.QueryRowContext(ctx, open, args...))
	g.HourlyFrom = from
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
