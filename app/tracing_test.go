package app_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/stripe"
)

// fakeCollector keeps the spans that it is sent, and their bytes.
type fakeCollector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracev1.Span
	raw   bytes.Buffer
}

func newFakeCollector(t *testing.T) *fakeCollector {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20") // milliseconds
	f := &fakeCollector{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err := errors.Join(err, proto.Unmarshal(body, &request)); err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.raw.Write(body)
		for _, rs := range request.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				f.spans = append(f.spans, ss.Spans...)
			}
		}
	}))
	t.Cleanup(f.Close)
	return f
}

// find returns the spans of a name that fit. The function is called with the lock.
func (f *fakeCollector) find(name string, fits func(*tracev1.Span) bool) (found []*tracev1.Span) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.spans {
		if strings.HasPrefix(s.Name, name) && (fits == nil || fits(s)) {
			found = append(found, s)
		}
	}
	return found
}

// wait returns the first span of a name that fits, when it comes.
func (f *fakeCollector) wait(t *testing.T, name string, fits func(*tracev1.Span) bool) *tracev1.Span {
	t.Helper()
	var found []*tracev1.Span
	eventually(t, 20*time.Second, "a span "+name, func() bool {
		found = f.find(name, fits)
		return len(found) > 0
	})
	return found[0]
}

func attributeOf(attributes []*commonv1.KeyValue, key string) string {
	for _, a := range attributes {
		if a.Key == key {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

func within(trace *tracev1.Span) func(*tracev1.Span) bool {
	return func(s *tracev1.Span) bool { return bytes.Equal(s.TraceId, trace.TraceId) }
}

func of(event string) func(*tracev1.Span) bool {
	return func(s *tracev1.Span) bool { return attributeOf(s.Attributes, "stripe.event.id") == event }
}

func TestTracing_FromTheRequestToTheJobToItsStatements(t *testing.T) {
	f := newFakeCollector(t)
	onBoth(t, func(t *testing.T, url string) {
		c := plainConfig(url)
		c.OTLPEndpoint = f.URL
		b := &broken{fail: func(int) error { return errors.New("not now, ada@example.com") }}
		s := mustStartWith(t, c, app.Options{Routes: routesWith("product.created", b.handle)})
		good, late := "evt_good_"+s.Store().Dialect().String(), "evt_late_"+s.Store().Dialect().String()

		if a := s.post(fixture(t, "customer.created.dahlia.journey-a")); a.Status != "succeeded" {
			t.Fatalf("got %+v", a)
		}
		if a := s.post(product(late, "prod_late")); a.Status != "pending" {
			t.Fatalf("got %+v", a)
		}
		b.mended.Store(true)
		if a := s.post(product(good, "prod_good")); a.Status != "succeeded" {
			t.Fatalf("got %+v", a)
		}
		request := f.wait(t, "POST /webhooks/stripe", of(good))
		for key, want := range map[string]string{
			"stripe.event.type": "product.created", "quotekit.event.status": "succeeded", "http.route": "/webhooks/stripe",
		} {
			if got := attributeOf(request.Attributes, key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		if !strings.HasPrefix(attributeOf(request.Attributes, "quotekit.request_id"), "req_") {
			t.Errorf("the request has no id: %v", request.Attributes)
		}
		parts := []string{"handle", "wait", "commit", "settle group", "transaction"}
		for _, name := range parts {
			part := f.wait(t, name, within(request))
			if len(part.ParentSpanId) == 0 || part.EndTimeUnixNano < part.StartTimeUnixNano {
				t.Errorf("%s has no parent, or ends before it begins", name)
			}
		}

		if s.Store().Postgres() {
			f.wait(t, "BATCH", func(s *tracev1.Span) bool {
				return within(request)(s) && slices.ContainsFunc(s.Events, func(e *tracev1.Span_Event) bool {
					return strings.Contains(attributeOf(e.Attributes, "db.query.text"), `INSERT INTO "stripe_products"`)
				})
			})
		}

		// The attempt, some seconds later, goes on with the trace of its request.
		s.mustSettle()
		kept := f.wait(t, "POST /webhooks/stripe", of(late))
		settled := f.wait(t, "settle attempts", within(kept))
		job := f.wait(t, "job webhook_attempt", func(s *tracev1.Span) bool { return bytes.Equal(s.SpanId, settled.ParentSpanId) })
		if !bytes.Equal(job.ParentSpanId, kept.SpanId) || attributeOf(job.Attributes, "quotekit.job.queue") != "lane_4" {
			t.Errorf("got the job %v", job)
		}
	})
	values, err := plantedValues()
	if err != nil {
		t.Fatal(err)
	}
	for value, what := range values {
		if bytes.Contains(f.raw.Bytes(), []byte(value)) {
			t.Errorf("a trace has %s", what)
		}
	}
}

func TestTracing_ManyShareATransaction(t *testing.T) {
	f := newFakeCollector(t)
	onBoth(t, func(t *testing.T, url string) {
		c := plainConfig(url)
		c.OTLPEndpoint = f.URL
		s := mustStartWith(t, c, app.Options{})
		before := len(f.find("settle group", nil))
		var sending sync.WaitGroup
		for i := range 40 {
			sending.Go(func() {
				if a, err := s.tryPost(product(fmt.Sprintf("evt_%d", i), fmt.Sprintf("prod_%d", i))); err != nil || a.Status != "succeeded" {
					t.Errorf("got %+v, %v", a, err)
				}
			})
		}
		sending.Wait()
		s.stop()
		shared := slices.DeleteFunc(f.find("settle group", nil)[before:], func(s *tracev1.Span) bool { return len(s.Links) == 0 })
		if len(shared) == 0 {
			t.Fatal("no group was shared")
		}
		for _, g := range shared {
			if len(g.ParentSpanId) != 0 || len(g.Links) < 2 {
				t.Errorf("a shared group has the parent %x and %d links", g.ParentSpanId, len(g.Links))
			}
			linked := func(s *tracev1.Span) bool {
				return slices.ContainsFunc(s.Links, func(l *tracev1.Span_Link) bool { return bytes.Equal(l.SpanId, g.SpanId) })
			}
			if got := f.find("commit", linked); len(got) != len(g.Links) {
				t.Errorf("%d requests link to a group of %d", len(got), len(g.Links))
			}
		}
	})
}

func TestTracing_OnlyTrustedCallersAreContinued(t *testing.T) {
	const theirs = "4bf92f3577b34da6a3ce929d0e0e4736"
	f := newFakeCollector(t)
	for _, trusted := range []bool{false, true} {
		c := plainConfig("sqlite:" + t.TempDir() + "/t.db")
		c.OTLPEndpoint = f.URL
		if trusted {
			c.TraceTrusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		}
		s := mustStartWith(t, c, app.Options{})
		event := fmt.Sprintf("evt_%t", trusted)
		body := product(event, "prod_1")
		req, err := http.NewRequest("POST", s.URL()+"/webhooks/stripe", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Stripe-Signature", stripe.Sign(body, secret, time.Now()))
		req.Header.Set("Traceparent", "00-"+theirs+"-00f067aa0ba902b7-01")
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.Body.Close() != nil || resp.StatusCode != 200 {
			t.Fatalf("got %v, %v", resp, err)
		}
		span := f.wait(t, "POST /webhooks/stripe", of(event))
		if got := fmt.Sprintf("%x", span.TraceId) == theirs; got != trusted {
			t.Errorf("trusted %t: the trace is %x", trusted, span.TraceId)
		}
		if !trusted && (len(span.Links) != 1 || fmt.Sprintf("%x", span.Links[0].TraceId) != theirs) {
			t.Errorf("not trusted: the links are %v", span.Links)
		}
		s.stop()
	}
}

// TestTracing_ACollectorThatIsAwayHurtsNobody has one that refuses, and one that hangs.
func TestTracing_ACollectorThatIsAwayHurtsNobody(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	for _, endpoint := range []string{"http://127.0.0.1:1", hanging.URL} {
		c := plainConfig("sqlite:" + t.TempDir() + "/t.db")
		c.OTLPEndpoint = endpoint
		s := mustStartWith(t, c, app.Options{})
		if a := s.post(product("evt_1", "prod_1")); a.Status != "succeeded" {
			t.Errorf("got %+v", a)
		}
		s.stop()
	}
}
