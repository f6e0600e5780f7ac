package fold

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/quotekit/quotekit"
)

func ptr[T any](v T) *T { return &v }

// sub makes a subscription whose state is told by one word.
func sub(status string, items ...string) *quotekit.Subscription {
	s := &quotekit.Subscription{StripeSubscriptionID: "sub_1", StripeCustomerID: ptr("cus_1"), Status: &status}
	for _, id := range items {
		s.Items = append(s.Items, quotekit.SubscriptionItem{StripeSubscriptionItemID: id, Quantity: ptr(int64(len(status)))})
	}
	return s
}

func snapshot(at int64, stage quotekit.Stage, before, after *quotekit.Subscription) quotekit.Change {
	terminal := int64(0)
	if *after.Status == "canceled" {
		terminal = 1
	}
	s := &quotekit.Snapshot{Order: quotekit.Order{terminal, at}, Stage: stage, After: after}
	if before != nil {
		s.Before = before
	}
	return quotekit.Change{Kind: quotekit.KindSubscription, ID: "sub_1", Snapshot: s}
}

func created(at int64, after string) quotekit.Change {
	return snapshot(at, quotekit.StageCreated, nil, sub(after))
}

func updated(at int64, before, after string) quotekit.Change {
	return snapshot(at, quotekit.StageUpdated, sub(before), sub(after))
}

func deleted(at int64, after string) quotekit.Change {
	return snapshot(at, quotekit.StageDeleted, nil, sub(after))
}

// mustFold applies the changes in their order, through text as the store keeps it.
func mustFold(t interface{ Fatal(...any) }, changes ...quotekit.Change) *State {
	text := ""
	var s *State
	for _, c := range changes {
		var err error
		if s, err = Parse(c.Kind, text); err != nil {
			t.Fatal(err)
		}
		mustApply(t, s, c)
		if text, err = s.Encode(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Parse(quotekit.KindSubscription, text)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.decode(); err != nil {
		t.Fatal(err)
	}
	return s
}

func mustApply(t interface{ Fatal(...any) }, s *State, c quotekit.Change) {
	prepared, err := Prepare([]quotekit.Change{c})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(prepared[0]); err != nil {
		t.Fatal(err)
	}
}

func permutations(n int, f func(order []int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var permute func(k int)
	permute = func(k int) {
		if k == n {
			f(order)
			return
		}
		for i := k; i < n; i++ {
			order[k], order[i] = order[i], order[k]
			permute(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	permute(0)
}

func TestState_EveryOrderEndsInTheTrueState(t *testing.T) {
	for name, test := range map[string]struct {
		changes []quotekit.Change
		want    string
	}{
		"later second wins":               {[]quotekit.Change{created(1, "a"), updated(2, "a", "b"), updated(3, "b", "c")}, "c"},
		"chain in one second":             {[]quotekit.Change{created(1, "a"), updated(1, "a", "b"), updated(1, "b", "c"), updated(1, "c", "d")}, "d"},
		"back to the start":               {[]quotekit.Change{created(1, "a"), updated(1, "a", "b"), updated(1, "b", "a")}, "a"},
		"there and back, known before":    {[]quotekit.Change{created(1, "a"), updated(2, "a", "b"), updated(2, "b", "a")}, "a"},
		"there and back, from the other":  {[]quotekit.Change{created(1, "b"), updated(2, "a", "b"), updated(2, "b", "a")}, "b"},
		"duplicate with another event id": {[]quotekit.Change{created(1, "a"), updated(2, "a", "b"), updated(2, "a", "b")}, "b"},
		"duplicate after return":          {[]quotekit.Change{created(1, "a"), updated(1, "a", "b"), updated(1, "b", "a"), updated(1, "a", "b")}, "a"},
		"self-loop says nothing":          {[]quotekit.Change{created(1, "a"), updated(1, "a", "a"), updated(1, "a", "b"), updated(1, "b", "b")}, "b"},
		"terminal is final":               {[]quotekit.Change{created(1, "a"), deleted(2, "canceled"), updated(3, "a", "b")}, "canceled"},
		"deletion wins the second":        {[]quotekit.Change{created(1, "canceled"), updated(1, "x", "canceled"), deleted(1, "canceled")}, "canceled"},
		"tie above a tie":                 {[]quotekit.Change{created(1, "a"), updated(1, "a", "b"), updated(2, "c", "b"), updated(2, "b", "c")}, "b"},
		"creation before update, no link": {[]quotekit.Change{created(1, "z"), updated(1, "x", "a")}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			permutations(len(test.changes), func(order []int) {
				var changes []quotekit.Change
				for _, i := range order {
					changes = append(changes, test.changes[i])
				}
				got := mustFold(t, changes...).Row().(*quotekit.Subscription)
				if *got.Status != test.want {
					t.Fatalf("order %v: got %q, want %q", order, *got.Status, test.want)
				}
			})
		})
	}
}

func TestState_ItemsLeaveOnlyByACompleteList(t *testing.T) {
	cut := func(s *quotekit.Subscription) *quotekit.Subscription { s.ItemsCut = true; return s }
	for name, test := range map[string]struct {
		changes []quotekit.Change
		want    string
	}{
		"complete list drops": {[]quotekit.Change{
			snapshot(1, quotekit.StageCreated, nil, sub("a", "si_1", "si_2")),
			snapshot(2, quotekit.StageUpdated, nil, sub("b", "si_2", "si_3")),
		}, "si_1:deleted si_2 si_3"},
		"cut list drops nothing": {[]quotekit.Change{
			snapshot(1, quotekit.StageCreated, nil, sub("a", "si_1", "si_2")),
			snapshot(2, quotekit.StageUpdated, nil, cut(sub("b", "si_2"))),
		}, "si_1 si_2"},
		"complete list in between drops": {[]quotekit.Change{
			snapshot(1, quotekit.StageCreated, nil, sub("a", "si_1", "si_2")),
			snapshot(2, quotekit.StageUpdated, nil, sub("b", "si_2")),
			snapshot(3, quotekit.StageUpdated, nil, cut(sub("c", "si_2"))),
		}, "si_1:deleted si_2"},
		"item that came back": {[]quotekit.Change{
			snapshot(1, quotekit.StageCreated, nil, sub("a", "si_1")),
			snapshot(2, quotekit.StageUpdated, nil, sub("b", "si_2")),
			snapshot(3, quotekit.StageUpdated, nil, cut(sub("c", "si_1"))),
		}, "si_1 si_2"},
	} {
		t.Run(name, func(t *testing.T) {
			permutations(len(test.changes), func(order []int) {
				var changes []quotekit.Change
				for _, i := range order {
					changes = append(changes, test.changes[i])
				}
				got := ""
				for _, item := range mustFold(t, changes...).SubscriptionItems() {
					if got != "" {
						got += " "
					}
					got += item.StripeSubscriptionItemID
					if item.Deleted {
						got += ":deleted"
					}
				}
				if got != test.want {
					t.Fatalf("order %v: got %q, want %q", order, got, test.want)
				}
			})
		})
	}
}

func TestState_SmallestClaimWinsAndLosersAreToldOnce(t *testing.T) {
	claim := func(at quotekit.Seconds, source quotekit.ClaimSource, event, user string) quotekit.Change {
		return quotekit.Change{Kind: quotekit.KindCustomer, Facts: quotekit.Facts{Claims: []quotekit.Claim{
			{UserID: user, Created: at, Source: source, EventID: event},
		}}}
	}
	claims := []quotekit.Change{
		claim(5, quotekit.ClaimSessionMetadata, "evt_1", "u1"),
		claim(5, quotekit.ClaimCustomerMetadata, "evt_2", "u2"),
		claim(5, quotekit.ClaimCustomerMetadata, "evt_3", "u3"),
		claim(6, quotekit.ClaimCustomerMetadata, "evt_0", "u1"),
	}
	permutations(len(claims), func(order []int) {
		s, told := new(State), map[string]int{}
		for _, i := range order {
			mustApply(t, s, claims[i])
			for _, c := range s.NewConflicts() {
				told[c.EventID]++
			}
		}
		if s.User() != "u2" {
			t.Fatalf("order %v: got user %s, want u2", order, s.User())
		}
		for _, event := range []string{"evt_0", "evt_1", "evt_3"} {
			if told[event] != 1 {
				t.Fatalf("order %v: conflict of %s told %d times, want once", order, event, told[event])
			}
		}
	})
}

func TestState_FactsCountWhenTheEventIsStale(t *testing.T) {
	s := mustFold(t, updated(9, "a", "b"))
	stale := created(1, "a")
	stale.Facts.DetachedAt = 7
	stale.Facts.CreatedAt, stale.Facts.DeletedAt = 3, 3
	mustApply(t, s, stale)
	if got := *s.Row().(*quotekit.Subscription).Status; got != "b" {
		t.Errorf("got status %q, want that of the newer event", got)
	}
	if s.Facts.DetachedAt != 7 || !s.Deleted() {
		t.Errorf("got facts %+v, want those of the stale event too", s.Facts)
	}
	mustApply(t, s, quotekit.Change{Facts: quotekit.Facts{CreatedAt: 4}})
	if s.Deleted() {
		t.Error("got deleted, want the later creation to count")
	}
}

// TestState_Property draws streams of snapshots, some in one second, and checks
// that an arbitrary order with repetitions ends in the same evidence and rows.
func TestState_Property(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"a", "b", "c", "d", "canceled"})
		ids := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"si_1", "si_2", "si_3"}), rapid.ID[string])
		changes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) quotekit.Change {
			stage := quotekit.Stage(rapid.IntRange(0, 2).Draw(t, "stage"))
			var before *quotekit.Subscription
			if rapid.Bool().Draw(t, "knows before") {
				before = sub(word.Draw(t, "before"), ids.Draw(t, "items before")...)
			}
			after := sub(word.Draw(t, "after"), ids.Draw(t, "items")...)
			after.ItemsCut = rapid.Bool().Draw(t, "cut")
			c := snapshot(rapid.Int64Range(1, 3).Draw(t, "at"), stage, before, after)
			c.Facts.Claims = []quotekit.Claim{{
				UserID: word.Draw(t, "user"), Created: quotekit.Seconds(rapid.IntRange(1, 3).Draw(t, "claimed")),
				Source:  quotekit.ClaimSource(rapid.IntRange(1, 5).Draw(t, "source")),
				EventID: fmt.Sprint("evt_", rapid.IntRange(1, 5).Draw(t, "event")),
			}}
			return c
		}), 1, 9).Draw(t, "changes")
		shuffled := rapid.Permutation(changes).Draw(t, "order")
		shuffled = append(shuffled, rapid.SliceOfN(rapid.SampledFrom(changes), 0, 4).Draw(t, "again")...)

		want, got := mustFold(t, changes...), mustFold(t, shuffled...)
		if w, g := mustShow(t, want), mustShow(t, got); w != g {
			t.Fatalf("got  %s\nwant %s", g, w)
		}
	})
}

func mustShow(t *rapid.T, s *State) string {
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"row": s.Row(), "items": s.SubscriptionItems(), "user": s.User(), "state": json.RawMessage(text)})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestParse_RefusesWhatIsNoState(t *testing.T) {
	if _, err := Parse(quotekit.KindSubscription, "{"); err == nil {
		t.Error("got no error for half a text")
	}
	s, err := Parse(quotekit.KindSubscription, `{"top":{"edges":[{"to":"x","row":[]}]}}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(Change{}); err == nil {
		t.Error("got no error for a row that is no object")
	}
	if s, err := Parse(quotekit.KindCustomer, ""); err != nil || s.Row() != nil || slices.Contains(s.Conflicts, "") {
		t.Errorf("got %v, %v, want the zero state", s, err)
	}
}

func TestForget_TakesNothingUpAnyMore(t *testing.T) {
	s := mustFold(t, created(1, "active"), updated(2, "active", "past_due"))
	s.Forget()
	mustApply(t, s, updated(3, "past_due", "canceled"))
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if text != Tombstone || s.Row() != nil || s.Customer() != "" {
		t.Errorf("got %s, want %s and no row", text, Tombstone)
	}
	again, err := Parse(quotekit.KindSubscription, Tombstone)
	if err != nil {
		t.Fatal(err)
	}
	mustApply(t, again, created(4, "active"))
	if !again.Forgotten || again.Row() != nil {
		t.Errorf("what was forgotten has come back: %+v", again)
	}
}
