package webhook

import (
	"context"
	"log/slog"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// sweepEvery is how often overdue events are looked for.
	sweepEvery = 5 * time.Second
	// overdueAfter is how late an attempt may be before it counts as lost. It
	// is above the longest route, so a running attempt is not doubled.
	overdueAfter = 10 * time.Second
	// sweepLimit bounds the jobs of one transaction.
	sweepLimit = 500
	// letterLimit bounds the dead letters of one transaction: each takes some
	// statements of its own.
	letterLimit = 100
)

// Sweeper gives a new job to pending events whose attempt is overdue: those of
// a process that died, and those whose job River lost. And it takes dead letters
// up again whose time has come.
type Sweeper struct {
	store  *store.Store
	jobs   *jobs.Client
	routes Routes
	logger *slog.Logger
}

// Run sweeps until ctx ends. At start nothing of this process is under way, so
// on SQLite, where there is no other process, everything due is overdue.
func (s *Sweeper) Run(ctx context.Context) {
	late := overdueAfter
	if !s.store.Postgres() {
		late = 0
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		n, err := s.Sweep(ctx, late)
		switch {
		case err != nil && ctx.Err() == nil:
			s.logger.Warn("sweep overdue events", "error", err)
		case n > 0:
			s.logger.Info("overdue events taken up again", "events", n)
		}
		if err == nil {
			late = overdueAfter
		}
		due, err := s.RetryLetters(ctx)
		if err != nil && ctx.Err() == nil {
			s.logger.Warn("take up due dead letters", "error", err)
		}
		if n >= sweepLimit || due == letterLimit {
			continue
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Sweep takes up events that are late by the given time and returns how many.
//
// In a lane that has fallen behind, thousands of events are late and not lost:
// their jobs wait their turn. Jobs start in the order in which they became ready,
// so there an event is lost if it was due before those jobs that wait now.
func (s *Sweeper) Sweep(ctx context.Context, late time.Duration) (int, error) {
	types, err := s.store.OverdueTypes(ctx, late)
	if err != nil {
		return 0, err
	}
	var lanes [quotekit.Lanes][]string
	for _, t := range types {
		lane := priority(s.routes[t]) - 1
		lanes[lane] = append(lanes[lane], t)
	}
	taken := 0
	for i, types := range lanes {
		if len(types) == 0 {
			continue
		}
		n, err := s.sweepLane(ctx, i+1, types, late)
		if err != nil {
			return taken, err
		}
		taken += n
	}
	return taken, nil
}

func (s *Sweeper) sweepLane(ctx context.Context, lane int, types []string, late time.Duration) (int, error) {
	since, err := jobs.WaitingSince(ctx, s.jobs, jobs.Lane(lane))
	if err != nil {
		return 0, err
	}
	var taken int
	err = s.store.WithTx(ctx, func(tx *store.Tx) error {
		before := tx.Now
		if !since.IsZero() && since.Before(before) {
			before = since
		}
		overdue, err := tx.TakeOverdue(ctx, types, before.Add(-late), sweepLimit)
		if err != nil {
			return err
		}
		list := make([]attemptJob, len(overdue))
		for i, e := range overdue {
			list[i] = attemptJob{eventID: e.ID, round: e.Round, priority: lane}
		}
		taken = len(list)
		return insertAttempts(ctx, s.jobs, tx, list)
	})
	return taken, err
}

// RetryLetters takes up dead letters whose automatic retry is due, and returns
// how many were due. What is taken up is pending and has its job in one commit,
// so that a crash loses nothing.
func (s *Sweeper) RetryLetters(ctx context.Context) (due int, err error) {
	var taken []store.RetriedLetter
	err = s.store.WithTx(ctx, func(tx *store.Tx) error {
		if taken, due, err = tx.RetryDueLetters(ctx, letterLimit); err != nil {
			return err
		}
		list := make([]attemptJob, len(taken))
		entries := make([]store.AuditEntry, len(taken))
		for i, l := range taken {
			list[i] = attemptJob{eventID: l.EventID, round: l.Round, priority: priority(s.routes[l.EventType])}
			entries[i] = autoRetryAudit(l)
		}
		if err := insertAttempts(ctx, s.jobs, tx, list); err != nil {
			return err
		}
		return tx.Audit(ctx, entries)
	})
	switch {
	case quotekit.CodeOf(err) == quotekit.EConflict:
		return 0, nil // the next sweep sees what the operator did
	case err != nil:
		return 0, err
	case len(taken) > 0:
		s.logger.Info("dead letters taken up again", "letters", len(taken))
	}
	return due, nil
}

func autoRetryAudit(l store.RetriedLetter) store.AuditEntry {
	type taken struct {
		state
		Retry int `json:"automatic_retry"`
	}
	return store.AuditEntry{
		Actor: "quotekit", Action: store.AuditAutoRetry, StripeEventID: l.EventID, Target: l.ID,
		Before: state{Status: quotekit.EventDead}, After: taken{state{Status: quotekit.EventPending}, l.Retry},
	}
}
