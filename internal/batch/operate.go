package batch

import (
	"context"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// The acts of operators on jobs of users. Each is the user's own, with a line in the
// audit trail that commits with it; the job goes on belonging to the user. What is
// asked for twice is done once.

// CancelByOperator cancels a job of any user. A finished job stays as it is.
func (s *Service) CancelByOperator(ctx context.Context, jobID string, act quotekit.Act) error {
	c, err := s.onBehalf(ctx, jobID, act)
	if err == nil {
		_, err = s.Cancel(ctx, c, jobID)
	}
	return err
}

// RetryFailedByOperator is [Service.RetryFailed] for a job of any user. It returns
// the id of the new job.
func (s *Service) RetryFailedByOperator(ctx context.Context, jobID string, act quotekit.Act) (newID string, err error) {
	c, err := s.onBehalf(ctx, jobID, act)
	if err != nil {
		return "", err
	}
	c.IdempotencyKey = "operator retry-failed " + jobID
	job, _, err := s.RetryFailed(ctx, c, jobID)
	return job.ID, err
}

// UndoByOperator is [Service.Undo] for a job of any user. It returns the id of the
// new job.
func (s *Service) UndoByOperator(ctx context.Context, jobID string, act quotekit.Act) (newID string, err error) {
	c, err := s.onBehalf(ctx, jobID, act)
	if err != nil {
		return "", err
	}
	c.IdempotencyKey = "operator undo " + jobID
	job, _, err := s.Undo(ctx, c, jobID, false)
	return job.ID, err
}

// onBehalf is the user of a job, when an operator acts.
func (s *Service) onBehalf(ctx context.Context, jobID string, act quotekit.Act) (Caller, error) {
	work, err := s.store.BatchWork(ctx, jobID)
	return Caller{UserID: work.UserID, RequestID: act.RequestID, act: &act}, err
}

// audit notes what an operator does to a job. Of a user's own acts there is no line:
// the job is one.
func (c Caller) audit(ctx context.Context, tx *store.Tx, action, jobID string, after map[string]any) error {
	if c.act == nil {
		return nil
	}
	return tx.Audit(ctx, []store.AuditEntry{{
		Actor: c.act.Actor, Action: action, Target: jobID, Reason: c.act.Reason, After: after, RequestID: c.act.RequestID,
	}})
}
