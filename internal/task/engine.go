package task

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
)

// Kind is a kind of task.
type Kind struct {
	Name string
	// Step does the next bounded piece of work, well below 25 s, and tells how far
	// the task has come. An error marked [quotekit.Permanent] ends the task as
	// failed; after any other the step is made again, later. The message is shown
	// to operators. The context ends when the task is cancelled.
	Step func(ctx context.Context, t store.Task) (Progress, error)
	// MaxRate is the most that the member rate of the arguments may be, in items a
	// second; zero if the kind has no rate.
	MaxRate int
}

// Progress is what a step leaves behind.
type Progress struct {
	// Cursor is where the next step begins; the kind's own text.
	Cursor string
	// Report is what the task has found so far, as JSON; nil leaves it as it is.
	Report json.RawMessage
	// Done is how many items are done in all; Total, if known, of how many.
	Done  int
	Total *int
	// Finished: this was the last step.
	Finished bool
	// Wait is the time from the beginning of this step to that of the next, at
	// least.
	Wait time.Duration
	// Effects is run in the transaction that writes the progress, after it is
	// certain that no other process has made the step. It may be nil.
	Effects func(ctx context.Context, tx *store.Tx) error
}

// Engine makes the steps of tasks.
type Engine struct {
	store  *store.Store
	jobs   *jobs.Client
	kinds  map[string]Kind
	now    func() time.Time
	logger *slog.Logger
	made   time.Time

	stopping chan struct{} // closed by Stop
	stop     sync.Once
}

// New makes an engine and adds its workers to those of River.
func New(s *store.Store, client *jobs.Client, workers *river.Workers, now func() time.Time, logger *slog.Logger) *Engine {
	e := &Engine{store: s, jobs: client, kinds: map[string]Kind{}, now: now, logger: logger, made: now(), stopping: make(chan struct{})}
	river.AddWorker(workers, &stepWorker{engine: e})
	river.AddWorker(workers, &cleanWorker{store: s, now: now, logger: logger})
	return e
}

// Add makes a kind of task known. All kinds are added before the workers start.
func (e *Engine) Add(k Kind) { e.kinds[k.Name] = k }

// Stop ends the turns of this process after the step that is being made. The
// tasks go on in another process, or after the next start.
func (e *Engine) Stop() { e.stop.Do(func() { close(e.stopping) }) }

// Start inserts a task and its wake-up, and returns its id.
func (e *Engine) Start(ctx context.Context, t store.NewTask) (id string, err error) {
	err = e.store.WithTx(ctx, func(tx *store.Tx) error {
		id, err = e.StartTx(ctx, tx, t)
		return err
	})
	return id, err
}

// StartTx does the work of [Engine.Start] in a transaction of the caller's. The
// act is in the audit trail. A task without an id gets one.
func (e *Engine) StartTx(ctx context.Context, tx *store.Tx, t store.NewTask) (id string, err error) {
	if t.ID == "" {
		t.ID = quotekit.NewID()
	}
	if err := tx.InsertTask(ctx, t); err != nil {
		return "", err
	}
	return t.ID, e.started(ctx, tx, t.ID, t.Arguments, t.Act)
}

// Confirm starts a preview that is not older than maxAge, with these arguments,
// in a transaction of the caller's. It reports false if it is none any more.
func (e *Engine) Confirm(ctx context.Context, tx *store.Tx, id string, arguments json.RawMessage, act quotekit.Act, maxAge time.Duration) (bool, error) {
	ok, err := tx.StartTask(ctx, id, arguments, act, tx.Now.Add(-maxAge))
	if err != nil || !ok {
		return false, err
	}
	return true, e.started(ctx, tx, id, arguments, act)
}

// started notes who has started a task, and inserts the job that makes its steps.
func (e *Engine) started(ctx context.Context, tx *store.Tx, id string, arguments json.RawMessage, act quotekit.Act) error {
	err := tx.Audit(ctx, []store.AuditEntry{{
		Actor: act.Actor, Action: store.AuditTaskStart, Target: id, Reason: act.Reason, After: arguments, RequestID: act.RequestID,
	}})
	if err != nil {
		return err
	}
	return e.wake(ctx, tx, id)
}

func (e *Engine) wake(ctx context.Context, tx *store.Tx, id string) error {
	if _, err := e.jobs.InsertTx(ctx, tx.Tx, stepArgs{TaskID: id}, nil); err != nil {
		return fmt.Errorf("insert the job of task %s: %w", id, err)
	}
	return nil
}

// Cancel stops a task between two steps, and returns it as it is then. To cancel
// a finished task changes nothing. It fails with [quotekit.ENotFound].
func (e *Engine) Cancel(ctx context.Context, id string, act quotekit.Act) (store.Task, error) {
	before, err := e.store.Task(ctx, id)
	if err != nil {
		return store.Task{}, err
	}
	err = e.store.WithTx(ctx, func(tx *store.Tx) error {
		ok, err := tx.CancelTask(ctx, id)
		if err != nil || !ok {
			return err
		}
		type state struct {
			Status quotekit.TaskStatus `json:"status"`
		}
		return tx.Audit(ctx, []store.AuditEntry{{
			Actor: act.Actor, Action: store.AuditTaskCancel, Target: id, Reason: act.Reason,
			Before: state{before.Status}, After: state{quotekit.TaskCancelled}, RequestID: act.RequestID,
		}})
	})
	if err != nil {
		return store.Task{}, err
	}
	return e.store.Task(ctx, id)
}

// Pause holds a task up between two steps, until somebody resumes it. It fails with
// [quotekit.ENotFound], and with [quotekit.EConflict] if the task is paused already or
// not under way.
func (e *Engine) Pause(ctx context.Context, id string, act quotekit.Act) (store.Task, error) {
	return e.hold(ctx, id, true, store.AuditTaskPause, act)
}

// Resume lets a paused task go on. It fails as [Engine.Pause] does.
func (e *Engine) Resume(ctx context.Context, id string, act quotekit.Act) (store.Task, error) {
	return e.hold(ctx, id, false, store.AuditTaskResume, act)
}

func (e *Engine) hold(ctx context.Context, id string, paused bool, action string, act quotekit.Act) (store.Task, error) {
	type state struct {
		Paused bool `json:"paused"`
	}
	return e.change(ctx, id, func(tx *store.Tx, t store.Task) (bool, error) {
		ok, err := tx.PauseTask(ctx, id, paused)
		if err != nil || !ok {
			return ok, err
		}
		err = tx.Audit(ctx, []store.AuditEntry{{
			Actor: act.Actor, Action: action, Target: id, Reason: act.Reason,
			Before: state{!paused}, After: state{paused}, RequestID: act.RequestID,
		}})
		if err == nil && !paused {
			err = e.wake(ctx, tx, id)
		}
		return true, err
	})
}

// SetRate changes how many items a second a task takes, from its next step on. It
// fails with [quotekit.ENotFound], with [quotekit.EInvalid] if the rate is not from 1 to
// the kind's largest, and with [quotekit.EConflict] if the task has no rate or is not
// under way.
func (e *Engine) SetRate(ctx context.Context, id string, rate int, act quotekit.Act) (store.Task, error) {
	return e.change(ctx, id, func(tx *store.Tx, t store.Task) (bool, error) {
		most := e.kinds[t.Kind].MaxRate
		switch {
		case most == 0:
			return false, quotekit.Errorf(quotekit.EConflict, "a task of kind %s has no rate", t.Kind)
		case rate < 1 || rate > most:
			return false, quotekit.Errorf(quotekit.EInvalid, "the rate is %d, not from 1 to %d", rate, most)
		}
		arguments, err := sjson.SetBytes(t.Arguments, "rate", rate)
		if err != nil {
			return false, fmt.Errorf("change the rate of task %s: %w", id, err)
		}
		ok, err := tx.SetTaskArguments(ctx, id, arguments)
		if err != nil || !ok {
			return ok, err
		}
		type state struct {
			Rate int64 `json:"rate"`
		}
		return true, tx.Audit(ctx, []store.AuditEntry{{
			Actor: act.Actor, Action: store.AuditTaskRate, Target: id, Reason: act.Reason,
			Before: state{gjson.GetBytes(t.Arguments, "rate").Int()}, After: state{int64(rate)}, RequestID: act.RequestID,
		}})
	})
}

// change changes a task that is under way, and returns it as it is then.
func (e *Engine) change(ctx context.Context, id string, do func(*store.Tx, store.Task) (bool, error)) (store.Task, error) {
	t, err := e.store.Task(ctx, id)
	if err != nil {
		return store.Task{}, err
	}
	err = e.store.WithTx(ctx, func(tx *store.Tx) error {
		ok, err := do(tx, t)
		if err == nil && !ok {
			state := string(t.Status)
			if t.Paused {
				state += " and paused"
			}
			err = quotekit.Errorf(quotekit.EConflict, "task %s is %s", id, state)
		}
		return err
	})
	if err != nil {
		return store.Task{}, err
	}
	return e.store.Task(ctx, id)
}

// Sweep gives overdue tasks new jobs until ctx ends. It belongs beside the
// workers. On SQLite, where there is no other process, everything is overdue that was
// due before this process began.
func (e *Engine) Sweep(ctx context.Context) {
	swept := e.store.Postgres() // what this process has found at its start
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		before := e.now().Add(-overdueAfter)
		if !swept {
			before = e.made
		}
		if err := e.sweep(ctx, before); err == nil {
			swept = true
		} else if ctx.Err() == nil {
			e.logger.Warn("sweep overdue tasks", "error", store.Describe(err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (e *Engine) sweep(ctx context.Context, before time.Time) error {
	return e.store.WithTx(ctx, func(tx *store.Tx) error {
		ids, err := tx.TakeOverdueTasks(ctx, before, slices.Sorted(maps.Keys(e.kinds)))
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := e.wake(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
}
