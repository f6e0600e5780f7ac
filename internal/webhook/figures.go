package webhook

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/histogram"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// slowestOfMinute and slowestOfHour are how many of the slowest events a bucket
	// remembers.
	slowestOfMinute = 5
	slowestOfHour   = 20
	// maxFigures bounds the rows that wait while they cannot be written.
	maxFigures = 10_000
	// maxType is the longest event type that has figures; Stripe's have 60 letters.
	maxType = 255
)

// figures adds up what is measured in this run of the process, by minute, hour and
// day. It costs no query where it is measured.
type figures struct {
	writer string // the id of the run
	limit  int    // of the rows that wait while they cannot be written

	mu sync.Mutex
	// fresh and refused are what has come since the last take.
	fresh   map[freshKey]*measured
	refused map[refusedKey]int64

	// What follows belongs to the goroutine that writes.
	newest  time.Time // the latest minute that has come
	buckets map[bucketKey]*bucket
	refusal map[refusedKey]*refusal
}

type (
	freshKey struct {
		minute    time.Time
		eventType string
	}
	bucketKey struct {
		granularity store.Granularity
		eventType   string
		start       time.Time
	}
	refusedKey struct {
		minute time.Time
		code   string
	}
)

// measured are the times of events.
type measured struct {
	total, handle, wait, commit histogram.Histogram
	slowest                     []store.SlowestEvent // the slowest first
}

// bucket is what becomes a row.
type bucket struct {
	measured
	changed bool // since it was written
}

// refusal is what becomes a row.
type refusal struct {
	requests int64
	changed  bool
}

func newFigures() *figures {
	return &figures{
		writer: quotekit.NewID(), limit: maxFigures,
		fresh: map[freshKey]*measured{}, refused: map[refusedKey]int64{},
		buckets: map[bucketKey]*bucket{}, refusal: map[refusedKey]*refusal{},
	}
}

// completed counts an event that has come to its end, once. The stages are those
// of its line in the processing logs.
func (f *figures) completed(l store.ProcessingLog) {
	if len(l.EventType) > maxType {
		return
	}
	key := freshKey{store.Minute.Bucket(l.At), l.EventType}
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.fresh[key]
	if m == nil {
		m = new(measured)
		f.fresh[key] = m
	}
	m.total.Add(l.Took)
	addStage(&m.handle, l, "handle")
	addStage(&m.wait, l, "wait")
	addStage(&m.commit, l, "commit")
	took := l.Took.Milliseconds()
	if n := len(m.slowest); n < slowestOfHour || took > m.slowest[n-1].TookMS {
		m.slowest = merge(m.slowest, []store.SlowestEvent{{StripeEventID: l.StripeEventID, EventType: l.EventType, TookMS: took, At: l.At.UTC()}}, slowestOfHour)
	}
}

// addStage adds the time of a stage, if the attempt had it: a retry waits for nobody.
func addStage(h *histogram.Histogram, l store.ProcessingLog, stage string) {
	if us, ok := l.StageMicros[stage]; ok {
		h.Add(time.Duration(us) * time.Microsecond)
	}
}

// refuse counts a request that was refused.
func (f *figures) refuse(at time.Time, code quotekit.ErrorCode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused[refusedKey{store.Minute.Bucket(at), string(code)}]++
}

// merge returns the n slowest of both, the slowest first.
func merge(a, b []store.SlowestEvent, n int) []store.SlowestEvent {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(a, b store.SlowestEvent) int { return cmp.Compare(b.TookMS, a.TookMS) })
	return all[:min(n, len(all))]
}

// take returns the rows that have changed since they were written. Whoever takes
// them says with put whether they are written now.
func (f *figures) take() (latencies []store.Latency, refusals []store.Refusals) {
	f.mu.Lock()
	fresh, refused := f.fresh, f.refused
	f.fresh, f.refused = map[freshKey]*measured{}, map[refusedKey]int64{}
	f.mu.Unlock()
	for k := range fresh {
		f.newest = later(f.newest, k.minute)
	}
	for k := range refused {
		f.newest = later(f.newest, k.minute)
	}
	// What comes late counts a little later: the rows of its minute may be closed.
	for k, m := range fresh {
		minute := later(k.minute, f.open())
		for _, eventType := range []string{k.eventType, store.AllTypes} {
			f.add(store.Minute, eventType, minute, m, slowestOfMinute)
			f.add(store.Hour, eventType, minute, m, slowestOfHour)
			f.add(store.Day, eventType, minute, m, slowestOfHour)
		}
	}
	for k, n := range refused {
		k.minute = later(k.minute, f.open())
		if f.refusal[k] == nil {
			f.refusal[k] = new(refusal)
		}
		f.refusal[k].requests += n
		f.refusal[k].changed = true
	}
	for k, b := range f.buckets {
		if b.changed {
			latencies = append(latencies, store.Latency{
				Granularity: k.granularity, EventType: k.eventType, Bucket: k.start, Writer: f.writer,
				Samples: b.total.Count, Sum: b.total.Sum, Max: b.total.Max,
				Total: b.total.String(), Handle: b.handle.String(), Wait: b.wait.String(), Commit: b.commit.String(),
				Slowest: b.slowest,
			})
		}
	}
	for k, r := range f.refusal {
		if r.changed {
			refusals = append(refusals, store.Refusals{Minute: k.minute, Code: k.code, Writer: f.writer, Requests: r.requests})
		}
	}
	return latencies, refusals
}

// open is the earliest minute that is still added to.
func (f *figures) open() time.Time { return f.newest.Add(-time.Minute) }

func (f *figures) add(g store.Granularity, eventType string, minute time.Time, m *measured, slowest int) {
	key := bucketKey{g, eventType, g.Bucket(minute)}
	b := f.buckets[key]
	if b == nil {
		b = new(bucket)
		f.buckets[key] = b
	}
	b.changed = true
	b.total.Merge(&m.total)
	b.handle.Merge(&m.handle)
	b.wait.Merge(&m.wait)
	b.commit.Merge(&m.commit)
	b.slowest = merge(b.slowest, m.slowest, slowest)
}

// put forgets what is written and cannot change any more. It returns how many
// rows are given up because too many wait.
func (f *figures) put(written bool) (lost int) {
	for k, b := range f.buckets {
		b.changed = b.changed && !written
		closed := k.granularity.Bucket(f.open()).After(k.start)
		switch {
		case !closed:
		case !b.changed:
			delete(f.buckets, k)
		case len(f.buckets) > f.limit:
			delete(f.buckets, k)
			lost++
		}
	}
	for k, r := range f.refusal {
		r.changed = r.changed && !written
		switch {
		case !k.minute.Before(f.open()):
		case !r.changed:
			delete(f.refusal, k)
		case len(f.refusal) > f.limit:
			delete(f.refusal, k)
			lost++
		}
	}
	return lost
}
