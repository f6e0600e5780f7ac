package batch

import (
	"context"
	"sync"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

// watchers are told when something was committed for a job in this process.
// What another process commits they find by looking, every lookEvery.
type watchers struct {
	mu     sync.Mutex
	byJob  map[string]map[chan struct{}]bool
	closed chan struct{}
	close  sync.Once
}

// lookEvery is how often a watcher looks without being told.
const lookEvery = 250 * time.Millisecond

func newWatchers() *watchers {
	return &watchers{byJob: map[string]map[chan struct{}]bool{}, closed: make(chan struct{})}
}

// tell wakes those who watch a job.
func (w *watchers) tell(jobID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.byJob[jobID] {
		select {
		case c <- struct{}{}:
		default: // it has not looked since it was last told
		}
	}
}

// watch begins to watch a job; the returned function ends it.
func (w *watchers) watch(jobID string) (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byJob[jobID] == nil {
		w.byJob[jobID] = map[chan struct{}]bool{}
	}
	w.byJob[jobID][c] = true
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.byJob[jobID], c)
		if len(w.byJob[jobID]) == 0 {
			delete(w.byJob, jobID)
		}
	}
}

// stop ends all watching.
func (w *watchers) stop() { w.close.Do(func() { close(w.closed) }) }

// Watch calls each with every state of a job that it sees, beginning with the
// one at hand, until the job is finished, each reports false, ctx ends, or the
// service stops. Between states it calls idle at every beat, until that reports
// false.
func (s *Service) Watch(ctx context.Context, userID, jobID string, beat <-chan time.Time, each func(store.BatchJob) bool, idle func() bool) error {
	told, end := s.watchers.watch(jobID)
	defer end()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	seen := int64(-1)
	for {
		job, err := s.store.BatchJob(ctx, userID, jobID)
		if err != nil {
			return err
		}
		if job.Revision != seen {
			seen = job.Revision
			if !each(job) {
				return nil
			}
		}
		if job.Status.Finished() {
			return nil
		}
		for waiting := true; waiting; {
			select {
			case <-told:
				waiting = false
			case <-look.C:
				waiting = false
			case <-beat:
				if !idle() {
					return nil
				}
			case <-ctx.Done():
				return nil
			case <-s.watchers.closed:
				return nil
			}
		}
	}
}
