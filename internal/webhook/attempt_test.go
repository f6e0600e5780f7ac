package webhook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

func TestRetryDelay_IsAboutOneFourAndSixteenSeconds(t *testing.T) {
	for n, want := range map[int]time.Duration{1: time.Second, 2: 4 * time.Second, 3: 16 * time.Second} {
		different := map[time.Duration]bool{}
		for range 100 {
			got := retryDelay(n)
			if got < want*8/10 || got > want*12/10 {
				t.Fatalf("retry %d: got %s, want about %s", n, got, want)
			}
			different[got] = true
		}
		if len(different) < 10 {
			t.Errorf("retry %d: got %d different delays, want a jitter", n, len(different))
		}
	}
}

func TestOutcome_OfARound(t *testing.T) {
	now := time.Unix(1_775_000_000, 0)
	w := &AttemptWorker{now: func() time.Time { return now }}
	const (
		timeout = quotekit.ReasonTimeout
		panics  = quotekit.ReasonPanic
	)
	for name, test := range map[string]struct {
		attempts int
		before   []quotekit.FailureReason
		decision decision
		status   quotekit.EventStatus
		reason   quotekit.FailureReason
	}{
		"success":                        {2, []quotekit.FailureReason{timeout}, decision{status: quotekit.EventSucceeded}, quotekit.EventSucceeded, ""},
		"third retry is still to come":   {3 - 1, []quotekit.FailureReason{timeout}, fail(timeout, ""), quotekit.EventPending, timeout},
		"third retry failed":             {3, []quotekit.FailureReason{timeout}, fail(timeout, ""), quotekit.EventDead, timeout},
		"different reasons":              {3, []quotekit.FailureReason{panics}, fail(timeout, ""), quotekit.EventDead, quotekit.ReasonMaxRetries},
		"permanent at once":              {1, nil, fail(quotekit.ReasonRejected, ""), quotekit.EventDead, quotekit.ReasonRejected},
		"different reasons, but to come": {1, []quotekit.FailureReason{panics}, fail(timeout, ""), quotekit.EventPending, timeout},
	} {
		got := w.outcome(store.PendingEvent{Attempts: test.attempts, Reasons: test.before}, test.decision)
		if got.Status != test.status || got.Reason != test.reason {
			t.Errorf("%s: got %s %s, want %s %s", name, got.Status, got.Reason, test.status, test.reason)
		}
		if (got.Status == quotekit.EventPending) != got.NextAttemptAt.After(now) {
			t.Errorf("%s: %s, next attempt at %s", name, got.Status, got.NextAttemptAt)
		}
	}
}

func TestHandle_CatchesEverything(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	for name, test := range map[string]struct {
		handle quotekit.HandlerFunc
		want   quotekit.FailureReason
	}{
		"permanent": {func(context.Context, quotekit.Event) (quotekit.Changes, error) {
			return quotekit.Changes{}, fmt.Errorf("read: %w", quotekit.Permanent(errors.New("field x is no string")))
		}, quotekit.ReasonRejected},
		"panic": {func(context.Context, quotekit.Event) (quotekit.Changes, error) {
			panic("ada@example.com")
		}, quotekit.ReasonPanic},
		"index": {func(context.Context, quotekit.Event) (quotekit.Changes, error) {
			var list []int
			return quotekit.Changes{History: make([]quotekit.SubscriptionChange, list[0])}, nil
		}, quotekit.ReasonPanic},
		"too long": {func(ctx context.Context, _ quotekit.Event) (quotekit.Changes, error) {
			<-ctx.Done()
			return quotekit.Changes{}, ctx.Err()
		}, quotekit.ReasonTimeout},
		"too long, and deaf": {func(context.Context, quotekit.Event) (quotekit.Changes, error) {
			<-never
			return quotekit.Changes{}, nil
		}, quotekit.ReasonTimeout},
	} {
		r := &quotekit.Route{Type: "t", Handler: "test", Handle: test.handle, Timeout: 20 * time.Millisecond}
		got := handle(context.Background(), r, quotekit.Event{}, 0)
		if got.failure.reason != test.want {
			t.Errorf("%s: got %s, want %s", name, got.failure.reason, test.want)
		}
		if strings.Contains(got.failure.message, "ada@") {
			t.Errorf("%s: the value of the panic is in %q", name, got.failure.message)
		}
		if test.want == quotekit.ReasonPanic && !strings.Contains(got.failure.message, "attempt_test.go:") {
			t.Errorf("%s: got %q, want the place of the panic", name, got.failure.message)
		}
	}
}

func TestNewRoutes_RefusesAWrongTable(t *testing.T) {
	good := quotekit.Route{Type: "t", Handler: "h", Priority: 1, Timeout: time.Second, Handle: func(context.Context, quotekit.Event) (quotekit.Changes, error) {
		return quotekit.Changes{}, nil
	}}
	if _, err := NewRoutes([]quotekit.Route{good}); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*quotekit.Route){
		"no type":        func(r *quotekit.Route) { r.Type = "" },
		"no handler":     func(r *quotekit.Route) { r.Handle = nil },
		"no name":        func(r *quotekit.Route) { r.Handler = "" },
		"priority 0":     func(r *quotekit.Route) { r.Priority = 0 },
		"priority 6":     func(r *quotekit.Route) { r.Priority = quotekit.Lanes + 1 },
		"no timeout":     func(r *quotekit.Route) { r.Timeout = 0 },
		"the same twice": func(r *quotekit.Route) { r.Type = "t" },
	} {
		bad := good
		bad.Type = "u"
		change(&bad)
		if _, err := NewRoutes([]quotekit.Route{good, bad}); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
