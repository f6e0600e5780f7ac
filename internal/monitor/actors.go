package monitor

import (
	"context"

	"github.com/quotekit/quotekit"
)

// Revealer shows what is masked elsewhere. It is package webhook's; that somebody
// has looked is in the audit trail before the answer is there.
type Revealer interface {
	// Reveal returns the payload of an event, byte for byte as it was received. It
	// fails with [quotekit.ENotFound], also where the payload is gone, and with
	// [quotekit.EInvalid] without a reason. Who may is the caller's to check: an
	// admin.
	Reveal(ctx context.Context, eventID string, act quotekit.Act) ([]byte, error)
}

// GroupOperator decides about error groups. It is package webhook's; every act is
// audited.
type GroupOperator interface {
	// DecideGroup notes that a group is acknowledged, ignored or open, and who
	// cares for it; the reason of the act becomes its note. It fails with
	// [quotekit.ENotFound], and with [quotekit.EConflict] if no letter of the group
	// is left.
	DecideGroup(ctx context.Context, id string, state quotekit.GroupState, owner string, act quotekit.Act) error
}

// BatchOperator acts on the bulk operations of all users. It is package batch's;
// every act is audited. All of them fail with [quotekit.ENotFound].
type BatchOperator interface {
	// CancelByOperator ends a job; one that has ended stays as it is.
	CancelByOperator(ctx context.Context, jobID string, act quotekit.Act) error
	// RetryFailedByOperator submits a new job with the failed items of another.
	RetryFailedByOperator(ctx context.Context, jobID string, act quotekit.Act) (newID string, err error)
	// UndoByOperator submits a new job that takes back what another has done.
	UndoByOperator(ctx context.Context, jobID string, act quotekit.Act) (newID string, err error)
}
