package app_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/quotekit/quotekit/app"
)

// TestLetters_AreFilteredByReviewAndMode: by the API and on the page alike, and a bulk
// act takes no others than are shown.
func TestLetters_AreFilteredByReviewAndMode(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		mustBury(t, s.Store(), set(product("evt_live", "prod_1"), "livemode", true), set(product("evt_test", "prod_2"), "livemode", false))
		s.mustExec([]string{
			"UPDATE webhook_dead_letter_queue SET requires_manual_review = TRUE WHERE stripe_event_id = 'evt_live'",
			"UPDATE webhook_dead_letter_queue SET requires_manual_review = FALSE WHERE stripe_event_id = 'evt_test'",
		})
		ada := s.person(token)
		for query, want := range map[string][]string{
			"livemode=true": {"evt_live"}, "livemode=false": {"evt_test"},
			"requires_manual_review=true": {"evt_live"}, "requires_manual_review=false": {"evt_test"},
			"requires_manual_review=true&livemode=false": {},
		} {
			_, answer := s.call("GET", "/v1/monitor/dead-letter-queue?"+query, "")
			got, ids := []string{}, []string(nil)
			for _, item := range answer["items"].([]any) {
				got = append(got, item.(map[string]any)["stripe_event_id"].(string))
				ids = append(ids, item.(map[string]any)["id"].(string))
			}
			if !slices.Equal(got, want) || len(answer["groups"].([]any)) != 0 {
				t.Errorf("%s: got %v, want %v and no groups", query, answer, want)
			}
			page := ada.must(lettersPage + "?" + query)
			if keys := page.keys("letters"); !slices.Equal(keys, ids) {
				t.Errorf("the page of %s has %v, want %v", query, keys, ids)
			}
			if len(want) > 0 {
				ada.press(page, "Replay…", "do", "retry-matching").says("Replay 1 dead letter", want[0])
			}
		}
		for _, path := range []string{"/dashboard/dead-letter-queue?livemode=maybe", "/dashboard/dead-letter-queue?requires_manual_review=1"} {
			if got := ada.open(path); got.status != http.StatusBadRequest {
				t.Errorf("%s: %d", path, got.status)
			}
		}
	})
}

// TestLetters_ThePreviewCountsThoseWithoutAHandler: nothing takes them any more.
func TestLetters_ThePreviewCountsThoseWithoutAHandler(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		mustBury(t, s.Store(), product("evt_1", "prod_1"), set(product("evt_2", "prod_2"), "type", "product.forgotten"))
		_, answer := s.call("POST", bulkPath, `{"action":"retry","filter":{"resolved":false},"dry_run":true}`)
		if summary, _ := answer["summary"].(map[string]any); summary["no_handler"] != float64(1) {
			t.Errorf("got %v, want one without a handler", answer)
		}
		ada := s.person(token)
		ada.press(ada.must(lettersPage), "Replay…", "do", "retry-matching").says("1 without a handler")
	})
}
