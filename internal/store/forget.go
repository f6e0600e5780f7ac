package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
)

// AuditForgotten is the action of the line that says that a person was forgotten.
const AuditForgotten = "person.forget"

// forgottenNote stands with dead letters of people who were forgotten.
const forgottenNote = "The person was forgotten."

// ForgetEvents deletes what events say of the person they are about: their payloads,
// error messages, dead letters but for the fact that there was one, and processing logs.
// Their rows stay, so that another delivery is known as a duplicate; those in one of the
// given states become ignored. It counts what is gone, by table.
func (tx *Tx) ForgetEvents(ctx context.Context, ids []string, from ...quotekit.EventStatus) (map[string]int64, error) {
	gone := map[string]int64{}
	if len(ids) == 0 {
		return gone, nil
	}
	among := tx.dialect.textsArgument(ids)
	err := tx.returning(ctx, lockForgotten(tx.dialect), func(r row) error {
		var (
			eventType  string
			receivedAt time.Time
			was        quotekit.EventStatus
			payload    bool
		)
		err := r.Scan(&eventType, &receivedAt, &was, &payload)
		if payload {
			gone[tableEvents]++
		}
		if slices.Contains(from, was) {
			tx.count(eventType, receivedAt, was, quotekit.EventIgnored)
		}
		return err
	}, among)
	if err != nil {
		return nil, fmt.Errorf("lock events to be forgotten: %w", err)
	}
	if _, err := tx.ExecContext(ctx, forgetEvents(tx.dialect), tx.Now, among); err != nil {
		return nil, fmt.Errorf("forget events: %w", err)
	}
	args := []any{tx.Now, among}
	for _, s := range from {
		args = append(args, string(s))
	}
	if _, err := tx.ExecContext(ctx, ignoreEvents(tx.dialect, len(from)), args...); err != nil {
		return nil, fmt.Errorf("ignore forgotten events: %w", err)
	}
	if gone[tableLetters], err = tx.deletes(ctx, forgetLetters(tx.dialect), forgottenNote, among); err != nil {
		return nil, fmt.Errorf("forget dead letters: %w", err)
	}
	if gone[tableLetters] > 0 {
		if err := tx.ResolveSettled(ctx, ids, forgottenNote); err != nil {
			return nil, err
		}
	}
	gone[tableLogs], err = tx.deletes(ctx, forgetLogs(tx.dialect), among)
	return gone, wrap(err, "forget processing logs")
}

// The tables that what is forgotten is counted by, beside those of the mirror.
const (
	tableEvents   = "stripe_webhook_events"
	tableLetters  = "webhook_dead_letter_queue"
	tableLogs     = "webhook_processing_logs"
	tableChanges  = "subscription_changes"
	tableJobs     = "batch_jobs"
	tableSessions = "dashboard_sessions"
)

// lockForgotten locks events in the order in which everybody does: by the bytes of the id.
func lockForgotten(d Dialect) string {
	order := "stripe_event_id"
	if d == Postgres {
		order += ` COLLATE "C"`
	}
	return `
SELECT event_type, received_at, status, payload IS NOT NULL
FROM stripe_webhook_events
WHERE ` + d.amongTexts("stripe_event_id", "$1") + `
ORDER BY ` + order + d.locking()
}

func forgetEvents(d Dialect) string {
	return `
UPDATE stripe_webhook_events
SET payload = NULL, payload_deleted_at = COALESCE(payload_deleted_at, $1), error_message = NULL
WHERE ` + d.amongTexts("stripe_event_id", "$2")
}

func ignoreEvents(d Dialect, states int) string {
	return `
UPDATE stripe_webhook_events
SET status = 'ignored', processed_at = $1, failure_reason = NULL, failure_reasons = NULL, next_attempt_at = NULL,
  replay_mode = NULL
WHERE ` + d.amongTexts("stripe_event_id", "$2") + ` AND status IN (` + list(3, states) + `)`
}

// keptLetter is the condition that a dead letter still says something of its event.
const keptLetter = `(CAST(event_data AS TEXT) <> '{}' OR error_message IS NOT NULL)`

func forgetLetters(d Dialect) string {
	return `
UPDATE webhook_dead_letter_queue
SET event_data = '{}', error_message = NULL, resolution_notes = $1
WHERE ` + d.amongTexts("stripe_event_id", "$2") + ` AND ` + keptLetter
}

func forgetLogs(d Dialect) string {
	return `
DELETE FROM webhook_processing_logs
WHERE ` + d.amongTexts("stripe_event_id", "$1")
}

// Entomb locks objects and puts a state in the place of their evidence that says that they
// are forgotten. From the commit on nothing is kept of a later event of a customer among
// them, or of its objects, whichever process receives it.
func (tx *Tx) Entomb(ctx context.Context, keys []ObjectKey, state string) error {
	if _, err := tx.LockObjects(ctx, keys); err != nil {
		return err
	}
	states := make(map[ObjectKey]string, len(keys))
	for _, k := range keys {
		states[k] = state
	}
	return tx.SaveObjects(ctx, states)
}

// ForgetObjects deletes objects from the mirror, with the items and changes of
// subscriptions, and does what [Tx.Entomb] does. It counts what is gone, by table.
func (tx *Tx) ForgetObjects(ctx context.Context, keys []ObjectKey, state string) (map[string]int64, error) {
	gone := map[string]int64{}
	if err := tx.Entomb(ctx, keys, state); err != nil {
		return nil, err
	}
	for _, k := range keys {
		for _, t := range tablesOf(k.Kind) {
			n, err := tx.deletes(ctx, forgetRows(t), k.Account, k.Livemode, k.ID)
			if err != nil {
				return nil, fmt.Errorf("forget %s: %w", t.name, err)
			}
			gone[t.name] += n
		}
	}
	return gone, nil
}

// ownedRows is a table with rows of an object, and the column with the object's id.
type ownedRows struct {
	name, key string
	// part: there may be several, and the id is not their key.
	part bool
}

// where is the condition that a row is of the object with this account, mode and id. Of
// parts SQLite would take the primary key, whose first two columns are the same in nearly
// every row.
func (t ownedRows) where() string {
	if t.part {
		return owned("account", "$1") + ` AND ` + owned("livemode", "$2") + ` AND ` + t.key + ` = $3`
	}
	return `account = $1 AND livemode = $2 AND ` + t.key + ` = $3`
}

// tablesOf are the tables with rows of an object of a kind.
func tablesOf(kind quotekit.Kind) []ownedRows {
	t := mirrorTables[kind]
	tables := []ownedRows{{t.name, t.key, false}}
	if kind == quotekit.KindSubscription {
		tables = append(tables, ownedRows{itemsTable.name, t.key, true}, ownedRows{tableChanges, t.key, true})
	}
	return tables
}

func forgetRows(t ownedRows) string {
	return `
DELETE FROM ` + t.name + `
WHERE ` + t.where()
}

// KnownCustomers returns the customers of an id, in every account and mode that
// something is known of them in.
func (s *Store) KnownCustomers(ctx context.Context, id string) ([]ObjectKey, error) {
	const own = `
SELECT account, livemode, stripe_customer_id
FROM stripe_customers
WHERE account = '' AND livemode IN (FALSE, TRUE) AND stripe_customer_id = $1`
	const others = `
SELECT account, livemode, stripe_customer_id
FROM stripe_customers
WHERE ` + connected + ` AND stripe_customer_id = $1`
	const evidence = `
SELECT account, livemode, object_id
FROM stripe_objects
WHERE account = '' AND livemode IN (FALSE, TRUE) AND kind = 'customer' AND object_id = $1`
	const byObject = `
SELECT DISTINCT account, livemode, object_id
FROM stripe_webhook_events
WHERE object_id = $1`
	const byCustomer = `
SELECT DISTINCT account, livemode, customer_id
FROM stripe_webhook_events
WHERE customer_id = $1`
	var keys []ObjectKey
	for _, query := range []string{own, others, evidence, byObject, byCustomer} {
		found, err := queryAll(ctx, s.reader, query, []any{id}, scanCustomer)
		if err != nil {
			return nil, fmt.Errorf("look for customer %s: %w", id, err)
		}
		keys = append(keys, found...)
	}
	slices.SortFunc(keys, ObjectKey.Compare)
	return slices.Compact(keys), nil
}

func scanCustomer(r row) (ObjectKey, error) {
	k := ObjectKey{Kind: quotekit.KindCustomer}
	err := r.Scan(&k.Account, &k.Livemode, &k.ID)
	return k, err
}

// CustomersOfUser returns the customers that belong to a user of the application.
func (s *Store) CustomersOfUser(ctx context.Context, userID string) ([]ObjectKey, error) {
	const query = `
SELECT account, livemode, stripe_customer_id
FROM stripe_customers
WHERE user_id = $1`
	keys, err := queryAll(ctx, s.reader, query, []any{userID}, scanCustomer)
	slices.SortFunc(keys, ObjectKey.Compare)
	return keys, wrap(err, "look for the customers of a user")
}

// ObjectsOfCustomer returns at most limit objects that follow a customer in the mirror.
func (s *Store) ObjectsOfCustomer(ctx context.Context, customer ObjectKey, limit int) ([]ObjectKey, error) {
	return s.followersOf(ctx, limit, func(customerColumn string) string {
		return `account = $1 AND livemode = $2 AND ` + customerColumn + ` = $3`
	}, customer.Account, customer.Livemode, customer.ID)
}

// ObjectsOfUser returns at most limit objects that belong to a user without a customer
// between them, as the session of a guest.
func (s *Store) ObjectsOfUser(ctx context.Context, userID string, limit int) ([]ObjectKey, error) {
	return s.followersOf(ctx, limit, func(customerColumn string) string {
		return `user_id = $1 AND ` + customerColumn + ` IS NULL`
	}, userID)
}

func (s *Store) followersOf(ctx context.Context, limit int, where func(customerColumn string) string, args ...any) ([]ObjectKey, error) {
	var keys []ObjectKey
	for _, kind := range mirrorKinds {
		f, ok := followers[kind]
		if !ok || len(keys) == limit {
			continue
		}
		query := `
SELECT account, livemode, ` + mirrorTables[kind].key + `
FROM ` + f.table + `
WHERE ` + where(f.customer) + fmt.Sprintf(`
LIMIT $%d`, len(args)+1)
		found, err := queryAll(ctx, s.reader, query, append(slices.Clone(args), limit-len(keys)), func(r row) (ObjectKey, error) {
			k := ObjectKey{Kind: kind}
			err := r.Scan(&k.Account, &k.Livemode, &k.ID)
			return k, err
		})
		if err != nil {
			return nil, fmt.Errorf("look for objects in %s: %w", f.table, err)
		}
		keys = append(keys, found...)
	}
	return keys, nil
}

// EventsOfObjects returns at most limit ids of events about objects, which are of one
// account and mode, in order and behind one.
func (s *Store) EventsOfObjects(ctx context.Context, keys []ObjectKey, after string, limit int) ([]string, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	// In one piece the planner may rather look through all events in their order.
	query := `
WITH found AS MATERIALIZED (
  SELECT stripe_event_id
  FROM stripe_webhook_events
  WHERE ` + s.dialect.amongTexts("object_id", "$1") + ` AND account = $2 AND livemode = $3)
SELECT stripe_event_id
FROM found
WHERE stripe_event_id > $4
ORDER BY stripe_event_id
LIMIT $5`
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	return s.eventIDs(ctx, query, s.dialect.textsArgument(ids), keys[0].Account, keys[0].Livemode, after, limit)
}

// EventsOfCustomer returns at most limit ids of events that belong to a customer without
// a row of the mirror between them, in order and behind one.
func (s *Store) EventsOfCustomer(ctx context.Context, customer ObjectKey, after string, limit int) ([]string, error) {
	const query = `
SELECT stripe_event_id
FROM stripe_webhook_events
WHERE customer_id = $1 AND account = $2 AND livemode = $3 AND stripe_event_id > $4
ORDER BY stripe_event_id
LIMIT $5`
	return s.eventIDs(ctx, query, customer.ID, customer.Account, customer.Livemode, after, limit)
}

func (s *Store) eventIDs(ctx context.Context, query string, args ...any) ([]string, error) {
	ids, err := queryAll(ctx, s.reader, query, args, func(r row) (string, error) {
		var id string
		err := r.Scan(&id)
		return id, err
	})
	return ids, wrap(err, "look for events to be forgotten")
}

// CountForgotten counts what [Tx.ForgetEvents] and [Tx.ForgetObjects] would delete, by
// table.
func (s *Store) CountForgotten(ctx context.Context, eventIDs []string, keys []ObjectKey) (map[string]int64, error) {
	counts := map[string]int64{}
	add := func(table, where string, args ...any) error {
		var n int64
		err := s.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+table+` WHERE `+where, args...).Scan(&n)
		counts[table] += n
		return wrap(err, "count what would be forgotten in "+table)
	}
	ids, among := s.dialect.textsArgument(eventIDs), s.dialect.amongTexts("stripe_event_id", "$1")
	err := errors.Join(
		add(tableEvents, among+` AND payload IS NOT NULL`, ids),
		add(tableLetters, among+` AND `+keptLetter, ids),
		add(tableLogs, among, ids),
	)
	for _, k := range keys {
		for _, t := range tablesOf(k.Kind) {
			err = errors.Join(err, add(t.name, t.where(), k.Account, k.Livemode, k.ID))
		}
	}
	return counts, err
}

// UnendedSubscriptions counts the subscriptions of a customer that have not ended, as
// far as is known here.
func (s *Store) UnendedSubscriptions(ctx context.Context, customer ObjectKey) (n int, err error) {
	const query = `
SELECT COUNT(*)
FROM subscriptions
WHERE account = $1 AND livemode = $2 AND stripe_customer_id = $3 AND COALESCE(status, '') NOT IN ('canceled', 'incomplete_expired')`
	err = s.reader.QueryRowContext(ctx, query, customer.Account, customer.Livemode, customer.ID).Scan(&n)
	return n, wrap(err, "count subscriptions that have not ended")
}

// ownJobs are the bulk operations of a user, but for those of another program. An EXISTS
// would let Postgres begin with the jobs of everybody.
const ownJobs = `
FROM batch_jobs AS j
WHERE j.user_id = $1 AND (SELECT i.job_id FROM batch_job_inputs AS i WHERE i.job_id = j.id) IS NOT NULL`

// countOfJobs counts the rows of a table that belong to them.
func countOfJobs(table string) string {
	return `SELECT CAST(COALESCE(SUM((SELECT COUNT(*) FROM ` + table + ` AS t WHERE t.job_id = j.id)), 0) AS BIGINT)` + ownJobs
}

// CountOfUser counts what is of a user of the application alone: what [Tx.ForgetJob] and
// [Tx.ForgetSessions] would delete, and the rows of the application, which stay.
func (s *Store) CountOfUser(ctx context.Context, userID string) (gone, kept map[string]int64, err error) {
	gone, kept = map[string]int64{}, map[string]int64{}
	count := func(counts map[string]int64, table, query string) error {
		var n int64
		if err := s.reader.QueryRowContext(ctx, query, userID).Scan(&n); err != nil {
			return fmt.Errorf("count %s of a user: %w", table, err)
		}
		counts[table] = n
		return nil
	}
	for table, query := range map[string]string{
		tableJobs:          `SELECT COUNT(*)` + ownJobs,
		"batch_job_items":  countOfJobs("batch_job_items"),
		"batch_job_inputs": countOfJobs("batch_job_inputs"),
		tableSessions:      `SELECT COUNT(*) FROM dashboard_sessions WHERE user_id = $1`,
	} {
		if err := count(gone, table, query); err != nil {
			return nil, nil, err
		}
	}
	for table, t := range s.tables {
		query := `SELECT COUNT(*) FROM ` + t.name + ` AS t WHERE ` + t.at("user_id") + ` = $1`
		if err := count(kept, string(table), query); err != nil {
			return nil, nil, err
		}
	}
	return gone, kept, nil
}

// JobOfUser returns a bulk operation of a user, one that has not ended if there is one:
// it may need what others have left. It is empty if there is none at all.
func (s *Store) JobOfUser(ctx context.Context, userID string) (id string, status quotekit.BatchStatus, err error) {
	const query = `SELECT j.id, j.status` + ownJobs + `
ORDER BY j.status IN ('pending', 'processing') DESC, j.id
LIMIT 1`
	type job struct {
		id     string
		status quotekit.BatchStatus
	}
	jobs, err := queryAll(ctx, s.reader, query, []any{userID}, func(r row) (j job, err error) {
		err = r.Scan(&j.id, &j.status)
		return j, err
	})
	if err != nil || len(jobs) == 0 {
		return "", "", wrap(err, "look for bulk operations of a user")
	}
	return jobs[0].id, jobs[0].status, nil
}

// ForgetJob deletes a bulk operation that has ended, with its items and what the rows
// were before. It counts what is gone, by table.
func (tx *Tx) ForgetJob(ctx context.Context, id string) (map[string]int64, error) {
	gone := map[string]int64{}
	for table, key := range map[string]string{"batch_job_items": "job_id", "batch_job_inputs": "job_id", tableJobs: "id"} {
		n, err := tx.deletes(ctx, `DELETE FROM `+table+` WHERE `+key+` = $1`, id)
		if err != nil {
			return nil, fmt.Errorf("forget bulk operation %s: %w", id, err)
		}
		gone[table] = n
	}
	return gone, nil
}

// ForgetSessions ends the sessions of the dashboard that a user has, and deletes them.
func (tx *Tx) ForgetSessions(ctx context.Context, userID string) (map[string]int64, error) {
	n, err := tx.deletes(ctx, `DELETE FROM dashboard_sessions WHERE user_id = $1`, userID)
	return map[string]int64{tableSessions: n}, wrap(err, "forget sessions of a user")
}

// SetTaskReport writes what a task has found, in the transaction of its step.
func (tx *Tx) SetTaskReport(ctx context.Context, id string, report []byte) error {
	const update = `UPDATE webhook_tasks SET report = $1 WHERE id = $2`
	return wrap(tx.run(ctx, update, string(report), id), "report on task "+id)
}
