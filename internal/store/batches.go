package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

// The actions of the audit trail that are operators' on jobs of users.
const (
	AuditBatchCancel = "batch_job.cancel"
	AuditBatchRetry  = "batch_job.retry_failed"
	AuditBatchUndo   = "batch_job.undo"
)

// NewBatch is a job to be inserted.
type NewBatch struct {
	ID, UserID, Operation string
	Options               json.RawMessage
	// Items are the items of the request, a JSON array of Total elements.
	Items    json.RawMessage
	Total    int
	DryRun   bool
	ParentID string
	// IdempotencyKey and RequestHash may be empty, both or none.
	IdempotencyKey, RequestHash string
	RequestID                   string
	// Owner claims the job at once, if it is not empty.
	Owner string
}

// LeaseTime is how long a claim holds without renewal.
const LeaseTime = 6 * time.Second

// InsertBatch inserts a job. It reports false, and has inserted nothing, if the
// user has one with the same idempotency key.
func (tx *Tx) InsertBatch(ctx context.Context, b NewBatch) (bool, error) {
	const insert = `
INSERT INTO batch_jobs (id, user_id, operation_type, total_items, status, request_id, options, created_at, dry_run, parent_id,
  idempotency_key, request_hash, started_at, revision, fence, lease_owner, lease_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, $15, $16)
ON CONFLICT (user_id, idempotency_key) DO NOTHING`
	status, fence := quotekit.BatchPending, 0
	var started, until any
	if b.Owner != "" {
		status, fence, started, until = quotekit.BatchProcessing, 1, tx.Now, tx.Now.Add(LeaseTime)
	}
	result, err := tx.ExecContext(ctx, insert, b.ID, b.UserID, b.Operation, b.Total, string(status), b.RequestID, string(b.Options),
		tx.Now, b.DryRun, null(b.ParentID), null(b.IdempotencyKey), null(b.RequestHash), started, fence, null(b.Owner), until)
	inserted, err := changedOne(result, err, "insert batch job")
	if err != nil || !inserted {
		return false, err
	}
	const input = `INSERT INTO batch_job_inputs (job_id, items) VALUES ($1, $2)`
	return true, wrap(tx.run(ctx, input, b.ID, string(b.Items)), "insert batch job")
}

// BatchByKey finds the job with an idempotency key, and the hash of the request
// that made it. It fails with [quotekit.ENotFound].
func (s *Store) BatchByKey(ctx context.Context, userID, key string) (id, requestHash string, err error) {
	const find = `SELECT id, request_hash FROM batch_jobs WHERE user_id = $1 AND idempotency_key = $2`
	err = s.reader.QueryRowContext(ctx, find, userID, key).Scan(&id, &requestHash)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", quotekit.Errorf(quotekit.ENotFound, "there is no batch job with this key")
	}
	return id, requestHash, wrap(err, "find batch job by key")
}

// ClaimBatch takes a job that nobody works on, and returns the fence number that
// everything done on its behalf is tied to. ok is false if somebody else was
// faster, or the job is finished. On SQLite, where there is no other process,
// force takes it from whoever else had it.
func (tx *Tx) ClaimBatch(ctx context.Context, id, owner string, force bool) (fence int64, ok bool, err error) {
	const claim = `
UPDATE batch_jobs
SET fence = fence + 1, lease_owner = $1, lease_until = $2, status = 'processing', started_at = COALESCE(started_at, $3),
  revision = revision + 1
WHERE id = $4 AND status IN ('pending', 'processing') AND (lease_until IS NULL OR lease_until < $3 OR ($5 AND lease_owner <> $1))
RETURNING fence`
	err = tx.QueryRowContext(ctx, claim, owner, tx.Now.Add(LeaseTime), tx.Now, id, force).Scan(&fence)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return fence, err == nil, wrap(err, "claim batch job "+id)
}

// ReleaseBatches gives up the claims of an owner, so that others need not wait
// for them to run out.
func (s *Store) ReleaseBatches(ctx context.Context, owner string) error {
	const release = `
UPDATE batch_jobs SET lease_owner = NULL, lease_until = NULL
WHERE status IN ('pending', 'processing') AND lease_owner = $1`
	return s.WithTx(ctx, func(tx *Tx) error { return wrap(tx.run(ctx, release, owner), "release batch jobs") })
}

// RenewLeases prolongs the claims of an owner on some jobs.
func (s *Store) RenewLeases(ctx context.Context, owner string, ids []string) error {
	renew := `
UPDATE batch_jobs SET lease_until = $1
WHERE status IN ('pending', 'processing') AND lease_owner = $2 AND ` + s.dialect.among("id", "$3")
	return s.WithTx(ctx, func(tx *Tx) error {
		err := tx.run(ctx, renew, tx.Now.Add(LeaseTime), owner, s.dialect.idsArgument(ids))
		return wrap(err, "renew leases of batch jobs")
	})
}

// ClaimableBatches lists jobs that nobody works on: the oldest of every user,
// then the second of every user, and so on. With force it lists those that
// somebody other than the owner has a claim on as well. Jobs that another
// program made, in the table of the user's document, have no input and are not
// ours.
func (s *Store) ClaimableBatches(ctx context.Context, owner string, limit int, force bool) ([]string, error) {
	const list = `
SELECT id
FROM (
  SELECT j.id, j.created_at, ROW_NUMBER() OVER (PARTITION BY j.user_id ORDER BY j.created_at, j.id) AS turn
  FROM batch_jobs AS j
  WHERE j.status IN ('pending', 'processing') AND (j.lease_until IS NULL OR j.lease_until < $1 OR ($2 AND j.lease_owner <> $3))
    AND EXISTS (SELECT 1 FROM batch_job_inputs AS i WHERE i.job_id = j.id)
) AS waiting
ORDER BY turn, created_at, id
LIMIT $4`
	ids, err := queryAll(ctx, s.reader, list, []any{s.instant(), force, owner, limit}, func(r row) (string, error) {
		var id string
		err := r.Scan(&id)
		return id, err
	})
	return ids, wrap(err, "list waiting batch jobs")
}

// BoundLockWait ends statements of the transaction that wait longer for a lock;
// see [IsLockTimeout]. SQLite has no locks of rows.
func (tx *Tx) BoundLockWait(ctx context.Context, wait time.Duration) error {
	if tx.dialect == SQLite {
		return nil
	}
	return tx.run(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", wait.Milliseconds()))
}

// BatchWork is what a worker needs to know of a job.
type BatchWork struct {
	ID, UserID, Operation, ParentID string
	Options, Items                  json.RawMessage
	DryRun                          bool
	Status                          quotekit.BatchStatus
	Fence                           int64
	// Done are the positions that have an outcome.
	Done map[int]bool
}

// BatchWork reads a job with what is done of it. It fails with
// [quotekit.ENotFound].
func (s *Store) BatchWork(ctx context.Context, id string) (BatchWork, error) {
	const read = `
SELECT j.id, j.user_id, j.operation_type, COALESCE(CAST(j.parent_id AS TEXT), ''), CAST(j.options AS TEXT), i.items, j.dry_run, j.status, j.fence
FROM batch_jobs AS j
JOIN batch_job_inputs AS i ON i.job_id = j.id
WHERE j.id = $1`
	w := BatchWork{Done: map[int]bool{}}
	var options, items string
	err := s.reader.QueryRowContext(ctx, read, id).Scan(&w.ID, &w.UserID, &w.Operation, &w.ParentID, &options, &items, &w.DryRun, &w.Status, &w.Fence)
	if errors.Is(err, sql.ErrNoRows) {
		return w, quotekit.Errorf(quotekit.ENotFound, "there is no batch job %s", id)
	}
	if err != nil {
		return w, wrap(err, "read batch job "+id)
	}
	w.Options, w.Items = json.RawMessage(options), json.RawMessage(items)
	const done = `SELECT position FROM batch_job_items WHERE job_id = $1`
	positions, err := queryAll(ctx, s.reader, done, []any{id}, func(r row) (int, error) {
		var p int
		err := r.Scan(&p)
		return p, err
	})
	for _, p := range positions {
		w.Done[p] = true
	}
	return w, wrap(err, "read batch job "+id)
}

// ItemResult is what became of one item.
type ItemResult struct {
	Position int
	// ItemID is empty for an object that was not created.
	ItemID  string
	Outcome quotekit.Outcome
	Code    quotekit.ItemCode
	Message string
	// Before and After are the row, or its columns that changed.
	Before, After Image
	// Related are the quotes of a deleted client.
	Related []string
}

// AdvanceBatch records what became of items, and adds it to the counters of the
// job. It must come last in the transaction. It reports false, and the
// transaction has to be given up, if the job is not processing under the fence
// number any more.
func (tx *Tx) AdvanceBatch(ctx context.Context, jobID string, fence int64, results []ItemResult) (ok bool, err error) {
	if err := tx.insertResults(ctx, jobID, results, ""); err != nil {
		return false, wrap(err, "record outcomes")
	}
	failed, skipped := 0, 0
	for _, r := range results {
		switch r.Outcome {
		case quotekit.Failed:
			failed++
		case quotekit.Skipped:
			skipped++
		}
	}
	// A finished job shows how often each code occurred; a separate statement
	// below fills it in, since it has to count what other chunks have recorded.
	const advance = `
UPDATE batch_jobs
SET processed_items = processed_items + $1,
  failed_items = failed_items + $2,
  skipped_items = skipped_items + $3,
  progress_percent = (processed_items + $1) * 100 / total_items,
  status = CASE WHEN processed_items + $1 >= total_items THEN 'completed' ELSE status END,
  completed_at = CASE WHEN processed_items + $1 >= total_items THEN $4 ELSE completed_at END,
  revision = revision + 1
WHERE id = $5 AND fence = $6 AND status = 'processing'
RETURNING status, failed_items, started_at`
	var (
		status   quotekit.BatchStatus
		failures int
		started  time.Time
	)
	found := false
	err = tx.returning(ctx, advance, func(r row) error {
		found = true
		return r.Scan(&status, &failures, &started)
	}, len(results), failed, skipped, tx.Now, jobID, fence)
	if err != nil || !found {
		return false, wrap(err, "advance batch job "+jobID)
	}
	if status != quotekit.BatchCompleted {
		return true, nil
	}
	return true, tx.closeBatch(ctx, jobID, started, failures > 0, "")
}

// EndBatch ends a job early, as cancelled or failed, and records what it did not
// reach as unprocessed, with the ids of its items as far as they are known. It
// must come last in the transaction. It reports false, and the transaction has to
// be given up, if the job is finished already. With a fence number it ends the job
// only for the attempt of that number.
func (tx *Tx) EndBatch(ctx context.Context, work BatchWork, status quotekit.BatchStatus, message string, itemIDs []string, fence int64) (bool, error) {
	total := 0
	const size = `SELECT total_items FROM batch_jobs WHERE id = $1`
	err := tx.returning(ctx, size, func(r row) error { return r.Scan(&total) }, work.ID)
	if err != nil {
		return false, wrap(err, "end batch job "+work.ID)
	}
	done := map[int]bool{}
	const positions = `SELECT position FROM batch_job_items WHERE job_id = $1`
	err = tx.returning(ctx, positions, func(r row) error {
		var p int
		err := r.Scan(&p)
		done[p] = true
		return err
	}, work.ID)
	if err != nil {
		return false, wrap(err, "end batch job "+work.ID)
	}
	var rest []ItemResult
	for p := range total {
		if done[p] {
			continue
		}
		item := ItemResult{Position: p, Outcome: quotekit.Unprocessed}
		if p < len(itemIDs) {
			item.ItemID = itemIDs[p]
		}
		rest = append(rest, item)
	}
	// In the order of a chunk: outcomes first, and then the job. A chunk that has
	// recorded its outcomes is waited for; one that has not will wait, and then find
	// them taken. In the other order each would wait for the other.
	if err := tx.insertResults(ctx, work.ID, rest, "ON CONFLICT (job_id, position) DO NOTHING"); err != nil {
		return false, wrap(err, "record unprocessed items")
	}
	const end = `
UPDATE batch_jobs
SET status = $1, completed_at = $2, revision = revision + 1, lease_owner = NULL, lease_until = NULL
WHERE id = $3 AND status IN ('pending', 'processing') AND (CAST($4 AS BIGINT) = 0 OR fence = $4)
RETURNING failed_items, started_at`
	var (
		failures int
		started  *time.Time
	)
	found := false
	err = tx.returning(ctx, end, func(r row) error {
		found = true
		return r.Scan(&failures, &started)
	}, string(status), tx.Now, work.ID, fence)
	if err != nil || !found {
		return false, wrap(err, "end batch job "+work.ID)
	}
	if started == nil {
		started = &tx.Now
	}
	return true, tx.closeBatch(ctx, work.ID, *started, failures > 0, message)
}

// closeBatch fills in what is known at the end of a job.
func (tx *Tx) closeBatch(ctx context.Context, jobID string, started time.Time, failures bool, message string) error {
	var details any
	if failures || message != "" {
		d := map[string]any{}
		if message != "" {
			d["message"] = message
		}
		const count = `SELECT error_code, COUNT(*) FROM batch_job_items WHERE job_id = $1 AND outcome = 'failed' GROUP BY error_code`
		err := tx.returning(ctx, count, func(r row) error {
			var code string
			var n int
			err := r.Scan(&code, &n)
			d[code] = n
			return err
		}, jobID)
		if err != nil {
			return wrap(err, "count failures")
		}
		b, err := json.Marshal(d)
		if err != nil {
			return err
		}
		details = string(b)
	}
	const finish = `
UPDATE batch_jobs
SET error_details = $1, execution_time_ms = $2, lease_owner = NULL, lease_until = NULL
WHERE id = $3`
	return wrap(tx.run(ctx, finish, details, tx.Now.Sub(started).Milliseconds(), jobID), "close batch job "+jobID)
}

const insertResults = `
INSERT INTO batch_job_items (job_id, position, item_id, outcome, error_code, error_message, before_image, after_image, related)`

// insertResults records outcomes in the order of their positions, so that no two
// transactions wait for each other. suffix is an ON CONFLICT clause.
func (tx *Tx) insertResults(ctx context.Context, jobID string, results []ItemResult, suffix string) error {
	results = slices.SortedFunc(slices.Values(results), func(a, b ItemResult) int { return a.Position - b.Position })
	if tx.dialect == Postgres {
		return tx.insertResultArrays(ctx, jobID, results, suffix)
	}
	// Most items of most jobs succeed, and then half of the columns are alike: many
	// rows of the others at once take half the time of a loop over single rows.
	for len(results) >= plainRows && !slices.ContainsFunc(results[:plainRows], ItemResult.special) {
		args := []any{jobID}
		for _, r := range results[:plainRows] {
			args = append(args, r.Position, null(r.ItemID), null(string(r.Before)), null(string(r.After)))
		}
		if err := tx.run(ctx, insertPlainResults, args...); err != nil {
			return err
		}
		results = results[plainRows:]
	}
	rows := make([][]any, len(results))
	for i, r := range results {
		related, err := r.related()
		if err != nil {
			return err
		}
		rows[i] = []any{
			jobID, r.Position, null(r.ItemID), string(r.Outcome), null(string(r.Code)), null(r.Message),
			null(string(r.Before)), null(string(r.After)), null(related),
		}
	}
	return tx.multiRow(ctx, insertResults, "", 9, rows, nil)
}

// plainRows is how many rows insertPlainResults inserts, half a chunk.
const plainRows = 25

// special reports whether r has more to tell than that it succeeded.
func (r ItemResult) special() bool { return r.Outcome != quotekit.Succeeded || len(r.Related) > 0 }

var insertPlainResults = `
INSERT INTO batch_job_items (job_id, outcome, position, item_id, before_image, after_image)
SELECT ?, 'succeeded', column1, column2, column3, column4
FROM (VALUES (?, ?, ?, ?)` + strings.Repeat(", (?, ?, ?, ?)", plainRows-1) + `)`

// insertResultArrays is one statement for any number of rows: columns as arrays.
func (tx *Tx) insertResultArrays(ctx context.Context, jobID string, results []ItemResult, suffix string) error {
	const text = insertResults + `
SELECT $1, a.position, a.item_id, a.outcome, a.code, a.message, a.before_image::JSON, a.after_image::JSON, a.related::JSON
FROM unnest($2::INTEGER[], $3::UUID[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TEXT[], $9::TEXT[])
  AS a (position, item_id, outcome, code, message, before_image, after_image, related)
`
	positions := make([]int, len(results))
	columns := make([][]*string, 7)
	for i, r := range results {
		related, err := r.related()
		if err != nil {
			return err
		}
		positions[i] = r.Position
		values := [7]string{
			r.ItemID, string(r.Outcome), string(r.Code), r.Message, string(r.Before), string(r.After), related,
		}
		for c, v := range values {
			if v == "" {
				columns[c] = append(columns[c], nil)
			} else {
				columns[c] = append(columns[c], &v)
			}
		}
	}
	args := []any{jobID, positions}
	for _, c := range columns {
		args = append(args, c)
	}
	return tx.run(ctx, text+suffix, args...)
}

// related is the list of related ids as JSON, or "".
func (r ItemResult) related() (string, error) {
	if len(r.Related) == 0 {
		return "", nil
	}
	b, err := json.Marshal(r.Related)
	return string(b), err
}
