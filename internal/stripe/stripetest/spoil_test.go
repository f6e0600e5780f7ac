package stripetest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestPlaces(t *testing.T) {
	const text = "{ \"a\" : [ 1 , \"\\\"x\" ] ,\"a\":{\"b\":\"\xff\"}, \"c\":null }"
	want := []string{
		text, `"a" : [ 1 , "\"x" ]`, `1`, `"\"x"`, "\"a\":{\"b\":\"\xff\"}", "\"b\":\"\xff\"", `"c":null`,
	}
	got := places([]byte(text))
	if len(got) != len(want) {
		t.Fatalf("got %d places, want %d", len(got), len(want))
	}
	for i, p := range got {
		if text[p.name:p.end] != want[i] {
			t.Errorf("got %s, want %s", text[p.name:p.end], want[i])
		}
	}
}

func TestSpoil(t *testing.T) {
	last := byte(len(spoils) - 1)
	for _, c := range []struct {
		name, event, want string
		picks             []byte
	}{
		{"nothing", `{"a":1}`, `{"a":1}`, []byte{0, 1}},
		{"a member", `{"a":1,"b":2}`, `{"a":null,"b":2}`, []byte{0, 1, 0}},
		{"the place is modulo the number of places", `{"a":1,"b":2}`, `{"a":1,"b":true}`, []byte{0, 5, 1}},
		{"both bytes are the place", `[1,2]`, `[true,2]`, []byte{1, 0, 1}}, // 256 % 3
		{"all", `{"a":1}`, `false`, []byte{0, 0, 2}},
		{"one after the other", `{"a":1}`, `{"a":[[0,0],[0,0]]}`, []byte{0, 1, 3, 0, 1, last - 4, 0, 1, last - 4}},
		{"as a string", `{"a":["x"]}`, `{"a":"[\"x\"]"}`, []byte{0, 1, last - 3}},
		{"another name", `{"a":1}`, `{"gone":1}`, []byte{0, 1, last - 2}},
		{"null before", `{"a":1}`, `{"a":null,"a":1}`, []byte{0, 1, last - 1}},
		{"null after", `{"a":1}`, `{"a":1,"a":null}`, []byte{0, 1, last}},
		{"what has no name", `[1]`, `[1]`, []byte{0, 1, last, 0, 1, last - 1, 0, 1, last - 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Spoil([]byte(c.event), c.picks); string(got) != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestSpoil_IsJSON in every way, on every place, and grows within bounds.
func TestSpoil_IsJSON(t *testing.T) {
	const event = `{"id":"evt_1","data":{"object":{"id":"x","items":[{"n":1.5},null]}}}`
	for place := range len(places([]byte(event))) {
		for kind := range len(spoils) {
			pick := []byte{0, byte(place), byte(kind)}
			if got := Spoil([]byte(event), pick); !json.Valid(got) {
				t.Errorf("%v: got %q", pick, got)
			}
		}
	}
	double := bytes.Repeat([]byte{0, 0, byte(len(spoils) - 5)}, 100)
	if got := Spoil([]byte(event), double); len(got) < 1<<most*len(event) || len(got) > 2<<most*len(event) || !json.Valid(got) {
		t.Errorf("got %d bytes", len(got))
	}
	large := `"` + strings.Repeat("x", largest) + `"`
	if got := Spoil([]byte(large), double); string(got) != large {
		t.Errorf("got %d bytes of a large one", len(got))
	}
}
