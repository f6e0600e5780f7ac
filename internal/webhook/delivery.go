package webhook

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/fold"
)

// delivery is one request with a verified event, on its way through a group.
type delivery struct {
	event     quotekit.Event
	route     *quotekit.Route // nil: no route
	decision  decision
	arrived   time.Time
	handled   time.Duration // what the handler took
	requestID string
	done      chan answer // buffered: the group never waits for a request
}

// answer is what the group tells the request.
type answer struct {
	status    quotekit.EventStatus
	duplicate bool
	err       error // not committed
}

// decision is what shall become of an event: its status, and the effects of a
// success or the failure of the others.
type decision struct {
	status  quotekit.EventStatus
	changes []fold.Change
	history []quotekit.SubscriptionChange
	failure failure
}

// failure says why an attempt failed, in words without payload.
type failure struct {
	reason  quotekit.FailureReason
	message string
}

// fail decides that the event is attempted again, or dead if that is pointless.
func fail(reason quotekit.FailureReason, message string) decision {
	status := quotekit.EventPending
	if reason.Permanent() {
		status = quotekit.EventDead
	}
	return decision{status: status, failure: failure{reason, message}}
}

func succeed(c quotekit.Changes) decision {
	changes, err := fold.Prepare(c.Objects)
	if err != nil {
		return fail(quotekit.ReasonRejected, err.Error())
	}
	return decision{status: quotekit.EventSucceeded, changes: changes, history: c.History}
}

// expired reports whether the time of the delivery's route is over.
func (d *delivery) expired(now time.Time) bool {
	return d.route != nil && d.decision.status == quotekit.EventSucceeded && now.Sub(d.arrived) > d.route.Timeout
}

// timedOut is the decision for an attempt that took too long.
func timedOut(r *quotekit.Route) decision {
	return fail(quotekit.ReasonTimeout, fmt.Sprintf("not ready to commit %s after its arrival", r.Timeout))
}

// handle runs the route's handler on an event and decides. It never panics.
// The context ends with the route's time, counted from arrived.
func handle(ctx context.Context, r *quotekit.Route, e quotekit.Event, arrived time.Time) (d decision) {
	if r == nil {
		return decision{status: quotekit.EventIgnored}
	}
	ctx, cancel := context.WithDeadline(ctx, arrived.Add(r.Timeout))
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			d = fail(quotekit.ReasonPanic, fmt.Sprintf("handler %s panicked at %s", r.Handler, panicPlace(debug.Stack())))
		}
	}()
	changes, err := r.Handle(ctx, e)
	switch {
	case err == nil:
		return succeed(changes)
	case quotekit.IsPermanent(err):
		return fail(quotekit.ReasonRejected, err.Error())
	case ctx.Err() != nil:
		return timedOut(r)
	}
	return fail(quotekit.ReasonMaxRetries, err.Error())
}
