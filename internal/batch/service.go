package batch

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/metrics"
	"github.com/quotekit/quotekit/internal/store"
)

// Config is what the service needs to know beside its store.
type Config struct {
	Operations []quotekit.Operation
	// ChunkSize is how many items one transaction works on; zero means 50.
	ChunkSize int
	// Concurrency is how many chunks of one job run at a time; zero means 5.
	Concurrency int
	// KeepFor is how long finished jobs are kept; zero means 30 days.
	KeepFor time.Duration
	// Metrics counts what happens; nil counts nothing.
	Metrics *metrics.Batch
	Now     func() time.Time
	Logger  *slog.Logger
}

// The defaults of [Config], which are those of the user's document.
const (
	DefaultChunkSize   = 50
	DefaultConcurrency = 5
	DefaultKeepFor     = 30 * 24 * time.Hour
)

// Service is everything that happens to bulk operations.
type Service struct {
	store    *store.Store
	jobs     *jobs.Client
	catalog  catalog
	watchers *watchers
	runner   *Runner
	now      func() time.Time
	logger   *slog.Logger
	// works is true between Start and Stop.
	works chan struct{}
}

// New wires the service and adds its workers to those of River. It fails if the
// table of operations is wrong.
func New(s *store.Store, client *jobs.Client, workers *river.Workers, c Config) (*Service, error) {
	catalog, err := newCatalog(c.Operations)
	if err != nil {
		return nil, err
	}
	if c.ChunkSize == 0 {
		c.ChunkSize = DefaultChunkSize
	}
	if c.Concurrency == 0 {
		c.Concurrency = DefaultConcurrency
	}
	if c.KeepFor == 0 {
		c.KeepFor = DefaultKeepFor
	}
	// SQLite has one writer, so the chunks that would run side by side share a
	// transaction instead.
	chunkWorkers, unitsPerTx := 1, c.Concurrency
	if s.Postgres() {
		chunkWorkers, unitsPerTx = c.Concurrency, 1
	}
	watchers := newWatchers()
	runner := &Runner{
		store: s, catalog: catalog, schedule: newSchedule(c.Concurrency, c.Now), watchers: watchers,
		owner: quotekit.NewID(), chunkSize: c.ChunkSize, workers: chunkWorkers, unitsPerTx: unitsPerTx, metrics: c.Metrics, now: c.Now, logger: c.Logger,
		kick: make(chan struct{}, 1),
	}
	river.AddWorker(workers, &wakeWorker{runner: runner})
	river.AddWorker(workers, &cleanWorker{store: s, keepFor: c.KeepFor, now: c.Now, logger: c.Logger})
	return &Service{
		store: s, jobs: client, catalog: catalog, watchers: watchers, runner: runner, now: c.Now, logger: c.Logger,
		works: make(chan struct{}),
	}, nil
}

// Start begins to work on jobs. It does not block. Without it the service takes
// jobs in, and leaves the work to other processes.
func (s *Service) Start() {
	s.runner.start()
	close(s.works)
}

// Stop finishes the chunks that run; another process, or the next start, goes on
// with the rest.
func (s *Service) Stop(ctx context.Context) error { return s.runner.close(ctx) }

// StopWatching ends all streams of progress and all waiting for a result.
func (s *Service) StopWatching() { s.watchers.stop() }

// owner is who claims a new job: this process, if it works and has room.
func (s *Service) owner() string {
	select {
	case <-s.works:
		if !s.runner.busy() {
			return s.runner.owner
		}
	default:
	}
	return ""
}

// wakeArgs are those of the job that wakes up a process for a batch job that the
// one that took it in does not work on.
type wakeArgs struct {
	JobID string `json:"job_id"`
}

// Kind implements river.JobArgs.
func (wakeArgs) Kind() string { return "batch_wake" }

type wakeWorker struct {
	river.WorkerDefaults[wakeArgs]
	runner *Runner
}

// Work asks for a look at the table, which is what decides.
func (w *wakeWorker) Work(context.Context, *river.Job[wakeArgs]) error {
	select {
	case w.runner.kick <- struct{}{}:
	default: // somebody has asked already
	}
	return nil
}

// Cleaning is the periodic job that deletes old batch jobs, every hour.
func Cleaning() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(time.Hour), func() (river.JobArgs, *river.InsertOpts) {
		return cleanArgs{}, nil
	}, &river.PeriodicJobOpts{RunOnStart: true})
}

type cleanArgs struct{}

// Kind implements river.JobArgs.
func (cleanArgs) Kind() string { return "batch_clean" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (cleanArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: jobs.Batches} }

type cleanWorker struct {
	river.WorkerDefaults[cleanArgs]
	store   *store.Store
	keepFor time.Duration
	now     func() time.Time
	logger  *slog.Logger
}

// cleanPiece bounds the jobs, of up to a thousand items each, of one transaction.
const cleanPiece = 20

// Work deletes what is old, in small pieces.
func (w *cleanWorker) Work(ctx context.Context, _ *river.Job[cleanArgs]) error {
	deleted := 0
	for {
		n, err := w.store.CleanBatches(ctx, w.now().Add(-w.keepFor), cleanPiece)
		if err != nil {
			return err
		}
		deleted += n
		if n < cleanPiece {
			break
		}
	}
	if deleted > 0 {
		w.logger.Info("old batch jobs deleted", "jobs", deleted)
	}
	return nil
}
