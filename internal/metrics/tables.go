package metrics

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// keepTables is how long what was read of the tables is told again, also that it
	// could not be read.
	keepTables = 5 * time.Second
	// readWithin bounds the reads: a scrape has some seconds.
	readWithin = 3 * time.Second
	// maxCounted is to where rows are counted that have no count of their own, as in
	// the overview.
	maxCounted = 100_000
	// maxOldest is in how many of the pending events the oldest of each lane is looked
	// for.
	maxOldest = 10_000
	// reconcileSince is how far back the last reconcile is looked for.
	reconcileSince = 35 * 24 * time.Hour
)

var (
	databaseUp   = describe("database_up", "1 if the tables could be read, else 0; then what is read from them is missing.")
	storedEvents = describe("stored_events", "Events ever received, by their present state.", "status")
	lanePending  = describe("lane_pending_events", "Events that are pending now, by lane.", "lane")
	laneOldest   = describe("lane_oldest_pending_seconds", "Age of the pending event of a lane that was received first and has no dead letter; 0 if there is none. Missing while 10,000 of other lanes are older.", "lane")
	oldest       = describe("oldest_unprocessed_seconds", "Age of the pending event that was received first and has no dead letter; 0 if there is none.")
	deadLetters  = describe("dead_letters", "Dead letters that are not resolved, counted to 100,000.")
	runningJobs  = describe("batch_jobs_running", "Bulk operations that wait or run.")
	lastEvent    = describe("last_event_received_timestamp_seconds", "When the last event was received; missing if none ever was.")
	lastCompared = describe("last_reconcile_timestamp_seconds", "When the last comparison with Stripe's list of events was completed; missing if none was in 35 days.")
)

// tables reads what stands in the tables.
type tables struct {
	store     *store.Store
	reconcile string         // the kind of its tasks
	lanes     map[string]int // by event type, from 0
	prepared  func() bool
	now       func() time.Time

	mu     sync.Mutex // held while they are read, so that others wait for it
	readAt time.Time
	last   *standing // nil: they could not be read
}

// standing is how things stand.
type standing struct {
	byStatus map[quotekit.EventStatus]int64
	pending  [quotekit.Lanes]int64
	// first is when the oldest of each lane was received; zero if there is none. Of a
	// lane in unknown it is not known.
	first       [quotekit.Lanes]time.Time
	unknown     [quotekit.Lanes]bool
	oldest      time.Time
	deadLetters int64
	running     int64
	lastEvent   time.Time
	reconciled  time.Time
}

func newTables(c Config) prometheus.Collector {
	t := &tables{store: c.Store, reconcile: c.Reconcile, lanes: map[string]int{}, prepared: c.Prepared, now: c.Now}
	for _, r := range c.Routes {
		t.lanes[r.Type] = r.Priority - 1
	}
	return t
}

// lane is that of an event type; what has no route is in the last.
func (t *tables) lane(eventType string) int {
	if lane, ok := t.lanes[eventType]; ok {
		return lane
	}
	return quotekit.Lanes - 1
}

// Describe implements [prometheus.Collector].
func (t *tables) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		databaseUp, storedEvents, lanePending, laneOldest, oldest, deadLetters, runningJobs, lastEvent, lastCompared,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (t *tables) Collect(ch chan<- prometheus.Metric) {
	s := t.standing()
	if s == nil {
		ch <- gauge(databaseUp, 0)
		return
	}
	now := t.now()
	age := func(since time.Time) float64 {
		if since.IsZero() {
			return 0
		}
		return max(now.Sub(since).Seconds(), 0)
	}
	ch <- gauge(databaseUp, 1)
	for _, status := range quotekit.EventStatus("").Enum() {
		ch <- gauge(storedEvents, float64(s.byStatus[quotekit.EventStatus(status)]), status)
	}
	for i := range s.pending {
		lane := strconv.Itoa(i + 1)
		ch <- gauge(lanePending, float64(max(s.pending[i], 0)), lane)
		if !s.unknown[i] {
			ch <- gauge(laneOldest, age(s.first[i]), lane)
		}
	}
	ch <- gauge(oldest, age(s.oldest))
	ch <- gauge(deadLetters, float64(s.deadLetters))
	ch <- gauge(runningJobs, float64(s.running))
	if !s.lastEvent.IsZero() {
		ch <- gauge(lastEvent, unix(s.lastEvent))
	}
	if !s.reconciled.IsZero() {
		ch <- gauge(lastCompared, unix(s.reconciled))
	}
}

func unix(at time.Time) float64 { return float64(at.UnixMicro()) / 1e6 }

// standing returns what was read last, and reads again if that was long ago. It is nil
// if the tables cannot be read.
func (t *tables) standing() *standing {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if age := now.Sub(t.readAt); !t.readAt.IsZero() && age >= 0 && age < keepTables {
		return t.last
	}
	t.last = nil
	if !t.prepared() {
		return nil // and look again with the next scrape
	}
	ctx, cancel := context.WithTimeout(context.Background(), readWithin)
	defer cancel()
	// An error is what quotekit_database_up tells of; everybody else logs it.
	if s, err := t.read(ctx, now); err == nil {
		t.last = s
	}
	t.readAt = t.now()
	return t.last
}

func (t *tables) read(ctx context.Context, now time.Time) (*standing, error) {
	s := &standing{byStatus: map[quotekit.EventStatus]int64{}}
	counts, err := t.store.EverCounts(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range counts {
		switch {
		case c.EventType == store.AllTypes:
			s.byStatus[c.Status] += c.Events
			if c.LastAt.After(s.lastEvent) {
				s.lastEvent = c.LastAt
			}
		case c.Status == quotekit.EventPending:
			s.pending[t.lane(c.EventType)] += c.Events
		}
	}
	if err := t.readOldest(ctx, s); err != nil {
		return nil, err
	}
	if s.deadLetters, err = t.store.UnresolvedDeadLetters(ctx, maxCounted); err != nil {
		return nil, err
	}
	if s.running, err = t.store.RunningBatches(ctx, maxCounted); err != nil {
		return nil, err
	}
	s.reconciled, err = t.store.LastCompleted(ctx, t.reconcile, now.Add(-reconcileSince))
	return s, err
}

// readOldest finds the oldest pending event of each lane, and of all.
func (t *tables) readOldest(ctx context.Context, s *standing) error {
	first, all, err := t.store.OldestByType(ctx, maxOldest)
	if err != nil {
		return err
	}
	for _, eventType := range slices.Sorted(maps.Keys(first)) {
		at, lane := first[eventType], t.lane(eventType)
		s.first[lane] = earlier(s.first[lane], at)
		s.oldest = earlier(s.oldest, at)
	}
	for lane, at := range s.first {
		s.unknown[lane] = at.IsZero() && !all
	}
	return nil
}

// earlier is the earlier of two instants, of which the first may be zero.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
