package webhook

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
)

// Config is what the service needs to know beside its store.
type Config struct {
	// Secrets verify signatures; with none every delivery is answered 503.
	Secrets []string
	// Livemode restricts the service to one mode; the events of the other are
	// recorded as ignored. Nil takes both.
	Livemode *bool
	Routes   []quotekit.Route
	// QueueLimit is how many deliveries may wait before the sender is sent away
	// with a 503; zero means 10,000.
	QueueLimit int
	// Committers is how many groups are settled side by side; zero means one on
	// SQLite, which has one writer, and three on Postgres, so that some work
	// while others wait for the disk.
	Committers int
	Now        func() time.Time
	Logger     *slog.Logger
}

// Service is everything that happens to events.
type Service struct {
	*Operator

	receiver   *Receiver
	group      *Group
	telemetry  *Telemetry
	sweeper    *Sweeper
	committers int

	stopTelemetry context.CancelFunc
	running       sync.WaitGroup
}

// New wires the service and adds its workers. It fails if the table of routes
// is wrong.
func New(s *store.Store, client *jobs.Client, workers *river.Workers, c Config) (*Service, error) {
	routes, err := NewRoutes(c.Routes)
	if err != nil {
		return nil, err
	}
	telemetry := &Telemetry{store: s, logger: c.Logger}
	settler := &Settler{store: s, jobs: client, telemetry: telemetry, now: c.Now, logger: c.Logger}
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
	group := newGroup(limit, settler.settle)
	river.AddWorker(workers, &AttemptWorker{
		store: s, routes: routes, livemode: c.Livemode, telemetry: telemetry, now: c.Now, logger: c.Logger,
	})
	return &Service{
		Operator:   &Operator{store: s, jobs: client, routes: routes},
		receiver:   &Receiver{secrets: c.Secrets, livemode: c.Livemode, routes: routes, group: group, now: c.Now, logger: c.Logger},
		group:      group,
		telemetry:  telemetry,
		sweeper:    &Sweeper{store: s, jobs: client, routes: routes, logger: c.Logger},
		committers: committers,
	}, nil
}

// Start begins to settle what is received. It does not block.
func (s *Service) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stopTelemetry = cancel
	s.group.start(context.Background(), s.committers)
	s.running.Go(func() { s.telemetry.Run(ctx) })
}

// Stop settles what waits, refuses what comes after, and writes the last
// telemetry. The workers must have stopped before.
func (s *Service) Stop() {
	s.group.stop()
	s.stopTelemetry()
	s.running.Wait()
}

// Sweep gives overdue events new jobs until ctx ends. It belongs beside the
// workers.
func (s *Service) Sweep(ctx context.Context) { s.sweeper.Run(ctx) }
