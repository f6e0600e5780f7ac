package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/stripe"
)

// refusals spoil a delivery of an event in one way, or in several at once, of
// which the first in the order of refusals is answered.
var refusals = []struct {
	name   string
	spoil  func(*http.Request)
	status int
	code   string
}{
	{"GET", func(r *http.Request) { r.Method = "GET" }, 405, "method_not_allowed"},
	{"PUT", func(r *http.Request) { r.Method = "PUT" }, 405, "method_not_allowed"},
	{"DELETE", func(r *http.Request) { r.Method = "DELETE" }, 405, "method_not_allowed"},
	{"OPTIONS", func(r *http.Request) { r.Method = "OPTIONS" }, 405, "method_not_allowed"},
	{"a method of nobody", func(r *http.Request) { r.Method = "POSTER" }, 405, "method_not_allowed"},
	{"GET of text", func(r *http.Request) { r.Method = "GET"; mediaType("text/plain")(r) }, 405, "method_not_allowed"},

	{"text", mediaType("text/plain"), 415, "unsupported_media_type"},
	{"a form", mediaType("application/x-www-form-urlencoded"), 415, "unsupported_media_type"},
	{"nearly JSON", mediaType("application/jsonp"), 415, "unsupported_media_type"},
	{"a media type that cannot be read", mediaType("application/json; ="), 415, "unsupported_media_type"},
	{"large text", all(mediaType("text/plain"), padded(1<<20+1)), 415, "unsupported_media_type"},
	{"unsigned text", all(mediaType("text/plain"), unsigned), 415, "unsupported_media_type"},

	{"1 MiB and a byte", padded(1<<20 + 1), 413, "body_too_large"},
	{"1 MiB and a byte, chunked", all(padded(1<<20+1), chunked), 413, "body_too_large"},
	{"large and unsigned", all(padded(1<<20+1), unsigned), 413, "body_too_large"},
	{"large, unsigned, chunked", all(padded(1<<20+1), unsigned, chunked), 413, "body_too_large"},

	{"no signature", unsigned, 400, "signature_missing"},
	{"empty signature", signature(""), 400, "signature_missing"},
	{"garbage for a signature", signature("garbage"), 400, "signature_malformed"},
	{"signed 301 s ago", signedAt(-301 * time.Second), 400, "signature_expired"},
	{"signed with another secret", signedOver("", "whsec_other"), 400, "signature_mismatch"},
	{"another body was signed", signedOver("{}", secret), 400, "signature_mismatch"},
	{"unsigned and no event", all(body("hello"), unsigned), 400, "signature_missing"},
	{"unsigned and empty", all(body(""), unsigned), 400, "signature_missing"},

	{"empty", body(""), 400, "body_invalid"},
	{"not JSON", body("hello"), 400, "body_invalid"},
	{"no event", body("{}"), 400, "body_invalid"},
	{"no id", body(`{"type":"product.created"}`), 400, "body_invalid"},
	{"no type", body(`{"id":"evt_refused"}`), 400, "body_invalid"},
}

type spoil = func(*http.Request)

func all(steps ...spoil) spoil {
	return func(r *http.Request) {
		for _, step := range steps {
			step(r)
		}
	}
}

func mediaType(m string) spoil { return func(r *http.Request) { r.Header.Set("Content-Type", m) } }

// signedOver signs another body, or with another secret, when the request is made.
func signedOver(body, secret string) spoil {
	return func(r *http.Request) { signature(stripe.Sign([]byte(body), secret, time.Now()))(r) }
}
func unsigned(r *http.Request) { r.Header.Del("Stripe-Signature") }
func chunked(r *http.Request)  { r.ContentLength = -1 }

func signature(header string) spoil {
	return func(r *http.Request) { r.Header.Set("Stripe-Signature", header) }
}

func signedAt(ago time.Duration) spoil {
	return func(r *http.Request) {
		b, _ := r.GetBody()
		text, _ := io.ReadAll(b)
		signature(stripe.Sign(text, secret, time.Now().Add(ago)))(r)
	}
}

// body replaces the body and signs it.
func body(text string) spoil {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		r.GetBody = nil
		signature(stripe.Sign([]byte(text), secret, time.Now()))(r)
	}
}

// padded makes the body of the delivery an event of n bytes.
func padded(n int) spoil { return body(string(pad(product("evt_refused", "prod_1"), n))) }

// pad fills an event up to n bytes with a field that nobody reads.
func pad(event []byte, n int) []byte {
	const field = `,"padding":""}`
	start := event[:len(event)-1]
	return slices.Concat(start, []byte(`,"padding":"`), bytes.Repeat([]byte("x"), n-len(start)-len(field)), []byte(`"}`))
}

// TestReceive_RefusesInOrderWithoutTheDatabase sends every refusal to both
// URLs, and again after the database has gone: the answers are the same, so no
// refusal reached a query, and none has left a row.
func TestReceive_RefusesInOrderWithoutTheDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{Role: app.RoleWeb})
		refuseAll := func(t *testing.T) {
			for _, path := range []string{"/webhooks/stripe", "/api/webhooks/stripe"} {
				for _, c := range refusals {
					t.Run(path[1:4]+"/"+c.name, func(t *testing.T) {
						s := s.in(t)
						req := s.mustDelivery(product("evt_refused", "prod_1"))
						req.URL.Path = path
						c.spoil(req)
						checkProblem(t, s.mustSend(req), c.status, c.code)
					})
				}
			}
		}
		t.Run("database there", refuseAll)
		for _, table := range append([]string{
			"stripe_webhook_events", "webhook_audit_trail", "webhook_dead_letter_queue",
			"webhook_processing_logs", "stripe_objects", "river_job",
		}, mirrorTables...) {
			if got := s.value("SELECT COUNT(*) AS n FROM " + table); got != "0" {
				t.Errorf("got %s rows in %s after refusals only", got, table)
			}
		}
		if err := s.Store().Close(); err != nil {
			t.Fatal(err)
		}
		t.Run("database gone", refuseAll)
		checkProblem(t, s.mustSend(s.mustDelivery(product("evt_1", "prod_1"))), 503, "unavailable")
	})
}

// TestReceive_RefusesALengthWithoutReadingIt announces a body and sends none of
// it, or half of it.
func TestReceive_RefusesALengthWithoutReadingIt(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{Role: app.RoleWeb})
		const head = "POST /webhooks/stripe HTTP/1.1\r\nHost: quotekit\r\nContent-Length: %d\r\n\r\n%s"
		checkProblem(t, s.mustSendRaw(fmt.Sprintf(head, int64(1)<<40, "")), 413, "body_too_large")
		checkProblem(t, s.mustSendRaw(fmt.Sprintf(head, 100, `{"id":`)), 400, "body_invalid")
	})
}

func TestReceive_WithoutASecretEverythingButTheMethodIs503(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartWith(t, app.Config{DatabaseURL: url, Addr: "127.0.0.1:0"}, app.Options{Role: app.RoleWeb})
		for _, c := range refusals {
			t.Run(c.name, func(t *testing.T) {
				s := s.in(t)
				req := s.mustDelivery(product("evt_refused", "prod_1"))
				c.spoil(req)
				if c.status == 405 {
					checkProblem(t, s.mustSend(req), 405, c.code)
					return
				}
				r := s.mustSend(req)
				checkProblem(t, r, 503, "unavailable")
				if !bytes.Contains(r.body, []byte("STRIPE_WEBHOOK_SECRET")) {
					t.Errorf("got %s, which does not name the variable", r.body)
				}
			})
		}
		// Signed with the empty secret, which a receiver without one must not have.
		event := product("evt_1", "prod_1")
		req := s.mustDelivery(event)
		signature(stripe.Sign(event, "", time.Now()))(req)
		checkProblem(t, s.mustSend(req), 503, "unavailable")
		if got := s.query("SELECT 1 FROM stripe_webhook_events"); len(got) != 0 {
			t.Errorf("got %d events", len(got))
		}
	})
}

// TestReceive_AnswersTheSignatureCases sends testdata/signatures.json over HTTP,
// with the clock of each case.
func TestReceive_AnswersTheSignatureCases(t *testing.T) {
	codes := map[string]string{
		"no signature": "signature_missing", "malformed header": "signature_malformed",
		"expired": "signature_expired", "no match": "signature_mismatch",
	}
	// HTTP takes blanks around a header's value away.
	onTheWire := map[string]string{"blank header": "no signature", "space before t": "ok"}
	// Signed, but no events.
	noEvent := []string{"empty body", "body with UTF-8 BOM", "body with bytes that are not UTF-8"}

	text, err := os.ReadFile("../testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Name, Header, Secret, Expected string
			Body                           []byte `json:"body_base64"`
			Now                            int64
			NowNanos                       int64 `json:"now_nanos"`
			Tolerance                      *int64
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	onBoth(t, func(t *testing.T, url string) {
		var clock atomic.Int64
		now := func() time.Time { return time.Unix(0, clock.Load()) }
		bySecret := map[string]*service{}
		sent := 0
		for _, c := range file.Cases {
			if c.Tolerance == nil || *c.Tolerance != 300 || c.Secret == "" {
				continue // neither can be configured
			}
			sent++
			clock.Store(time.Unix(c.Now, c.NowNanos).UnixNano())
			s := bySecret[c.Secret]
			if s == nil {
				for _, other := range bySecret { // SQLite takes one process at a time
					other.stop()
				}
				s = mustStartWith(t, app.Config{DatabaseURL: url, Addr: "127.0.0.1:0", WebhookSecrets: []string{c.Secret}},
					app.Options{Role: app.RoleWeb, Now: now})
				bySecret = map[string]*service{c.Secret: s}
			}
			t.Run(c.Name, func(t *testing.T) {
				s := s.in(t)
				expected := c.Expected
				if wire, ok := onTheWire[c.Name]; ok {
					expected = wire
				}
				req := s.mustDelivery(c.Body)
				req.Header["Stripe-Signature"] = []string{c.Header}
				r := s.mustSend(req)
				switch {
				case expected != "ok":
					checkProblem(t, r, 400, codes[expected])
				case slices.Contains(noEvent, c.Name):
					checkProblem(t, r, 400, "body_invalid")
				case r.status != 200:
					t.Errorf("got %d %s", r.status, r.body)
				}
			})
		}
		if sent != 62 {
			t.Errorf("sent %d cases, want 62", sent)
		}
	})
}
