package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

// OwnedBatch is a bulk operation and whose it is.
type OwnedBatch struct {
	BatchJob
	UserID string
	// LeaseUntil is until when somebody works on it; it is prolonged while they do.
	LeaseUntil *time.Time
	// Foreign is one of another program, which has the table of the user's document, too.
	Foreign bool
}

var selectOwnedBatches = strings.Replace(selectBatches, "\nFROM batch_jobs", `,
  user_id, lease_until, NOT EXISTS (SELECT 1 FROM batch_job_inputs AS i WHERE i.job_id = batch_jobs.id)
FROM batch_jobs`, 1)

func scanOwnedBatch(r row) (o OwnedBatch, err error) {
	o.BatchJob, err = scanBatch(withMore{r, []any{&o.UserID, &o.LeaseUntil, &o.Foreign}})
	return o, err
}

// withMore is a row with columns behind those that its scanner knows.
type withMore struct {
	row
	more []any
}

func (w withMore) Scan(into ...any) error { return w.row.Scan(append(into, w.more...)...) }

// AllBatchFilter selects bulk operations of all users; what is empty does not restrict.
type AllBatchFilter struct {
	Operation, Status, UserID string
	// Unfinished leaves out jobs that have ended.
	Unfinished bool
	// From and To bound created_at: From is in the range, To is not.
	From, To *time.Time
}

// AllBatchJobs lists bulk operations of all users, newest first.
func (s *Store) AllBatchJobs(ctx context.Context, f AllBatchFilter, p Page) (jobs []OwnedBatch, cursor string, err error) {
	var q filter
	q.equal("user_id", f.UserID)
	q.equal("operation_type", f.Operation)
	q.equal("status", f.Status)
	if f.Unfinished {
		q.add("status IN ('pending', 'processing')")
	}
	if f.From != nil {
		q.add("created_at >= %s", f.From.UTC())
	}
	if f.To != nil {
		q.add("created_at < %s", f.To.UTC())
	}
	end, limit, err := q.page(p, "created_at", "id")
	if err != nil {
		return nil, "", err
	}
	jobs, err = queryAll(ctx, s.reader, selectOwnedBatches+end, q.args, scanOwnedBatch)
	if err != nil {
		return nil, "", wrap(err, "list batch jobs")
	}
	jobs, cursor = next(jobs, limit, func(j OwnedBatch) position { return position{j.CreatedAt, j.ID} })
	return jobs, cursor, s.countOwnedFailures(ctx, jobs)
}

// AnyBatchJob reads a bulk operation, whosever it is. It fails with
// [quotekit.ENotFound].
func (s *Store) AnyBatchJob(ctx context.Context, id string) (OwnedBatch, error) {
	j, err := scanOwnedBatch(s.reader.QueryRowContext(ctx, selectOwnedBatches+` WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return j, quotekit.Errorf(quotekit.ENotFound, "there is no batch job %s", id)
	}
	if err != nil {
		return j, wrap(err, "read batch job "+id)
	}
	jobs := []OwnedBatch{j}
	err = s.countOwnedFailures(ctx, jobs)
	return jobs[0], err
}

func (s *Store) countOwnedFailures(ctx context.Context, jobs []OwnedBatch) error {
	plain := make([]BatchJob, len(jobs))
	for i, j := range jobs {
		plain[i] = j.BatchJob
	}
	err := s.countFailures(ctx, plain)
	for i := range jobs {
		jobs[i].BatchJob = plain[i]
	}
	return err
}
