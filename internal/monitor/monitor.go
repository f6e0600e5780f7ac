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
	// status after that.
	Replay(ctx context.Context, eventID string, act quotekit.Act) (quotekit.EventStatus, error)
	// Retry makes the event of a dead letter pending.
	Retry(ctx context.Context, deadLetterID string, act quotekit.Act) (eventID string, err error)
	// Resolve closes a dead letter without applying its event.
	Resolve(ctx context.Context, deadLetterID string, act quotekit.Act) (eventID string, err error)
}

// API has the endpoints of /v1/monitor.
type API struct {
	Store    *store.Store
	Operator Operator
	Logger   *slog.Logger
}

// The groups of the endpoints.
const (
	eventsTag      = "events"
	deadLettersTag = "dead letters"
)
