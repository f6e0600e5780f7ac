package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// Client is River's client on either database.
type Client = river.Client[*sql.Tx]

const (
	// jobTimeout ends a job that hangs. It is far above the longest route.
	jobTimeout = 30 * time.Second
	// rescueAfter is when River takes up a job whose process has died.
	rescueAfter = time.Minute
	// laneWorkers is how many jobs of a lane are worked at a time. The attempts of
	// workers share transactions, so this is about how many share one when a lane has
	// fallen behind; handlers are bounded elsewhere.
	laneWorkers = 16
	// fetchCooldown and pollInterval bound the time from insert to start; the
	// defaults of 100 ms and 1 s were measured to cost exactly these.
	fetchCooldown = 5 * time.Millisecond
	pollInterval  = 200 * time.Millisecond
	// sqlitePollInterval is longer, since every poll of a lane takes the one
	// connection that writes. New jobs do not wait for it.
	sqlitePollInterval = 500 * time.Millisecond
)

// Lane returns the queue of the events of a priority. Every lane has workers
// of its own, so that a flood in one does not hold up another.
func Lane(priority int) string { return fmt.Sprintf("lane_%d", priority) }

// Batches is the queue of what belongs to bulk operations. Their items are not
// worked here: its jobs only wake up and clean up.
const Batches = "batches"

// Tasks is the queue of long work in steps; see package task.
const Tasks = "tasks"

// Alerts is the queue of what watches over the service and tells people.
const Alerts = "alerts"

// Migrate brings River's own tables to the version this program needs.
func Migrate(ctx context.Context, s *store.Store) error {
	m, err := rivermigrate.New(driver(s), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("prepare migration of the job tables: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate job tables: %w", err)
	}
	return nil
}

// Config is what a client is made with.
type Config struct {
	// Periodic are inserted by one of all started clients.
	Periodic []*river.PeriodicJob
	// Tracer makes the spans of jobs that were inserted in a trace; nil makes none.
	Tracer trace.TracerProvider
	Logger *slog.Logger
}

// New returns a client that inserts jobs and, once started, works them with the
// workers given. Workers may be added until the client is started.
func New(s *store.Store, workers *river.Workers, cfg Config) (*Client, error) {
	if cfg.Tracer == nil {
		cfg.Tracer = noop.NewTracerProvider()
	}
	queues := map[string]river.QueueConfig{}
	for p := 1; p <= quotekit.Lanes; p++ {
		queues[Lane(p)] = river.QueueConfig{MaxWorkers: laneWorkers}
	}
	queues[Batches] = river.QueueConfig{MaxWorkers: 2}
	queues[Tasks] = river.QueueConfig{MaxWorkers: 4}
	queues[Alerts] = river.QueueConfig{MaxWorkers: 4}
	poll := pollInterval
	if !s.Postgres() {
		poll = sqlitePollInterval
	}
	c, err := river.NewClient(driver(s), &river.Config{
		FetchCooldown:        fetchCooldown,
		FetchPollInterval:    poll,
		FetchOnlyKnownKinds:  true,
		JobTimeout:           jobTimeout,
		RescueStuckJobsAfter: rescueAfter,
		Logger:               slog.New(warnings{cfg.Logger.Handler()}),
		Queues:               queues,
		Workers:              workers,
		PeriodicJobs:         cfg.Periodic,
		Middleware:           []rivertype.Middleware{&tracing{tracer: cfg.Tracer.Tracer(tracerName), logger: cfg.Logger}},
	})
	if err != nil {
		return nil, fmt.Errorf("create job client: %w", err)
	}
	return c, nil
}

// WaitingSince returns since when the first of the jobs that are ready in a queue
// has waited for a worker. It is zero if none is ready.
func WaitingSince(ctx context.Context, c *Client, queue string) (time.Time, error) {
	first, err := c.JobList(ctx, river.NewJobListParams().
		Queues(queue).
		States(rivertype.JobStateAvailable).
		OrderBy(river.JobListOrderByScheduledAt, river.SortOrderAsc).
		First(1))
	if err != nil {
		return time.Time{}, fmt.Errorf("look at queue %s: %w", queue, err)
	}
	if len(first.Jobs) == 0 {
		return time.Time{}, nil
	}
	return first.Jobs[0].ScheduledAt, nil
}

// warnings drops what River says of its daily life, which is a line a minute a
// queue.
type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (w warnings) WithGroup(name string) slog.Handler {
	return warnings{w.Handler.WithGroup(name)}
}

func driver(s *store.Store) riverdriver.Driver[*sql.Tx] {
	if s.Postgres() {
		return riverdatabasesql.NewWithPgxListener(s.Writer(), s.Pool())
	}
	return riversqlite.New(s.Writer())
}
