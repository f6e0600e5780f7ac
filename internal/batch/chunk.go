package batch

import (
	"context"
	"errors"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

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
	outcomes := make([]map[quotekit.Outcome]int, len(units))
	err := r.store.WithTx(ctx, func(tx *store.Tx) (err error) {
		for i, u := range units {
			if outcomes[i], err = r.work(ctx, tx, u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, u := range units {
		for outcome, n := range outcomes[i] {
			r.metrics.Counted(u.run.work.Operation, u.run.work.DryRun, outcome, n)
		}
	}
	return nil
}

// work is what a unit does in its transaction. It returns how many items came to
// which outcome.
func (r *Runner) work(ctx context.Context, tx *store.Tx, u unit) (map[quotekit.Outcome]int, error) {
	p := u.run.plan
	wait := lockWait
	if len(u.items) == 1 {
		wait = lockWaitAlone
	}
	if err := tx.BoundLockWait(ctx, wait); err != nil {
		return nil, err
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
		return nil, err
	}
	ours, err := tx.AdvanceBatch(ctx, p.work.ID, u.run.fence, results)
	if err == nil && !ours {
		return nil, errFenced
	}
	outcomes := map[quotekit.Outcome]int{}
	for _, r := range results {
		outcomes[r.Outcome]++
	}
	return outcomes, err
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
