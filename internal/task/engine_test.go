package task_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/task"
)

func tables(ctx context.Context, s *store.Store) error {
	return s.Migrate(ctx, func(ctx context.Context) error { return jobs.Migrate(ctx, s) })
}

// clock is the time, which tests can put forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// process is an engine with a store, as a process has.
type process struct {
	*task.Engine
	t     *testing.T
	store *store.Store
	jobs  *jobs.Client
	clock *clock
}

// newProcess makes an engine that knows the kinds and does not work yet.
func newProcess(t *testing.T, s *store.Store, c *clock, kinds ...task.Kind) *process {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	workers := river.NewWorkers()
	client, err := jobs.New(s, workers, jobs.Config{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Engine: task.New(s, client, workers, c.now, logger), t: t, store: s, jobs: client, clock: c}
	for _, k := range kinds {
		p.Add(k)
	}
	return p
}

// work starts the workers and the sweep until the test ends.
func (p *process) work() {
	p.t.Helper()
	if err := p.jobs.Start(context.Background()); err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var sweeping sync.WaitGroup
	sweeping.Go(func() { p.Sweep(ctx) })
	p.t.Cleanup(func() {
		cancel()
		sweeping.Wait()
		p.Stop()
		if err := p.jobs.Stop(context.Background()); err != nil {
			p.t.Error(err)
		}
	})
}

var ada = quotekit.Act{Actor: "ada", Reason: "a test"}

func (p *process) mustStart(kind string) string {
	p.t.Helper()
	id, err := p.Start(p.t.Context(), store.NewTask{Kind: kind, Arguments: json.RawMessage(`{"a": 1}`), Act: ada})
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

func (p *process) mustTask(id string) store.Task {
	p.t.Helper()
	t, err := p.store.Task(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return t
}

// becomes waits for a state of the task.
func (p *process) becomes(id string, what string, ok func(store.Task) bool) store.Task {
	p.t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		t := p.mustTask(id)
		if ok(t) {
			return t
		}
		select {
		case <-tick.C:
		case <-deadline:
			p.t.Fatalf("the task does not become %s: %+v", what, t)
		}
	}
}

func (p *process) ends(id string, status quotekit.TaskStatus) store.Task {
	p.t.Helper()
	return p.becomes(id, string(status), func(t store.Task) bool { return t.Status == status })
}

// effects counts what steps have written: lines of the audit trail that name the
// step.
func (p *process) effects(id string) map[string]int {
	p.t.Helper()
	counts := map[string]int{}
	trail, err := p.store.EventAudit(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, a := range trail {
		counts[a.Action]++
	}
	return counts
}

// counting is a kind of n steps, each of which writes a line to the audit trail.
// With each step it calls before, if that is not nil.
func counting(n int, before func(ctx context.Context, t store.Task) error) task.Kind {
	return task.Kind{Name: "counting", Step: func(ctx context.Context, t store.Task) (task.Progress, error) {
		if before != nil {
			if err := before(ctx, t); err != nil {
				return task.Progress{}, err
			}
		}
		return task.Progress{
			Cursor: fmt.Sprint(t.Done + 1), Done: t.Done + 1, Total: &n, Finished: t.Done+1 >= n,
			Report: json.RawMessage(fmt.Sprintf(`{"steps": %d}`, t.Done+1)),
			Effects: func(ctx context.Context, tx *store.Tx) error {
				return tx.Audit(ctx, []store.AuditEntry{{Actor: "test", Action: fmt.Sprint("step ", t.Done), StripeEventID: t.ID}})
			},
		}, nil
	}}
}

// everyStepOnce checks that each of n steps has had its effect once.
func (p *process) everyStepOnce(id string, n int) {
	p.t.Helper()
	got := p.effects(id)
	if len(got) != n {
		p.t.Errorf("%d steps had an effect, want %d: %v", len(got), n, got)
	}
	for step, times := range got {
		if times != 1 {
			p.t.Errorf("%s had its effect %d times", step, times)
		}
	}
}

// onBoth runs f with a fresh store of each engine, which goes by a clock.
func onBoth(t *testing.T, f func(t *testing.T, s *store.Store, c *clock)) {
	t.Helper()
	run := func(t *testing.T, url string) {
		c := new(clock)
		s, err := store.Open(context.Background(), store.Config{URL: url, Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		f(t, s, c)
	}
	t.Run("sqlite", func(t *testing.T) { run(t, storetest.SQLiteURL(t, tables)) })
	t.Run("postgres", func(t *testing.T) { run(t, storetest.PostgresURL(t, tables)) })
}

func TestTask_MakesItsStepsInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, c *clock) {
		var mu sync.Mutex
		var cursors []string
		p := newProcess(t, s, c, counting(5, func(_ context.Context, t store.Task) error {
			mu.Lock()
			defer mu.Unlock()
			cursors = append(cursors, t.Cursor)
			return nil
		}))
		p.work()
		id := p.mustStart("counting")
		got := p.ends(id, quotekit.TaskCompleted)
		cursors = slices.Compact(cursors) // the sweep at the start may double the job
		if want := []string{"", "1", "2", "3", "4"}; !slices.Equal(cursors, want) {
			t.Errorf("the steps began at %q, want %q", cursors, want)
		}
		if got.Done != 5 || *got.Total != 5 || got.StartedAt.IsZero() || got.CompletedAt.IsZero() || !got.DueAt.IsZero() || got.Actor != "ada" {
			t.Errorf("got %+v", got)
		}
		var report struct{ Steps int }
		if err := json.Unmarshal(got.Report, &report); err != nil || report.Steps != 5 {
			t.Errorf("report %s, %v", got.Report, err)
		}
		p.everyStepOnce(id, 5)
	})
}

func TestTask_IsCancelledBetweenTwoSteps(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, c *clock) {
		inStep, goOn := make(chan struct{}), make(chan struct{})
		p := newProcess(t, s, c, counting(5, func(_ context.Context, t store.Task) error {
			if t.Done == 2 {
				close(inStep)
				<-goOn
			}
			return nil
		}))
		id := p.mustStart("counting")
		ended := make(chan error, 1)
		go func() { ended <- p.Run(context.Background(), id) }()
		<-inStep
		for range 2 { // the second changes nothing
			got, err := p.Cancel(t.Context(), id, ada)
			if err != nil || got.Status != quotekit.TaskCancelled || got.Done != 2 {
				t.Fatalf("got %+v, %v", got, err)
			}
		}
		close(goOn)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if got := p.mustTask(id); got.Status != quotekit.TaskCancelled || got.Done != 2 {
			t.Errorf("got %+v", got)
		}
		p.everyStepOnce(id, 2)
		if _, err := p.Cancel(t.Context(), quotekit.NewID(), ada); quotekit.CodeOf(err) != quotekit.ENotFound {
			t.Errorf("cancel of nothing: got %v", err)
		}
	})
}

func TestTask_FailsForAPermanentErrorOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, c *clock) {
		p := newProcess(t, s, c, counting(2, func(_ context.Context, t store.Task) error {
			switch {
			case t.Done == 0 && t.Failures == 0:
				return errors.New("not now")
			case t.Done == 0 && t.Failures == 1:
				panic("a value of somebody")
			case t.Done == 0:
				return nil
			}
			return quotekit.Permanent(errors.New("no use"))
		}))
		id := p.mustStart("counting")
		p.work()
		first := p.becomes(id, "attempted", func(t store.Task) bool { return t.Failures == 1 })
		if first.Error != "not now" || first.Status != quotekit.TaskRunning || first.Done != 0 {
			t.Errorf("after the first attempt: %+v", first)
		}
		second := p.becomes(id, "attempted again", func(t store.Task) bool { return t.Failures == 2 })
		if second.Error != "the step panicked" {
			t.Errorf("after the panic: %q", second.Error)
		}
		// The pauses grow: one second, then two.
		if pause := second.DueAt.Sub(first.DueAt); pause < 2*time.Second {
			t.Errorf("the second pause ends %s after the first, want two seconds at least", pause)
		}
		got := p.ends(id, quotekit.TaskFailed)
		if got.Done != 1 || got.Failures != 1 || got.Error != "no use" || got.CompletedAt.IsZero() {
			t.Errorf("got %+v", got)
		}
		p.everyStepOnce(id, 1)
	})
}

func TestTask_EffectsAndProgressCommitTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, c *clock) {
		broken := true
		p := newProcess(t, s, c, task.Kind{Name: "half", Step: func(_ context.Context, t store.Task) (task.Progress, error) {
			return task.Progress{Done: 1, Finished: true, Effects: func(ctx context.Context, tx *store.Tx) error {
				if err := tx.Audit(ctx, []store.AuditEntry{{Actor: "test", Action: "step 0", StripeEventID: t.ID}}); err != nil {
					return err
				}
				if broken {
					broken = false
					return errors.New("broken in the middle")
				}
				return nil
			}}, nil
		}})
		id := p.mustStart("half")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx, id) }()
		got := p.becomes(id, "attempted", func(t store.Task) bool { return t.Failures == 1 })
		if got.Done != 0 || got.Error != "broken in the middle" {
			t.Errorf("after the attempt: %+v", got)
		}
		p.everyStepOnce(id, 0)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		cancel()
		p.ends(id, quotekit.TaskCompleted)
		p.everyStepOnce(id, 1)
	})
}

// TestTask_DoubledJobsMakeAStepOnce runs a task in several places at a time.
func TestTask_DoubledJobsMakeAStepOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, c *clock) {
		var made atomic.Int32
		kind := counting(20, func(context.Context, store.Task) error { made.Add(1); return nil })
		p := newProcess(t, s, c, kind)
		id := p.mustStart("counting")
		var running sync.WaitGroup
		for range 4 {
			other := newProcess(t, s, c, kind)
			running.Go(func() {
				if err := other.Run(context.Background(), id); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		p.ends(id, quotekit.TaskCompleted)
		p.everyStepOnce(id, 20)
		t.Logf("%d attempts at 20 steps", made.Load())
	})
}

// TestTask_GoesOnAfterACrash: the process that made the first steps is gone, with
// its job.
func TestTask_GoesOnAfterACrash(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, c *clock) {
		dead, cancel := context.WithCancel(t.Context())
		id := newProcess(t, s, c).mustStart("counting")
		crash := newProcess(t, s, c, counting(5, func(_ context.Context, t store.Task) error {
			if t.Done == 2 {
				cancel()
			}
			return nil
		}))
		if err := crash.Run(dead, id); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		if _, err := s.Writer().ExecContext(t.Context(), "DELETE FROM river_job"); err != nil {
			t.Fatal(err)
		}
		p := newProcess(t, s, c, counting(5, nil))
		p.work()
		c.forward(20 * time.Second)
		p.ends(id, quotekit.TaskCompleted)
		p.everyStepOnce(id, 5)
	})
}

func TestTask_OfAnUnknownKindIsLeftAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, c *clock) {
		older := newProcess(t, s, c)
		older.work()
		id := older.mustStart("counting")
		before := older.mustTask(id)
		if err := older.Run(t.Context(), id); err == nil {
			t.Error("an older process runs a task of a newer kind")
		}
		newer := newProcess(t, s, c, counting(2, nil))
		if got := older.mustTask(id); got.Status != before.Status || got.Step != before.Step || got.Error != "" {
			t.Errorf("got %+v", got)
		}
		newer.work()
		c.forward(20 * time.Second)
		newer.ends(id, quotekit.TaskCompleted)
		newer.everyStepOnce(id, 2)
	})
}

// TestTask_WaitsBetweenSteps: the wait counts from the beginning of a step, and a
// short one needs no job.
func TestTask_WaitsBetweenSteps(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, c *clock) {
		const wait = 50 * time.Millisecond
		var begun []time.Time
		p := newProcess(t, s, c, task.Kind{Name: "slow", Step: func(_ context.Context, t store.Task) (task.Progress, error) {
			begun = append(begun, time.Now())
			return task.Progress{Done: t.Done + 1, Finished: t.Done == 9, Wait: wait}, nil
		}})
		if err := p.Run(t.Context(), p.mustStart("slow")); err != nil {
			t.Fatal(err)
		}
		// What a step notes is a little later than its beginning, so one alone says nothing.
		if d := begun[len(begun)-1].Sub(begun[0]); len(begun) != 10 || d < 8*wait {
			t.Errorf("%d steps began within %s, want ten with %s between them", len(begun), d, wait)
		}
	})
}

// TestTask_StopEndsTheTurn: a task whose steps follow each other gives up its
// worker when the process stops, and goes on in the next one.
func TestTask_StopEndsTheTurn(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, c *clock) {
		var p *process
		p = newProcess(t, s, c, counting(100, func(_ context.Context, t store.Task) error {
			if t.Done == 3 {
				p.Stop()
			}
			return nil
		}))
		id := p.mustStart("counting")
		if err := p.jobs.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		p.becomes(id, "under way", func(t store.Task) bool { return t.Done == 4 })
		if err := p.jobs.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := p.mustTask(id); got.Done != 4 {
			t.Errorf("%d steps were made, want 4", got.Done)
		}
		next := newProcess(t, s, c, counting(100, nil))
		next.work()
		next.ends(id, quotekit.TaskCompleted)
		next.everyStepOnce(id, 100)
	})
}

// TestTask_PausedTaskIsNobodys holds a task up between two steps: however late it is,
// no process takes it until it is resumed.
func TestTask_PausedTaskIsNobodys(t *testing.T) {
	onBoth(t, func(t *testing.T, s *store.Store, c *clock) {
		reached, release := make(chan struct{}), make(chan struct{})
		p := newProcess(t, s, c, counting(3, func(_ context.Context, t store.Task) error {
			if t.Done == 1 {
				close(reached)
				<-release
			}
			return nil
		}))
		id := p.mustStart("counting")
		ran := make(chan error, 1)
		go func() { ran <- p.Run(t.Context(), id) }()
		<-reached
		if got, err := p.Pause(t.Context(), id, ada); err != nil || !got.Paused {
			t.Fatalf("pause: %+v, %v", got, err)
		}
		close(release) // the step that is being made is not undone
		if err := <-ran; err != nil {
			t.Fatal(err)
		}
		if got := p.mustTask(id); got.Done != 2 || got.Status != quotekit.TaskRunning {
			t.Fatalf("got %+v, want it after two steps", got)
		}
		err := s.WithTx(t.Context(), func(tx *store.Tx) error {
			ids, err := tx.TakeOverdueTasks(t.Context(), c.now().Add(time.Hour), []string{"counting"})
			if len(ids) != 0 {
				t.Errorf("%v is taken although it is paused", ids)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.SetRate(t.Context(), id, 10, ada); quotekit.CodeOf(err) != quotekit.EConflict {
			t.Errorf("got %v for a kind without a rate", err)
		}
		p.work()
		if got, err := p.Resume(t.Context(), id, ada); err != nil || got.Paused {
			t.Fatalf("resume: %+v, %v", got, err)
		}
		p.ends(id, quotekit.TaskCompleted)
		p.everyStepOnce(id, 3)
		if _, err := p.Pause(t.Context(), "00000000-0000-4000-8000-000000000000", ada); quotekit.CodeOf(err) != quotekit.ENotFound {
			t.Errorf("got %v for no task", err)
		}
	})
}
