package stripe_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/stripe"
	"github.com/stripe/stripe-go/v85/webhook"
)

// verdicts are the words of testdata/signatures.json.
var verdicts = map[string]error{
	"ok":               nil,
	"no signature":     stripe.ErrNoSignature,
	"malformed header": stripe.ErrMalformedHeader,
	"expired":          stripe.ErrExpired,
	"no match":         stripe.ErrNoMatch,
}

type signatureCase struct {
	Name      string `json:"name"`
	Header    string `json:"header"`
	Body      []byte `json:"body_base64"`
	Secret    string `json:"secret"`
	Now       int64  `json:"now"`
	NowNanos  int64  `json:"now_nanos"`
	Tolerance *int64 `json:"tolerance"`
	Expected  string `json:"expected"`
}

func (c signatureCase) now() time.Time { return time.Unix(c.Now, c.NowNanos) }

func (c signatureCase) tolerance() time.Duration {
	if c.Tolerance == nil {
		return -1
	}
	return time.Duration(*c.Tolerance) * time.Second
}

func mustSignatureCases(t testing.TB) []signatureCase {
	t.Helper()
	text, err := os.ReadFile("../../testdata/signatures.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []signatureCase }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 66 {
		t.Fatalf("got %d cases, want 66", len(file.Cases))
	}
	return file.Cases
}

func TestVerifySignature_AnswersLikeStripeGo(t *testing.T) {
	for _, c := range mustSignatureCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			want, known := verdicts[c.Expected]
			if !known {
				t.Fatalf("unknown verdict %q", c.Expected)
			}
			got := stripe.VerifySignature(c.Body, c.Header, []string{c.Secret}, c.now(), c.tolerance())
			if !errors.Is(got, want) || (want == nil) != (got == nil) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestVerifySignature_AnyOfSeveralSecretsWillDo(t *testing.T) {
	body, now := []byte(`{"id":"evt_1"}`), time.Unix(1775000000, 0)
	header := stripe.Sign(body, "whsec_new", now)
	for _, c := range []struct {
		name    string
		secrets []string
		want    error
	}{
		{"only", []string{"whsec_new"}, nil},
		{"first", []string{"whsec_new", "whsec_old"}, nil},
		{"last", []string{"whsec_old", "whsec_new"}, nil},
		{"neither", []string{"whsec_old", "whsec_older"}, stripe.ErrNoMatch},
		{"none configured", nil, stripe.ErrNoMatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := stripe.VerifySignature(body, header, c.secrets, now, stripe.DefaultTolerance); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestVerifySignature_RefusesAnEndlessHeader(t *testing.T) {
	body, now := []byte(`{}`), time.Unix(1775000000, 0)
	header := strings.Repeat("v1="+strings.Repeat("0", 64)+",", 2000) + stripe.Sign(body, "whsec", now)
	if got := stripe.VerifySignature(body, header, []string{"whsec"}, now, stripe.DefaultTolerance); got != stripe.ErrMalformedHeader {
		t.Errorf("got %v, want %v", got, stripe.ErrMalformedHeader)
	}
}

func TestSign_IsAcceptedByStripeGo(t *testing.T) {
	body := []byte("{\n  \"id\": \"evt_1\"\n}\n")
	if err := webhook.ValidatePayload(body, stripe.Sign(body, "whsec_1", time.Now()), "whsec_1"); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

// FuzzVerifySignature compares with stripe-go without its clock: what it lets
// through we let through, and nothing else.
func FuzzVerifySignature(f *testing.F) {
	for _, c := range mustSignatureCases(f) {
		f.Add(c.Body, c.Header, c.Secret)
	}
	f.Fuzz(func(t *testing.T, body []byte, header, secret string) {
		if len(header) > 128<<10 {
			return
		}
		got := stripe.VerifySignature(body, header, []string{secret}, time.Time{}, -1)
		var want error
		switch err := webhook.ValidatePayloadIgnoringTolerance(body, header, secret); err {
		case webhook.ErrNotSigned:
			want = stripe.ErrNoSignature
		case webhook.ErrInvalidHeader:
			want = stripe.ErrMalformedHeader
		case webhook.ErrNoValidSignature:
			want = stripe.ErrNoMatch
		case nil:
		default:
			t.Fatalf("stripe-go answers %v", err)
		}
		if got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func BenchmarkVerifySignature(b *testing.B) {
	body, now := []byte(strings.Repeat("x", 3000)), time.Unix(1775000000, 0)
	header := stripe.Sign(body, "whsec_1", now)
	b.ReportAllocs()
	for b.Loop() {
		if err := stripe.VerifySignature(body, header, []string{"whsec_1"}, now, stripe.DefaultTolerance); err != nil {
			b.Fatal(err)
		}
	}
}
