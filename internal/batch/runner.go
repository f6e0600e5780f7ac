package batch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/metrics"
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
	metrics             *metrics.Batch
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

// close finishes the chunks that run, and gives up the claims on the rest. Chunks
// whose database is silent may last longer than ctx; they are not waited for, and
// their leases run out.
func (r *Runner) close(ctx context.Context) error {
	r.schedule.close()
	r.stop()
	ended := make(chan struct{})
	go func() {
		r.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return r.store.ReleaseBatches(ctx, r.owner)
	case <-ctx.Done():
		return ctx.Err()
	}
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
