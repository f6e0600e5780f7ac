package webhook

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/quotekit/quotekit"
)

// handle runs the route's handler on an event and decides. It never panics, and
// it returns when the route's time is over, of which some is spent already, also
// if the handler goes on.
func handle(ctx context.Context, r *quotekit.Route, e quotekit.Event, spent time.Duration) decision {
	return handleThen(ctx, r, e, spent, func() {})
}

// handleThen is handle, and calls ended when the handler has really returned.
func handleThen(ctx context.Context, r *quotekit.Route, e quotekit.Event, spent time.Duration, ended func()) decision {
	if r == nil {
		ended()
		return decision{status: quotekit.EventIgnored}
	}
	ctx, cancel := context.WithTimeout(ctx, r.Timeout-spent)
	decided := make(chan decision, 1)
	go func() {
		defer ended()
		defer cancel()
		decided <- run(ctx, r, e)
	}()
	select {
	case d := <-decided:
		return d
	case <-ctx.Done():
	}
	select {
	case d := <-decided: // both came at once
		return d
	default:
		return timedOut(r)
	}
}

func run(ctx context.Context, r *quotekit.Route, e quotekit.Event) (d decision) {
	defer func() {
		if p := recover(); p != nil {
			d = fail(quotekit.ReasonPanic, fmt.Sprintf("handler %s panicked at %s", r.Handler, panicPlace(debug.Stack())))
		}
	}()
	defer func() { d.failure.redact(e) }()
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
