package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"go.opentelemetry.io/otel/trace"

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
	trace    trace.SpanContext // that the job goes on with; none if it is not valid
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
			InsertOpts: &river.InsertOpts{Queue: jobs.Lane(j.priority), Metadata: jobs.Traced(j.trace)},
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
	fetcher   Fetcher // nil: nothing can be fetched
	telemetry *Telemetry
	now       func() time.Time
	logger    *slog.Logger
	observe   observer
	group     *Group
	slots     *slots
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
	due := e.NextAttemptAt
	if route := w.routes[e.Type]; route != nil && w.fetches(e, route) {
		due = later(due, w.fetchAfter(e))
	}
	if wait := due.Sub(w.now()); wait > 0 {
		return river.JobSnooze(min(wait, maxSnooze))
	}
	w.observe.at(StepAttemptLoaded)
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

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// errDecided means that somebody else decided the event during an attempt.
var errDecided = errors.New("the event has been decided elsewhere")

// attempt is one attempt at a pending event.
type attempt struct {
	event quotekit.Event
	route *quotekit.Route // nil: no route
	decision
	// fetched reports that the event has its object from Stripe, not from its payload.
	fetched bool
	started time.Time
	// ready is when the object was there: the time of the route begins then.
	ready   time.Time
	handled time.Time
}

// attempt decides a pending event once more.
func (w *AttemptWorker) attempt(ctx context.Context, e store.PendingEvent) (store.Attempt, error) {
	a := w.decide(ctx, e)
	w.observe.at(StepAttemptHandled)
	err := w.finish(ctx, e, a)
	switch class := store.Classify(err); {
	case errors.Is(err, errExpired):
		a.decision = timedOut(a.route)
		err = w.finish(ctx, e, a)
	case err != nil && !errors.Is(err, errDecided) && class != store.Unavailable && class != store.Retryable:
		w.logger.Warn("database refused an event's rows", "event_id", e.ID, "event_type", e.Type,
			"error", store.Describe(err))
		a.decision = fail(quotekit.ReasonDatabase, store.Describe(err))
		a.failure.redact(a.event)
		err = w.finish(ctx, e, a)
	}
	if err != nil {
		return store.Attempt{}, fmt.Errorf("attempt event %s: %w", e.ID, err)
	}
	w.observe.at(StepAttemptCommitted)
	outcome := w.outcome(e, a.decision)
	w.telemetry.attempted(e, a, outcome, w.now())
	return outcome, nil
}

// decide parses and handles the payload again: routes and handlers may be newer
// than those that failed. It fetches the object first where that is wanted.
func (w *AttemptWorker) decide(ctx context.Context, e store.PendingEvent) (a attempt) {
	a.started = w.now()
	a.ready = a.started
	defer func() { a.handled = w.now() }()
	var err error
	gone := len(e.Payload) == 0
	if gone {
		a.event = withoutPayload(e)
	} else if a.event, err = stripe.ParseEvent(e.Payload); err != nil {
		a.event.ID, a.event.Type, a.event.Payload = e.ID, e.Type, e.Payload
		a.decision = fail(quotekit.ReasonParsing, err.Error())
		return a
	}
	if w.livemode != nil && a.event.Livemode != *w.livemode {
		a.decision = decision{status: quotekit.EventIgnored}
		return a
	}
	a.route = w.routes[a.event.Type]
	switch {
	case a.route == nil:
	case w.fetches(e, a.route):
		f := w.fetch(ctx, e, &a.event)
		a.ready = w.now()
		if f.reason != "" {
			f.redact(a.event)
			a.decision = fail(f.reason, f.message)
			return a
		}
		a.fetched = true
	case gone:
		a.decision = fail(quotekit.ReasonRejected, "the payload was deleted, so only the current object can be applied")
		return a
	}
	a.decision = w.handle(ctx, &a)
	return a
}

// withoutPayload is an event as its row tells, whose payload was deleted.
func withoutPayload(e store.PendingEvent) quotekit.Event {
	event := quotekit.Event{
		ID: e.ID, Type: e.Type, Account: e.Account, APIVersion: e.APIVersion, Livemode: e.Livemode, ObjectID: e.ObjectID,
	}
	if !e.Created.IsZero() {
		event.Created = quotekit.Seconds(e.Created.Unix())
	}
	return event
}

// resolve closes the dead letter of an event that a retry has completed. Where a
// newer event had been applied before, the letter says so: people who look for
// the effect of this one will not find it.
func (w *AttemptWorker) resolve(ctx context.Context, tx *store.Tx, a attempt) error {
	note := ""
	if a.status == quotekit.EventSucceeded && !a.fetched {
		newer, err := tx.NewerEvent(ctx, a.event.ID)
		if err != nil {
			return err
		}
		if newer != nil {
			note = "The newer event " + newer.StripeEventID + " of the same object had been applied already, so the row kept its state."
		}
	}
	return tx.ResolveRetried(ctx, a.event.ID, note)
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
