package webhook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/histogram"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
)

func logLine(eventType, id string, at time.Time, took time.Duration) store.ProcessingLog {
	return store.ProcessingLog{
		At: at, StripeEventID: id, EventType: eventType, Took: took,
		StageMicros: map[string]int64{"handle": 10, "commit": took.Microseconds() - 10},
	}
}

// shown lists rows as "granularity type bucket samples".
func shown(rows []store.Latency) []string {
	var all []string
	for _, l := range rows {
		all = append(all, fmt.Sprintf("%s %q %s %d", l.Granularity, l.EventType, l.Bucket.Format("02T15:04"), l.Samples))
	}
	slices.Sort(all)
	return all
}

func TestFigures_GoIntoTheirMinuteHourAndDay(t *testing.T) {
	f := newFigures()
	at := time.Date(2026, 3, 1, 23, 59, 30, 0, time.UTC)
	f.completed(logLine("a", "evt_1", at, 3*time.Millisecond))
	f.completed(logLine("b", "evt_2", at.Add(10*time.Second), 5*time.Millisecond))
	first, _ := f.take()
	want := []string{
		`day "" 01T00:00 2`, `day "a" 01T00:00 1`, `day "b" 01T00:00 1`, `hour "" 01T23:00 2`, `hour "a" 01T23:00 1`, `hour "b" 01T23:00 1`,
		`minute "" 01T23:59 2`, `minute "a" 01T23:59 1`, `minute "b" 01T23:59 1`,
	}
	if got := shown(first); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	for _, l := range first {
		if l.EventType == store.AllTypes {
			total, err := histogram.Parse(l.Total)
			if err != nil || total.Count != 2 || l.Sum != 8*time.Millisecond || l.Max != 5*time.Millisecond || l.Slowest[0].StripeEventID != "evt_2" ||
				l.Handle == l.Wait || l.Writer != f.writer {
				t.Errorf("got %+v, %v", l, err)
			}
		}
	}
	f.put(true)
	if again, _ := f.take(); len(again) > 0 {
		t.Errorf("written again, though nothing came: %q", shown(again))
	}
	// The next day; one event comes late, and counts in what is still open.
	f.completed(logLine("a", "evt_3", at.Add(time.Minute), time.Millisecond))
	f.completed(logLine("a", "evt_4", at.Add(-time.Hour), time.Millisecond))
	second, _ := f.take()
	want = []string{
		`day "" 01T00:00 3`, `day "" 02T00:00 1`, `day "a" 01T00:00 2`, `day "a" 02T00:00 1`,
		`hour "" 01T23:00 3`, `hour "" 02T00:00 1`, `hour "a" 01T23:00 2`, `hour "a" 02T00:00 1`,
		`minute "" 01T23:59 3`, `minute "" 02T00:00 1`, `minute "a" 01T23:59 2`, `minute "a" 02T00:00 1`,
	}
	if got := shown(second); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	// What cannot be written waits, and what is closed and written is forgotten.
	f.put(false)
	if again, _ := f.take(); !slices.Equal(shown(again), want) {
		t.Errorf("after a failure: got %q\nwant %q", shown(again), want)
	}
	f.put(true)
	f.completed(logLine("c", "evt_5", at.Add(3*time.Minute), time.Millisecond))
	f.take()
	f.put(true)
	var kept []string
	for k := range maps.Keys(f.buckets) {
		kept = append(kept, fmt.Sprintf("%s %q %s", k.granularity, k.eventType, k.start.Format("02T15:04")))
	}
	slices.Sort(kept)
	want = []string{
		`day "" 02T00:00`, `day "a" 02T00:00`, `day "c" 02T00:00`, `hour "" 02T00:00`, `hour "a" 02T00:00`, `hour "c" 02T00:00`,
		`minute "" 02T00:02`, `minute "c" 02T00:02`,
	}
	if !slices.Equal(kept, want) {
		t.Errorf("kept %q\nwant %q", kept, want)
	}
}

func TestFigures_AreBoundedWhileTheyCannotBeWritten(t *testing.T) {
	f := newFigures()
	f.limit = 50
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	lost := 0
	for i := range 100 {
		f.refuse(at.Add(time.Duration(i)*time.Minute), "signature_missing")
		f.completed(logLine("a", "evt_1", at.Add(time.Duration(i)*time.Minute), time.Millisecond))
		f.take()
		lost += f.put(false)
	}
	if len(f.buckets) > 60 || len(f.refusal) > 60 || lost < 150 {
		t.Errorf("%d buckets and %d refusals are kept, %d given up", len(f.buckets), len(f.refusal), lost)
	}
	f.completed(logLine(strings.Repeat("x", maxType+1), "evt_2", at, time.Millisecond))
	if len(f.fresh) > 0 {
		t.Error("a type that is too long for an index has figures")
	}
}

func TestFigures_RememberTheSlowest(t *testing.T) {
	f := newFigures()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range 100 {
		f.completed(logLine("a", fmt.Sprintf("evt_%d", (i*37)%100), at.Add(time.Duration(i)*time.Second), time.Duration((i*37)%100)*time.Millisecond))
	}
	rows, _ := f.take()
	for _, l := range rows {
		want := slowestOfHour
		if l.Granularity == store.Minute {
			want = slowestOfMinute
		}
		if len(l.Slowest) != want {
			t.Errorf("%s of %q has %d slow events, want %d", l.Granularity, l.EventType, len(l.Slowest), want)
		}
		if l.Granularity == store.Hour {
			for i, e := range l.Slowest {
				if e.TookMS != int64(99-i) || e.StripeEventID != fmt.Sprintf("evt_%d", 99-i) {
					t.Errorf("slow event %d is %+v", i, e)
				}
			}
		}
	}
}

// TestFigures_CountACompletedEventOnce, whatever it went through before.
func TestFigures_CountACompletedEventOnce(t *testing.T) {
	var failing atomic.Bool
	onBoth(t, broken(&failing, errors.New("not today")), nil, func(k *kit) {
		event := func(id string) string { return fmt.Sprintf(plainEvent, id, 1_775_000_000) }
		failing.Store(true)
		k.deliver(event("evt_retried"))
		k.deliver(event("evt_dead"))
		failing.Store(false)
		if got := k.work("evt_retried"); got != quotekit.EventSucceeded {
			k.t.Fatalf("evt_retried is %s", got)
		}
		failing.Store(true)
		if got := k.work("evt_dead"); got != quotekit.EventDead {
			k.t.Fatalf("evt_dead is %s", got)
		}
		failing.Store(false)
		k.deliver(event("evt_plain"))
		k.deliver(event("evt_plain")) // a duplicate
		k.deliver(`{"id":"evt_ignored","object":"event","type":"other","created":1,"data":{"object":{"id":"o"}}}`)
		want := map[string]int64{"plain": 2, "other": 1, store.AllTypes: 3}
		eventually(k.t, func() error {
			got := map[string]int64{}
			for _, eventType := range []string{"plain", "other", store.AllTypes} {
				err := k.store.LatencySeries(k.t.Context(), eventType, time.Unix(0, 0), time.Unix(4e9, 0).Truncate(time.Minute), store.Day, func(l store.Latency) error {
					h, err := histogram.Parse(l.Total)
					if err == nil {
						got[eventType] += h.Count
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			if !maps.Equal(got, want) {
				return fmt.Errorf("got %v samples, want %v", got, want)
			}
			return nil
		})
	})
}

// eventually waits until f succeeds, which what is written in the background makes it.
func eventually(t *testing.T, f func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within a minute: %v", err)
		}
	}
}

func TestFigures_CountRefusedRequests(t *testing.T) {
	onBoth(t, nil, nil, func(k *kit) {
		receiver := k.service.receiver
		receiver.secrets = []string{"whsec_1"}
		now := *k.now.Load()
		const body = `{"id":"evt_1"}`
		post := func(body, signature string) {
			r := httptest.NewRequestWithContext(k.t.Context(), http.MethodPost, "/webhooks/stripe", strings.NewReader(body))
			if signature != "" {
				r.Header.Set("Stripe-Signature", signature)
			}
			receiver.ServeHTTP(httptest.NewRecorder(), r)
		}
		post(body, "")
		post(body, "")
		post(body, "nonsense")
		post(body, stripe.Sign([]byte(body), "whsec_1", now.Add(-time.Hour)))
		post(body, stripe.Sign([]byte(body), "whsec_2", now))
		post("no event", stripe.Sign([]byte("no event"), "whsec_1", now))
		want := map[string]int64{"signature_missing": 2, "signature_malformed": 1, "signature_expired": 1, "signature_mismatch": 1, "body_invalid": 1}
		minute := store.Minute.Bucket(now)
		eventually(k.t, func() error {
			got, err := k.store.Refusals(k.t.Context(), minute, minute.Add(time.Minute))
			if err == nil && !maps.Equal(got, want) {
				err = fmt.Errorf("got %v, want %v", got, want)
			}
			return err
		})
		if before, err := k.store.Refusals(k.t.Context(), minute.Add(-time.Hour), minute); err != nil || len(before) > 0 {
			k.t.Errorf("before: got %v, %v", before, err)
		}
	})
}
