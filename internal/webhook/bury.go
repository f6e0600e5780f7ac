package webhook

import (
	"math/rand/v2"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
)

// slowRetries is when an event that died for a transient reason is taken up
// again by itself, counted from its death. After the last one it waits for a
// person.
var slowRetries = [...]time.Duration{5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 12 * time.Hour}

// deadLetter is an event that is buried for a reason. The failure is that of its
// last attempt; the reason may be that of all of them.
func deadLetter(e quotekit.Event, reason quotekit.FailureReason, last failure) store.DeadLetter {
	l := store.DeadLetter{
		EventID: e.ID, EventType: e.Type, Data: stripe.CleanJSON(e.Payload), Reason: reason,
		ErrorClass: last.class(), ErrorMessage: last.message,
	}
	if !last.reason.Permanent() {
		for _, pause := range slowRetries {
			l.RetryAfter = append(l.RetryAfter, jittered(pause, 0.05))
		}
	}
	return l
}

// jittered spreads a pause by a part of it to both sides, so that what failed
// together does not come back together.
func jittered(pause time.Duration, part float64) time.Duration {
	return pause + time.Duration((2*rand.Float64()-1)*part*float64(pause))
}
