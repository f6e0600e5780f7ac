package stripe_test

import (
	"bufio"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/stripe"
)

// mustMock builds and starts stripe-mock, which checks every request against
// Stripe's own description of its API, and returns its address.
func mustMock(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "stripe-mock")
	build := exec.Command("go", "build", "-modfile=tools/go.mod", "-o", binary, "github.com/stripe/stripe-mock")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build stripe-mock: %v\n%s", err, out)
	}
	mock := exec.Command(binary, "-http-addr", "127.0.0.1:0")
	out, err := mock.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := mock.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = mock.Process.Kill()
		_ = mock.Wait()
	})
	address := regexp.MustCompile(`Listening for HTTP at address: (\S+)`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return "http://" + m[1]
		}
	}
	t.Fatal("stripe-mock does not listen")
	return ""
}

// TestClient_StripeKnowsItsRequests: every path and every parameter that the
// client uses is one of Stripe's API, and what comes back can be read.
func TestClient_StripeKnowsItsRequests(t *testing.T) {
	base := mustMock(t)
	client := stripe.NewClient(stripe.ClientConfig{Key: "sk_test_123", Base: base, PerSecond: 100})
	var types []string
	for _, r := range handlers.Routes() {
		types = append(types, r.Type)
	}
	for _, q := range []stripe.EventsQuery{
		{Types: types[:stripe.MaxTypes], Since: 1_775_000_000},
		{Types: types[stripe.MaxTypes:], Since: 1_775_000_000, Until: 1_775_000_001, After: "evt_1"},
	} {
		if p, err := client.Events(t.Context(), q); err != nil || p.AsOf == 0 {
			t.Errorf("events %+v: %v", q, err)
		}
	}
	for _, kind := range []quotekit.Kind{
		quotekit.KindCustomer, quotekit.KindProduct, quotekit.KindPrice, quotekit.KindSubscription, quotekit.KindInvoice,
		quotekit.KindPaymentMethod,
	} {
		for _, after := range []string{"", "id_1"} {
			if p, err := client.Objects(t.Context(), kind, "cus_1", after); err != nil || len(p.Objects)+p.Drafts == 0 {
				t.Errorf("list of the kind %s after %q: %d objects, %v", kind, after, len(p.Objects), err)
			}
		}
	}
	fetcher := stripe.NewFetcher(client, time.Now)
	for _, kind := range []string{
		"customer", "product", "price", "subscription", "invoice", "payment_method", "checkout.session", "setup_intent",
	} {
		ref := stripe.Reference{Type: kind, ID: "id_1"}
		if o, err := fetcher.Current(t.Context(), ref, time.Now()); err != nil || o.ID != ref.ID {
			t.Errorf("%s: got %s, %v", kind, o.ID, err)
		}
	}
	// What Stripe does not know is refused, so the above means something.
	for _, path := range []string{"/v1/events?bogus=1", "/v1/checkout/session/id_1"} {
		req, err := http.NewRequest(http.MethodGet, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer sk_test_123")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Errorf("stripe-mock takes %s", path)
		}
	}
}
