package app_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/rest"
)

const lettersPage = "/dashboard/dead-letter-queue"

// rejecting makes a service whose handler of products rejects them until it is
// mended.
func rejecting(t *testing.T, url string) (*service, *broken) {
	b := &broken{fail: func(int) error { return quotekit.Permanent(errors.New("the product cannot be used")) }}
	routes := routesWith("product.created", b.handle)
	for i := range routes {
		routes[i].Timeout = time.Minute // a slow machine fails no event
	}
	c := plainConfig(url)
	c.SupabaseJWTSecret = jwtSecret
	return mustStartWith(t, c, app.Options{Routes: routes}), b
}

// mustDie delivers events that are dead at once.
func (s *service) mustDie(bodies ...[]byte) {
	s.t.Helper()
	for _, body := range bodies {
		if got := s.post(body); got.Status != "dead" {
			s.t.Fatalf("got %+v, want dead", got)
		}
	}
}

// ended waits until the task of a page has ended, and nothing of it is attempted.
func (p *person) ended(task page) page {
	p.t.Helper()
	eventually(p.t, 60*time.Second, "the task", func() bool {
		task = p.must(task.url.Path)
		text := task.text()
		return strings.Contains(text, "State completed") && !strings.Contains(text, "pending ")
	})
	return task
}

// attempted looks again until the event that was taken up by an act has come to an
// end: the page after the act tells of it only if that was quick.
func (p *person) attempted(after page, event string) page {
	p.t.Helper()
	if text := after.text(); !strings.Contains(text, event+" was attempted") && !strings.Contains(text, event+" is pending") {
		p.t.Errorf("%s does not say what was done with %s:\n%s", after.url, event, text)
	}
	eventually(p.t, 60*time.Second, "the end of the attempt", func() bool {
		return !strings.Contains(p.must("/dashboard/events/"+event).text(), "State pending")
	})
	return p.must(after.url.String())
}

// TestPages_OneThenTheOthers: nine events are dead of the same. One is replayed, and
// the page says that it failed again; the bug is mended; one is replayed, and
// succeeds; then the other eight, after a look at what that means. All of it by
// forms.
func TestPages_OneThenTheOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, b := rejecting(t, url)
		s.mustDie(products("a", 9)...)
		ada := s.person(token)
		list := ada.must(lettersPage)
		if groups, letters := list.keys("groups"), list.keys("letters"); len(groups) != 1 || len(letters) != 9 {
			t.Fatalf("groups %v and letters %v, want one and nine", groups, letters)
		}
		group := ada.follow(list, "product.created")
		group.says("the product cannot be used", "Not resolved 9 letters", "State open")

		again := ada.press(group, "Replay one, show me")
		again = ada.attempted(again, again.url.Query().Get("canary"))
		again.says("The one that was replayed failed again", "of the same", "Replay all 9")

		b.mended.Store(true)
		healed := ada.press(again, "Replay one, show me", "reason", "mended in 1.2.3")
		healed = ada.attempted(healed, healed.url.Query().Get("canary"))
		healed.says("The one that was replayed has succeeded", "replay the other 8", "Not resolved 8 letters")

		preview := ada.press(healed, "Replay the other 8")
		preview.says("Replay 8 dead letters", "These 8 letters and no others", "product.created", "Five of them", "At 50 a second about 1 s")
		if got := s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'dead'"); got != "8" {
			t.Errorf("%s events are dead after the preview, want 8: it changes nothing", got)
		}
		task := ada.press(preview, "Replay 8 letters", "reason", "the rest of them")
		task.says("It has begun", "Started by ada", "Why: the rest of them")
		task = ada.ended(task)
		task.says("succeeded 8", "Done 8 of 8")

		ada.must(group.url.Path).says("State resolved", "No letter of this group is left")
		ada.must(lettersPage).says("Nothing is dead")
		for query, want := range map[string]string{
			"SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'succeeded'":                                                         "9",
			"SELECT COUNT(*) FROM webhook_audit_trail WHERE action = 'dead_letter.retry' AND actor = 'ada'":                                 "10",
			"SELECT COUNT(*) FROM webhook_audit_trail WHERE action = 'dead_letter.retry' AND actor = 'ada' AND reason = 'the rest of them'": "8",
			"SELECT COUNT(*) FROM webhook_audit_trail WHERE action = 'dead_letter.retry' AND reason = 'mended in 1.2.3'":                    "1",
		} {
			if got := s.value(query); got != want {
				t.Errorf("%s: got %s, want %s", query, got, want)
			}
		}
	})
}

// TestPages_LettersAreThoseOfTheAPI: the same groups, counts, ids and order.
func TestPages_LettersAreThoseOfTheAPI(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, _ := rejecting(t, url)
		s.mustDie(products("a", 3)...)
		mustBury(t, s.Store(), products("b", 60)...)
		ada := s.person(token)
		type letters struct {
			Groups []struct {
				ID    string
				Count int
			}
			Items      []struct{ ID string }
			NextCursor *string `json:"next_cursor"`
		}
		for _, query := range []string{"", "&event_type=product.created", "&reason=HANDLER_REJECTED&error_class=test", "&event_type=price.created"} {
			path := lettersPage + "?" + strings.TrimPrefix(query, "&")
			for asked := "/v1/monitor/dead-letter-queue?resolved=false" + query; ; {
				status, answer := s.call("GET", asked, "")
				if status != 200 {
					t.Fatalf("%s: %d %v", asked, status, answer)
				}
				want := mustConvert[letters](t, answer)
				var groups, ids []string
				for _, g := range want.Groups {
					groups = append(groups, g.ID)
				}
				for _, l := range want.Items {
					ids = append(ids, l.ID)
				}
				got := ada.must(path)
				if k := got.keys("letters"); !slices.Equal(k, ids) {
					t.Errorf("%s: letters %v, want %v", path, k, ids)
				}
				if k := got.keys("groups"); !slices.Equal(k, groups) {
					t.Errorf("%s: groups %v, want %v", path, k, groups)
				}
				for _, g := range want.Groups {
					got.says(fmt.Sprintf(" %d ", g.Count))
				}
				if want.NextCursor == nil {
					break
				}
				path = lettersPage + "?" + strings.TrimPrefix(query, "&") + "&cursor=" + *want.NextCursor
				asked = "/v1/monitor/dead-letter-queue?resolved=false" + query + "&cursor=" + *want.NextCursor
			}
		}
		if got := ada.open("/dashboard/json/dead-letter-queue?event_type=product.created"); got.status != 200 || strings.Count(got.body, `"stripe_event_id"`) != 50 {
			t.Errorf("as JSON: %d with %d letters, want 50", got.status, strings.Count(got.body, `"stripe_event_id"`))
		}
	})
}

// TestPages_FiltersAreTheURL: each is a chip that can be taken away, and what the
// URL says wrongly is told.
func TestPages_FiltersAreTheURL(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, _ := rejecting(t, url)
		s.mustDie(products("a", 2)...)
		ada := s.person(token)
		got := ada.press(ada.must(lettersPage), "Filter", "event_type", "product.created", "reason", "DATABASE_ERROR")
		got.says("No dead letter matches", "type: product.created", "reason: DATABASE_ERROR", "clear all")
		one := ada.follow(got, "reason: DATABASE_ERROR")
		if q := one.url.Query(); q.Get("event_type") != "product.created" || q.Has("reason") || len(one.keys("letters")) != 2 {
			t.Errorf("without the reason: %s with %v", one.url, one.keys("letters"))
		}
		preview := ada.press(ada.must(lettersPage+"?reason=HANDLER_REJECTED"), "Resolve…", "do", "resolve-matching")
		preview.says("Resolve 2 dead letters", "reason HANDLER_REJECTED")
		if !strings.Contains(preview.body, `name="reason" maxlength="2000" value=""`) {
			t.Error("what the letters died of is taken for the reason of the act")
		}
		if all := ada.follow(got, "clear all"); all.url.RawQuery != "" {
			t.Errorf("cleared: %s", all.url)
		}
		ada.must(lettersPage + "?resolved=true").says("No dead letter matches")
		for _, wrong := range []string{"?from=yesterday", "?resolved=perhaps", "?cursor=none-of-ours"} {
			if got := ada.open(lettersPage + wrong); got.status != http.StatusBadRequest {
				t.Errorf("%s: %d", wrong, got.status)
			}
		}
		if got := ada.open(lettersPage + "/groups/none"); got.status != http.StatusNotFound {
			t.Errorf("a group that is none: %d", got.status)
		}
	})
}

// TestPages_ManyHaveToBeMeant: of more than 500 letters the number is typed in, a
// resolve needs a reason, and what was typed before is kept.
func TestPages_ManyHaveToBeMeant(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := new(clock)
		s := mustStart(t, url, c.options())
		mustBury(t, s.Store(), products("m", 501)...)
		ada := s.person(token)
		list := ada.must(lettersPage)
		ada.press(list, "Replay…").says("No row is selected")
		two := list.keys("letters")[:2]
		ada.press(list, "Resolve…", "id", two[0], "id", two[1]).says("Resolve 2 dead letters", "Chosen one by one")

		preview := ada.send(http.MethodPost, lettersPage+"/preview", map[string][]string{"do": {"resolve-matching"}, "event_type": {"product.created"}})
		preview.says("Resolve 501 dead letters", "Type in 501", "type product.created", "effects of their events are given up")
		for _, typed := range [][]string{
			{"count", "501"},
			{"reason", "test data", "count", "500"},
			{"reason", "test data"},
			{"reason", "test data", "count", "501", "rate", "0"},
		} {
			got := ada.press(preview, "Resolve 501 letters", typed...)
			if got.says("Nothing was changed"); got.status != http.StatusBadRequest {
				t.Errorf("%v: %d", typed, got.status)
			}
			if typed[0] == "reason" && !strings.Contains(got.body, `value="test data"`) {
				t.Errorf("%v: the reason is not kept", typed)
			}
		}
		if got := s.value("SELECT COUNT(*) FROM webhook_dead_letter_queue WHERE resolved"); got != "0" {
			t.Fatalf("%s letters are resolved", got)
		}
		task := ada.press(preview, "Resolve 501 letters", "reason", "test data", "count", "501", "rate", "1000")
		task = ada.ended(task)
		task.says("resolved 501", "Resolve dead letters")
		ada.press(preview, "Resolve 501 letters", "reason", "test data", "count", "501").says("This was started before")
		file := ada.open(task.url.Path + "/results.csv")
		if lines := strings.Count(file.body, "\n"); file.status != 200 || lines != 502 || !strings.HasPrefix(file.header.Get("Content-Disposition"), "attachment") {
			t.Errorf("the file: %d with %d lines, %v", file.status, lines, file.header)
		}

		mustBury(t, s.Store(), products("n", 1)...)
		late := ada.press(ada.must(lettersPage), "Replay…", "do", "retry-matching")
		c.pass(16 * time.Minute)
		ada.press(late, "Replay 1 letter").says("Nothing was changed", "older than 15 minutes")
	})
}

// TestPages_TasksAreCancelledAndRepeated: a task is stopped between two steps, and
// what failed again is replayed by another.
func TestPages_TasksAreCancelledAndRepeated(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, b := rejecting(t, url)
		s.mustDie(products("a", 3)...)
		ada := s.person(token)
		ada.must("/dashboard/tasks").says("No long work was started yet")
		every := func(rate string) page {
			preview := ada.press(ada.must(lettersPage), "Replay…", "do", "retry-matching")
			return ada.press(preview, "Replay 3 letters", "rate", rate)
		}
		failed := ada.ended(every("1000"))
		failed.says("failed 3", "the product cannot be used")
		ada.must(failed.url.Path + "?outcome=succeeded").says("No letter of this outcome")
		b.mended.Store(true)
		preview := ada.press(failed, "Replay the 3 that failed again")
		preview.says("Replay 3 dead letters")
		ada.ended(ada.press(preview, "Replay 3 letters")).says("succeeded 3")
		ada.press(failed, "Replay the 3 that failed again").says("None of its letters is dead again now")

		b.mended.Store(false)
		mustBury(t, s.Store(), products("z", 100)...)
		slow := ada.press(ada.press(ada.must(lettersPage), "Replay…", "do", "retry-matching"), "Replay 100 letters", "rate", "1")
		ada.press(slow, "Cancel").says("Nothing was changed", "Say why")
		ada.press(slow, "Cancel", "reason", "too slow").says("The task is cancelled", "State cancelled")
		status, answer := s.call("GET", "/v1/monitor/tasks", "")
		items, _ := answer["items"].([]any)
		if keys := ada.must("/dashboard/tasks").keys("tasks"); status != 200 || len(keys) != 3 || len(items) != 3 ||
			keys[0] != items[0].(map[string]any)["id"] {
			t.Errorf("the list has %v, the API %v", keys, items)
		}
		ada.must("/dashboard/tasks?status=cancelled").says("state: cancelled", "of 100")
		for _, wrong := range []string{"/dashboard/tasks/none", "/dashboard/tasks/" + quotekit.NewID()} {
			if got := ada.open(wrong); got.status != http.StatusNotFound {
				t.Errorf("%s: %d", wrong, got.status)
			}
		}
	})
}

// TestPages_GroupsAreDecidedAbout: whose a group is, and whether it matters.
func TestPages_GroupsAreDecidedAbout(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, b := rejecting(t, url)
		s.mustDie(products("a", 1)...)
		ada := s.person(token)
		group := ada.follow(ada.must(lettersPage), "product.created")
		ada.press(group, "Ignore", "reason", "").says("Nothing was changed", "Say why")
		group = ada.press(group, "Acknowledge", "owner", "grace", "reason", "looking at the name")
		group.says("The group is acknowledged", "State acknowledged", "grace", "looking at the name")
		ada.must(lettersPage).says("acknowledged", "grace looking at the name")
		ada.press(group, "Ignore").says("State ignored")
		ada.press(ada.must(group.url.Path), "Reopen").says("State open")

		b.mended.Store(true)
		ada.attempted(ada.press(group, "Replay one, show me"), "evt_a00000").says("No letter of the group is left")
		b.mended.Store(false)
		s.mustDie(products("b", 1)...)
		ada.must(lettersPage).says("came back")
		ada.must(group.url.Path).says("came back after it was resolved", "State open")
	})
}

// TestPages_ViewersSeeWhyTheyCannotAct: buttons are disabled, with the reason as
// text, and the acts are refused all the same.
func TestPages_ViewersSeeWhyTheyCannotAct(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, _ := rejecting(t, url)
		s.mustDie(products("a", 1)...)
		viewer, operator := s.person(mustMint(t, jwtSecret, rest.RoleViewer)), s.person(mustMint(t, jwtSecret, rest.RoleOperator))
		for path, buttons := range map[string][]string{
			lettersPage: {"Replay…", "Resolve…"},
			viewer.follow(viewer.must(lettersPage), "product.created").url.Path: {"Replay one", "Resolve all", "Acknowledge"},
			"/dashboard/events/evt_a00000":                                      {"Apply the stored", "Fetch the current", "Resolve without", "Show the payload"},
			"/dashboard/objects/prod_a00000":                                    {"Replay the dead"},
		} {
			page := viewer.must(path)
			page.says("needs the role operator; yours is viewer")
			for _, words := range buttons {
				if b := page.button(words); b == nil || !disabled(b) {
					t.Errorf("%s: the button %q is not disabled", path, words)
				}
			}
		}
		event := operator.must("/dashboard/events/evt_a00000")
		event.says("needs the role admin; yours is operator")
		if !disabled(event.button("Show the payload")) || disabled(event.button("Apply the stored")) {
			t.Error("an operator may replay, and not reveal")
		}
	})
}
