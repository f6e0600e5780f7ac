package task

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// sweepEvery is how often overdue tasks are looked for.
	sweepEvery = 5 * time.Second
	// overdueAfter is how late a step may be before its process counts as dead.
	overdueAfter = 10 * time.Second
	// beatEvery is how often a step that takes long says that its process lives.
	beatEvery = 3 * time.Second
	// turn is how long one job makes steps before it lets others have its worker.
	turn = 15 * time.Second
	// stepTimeout bounds one step.
	stepTimeout = 25 * time.Second
	// maxNap is the longest pause that a turn waits out by itself; for a longer
	// one its job sleeps.
	maxNap = time.Second
	// maxSnooze is how long a job may sleep and still wake on time; see package jobs.
	maxSnooze = 4 * time.Second
	// maxBackoff is the longest pause after a step that failed.
	maxBackoff = time.Minute
)

var (
	// errOvertaken means that the step has been made elsewhere, or that the task
	// was cancelled.
	errOvertaken = errors.New("the step has been made elsewhere")
	// errUnknown means that the task is of a kind of a newer version.
	errUnknown = errors.New("this version does not know tasks of this kind")
)

// stepArgs are those of the job that makes the steps of a task.
type stepArgs struct {
	TaskID string `json:"task_id"`
}

// Kind implements river.JobArgs.
func (stepArgs) Kind() string { return "task_step" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (stepArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: jobs.Tasks} }

type stepWorker struct {
	river.WorkerDefaults[stepArgs]
	engine *Engine
}

// Timeout implements river.Worker: a turn, and the step that began at its end.
func (w *stepWorker) Timeout(*river.Job[stepArgs]) time.Duration { return turn + stepTimeout }

// Work makes steps for a turn. An error is the database's: River tries again, and
// if it does not, the sweep will.
func (w *stepWorker) Work(ctx context.Context, job *river.Job[stepArgs]) error {
	wait, err := w.engine.steps(ctx, job.Args.TaskID, w.engine.now().Add(turn))
	switch {
	case errors.Is(err, errOvertaken): // whoever was faster has a job, too
		return nil
	case errors.Is(err, errUnknown): // a newer process may take it
		return river.JobSnooze(maxSnooze)
	case err != nil || wait < 0:
		return err
	}
	return river.JobSnooze(min(wait, maxSnooze))
}

// Run makes the steps of a task until it is finished, without River: for a
// command that waits for it where nobody serves.
func (e *Engine) Run(ctx context.Context, id string) error {
	for {
		wait, err := e.steps(ctx, id, e.now().Add(turn))
		switch {
		case errors.Is(err, errOvertaken):
			continue
		case err != nil || wait < 0:
			return err
		}
		if err := e.nap(ctx, wait); err != nil {
			return err
		}
	}
}

// finished is what [Engine.steps] returns for a task that needs no more for now.
const finished time.Duration = -1

// steps makes steps until one has to wait or the turn is over, and returns how
// long to wait, or [finished].
func (e *Engine) steps(ctx context.Context, id string, until time.Time) (time.Duration, error) {
	for {
		t, err := e.store.Task(ctx, id)
		switch {
		case quotekit.CodeOf(err) == quotekit.ENotFound:
			return finished, nil
		case err != nil:
			return 0, err
		case t.Status.Finished() || t.Status == quotekit.TaskPreviewed || t.Paused:
			return finished, nil // who resumes it gives it a new job
		}
		if _, ok := e.kinds[t.Kind]; !ok {
			return 0, fmt.Errorf("task %s of kind %s: %w", t.ID, t.Kind, errUnknown)
		}
		now := e.now()
		wait := max(t.DueAt.Sub(now), 0)
		switch {
		case wait > maxNap, now.Add(wait).After(until), e.isStopping():
			return wait, nil
		case wait > 0:
			err = e.nap(ctx, wait)
		default:
			err = e.step(ctx, t)
		}
		if err != nil {
			return 0, err
		}
	}
}

func (e *Engine) isStopping() bool {
	select {
	case <-e.stopping:
		return true
	default:
		return false
	}
}

// nap waits, at most until the engine stops.
func (e *Engine) nap(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.stopping:
	case <-ctx.Done():
	}
	return ctx.Err()
}

// step makes one step and writes what became of it.
func (e *Engine) step(ctx context.Context, t store.Task) error {
	err := e.try(ctx, t)
	switch {
	case err == nil || errors.Is(err, errOvertaken):
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return e.fail(ctx, t, err)
}

// try makes one step and commits it. A panic is an error like any other; what
// was panicked with may quote anything, so it is not shown.
func (e *Engine) try(ctx context.Context, t store.Task) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		e.logger.Error("a step of a task panicked", "task", t.ID, "kind", t.Kind, "stack", string(debug.Stack()))
		err = errors.New("the step panicked")
		if bug, ok := v.(runtime.Error); ok {
			err = fmt.Errorf("the step panicked: %w", bug)
		}
	}()
	begun := e.now()
	p, err := e.make(ctx, t)
	if err != nil {
		return err
	}
	return e.store.WithTx(ctx, func(tx *store.Tx) error { return e.advance(ctx, tx, t, p, begun) })
}

// make calls the step of the task's kind, and says meanwhile that it lives.
func (e *Engine) make(ctx context.Context, t store.Task) (Progress, error) {
	ctx, timeout := context.WithTimeout(ctx, stepTimeout)
	defer timeout()
	ctx, stop := context.WithCancelCause(ctx)
	var beating sync.WaitGroup
	defer beating.Wait()
	defer stop(nil)
	beating.Go(func() { e.beat(ctx, stop, t) })
	p, err := e.kinds[t.Kind].Step(ctx, t)
	if err != nil && errors.Is(context.Cause(ctx), errOvertaken) {
		return p, errOvertaken
	}
	return p, err
}

// beat says every few seconds that the step is being made, until ctx ends. It
// stops the step if that has become pointless.
func (e *Engine) beat(ctx context.Context, stop context.CancelCauseFunc, t store.Task) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		var ours bool
		err := e.store.WithTx(ctx, func(tx *store.Tx) (err error) {
			ours, err = tx.BeatTask(ctx, t)
			return err
		})
		switch {
		case err == nil && !ours:
			stop(errOvertaken)
			return
		case err != nil && ctx.Err() == nil:
			e.logger.Warn("say that a step is being made", "task", t.ID, "error", store.Describe(err))
		}
	}
}

func (e *Engine) advance(ctx context.Context, tx *store.Tx, t store.Task, p Progress, begun time.Time) error {
	s := store.TaskStep{
		Status: quotekit.TaskRunning, Cursor: p.Cursor, Report: p.Report, Total: p.Total, Done: p.Done, DueAt: begun.Add(p.Wait),
	}
	if p.Finished {
		s.Status = quotekit.TaskCompleted
	}
	if s.Report == nil {
		s.Report = t.Report
	}
	if s.Total == nil {
		s.Total = t.Total
	}
	ours, err := tx.AdvanceTask(ctx, t, s)
	if err != nil {
		return err
	}
	if !ours {
		return errOvertaken
	}
	if p.Effects == nil {
		return nil
	}
	return p.Effects(ctx, tx)
}

// fail notes that a step has failed, and when it is made again.
func (e *Engine) fail(ctx context.Context, t store.Task, cause error) error {
	message := store.Describe(cause)
	e.logger.Warn("a step of a task failed", "task", t.ID, "kind", t.Kind, "error", message)
	return e.store.WithTx(ctx, func(tx *store.Tx) error {
		var again time.Time
		if !quotekit.IsPermanent(cause) {
			again = tx.Now.Add(min(time.Second<<min(t.Failures, 10), maxBackoff))
		}
		ours, err := tx.FailStep(ctx, t, message, again)
		if err == nil && !ours {
			return errOvertaken
		}
		return err
	})
}
