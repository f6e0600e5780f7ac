package webhook

import (
	"context"
	"errors"
	"slices"

	"go.opentelemetry.io/otel/trace"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
)

// finishing is an attempt that has been handled, on its way through a group.
type finishing struct {
	attempt
	pending store.PendingEvent
	outcome store.Attempt
	span    trace.Span // of the job
	done    chan error // buffered: the group never waits for a worker
}

// expired reports whether the time of the attempt's route is over.
func (f *finishing) expired(w *AttemptWorker) bool {
	completes := f.outcome.Status != quotekit.EventPending && f.outcome.Status != quotekit.EventDead
	return f.route != nil && completes && w.now().Sub(f.ready) > f.route.Timeout
}

// finish writes the decision, or fails with [errDecided] and changes nothing. It
// shares a transaction with the attempts of other workers, so that a lane which has
// fallen behind is not drained at the price of one commit an event.
func (w *AttemptWorker) finish(ctx context.Context, e store.PendingEvent, a attempt) error {
	if err := ctx.Err(); err != nil { // the handler was stopped with the process
		return err
	}
	f := &finishing{attempt: a, pending: e, outcome: w.outcome(e, a.decision), span: trace.SpanFromContext(ctx), done: make(chan error, 1)}
	if err := w.group.submitAttempt(f); err != nil {
		return err
	}
	select {
	case err := <-f.done:
		return err
	case <-ctx.Done():
		return ctx.Err() // it may yet be written; then the job finds nothing to do
	}
}

// settle commits the attempts of a group and tells their workers. When the database
// refuses the rows of one, the group is halved until that one stands alone.
func (w *AttemptWorker) settle(ctx context.Context, group []*finishing) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	w.telemetry.metrics.GroupedAttempts(len(group))
	spans := make([]trace.Span, len(group))
	for i, f := range group {
		spans[i] = f.span
	}
	ctx, span := traceGroup(ctx, "settle attempts", spans)
	defer span.End()
	w.settleGroup(ctx, group)
}

func (w *AttemptWorker) settleGroup(ctx context.Context, group []*finishing) {
	var tries tries
	for len(group) > 0 {
		ours, err := w.commit(ctx, group)
		switch {
		case err == nil:
			for i, f := range group {
				if ours[i] {
					f.done <- nil
				} else {
					f.done <- errDecided
				}
			}
			return
		case errors.Is(err, errExpired):
			group = w.dropExpired(group)
		case tries.again(ctx, w.store, err):
		case len(group) > 1 && !notNow(err):
			w.settleGroup(ctx, group[:len(group)/2])
			group = group[len(group)/2:]
		default:
			for _, f := range group {
				f.done <- err
			}
			return
		}
	}
}

// dropExpired tells those whose time is over, and returns the others.
func (w *AttemptWorker) dropExpired(group []*finishing) []*finishing {
	var rest []*finishing
	for _, f := range group {
		if f.expired(w) {
			f.done <- errExpired
		} else {
			rest = append(rest, f)
		}
	}
	return rest
}

// commit is the transaction of a group of attempts. It locks in the same order as
// that of deliveries. It reports which attempts were decided by it.
func (w *AttemptWorker) commit(ctx context.Context, group []*finishing) (ours []bool, err error) {
	list := make([]store.FinishedAttempt, len(group))
	for i, f := range group {
		list[i] = store.FinishedAttempt{Event: f.pending, Attempt: f.outcome}
	}
	err = w.store.WithTx(ctx, func(tx *store.Tx) error {
		if ours, err = tx.FinishAttempts(ctx, list); err != nil {
			return err
		}
		w.observe.at(StepAttemptUpdated)
		var (
			effects   []effect
			buried    []store.DeadLetter
			completed []*finishing
		)
		for i, f := range group {
			switch {
			case !ours[i], f.outcome.Status == quotekit.EventPending:
			case f.outcome.Status == quotekit.EventDead:
				buried = append(buried, deadLetter(f.event, f.outcome.Reason, f.failure))
			default:
				effects = append(effects, newEffect(&f.event, f.decision, stripe.CustomerOf(f.event)))
				completed = append(completed, f)
			}
		}
		forgotten, err := applyTx(ctx, tx, effects)
		if err != nil {
			return err
		}
		if _, err := tx.ForgetEvents(ctx, forgotten, quotekit.EventSucceeded); err != nil {
			return err
		}
		completed = slices.DeleteFunc(completed, func(f *finishing) bool { return slices.Contains(forgotten, f.event.ID) })
		w.observe.at(StepAttemptApplied)
		if err := tx.Bury(ctx, buried); err != nil {
			return err
		}
		if err := w.completeTx(ctx, tx, completed); err != nil {
			return err
		}
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		for _, f := range completed {
			if f.expired(w) {
				return errExpired
			}
		}
		w.observe.at(StepAttemptBeforeCommit)
		return nil
	})
	return ours, err
}

// completeTx writes what else is to be told of events that a retry has completed.
func (w *AttemptWorker) completeTx(ctx context.Context, tx *store.Tx, completed []*finishing) error {
	for _, f := range completed {
		if f.fetched {
			if err := tx.Audit(ctx, []store.AuditEntry{fetchedAudit(f.event)}); err != nil {
				return err
			}
		}
		if f.pending.Round > 0 { // it may have been dead
			if err := w.resolve(ctx, tx, f.attempt); err != nil {
				return err
			}
		}
	}
	return nil
}
