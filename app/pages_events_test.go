package app_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/quotekit/quotekit/app"
)

// TestPages_AnEventIsReplayedAndResolved: the acts on one event, with what they
// have done.
func TestPages_AnEventIsReplayedAndResolved(t *testing.T) {
	onBoth(t, func(t *testing.T, databaseURL string) {
		s, b := rejecting(t, databaseURL)
		s.mustDie(products("a", 2)...)
		ada := s.person(token)
		event := ada.must("/dashboard/events/evt_a00000")
		event.says("State dead", "HANDLER_REJECTED", "the product cannot be used", "prod_a00000", "quotekit ", "curl ")
		event = ada.attempted(ada.press(event, "Apply the stored payload"), "evt_a00000")
		event.says("State dead", "by ada")
		for _, words := range []string{"Fetch the current object", "Compare with Stripe"} {
			if b := event.button(words); b == nil || !disabled(b) {
				t.Errorf("without a key there is a button %q", words)
			}
		}
		event.says("STRIPE_SECRET_KEY is not set")
		ada.send(http.MethodPost, "/dashboard/events/evt_a00000/replay", url.Values{"mode": {"current"}}).says("Nothing was changed", "STRIPE_SECRET_KEY")
		ada.send(http.MethodPost, "/dashboard/events/evt_a00000/compare", nil).says("Not compared", "STRIPE_SECRET_KEY")
		b.mended.Store(true)
		event = ada.attempted(ada.press(event, "Apply the stored payload", "reason", "mended"), "evt_a00000")
		event.says("State succeeded", "It has succeeded: its effects are in the tables", "by ada", "stripe_products")
		if !disabled(event.button("Apply the stored payload")) || !disabled(event.button("Resolve without")) {
			t.Error("nothing is left to do, and there is a button for it")
		}
		other := ada.must("/dashboard/events/evt_a00001")
		ada.press(other, "Resolve without", "reason", "").says("Nothing was changed", "Say why")
		ada.press(other, "Resolve without", "reason", "test data").says("The dead letter of evt_a00001 is resolved", "its dead letter is resolved")
		ada.press(other, "Resolve without", "reason", "twice").says("Nothing was changed", "resolved already")
		if got := s.value("SELECT reason FROM webhook_audit_trail WHERE action = 'dead_letter.resolve' AND actor = 'ada'"); got != "test data" {
			t.Errorf("the audit trail has %q", got)
		}
		if got := ada.open("/dashboard/events/evt_none"); got.status != http.StatusNotFound {
			t.Errorf("an event that is none: %d", got.status)
		}
	})
}

// TestPages_EventsAreThoseOfTheAPI: the list, with its filters.
func TestPages_EventsAreThoseOfTheAPI(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, b := rejecting(t, url)
		ada := s.person(token)
		ada.must("/dashboard/events").says("No event has been received yet")
		s.mustDie(products("a", 2)...)
		b.mended.Store(true)
		s.post(product("evt_b", "prod_a00000"))
		for _, query := range []string{"", "?status=dead", "?object_id=prod_a00000", "?event_type=product.created&status=succeeded", "?status=ignored"} {
			_, answer := s.call("GET", "/v1/monitor/events"+query, "")
			var want []string
			for _, item := range answer["items"].([]any) {
				want = append(want, item.(map[string]any)["stripe_event_id"].(string))
			}
			if got := ada.must("/dashboard/events" + query).keys("events"); !slices.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", query, got, want)
			}
		}
		if got := ada.open("/dashboard/events?status=lost"); got.status != http.StatusBadRequest {
			t.Errorf("a state that is none: %d", got.status)
		}
	})
}

// TestPages_AnObjectShowsItsEvents: those that are dead are replayed from there.
func TestPages_AnObjectShowsItsEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, b := rejecting(t, url)
		s.mustDie(product("evt_1", "prod_1"), product("evt_2", "prod_1"))
		b.mended.Store(true)
		s.post(product("evt_3", "prod_1"))
		ada := s.person(token)
		object := ada.must("/dashboard/objects/prod_1")
		object.says("2 events on this page are dead", "stripe_products", "evt_1", "evt_2", "evt_3", "applied")
		preview := ada.press(object, "Replay the dead ones")
		preview.says("Replay 2 dead letters")
		ada.ended(ada.press(preview, "Replay 2 letters")).says("succeeded 2")
		object = ada.must("/dashboard/objects/prod_1")
		if object.button("Replay the dead") != nil {
			t.Error("nothing is dead, and there is a button for it")
		}
		if got := ada.open("/dashboard/objects/prod_none"); got.status != http.StatusNotFound {
			t.Errorf("an object that is none: %d", got.status)
		}
	})
}

// TestPages_AnObjectOfAConnectedAccount is shown alone, where the id leads to several,
// and so are its dead events.
func TestPages_AnObjectOfAConnectedAccount(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, b := rejecting(t, url)
		shop := func(event string) []byte { return set(product(event, "prod_gold"), "account", "acct_shop") }
		s.mustDie(product("evt_own", "prod_gold"), shop("evt_shop1"), shop("evt_shop2"))
		b.mended.Store(true)
		ada := s.person(token)
		found := ada.must("/dashboard/search?q=prod_gold")
		found.says("2 things are found", "Object of events like product of acct_shop")
		links := find(found.doc, func(n *html.Node) bool { return strings.HasSuffix(attr(n, "href"), "prod_gold?account=acct_shop") })
		if len(links) != 1 {
			t.Fatalf("%d links lead to the account's object", len(links))
		}
		object := ada.must(attr(links[0], "href"))
		object.says("prod_gold", "of acct_shop", "2 events on this page are dead")
		if got := object.keys("events"); len(got) != 2 {
			t.Errorf("the account's events are %v, want two", got)
		}
		preview := ada.press(object, "Replay the dead ones")
		preview.says("Replay 2 dead letters")
		ada.ended(ada.press(preview, "Replay 2 letters")).says("succeeded 2")
		object = ada.must(object.url.String())
		object.says("stripe_products", "acct_shop")
		all := ada.follow(object, "What all accounts have of it")
		all.says("1 event on this page is dead")
		if got := all.keys("events"); len(got) != 3 {
			t.Errorf("all events are %v, want three", got)
		}
		event := ada.must("/dashboard/events/evt_shop1")
		if of := ada.follow(event, "prod_gold"); of.url.RawQuery != "account=acct_shop" {
			t.Errorf("the event leads to %s, want the object of its account", of.url)
		}
	})
}

// TestPages_SearchLeadsThere: one thing is led to, none says what can be pasted.
func TestPages_SearchLeadsThere(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, _ := rejecting(t, url)
		s.mustDie(product("evt_1", "prod_1"))
		ada := s.person(token)
		for q, want := range map[string]string{"evt_1": "/dashboard/events/evt_1", "+prod_1+": "/dashboard/objects/prod_1"} {
			if got := ada.must("/dashboard/search?q=" + q); got.url.Path != want {
				t.Errorf("%s leads to %s, want %s", q, got.url, want)
			}
		}
		ada.must("/dashboard/search?q=cus_unknown").says("Nothing is known by this name", "cus_unknown", "What can be pasted")
		ada.must("/dashboard/search").says("Paste any id", "What can be pasted")
	})
}

// TestPages_RefuseWhatIsNoText: what Postgres refuses as text never reaches it.
func TestPages_RefuseWhatIsNoText(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		ada := mustStart(t, url, app.Options{}).person(token)
		for _, no := range []string{"%00", "%FF"} {
			for _, path := range []string{
				"events/" + no, "events?event_type=" + no, "events/" + no + "/payload", "objects/" + no, "tasks/" + no, "tasks?kind=" + no,
				"search?q=" + no, "dead-letter-queue?event_type=" + no, "dead-letter-queue/groups/" + no,
			} {
				if got := ada.open("/dashboard/" + path); got.status != http.StatusBadRequest {
					t.Errorf("%s: %d %s", path, got.status, got.text())
				}
			}
			for path, field := range map[string]string{
				lettersPage + "/preview": "event_type", lettersPage + "/bulk": "token", "/dashboard/events/evt_1/replay": "reason",
			} {
				form := map[string][]string{"do": {"retry-matching"}, field: {strings.NewReplacer("%00", "\x00", "%FF", "\xff").Replace(no)}}
				if got := ada.send(http.MethodPost, path, form); got.status != http.StatusBadRequest {
					t.Errorf("%s with %s: %d %s", path, no, got.status, got.text())
				}
			}
		}
	})
}

const (
	// hostile is text that wants to be markup, and marker what must not be seen.
	hostile = `<script>alert(1)</script><img src=x onerror=alert(2)>"'`
	marker  = "marker.of.the.test@example.com"
)

// TestPages_ShowTextAsText: what an event or an error says is never markup, and
// never unmasked without a reason that is kept.
func TestPages_ShowTextAsText(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		body := set(product("evt_hostile", "prod_hostile"), "data.object.metadata", map[string]any{
			hostile: hostile, "receipt_email": marker,
		})
		body = set(body, "data.object.updated", 12345678901234567)
		body = set(body, "data.object.active", hostile) // of the wrong kind: rejected
		body = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(body)))
		s.mustDie(body)
		quoted := "'" + strings.ReplaceAll(hostile, "'", "''") + "'"
		s.mustExec([]string{
			"UPDATE webhook_dead_letter_queue SET error_message = " + quoted + ", error_class = " + quoted,
			"UPDATE stripe_webhook_events SET error_message = " + quoted,
		})
		ada := s.person(token)
		list := ada.must(lettersPage)
		group := ada.follow(list, "product.created")
		event := ada.must("/dashboard/events/evt_hostile")
		preview := ada.press(list, "Replay…", "do", "retry-matching")
		task := ada.ended(ada.press(preview, "Replay 1 letter", "reason", hostile))
		pages := []page{
			list, group, event, preview, task, ada.must("/dashboard/objects/prod_hostile"), ada.must("/dashboard/events"),
			ada.must("/dashboard/tasks"), ada.must("/dashboard/search?q=%3Cscript%3Ealert(1)%3C/script%3E"),
			ada.open("/dashboard/events/evt_hostile/payload"),
		}
		for _, p := range pages {
			if p.header.Get("Content-Type") == "text/html; charset=utf-8" && (strings.Contains(p.body, "<script>alert") || strings.Contains(p.body, "<img src=x")) {
				t.Errorf("%s has markup of an event", p.url)
			}
			if strings.Contains(p.body, marker) {
				t.Errorf("%s shows what is to be masked", p.url)
			}
		}
		event.says("12345678901234567") // exact
		list.says(`<script>alert(1)</script>`)

		ada.press(event, "Show the payload", "reason", "").says("Nothing was changed", "Say why")
		revealed := ada.press(event, "Show the payload", "reason", "a customer asks")
		revealed.says(marker, "<script>alert(1)</script><img src=x onerror=alert(2)>", "because: a customer asks")
		if got := revealed.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("the payload may be cached: %q", got)
		}
		if strings.Contains(revealed.body, "<script>alert") {
			t.Error("the payload is markup")
		}
		if got := s.query("SELECT actor, reason FROM webhook_audit_trail WHERE action = 'event.reveal'"); len(got) != 1 || got[0] != "actor=ada | reason=a customer asks" {
			t.Errorf("the audit trail has %v", got)
		}
		if again := ada.must("/dashboard/events/evt_hostile"); strings.Contains(again.body, marker) {
			t.Error("it is still revealed")
		}
	})
}
