package monitor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/histogram"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// scene is a store whose clock the test sets, and its reads.
type scene struct {
	*testing.T
	*monitor.Reads
	clock atomic.Int64 // microseconds
}

func (s *scene) now() time.Time   { return time.UnixMicro(s.clock.Load()).UTC() }
func (s *scene) at(now time.Time) { s.clock.Store(now.UnixMicro()) }

func onBoth(t *testing.T, f func(s *scene)) {
	t.Helper()
	for engine, url := range map[string]func(testing.TB, storetest.Migrate) string{
		"sqlite": storetest.SQLiteURL, "postgres": storetest.PostgresURL,
	} {
		t.Run(engine, func(t *testing.T) {
			s := &scene{T: t}
			s.at(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
			opened, err := store.Open(t.Context(), store.Config{URL: url(t, storetest.Tables), Now: s.now})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = opened.Close() })
			s.Reads = &monitor.Reads{Store: opened, Now: s.now}
			f(s)
		})
	}
}

func (s *scene) mustTx(f func(*store.Tx) error) {
	s.Helper()
	if err := s.Store.WithTx(s.Context(), f); err != nil {
		s.Fatal(err)
	}
}

// receive keeps an event in a state, and counts it.
func (s *scene) receive(id, eventType string, status quotekit.EventStatus) {
	s.Helper()
	s.mustTx(func(tx *store.Tx) error {
		_, err := tx.ReceiveEvents(s.Context(), []store.ReceivedEvent{{
			Event: quotekit.Event{ID: id, Type: eventType, Payload: []byte("{}")}, Deliveries: 1, Status: status,
		}})
		if err != nil || status != quotekit.EventDead {
			return err
		}
		return tx.Bury(s.Context(), []store.DeadLetter{{EventID: id, EventType: eventType, Data: "{}", Reason: quotekit.ReasonRejected}})
	})
}

func (s *scene) fold() {
	s.Helper()
	if _, err := s.Store.FoldCounts(s.Context(), 1_000_000); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) overview(in monitor.Range) monitor.Overview {
	s.Helper()
	o, err := s.Overview(s.Context(), in)
	if err != nil {
		s.Fatal(err)
	}
	return o
}

// sample is one event as the test remembers it.
type sample struct {
	at        time.Time
	eventType string
	status    quotekit.EventStatus
	took      time.Duration
}

// TestReads_AreRightInAnyRange compares with what was put in, over days, in ranges
// that begin and end anywhere.
func TestReads_AreRightInAnyRange(t *testing.T) {
	onBoth(t, func(s *scene) {
		random := rand.New(rand.NewPCG(8, 9))
		began := time.Date(2026, 2, 27, 0, 0, 0, 0, time.UTC)
		samples := s.scatter(random, began)
		s.at(began.Add(5 * 24 * time.Hour))
		for i := range 40 {
			length := []time.Duration{time.Minute, 10 * time.Minute, 90 * time.Minute, 5 * time.Hour, 26 * time.Hour, 80 * time.Hour, 30 * 24 * time.Hour}[i%7]
			from := began.Add(time.Duration(random.Int64N(int64(4 * 24 * time.Hour)))).Truncate(time.Minute)
			if i%5 == 0 {
				from = from.Truncate(24 * time.Hour)
			}
			checkRange(s, monitor.Range{From: from, To: from.Add(length)}, samples)
		}
	})
}

// scatter puts in 400 events at random instants of four days.
func (s *scene) scatter(random *rand.Rand, began time.Time) (samples []sample) {
	s.Helper()
	statuses := []quotekit.EventStatus{quotekit.EventPending, quotekit.EventDead, quotekit.EventSucceeded, quotekit.EventIgnored}
	type rowKey struct {
		granularity store.Granularity
		eventType   string
		bucket      time.Time
		writer      int
	}
	rows := map[rowKey]*histogram.Histogram{}
	slow := map[rowKey][]store.SlowestEvent{}
	writers := []string{quotekit.NewID(), quotekit.NewID()}
	for i := range 400 {
		e := sample{
			at:        began.Add(time.Duration(random.Int64N(int64(4 * 24 * time.Hour)))).Truncate(time.Microsecond),
			eventType: []string{"a.b", "c.d", "e.f"}[random.IntN(3)], status: statuses[random.IntN(4)],
			took: time.Duration(random.IntN(1_000_000)) * time.Microsecond,
		}
		samples = append(samples, e)
		s.at(e.at)
		s.receive(fmt.Sprintf("evt_%d", i), e.eventType, e.status)
		for _, g := range []store.Granularity{store.Minute, store.Hour, store.Day} {
			for _, eventType := range []string{e.eventType, store.AllTypes} {
				k := rowKey{g, eventType, g.Bucket(e.at), i % 2}
				if rows[k] == nil {
					rows[k] = new(histogram.Histogram)
				}
				rows[k].Add(e.took)
				slow[k] = append(slow[k], store.SlowestEvent{StripeEventID: fmt.Sprintf("evt_%d", i), EventType: e.eventType, TookMS: e.took.Milliseconds(), At: e.at})
			}
		}
	}
	var figures []store.Latency
	for k, h := range rows {
		figures = append(figures, store.Latency{
			Granularity: k.granularity, EventType: k.eventType, Bucket: k.bucket, Writer: writers[k.writer],
			Samples: h.Count, Sum: h.Sum, Max: h.Max, Total: h.String(), Handle: h.String(), Wait: "0 0", Commit: h.String(), Slowest: slow[k],
		})
	}
	if err := s.Store.WriteFigures(s.Context(), figures, nil); err != nil {
		s.Fatal(err)
	}
	s.fold()
	return samples
}

// TestReads_WidenWhatIsOld: where minutes and hours are not kept any more, a range is
// made whole hours and days, and what it has is right.
func TestReads_WidenWhatIsOld(t *testing.T) {
	onBoth(t, func(s *scene) {
		random := rand.New(rand.NewPCG(10, 11))
		began := time.Date(2026, 2, 27, 0, 0, 0, 0, time.UTC)
		samples := s.scatter(random, began)
		s.at(began.Add(4*24*time.Hour + 7*time.Minute))
		s.MinutesKept, s.HoursKept = 30*time.Hour, 70*time.Hour // of four days
		r, err := s.Store.BeginRetention(t.Context(), "me")
		if err != nil || r == nil {
			t.Fatalf("got %v, %v", r, err)
		}
		for g, kept := range map[store.Granularity]time.Duration{store.Minute: s.MinutesKept, store.Hour: s.HoursKept} {
			for done := false; !done; {
				if _, done, err = r.Figures(t.Context(), g, s.now().Add(-kept), 1000); err != nil {
					t.Fatal(err)
				}
			}
		}
		widths := map[time.Duration]int{}
		for i := range 60 {
			length := []time.Duration{time.Minute, 50 * time.Minute, 5 * time.Hour, 26 * time.Hour, 80 * time.Hour}[i%5]
			from := began.Add(time.Duration(random.Int64N(int64(4 * 24 * time.Hour)))).Truncate(time.Minute)
			in := monitor.Range{From: from, To: from.Add(length)}
			whole := s.overview(in).Range
			if whole.From.After(in.From) || whole.To.Before(in.To) {
				t.Errorf("%v is made %v, which does not hold it", in, whole)
			}
			unit := time.Minute
			switch age := s.now().Sub(from); {
			case age > s.HoursKept:
				unit = 24 * time.Hour
			case age > s.HoursKept-24*time.Hour:
				unit = 0 // on the edge
			case age > s.MinutesKept:
				unit = time.Hour
			case age > s.MinutesKept-time.Hour:
				unit = 0
			}
			if unit > 0 && !whole.From.Equal(in.From.Truncate(unit)) {
				t.Errorf("%v begins at %v, want whole units of %v", in, whole.From, unit)
			}
			widths[unit]++
			checkRange(s, whole, samples)
		}
		if widths[time.Minute]*widths[time.Hour]*widths[24*time.Hour] == 0 {
			t.Errorf("got ranges of %v, want some of each", widths)
		}
	})
}

func checkRange(s *scene, in monitor.Range, samples []sample) {
	s.Helper()
	var all, typed []sample
	byType := map[string]int64{}
	for _, e := range samples {
		if !e.at.Before(in.From) && e.at.Before(in.To) {
			all = append(all, e)
			byType[e.eventType]++
			if e.eventType == "c.d" {
				typed = append(typed, e)
			}
		}
	}
	o := s.overview(in)
	name := fmt.Sprint(in.From.Format(time.RFC3339), " + ", in.To.Sub(in.From))
	if want := countsOf(all); text(o.Counts) != text(want) || o.TotalEvents != want.Total || text(o.SuccessRate) != text(want.SuccessRate) {
		s.Errorf("%s: got the counts %s, want %s", name, text(o.Counts), text(want))
	}
	for _, t := range o.ByType {
		if t.Total != byType[t.EventType] {
			s.Errorf("%s: got %d of %s, want %d", name, t.Total, t.EventType, byType[t.EventType])
		}
	}
	if len(o.ByType) != len(byType) {
		s.Errorf("%s: got %d types, want %d", name, len(o.ByType), len(byType))
	}
	checkTimes(s, name, o.Percentiles, all)
	checkSeries(s, name, o.Series, o.BucketSeconds, all)
	for _, eventType := range []string{"", "c.d"} {
		want := all
		if eventType != "" {
			want = typed
		}
		p, err := s.Performance(s.Context(), in, eventType)
		if err != nil {
			s.Fatal(err)
		}
		checkTimes(s, name, p.Percentiles, want)
		checkSeries(s, name, p.Series, p.BucketSeconds, want)
		for i, t := range p.ByType {
			if i > 0 && *t.P95 > *p.ByType[i-1].P95 {
				s.Errorf("%s: %s is slower than the one before", name, t.EventType)
			}
			if t.Stages[0].Samples != t.Samples || t.Stages[1].Samples != 0 || t.Stages[1].P50 != nil {
				s.Errorf("%s: got the stages %+v", name, t.Stages)
			}
		}
		checkSlowest(s, name, p.Slowest, want)
	}
}

func countsOf(list []sample) monitor.Counts {
	var c monitor.Counts
	for _, e := range list {
		c.Total++
		switch e.status {
		case quotekit.EventSucceeded:
			c.Succeeded++
		case quotekit.EventPending:
			c.Pending++
		case quotekit.EventDead:
			c.Dead++
		case quotekit.EventIgnored:
			c.Ignored++
		}
	}
	if decided := c.Total - c.Pending; decided > 0 {
		rate := 1 - float64(c.Dead)/float64(decided)
		c.SuccessRate = &rate
	}
	return c
}

func checkTimes(s *scene, name string, got monitor.Percentiles, want []sample) {
	s.Helper()
	if got.Samples != int64(len(want)) {
		s.Errorf("%s: got %d times, want %d", name, got.Samples, len(want))
		return
	}
	if len(want) == 0 {
		if got.P50 != nil || got.P95 != nil || got.P99 != nil || got.Avg != nil || got.Max != nil {
			s.Errorf("%s: got times without a sample: %s", name, text(got))
		}
		return
	}
	times := make([]float64, len(want))
	sum := 0.0
	for i, e := range want {
		times[i] = float64(e.took.Microseconds()) / 1000
		sum += times[i]
	}
	slices.Sort(times)
	for share, p := range map[float64]*float64{0.5: got.P50, 0.95: got.P95, 0.99: got.P99} {
		exact := times[int(math.Ceil(share*float64(len(times))))-1]
		if p == nil || math.Abs(*p-exact) > 0.065*exact+0.001 {
			s.Errorf("%s: got p%g = %s, want about %g", name, share*100, text(p), exact)
		}
	}
	if math.Abs(*got.Avg-sum/float64(len(times))) > 0.002 || math.Abs(*got.Max-times[len(times)-1]) > 0.002 {
		s.Errorf("%s: got the average %g and maximum %g, want %g and %g", name, *got.Avg, *got.Max, sum/float64(len(times)), times[len(times)-1])
	}
}

func checkSeries(s *scene, name string, points []monitor.Point, seconds int, want []sample) {
	s.Helper()
	step := time.Duration(seconds) * time.Second
	if n := len(points); n < 1 || n > 122 {
		s.Errorf("%s: got a series of %d points", name, n)
	}
	counted := 0
	for i, p := range points {
		var in []sample
		for _, e := range want {
			if !e.at.Before(p.At) && e.at.Before(p.At.Add(step)) {
				in = append(in, e)
			}
		}
		counted += len(in)
		if exact := countsOf(in); text(p.Counts) != text(exact) {
			s.Errorf("%s, point %d: got %s, want %s", name, i, text(p.Counts), text(exact))
		}
		checkTimes(s, fmt.Sprintf("%s, point %d", name, i), p.Percentiles, in)
	}
	if counted != len(want) {
		s.Errorf("%s: the series has %d of %d events", name, counted, len(want))
	}
}

func checkSlowest(s *scene, name string, got []store.SlowestEvent, want []sample) {
	s.Helper()
	times := make([]int64, len(want))
	for i, e := range want {
		times[i] = e.took.Milliseconds()
	}
	slices.Sort(times)
	slices.Reverse(times)
	times = times[:min(20, len(times))]
	var found []int64
	for _, e := range got {
		found = append(found, e.TookMS)
	}
	if !slices.Equal(found, times) {
		s.Errorf("%s: got the slowest %d, want %d", name, found, times)
	}
}

// text shows what pointers point to.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// alerts is an AlertReader.
type alerts []quotekit.Alert

func (a alerts) ListAlerts(context.Context, time.Time) ([]quotekit.Alert, error) { return a, nil }

func (a alerts) AlertDeliveries(context.Context, int) ([]quotekit.AlertDelivery, error) {
	return nil, nil
}

func TestOverview_SaysInASentenceHowItIs(t *testing.T) {
	onBoth(t, func(s *scene) {
		in := func() monitor.Range {
			r, err := monitor.ParseRange(nil, s.now(), time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		check := func(status monitor.Severity, sentence string) monitor.Overview {
			t.Helper()
			s.fold()
			o := s.overview(in())
			if o.Health.Status != status || o.Health.Sentence != sentence {
				t.Errorf("got %s: %s\nwant %s: %s", o.Health.Status, o.Health.Sentence, status, sentence)
			}
			return o
		}
		wait := func(d time.Duration) { s.at(s.now().Add(d)) }
		o := check(monitor.SeverityOK, "No event has been received yet.")
		if o.SuccessRate != nil || o.P95 != nil || o.LastEventAt != nil || o.OldestUnprocessed != 0 || len(o.ByType) != 0 {
			t.Errorf("of nothing: got %s", text(o))
		}
		s.receive("evt_1", "a.b", quotekit.EventSucceeded)
		wait(90 * time.Second)
		check(monitor.SeverityOK, "All is well; the last event came 1 min ago.")
		s.receive("evt_2", "a.b", quotekit.EventPending)
		wait(30 * time.Second)
		o = check(monitor.SeverityOK, "All is well; the last event came 30 s ago.")
		if o.Pending != 1 || o.OldestUnprocessed != 30 {
			t.Errorf("got %d pending for %g s, want 1 for 30", o.Pending, o.OldestUnprocessed)
		}
		wait(time.Minute)
		check(monitor.SeverityWarning, "1 event is stuck; the oldest is 1 min old.")
		s.receive("evt_3", "a.b", quotekit.EventPending)
		s.receive("evt_4", "c.d", quotekit.EventDead)
		wait(40 * time.Minute)
		o = check(monitor.SeverityCritical, "2 events are stuck; the oldest is 41 min old; 1 dead letter waits for a decision; 1 error group is new.")
		if o.DeadLetters != 1 || o.DeadLettersMore || o.Counts.Dead != 1 || text(o.SuccessRate) != "0.5" {
			t.Errorf("got %s", text(o))
		}
		if len(o.NewErrorGroups) != 1 || o.NewErrorGroups[0].EventType != "c.d" {
			t.Errorf("got the groups %s", text(o.NewErrorGroups))
		}
		s.mustTx(func(tx *store.Tx) error {
			_, err := tx.ResolveDeadLetter(t.Context(), quotekit.DeadLetterID("evt_4"), "given up", "")
			return err
		})
		s.receive("evt_2", "a.b", quotekit.EventSucceeded)
		s.receive("evt_3", "a.b", quotekit.EventSucceeded)
		wait(3 * 24 * time.Hour)
		o = check(monitor.SeverityOK, "All is well; the last event came 3 days ago.")
		if o.TotalEvents != 0 || o.Pending != 0 || o.DeadLetters != 0 || o.LastEventAt == nil {
			t.Errorf("after days: got %s", text(o))
		}
		s.Alerts = alerts{{Severity: quotekit.AlertWarning, State: quotekit.AlertFiring}, {Severity: quotekit.AlertCritical, State: quotekit.AlertSilenced}}
		check(monitor.SeverityWarning, "1 alert is firing.")
		s.Alerts = alerts{{Severity: quotekit.AlertWarning, State: quotekit.AlertFiring}, {Severity: quotekit.AlertCritical, State: quotekit.AlertFiring}}
		if o = check(monitor.SeverityCritical, "2 alerts are firing, 1 of them critical."); o.FiringAlerts != 2 {
			t.Errorf("got %d alerts", o.FiringAlerts)
		}
	})
}

// TestOverview_CountsDeadLettersOfOthers, whose column resolved may be null.
func TestOverview_CountsDeadLettersOfOthers(t *testing.T) {
	onBoth(t, func(s *scene) {
		for i, resolved := range []any{nil, false, true} {
			s.mustTx(func(tx *store.Tx) error {
				_, err := tx.ExecContext(t.Context(), `INSERT INTO webhook_dead_letter_queue (id, stripe_event_id, event_type, event_data, failure_reason, resolved)
					VALUES ($1, $2, 'a.b', '{}', 'THEIRS', $3)`, quotekit.NewID(), strings.Repeat("x", i+1), resolved)
				return err
			})
		}
		r, err := monitor.ParseRange(nil, s.now(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if o := s.overview(r); o.DeadLetters != 2 {
			t.Errorf("got %d dead letters, want 2", o.DeadLetters)
		}
	})
}
