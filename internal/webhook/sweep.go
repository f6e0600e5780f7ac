package webhook

import (
	"context"
	"log/slog"
	"time"

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
)

// Sweeper gives a new job to pending events whose attempt is overdue: those of
// a process that died, and those whose job River lost.
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
		if n == sweepLimit {
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
func (s *Sweeper) Sweep(ctx context.Context, late time.Duration) (int, error) {
	var taken int
	err := s.store.WithTx(ctx, func(tx *store.Tx) error {
		overdue, err := tx.TakeOverdue(ctx, tx.Now.Add(-late), sweepLimit)
		if err != nil {
			return err
		}
		list := make([]attemptJob, len(overdue))
		for i, e := range overdue {
			list[i] = attemptJob{e.ID, e.Round, priority(s.routes[e.Type])}
		}
		taken = len(list)
		return insertAttempts(ctx, s.jobs, tx, list)
	})
	return taken, err
}
