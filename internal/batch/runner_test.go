package batch

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
)

func tables(ctx context.Context, s *store.Store) error {
	return s.Migrate(ctx, func(ctx context.Context) error { return jobs.Migrate(ctx, s) })
}

// gate is a clock that stands still, with whoever asks for the time, between
// shut and open: what a paused process looks like to a database.
type gate struct {
	mu     sync.Mutex
	opened *sync.Cond
	closed bool
	inside int // who waits
}

func newGate() *gate {
	g := &gate{}
	g.opened = sync.NewCond(&g.mu)
	return g
}

func (g *gate) now() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside++
	for g.closed {
		g.opened.Wait()
	}
	g.inside--
	return time.Now()
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
	g.opened.Broadcast()
}

func (g *gate) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside
}

// process is a service with a store of its own, as a process of its own has.
type process struct {
	*Service
	t testing.TB
	// gate is the clock of its store.
	gate *gate
	// updates is how often an update looked at a row.
	updates atomic.Int64
	// onUpdate, if any, is called before.
	onUpdate func()
}

const (
	testUser      = "11111111-1111-4111-8111-111111111111"
	testOperation = "raise"
)

// newProcess makes a service that is not started. It knows one operation, which
// adds a cent to the price of items.
func newProcess(t testing.TB, url string) *process {
	t.Helper()
	p := &process{t: t, gate: newGate(), onUpdate: func() {}}
	s, err := store.Open(t.Context(), store.Config{URL: url, Now: p.gate.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	logger := slog.New(slog.DiscardHandler)
	workers := river.NewWorkers()
	client, err := jobs.New(s, workers, jobs.Config{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	raise := quotekit.Operation{
		Name: testOperation, Kind: quotekit.OperationUpdate, Table: quotekit.Items, Columns: []string{"unit_price"},
		Prepare: func(map[string]json.RawMessage) (quotekit.Step, []quotekit.FieldError) {
			return quotekit.Step{Update: func(r quotekit.Record) (quotekit.Values, *quotekit.ItemError) {
				p.onUpdate()
				p.updates.Add(1)
				old, _ := r.Cents("unit_price")
				return quotekit.Values{"unit_price": old + 1}, nil
			}}, nil
		},
	}
	p.Service, err = New(s, client, workers, Config{Operations: []quotekit.Operation{raise}, ChunkSize: 5, Now: time.Now, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// work starts the workers until the test ends.
func (p *process) work() {
	p.Start()
	p.t.Cleanup(func() {
		p.gate.open()
		if err := p.Stop(context.Background()); err != nil {
			p.t.Error(err)
		}
	})
}

// items inserts n items that cost 10.00 and returns their ids.
func (p *process) items(n int) []string {
	p.t.Helper()
	ids := make([]string, n)
	rows := make([]quotekit.Values, n)
	for i := range rows {
		ids[i] = quotekit.NewID()
		rows[i] = quotekit.Values{"id": ids[i], "name": "x", "unit_price": quotekit.Cents(10_00), "tags": json.RawMessage("[]")}
	}
	err := p.store.InsertApplication(context.Background(), testUser, map[quotekit.ApplicationTable][]quotekit.Values{quotekit.Items: rows})
	if err != nil {
		p.t.Fatal(err)
	}
	return ids
}

// submit submits a job for items.
func (p *process) submit(ids []string) string {
	p.t.Helper()
	body, err := json.Marshal(map[string]any{"operation": testOperation, "items": ids})
	if err != nil {
		p.t.Fatal(err)
	}
	job, _, err := p.Submit(context.Background(), Caller{UserID: testUser, RequestID: "test"}, body)
	if err != nil {
		p.t.Fatal(err)
	}
	return job.ID
}

func (p *process) job(id string) store.BatchJob {
	p.t.Helper()
	job, err := p.store.BatchJob(context.Background(), testUser, id)
	if err != nil {
		p.t.Fatal(err)
	}
	return job
}

func (p *process) fence(id string) int64 {
	p.t.Helper()
	work, err := p.store.BatchWork(context.Background(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return work.Fence
}

func (p *process) exec(text string, args ...any) {
	p.t.Helper()
	if _, err := p.store.Writer().Exec(text, args...); err != nil {
		p.t.Fatal(err)
	}
}

// expire lets the lease of a job run out.
func (p *process) expire(id string) {
	p.t.Helper()
	p.exec("UPDATE batch_jobs SET lease_until = $1 WHERE id = $2", time.Now().UTC().Add(-time.Minute), id)
}

func (p *process) finished(id string) func() bool {
	return func() bool { return p.job(id).Status.Finished() }
}

// wantPrices checks that each item costs what it should, and how many outcomes a
// job has.
func (p *process) wantPrices(id string, ids []string, want quotekit.Cents) {
	p.t.Helper()
	ctx := context.Background()
	err := p.store.WithTx(ctx, func(tx *store.Tx) error {
		rows, err := tx.ReadRows(ctx, quotekit.Items, testUser, ids)
		for _, item := range ids {
			if got, _ := rows[item].Record().Cents("unit_price"); got != want {
				p.t.Errorf("an item costs %s, want %s", got, want)
			}
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	results, err := p.store.BatchItems(ctx, testUser, id, "", 0, 10_000)
	if err != nil {
		p.t.Fatal(err)
	}
	if job := p.job(id); len(results) != len(ids) || job.Processed != len(ids) || job.Succeeded() != len(ids) {
		p.t.Errorf("%d outcomes for %d items, and the job says %+v", len(results), len(ids), job)
	}
}

// within waits for a condition that other goroutines bring about.
func within(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %s", what, limit)
		}
	}
}

func onBoth(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, storetest.SQLiteURL(t, tables)) })
	t.Run("postgres", func(t *testing.T) { f(t, storetest.PostgresURL(t, tables)) })
}

// TestZombie_CommitsNothing pauses a process in the middle of a job, until its
// lease has run out and another process has finished the job. What it does when
// it wakes up is rolled back.
func TestZombie_CommitsNothing(t *testing.T) {
	url := storetest.PostgresURL(t, tables) // on SQLite there is one process
	first, second := newProcess(t, url), newProcess(t, url)
	ids := first.items(100)
	var once sync.Once
	first.onUpdate = func() { once.Do(first.gate.shut) }
	first.work()
	job := first.submit(ids)
	within(t, 10*time.Second, "the first pauses", func() bool { return first.gate.waiting() > 0 })
	second.expire(job)
	second.work()
	within(t, 20*time.Second, "the second finishes", second.finished(job))
	if first.gate.waiting() == 0 {
		t.Fatal("the first does not wait any more")
	}
	second.wantPrices(job, ids, 10_01)
	before := first.updates.Load()
	first.gate.open()
	within(t, 10*time.Second, "the first gives up", func() bool { return first.runner.schedule.size() == 0 })
	within(t, 10*time.Second, "the first is through", func() bool { return first.updates.Load() > before })
	if err := first.Stop(context.Background()); err != nil { // with all that was under way
		t.Fatal(err)
	}
	second.wantPrices(job, ids, 10_01)
	if got := second.fence(job); got != 2 {
		t.Errorf("fence = %d, want 2", got)
	}
}

// TestZombie_BetweenEffectAndCommit pauses an attempt that has locked its rows.
// The other process, which has the job by then, cannot get at them; when the
// first wakes up its effects are rolled back, and the other makes them.
func TestZombie_BetweenEffectAndCommit(t *testing.T) {
	url := storetest.PostgresURL(t, tables)
	first, second := newProcess(t, url), newProcess(t, url)
	ids := first.items(40)
	job := first.submit(ids) // pending, since nobody works yet
	if err := first.runner.claim(t.Context(), job, false); err != nil {
		t.Fatal(err)
	}
	wake, asleep := make(chan struct{}), make(chan struct{})
	var once sync.Once
	first.onUpdate = func() { once.Do(func() { close(asleep); <-wake }) }
	u, _ := first.runner.schedule.next()
	attempt := make(chan error, 1)
	go func() { attempt <- first.runner.attempt(context.Background(), []unit{u}) }()
	<-asleep

	second.expire(job)
	second.work()
	within(t, 20*time.Second, "the second does the rest", func() bool { return second.job(job).Processed == 35 })
	close(wake)
	if err := <-attempt; !errors.Is(err, errFenced) {
		t.Errorf("the first was told %v, want %v", err, errFenced)
	}
	within(t, 20*time.Second, "the second finishes", second.finished(job))
	second.wantPrices(job, ids, 10_01)
}

// TestFence_RefusesOldAttempts advances a job under every fence number but the
// one of its last claim.
func TestFence_RefusesOldAttempts(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		p := newProcess(t, url)
		ctx := t.Context()
		ids := p.items(3)
		job := p.submit(ids)
		claim := func(owner string, force bool) (fence int64, ok bool) {
			t.Helper()
			err := p.store.WithTx(ctx, func(tx *store.Tx) (err error) {
				fence, ok, err = tx.ClaimBatch(ctx, job, owner, force)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return fence, ok
		}
		advance := func(fence int64, position int) (ok bool) {
			t.Helper()
			err := p.store.WithTx(ctx, func(tx *store.Tx) (err error) {
				result := store.ItemResult{Position: position, ItemID: ids[position], Outcome: quotekit.Succeeded}
				if ok, err = tx.AdvanceBatch(ctx, job, fence, []store.ItemResult{result}); err == nil && !ok {
					return errFenced
				}
				return err
			})
			if ok == errors.Is(err, errFenced) {
				t.Fatal(err)
			}
			return ok
		}
		if advance(0, 0) {
			t.Error("advanced without a claim")
		}
		if fence, ok := claim("one", false); !ok || fence != 1 {
			t.Errorf("got %d, %t", fence, ok)
		}
		if _, ok := claim("two", false); ok {
			t.Error("claimed from somebody who has a lease")
		}
		if _, ok := claim("one", true); ok {
			t.Error("claimed from oneself")
		}
		if !advance(1, 0) {
			t.Error("not advanced under a valid claim")
		}
		if fence, ok := claim("two", true); !ok || fence != 2 {
			t.Errorf("forced: got %d, %t", fence, ok)
		}
		if advance(1, 1) {
			t.Error("advanced under a claim that was taken away")
		}
		p.expire(job)
		if !advance(2, 1) {
			t.Error("a late one is not refused as long as nobody has claimed the job")
		}
		if fence, ok := claim("one", false); !ok || fence != 3 {
			t.Errorf("expired: got %d, %t", fence, ok)
		}
		if advance(2, 2) || !advance(3, 2) {
			t.Error("the last claim does not decide")
		}
		if _, ok := claim("two", true); ok {
			t.Error("claimed a finished job")
		}
		if got := p.job(job); got.Status != quotekit.BatchCompleted || got.Processed != 3 || got.Succeeded() != 3 {
			t.Errorf("got %+v", got)
		}
	})
}

// TestRunner_OldChunksLeaveTheNewAttemptAlone has a process claim a job for the
// second time while a chunk of its first attempt is still under way. That chunk
// is refused; the new attempt goes on.
func TestRunner_OldChunksLeaveTheNewAttemptAlone(t *testing.T) {
	for _, tries := range []int{0, 1} { // at once, or after a look at the job
		t.Run(fmt.Sprint("tries=", tries), func(t *testing.T) {
			onBoth(t, func(t *testing.T, url string) {
				p := newProcess(t, url)
				ids := p.items(20)
				job := p.submit(ids)
				claim := func() unit {
					t.Helper()
					if err := p.runner.claim(t.Context(), job, false); err != nil {
						t.Fatal(err)
					}
					u, _ := p.runner.schedule.next()
					return u
				}
				old := claim()
				p.expire(job)
				again := claim()
				if old.run.fence != 1 || again.run.fence != 2 {
					t.Fatalf("fences %d and %d", old.run.fence, again.run.fence)
				}
				old.tries = tries
				if left := p.runner.conclude(t.Context(), old, p.runner.attempt(t.Context(), []unit{old})); len(left) != 0 {
					t.Errorf("%d units are left", len(left))
				}
				if !p.runner.schedule.has(job) {
					t.Error("the new attempt is forgotten")
				}
				p.runner.schedule.done(again.run, again)
				p.work()
				within(t, 3*time.Second, "the end", p.finished(job))
				p.wantPrices(job, ids, 10_01)
			})
		})
	}
}

// TestRunner_LockedJobDoesNotHoldUpOthers has somebody hold the lock of the row
// of a job, as a paused process does that was about to commit.
func TestRunner_LockedJobDoesNotHoldUpOthers(t *testing.T) {
	p := newProcess(t, storetest.PostgresURL(t, tables))
	ids := p.items(20)
	locked, free := p.submit(ids[:10]), p.submit(ids[10:])
	tx, err := p.store.Writer().Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("SELECT 1 FROM batch_jobs WHERE id = $1 FOR UPDATE", locked); err != nil {
		t.Fatal(err)
	}
	p.work()
	within(t, 5*time.Second, "the end of the other job", p.finished(free))
	if p.job(locked).Status.Finished() {
		t.Error("a locked job is finished")
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, "the end of the job that was locked", p.finished(locked))
	p.wantPrices(locked, ids[:10], 10_01)
}

// TestRunner_RenewsItsLeases keeps a job under way for longer than a lease.
func TestRunner_RenewsItsLeases(t *testing.T) {
	url := storetest.PostgresURL(t, tables)
	first, second := newProcess(t, url), newProcess(t, url)
	ids := first.items(10)
	tx, err := second.store.Writer().Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("SELECT 1 FROM items WHERE id = $1 FOR UPDATE", ids[0]); err != nil {
		t.Fatal(err)
	}
	first.work()
	job := first.submit(ids)
	second.work()
	started := time.Now()
	within(t, 15*time.Second, "time passes", func() bool { return time.Since(started) > store.LeaseTime+2*time.Second })
	if got := second.fence(job); got != 1 || second.runner.schedule.size() != 0 {
		t.Errorf("fence = %d: the second has taken a job that the first works on", got)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	within(t, 10*time.Second, "the end", first.finished(job))
	first.wantPrices(job, ids, 10_01)
}

// TestRunner_StopGivesJobsUp stops a process in the middle of a job: the claim is
// gone, and what was under way is committed.
func TestRunner_StopGivesJobsUp(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		p := newProcess(t, url)
		ids := p.items(500)
		started := make(chan struct{})
		var once sync.Once
		p.onUpdate = func() { once.Do(func() { close(started) }) }
		p.Start()
		job := p.submit(ids)
		<-started
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := p.job(job)
		if got.Processed == 0 || got.Status.Finished() {
			t.Fatalf("not in the middle: %+v", got)
		}
		claimable, err := p.store.ClaimableBatches(t.Context(), "somebody", 10, false)
		if err != nil || !slices.Equal(claimable, []string{job}) {
			t.Errorf("got %v, %v: the job is not given up", claimable, err)
		}
		results, err := p.store.BatchItems(t.Context(), testUser, job, "", 0, 1000)
		if err != nil || len(results) != got.Processed || got.Succeeded() != got.Processed {
			t.Errorf("%d outcomes, %v; the job says %+v", len(results), err, got)
		}
	})
}

// TestRunner_TakesTurnsBeyondItsRoom submits more jobs than a process works on at
// once.
func TestRunner_TakesTurnsBeyondItsRoom(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		p := newProcess(t, url)
		ids := p.items(maxRuns + 20)
		var submitted []string
		for _, id := range ids {
			submitted = append(submitted, p.submit([]string{id})) // nobody works yet
		}
		p.work()
		within(t, 30*time.Second, "the end of all", func() bool {
			return !slices.ContainsFunc(submitted, func(id string) bool { return !p.job(id).Status.Finished() })
		})
		for i, id := range submitted {
			p.wantPrices(id, ids[i:i+1], 10_01)
		}
	})
}

// TestCancel_DoesNotWaitForChunks cancels jobs in the middle, again and again. The
// chunks that are under way are committed or refused, but neither waits for the
// other.
func TestCancel_DoesNotWaitForChunks(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		p := newProcess(t, url)
		p.work()
		var took []time.Duration
		for range 20 {
			// Items that stand twice are done with before those of the database.
			ids := p.items(200)
			list := slices.Clone(ids)
			for i := 8; i < len(list); i += 10 {
				list[i] = ids[0]
			}
			job := p.submit(list)
			within(t, 10*time.Second, "the middle", func() bool { return p.job(job).Processed > 0 })
			started := time.Now()
			got, err := p.Cancel(t.Context(), Caller{UserID: testUser}, job)
			took = append(took, time.Since(started))
			if err != nil || !got.Status.Finished() {
				t.Fatalf("%+v, %v", got, err)
			}
			results, err := p.store.BatchItems(t.Context(), testUser, job, "", 0, 1000)
			if err != nil || len(results) != 200 {
				t.Errorf("%d results, %v", len(results), err)
			}
		}
		slices.Sort(took)
		t.Logf("%s in the median, %s at most", took[len(took)/2], took[len(took)-1])
		if usual := took[len(took)/2]; usual > lockWait { // on a busy machine one may take longer
			t.Errorf("a cancel takes %s", usual)
		}
	})
}

// TestWaitForLock_EndsAfterAMinute: a row that somebody else keeps locked is
// waited for, and then it is that item's failure.
func TestWaitForLock_EndsAfterAMinute(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	r := &Runner{now: func() time.Time { return now }}
	left := r.waitForLock(unit{items: []item{{position: 3, id: "x"}}})
	for _, wait := range []time.Duration{time.Second, lockPatience - time.Second} {
		if len(left) != 1 || left[0].items[0].verdict != nil || !left[0].due.After(now) {
			t.Fatalf("after %s it is not waited for: %+v", now.Sub(time.Unix(1_800_000_000, 0)), left)
		}
		now = now.Add(wait)
		left = r.waitForLock(left[0])
	}
	now = now.Add(time.Millisecond)
	left = r.waitForLock(left[0])
	verdict := left[0].items[0].verdict
	if verdict == nil || verdict.Position != 3 || verdict.Outcome != quotekit.Failed || verdict.Code != quotekit.ItemConflict || left[0].due.After(now) {
		t.Errorf("after a minute got %+v", verdict)
	}
}

// TestCancel_DoesNotWaitForEver cancels a job whose row a stopped process holds.
func TestCancel_DoesNotWaitForEver(t *testing.T) {
	p := newProcess(t, storetest.PostgresURL(t, tables))
	job := p.submit(p.items(3))
	stopped, err := p.store.Writer().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stopped.Exec("UPDATE batch_jobs SET fence = fence WHERE id = $1", job); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Cancel(t.Context(), Caller{UserID: testUser}, job); !store.IsLockTimeout(err) {
		t.Errorf("got %v, want a timeout", err)
	}
	if err := stopped.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Cancel(t.Context(), Caller{UserID: testUser}, job); err != nil || got.Status != quotekit.BatchCancelled {
		t.Errorf("afterwards got %+v, %v", got, err)
	}
}
