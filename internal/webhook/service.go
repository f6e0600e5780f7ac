package webhook

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/metrics"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/task"
)

// Config is what the service needs to know beside its store.
type Config struct {
	// Secrets verify signatures; with none every delivery is answered 503.
	Secrets []string
	// Livemode restricts the service to one mode; the events of the other are
	// recorded as ignored. Nil takes both.
	Livemode *bool
	Routes   []quotekit.Route
	// Tasks does what takes long.
	Tasks *task.Engine
	// Fetched are the routes of the events of our own, which only [Service.Import]
	// brings.
	Fetched []quotekit.Route
	// QueueLimit is how many deliveries may wait before the sender is sent away
	// with a 503; zero means 10,000.
	QueueLimit int
	// KeepAfter is how long a delivery may wait until those that are not urgent are
	// kept for their lane; zero means 1.5 s.
	KeepAfter time.Duration
	// Committers is how many groups are settled side by side; zero means one on
	// SQLite, which has one writer, and three on Postgres, so that some work
	// while others wait for the disk.
	Committers int
	// Fetcher asks Stripe for objects; nil where STRIPE_SECRET_KEY is not set.
	Fetcher Fetcher
	// Metrics counts what happens; nil counts nothing.
	Metrics *metrics.Webhook
	Now     func() time.Time
	Logger  *slog.Logger
	// Observe is told each step ([StepRead] and so on) on the goroutine that does
	// it, which waits. It is for tests that end a process there; nil costs nothing.
	Observe func(step string)
}

// Service is everything that happens to events.
type Service struct {
	*Operator
	*Bulk

	receiver   *Receiver
	group      *Group
	telemetry  *Telemetry
	sweeper    *Sweeper
	folder     *folder
	committers int

	giveUp        context.CancelFunc // ends the groups that hang
	stopTelemetry context.CancelFunc
	running       sync.WaitGroup
}

// New wires the service and adds its workers. It fails if the table of routes
// is wrong.
func New(s *store.Store, client *jobs.Client, workers *river.Workers, c Config) (*Service, error) {
	routes, err := NewRoutes(slices.Concat(c.Routes, c.Fetched))
	if err != nil {
		return nil, err
	}
	telemetry := &Telemetry{store: s, logger: c.Logger, figures: newFigures(), metrics: c.Metrics}
	settler := &Settler{store: s, jobs: client, telemetry: telemetry, now: c.Now, logger: c.Logger, observe: c.Observe}
	limit, committers := c.QueueLimit, c.Committers
	if limit == 0 {
		limit = 10_000
	}
	if committers == 0 {
		committers = 1
		if s.Postgres() {
			committers = 3
		}
	}
	group := newGroup(limit, cmp.Or(c.KeepAfter, keepAfter), c.Now, settler.settle)
	worker := &AttemptWorker{
		store: s, routes: routes, livemode: c.Livemode, fetcher: c.Fetcher, telemetry: telemetry, now: c.Now, logger: c.Logger,
		observe: c.Observe,
		group:   group, slots: newSlots(),
	}
	group.attempted = worker.settle
	river.AddWorker(workers, worker)
	benchmarks := &benchmarkWorker{store: s}
	for _, r := range c.Routes {
		benchmarks.types = append(benchmarks.types, r.Type)
	}
	river.AddWorker(workers, benchmarks)
	operator := &Operator{store: s, jobs: client, routes: routes, fetches: c.Fetcher != nil}
	bulk := &Bulk{operator: operator, tasks: c.Tasks}
	c.Tasks.Add(bulk.kind())
	return &Service{
		Operator: operator,
		Bulk:     bulk,
		receiver: &Receiver{
			secrets: c.Secrets, clock: newClock(c.Secrets), livemode: c.Livemode, routes: routes, group: group,
			slots: newSlots(), fetches: c.Fetcher != nil, now: c.Now, logger: c.Logger, observe: c.Observe,
			figures: telemetry.figures, metrics: c.Metrics,
		},
		group:      group,
		telemetry:  telemetry,
		sweeper:    &Sweeper{store: s, jobs: client, routes: routes, logger: c.Logger},
		folder:     &folder{store: s, logger: c.Logger},
		committers: committers,
	}, nil
}

// Start begins to settle what is received. It does not block.
func (s *Service) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stopTelemetry = cancel
	settling, giveUp := context.WithCancel(context.Background())
	s.giveUp = giveUp
	s.group.start(settling, s.committers)
	s.running.Go(func() { s.telemetry.Run(ctx) })
	s.running.Go(func() { s.folder.Run(ctx) })
}

// lastGroups is how long the groups that wait have when the service stops. One that
// hangs is then refused, so that a database which is silent does not hold up the stop
// by one time-out after the other.
const lastGroups = 5 * time.Second

// Stop settles what waits, refuses what comes after, and writes the last
// telemetry. The workers must have stopped before.
func (s *Service) Stop() {
	hanging := time.AfterFunc(lastGroups, s.giveUp)
	s.group.stop()
	hanging.Stop()
	s.giveUp()
	s.stopTelemetry()
	s.running.Wait()
}

// Sweep gives overdue events new jobs until ctx ends. It belongs beside the
// workers.
func (s *Service) Sweep(ctx context.Context) { s.sweeper.Run(ctx) }

// pressedAfter is how long a delivery waits for a group where others should leave the
// database to it; usually it is some milliseconds.
const pressedAfter = 20 * time.Millisecond

// Pressed reports whether deliveries wait, so that what is not urgent should.
func (s *Service) Pressed() bool { return s.group.waited() > pressedAfter }

// Waiting is how many deliveries wait for a group, and how long the first has.
func (s *Service) Waiting() (deliveries int, first time.Duration) { return s.group.queued() }
