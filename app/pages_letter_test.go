package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

// mustSendLetter puts an event into the dead letter queue as another program does.
func (s *service) mustSendLetter(event, data string) {
	s.t.Helper()
	const insert = `INSERT INTO webhook_dead_letter_queue (id, stripe_event_id, event_type, event_data, failure_reason, error_message, first_failed_at, last_failed_at)
VALUES ($1, $2, 'product.created', $3, 'THEIR_REASON', 'it broke', '2026-01-02 03:04:05', '2026-01-02 03:04:05')`
	text, args := insert, []any{quotekit.DeadLetterID(event), event, data}
	if s.Store().Postgres() {
		text, args = `SELECT send_to_dead_letter_queue($1, 'product.created', $2, 'THEIR_REASON', p_error_message => 'it broke')`, []any{event, data}
	}
	if _, err := s.Store().Writer().ExecContext(s.t.Context(), text, args...); err != nil {
		s.t.Fatal(err)
	}
}

// TestPages_ALetterOfAnotherProgram has a page of its own, to which the list, the
// search and the event's address lead, and where it is resolved and revealed.
func TestPages_ALetterOfAnotherProgram(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, _ := rejecting(t, url)
		s.mustSendLetter("evt_theirs", `{"id": "evt_theirs", "data": {"object": {"id": "prod_1", "name": "`+marker+`"}}}`)
		id := quotekit.DeadLetterID("evt_theirs")
		path := lettersPage + "/letters/" + id
		ada := s.person(token)
		list := ada.must(lettersPage)
		list.says("evt_theirs", "never received here")
		group := ada.follow(list, "product.created")
		group.says("THEIR_REASON", "another program has written its letter")
		for what, led := range map[string]page{
			"the list": ada.follow(list, "evt_theirs"), "the group": ada.follow(group, "evt_theirs"), "its sample": ada.follow(group, "its letter"),
			"the event": ada.must("/dashboard/events/evt_theirs"),
			"a search":  ada.must("/dashboard/search?q=evt_theirs"), "a search for the letter": ada.must("/dashboard/search?q=" + id),
		} {
			if led.url.Path != path {
				t.Errorf("%s leads to %s, want %s", what, led.url, path)
			}
		}
		letter := ada.must(path)
		letter.says("State open", "needs a person", "product.created", "THEIR_REASON", "it broke", "Age ", "was never received here",
			"Put into the dead letter queue by", "prod_1", "nothing that could be attempted again")
		if !strings.Contains(letter.body, "GET /v1/monitor/dead-letter-queue/"+id) {
			t.Error("the page does not name the endpoint with the same data")
		}
		if strings.Contains(letter.body, marker) {
			t.Error("the payload is not masked")
		}
		if b := letter.button("Attempt its event again"); b == nil || !disabled(b) {
			t.Error("there is nothing to attempt, and there is a button for it")
		}
		ada.follow(letter, "error group").says("THEIR_REASON")
		ada.follow(letter, "Everything about it")
		twin := lasting(t, ada.must("/dashboard/json/dead-letter-queue/letters/"+id).body).(map[string]any)
		if twin["id"] != id || twin["status"] != "" || twin["days_left_at_stripe"] == nil || len(twin["timeline"].([]any)) == 0 {
			t.Errorf("as JSON: %v", twin)
		}
		if api := lasting(t, s.operator("/v1/monitor/dead-letter-queue/evt_theirs")); !equalJSON(api, lasting(t, ada.must("/dashboard/json/events/evt_theirs").body)) {
			t.Error("the event's address has other JSON than the letter's endpoint")
		}

		ada.press(letter, "Show the payload", "reason", "").says("Nothing was changed", "Say why")
		revealed := ada.press(letter, "Show the payload", "reason", "a customer asks")
		revealed.says(marker, "because: a customer asks")
		if back := ada.follow(revealed, "Back"); back.url.Path != path {
			t.Errorf("the way back leads to %s", back.url)
		}
		if got := s.query("SELECT actor, stripe_event_id, target FROM webhook_audit_trail WHERE action = 'event.reveal'"); len(got) != 1 ||
			got[0] != "actor=ada | stripe_event_id=evt_theirs | target="+id {
			t.Errorf("the audit trail has %v", got)
		}
		ada.press(letter, "Resolve it", "reason", "").says("Nothing was changed", "Say why")
		ada.press(letter, "Resolve it", "reason", "applied by hand").says("The dead letter of evt_theirs is resolved", "State resolved", "because: applied by hand")
		ada.press(letter, "Resolve it", "reason", "twice").says("Nothing was changed", "resolved already")
		ada.must(lettersPage).says("Nothing is dead")
		ada.must(group.url.Path).says("State resolved")
		for _, unknown := range []string{lettersPage + "/letters/" + quotekit.NewID(), lettersPage + "/letters/none", "/dashboard/events/none", "/dashboard/json/events/none"} {
			if got := ada.open(unknown); got.status != http.StatusNotFound {
				t.Errorf("%s: %d", unknown, got.status)
			}
		}
		viewer := s.person(mustMint(t, jwtSecret, rest.RoleViewer))
		shown := viewer.must(path)
		for _, words := range []string{"Resolve it", "Show the payload"} {
			if !disabled(shown.button(words)) {
				t.Errorf("a viewer can press %q", words)
			}
		}
		if got := viewer.send(http.MethodPost, path+"/resolve", nil); got.status != http.StatusForbidden {
			t.Errorf("a viewer resolves: %d", got.status)
		}
	})
}

// TestPages_AnotherLetterOfAStoredEvent: the application's own row beside the one that
// the service makes. Its event can be attempted from there.
func TestPages_AnotherLetterOfAStoredEvent(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, b := rejecting(t, url)
		s.mustDie(product("evt_1", "prod_1"))
		id := quotekit.NewID()
		s.mustExec([]string{`INSERT INTO webhook_dead_letter_queue (id, stripe_event_id, event_type, event_data, failure_reason, first_failed_at, last_failed_at)
			VALUES ('` + id + `', 'evt_1', 'product.created', '{}', 'OLD', '2026-01-02 03:04:05', '2026-01-02 03:04:05')`})
		ada := s.person(token)
		if ours := ada.must(lettersPage + "/letters/" + quotekit.DeadLetterID("evt_1")); ours.url.Path != "/dashboard/events/evt_1" {
			t.Errorf("the service's own letter is shown at %s, want with its event", ours.url)
		}
		letter := ada.must("/dashboard/search?q=" + id)
		letter.says("OLD", "Its event is here, too: evt_1 is dead", "There is none, or it was deleted")
		if !disabled(letter.button("Show the payload")) {
			t.Error("there is no payload, and a button to show it")
		}
		b.mended.Store(true)
		letter = ada.attempted(ada.press(letter, "Attempt its event again", "reason", "mended"), "evt_1")
		letter.says("State resolved", "evt_1 is succeeded")
	})
}

// TestPages_ALetterWhoseEventWasDeleted: what is left is shown alone, too, and not
// taken for another program's.
func TestPages_ALetterWhoseEventWasDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, _ := rejecting(t, url)
		s.mustDie(product("evt_1", "prod_1"))
		ada := s.person(token)
		ada.press(ada.must("/dashboard/events/evt_1"), "Resolve without", "reason", "test data")
		s.mustExec([]string{"DELETE FROM stripe_webhook_events"})
		letter := ada.must("/dashboard/events/evt_1")
		letter.says("State resolved", "Its event was deleted because of its age", "Received, and its signature verified", "Resolved by hand")
		if text := letter.text(); strings.Contains(text, "another program") || strings.Contains(text, "never received") {
			t.Errorf("it is taken for another program's: %s", text)
		}
		ada.must(lettersPage+"?resolved=true").says("evt_1", "event not here")
	})
}
