package batch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// maxRuns is how many jobs a process works on at once. Each holds its items
	// in memory; what is beyond waits in the table for any process.
	maxRuns = 128
	// renewEvery is a third of the lease, so that one renewal may be late.
	renewEvery = store.LeaseTime / 3
	// sweepEvery is how often jobs without a worker are looked for. With the
	// lease it bounds how long a job of a dead process stands still.
	sweepEvery = time.Second
	// retryAfter and maxRetryAfter bound the pause after the database was away or
	// busy.
	retryAfter    = 50 * time.Millisecond
	maxRetryAfter = 2 * time.Second
	// lockPatience is how long a row that somebody else has locked is waited for,
	// before it is that item's failure.
	lockPatience = time.Minute
	// lockWait is how long a chunk waits for a lock before it is halved, and
	// lockWaitAlone how long a single item does before it is put off: short, so
	// that locked rows of one job do not keep workers from the others.
	lockWait      = 500 * time.Millisecond
	lockWaitAlone = 100 * time.Millisecond
	// attemptTimeout ends a transaction whose connection hangs.
	attemptTimeout = 30 * time.Second
)

// errFenced means that the job is not this attempt's to work on any more: it was
// cancelled, or another process has claimed it.
var errFenced = errors.New("the job is not this attempt's any more")

// Runner works on jobs.
type Runner struct {
	store     *store.Store
	catalog   catalog
	schedule  *schedule
	watchers  *watchers
	owner     string
	chunkSize int
	// workers is how many transactions run side by side, and unitsPerTx how many
	// units one of them may hold.
	workers, unitsPerTx int
	now                 func() time.Time
	logger              *slog.Logger

	kick    chan struct{} // asks for a sweep at once
	stop    context.CancelFunc
	running sync.WaitGroup
}

// start begins to work. It does not block.
func (r *Runner) start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	for range r.workers {
		r.running.Go(func() {
			for {
				u, ok := r.schedule.next()
				if !ok {
					return
				}
				r.execute(ctx, append(r.schedule.more(r.unitsPerTx-1), u))
			}
		})
	}
	r.running.Go(func() { r.keep(ctx) })
}

// close finishes the chunks that run, and gives up the claims on the rest.
func (r *Runner) close(ctx context.Context) error {
	r.schedule.close()
	r.stop()
	r.running.Wait()
	return r.store.ReleaseBatches(ctx, r.owner)
}

// busy reports whether the process should leave new jobs to others.
func (r *Runner) busy() bool { return r.schedule.size() >= maxRuns }

// keep renews the leases, and claims jobs that nobody works on, until ctx ends.
func (r *Runner) keep(ctx context.Context) {
	renew, sweep := time.NewTicker(renewEvery), time.NewTicker(sweepEvery)
	defer renew.Stop()
	defer sweep.Stop()
	// At its start on SQLite nobody works on anything.
	force := !r.store.Postgres()
	for {
		if err := r.sweep(ctx, force); err != nil {
			r.log(ctx, "look for waiting batch jobs", err)
		} else {
			force = false
		}
		select {
		case <-ctx.Done():
			return
		case <-r.kick:
		case <-sweep.C:
		case <-renew.C:
			if r.schedule.size() > 0 {
				r.log(ctx, "renew leases of batch jobs", r.store.RenewLeases(ctx, r.owner, r.schedule.jobs()))
			}
		}
	}
}

func (r *Runner) log(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		r.logger.Warn(what, "error", err)
	}
}

// sweep claims as many waiting jobs as there is room for.
func (r *Runner) sweep(ctx context.Context, force bool) error {
	room := maxRuns - r.schedule.size()
	if room <= 0 {
		return nil
	}
	ids, err := r.store.ClaimableBatches(ctx, r.owner, room, force)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		if r.schedule.has(id) && !force {
			continue // its lease could not be renewed; the fence decides
		}
		errs = append(errs, r.claim(ctx, id, force))
	}
	return errors.Join(errs...)
}

// claim takes a job over and goes on where it stands.
func (r *Runner) claim(ctx context.Context, id string, force bool) error {
	var fence int64
	var ok bool
	err := r.store.WithTx(ctx, func(tx *store.Tx) (err error) {
		// A process that was paused just before a commit has the row locked, maybe for
		// long. Whoever waited for it would not renew its own leases.
		if err := tx.BoundLockWait(ctx, lockWaitAlone); err != nil {
			return err
		}
		fence, ok, err = tx.ClaimBatch(ctx, id, r.owner, force)
		return err
	})
	if store.IsLockTimeout(err) {
		return nil // the next sweep tries again
	}
	if err != nil || !ok {
		return err
	}
	work, err := r.store.BatchWork(ctx, id)
	if err != nil {
		return err
	}
	if fence > 1 {
		r.logger.Info("batch job taken over", "batch_id", id, "done", len(work.Done), "fence", fence)
	}
	p, err := r.catalog.plan(work)
	if err != nil {
		return r.fail(ctx, work, nil, fence, err)
	}
	r.begin(p, fence)
	return nil
}

// begin schedules what is left of a job.
func (r *Runner) begin(p *plan, fence int64) {
	run := &run{plan: p, fence: fence}
	var chunk []item
	flush := func() {
		if len(chunk) > 0 {
			run.waiting = append(run.waiting, unit{run: run, items: chunk})
			chunk = nil
		}
	}
	for _, it := range p.items {
		if p.work.Done[it.position] {
			continue
		}
		if chunk = append(chunk, it); len(chunk) == r.chunkSize {
			flush()
		}
	}
	flush()
	if len(run.waiting) > 0 {
		r.schedule.add(run)
	}
}

// fail ends a job that cannot run.
func (r *Runner) fail(ctx context.Context, work store.BatchWork, ids []string, fence int64, cause error) error {
	r.logger.Error("batch job cannot run", "batch_id", work.ID, "operation", work.Operation, "error", cause)
	err := r.store.WithTx(ctx, func(tx *store.Tx) error {
		ended, err := tx.EndBatch(ctx, work, quotekit.BatchFailed, store.Describe(cause), ids, fence)
		if err == nil && !ended {
			return errFenced
		}
		return err
	})
	if errors.Is(err, errFenced) {
		return nil
	}
	if err == nil {
		r.watchers.tell(work.ID)
	}
	return err
}

// execute works on units once, and gives back what is left to be done later.
func (r *Runner) execute(ctx context.Context, units []unit) {
	open := units[:0]
	for _, u := range units {
		left, ok := r.ready(ctx, &u)
		if ok {
			open = append(open, u)
		} else {
			r.schedule.done(u.run, left...)
		}
	}
	if len(open) == 0 {
		return
	}
	err := r.attempt(ctx, open)
	if err != nil && len(open) > 1 {
		// Each alone, so that one is not held up by another's trouble.
		for _, u := range open {
			r.finish(ctx, u, r.attempt(ctx, []unit{u}))
		}
		return
	}
	for _, u := range open {
		r.finish(ctx, u, err)
	}
}

// finish ends the turn of a unit after an attempt.
func (r *Runner) finish(ctx context.Context, u unit, err error) {
	r.schedule.done(u.run, r.conclude(ctx, u, err)...)
	if err == nil {
		r.watchers.tell(u.run.work.ID)
	}
}

// ready looks at a unit that was tried before. Without ok it is not to be tried
// now, and left is what remains of it.
func (r *Runner) ready(ctx context.Context, u *unit) (left []unit, ok bool) {
	if u.tries == 0 {
		return nil, true
	}
	fresh, err := r.refresh(ctx, *u)
	if err != nil {
		return r.later(*u), false
	}
	*u = fresh
	return nil, len(u.items) > 0
}

// conclude decides what an attempt's error means for a unit, and returns what is
// left to be done of it.
func (r *Runner) conclude(ctx context.Context, u unit, err error) (left []unit) {
	class := store.Classify(err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errFenced):
		r.schedule.abandon(u.run)
		return nil
	case store.IsLockTimeout(err) && len(u.items) > 1:
		return halve(u)
	case store.IsLockTimeout(err):
		return r.waitForLock(u)
	case class == store.Retryable, class == store.Unavailable:
		if u.tries == 0 {
			r.logger.Warn("batch chunk is tried again", "batch_id", u.run.work.ID, "error", store.Describe(err))
		}
		return r.later(u)
	case class == store.DataError:
		return r.isolate(ctx, u, err)
	}
	return r.giveUp(ctx, u, err)
}

// giveUp ends the job of a unit that cannot be worked on.
func (r *Runner) giveUp(ctx context.Context, u unit, cause error) []unit {
	if err := r.fail(ctx, u.run.work, u.run.itemIDs(), u.run.fence, cause); err != nil {
		r.logger.Warn("end a batch job", "batch_id", u.run.work.ID, "error", err)
		return r.later(u)
	}
	r.schedule.abandon(u.run)
	return nil
}

// attempt is a transaction of units. A stop lets it end.
func (r *Runner) attempt(ctx context.Context, units []unit) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
	defer cancel()
	return r.store.WithTx(ctx, func(tx *store.Tx) error {
		for _, u := range units {
			if err := r.work(ctx, tx, u); err != nil {
				return err
			}
		}
		return nil
	})
}

// work is what a unit does in its transaction.
func (r *Runner) work(ctx context.Context, tx *store.Tx, u unit) error {
	p := u.run.plan
	wait := lockWait
	if len(u.items) == 1 {
		wait = lockWaitAlone
	}
	if err := tx.BoundLockWait(ctx, wait); err != nil {
		return err
	}
	var results []store.ItemResult
	effect := func() (err error) {
		results, err = p.effect(ctx, tx, u.items)
		return err
	}
	var err error
	if p.work.DryRun {
		err = tx.Tentatively(ctx, effect)
	} else {
		err = effect()
	}
	if err != nil {
		return err
	}
	ours, err := tx.AdvanceBatch(ctx, p.work.ID, u.run.fence, results)
	if err == nil && !ours {
		return errFenced
	}
	return err
}

// isolate finds out which item it is that the database refuses: the unit is
// halved until it stands alone.
func (r *Runner) isolate(ctx context.Context, u unit, err error) []unit {
	// What is refused may be the second outcome of an item that another process
	// has worked on.
	u, lookErr := r.refresh(ctx, u)
	switch {
	case lookErr != nil:
		return r.later(u)
	case len(u.items) == 0:
		return nil
	case len(u.items) > 1:
		return halve(u)
	case u.items[0].verdict != nil: // it has asked the database for nothing
		return r.giveUp(ctx, u, err)
	}
	return judge(u, verdictOf(u.items[0], err))
}

// refresh looks at the job again before another try: the transaction that failed
// may have been committed after all, when only its answer was lost.
func (r *Runner) refresh(ctx context.Context, u unit) (unit, error) {
	work, err := r.store.BatchWork(ctx, u.run.work.ID)
	if err != nil && quotekit.CodeOf(err) != quotekit.ENotFound {
		return u, err
	}
	if work.Fence != u.run.fence || work.Status != quotekit.BatchProcessing {
		r.schedule.abandon(u.run)
		u.items = nil
		return u, nil
	}
	var open []item
	for _, it := range u.items {
		if !work.Done[it.position] {
			open = append(open, it)
		}
	}
	u.items = open
	return u, nil
}

// later puts a unit off.
func (r *Runner) later(u unit) []unit {
	pause := min(retryAfter<<min(u.tries, 10), maxRetryAfter)
	u.tries++
	u.due = r.now().Add(pause)
	return []unit{u}
}

// waitForLock puts off an item whose row somebody else has locked, but not for ever.
func (r *Runner) waitForLock(u unit) []unit {
	if u.lockedSince.IsZero() {
		u.lockedSince = r.now()
	}
	if r.now().Sub(u.lockedSince) > lockPatience {
		return judge(u, failed(u.items[0], quotekit.ItemConflict, "another program has had the row locked for a minute"))
	}
	return r.later(u)
}

// halve splits a unit that was refused as a whole.
func halve(u unit) []unit {
	middle := len(u.items) / 2
	a, b := u, u
	a.items, b.items = u.items[:middle:middle], u.items[middle:]
	a.tries, b.tries = 0, 0
	return []unit{a, b}
}

// judge makes a unit of one item whose fate is known.
func judge(u unit, verdict store.ItemResult) []unit {
	it := u.items[0]
	it.verdict = &verdict
	u.items, u.due, u.tries = []item{it}, time.Time{}, 0
	return []unit{u}
}

// verdictOf is the failure of an item that the database refuses for its values
// or because of other rows.
func verdictOf(it item, err error) store.ItemResult {
	code := quotekit.ItemConflict
	if store.IsOutOfRange(err) {
		code = quotekit.ItemOutOfRange
	}
	return failed(it, code, "the database refuses the change: "+store.Describe(err))
}
