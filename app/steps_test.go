package app_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/webhook"
)

// steps gathers what a service does, in order.
type steps struct {
	mu   sync.Mutex
	seen []string
}

func (s *steps) observe(step string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, step)
}

func (s *steps) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// TestSteps_ComeInOrder lets an event fail once and heal: a request and an
// attempt go through all steps that [app.Options.Observe] is promised.
func TestSteps_ComeInOrder(t *testing.T) {
	request := []string{
		webhook.StepRead, webhook.StepVerified, webhook.StepHandled, webhook.StepInserted,
		webhook.StepApplied, webhook.StepBeforeCommit, webhook.StepCommitted, webhook.StepAnswered,
	}
	attempt := []string{
		webhook.StepAttemptLoaded, webhook.StepAttemptHandled, webhook.StepAttemptUpdated,
		webhook.StepAttemptApplied, webhook.StepAttemptBeforeCommit, webhook.StepAttemptCommitted,
	}
	onBoth(t, func(t *testing.T, url string) {
		var seen steps
		b := &broken{fail: func(n int) error {
			if n == 1 {
				return errors.New("not now")
			}
			return nil
		}}
		s := mustStart(t, url, app.Options{Routes: routesWith("product.created", b.handle), Observe: seen.observe})
		s.post(product("evt_1", "prod_1"))
		want := slices.Concat(request, attempt)
		eventually(t, 30*time.Second, "the retry", func() bool { return len(seen.all()) >= len(want) })
		if got := seen.all(); !slices.Equal(got, want) {
			t.Errorf("got steps %q, want %q", got, want)
		}
	})
}
