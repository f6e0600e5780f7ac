package sample_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/sample"
)

var testNow = time.Unix(1_775_000_000, 0)

func newMaker(seed uint64) *sample.Maker {
	return sample.New(rand.NewPCG(seed, 1), func() time.Time { return testNow })
}

type envelope struct {
	ID         string `json:"id"`
	Object     string `json:"object"`
	APIVersion string `json:"api_version"`
	Created    int64  `json:"created"`
	Type       string `json:"type"`
	Data       struct {
		Object   map[string]any `json:"object"`
		Previous map[string]any `json:"previous_attributes"`
	} `json:"data"`
}

func mustParse(t *testing.T, body []byte) envelope {
	t.Helper()
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatalf("parse event: %v\n%s", err, body)
	}
	return e
}

func TestEvent_EveryTypeParses(t *testing.T) {
	kinds := map[string]string{
		"product": "prod_", "price": "price_", "customer": "cus_", "subscription": "sub_",
		"invoice": "in_", "payment_method": "pm_", "setup_intent": "seti_", "checkout.session": "cs_test_",
	}
	m := newMaker(1)
	if got := len(sample.Types()); got != 23 {
		t.Errorf("%d types, want the 23 of the product's table", got)
	}
	for _, eventType := range sample.Types() {
		body, err := m.Event(eventType)
		if err != nil {
			t.Fatal(err)
		}
		e := mustParse(t, body)
		kind, _ := e.Data.Object["object"].(string)
		id, _ := e.Data.Object["id"].(string)
		if e.Type != eventType || e.Object != "event" || !strings.HasSuffix(e.APIVersion, ".dahlia") || !strings.HasPrefix(e.ID, "evt_") {
			t.Errorf("%s: envelope %+v", eventType, e)
		}
		if prefix := kinds[kind]; prefix == "" || !strings.HasPrefix(id, prefix) {
			t.Errorf("%s: object %q with id %q", eventType, kind, id)
		}
		if e.Created != testNow.Unix() {
			t.Errorf("%s: created %d, want now", eventType, e.Created)
		}
		if strings.HasSuffix(eventType, ".updated") && len(e.Data.Previous) == 0 {
			t.Errorf("%s: no previous_attributes", eventType)
		}
		if bytes.Contains(body, []byte(`"$`)) {
			t.Errorf("%s: a place was not filled: %s", eventType, body)
		}
	}
	if _, err := m.Event("no.such.type"); err == nil {
		t.Error("an unknown type gave an event")
	}
}

func TestMaker_IsDeterministic(t *testing.T) {
	a, b, c := newMaker(7), newMaker(7), newMaker(8)
	for range sample.Plots {
		x, y, z := a.Journey(), b.Journey(), c.Journey()
		if !reflect.DeepEqual(x, y) {
			t.Fatal("the same seed told two different stories")
		}
		if x[0].ID == z[0].ID {
			t.Fatal("another seed told the same story")
		}
	}
}

func TestJourney_IsConsistent(t *testing.T) {
	m := newMaker(3)
	eventIDs := map[string]bool{}
	types := map[string]int{}
	sameSecond := 0
	for range sample.Plots {
		journey := m.JourneyOf("7f0c2d5e-0b0c-4d43-9a53-6f2c0e1d7a01")
		known := map[string]map[string]any{} // object id to its state
		customer := ""
		last := map[string]int64{}
		previousTime := int64(0)
		for _, ev := range journey {
			e := mustParse(t, ev.Body)
			id, _ := e.Data.Object["id"].(string)
			if e.ID != ev.ID || e.Type != ev.Type || e.Created != ev.Created || id != ev.ObjectID {
				t.Errorf("event %+v says otherwise in its body", ev)
			}
			if eventIDs[e.ID] {
				t.Errorf("event id %s twice", e.ID)
			}
			eventIDs[e.ID] = true
			types[e.Type]++
			if e.Created < previousTime || e.Created > testNow.Unix() {
				t.Errorf("%s at %d, after one at %d, now %d", e.Type, e.Created, previousTime, testNow.Unix())
			}
			previousTime = e.Created
			if last[id] == e.Created && strings.HasSuffix(e.Type, ".updated") {
				sameSecond++
			}
			last[id] = e.Created

			if strings.HasPrefix(id, "cus_") {
				if customer != "" && customer != id {
					t.Errorf("two customers in a story")
				}
				customer = id
			}
			for _, ref := range []string{"customer", "product", "subscription", "default_payment_method"} {
				to, _ := e.Data.Object[ref].(string)
				if to != "" && known[to] == nil {
					t.Errorf("%s names %s %s before any event of it", e.Type, ref, to)
				}
			}
			if state := known[id]; state != nil && e.Data.Previous != nil {
				if got := restore(e.Data.Object, e.Data.Previous); !reflect.DeepEqual(got, state) {
					t.Errorf("%s: the object with previous_attributes put back is not the object before:\n got %v\nwant %v", e.Type, got, state)
				}
			} else if state != nil && strings.HasSuffix(e.Type, ".updated") {
				t.Errorf("%s has no previous_attributes", e.Type)
			}
			known[id] = e.Data.Object
		}
	}
	for _, want := range sample.Types() {
		optional := want == "price.deleted" || want == "product.deleted" || strings.Contains(want, "async")
		if types[want] == 0 && !optional {
			t.Errorf("no journey has %s", want)
		}
	}
	if sameSecond == 0 {
		t.Error("no two events of one object share a second")
	}
}

// restore puts previous attributes back, as their definition says: a hash key
// by key, null for a key that was added, everything else as a whole.
func restore(object, previous map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range object {
		out[k] = v
	}
	for k, v := range previous {
		now, isHash := out[k].(map[string]any)
		was, wasHash := v.(map[string]any)
		switch {
		case isHash && wasHash:
			out[k] = restore(now, was)
		case v == nil && k == "plan" && !isHash: // a key of the metadata
			delete(out, k)
		default:
			out[k] = v
		}
	}
	return out
}

func TestJourney_CancelsOnlyWhatBegan(t *testing.T) {
	m := newMaker(5)
	for range sample.Plots {
		status := ""
		for _, ev := range m.Journey() {
			if !strings.HasPrefix(ev.Type, "customer.subscription.") {
				continue
			}
			next, _ := mustParse(t, ev.Body).Data.Object["status"].(string)
			switch {
			case status == "" && next != "incomplete",
				status == "canceled",
				next == "canceled" && !strings.HasSuffix(ev.Type, ".deleted"):
				t.Errorf("status %q after %q by %s", next, status, ev.Type)
			}
			status = next
		}
		if status != "active" && status != "canceled" {
			t.Errorf("the story ends %q", status)
		}
	}
}

func TestSet(t *testing.T) {
	body := []byte(`{"data":{"object":{"status":"active","quantity":1}}}`)
	tests := []struct{ path, value, want string }{
		{"data.object.status", "past_due", `{"data":{"object":{"status":"past_due","quantity":1}}}`},
		{"data.object.quantity", "2", `{"data":{"object":{"status":"active","quantity":2}}}`},
		{"data.object.metadata", `{"a":1}`, `{"data":{"object":{"status":"active","quantity":1,"metadata":{"a":1}}}}`},
		{"data.object.quantity", `"2"`, `{"data":{"object":{"status":"active","quantity":"2"}}}`},
		{"livemode", "true", `{"data":{"object":{"status":"active","quantity":1}},"livemode":true}`},
	}
	for _, tt := range tests {
		got, err := sample.Set(body, tt.path, tt.value)
		if err != nil || string(got) != tt.want {
			t.Errorf("Set(%s, %s) = %s, %v; want %s", tt.path, tt.value, got, err, tt.want)
		}
	}
	if _, err := sample.Set(body, "", "x"); err == nil {
		t.Error("an empty path was accepted")
	}
}

func TestApplication_AddsUp(t *testing.T) {
	a := newMaker(9).Application(5, 7, 40)
	if len(a[quotekit.Clients]) != 5 || len(a[quotekit.Items]) != 7 || len(a[quotekit.Quotes]) != 40 {
		t.Fatalf("%d clients, %d items, %d quotes", len(a[quotekit.Clients]), len(a[quotekit.Items]), len(a[quotekit.Quotes]))
	}
	for _, q := range a[quotekit.Quotes] {
		var lines []struct {
			Quantity  int64          `json:"quantity"`
			UnitPrice quotekit.Cents `json:"unit_price"`
		}
		if err := json.Unmarshal(q["line_items"].(json.RawMessage), &lines); err != nil {
			t.Fatal(err)
		}
		sum := quotekit.Cents(0)
		for _, l := range lines {
			sum += quotekit.Cents(l.Quantity) * l.UnitPrice
		}
		subtotal, tax, total := q["subtotal"].(quotekit.Cents), q["tax_amount"].(quotekit.Cents), q["total"].(quotekit.Cents)
		if subtotal != sum || total != subtotal+tax || tax <= 0 {
			t.Errorf("quote %s: lines %s, subtotal %s, tax %s, total %s", q["quote_number"], sum, subtotal, tax, total)
		}
	}
}

func BenchmarkJourney(b *testing.B) {
	m := newMaker(1)
	events := 0
	for b.Loop() {
		events += len(m.Journey())
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkEvent(b *testing.B) {
	m := newMaker(1)
	for b.Loop() {
		if _, err := m.Event("customer.subscription.updated"); err != nil {
			b.Fatal(err)
		}
	}
}
