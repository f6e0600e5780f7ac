package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func mustBury(t *testing.T, s *store.Store, class string, ids ...string) {
	t.Helper()
	var letters []store.DeadLetter
	for _, id := range ids {
		letters = append(letters, store.DeadLetter{
			EventID: id, EventType: "price.created", Data: `{}`, Reason: quotekit.ReasonRejected, ErrorClass: class, ErrorMessage: class + " of " + id,
		})
	}
	mustTx(t, s, func(tx *store.Tx) error { return tx.Bury(t.Context(), letters) })
}

func mustGroups(t *testing.T, s *store.Store) string {
	t.Helper()
	groups, _, err := s.ErrorGroups(t.Context(), store.GroupFilter{}, "")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, g := range groups {
		one, err := s.ErrorGroup(t.Context(), g.ID)
		if err != nil || fmt.Sprint(one) != fmt.Sprint(g) {
			t.Errorf("the group alone is %+v, %v, in the list %+v", one, err, g)
		}
		lines = append(lines, show(g))
	}
	return strings.Join(lines, "\n")
}

func show(g store.ErrorGroup) string {
	text := fmt.Sprintf("%s %d %s", g.ErrorClass, g.Letters, g.State)
	if g.Regressed {
		text += " regressed"
	}
	if g.Owner != "" {
		text += " of " + g.Owner
	}
	return text + " " + g.SampleEventID
}

// TestErrorGroups_LiveWithTheirLetters: they begin with the first letter, are
// resolved with the last, and regress when one comes after that. What was decided
// before does not count then.
func TestErrorGroups_LiveWithTheirLetters(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	onBothAt(t, func() time.Time { now = now.Add(time.Second); return now }, func(t *testing.T, s *store.Store) {
		settle := func(ids ...string) {
			mustTx(t, s, func(tx *store.Tx) error { return tx.ResolveSettled(t.Context(), ids, "") })
		}
		want := func(what, want string) {
			t.Helper()
			if got := mustGroups(t, s); got != want {
				t.Fatalf("%s: got\n%s\nwant\n%s", what, got, want)
			}
		}
		want("at first", "")
		mustBury(t, s, "first", "evt_1", "evt_2")
		mustBury(t, s, "second", "evt_3")
		want("two groups", "second 1 open evt_3\nfirst 2 open "+lastOf("evt_1", "evt_2"))

		id := store.GroupID("price.created", string(quotekit.ReasonRejected), "first")
		first, err := s.ErrorGroup(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		mustTx(t, s, func(tx *store.Tx) error {
			ok, err := tx.DecideGroup(t.Context(), first, quotekit.GroupAcknowledged, "ada", "looking", "ada")
			if err == nil && !ok {
				t.Error("an open group cannot be acknowledged")
			}
			return err
		})
		settle("evt_1")
		want("acknowledged", "second 1 open evt_3\nfirst 1 acknowledged of ada evt_2")

		mustBury(t, s, "second", "evt_2") // it dies of something else
		want("moved", "second 2 open evt_2")
		resolved, err := s.ResolvedGroups(t.Context(), store.GroupFilter{})
		if err != nil || len(resolved) != 1 || show(resolved[0]) != "first 0 resolved of ada " || resolved[0].ResolvedAt == nil {
			t.Fatalf("got %+v, %v of resolved groups", resolved, err)
		}
		if one, err := s.ErrorGroup(t.Context(), id); err != nil || fmt.Sprint(one) != fmt.Sprint(resolved[0]) {
			t.Errorf("got %+v, %v alone, want %+v", one, err, resolved[0])
		}
		mustTx(t, s, func(tx *store.Tx) error {
			ok, err := tx.DecideGroup(t.Context(), resolved[0], quotekit.GroupIgnored, "", "", "ada")
			if ok {
				t.Error("a resolved group can be ignored")
			}
			return err
		})

		mustBury(t, s, "first", "evt_4")
		want("regressed", "first 1 open regressed of ada evt_4\nsecond 2 open evt_2")
		settle("evt_4", "evt_2", "evt_3", "evt_none")
		want("at last", "")
	})
}

// lastOf is the event whose letter comes last by its id.
func lastOf(ids ...string) string {
	return slices.MaxFunc(ids, func(a, b string) int { return strings.Compare(quotekit.DeadLetterID(a), quotekit.DeadLetterID(b)) })
}

// TestErrorGroups_OfOtherPrograms have neither a class nor a row, and are groups
// all the same.
func TestErrorGroups_OfOtherPrograms(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		const insert = `
INSERT INTO webhook_dead_letter_queue (id, stripe_event_id, event_type, event_data, failure_reason, first_failed_at, last_failed_at, resolved)
VALUES ($1, $2, 'price.created', '{}', $3, $4, $4, NULL)`
		long := strings.Repeat("é", 4000)
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		mustExec(t, s, insert, quotekit.NewID(), "evt_1", "NO_LUCK", at)
		letter := quotekit.NewID()
		mustExec(t, s, insert, letter, "evt_2", long, at.Add(time.Second))
		groups, more, err := s.ErrorGroups(t.Context(), store.GroupFilter{}, "")
		if err != nil || more != "" || len(groups) != 2 || groups[0].FailureReason != long[:300] || groups[1].FailureReason != "NO_LUCK" ||
			groups[1].State != quotekit.GroupOpen || !groups[1].FirstFailedAt.Equal(at) {
			t.Fatalf("got %+v, %v, %v", groups, more, err)
		}
		no := false
		for _, f := range []store.DeadLetterFilter{{GroupID: groups[0].ID}, {Reason: long}, {From: &groups[0].LastFailedAt, Resolved: &no}} {
			letters, _, err := s.DeadLetters(t.Context(), f, store.Page{})
			if err != nil || len(letters) != 1 || letters[0].StripeEventID != "evt_2" {
				t.Errorf("%.40v: got %+v, %v", f, letters, err)
			}
		}
		if one, err := s.ErrorGroup(t.Context(), groups[0].ID); err != nil || one.SampleEventID != "evt_2" {
			t.Errorf("got %+v, %v", one, err)
		}
		mustTx(t, s, func(tx *store.Tx) error {
			ok, err := tx.ResolveDeadLetter(t.Context(), letter, "done", "")
			if err == nil && !ok {
				t.Error("it is not resolved")
			}
			return err
		})
		if one, err := s.ErrorGroup(t.Context(), groups[0].ID); err != nil || one.State != quotekit.GroupResolved {
			t.Errorf("got %+v, %v", one, err)
		}
		if _, err := s.ErrorGroup(t.Context(), "none"); quotekit.CodeOf(err) != quotekit.ENotFound {
			t.Errorf("got %v for no group", err)
		}
	})
}

// TestErrorGroups_AreResolvedByWhoeverComesLast: transactions that each resolve a
// letter of one group, at the same time, leave it resolved.
func TestErrorGroups_AreResolvedByWhoeverComesLast(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		for round := range 10 {
			var ids []string
			for n := range 6 {
				ids = append(ids, fmt.Sprintf("evt_%d_%d", round, n))
			}
			mustBury(t, s, "class", ids...)
			var wg sync.WaitGroup
			for _, id := range ids {
				wg.Go(func() {
					err := s.WithTx(context.WithoutCancel(t.Context()), func(tx *store.Tx) error {
						return tx.ResolveRetried(t.Context(), id, "")
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			g, err := s.ErrorGroup(t.Context(), store.GroupID("price.created", string(quotekit.ReasonRejected), "class"))
			if err != nil || g.State != quotekit.GroupResolved || g.ResolvedAt == nil {
				t.Fatalf("round %d: got %+v, %v", round, g, err)
			}
		}
	})
}

// TestErrorGroups_MoreThanAPage: they come in pages that have every group once, also
// those that a filter selects.
func TestErrorGroups_MoreThanAPage(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		const groups = 2*store.MaxGroups + 7
		for i := range groups {
			class := fmt.Sprintf("class_%03d", i)
			mustBury(t, s, class, "evt_"+class)
		}
		for name, test := range map[string]struct {
			filter store.GroupFilter
			pages  []int
		}{
			"all":           {store.GroupFilter{}, []int{store.MaxGroups, store.MaxGroups, 7}},
			"of a type":     {store.GroupFilter{EventType: "price.created"}, []int{store.MaxGroups, store.MaxGroups, 7}},
			"one of a page": {store.GroupFilter{ErrorClass: "class_301"}, []int{1}},
			"none":          {store.GroupFilter{ErrorClass: "class_x"}, []int{0}},
		} {
			seen := map[string]bool{}
			cursor := ""
			for i, want := range test.pages {
				page, next, err := s.ErrorGroups(t.Context(), test.filter, cursor)
				if err != nil || len(page) != want || (next == "") != (i == len(test.pages)-1) {
					t.Fatalf("%s, page %d: got %d groups, next %q, %v", name, i, len(page), next, err)
				}
				for _, g := range page {
					if seen[g.ID] {
						t.Errorf("%s: %s comes twice", name, g.ErrorClass)
					}
					seen[g.ID] = true
				}
				cursor = next
			}
		}
		if _, _, err := s.ErrorGroups(t.Context(), store.GroupFilter{}, "x"); quotekit.CodeOf(err) != quotekit.EInvalid {
			t.Errorf("got %v for a cursor of nobody", err)
		}
	})
}

// TestErrorGroups_ByHour counts the letters that are not resolved by the hour they
// failed last in.
func TestErrorGroups_ByHour(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	onBothAt(t, func() time.Time { return now }, func(t *testing.T, s *store.Store) {
		begin := now
		defer func() { now = begin }()
		hour := now.Truncate(time.Hour)
		for i, at := range []time.Time{
			hour.Add(-24 * time.Hour), // too old
			hour.Add(-23 * time.Hour),
			hour.Add(-time.Microsecond),
			hour, hour.Add(time.Minute),
		} {
			now = at
			mustBury(t, s, "class", fmt.Sprintf("evt_%d", i))
		}
		groups, _, err := s.ErrorGroups(t.Context(), store.GroupFilter{}, "")
		if err != nil || len(groups) != 1 {
			t.Fatalf("got %+v, %v", groups, err)
		}
		want := [store.Hours]int64{0: 1, 22: 1, 23: 2}
		if g := groups[0]; g.Letters != 5 || g.Hourly != want || !g.HourlyFrom.Equal(hour.Add(-23*time.Hour)) {
			t.Errorf("got %d letters, %v from %v", g.Letters, g.Hourly, g.HourlyFrom)
		}
	})
}
