package webhook

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
)

// Benchmarking is the periodic job that keeps webhook_performance_benchmarks current,
// once a minute.
func Benchmarking() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(time.Minute), func() (river.JobArgs, *river.InsertOpts) {
		return benchmarkArgs{}, nil
	}, &river.PeriodicJobOpts{RunOnStart: true})
}

type benchmarkArgs struct{}

// Kind implements river.JobArgs.
func (benchmarkArgs) Kind() string { return "webhook_benchmark" }

// InsertOpts implements river.JobArgsWithInsertOpts. One that fails is not tried
// again: the next is due in a minute.
func (benchmarkArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: jobs.Tasks, MaxAttempts: 1}
}

type benchmarkWorker struct {
	river.WorkerDefaults[benchmarkArgs]
	store *store.Store
	types []string // those with a route
}

// Work gives every type with a route a row, and all rows their figures.
func (w *benchmarkWorker) Work(ctx context.Context, _ *river.Job[benchmarkArgs]) error {
	return w.store.KeepBenchmarks(ctx, w.types)
}
