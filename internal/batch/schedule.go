package batch

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// unit is what one transaction works on: a chunk, or a part of one that was
// refused as a whole.
type unit struct {
	run   *run
	items []item
	// due is when it may be tried again; zero is at once.
	due time.Time
	// tries counts attempts that failed and may succeed later.
	tries int
	// lockedSince is when somebody else's lock was first in the way.
	lockedSince time.Time
}

// run is a job that this process has claimed.
type run struct {
	*plan
	fence   int64
	waiting []unit // guarded by the schedule's mu, as all below
	running int
	dropped bool
	served  uint64 // when it last had a turn
}

// schedule decides which chunk is next: of the user who had the last turn
// longest ago, the job that had, as long as fewer than perJob chunks of it run.
type schedule struct {
	perJob int
	now    func() time.Time

	mu     sync.Mutex
	wake   *sync.Cond
	runs   map[string]*run   // by job
	served map[string]uint64 // by user
	turns  uint64
	closed bool
}

func newSchedule(perJob int, now func() time.Time) *schedule {
	s := &schedule{perJob: perJob, now: now, runs: map[string]*run{}, served: map[string]uint64{}}
	s.wake = sync.NewCond(&s.mu)
	return s
}

// add takes a run with its units up. It reports false if the schedule is closed.
func (s *schedule) add(r *run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	// Newcomers are last in the round, not first in every round.
	if _, known := s.served[r.work.UserID]; !known {
		s.served[r.work.UserID] = s.turns
	}
	r.served = s.turns
	s.runs[r.work.ID] = r
	s.wake.Broadcast()
	return true
}

// next waits for the unit whose turn it is. It returns false when the schedule is
// closed. Whoever gets a unit calls done.
func (s *schedule) next() (unit, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed {
		now := s.now()
		r, i, soonest := s.choose(now)
		if r != nil {
			return s.take(r, i), true
		}
		if !soonest.IsZero() {
			alarm := time.AfterFunc(soonest.Sub(now), s.wake.Broadcast)
			s.wake.Wait()
			alarm.Stop()
			continue
		}
		s.wake.Wait()
	}
	return unit{}, false
}

// more returns up to most further units whose turn it is, without waiting.
func (s *schedule) more(most int) (units []unit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(units) < most && !s.closed {
		r, i, _ := s.choose(s.now())
		if r == nil {
			break
		}
		units = append(units, s.take(r, i))
	}
	return units
}

// take gives a run its turn with one of its units.
func (s *schedule) take(r *run, index int) unit {
	u := r.waiting[index]
	r.waiting = slices.Delete(r.waiting, index, index+1)
	r.running++
	s.turns++
	r.served, s.served[r.work.UserID] = s.turns, s.turns
	return u
}

// choose finds the run whose turn it is and which of its units is due. Without
// one it returns when the first unit will be.
func (s *schedule) choose(now time.Time) (best *run, index int, soonest time.Time) {
	for _, r := range s.runs {
		if r.running >= s.perJob {
			continue
		}
		i := slices.IndexFunc(r.waiting, func(u unit) bool { return !u.due.After(now) })
		if i < 0 {
			for _, u := range r.waiting {
				if soonest.IsZero() || u.due.Before(soonest) {
					soonest = u.due
				}
			}
			continue
		}
		if best == nil || s.before(r, best) {
			best, index = r, i
		}
	}
	return best, index, soonest
}

func (s *schedule) before(a, b *run) bool {
	if x, y := s.served[a.work.UserID], s.served[b.work.UserID]; x != y {
		return x < y
	}
	if a.served != b.served {
		return a.served < b.served
	}
	return a.work.ID < b.work.ID
}

// done ends a turn and puts back what is left of the unit. A run that has
// nothing left is forgotten.
func (s *schedule) done(r *run, left ...unit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.running--
	if !r.dropped {
		r.waiting = append(r.waiting, left...)
	}
	if r.running == 0 && len(r.waiting) == 0 {
		s.forget(r)
	}
	s.wake.Broadcast()
}

// drop forgets a job that has ended.
func (s *schedule) drop(jobID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[jobID]; r != nil {
		s.discard(r)
	}
}

// abandon forgets a run that is not ours to work on any more. A later run of the
// same job, which this process has claimed again since, goes on.
func (s *schedule) abandon(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.discard(r)
}

func (s *schedule) discard(r *run) {
	r.dropped, r.waiting = true, nil
	s.forget(r)
}

func (s *schedule) forget(r *run) {
	if s.runs[r.work.ID] == r {
		delete(s.runs, r.work.ID)
	}
	for _, other := range s.runs {
		if other.work.UserID == r.work.UserID {
			return
		}
	}
	delete(s.served, r.work.UserID)
}

// has reports whether a job is being worked on here.
func (s *schedule) has(jobID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[jobID] != nil
}

// jobs lists the jobs that are being worked on here.
func (s *schedule) jobs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.runs))
}

// size is how many jobs are being worked on here.
func (s *schedule) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.runs)
}

// close makes next return false.
func (s *schedule) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.wake.Broadcast()
}
