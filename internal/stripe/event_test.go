package stripe_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

func mustFixture(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../testdata/stripe/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func mustFixtures(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/stripe/*.json")
	if err != nil || len(paths) < 100 {
		t.Fatalf("found %d fixtures: %v", len(paths), err)
	}
	texts := make(map[string][]byte, len(paths))
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		texts[name] = mustFixture(t, name)
	}
	return texts
}

func TestParseEvent_ReadsTheEnvelope(t *testing.T) {
	body := mustFixture(t, "customer.subscription.updated.dahlia.connect")
	e, err := stripe.ParseEvent(body)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"type", e.Type, "customer.subscription.updated"},
		{"api_version", e.APIVersion, "2026-03-25.dahlia"},
		{"livemode", e.Livemode, false},
		{"has account", strings.HasPrefix(e.Account, "acct_"), true},
		{"has id", strings.HasPrefix(e.ID, "evt_"), true},
		{"has object id", strings.HasPrefix(e.ObjectID, "sub_"), true},
		{"has created", e.Created > 1700000000, true},
		{"payload", string(e.Payload), string(body)},
		{"object", e.Object[0] == '{' && e.Object[len(e.Object)-1] == '}', true},
		{"previous", strings.Join(strings.Fields(string(e.Previous)), ""), `{"status":"incomplete"}`},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
}

func TestParseEvent_TakesEveryFixture(t *testing.T) {
	for name, body := range mustFixtures(t) {
		e, err := stripe.ParseEvent(body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.HasPrefix(name, e.Type+".") {
			t.Errorf("%s: got type %s", name, e.Type)
		}
	}
}

// TestReferenceOf_FollowsFromTheType: an event whose payload is gone is about the same
// object, if that is one that can be fetched.
func TestReferenceOf_FollowsFromTheType(t *testing.T) {
	fetched := map[string]bool{}
	for name, body := range mustFixtures(t) {
		e, err := stripe.ParseEvent(body)
		if err != nil {
			t.Fatal(err)
		}
		want := stripe.ReferenceOf(e)
		e.Object = nil
		if got := stripe.ReferenceOf(e); got.Type != "" && got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		} else if got.Type != "" {
			fetched[got.Type] = true
		}
	}
	if len(fetched) != 8 {
		t.Errorf("got references to %v, want all eight types", fetched)
	}
	for eventType, want := range map[string]string{
		"quotekit.subscription.fetched": "subscription", "customer.discount.created": "", "customer.subscription.trial_will_end": "subscription",
		"invoiceitem.created": "", "charge.succeeded": "", "customer.": "customer", "": "",
	} {
		if got := stripe.ReferenceOf(quotekit.Event{Type: eventType, ObjectID: "x"}); got.Type != want {
			t.Errorf("%q: got %q, want %q", eventType, got.Type, want)
		}
	}
}

func TestParseEvent_ReadsThinEvents(t *testing.T) {
	e, err := stripe.ParseEvent(mustFixture(t, "v1.billing.meter.error_report_triggered.thin"))
	if err != nil {
		t.Fatal(err)
	}
	if e.Created != 1775035800 || !strings.HasPrefix(e.ObjectID, "mtr_test_") || e.Object != nil || e.APIVersion != "" {
		t.Errorf("got created %d, object id %s, object %s, version %s", e.Created, e.ObjectID, e.Object, e.APIVersion)
	}
}

func TestParseEvent_TakesWhatIsUnusualButFine(t *testing.T) {
	long := strings.Repeat("é", 255)
	for _, c := range []struct{ name, body, object, objectID string }{
		{"least", `{"id":"e","type":"t"}`, "", ""},
		{"white space around", " \r\n\t{\"id\":\"e\",\"type\":\"t\"} \n", "", ""},
		{"255 characters", `{"id":"e","type":"t","data":{"object":{"id":"` + long + `"}}}`, `{"id":"` + long + `"}`, long},
		{"object without id", `{"id":"e","type":"t","data":{"object":{}}}`, `{}`, ""},
		{"object with a number as id", `{"id":"e","type":"t","data":{"object":{"id":1}}}`, `{"id":1}`, ""},
		{"object an array", `{"id":"e","type":"t","data":{"object":[1]}}`, `[1]`, ""},
		{"object null", `{"id":"e","type":"t","data":{"object":null}}`, "", ""},
		{"data null", `{"id":"e","type":"t","data":null,"account":null,"livemode":null,"created":null}`, "", ""},
		{"request a string", `{"id":"e","type":"t","request":"req_1"}`, "", ""},
		{"request an object", `{"id":"e","type":"t","request":{"id":"req_1"}}`, "", ""},
		{"request a number", `{"id":"e","type":"t","request":7}`, "", ""},
		{"the last key wins", `{"id":"x","id":"e","type":"t","data":{"object":{"id":"a","id":"b"}}}`, `{"id":"a","id":"b"}`, "b"},
		{"escaped key", `{"\u0069d":"e","type":"t"}`, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := stripe.ParseEvent([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if e.ID != "e" || e.Type != "t" || string(e.Object) != c.object || e.ObjectID != c.objectID {
				t.Errorf("got id %q, type %q, object %q, object id %q", e.ID, e.Type, e.Object, e.ObjectID)
			}
		})
	}
}

func TestParseEvent_RefusesWhatIsNoEvent(t *testing.T) {
	for _, c := range []struct{ name, body string }{
		{"empty", ``},
		{"text", `hello`},
		{"cut off", `{"id":"e","type":"t"`},
		{"garbage behind", `{"id":"e","type":"t"}x`},
		{"two objects", `{"id":"e","type":"t"}{}`},
		{"array", `[{"id":"e","type":"t"}]`},
		{"string", `"evt_1"`},
		{"null", `null`},
		{"byte order mark", "\xef\xbb\xbf" + `{"id":"e","type":"t"}`},
		{"raw control character in a string", "{\"id\":\"e\x01\",\"type\":\"t\"}"},
		{"NaN", `{"id":"e","type":"t","created":NaN}`},
		{"no id", `{"type":"t"}`},
		{"id null", `{"id":null,"type":"t"}`},
		{"id empty", `{"id":"","type":"t"}`},
		{"id a number", `{"id":7,"type":"t"}`},
		{"id an object", `{"id":{},"type":"t"}`},
		{"id too long", `{"id":"` + strings.Repeat("e", 256) + `","type":"t"}`},
		{"id with U+0000", `{"id":"e\u0000","type":"t"}`},
		{"id with a newline", `{"id":"e\n","type":"t"}`},
		{"id with DEL", `{"id":"e\u007f","type":"t"}`},
		{"id with a C1 control", `{"id":"e\u0085","type":"t"}`},
		{"id with a lone surrogate", `{"id":"e\ud800","type":"t"}`},
		{"id not UTF-8", "{\"id\":\"e\xff\",\"type\":\"t\"}"},
		{"no type", `{"id":"e"}`},
		{"type a boolean", `{"id":"e","type":true}`},
		{"type too long", `{"id":"e","type":"` + strings.Repeat("t", 256) + `"}`},
		{"a mebibyte of brackets", strings.Repeat("[", 1<<20)},
		{"nested too deep", `{"id":"e","type":"t","data":` + strings.Repeat("[", 512) + strings.Repeat("]", 512) + `}`},
		{"deep braces behind a quote", `{"id":"e\"","type":"t","x":` + strings.Repeat(`{"a":`, 600) + `1` + strings.Repeat("}", 600) + `}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := stripe.ParseEvent([]byte(c.body)); !errors.Is(err, stripe.ErrBody) || errors.Is(err, stripe.ErrEnvelope) {
				t.Errorf("got %v, want %v", err, stripe.ErrBody)
			}
		})
	}
}

func TestParseEvent_BracketsInStringsAreNotDepth(t *testing.T) {
	body := `{"id":"e","type":"t","x":"` + strings.Repeat(`[{\"`, 2000) + `"}`
	if _, err := stripe.ParseEvent([]byte(body)); err != nil {
		t.Error(err)
	}
}

func TestParseEvent_KeepsTheIDOfABrokenEnvelope(t *testing.T) {
	for _, c := range []struct{ field, rest string }{
		{"created", `"created":"2026-04-01T09:30:00Z"`},
		{"created", `"created":1.5`},
		{"created", `"created":99999999999999`},
		{"created", `"created":true`},
		{"livemode", `"livemode":1`},
		{"account", `"account":7`},
		{"account", `"account":"a\nb"`},
		{"api_version", `"api_version":2020`},
		{"data", `"data":[]`},
		{"data", `"data":"x"`},
		{"created", `"object":"v2.core.event","created":"yesterday"`},
		{"related_object", `"object":"v2.core.event","related_object":"mtr_1"`},
	} {
		e, err := stripe.ParseEvent([]byte(`{"id":"e","type":"t",` + c.rest + `}`))
		var envelope *stripe.EnvelopeError
		if !errors.As(err, &envelope) || !errors.Is(err, stripe.ErrEnvelope) || errors.Is(err, stripe.ErrBody) || envelope.Field != c.field {
			t.Errorf("%s: got %v, want an error of the field %s", c.rest, err, c.field)
		}
		if e.ID != "e" || e.Type != "t" || e.Payload == nil {
			t.Errorf("%s: got id %q, type %q", c.rest, e.ID, e.Type)
		}
	}
}

func TestParseEvent_GoesOnAfterABrokenField(t *testing.T) {
	e, err := stripe.ParseEvent([]byte(`{"id":"e","type":"t","livemode":"yes","account":"acct_1","created":5,"data":{"object":{"id":"o"}}}`))
	if err == nil || e.Account != "acct_1" || e.Created != 5 || e.ObjectID != "o" {
		t.Errorf("got %v, account %s, created %d, object id %s", err, e.Account, e.Created, e.ObjectID)
	}
}

func TestCustomerOf(t *testing.T) {
	for object, want := range map[string]string{
		`{"id":"ch_1","object":"charge","customer":"cus_1"}`:                                    "cus_1",
		`{"id":"pi_1","object":"payment_intent","customer":{"id":"cus_2","object":"customer"}}`: "cus_2",
		`{"id":"cus_3","object":"customer"}`:                                                    "cus_3",
		`{"id":"ch_1","object":"charge","customer":null}`:                                       "",
		`{"id":"prod_1","object":"product"}`:                                                    "",
		`{"id":"ch_1","object":"charge","customer":7}`:                                          "",
		`{"id":"ch_1","object":"charge","customer":"cus\u0000_1"}`:                              "",
		`{"id":"ch_1","object":"charge","customer":{"id":["cus_1"]}}`:                           "",
		`["cus_1"]`: "",
		``:          "",
	} {
		if got := stripe.CustomerOf(quotekit.Event{Object: []byte(object)}); got != want {
			t.Errorf("%s: got %q, want %q", object, got, want)
		}
	}
}
