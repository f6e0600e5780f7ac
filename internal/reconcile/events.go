package reconcile

import (
	"context"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
	"github.com/quotekit/quotekit/internal/task"
)

// reconcileStep compares one page.
func (s *Service) reconcileStep(ctx context.Context, t store.Task) (task.Progress, error) {
	var a reconcileArguments
	var r Report
	var at position
	if err := readTask(t, &a, &r, &at); err != nil {
		return task.Progress{}, err
	}
	passes := slices.Collect(slices.Chunk(a.Types, stripe.MaxTypes))
	if len(passes) == 0 {
		return s.reconciled(t, r), nil
	}
	if r.Until.IsZero() {
		r.Since, r.DryRun = a.Since, a.DryRun
		if listed := s.Now().Add(-stripe.Memory).UTC().Truncate(time.Second); r.Since.Before(listed) {
			r.Forgotten, r.Since = &a.Since, listed
		}
	}
	page, err := s.API.Events(ctx, stripe.EventsQuery{
		Types: passes[at.Pass], Since: quotekit.Seconds(r.Since.Unix()), Until: at.Until, After: at.After,
	})
	if at.After != "" && stripe.IsMissing(err) {
		at.After, at.Until = "", at.At
		return task.Progress{Cursor: string(mustEncode(at)), Report: mustEncode(r), Done: r.Listed}, nil
	}
	if err != nil {
		return task.Progress{}, failed(err)
	}
	if r.Until.IsZero() {
		r.Until = time.Unix(int64(page.AsOf), 0).UTC()
	}
	var last stripe.ListedEvent
	if n := len(page.Events); n > 0 {
		last = page.Events[n-1]
	}
	events := slices.DeleteFunc(page.Events, func(e stripe.ListedEvent) bool { return slices.Contains(at.Seen, e.ID) })
	if err := s.compare(ctx, t, &r, events); err != nil {
		return task.Progress{}, err
	}
	if page.HasMore && last.ID != "" {
		at.turn(last, events)
	} else {
		at = position{Pass: at.Pass + 1}
	}
	if at.Pass == len(passes) {
		return s.reconciled(t, r), nil
	}
	return task.Progress{Cursor: string(mustEncode(at)), Report: mustEncode(r), Done: r.Listed}, nil
}

// compare imports what is not here, the oldest first.
func (s *Service) compare(ctx context.Context, t store.Task, r *Report, events []stripe.ListedEvent) error {
	ids := make([]string, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	known, imported, err := s.store.KnownEvents(ctx, ids, t.ID)
	if err != nil {
		return err
	}
	r.Listed += len(events)
	var missing [][]byte
	for _, e := range slices.Backward(events) {
		switch {
		case !known[e.ID]:
			missing = append(missing, e.Payload)
		case !imported[e.ID]:
			continue
		default:
			// By this very step, before its process died.
			r.took(quotekit.EventSucceeded)
		}
		r.miss(e.Type, e.Created)
	}
	if len(missing) == 0 || r.DryRun {
		return nil
	}
	statuses, err := s.Import(rest.WithRequestID(ctx, t.ID), KindReconcile, missing)
	if err != nil {
		return err
	}
	for _, status := range statuses {
		r.took(status)
	}
	return nil
}

// reconciled ends a run, and warns if events were missing.
func (s *Service) reconciled(t store.Task, r Report) task.Progress {
	return task.Progress{
		Report: mustEncode(r), Done: r.Listed, Finished: true,
		Effects: func(context.Context, *store.Tx) error {
			s.tell(t, r)
			return nil
		},
	}
}

func (s *Service) tell(t store.Task, r Report) {
	log := s.Logger.With("task", t.ID, "since", r.Since.Format(time.RFC3339))
	if r.Forgotten != nil {
		log.Warn("Stripe has forgotten events that may be missing; a backfill brings the present state of their objects",
			"forgotten_since", r.Forgotten.Format(time.RFC3339))
	}
	switch {
	case r.Missed > 0 && r.DryRun:
		log.Info("events are missing", "listed", r.Listed, "missed", r.Missed)
	case r.Missed > 0:
		log.Warn("events were missed", "listed", r.Listed, "missed", r.Missed, "imported", r.Imported, "failed", r.Failed,
			"pending", r.Pending, "oldest_missed", r.OldestMissed.Format(time.RFC3339),
			"days_left", days(r.OldestMissed.Add(stripe.Memory).Sub(s.Now())))
	default:
		log.Debug("no event was missed", "listed", r.Listed)
	}
}
