package stripe_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

const (
	testKey  = "sk_test_planted"
	customer = `{"id":"cus_1","object":"customer","livemode":false}`
)

// mustFetcher returns a fetcher of an API that answers with the handler.
func mustFetcher(t *testing.T, handle http.HandlerFunc) *stripe.Fetcher {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	client := stripe.NewClient(stripe.ClientConfig{Key: testKey, Base: server.URL, PerSecond: 1000, Backoff: time.Millisecond})
	return stripe.NewFetcher(client, time.Now)
}

var aCustomer = stripe.Reference{Type: "customer", ID: "cus_1"}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"type":"invalid_request_error","code":%q,"message":%q}}`, code, message)
}

func TestClient_AsksAsStripeWantsAndKeepsTheBytes(t *testing.T) {
	const body = "{ \"id\": \"cus_1\",\n \"object\":\"customer\", \"balance\": 1.50 }"
	f := mustFetcher(t, func(w http.ResponseWriter, r *http.Request) {
		got := []string{r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), r.Header.Get("Stripe-Version"), r.Header.Get("Stripe-Account")}
		want := []string{"GET", "/v1/customers/cus_1", "Bearer " + testKey, stripe.APIVersion, "acct_1"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
		w.Header().Set("Date", "Thu, 01 Jan 1970 00:01:40 GMT")
		fmt.Fprint(w, body)
	})
	o, err := f.Current(t.Context(), stripe.Reference{Type: "customer", ID: "cus_1", Account: "acct_1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if string(o.JSON) != body || o.AsOf != 99 || o.Kind != quotekit.KindCustomer || o.ID != "cus_1" || o.Account != "acct_1" {
		t.Errorf("got %+v", o)
	}
}

func TestClient_TriesAgainWhatMayPass(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter, r *http.Request){
		"error of the server": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"too many requests":   func(w http.ResponseWriter, _ *http.Request) { refuse(w, 429, "rate_limit", "") },
		"locked":              func(w http.ResponseWriter, _ *http.Request) { refuse(w, 429, "lock_timeout", "") },
		"locked, as of old":   func(w http.ResponseWriter, _ *http.Request) { refuse(w, 400, "lock_timeout", "") },
		"cut off":             func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			f := mustFetcher(t, func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) <= 3 {
					fail(w, r)
					return
				}
				fmt.Fprint(w, customer)
			})
			if _, err := f.Current(t.Context(), aCustomer, time.Now()); err != nil || calls.Load() != 4 {
				t.Errorf("got %v after %d calls, want success at the fourth", err, calls.Load())
			}
		})
	}
}

func TestClient_RefusalsArePermanentAndShowNothing(t *testing.T) {
	for _, c := range []struct {
		status        int
		code, message string
		want          string
	}{
		{401, "", "Invalid API Key provided: sk_test_planted", "Stripe refuses the key in STRIPE_SECRET_KEY (status 401, invalid_request_error)"},
		{
			403, "", "The provided key 'rk_test_***nted' does not have the required permissions. Having the 'rak_customer_read' permission would allow this.",
			"the key in STRIPE_SECRET_KEY lacks the permission rak_customer_read (status 403, invalid_request_error)",
		},
		{404, "resource_missing", "No such customer: 'ada@example.com'", "Stripe's API refused a request (status 404, invalid_request_error, resource_missing)"},
		{400, "Not a code: ada@example.com", "", "Stripe's API refused a request (status 400, invalid_request_error)"},
		{302, "", "", "Stripe's API refused a request (status 302, invalid_request_error)"},
	} {
		var calls atomic.Int32
		f := mustFetcher(t, func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			w.Header().Set("Location", "http://127.0.0.1:1/")
			refuse(w, c.status, c.code, c.message)
		})
		_, err := f.Current(t.Context(), aCustomer, time.Now())
		if err == nil || err.Error() != c.want || !quotekit.IsPermanent(err) || calls.Load() != 1 {
			t.Errorf("status %d: got %v after %d calls, want %s", c.status, err, calls.Load(), c.want)
		}
	}
}

func TestClient_NoErrorShowsTheKeyOrTheAddress(t *testing.T) {
	client := stripe.NewClient(stripe.ClientConfig{
		Key: testKey, Base: "http://user:planted@127.0.0.1:1", PerSecond: 1000, Backoff: time.Millisecond,
	})
	_, err := stripe.NewFetcher(client, time.Now).Current(t.Context(), aCustomer, time.Now())
	if err == nil || strings.Contains(err.Error(), "planted") || quotekit.IsPermanent(err) || !strings.Contains(err.Error(), "no answer from Stripe's API") {
		t.Errorf("got %v", err)
	}
}

// TestClient_TooManyRequestsStopEverybody: while one caller was told to wait,
// others wait, too.
func TestClient_TooManyRequestsStopEverybody(t *testing.T) {
	var calls atomic.Int32
	told := make(chan struct{})
	f := mustFetcher(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			w.Header().Set("Retry-After", "2")
			refuse(w, 429, "rate_limit", "")
			close(told)
			return
		}
		fmt.Fprintf(w, `{"id":%q,"object":"customer"}`, strings.TrimPrefix(r.URL.Path, "/v1/customers/"))
	})
	first := make(chan error, 1)
	begun := time.Now()
	go func() {
		_, err := f.Current(context.Background(), aCustomer, begun)
		first <- err
	}()
	<-told
	// The gate shuts when the client has read the answer, which may be later than
	// told; a caller who slips through is not refused either.
	var others sync.WaitGroup
	for i := range 5 {
		others.Go(func() {
			if _, err := f.Current(context.Background(), stripe.Reference{Type: "customer", ID: fmt.Sprintf("cus_x%d", i)}, begun); err != nil {
				t.Error(err)
			}
		})
	}
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	others.Wait()
	if took := time.Since(begun); took < 2*time.Second {
		t.Errorf("it went on after %s, before the 2 s of Retry-After", took)
	}
}

func TestClient_KeepsTheBudget(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"id":%q}`, strings.TrimPrefix(r.URL.Path, "/v1/customers/"))
	}))
	defer server.Close()
	f := stripe.NewFetcher(stripe.NewClient(stripe.ClientConfig{Key: testKey, Base: server.URL, PerSecond: 20}), time.Now)
	begun := time.Now()
	var work sync.WaitGroup
	for i := range 21 {
		work.Go(func() {
			if _, err := f.Current(t.Context(), stripe.Reference{Type: "customer", ID: fmt.Sprintf("cus_%d", i)}, begun); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if took := time.Since(begun); took < 950*time.Millisecond {
		t.Errorf("21 requests took %s, want a second at 20 a second", took)
	}
}

func TestFetcher_MergesThoseWhoAskForOneObject(t *testing.T) {
	var calls atomic.Int32
	release := make(chan struct{})
	f := mustFetcher(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		<-release
		fmt.Fprint(w, customer)
	})
	asked := time.Now()
	var work sync.WaitGroup
	for range 20 {
		work.Go(func() {
			if _, err := f.Current(t.Context(), aCustomer, asked); err != nil {
				t.Error(err)
			}
		})
	}
	close(release)
	work.Wait()
	if got := calls.Load(); got != 1 {
		t.Errorf("got %d requests, want one", got)
	}
	if _, err := f.Current(t.Context(), aCustomer, asked); err != nil || calls.Load() != 1 {
		t.Errorf("got %v and %d requests, want the answer that is kept", err, calls.Load())
	}
	if _, err := f.Current(t.Context(), aCustomer, time.Now()); err != nil || calls.Load() != 2 {
		t.Errorf("got %v and %d requests, want another one for who wants a newer answer", err, calls.Load())
	}
}

// TestFetcher_AnAnswerThatBeganTooEarlyDoesNotCount: whoever joins a request
// that began before his instant gets one of his own.
func TestFetcher_AnAnswerThatBeganTooEarlyDoesNotCount(t *testing.T) {
	var calls atomic.Int32
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	f := mustFetcher(t, func(w http.ResponseWriter, _ *http.Request) {
		n := calls.Add(1)
		arrived <- struct{}{}
		<-release
		fmt.Fprintf(w, `{"id":"cus_1","object":"customer","name":"%d"}`, n)
	})
	early := make(chan error, 1)
	go func() {
		_, err := f.Current(context.Background(), aCustomer, time.Now())
		early <- err
	}()
	<-arrived
	late := make(chan string, 1)
	after := time.Now()
	go func() {
		o, err := f.Current(context.Background(), aCustomer, after)
		if err != nil {
			t.Error(err)
		}
		late <- string(o.JSON)
	}()
	close(release)
	if err := <-early; err != nil {
		t.Error(err)
	}
	if got := <-late; !strings.Contains(got, `"2"`) {
		t.Errorf("got %s, want the second answer", got)
	}
}

func TestFetcher_TheOneWhoBeganMayGoAway(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	f := mustFetcher(t, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		fmt.Fprint(w, customer)
	})
	asked := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	gone := make(chan error, 1)
	go func() {
		_, err := f.Current(ctx, aCustomer, asked)
		gone <- err
	}()
	<-arrived
	other := make(chan error, 1)
	go func() {
		_, err := f.Current(context.Background(), aCustomer, asked)
		other <- err
	}()
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v for the one who went away", err)
	}
	close(release)
	if err := <-other; err != nil {
		t.Errorf("got %v for the one who stayed", err)
	}
}

func TestFetcher_WhatIsGone(t *testing.T) {
	f := mustFetcher(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "Thu, 01 Jan 1970 00:01:40 GMT")
		if r.URL.Path == "/v1/prices/lost" { // a proxy's 404 is not Stripe's
			http.NotFound(w, r)
			return
		}
		refuse(w, 404, "resource_missing", "")
	})
	for _, kind := range []string{"product", "price"} {
		o, err := f.Current(t.Context(), stripe.Reference{Type: kind, ID: "x_1"}, time.Now())
		if want := `{"id":"x_1","object":"` + kind + `","deleted":true}`; err != nil || string(o.JSON) != want || o.AsOf != 99 {
			t.Errorf("%s: got %s as of %d, %v, want %s as of 99", kind, o.JSON, o.AsOf, err, want)
		}
	}
	for _, ref := range []stripe.Reference{
		{Type: "customer", ID: "cus_1"},
		{Type: "subscription", ID: "sub_1"},
		{Type: "invoice", ID: "in_1"},
		{Type: "payment_method", ID: "pm_1"},
		{Type: "checkout.session", ID: "cs_1"},
		{Type: "setup_intent", ID: "seti_1"},
		{Type: "price", ID: "lost"},
		{Type: "charge", ID: "ch_1"},
		{Type: "customer", ID: ".."},
		{Type: "product", ID: "prod_1", Livemode: true},
	} {
		if _, err := f.Current(t.Context(), ref, time.Now()); !quotekit.IsPermanent(err) {
			t.Errorf("%+v: got %v, want a permanent error", ref, err)
		}
	}
}
