package app_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe"
)

// TestBackup_HasWhatWasAcknowledgedBeforeIt backs a database up while events come,
// as docs/operations.md says, and serves the copy: what was acknowledged before is in
// it with its effects, and what Stripe sends again is applied once.
func TestBackup_HasWhatWasAcknowledgedBeforeIt(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		var acknowledged atomic.Int64
		stop, enough := make(chan struct{}), make(chan struct{})
		var sender sync.WaitGroup
		sender.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				a, err := s.tryPost(product(fmt.Sprintf("evt_backup_%d", n), fmt.Sprintf("prod_backup_%d", n)))
				if err != nil || a.Status != "succeeded" {
					t.Errorf("got %+v, %v", a, err)
					return
				}
				if acknowledged.Store(int64(n + 1)); n == 50 {
					close(enough)
				}
			}
		})
		select {
		case <-enough:
		case <-time.After(time.Minute):
			t.Fatal("too few events are acknowledged")
		}
		before := acknowledged.Load()
		copied := storetest.Backup(t, url)
		close(stop)
		sender.Wait()
		all := acknowledged.Load()

		restored := mustStart(t, copied, app.Options{})
		for n := range before {
			if got := restored.status(fmt.Sprintf("evt_backup_%d", n)); got != "succeeded" {
				t.Fatalf("event %d of %d that were acknowledged before is %q in the copy", n, before, got)
			}
		}
		for n := range all {
			if a := restored.post(product(fmt.Sprintf("evt_backup_%d", n), fmt.Sprintf("prod_backup_%d", n))); a.Status != "succeeded" {
				t.Fatalf("sent again: got %+v", a)
			}
		}
		if d := diff(restored.mirror(), s.mirror()); d != "" {
			t.Errorf("the copy differs after everything was sent again:\n%s", d)
		}
	})
}

// TestRotation_OfTheSigningSecret follows docs/operations.md: both secrets while
// Stripe changes over, then the new one alone. No delivery is refused on the way.
func TestRotation_OfTheSigningSecret(t *testing.T) {
	url := storetest.SQLiteURL(t, tables)
	const before, after = "whsec_before", "whsec_after"
	for i, step := range []struct{ secrets, signed string }{
		{before, before},
		{after + "," + before, before},
		{after + "," + before, before + "," + after}, // Stripe signs with both for a while
		{after + "," + before, after},
		{after, after},
	} {
		c := plainConfig(url)
		c.WebhookSecrets = strings.Split(step.secrets, ",")
		s := mustStartWith(t, c, app.Options{})
		body := product(fmt.Sprintf("evt_rotation_%d", i), fmt.Sprintf("prod_rotation_%d", i))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/webhooks/stripe", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		var header []string // t=…, v1=…, and a v1 of each other secret
		for _, secret := range strings.Split(step.signed, ",") {
			signature := strings.Split(stripe.Sign(body, secret, now), ",")
			header = append(header, signature[min(len(header), 1):]...)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Stripe-Signature", strings.Join(header, ","))
		resp, _ := s.do(req, body)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("step %d: got %d", i, resp.StatusCode)
		}
		s.stop()
	}
}
