package app_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/quotekit/quotekit/app"
)

// TestFixtures_PostedTwiceChangeNothing posts every fixture, then all again in
// another order: the second round is all duplicates, the mirror is the same
// after both, and the same on both engines.
func TestFixtures_PostedTwiceChangeNothing(t *testing.T) {
	mirrors := map[string][]string{}
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		all := fixtures(t)
		names := make([]string, 0, len(all))
		for name := range all {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			a := s.post(all[name])
			if a.HTTP != 200 || a.Duplicate || (a.Status != "succeeded" && a.Status != "ignored") {
				t.Errorf("%s: got %+v", name, a)
			}
		}
		first := s.mirror()
		if len(first) < 80 {
			t.Errorf("got %d rows in the mirror, want one for nearly every fixture", len(first))
		}
		rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range names {
			if a := s.post(all[name]); a.HTTP != 200 || !a.Duplicate {
				t.Errorf("%s again: got %+v", name, a)
			}
		}
		if d := diff(s.mirror(), first); d != "" {
			t.Errorf("the second round changed rows:\n%s", d)
		}
		if got := s.value("SELECT COUNT(*) AS n FROM stripe_webhook_events WHERE deliveries = 2"); got != "101" {
			t.Errorf("got %s events with two deliveries, want 101", got)
		}
		if got := s.value("SELECT COUNT(*) AS n FROM webhook_audit_trail WHERE action = 'event.delivered'"); got != "202" {
			t.Errorf("got %s deliveries in the audit trail, want 202", got)
		}
		mirrors[t.Name()] = first
	})
	var last []string
	for _, m := range mirrors {
		if last != nil {
			if d := diff(m, last); d != "" {
				t.Errorf("the engines differ:\n%s", d)
			}
		}
		last = m
	}
}
