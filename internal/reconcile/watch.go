package reconcile

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
)

// Actor is who starts a reconcile that nobody asked for, in the audit trail.
const Actor = "quotekit"

// lookAgain is the pause before another look, when the database did not answer.
const lookAgain = 5 * time.Second

// LookAtStart starts a reconcile at once if the last event was received longer
// ago than the time between two comparisons. It returns when it has looked, or
// ctx ends.
func (s *Service) LookAtStart(ctx context.Context) {
	for {
		err := s.look(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		s.Logger.Warn("look for a gap in the events received", "error", store.Describe(err))
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return
		}
	}
}

func (s *Service) look(ctx context.Context) error {
	last, err := s.store.LastReceived(ctx, s.started)
	if err != nil || last.IsZero() {
		return err
	}
	begin, err := s.begin(ctx)
	if err != nil {
		return err
	}
	s.forgetsSoon(begin)
	gap := s.started.Sub(last).Truncate(time.Second)
	switch {
	case s.API == nil && gap > 24*time.Hour:
		s.Logger.Warn("no event was received for a long time; what was missed can be found with STRIPE_SECRET_KEY", "for", gap.String())
		return nil
	case s.API == nil, s.Every == 0, gap <= s.Every:
		return nil
	}
	s.Logger.Info("no event was received for a while, so they are compared with Stripe's list", "for", gap.String())
	return s.startUnasked(ctx, "no event was received for "+gap.String())
}

// startUnasked starts a reconcile, unless one is under way.
func (s *Service) startUnasked(ctx context.Context, why string) error {
	_, err := s.StartReconcile(ctx, time.Time{}, false, quotekit.Act{Actor: Actor, Reason: why})
	if quotekit.CodeOf(err) == quotekit.EConflict {
		return nil
	}
	return err
}

// Periodic is the job that starts a reconcile now and then.
func Periodic(every time.Duration) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(every), func() (river.JobArgs, *river.InsertOpts) {
		return periodicArgs{}, nil
	}, nil)
}

type periodicArgs struct{}

// Kind implements river.JobArgs.
func (periodicArgs) Kind() string { return "reconcile" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (periodicArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: jobs.Tasks, MaxAttempts: 1}
}

type periodicWorker struct {
	river.WorkerDefaults[periodicArgs]
	service *Service
}

// Work starts a reconcile. If that fails, the next time is soon enough.
func (w *periodicWorker) Work(ctx context.Context, _ *river.Job[periodicArgs]) error {
	s := w.service
	if s.API == nil { // another process has the key
		return nil
	}
	begin, err := s.begin(ctx)
	if err != nil {
		return err
	}
	s.forgetsSoon(begin)
	return s.startUnasked(ctx, "the time has come")
}
