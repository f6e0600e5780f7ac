package dashboard

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

const (
	// lookEvery is how often the watch looks for changes, while somebody listens.
	lookEvery = time.Second
	// keptChanges is how many changes a browser may miss without loading all anew.
	keptChanges = 256
)

// change is what the watch has found: the topics of which something is different.
type change struct {
	number uint64
	topics []string
}

// watch looks for changes on behalf of all who listen, and not at all while nobody
// does. What it found last it keeps, so that whoever comes back learns whether
// something changed meanwhile.
type watch struct {
	d *Dashboard
	// epoch tells the numbers of this process from those of others.
	epoch string

	mu        sync.Mutex // held for a moment only, never while the database is asked
	listeners map[chan struct{}]bool
	kept      []change // ascending by number, at most keptChanges
	last      uint64   // the number of the newest change
	marks     map[string]string
	end       context.CancelFunc // of the look-out; nil while nobody listens
	closed    chan struct{}
	close     sync.Once
}

func newWatch(d *Dashboard) *watch {
	return &watch{d: d, epoch: rand.Text()[:8], listeners: map[chan struct{}]bool{}, closed: make(chan struct{})}
}

// stop ends all listening.
func (w *watch) stop() {
	w.close.Do(func() {
		close(w.closed)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.end != nil {
			w.end()
			w.end = nil
		}
	})
}

// listen begins to listen; told gets a value when there may be something new. The
// returned function ends it, and the look-out with the last one.
func (w *watch) listen() (told <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listeners[c] = true
	if w.end == nil && !w.stopped() {
		ctx, cancel := context.WithCancel(context.Background())
		w.end = cancel
		go w.lookOut(ctx)
	}
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.listeners, c)
		if len(w.listeners) == 0 && w.end != nil {
			w.end()
			w.end = nil
		}
	}
}

func (w *watch) stopped() bool {
	select {
	case <-w.closed:
		return true
	default:
		return false
	}
}

// lookOut looks for changes until ctx ends.
func (w *watch) lookOut(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	failing := false
	for {
		marks, err := w.d.Store.Marks(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing: // once, not every second
			w.d.Logger.Warn("changes not looked for", "error", store.Describe(err))
		case err == nil:
			w.compare(marks)
		}
		failing = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// compare notes what differs from the last time, and tells those who listen.
func (w *watch) compare(marks map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.marks
	w.marks = marks
	if before == nil {
		return
	}
	var topics []string
	for _, topic := range sortedKeys(marks) {
		if marks[topic] != before[topic] {
			topics = append(topics, topic)
		}
	}
	for topic := range before {
		if _, ok := marks[topic]; !ok {
			topics = append(topics, topic)
		}
	}
	if topics == nil {
		return
	}
	slices.Sort(topics)
	w.last++
	w.kept = append(w.kept, change{w.last, topics})
	if n := len(w.kept) - keptChanges; n > 0 {
		w.kept = slices.Delete(w.kept, 0, n)
	}
	for c := range w.listeners {
		select {
		case c <- struct{}{}:
		default: // it has not looked since it was last told
		}
	}
}

// now is the number of the newest change.
func (w *watch) now() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// since returns the topics that have changed after a number, and the newest number.
// It reports false if that is not known any more.
func (w *watch) since(number uint64) (topics []string, newest uint64, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if number > w.last || (len(w.kept) > 0 && number+1 < w.kept[0].number) {
		return nil, w.last, false
	}
	for _, c := range w.kept {
		if c.number > number {
			topics = append(topics, c.topics...)
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics), w.last, true
}

// id is a number as browsers hand it back.
func (w *watch) id(number uint64) string { return fmt.Sprintf("%s-%d", w.epoch, number) }

// number is the inverse of id, for ids of this process.
func (w *watch) number(id string) (uint64, bool) {
	epoch, text, ok := strings.Cut(id, "-")
	n, err := strconv.ParseUint(text, 10, 64)
	return n, ok && err == nil && epoch == w.epoch
}
