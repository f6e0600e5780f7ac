package task

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// keepFinished is how long finished tasks are kept.
	keepFinished = 90 * 24 * time.Hour
	// keepPreviews is how long previews are kept: far longer than they can be
	// started, so that a late start is told why.
	keepPreviews = time.Hour
	// keepSessions is how long sessions of the dashboard are kept that are not used:
	// longer than they last.
	keepSessions = 24 * time.Hour
	// cleanPiece bounds the items that one transaction deletes.
	cleanPiece = 1000
)

// Cleaning is the periodic job that deletes old tasks, and sessions of the dashboard
// that have ended, every quarter of an hour.
func Cleaning() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(15*time.Minute), func() (river.JobArgs, *river.InsertOpts) {
		return cleanArgs{}, nil
	}, &river.PeriodicJobOpts{RunOnStart: true})
}

type cleanArgs struct{}

// Kind implements river.JobArgs.
func (cleanArgs) Kind() string { return "task_clean" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (cleanArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: jobs.Tasks} }

type cleanWorker struct {
	river.WorkerDefaults[cleanArgs]
	store  *store.Store
	now    func() time.Time
	logger *slog.Logger
}

// Work deletes what is old, in small pieces.
func (w *cleanWorker) Work(ctx context.Context, _ *river.Job[cleanArgs]) error {
	now := w.now()
	deleted := 0
	for {
		left, gone, err := w.store.CleanTasks(ctx, now.Add(-keepPreviews), now.Add(-keepFinished), cleanPiece)
		if err != nil {
			return err
		}
		if gone {
			deleted++
		}
		if !left {
			break
		}
	}
	sessions, err := w.store.CleanSessions(ctx, now.Add(-keepSessions))
	if err != nil {
		return err
	}
	if sessions > 0 {
		w.logger.Info("old sessions deleted", "sessions", sessions)
	}
	if deleted > 0 {
		w.logger.Info("old tasks deleted", "tasks", deleted)
	}
	return nil
}
