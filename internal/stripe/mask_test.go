package stripe_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit/internal/stripe"
)

func TestMask_ShowsOnlyWhatIsListed(t *testing.T) {
	const uuid = "0b7a2f3e-1c5d-4e6f-8a9b-0c1d2e3f4a5b"
	for _, c := range []struct{ name, value, want string }{
		// What happened.
		{"id", `"evt_1NG8Du2eZvKYlo2CUI79vXWy"`, ""},
		{"type", `"customer.subscription.updated"`, ""},
		{"status", `"past_due"`, ""},
		{"currency", `"eur"`, ""},
		{"api_version", `"2025-03-31.basil"`, ""},
		{"unit_amount_decimal", `"0.000381"`, ""},
		{"amount_due", `4242424242424242`, ""},
		{"quantity", `9007199254740993`, ""},
		{"percent_off", `1.250e1`, ""},
		{"livemode", `false`, ""},
		{"email", `null`, ""},
		{"customer", `"cus_test_1"`, ""},
		{"stripe_customer_id", `"cus_1"`, ""},
		{"anything", `"pi_3MtwBwLkdIwHu7ix28a3tqPa"`, ""},
		{"current_period_end", `"2026-01-02T03:04:05.678Z"`, ""},
		{"client_reference_id", `"` + uuid + `"`, ""},
		{"metadata", `{"user_id":"` + uuid + `","subscription":"sub_1"}`, ""},
		{"payment_method_types", `["card","link"]`, ""},
		{"country", `"DE"`, ""},
		// To whom.
		{"email", `"ada@example.com"`, `"•••"`},
		{"email", `""`, `""`},
		{"name", `"Ada"`, `"•••"`},
		{"phone", `"+49 30 1234567"`, `"•••"`},
		{"description", `"monthly"`, `"•••"`},
		{"number", `"INV-1"`, `"•••"`},
		{"hosted_invoice_url", `"https://invoice.stripe.com/i/acct_1/live_x"`, `"•••"`},
		{"ip", `"203.0.113.9"`, `"•••"`},
		{"client_secret", `"pi_1_secret_2"`, `"•••"`},
		{"id", `"ada@example.com"`, `"•••"`},
		{"id", `"4242424242424242"`, `"•••"`},
		{"id", `"sk_live_1"`, `"•••"`},
		{"id", `"Ada"`, `"•••"`},
		{"status", `"Ada Lovelace"`, `"•••"`},
		{"status", `"whsec_1"`, `"•••"`},
		{"brand", `"4242424242424242"`, `"•••"`},
		{"customer", `"ada@example.com"`, `"•••"`},
		{"client_reference_id", `"ada"`, `"•••"`},
		{"quantity", `4242424242424242`, `"•••"`},
		{
			"card", `{"brand":"visa","last4":"4242","exp_month":4,"exp_year":2042,"fingerprint":"x"}`,
			`{"brand":"visa","last4":"•••","exp_month":"•••","exp_year":"•••","fingerprint":"•••"}`,
		},
		{"address", `{"country":"DE","postal_code":10115,"line1":null}`, `{"country":"•••","postal_code":"•••","line1":null}`},
		{"metadata", `{"user_id":"ada","n":5,"ok":true}`, `{"user_id":"•••","n":"•••","ok":true}`},
		{"x", `{"ada@example.com":1,"4242424242424242":2,"user 1":3,"user_1":4}`, `{"•••":1,"•••":2,"•••":3,"user_1":4}`},
		{"x", `not json`, `"•••"`},
	} {
		want := c.want
		if want == "" {
			want = c.value
		}
		if got := string(stripe.MaskMember(c.name, []byte(c.value))); got != want {
			t.Errorf("%s %s: got %s, want %s", c.name, c.value, got, want)
		}
	}
}

func TestMask_KeepsOrderNumbersAndShape(t *testing.T) {
	const payload = `{"type":"price.created","b":[],"a":{},"amount":1.10,"n":12345678901234567890.50,"z":[{"id":"price_1"},2],"amount":3}`
	const want = `{
  "type": "price.created",
  "b": [],
  "a": {},
  "amount": 1.10,
  "n": 12345678901234567890.50,
  "z": [
    {
      "id": "price_1"
    },
    2
  ],
  "amount": 3
}`
	if got := stripe.Mask([]byte(payload)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, broken := range []string{"", "{", `{"email":"ada@example.com"`, "\xff", strings.Repeat("[", 1000)} {
		if got := stripe.Mask([]byte(broken)); got != `"•••"` {
			t.Errorf("got %s of %.20q", got, broken)
		}
	}
}

// planted are values that must not be seen, whatever field they stand in.
var planted = []string{
	"canary@example.com", "Canary Lovelace", "4242424242424242", "4242 4242 4242 4242", "sk_live_canary", "whsec_canary",
	"pi_1_secret_canary", "+49 30 canary", "https://canary.example/x", "203.0.113.99", "Canary",
}

// mustHide fails if a masked text holds something of what was planted.
func mustHide(t *testing.T, masked string) {
	t.Helper()
	for _, p := range planted {
		if strings.Contains(masked, p) {
			t.Errorf("%q is shown in\n%s", p, masked)
		}
	}
}

// TestMask_HidesWhatIsPlantedInFixtures puts every planted value into every string of
// every fixture, and into its keys.
func TestMask_HidesWhatIsPlantedInFixtures(t *testing.T) {
	files, err := filepath.Glob("../../testdata/stripe/*/*.json")
	if more, _ := filepath.Glob("../../testdata/stripe/*.json"); err == nil {
		files = append(files, more...)
	}
	if err != nil || len(files) < 20 {
		t.Fatalf("got %d fixtures, %v", len(files), err)
	}
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		n := i
		b, err := json.Marshal(plantAll(v, &n))
		if err != nil {
			t.Fatal(err)
		}
		mustHide(t, stripe.Mask(b))
		for _, c := range slices.Concat(stripe.Changes(b), stripe.Differences(text, b), stripe.Differences(b, text)) {
			mustHide(t, fmt.Sprintf("%s %s", c.Path, c.After))
		}
	}
}

func plantAll(v any, n *int) any {
	switch v := v.(type) {
	case string:
		*n++
		return planted[*n%len(planted)]
	case []any:
		for i := range v {
			v[i] = plantAll(v[i], n)
		}
	case map[string]any:
		for key, value := range v {
			v[key] = plantAll(value, n)
		}
		v[planted[*n%(len(planted)-1)]] = planted[0] // a word alone may be a name
	}
	return v
}

func FuzzMask(f *testing.F) {
	for _, key := range []string{"id", "type", "metadata", "customer", "email", "amount", "country", "x\u0000"} {
		f.Add(key, 3, `{"a":[1,"b"]}`)
	}
	f.Fuzz(func(t *testing.T, key string, n int, rest string) {
		secret := planted[(n%len(planted)+len(planted))%len(planted)]
		name, _ := json.Marshal(key)
		value, _ := json.Marshal(secret)
		if !json.Valid([]byte(rest)) {
			rest = "null"
		}
		for _, p := range planted {
			if strings.Contains(rest, p) || strings.Contains(key, p) {
				return // a name may be anything
			}
		}
		payload := fmt.Sprintf(`{"data":{"object":{%s:%s,"deep":[%s,{%s:[%s]}]},"previous_attributes":{%s:%s}},%s:%s}`,
			name, value, rest, name, value, name, value, name, value)
		masked := stripe.Mask([]byte(payload))
		if !json.Valid([]byte(masked)) {
			t.Errorf("no JSON: %s", masked)
		}
		mustHide(t, masked)
		for _, c := range stripe.Changes([]byte(payload)) {
			mustHide(t, string(c.Before)+string(c.After))
		}
	})
}

func TestChanges_ComparesFieldByField(t *testing.T) {
	const payload = `{"data":{"object":{"id":"sub_1","status":"active","items":{"data":[{"id":"si_1","quantity":2}]},"metadata":{"a":"x"},"n":1.0},
"previous_attributes":{"status":"trialing","items":{"data":[{"id":"si_1","quantity":1},{"id":"si_2"}]},"metadata":{"a":null,"b":"y"},"n":1.0}}}`
	want := `status "trialing" "active"
items.data[0].quantity 1 2
items.data[1] {"id":"si_2"} null
metadata.a null "•••"
metadata.b "•••" null`
	if got := show(stripe.Changes([]byte(payload))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := stripe.Changes([]byte(`{"data":{"object":{}}}`)); got != nil {
		t.Errorf("got %v without previous_attributes", got)
	}
}

func TestDifferences_ComparesTwoEvents(t *testing.T) {
	before := `{"data":{"object":{"id":"cus_1","email":"a@example.com","balance":1,"gone":true}}}`
	after := `{"data":{"object":{"balance":2.50,"id":"cus_1","email":"b@example.com"}}}`
	want := `balance 1 2.50
email "•••" "•••"
gone true null`
	if got := show(stripe.Differences([]byte(before), []byte(after))); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := stripe.Differences(nil, []byte(after)); got != nil {
		t.Errorf("got %v without an event before", got)
	}
}

func show(changes []stripe.FieldChange) string {
	var lines []string
	for _, c := range changes {
		lines = append(lines, fmt.Sprintf("%s %s %s", c.Path, c.Before, c.After))
	}
	return strings.Join(lines, "\n")
}
