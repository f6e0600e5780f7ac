package webhook

import (
	"context"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
)

// fetchTimeout bounds how long an attempt waits for Stripe, its turn in the
// budget of calls included. It comes before the time of the route, which begins
// when the object is there.
const fetchTimeout = 10 * time.Second

// fetchWords begin the message of every failure to fetch.
const fetchWords = "fetch the current object: "

// noKey says what is missing where there is no [Fetcher].
const noKey = "STRIPE_SECRET_KEY is not set"

// Fetcher asks Stripe for objects as they are now. It is called by workers only,
// and never while a transaction is open.
type Fetcher interface {
	// Current returns the object as it is at Stripe. An answer that was fetched
	// after notBefore may be shared with others who ask for the same object. Of an
	// object that is gone it returns {id, object, "deleted": true}. An error that
	// is marked [quotekit.Permanent] says that it cannot be had: Stripe refuses, the
	// key is of the other mode, the type is not known. After any other, another
	// attempt may succeed. Its message is shown to operators.
	Current(ctx context.Context, ref stripe.Reference, notBefore time.Time) (stripe.Object, error)
}

// fetches reports whether an attempt at e applies the object as it is at Stripe
// now. What an operator has chosen goes before what the route wants.
func (w *AttemptWorker) fetches(e store.PendingEvent, route *quotekit.Route) bool {
	switch e.Mode {
	case quotekit.ReplayCurrent:
		return true
	case quotekit.ReplayStored:
		return false
	}
	return route.Refetch && w.fetcher != nil
}

// fetchAfter is the instant that the answer has to be younger than: the event's
// own second is over then, so that what Stripe shows is not dated before it. A
// worker waits for it. Events dated further ahead, as by test clocks, are not
// waited for.
func (w *AttemptWorker) fetchAfter(e store.PendingEvent) time.Time {
	after := e.ReceivedAt
	if e.Mode == quotekit.ReplayCurrent {
		after = e.NextAttemptAt // an operator wants what is there now
	}
	if over := e.Created.Add(time.Second); over.After(after) && over.Sub(w.now()) <= maxSnooze {
		after = over
	}
	return after
}

// fetch gives the event its object as it is at Stripe now, dated by the second it
// is known to be of. If it fails, the event stays as it is.
func (w *AttemptWorker) fetch(ctx context.Context, e store.PendingEvent, event *quotekit.Event) failure {
	if w.fetcher == nil {
		return failure{quotekit.ReasonRejected, fetchWords + noKey}
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	object, err := w.fetcher.Current(ctx, stripe.ReferenceOf(*event), w.fetchAfter(e))
	switch {
	case err == nil:
	case quotekit.IsPermanent(err):
		return failure{quotekit.ReasonRejected, fetchWords + err.Error()}
	case ctx.Err() != nil:
		return failure{quotekit.ReasonTimeout, fetchWords + "no answer within " + fetchTimeout.String()}
	default:
		return failure{quotekit.ReasonMaxRetries, fetchWords + err.Error()}
	}
	event.Object, event.Previous, event.Fetched = object.JSON, nil, true
	event.Created = max(event.Created, object.AsOf) // what is there now is not older than the event
	return failure{}
}

// fetchedAudit tells of which second the object is that an event was applied
// with, since its payload does not.
func fetchedAudit(event quotekit.Event) store.AuditEntry {
	type applied struct {
		Status quotekit.EventStatus `json:"status"`
		Mode   quotekit.ReplayMode  `json:"mode"`
		AsOf   time.Time            `json:"as_of"`
	}
	return store.AuditEntry{
		Actor: "quotekit", Action: store.AuditRefetched, StripeEventID: event.ID, Target: event.ObjectID,
		After: applied{quotekit.EventSucceeded, quotekit.ReplayCurrent, event.Created.Time()},
	}
}
