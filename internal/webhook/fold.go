package webhook

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

const (
	// foldEvery is how late the counts of events may be.
	foldEvery = time.Second
	// foldTimeout bounds one fold, so that a database that hangs does not stop them.
	foldTimeout = 5 * time.Second
	// foldPiece is how many transactions' changes are folded at a time, which on
	// SQLite holds up everybody else for some milliseconds.
	foldPiece = 500
)

// folder folds what transactions have changed into the counts of events. Every
// process has one; they do not get into each other's way.
type folder struct {
	store  *store.Store
	logger *slog.Logger
	failed bool // the last time: it is told once
}

// Run folds every second until ctx ends, and once more after that.
func (f *folder) Run(ctx context.Context) {
	tick := time.NewTicker(foldEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			f.fold(ctx)
		case <-ctx.Done():
		}
	}
	f.fold(context.Background())
}

// fold folds all there is. What fails is there the next time.
func (f *folder) fold(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, foldTimeout)
	defer cancel()
	for n := foldPiece; n == foldPiece; {
		var err error
		n, err = f.store.FoldCounts(ctx, foldPiece)
		if errors.Is(ctx.Err(), context.Canceled) {
			return // the last fold does it
		}
		if err != nil && !f.failed {
			f.logger.Warn("counts of events are late", "error", store.Describe(err))
		}
		f.failed = err != nil
	}
}
