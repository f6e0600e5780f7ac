package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/quotekit/quotekit"
)

// BatchJob is a job as its owner sees it.
type BatchJob struct {
	ID              string
	Operation       string
	Status          quotekit.BatchStatus
	DryRun          bool
	Options         json.RawMessage
	Total           int
	Processed       int
	Failed          int
	Skipped         int
	ProgressPercent int
	ExecutionTimeMS *int64
	// Failures is how many items failed, by code.
	Failures map[quotekit.ItemCode]int
	// Message says why a failed job could not run.
	Message     string
	ParentID    string
	CreatedAt   time.Time
	StartedAt   *time.Time
	CompletedAt *time.Time
	// Revision grows with every change of the job.
	Revision int64
}

// Succeeded is how many items were done.
func (j BatchJob) Succeeded() int { return j.Processed - j.Failed - j.Skipped }

const selectBatches = `
SELECT id, operation_type, status, dry_run, options, total_items, processed_items, failed_items, skipped_items,
  progress_percent, execution_time_ms, error_details, parent_id, created_at, started_at, completed_at, revision
FROM batch_jobs`

func scanBatch(r row) (BatchJob, error) {
	var (
		j                        BatchJob
		options, details, parent sql.NullString
		created                  sql.NullTime // the document allows NULL
	)
	err := r.Scan(&j.ID, &j.Operation, &j.Status, &j.DryRun, &options, &j.Total, &j.Processed, &j.Failed, &j.Skipped,
		&j.ProgressPercent, &j.ExecutionTimeMS, &details, &parent, &created, &j.StartedAt, &j.CompletedAt, &j.Revision)
	if err != nil {
		return j, err
	}
	j.ParentID, j.CreatedAt = parent.String, created.Time
	j.Options = rawJSON(options)
	j.Failures, j.Message = readDetails(details.String)
	return j, nil
}

// readDetails reads error_details: counts by code, and perhaps a message. The
// job of another program may hold anything there, which is not shown.
func readDetails(text string) (failures map[quotekit.ItemCode]int, message string) {
	var raw map[string]any
	if json.Unmarshal([]byte(text), &raw) != nil {
		return nil, ""
	}
	failures = map[quotekit.ItemCode]int{}
	for key, v := range raw {
		switch v := v.(type) {
		case float64:
			failures[quotekit.ItemCode(key)] = int(v)
		case string:
			if key == "message" {
				message = v
			}
		}
	}
	return failures, message
}

// BatchJob reads a job of a user. It fails with [quotekit.ENotFound], also for a
// job of somebody else.
func (s *Store) BatchJob(ctx context.Context, userID, id string) (BatchJob, error) {
	j, err := scanBatch(s.reader.QueryRowContext(ctx, selectBatches+` WHERE id = $1 AND user_id = $2`, id, userID))
	if errors.Is(err, sql.ErrNoRows) {
		return j, quotekit.Errorf(quotekit.ENotFound, "there is no batch job %s", id)
	}
	if err != nil {
		return j, wrap(err, "read batch job "+id)
	}
	jobs := []BatchJob{j}
	err = s.countFailures(ctx, jobs)
	return jobs[0], err
}

// BatchFilter selects jobs; what is empty does not restrict.
type BatchFilter struct {
	Operation, Status string
}

// BatchJobs lists the jobs of a user, newest first.
func (s *Store) BatchJobs(ctx context.Context, userID string, f BatchFilter, p Page) (jobs []BatchJob, cursor string, err error) {
	var q filter
	q.equal("user_id", userID)
	q.equal("operation_type", f.Operation)
	q.equal("status", f.Status)
	end, limit, err := q.page(p, "created_at", "id")
	if err != nil {
		return nil, "", err
	}
	jobs, err = queryAll(ctx, s.reader, selectBatches+end, q.args, scanBatch)
	if err != nil {
		return nil, "", wrap(err, "list batch jobs")
	}
	jobs, cursor = next(jobs, limit, func(j BatchJob) position { return position{j.CreatedAt, j.ID} })
	return jobs, cursor, s.countFailures(ctx, jobs)
}

// countFailures counts the failures of jobs that are not finished, whose
// error_details are not written yet.
func (s *Store) countFailures(ctx context.Context, jobs []BatchJob) error {
	at := map[string]*BatchJob{}
	var ids []string
	for i, j := range jobs {
		if j.Failed > 0 && !j.Status.Finished() {
			at[j.ID] = &jobs[i]
			jobs[i].Failures = map[quotekit.ItemCode]int{}
			ids = append(ids, j.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	text := `SELECT job_id, error_code, COUNT(*) FROM batch_job_items WHERE ` + s.dialect.among("job_id", "$1") +
		` AND outcome = 'failed' GROUP BY job_id, error_code`
	type count struct {
		job, code string
		n         int
	}
	counts, err := queryAll(ctx, s.reader, text, []any{s.dialect.idsArgument(ids)}, func(r row) (count, error) {
		var c count
		err := r.Scan(&c.job, &c.code, &c.n)
		return c, err
	})
	for _, c := range counts {
		at[c.job].Failures[quotekit.ItemCode(c.code)] = c.n
	}
	return wrap(err, "count failures of batch jobs")
}

// BatchItems reads the items of a user's job that have an outcome, from a
// position on, in the order of the request; at most limit.
func (s *Store) BatchItems(ctx context.Context, userID, jobID string, outcome quotekit.Outcome, from, limit int) ([]ItemResult, error) {
	var q filter
	q.add("i.job_id = %s", jobID)
	q.add("j.user_id = %s", userID)
	q.add("i.position >= %s", from)
	q.equal("i.outcome", string(outcome))
	items, err := queryAll(ctx, s.reader, selectItems+q.where()+` ORDER BY i.position LIMIT `+q.mark(limit), q.args, scanItem)
	return items, wrap(err, "read results of batch job "+jobID)
}

// ParentItems reads the items of a job at some positions, for an undo.
func (tx *Tx) ParentItems(ctx context.Context, userID, jobID string, from, to int) (map[int]ItemResult, error) {
	items := map[int]ItemResult{}
	const where = ` WHERE i.job_id = $1 AND j.user_id = $2 AND i.position BETWEEN $3 AND $4`
	err := tx.returning(ctx, selectItems+where, func(r row) error {
		item, err := scanItem(r)
		items[item.Position] = item
		return err
	}, jobID, userID, from, to)
	return items, wrap(err, "read items of batch job "+jobID)
}

const selectItems = `
SELECT i.position, COALESCE(CAST(i.item_id AS TEXT), ''), i.outcome, COALESCE(i.error_code, ''), COALESCE(i.error_message, ''),
  COALESCE(CAST(i.before_image AS TEXT), ''), COALESCE(CAST(i.after_image AS TEXT), ''),
  COALESCE(CAST(i.related AS TEXT), '')
FROM batch_job_items AS i
JOIN batch_jobs AS j ON j.id = i.job_id`

func scanItem(r row) (ItemResult, error) {
	var (
		item                   ItemResult
		before, after, related string
	)
	err := r.Scan(&item.Position, &item.ItemID, &item.Outcome, &item.Code, &item.Message, &before, &after, &related)
	if err == nil && related != "" {
		err = json.Unmarshal([]byte(related), &item.Related)
	}
	if before != "" {
		item.Before = Image(before)
	}
	if after != "" {
		item.After = Image(after)
	}
	return item, err
}

// CleanBatches deletes at most limit jobs that ended before a time, with their
// items, and returns how many. A job that is still being undone or retried stays,
// and so does one of another program.
func (s *Store) CleanBatches(ctx context.Context, before time.Time, limit int) (int, error) {
	const old = `
SELECT j.id
FROM batch_jobs AS j
WHERE j.status IN ('completed', 'failed', 'cancelled') AND j.completed_at < $1
  AND EXISTS (SELECT 1 FROM batch_job_inputs AS i WHERE i.job_id = j.id)
  AND NOT EXISTS (SELECT 1 FROM batch_jobs AS c WHERE c.parent_id = j.id AND c.status IN ('pending', 'processing'))
ORDER BY j.completed_at
LIMIT $2`
	var ids []string
	err := s.WithTx(ctx, func(tx *Tx) error {
		ids = nil
		err := tx.returning(ctx, old, func(r row) error {
			var id string
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		}, before.UTC(), limit)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, table := range []string{"batch_job_items", "batch_job_inputs"} {
			if err := tx.run(ctx, `DELETE FROM `+table+` WHERE `+tx.dialect.among("job_id", "$1"), tx.dialect.idsArgument(ids)); err != nil {
				return err
			}
		}
		return tx.run(ctx, `DELETE FROM batch_jobs WHERE `+tx.dialect.among("id", "$1"), tx.dialect.idsArgument(ids))
	})
	return len(ids), wrap(err, "delete old batch jobs")
}
