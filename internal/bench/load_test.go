package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/stripe"
)

const testSecret = "whsec_test"

// fakeTarget is a service that answers as answer says, and refuses what is not signed.
func fakeTarget(t *testing.T, answer func(id string) (status int, text string)) target {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = stripe.VerifySignature(body, r.Header.Get("Stripe-Signature"), []string{testSecret}, time.Now(), time.Minute)
		}
		if err != nil {
			t.Errorf("the service got %q with %q: %v", body, r.Header, err)
		}
		status, text := answer(gjson.GetBytes(body, "id").Str)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	return target{server.URL, testSecret}
}

func testEvents(n int) []sample.Event {
	events := make([]sample.Event, n)
	for i := range events {
		events[i] = sample.Event{ID: fmt.Sprintf("evt_%d", i), Body: fmt.Appendf(nil, `{"id":"evt_%d"}`, i)}
	}
	return events
}

func TestClosed_AnswersAreThoseOfTheirEvents(t *testing.T) {
	var mu sync.Mutex
	times := map[string]int{}
	s := fakeTarget(t, func(id string) (int, string) {
		mu.Lock()
		defer mu.Unlock()
		times[id]++
		status := "succeeded"
		if strings.HasSuffix(id, "7") {
			status = "pending"
		}
		return 200, fmt.Sprintf(`{"received":true,"event_id":%q,"duplicate":%t,"status":%q}`, id, strings.HasSuffix(id, "3"), status)
	})
	l, err := s.closed(t.Context(), testEvents(100), 8, time.Minute)
	if err != nil || len(l.answers) != 100 {
		t.Fatalf("got %d answers, %v", len(l.answers), err)
	}
	for i, a := range l.answers {
		want := quotekit.EventSucceeded
		if i%10 == 7 {
			want = quotekit.EventPending
		}
		if a.status != want || a.duplicate != (i%10 == 3) || a.took <= 0 || a.at < a.took || times[fmt.Sprintf("evt_%d", i)] != 1 {
			t.Errorf("event %d: got %+v", i, a)
		}
	}
	if kept := l.count(isKept); kept != 10 {
		t.Errorf("got %d kept events, want 10", kept)
	}
}

func TestClosed_EndsWithItsTime(t *testing.T) {
	s := fakeTarget(t, func(string) (int, string) { return 200, `{"status":"succeeded"}` })
	l, err := s.closed(t.Context(), testEvents(1_000_000), 2, 20*time.Millisecond)
	if err != nil || len(l.answers) == 0 || len(l.answers) == 1_000_000 {
		t.Fatalf("got %d answers, %v", len(l.answers), err)
	}
	for i, a := range l.answers {
		if a.status != quotekit.EventSucceeded {
			t.Fatalf("event %d counts and has no answer", i)
		}
	}
}

func TestClosed_EndsWithWhatIsNoSuccess(t *testing.T) {
	for text, status := range map[string]int{`{"code":"unavailable"}`: 503, `{"status":"dead"}`: 200, `<html>`: 200} {
		var calls atomic.Int64
		s := fakeTarget(t, func(string) (int, string) {
			if calls.Add(1) == 5 {
				return status, text
			}
			return 200, `{"status":"succeeded"}`
		})
		if _, err := s.closed(t.Context(), testEvents(1000), 1, time.Minute); err == nil || !strings.Contains(err.Error(), text) || calls.Load() != 5 {
			t.Errorf("%d %s: got %v after %d calls", status, text, err, calls.Load())
		}
	}
}

func TestClosed_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := fakeTarget(t, func(string) (int, string) {
		cancel()
		return 200, `{"status":"succeeded"}`
	})
	if _, err := s.closed(ctx, testEvents(1000), 2, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestBurstFigures_AreOfPriorities has an event of priority 1 and two of priority 5, of
// which one was kept, and settled two seconds after the load began.
func TestBurstFigures_AreOfPriorities(t *testing.T) {
	began := time.Unix(1000, 0)
	const ms = time.Millisecond
	l := load{began: began, answers: []answer{
		{at: 30 * ms, took: 20 * ms, status: quotekit.EventSucceeded},
		{at: 50 * ms, took: 45 * ms, status: quotekit.EventSucceeded},
		{at: 100 * ms, took: 60 * ms, status: quotekit.EventPending},
	}}
	events := []sample.Event{{ID: "a", Type: "urgent"}, {ID: "b", Type: "idle"}, {ID: "c", Type: "idle"}}
	got := burstFigures(l, events, map[string]time.Time{"c": began.Add(2 * time.Second)}, map[string]int{"urgent": 1, "idle": 5})
	for name, want := range map[string]float64{
		"settled_seconds": 2, "events_per_second": 1.5, "kept_events": 1,
		"priority1_median_finish_ms": 30, "priority1_p50_ms": 20, "priority1_p99_ms": 20,
		"priority5_median_finish_ms": 50, "priority5_p50_ms": 45, "priority5_p99_ms": 1960,
	} {
		if v, ok := got.Get(name); !ok || v != want {
			t.Errorf("%s: got %v, want %v", name, v, want)
		}
	}
}

func TestBind_NumbersInTheOrderOfAppearance(t *testing.T) {
	text, args := bind("a {job} b {list} c {job} d {user}", map[string]any{"user": "u", "list": "l", "job": "j"})
	if want := "a $1 b $2 c $1 d $3 [j l u]"; text+" "+fmt.Sprint(args) != want {
		t.Errorf("got %s %v, want %s", text, args, want)
	}
}

func TestProcess_ThisOne(t *testing.T) {
	if u := (usage{}).memory(); u != nil {
		t.Errorf("an unknown usage has the figures %v", u)
	}
	before := usage{processor: 2 * time.Second, peak: 50, known: true}
	after := usage{processor: 3 * time.Second, peak: 70, known: true}
	if got, want := fmt.Sprint(after.since(before, 2000)), "[500 70]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
