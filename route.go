package quotekit

import (
	"context"
	"time"
)

// Lanes is the number of priorities, and of the River queues that serve them.
// Priority 1 is the most urgent.
const Lanes = 5

// Route says who handles the events of one type, how urgent they are and how
// long one attempt may take.
type Route struct {
	// Type is Stripe's name of the event type.
	Type string
	// Handler is the name of the handler in logs and in webhook_processing_logs.
	Handler string
	// Handle derives the changes from an event.
	Handle HandlerFunc
	// Priority is 1 to [Lanes].
	Priority int
	// Timeout bounds an attempt from the arrival of the event to the start of
	// the commit.
	Timeout time.Duration
}

// HandlerFunc turns one event into changes. It is pure: it opens no
// transaction, knows no SQL and calls nobody, so that it can run on the
// goroutine of the request and be tested with a fixture in and rows out.
// An error made with [Permanent] says that the payload can never be used; any
// other error is retried. A panic is caught and retried.
type HandlerFunc func(ctx context.Context, e Event) (Changes, error)
