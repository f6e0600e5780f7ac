package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
	"github.com/quotekit/quotekit/internal/task"
)

// The kinds of task.
const (
	KindReconcile = "reconcile"
	KindBackfill  = "backfill"
)

// ImportFunc takes in events that Stripe did not deliver, and returns what became
// of each. It is package webhook's. To import an event again is safe.
type ImportFunc func(ctx context.Context, actor string, payloads [][]byte) ([]quotekit.EventStatus, error)

// Config is what the service needs to know beside its store.
type Config struct {
	// API is Stripe's; nil without a key.
	API    *stripe.Client
	Import ImportFunc
	// Types are the event types that are compared with Stripe's list.
	Types []string
	// Every is the time between two comparisons; zero switches them off.
	Every  time.Duration
	Now    func() time.Time
	Logger *slog.Logger
}

// Service starts reconciles and backfills, and makes their steps.
type Service struct {
	Config
	store   *store.Store
	tasks   *task.Engine
	started time.Time
}

// New makes the kinds of task known to the engine, and adds the worker of the
// periodic job. A process without a key leaves the tasks to those that have one.
func New(s *store.Store, tasks *task.Engine, workers *river.Workers, c Config) *Service {
	c.Types = slices.Sorted(slices.Values(c.Types))
	r := &Service{Config: c, store: s, tasks: tasks, started: c.Now()}
	if c.API != nil {
		tasks.Add(task.Kind{Name: KindReconcile, Step: r.reconcileStep})
		tasks.Add(task.Kind{Name: KindBackfill, Step: r.backfillStep})
	}
	river.AddWorker(workers, &periodicWorker{service: r})
	return r
}

// errNoKey refuses what needs Stripe's API.
func errNoKey() error {
	return rest.NewProblem(http.StatusConflict, "stripe_key_missing",
		"Stripe's API cannot be asked: STRIPE_SECRET_KEY is not set.")
}

// start starts a task, unless there is an unfinished one of its kind: that is an
// [quotekit.EConflict].
func (s *Service) start(ctx context.Context, t store.NewTask) (id string, err error) {
	if s.API == nil {
		return "", errNoKey()
	}
	if err := s.checkIdle(ctx, t.Kind); err != nil {
		return "", err
	}
	id, err = s.tasks.Start(ctx, t)
	if err != nil {
		// Somebody may have been quicker: of these tasks the database takes one at
		// a time.
		if busy := s.checkIdle(ctx, t.Kind); quotekit.CodeOf(busy) == quotekit.EConflict {
			return "", busy
		}
		return "", err
	}
	return id, nil
}

func (s *Service) checkIdle(ctx context.Context, kind string) error {
	t, err := s.store.UnfinishedTask(ctx, kind)
	switch {
	case err == nil:
		return quotekit.Errorf(quotekit.EConflict, "a %s is under way: task %s", kind, t.ID)
	case quotekit.CodeOf(err) == quotekit.ENotFound:
		return nil
	}
	return err
}

// failed makes the error of a request to Stripe fit for a task. The end of a
// step's time is not one of the database's.
func failed(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("no answer from Stripe's API in time")
	}
	return err
}
