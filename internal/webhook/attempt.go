package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
)

// retries is how often an event is attempted after the first attempt of a round.
const retries = 3

// maxSnooze is how long a job may sleep and still wake on time; see package jobs.
const maxSnooze = 4 * time.Second

// AttemptArgs are those of the job that attempts a pending event until it is
// settled or dead, or its round is over.
type AttemptArgs struct {
	EventID string `json:"event_id"`
	Round   int    `json:"round"`
}

// Kind implements river.JobArgs.
func (AttemptArgs) Kind() string { return "webhook_attempt" }

type attemptJob struct {
	eventID  string
	round    int
	priority int
}

// insertAttempts adds jobs to the transaction that made their events pending.
func insertAttempts(ctx context.Context, client *jobs.Client, tx *store.Tx, list []attemptJob) error {
	if len(list) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(list))
	for i, j := range list {
		params[i] = river.InsertManyParams{
			Args:       AttemptArgs{EventID: j.eventID, Round: j.round},
			InsertOpts: &river.InsertOpts{Queue: jobs.Lane(j.priority)},
		}
	}
	if _, err := client.InsertManyTx(ctx, tx.Tx, params); err != nil {
		return fmt.Errorf("insert attempt jobs: %w", err)
	}
	return nil
}

// AttemptWorker works [AttemptArgs].
type AttemptWorker struct {
	river.WorkerDefaults[AttemptArgs]
	store     *store.Store
	routes    Routes
	livemode  *bool
	telemetry *Telemetry
	now       func() time.Time
	logger    *slog.Logger
}

// Work attempts the event when it is due. An error is the database's: River
// tries again, and if it does not, the [Sweeper] will.
func (w *AttemptWorker) Work(ctx context.Context, job *river.Job[AttemptArgs]) error {
	e, err := w.store.PendingEvent(ctx, job.Args.EventID)
	switch {
	case quotekit.CodeOf(err) == quotekit.ENotFound:
		return nil
	case err != nil:
		return err
	case e.Status != quotekit.EventPending || e.Round != job.Args.Round:
		return nil
	}
	if wait := e.NextAttemptAt.Sub(w.now()); wait > 0 {
		return river.JobSnooze(min(wait, maxSnooze))
	}
	outcome, err := w.attempt(ctx, e)
	if errors.Is(err, errDecided) {
		return nil
	}
	if err != nil {
		return err
	}
	if outcome.Status == quotekit.EventPending {
		return river.JobSnooze(min(outcome.NextAttemptAt.Sub(w.now()), maxSnooze))
	}
	return nil
}

// errDecided means that somebody else decided the event during an attempt.
var errDecided = errors.New("the event has been decided elsewhere")

// attempt decides a pending event once more.
func (w *AttemptWorker) attempt(ctx context.Context, e store.PendingEvent) (store.Attempt, error) {
	started := w.now()
	event, route, d := w.decide(ctx, e, started)
	handled := w.now()
	err := w.finish(ctx, e, event, route, d, started)
	switch class := store.Classify(err); {
	case errors.Is(err, errExpired):
		d = timedOut(route)
		err = w.finish(ctx, e, event, route, d, started)
	case err != nil && !errors.Is(err, errDecided) && class != store.Unavailable && class != store.Retryable:
		w.logger.Warn("database refused an event's rows", "event_id", e.ID, "event_type", e.Type,
			"error", store.Describe(err))
		d = fail(quotekit.ReasonDatabase, store.Describe(err))
		err = w.finish(ctx, e, event, route, d, started)
	}
	if err != nil {
		return store.Attempt{}, fmt.Errorf("attempt event %s: %w", e.ID, err)
	}
	outcome := w.outcome(e, d)
	w.telemetry.attempted(e, route, outcome, started, handled, w.now())
	return outcome, nil
}

// decide parses and handles the payload again: routes and handlers may be newer
// than those that failed.
func (w *AttemptWorker) decide(ctx context.Context, e store.PendingEvent, started time.Time) (quotekit.Event, *quotekit.Route, decision) {
	event, err := stripe.ParseEvent(e.Payload)
	if err != nil {
		event.ID, event.Type, event.Payload = e.ID, e.Type, e.Payload
		return event, nil, fail(quotekit.ReasonParsing, err.Error())
	}
	if w.livemode != nil && event.Livemode != *w.livemode {
		return event, nil, decision{status: quotekit.EventIgnored}
	}
	route := w.routes[event.Type]
	return event, route, handle(ctx, route, event, started)
}

// finish writes the decision, or fails with [errDecided] and changes nothing.
func (w *AttemptWorker) finish(ctx context.Context, e store.PendingEvent, event quotekit.Event, route *quotekit.Route, d decision, started time.Time) error {
	outcome := w.outcome(e, d)
	return w.store.WithTx(ctx, func(tx *store.Tx) error {
		ours, err := tx.FinishAttempt(ctx, e, outcome)
		if err != nil {
			return err
		}
		if !ours {
			return errDecided
		}
		switch outcome.Status {
		case quotekit.EventDead:
			return tx.Bury(ctx, []store.DeadLetter{deadLetter(event, outcome.Reason)})
		case quotekit.EventPending:
			return nil
		}
		if err := applyTx(ctx, tx, []effect{{&event, d}}); err != nil {
			return err
		}
		if err := tx.ResolveSettled(ctx, []string{e.ID}, ""); err != nil {
			return err
		}
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		if route != nil && w.now().Sub(started) > route.Timeout {
			return errExpired
		}
		return nil
	})
}

// outcome adds the history of the round to a decision: the last retry ends in
// the dead letter queue, under the reason all attempts share.
func (w *AttemptWorker) outcome(e store.PendingEvent, d decision) store.Attempt {
	a := store.Attempt{Status: d.status, Reason: d.failure.reason, Message: d.failure.message}
	if a.Reason == "" {
		return a
	}
	a.Reasons = e.Reasons
	if !slices.Contains(a.Reasons, a.Reason) {
		a.Reasons = append(slices.Clone(a.Reasons), a.Reason)
	}
	if a.Status == quotekit.EventPending && e.Attempts >= retries {
		a.Status = quotekit.EventDead
	}
	switch {
	case a.Status == quotekit.EventPending:
		a.NextAttemptAt = w.now().Add(retryDelay(e.Attempts + 1))
	case len(a.Reasons) > 1:
		a.Reason = quotekit.ReasonMaxRetries
	}
	return a
}
