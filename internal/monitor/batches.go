package monitor

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// BatchJobs lists bulk operations of all users, the newest first.
func (r *Reads) BatchJobs(ctx context.Context, f BatchQuery, p store.Page) (BatchJobs, error) {
	jobs, cursor, err := r.Store.AllBatchJobs(ctx, store.AllBatchFilter{
		Status: f.Status, Operation: f.Operation, UserID: f.UserID, Unfinished: f.Running, From: f.From, To: f.To,
	}, p)
	list := BatchJobs{Items: make([]BatchJobItem, len(jobs)), NextCursor: given(cursor)}
	for i, j := range jobs {
		list.Items[i] = batchItem(j, r.Now())
	}
	return list, err
}

// BatchJob reads a bulk operation. It fails with [quotekit.ENotFound].
func (r *Reads) BatchJob(ctx context.Context, id string) (BatchJobItem, error) {
	j, err := r.Store.AnyBatchJob(ctx, id)
	if err != nil {
		return BatchJobItem{}, err
	}
	return batchItem(j, r.Now()), nil
}

// stalledAfter is how long nobody works on a job that should run before it counts as
// stalled.
const stalledAfter = time.Minute

func batchItem(j store.OwnedBatch, now time.Time) BatchJobItem {
	b := BatchJobItem{
		ID: j.ID, UserID: j.UserID, Operation: j.Operation, Status: string(j.Status), DryRun: j.DryRun, ParentID: given(j.ParentID),
		TotalItems: j.Total, ProcessedItems: j.Processed, SucceededItems: j.Succeeded(), FailedItems: j.Failed, SkippedItems: j.Skipped,
		UnprocessedItems: j.Total - j.Processed, ProgressPercent: j.ProgressPercent, ErrorMessage: given(j.Message),
		ErrorGroups: []BatchErrorCount{}, CreatedAt: j.CreatedAt, StartedAt: j.StartedAt, CompletedAt: j.CompletedAt,
	}
	for code, n := range j.Failures {
		b.ErrorGroups = append(b.ErrorGroups, BatchErrorCount{string(code), n})
	}
	slices.SortFunc(b.ErrorGroups, func(a, b BatchErrorCount) int {
		return cmp.Or(cmp.Compare(b.Items, a.Items), cmp.Compare(a.ErrorCode, b.ErrorCode))
	})
	if j.StartedAt != nil {
		end := now
		if j.CompletedAt != nil {
			end = *j.CompletedAt
		}
		if took := end.Sub(*j.StartedAt).Seconds(); took > 0 {
			rate := float64(j.Processed) / took
			b.ItemsPerSecond = &rate
		}
	}
	if rate := b.ItemsPerSecond; rate != nil && *rate > 0 && j.Status == quotekit.BatchProcessing {
		remaining := float64(b.UnprocessedItems) / *rate
		b.RemainingSeconds = &remaining
	}
	b.Stalled = !j.Foreign && !j.Status.Finished() && now.Sub(lastWork(j)) > stalledAfter
	return b
}

// lastWork is when somebody has worked on a job last: who does prolongs the lease.
func lastWork(j store.OwnedBatch) time.Time {
	last := j.CreatedAt
	if j.StartedAt != nil && j.StartedAt.After(last) {
		last = *j.StartedAt
	}
	if j.LeaseUntil != nil && j.LeaseUntil.Add(-store.LeaseTime).After(last) {
		last = j.LeaseUntil.Add(-store.LeaseTime)
	}
	return last
}
