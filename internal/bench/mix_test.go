package bench

import (
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/sample"
)

// TestMix_IsManyObjectsAndEveryType: what a load consists of.
func TestMix_IsManyObjectsAndEveryType(t *testing.T) {
	const stories, n = 100, 6000
	mix, err := NewMix(1, stories, handlers.Routes(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	alive := map[string]bool{}
	for _, story := range mix.open {
		for _, e := range story {
			alive[e.ObjectID] = true
		}
	}
	// Of some stories the beginning has been told already.
	if scaled := len(alive) * StandardSizes.Stories / stories; scaled < 6_000 || scaled > 12_000 {
		t.Errorf("about %d objects are alive at once", scaled)
	}
	events, err := mix.Take(n)
	if err != nil {
		t.Fatal(err)
	}
	ids, types := map[string]bool{}, map[string]int{}
	for i, e := range events {
		if e.ID == "" || e.ObjectID == "" || len(e.Body) == 0 || ids[e.ID] {
			t.Fatalf("event %d is %+v", i, e)
		}
		ids[e.ID] = true
		types[e.Type]++
	}
	for _, r := range handlers.Routes() {
		if types[r.Type] < 10 {
			t.Errorf("got %d events of type %s", types[r.Type], r.Type)
		}
	}
	if len(types) != len(handlers.Routes()) {
		t.Errorf("got %d types, want the routed ones: %v", len(types), types)
	}
	// It begins as it goes on: stories do not all begin at their beginning.
	made := func(events []sample.Event) (n int) {
		for _, e := range events {
			if e.Type == "product.created" {
				n++
			}
		}
		return n
	}
	if early, late := made(events[:1000]), made(events[n-1000:]); early > 2*late || late > 2*early {
		t.Errorf("of the first thousand events %d make a product, of the last %d", early, late)
	}
}

func TestMix_TheSameSeedTellsTheSameStories(t *testing.T) {
	now := time.Now() // an event's id begins with its time
	var lists [3][]string
	for i, seed := range []uint64{1, 1, 2} {
		mix, err := NewMix(seed, 10, handlers.Routes(), func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		events, err := mix.Take(100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			lists[i] = append(lists[i], e.ID)
		}
	}
	for i := range lists[0] {
		if lists[0][i] != lists[1][i] || lists[0][i] == lists[2][i] {
			t.Fatalf("event %d: got %s, %s and %s", i, lists[0][i], lists[1][i], lists[2][i])
		}
	}
}

func TestMix_NobodyCanMakeAnyType(t *testing.T) {
	if _, err := NewMix(1, 10, []quotekit.Route{{Type: "comet.sighted"}}, time.Now); err == nil {
		t.Error("got no error for a type without a sample")
	}
}
