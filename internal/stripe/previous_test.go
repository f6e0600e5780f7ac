package stripe_test

import (
	"encoding/json"
	"testing"

	"github.com/quotekit/quotekit/internal/stripe"
)

func TestApplyPrevious(t *testing.T) {
	for _, c := range []struct{ name, object, previous, want string }{
		{"nothing", `{"a":1}`, `{}`, `{"a":1}`},
		{"a value", `{"id":"x","status":"active"}`, `{"status":"incomplete"}`, `{"id":"x","status":"incomplete"}`},
		{"null at the top is a value", `{"a":1}`, `{"a":null}`, `{"a":null}`},
		{"a key that is gone now", `{}`, `{"a":1}`, `{"a":1}`},
		{"an added key goes", `{"metadata":{"a":"1","b":"2"}}`, `{"metadata":{"b":null}}`, `{"metadata":{"a":"1"}}`},
		{"a changed key comes back", `{"metadata":{"a":"1","b":"2"}}`, `{"metadata":{"b":"0"}}`, `{"metadata":{"a":"1","b":"0"}}`},
		{"a removed key comes back", `{"metadata":{}}`, `{"metadata":{"b":"0"}}`, `{"metadata":{"b":"0"}}`},
		{"an added hash", `{"recurring":{"interval":"month"}}`, `{"recurring":null}`, `{"recurring":null}`},
		{"a removed hash", `{"metadata":null}`, `{"metadata":{"a":"1","b":null}}`, `{"metadata":{"a":"1"}}`},
		{"deep", `{"a":{"b":{"c":1,"d":2}}}`, `{"a":{"b":{"c":null,"e":3}}}`, `{"a":{"b":{"d":2,"e":3}}}`},
		{"an array is replaced whole", `{"a":[1,2,3]}`, `{"a":[{"x":null}]}`, `{"a":[{"x":null}]}`},
		{"a list", `{"items":{"data":[1,2],"has_more":false}}`, `{"items":{"data":[1]}}`, `{"items":{"data":[1],"has_more":false}}`},
		{"a hash where an id was", `{"customer":{"id":"cus_2"}}`, `{"customer":"cus_1"}`, `{"customer":"cus_1"}`},
		{"an id where a hash was", `{"customer":"cus_2"}`, `{"customer":{"id":"cus_1"}}`, `{"customer":{"id":"cus_1"}}`},
		{"an array where a hash was", `{"a":[1]}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		{"escaped keys are the same keys", `{"\u0061":1}`, `{"a":2}`, `{"a":2}`},
		{"the last of equal keys", `{"a":1}`, `{"a":2,"a":3}`, `{"a":3}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := stripe.ApplyPrevious([]byte(c.object), []byte(c.previous))
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(c.want), &b) != nil || !equalJSON(t, a, b) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestApplyPrevious_NeedsObjects(t *testing.T) {
	for _, c := range [][2]string{{`[]`, `{}`}, {`{}`, `[]`}, {`{}`, `"x"`}, {``, `{}`}} {
		if _, err := stripe.ApplyPrevious([]byte(c[0]), []byte(c[1])); err == nil {
			t.Errorf("%s and %s: got no error", c[0], c[1])
		}
	}
}

func TestDifferences(t *testing.T) {
	object := `{"id":"sub_1","status":"active","metadata":{"a":"1","b":"2"},"items":{"data":[{"id":"si_1"}],"has_more":false},"quantity":2}`
	previous := `{"status":"trialing","metadata":{"b":null,"c":"3"},"items":{"data":[]},"plan":{"id":"p"},"quantity":1}`
	want := []stripe.Difference{
		{Field: "items", Before: []byte(`{"data":[]}`), After: []byte(`{"data":[{"id":"si_1"}]}`)},
		{Field: "metadata", Before: []byte(`{"b":null,"c":"3"}`), After: []byte(`{"b":"2","c":null}`)},
		{Field: "plan", Before: []byte(`{"id":"p"}`), After: []byte(`null`)},
		{Field: "quantity", Before: []byte(`1`), After: []byte(`2`)},
		{Field: "status", Before: []byte(`"trialing"`), After: []byte(`"active"`)},
	}
	d, err := stripe.DecodeSubscription([]byte(object), []byte(previous))
	if err != nil {
		t.Fatal(err)
	}
	got := d.Differences
	if !equalJSON(t, got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func equalJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}

func FuzzApplyPrevious(f *testing.F) {
	for _, body := range mustFixtures(f) {
		if e, err := stripe.ParseEvent(body); err == nil && e.Previous != nil {
			f.Add([]byte(e.Object), []byte(e.Previous))
		}
	}
	f.Add([]byte(`{"a":[1]}`), []byte(`{"a":{"b":null},"a":{}}`))
	f.Fuzz(func(t *testing.T, object, previous []byte) {
		got, err := stripe.ApplyPrevious(object, previous)
		if err == nil && json.Valid(object) && json.Valid(previous) && !json.Valid(got) {
			t.Errorf("got %s", got)
		}
		if d, err := stripe.DecodeSubscription(object, previous); err == nil {
			for _, difference := range d.Differences {
				checkClean(t, string(difference.Before))
				checkClean(t, string(difference.After))
			}
		}
	})
}
