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
	// Deferred says that the handler may call others, so that it does not run in
	// the request: the event is acknowledged when it is kept, and handled on the
	// lane of its priority.
	Deferred bool
	// Refetch hands the handler the object as it is at Stripe now, instead of as
	// it was in the event ([Event.Fetched]), where STRIPE_SECRET_KEY is set. Such
	// a route is deferred, whatever Deferred says. Without the key the handler
	// gets the event as it came, in the request unless Deferred says otherwise.
	Refetch bool
}

// HandlerFunc turns one event into changes. It opens no transaction and knows no
// SQL. Unless its route is deferred it is pure and calls nobody, so that it can
// run in the request and be tested with a fixture in and rows out. It returns
// when ctx ends; what it returns after that is thrown away.
// An error made with [Permanent] says that the payload can never be used; any
// other error is retried. A panic is caught and retried.
type HandlerFunc func(ctx context.Context, e Event) (Changes, error)
