package webhook

import (
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"

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
	queued    time.Time     // when it began to wait for a group
	requestID string
	source    source
	span      trace.Span  // of the request; one that records nothing if it is not traced
	done      chan answer // buffered: the group never waits for a request
}

// source is who brought an event, for the audit trail.
type source struct{ actor, action string }

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
	kept    bool // pending without an attempt
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

// keep decides that the event is acknowledged now and attempted by its lane.
func keep() decision { return decision{status: quotekit.EventPending, kept: true} }

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
