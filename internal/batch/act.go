package batch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// cancelWait is how long a cancel waits for a chunk that is being committed: long
// but for one whose process was stopped right there.
const cancelWait = 5 * time.Second

// Cancel ends a job after the chunks that are being committed. A finished job
// stays as it is.
func (s *Service) Cancel(ctx context.Context, c Caller, jobID string) (store.BatchJob, error) {
	job, err := s.store.BatchJob(ctx, c.UserID, jobID)
	if err != nil || job.Status.Finished() {
		return job, err
	}
	work, err := s.store.BatchWork(ctx, jobID)
	if quotekit.CodeOf(err) == quotekit.ENotFound {
		return job, errForeign(jobID)
	}
	if err != nil {
		return job, err
	}
	ids := make([]string, job.Total)
	if p, err := s.catalog.plan(work); err == nil { // else it ends without the ids of its items
		ids = p.itemIDs()
	}
	err = s.store.WithTx(ctx, func(tx *store.Tx) error {
		if err := tx.BoundLockWait(ctx, cancelWait); err != nil {
			return err
		}
		ended, err := tx.EndBatch(ctx, work, quotekit.BatchCancelled, "", ids, 0)
		if err == nil && !ended {
			return errFenced // it has ended meanwhile
		}
		if err != nil {
			return err
		}
		return c.audit(ctx, tx, store.AuditBatchCancel, jobID, nil)
	})
	if err != nil && !errors.Is(err, errFenced) {
		return job, err
	}
	s.runner.schedule.drop(jobID)
	s.watchers.tell(jobID)
	return s.store.BatchJob(ctx, c.UserID, jobID)
}

// errForeign refuses to act on a job of another program that has the table of
// the user's document, too: its items are not known.
func errForeign(jobID string) error {
	return quotekit.Errorf(quotekit.EConflict, "batch job %s is another program's", jobID)
}

// RetryFailed submits a new job with the failed items of a finished one, and, if
// that could not run, with those it did not reach.
func (s *Service) RetryFailed(ctx context.Context, c Caller, jobID string) (store.BatchJob, bool, error) {
	job, err := s.finished(ctx, c, jobID)
	if err != nil {
		return job, false, err
	}
	work, err := s.store.BatchWork(ctx, jobID)
	if quotekit.CodeOf(err) == quotekit.ENotFound {
		return job, false, errForeign(jobID)
	}
	if err != nil {
		return job, false, err
	}
	results, err := s.store.BatchItems(ctx, c.UserID, jobID, "", 0, quotekit.MaxBatchItems)
	if err != nil {
		return job, false, err
	}
	var all []json.RawMessage
	if err := json.Unmarshal(work.Items, &all); err != nil {
		return job, false, fmt.Errorf("read the items of batch job %s: %w", jobID, err)
	}
	r := request{
		operation: work.Operation, options: work.Options, dryRun: work.DryRun, parent: jobID, hash: hashOf("retry-failed "+jobID, nil),
		audited: store.AuditBatchRetry, target: jobID,
	}
	var items []json.RawMessage
	for _, item := range results {
		again := item.Outcome == quotekit.Failed || (job.Status == quotekit.BatchFailed && item.Outcome == quotekit.Unprocessed)
		if again && item.Position < len(all) {
			items = append(items, all[item.Position])
		}
	}
	if len(items) == 0 {
		return job, false, quotekit.Errorf(quotekit.EConflict, "batch job %s has no failed items", jobID)
	}
	if r.total, r.items, err = marshalItems(items); err != nil {
		return job, false, err
	}
	if work.Operation == UndoOperation {
		r.parent = work.ParentID // whose before-images it needs
	}
	return s.insert(ctx, c, r)
}

// Undo submits a new job that takes back what a finished one has done.
func (s *Service) Undo(ctx context.Context, c Caller, jobID string, dryRun bool) (store.BatchJob, bool, error) {
	job, err := s.finished(ctx, c, jobID)
	if err != nil {
		return job, false, err
	}
	operation := s.catalog.byName[job.Operation]
	switch {
	case job.Operation == UndoOperation:
		return job, false, quotekit.Errorf(quotekit.EConflict, "batch job %s is an undo itself; submit the operation again", jobID)
	case job.DryRun || operation.Kind == quotekit.OperationExport:
		return job, false, quotekit.Errorf(quotekit.EConflict, "batch job %s has changed nothing", jobID)
	case job.Succeeded() == 0:
		return job, false, quotekit.Errorf(quotekit.EConflict, "batch job %s has no succeeded items", jobID)
	}
	results, err := s.store.BatchItems(ctx, c.UserID, jobID, quotekit.Succeeded, 0, quotekit.MaxBatchItems)
	if err != nil {
		return job, false, err
	}
	if len(results) == 0 {
		return job, false, quotekit.Errorf(quotekit.EConflict, "what batch job %s has done is not recorded", jobID)
	}
	r := request{
		operation: UndoOperation, dryRun: dryRun, parent: jobID, hash: hashOf(fmt.Sprint("undo ", jobID, dryRun), nil),
		audited: store.AuditBatchUndo, target: jobID,
	}
	if r.options, err = json.Marshal(undoOptions{Operation: job.Operation}); err != nil {
		return job, false, err
	}
	items := make([]undoItem, len(results))
	for i, item := range results {
		items[i] = undoItem{Position: item.Position, ItemID: item.ItemID}
	}
	if r.total, r.items, err = marshalItems(items); err != nil {
		return job, false, err
	}
	return s.insert(ctx, c, r)
}

func marshalItems[T any](items []T) (total int, array json.RawMessage, err error) {
	array, err = json.Marshal(items)
	return len(items), array, err
}

// finished reads a job that must have ended.
func (s *Service) finished(ctx context.Context, c Caller, jobID string) (store.BatchJob, error) {
	job, err := s.store.BatchJob(ctx, c.UserID, jobID)
	if err == nil && !job.Status.Finished() {
		err = quotekit.Errorf(quotekit.EConflict, "batch job %s is %s; wait until it ends, or cancel it", jobID, job.Status)
	}
	return job, err
}
