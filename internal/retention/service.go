package retention

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// every is the time between two runs.
	every = 10 * time.Minute
	// turn is how long one job deletes before it lets others have its worker.
	turn = 15 * time.Second
	// betweenTurns is how long it lets another process have the retention.
	betweenTurns = time.Second
	// postgresPiece and sqlitePiece are the rows of one transaction: some milliseconds,
	// in which on SQLite nobody else writes.
	postgresPiece, sqlitePiece = 500, 100
	// rest is how often the time of a piece it pauses, and leastRest the least.
	rest      = 3
	leastRest = 10 * time.Millisecond
	// look is how often it looks whether deliveries still wait, and patience how long it
	// waits for them before a piece: where they always wait, tables must not grow for ever.
	look     = 50 * time.Millisecond
	patience = time.Second
	// endWithin bounds how long it takes to give the retention back. If that fails, it
	// is free when its lease is over.
	endWithin = 5 * time.Second
	// maxSkew is how far a clock may be away.
	maxSkew = time.Hour
)

// Config says how long what is kept, from when it came, or was resolved; zero keeps it
// for ever.
type Config struct {
	Events     time.Duration
	Payloads   time.Duration
	Logs       time.Duration
	Deliveries time.Duration // lines of the audit trail, and of what happens by itself
	Acts       time.Duration // of operators, in the chain of the audit trail
	Minutes    time.Duration // counts and times by minute, and refused requests
	Hours      time.Duration // counts and times by hour
	Letters    time.Duration // that are resolved, and error groups

	// Pressed reports whether deliveries wait.
	Pressed func() bool
	// StripeSkew is how far our clock is ahead of Stripe's, as far as is known.
	StripeSkew func() time.Duration
	Now        func() time.Time
	Logger     *slog.Logger
}

// Service deletes what is old.
type Service struct {
	store    *store.Store
	config   Config
	owner    string
	piece    int
	kinds    []kind
	stop     sync.Once
	stopping chan struct{}
}

// kind is something that is deleted when it is old.
type kind struct {
	keep   time.Duration
	delete func(r *store.Retention, ctx context.Context, before time.Time, limit int) (deleted int64, done bool, err error)
}

// New wires the service and adds its worker to those of River.
func New(s *store.Store, workers *river.Workers, c Config) *Service {
	service := &Service{store: s, config: c, owner: quotekit.NewID(), piece: sqlitePiece, stopping: make(chan struct{})}
	if s.Postgres() {
		service.piece = postgresPiece
	}
	figures := func(g store.Granularity) func(*store.Retention, context.Context, time.Time, int) (int64, bool, error) {
		return func(r *store.Retention, ctx context.Context, before time.Time, limit int) (int64, bool, error) {
			return r.Figures(ctx, g, before, limit)
		}
	}
	for _, k := range []kind{
		{c.Payloads, (*store.Retention).Payloads},
		{c.Payloads, (*store.Retention).LetterPayloads},
		{c.Events, (*store.Retention).Events},
		{c.Logs, (*store.Retention).Logs},
		{c.Deliveries, (*store.Retention).Deliveries},
		{c.Acts, (*store.Retention).Acts},
		{c.Minutes, figures(store.Minute)},
		{c.Minutes, (*store.Retention).Refusals},
		{c.Hours, figures(store.Hour)},
		{c.Letters, (*store.Retention).Letters},
		{c.Letters, (*store.Retention).Groups},
	} {
		if k.keep > 0 {
			service.kinds = append(service.kinds, k)
		}
	}
	river.AddWorker(workers, &worker{service: service})
	return service
}

// Periodic is the job that deletes what is old.
func Periodic() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(every), func() (river.JobArgs, *river.InsertOpts) {
		return args{}, nil
	}, &river.PeriodicJobOpts{RunOnStart: true})
}

type args struct{}

// Kind implements river.JobArgs.
func (args) Kind() string { return "retention" }

// InsertOpts implements river.JobArgsWithInsertOpts. One that fails is not tried
// again: the next is due soon.
func (args) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: jobs.Tasks, MaxAttempts: 1} }

type worker struct {
	river.WorkerDefaults[args]
	service *Service
}

// Work deletes for a turn, and comes again if something old is left.
func (w *worker) Work(ctx context.Context, _ *river.Job[args]) error {
	left, err := w.service.Turn(ctx)
	if left && err == nil {
		return river.JobSnooze(betweenTurns)
	}
	return err
}

// Stop ends a turn that is under way after its piece.
func (s *Service) Stop() { s.stop.Do(func() { close(s.stopping) }) }

// Turn deletes what is old, for some seconds at most. It reports whether something is
// left for another turn here; if another process has the retention, nothing is.
func (s *Service) Turn(ctx context.Context) (left bool, err error) {
	if len(s.kinds) == 0 {
		return false, nil
	}
	if agree, err := s.clocksAgree(ctx); !agree {
		return false, err
	}
	r, err := s.store.BeginRetention(ctx, s.owner)
	if err != nil || r == nil {
		return false, err
	}
	before := r.Deleted()
	left, err = s.delete(ctx, r)
	var deleted []any
	after := r.Deleted()
	for _, what := range slices.Sorted(maps.Keys(after)) {
		if n := after[what] - before[what]; n > 0 {
			deleted = append(deleted, what, n)
		}
	}
	if len(deleted) > 0 {
		s.config.Logger.Info("what is old was deleted", deleted...)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	return left, errors.Join(err, r.End(last))
}

// clocksAgree reports whether our clock is one that things can be deleted by.
func (s *Service) clocksAgree(ctx context.Context) (bool, error) {
	ahead, err := s.store.ClockSkew(ctx)
	if err != nil {
		return false, err
	}
	if stripe := s.config.StripeSkew(); stripe.Abs() > ahead.Abs() {
		ahead = stripe
	}
	if ahead.Abs() < maxSkew {
		return true, nil
	}
	s.config.Logger.Warn("nothing old is deleted, since the clock of this machine is not that of others", "ahead", ahead.Round(time.Second))
	return false, nil
}

// delete deletes a piece of each kind in turn, until nothing old is left or the turn is
// over. A kind that fails is left alone until the next turn.
func (s *Service) delete(ctx context.Context, r *store.Retention) (left bool, err error) {
	begun := s.config.Now()
	open := s.kinds
	var failed []error
	for len(open) > 0 {
		var next []kind
		for _, k := range open {
			start := s.config.Now()
			if !s.mayGoOn(ctx, begun.Add(turn)) {
				return true, errors.Join(append(failed, ctx.Err())...)
			}
			_, done, err := k.delete(r, ctx, start.Add(-k.keep), s.piece)
			switch {
			case err != nil:
				failed = append(failed, err)
			case !done:
				next = append(next, k)
			}
			s.nap(ctx, max(rest*s.config.Now().Sub(start), leastRest))
		}
		open = next
	}
	return false, errors.Join(failed...)
}

// mayGoOn waits while deliveries do. It reports false when the turn is over.
func (s *Service) mayGoOn(ctx context.Context, until time.Time) bool {
	for waited := time.Duration(0); ; waited += look {
		switch {
		case ctx.Err() != nil, s.isStopping(), s.config.Now().After(until):
			return false
		case waited >= patience || !s.config.Pressed():
			return true
		}
		s.nap(ctx, look)
	}
}

func (s *Service) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

func (s *Service) nap(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.stopping:
	case <-ctx.Done():
	}
}
