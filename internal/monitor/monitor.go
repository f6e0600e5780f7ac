package monitor

import (
	"context"
	"log/slog"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// Operator acts on events. It is package webhook's; every act is audited.
type Operator interface {
	// Replay makes an event pending, unless it is succeeded, and returns its
	// status after that. Mode is what is applied; empty leaves it to the route.
	Replay(ctx context.Context, eventID string, mode quotekit.ReplayMode, act quotekit.Act) (quotekit.EventStatus, error)
	// Retry makes the event of a dead letter pending.
	Retry(ctx context.Context, deadLetterID string, mode quotekit.ReplayMode, act quotekit.Act) (eventID string, err error)
	// Resolve closes a dead letter without applying its event.
	Resolve(ctx context.Context, deadLetterID string, act quotekit.Act) (eventID string, err error)
}

// BulkOperator acts on many dead letters. It is package webhook's.
type BulkOperator interface {
	// PreviewBulk freezes the letters that a request is about.
	PreviewBulk(ctx context.Context, r quotekit.BulkRequest, act quotekit.Act) (quotekit.BulkPreview, error)
	// StartBulk begins what a preview has shown, once. What the request gives
	// besides has to be that of the preview, but for the rate.
	StartBulk(ctx context.Context, token string, r quotekit.BulkRequest, act quotekit.Act) (t store.Task, started bool, err error)
}

// API has the endpoints of /v1/monitor.
type API struct {
	Store     *store.Store
	Operator  Operator
	Bulk      BulkOperator
	Forgetter Forgetter
	Tasks     Tasker
	Reads     *Reads
	Alerts    AlertActor
	Groups    GroupOperator
	Revealer  Revealer
	Batches   BatchOperator
	Logger    *slog.Logger
}

// The groups of the endpoints.
const (
	statisticsTag  = "statistics"
	eventsTag      = "events"
	deadLettersTag = "dead letters"
	tasksTag       = "tasks"
	alertsTag      = "alerts"
	auditTag       = "audit trail"
	batchJobsTag   = "batch jobs of all users"
)
