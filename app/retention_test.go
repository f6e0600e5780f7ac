package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/bench"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

// shortRetention is the least of what may be configured, or little more.
var shortRetention = app.Retention{
	EventDays: 45, PayloadDays: 35, LogDays: 60, DeliveryDays: 91, ActDays: 91, MinuteDays: 35, HourDays: 60, DeadLetterDays: 365,
}

// TestRetention_BoundsTheTables: a service deletes by itself what is old, and nothing
// else.
func TestRetention_BoundsTheTables(t *testing.T) {
	t.Parallel()
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := storetest.Open(t, url)
		history := bench.History{Events: 4000, Days: 100, Until: time.Now(), Logs: 1000, Trail: true, Histogram: "0 0 3:1"}
		if err := history.Fill(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		c := plainConfig(url)
		c.Retention = shortRetention
		service := mustStartWith(t, c, app.Options{})
		old := func(days int) time.Time { return time.Now().UTC().AddDate(0, 0, -days) }
		count := func(query string, args ...any) string { return service.value("SELECT COUNT(*) FROM "+query, args...) }
		const unresolved = `stripe_event_id IN (SELECT stripe_event_id FROM webhook_dead_letter_queue)`
		eventually(t, 5*time.Minute, "that what is old is gone", func() bool {
			return count(`stripe_webhook_events WHERE NOT `+unresolved+` AND received_at < $1`, old(45)) == "0" &&
				count(`stripe_webhook_events WHERE payload IS NOT NULL AND NOT `+unresolved+` AND received_at < $1`, old(35)) == "0" &&
				count(`webhook_processing_logs WHERE created_at < $1`, old(60)) == "0" &&
				count(`webhook_event_counts WHERE granularity = 'minute' AND bucket < $1`, old(35)) == "0" &&
				count(`webhook_latencies WHERE granularity = 'hour' AND bucket < $1`, old(60)) == "0" &&
				count(`webhook_audit_trail WHERE at < $1`, old(91)) == "0"
		})
		if got := count(`stripe_webhook_events WHERE payload IS NULL AND ` + unresolved); got != "0" {
			t.Errorf("%s dead letters have lost their payload", got)
		}
		for _, query := range []string{`webhook_dead_letter_queue WHERE last_failed_at < $1`, `stripe_webhook_events WHERE ` + unresolved + ` AND received_at < $1`} {
			if got := count(query, old(2)); got != "4" {
				t.Errorf("%s: got %s, want the four of the history", query, got)
			}
		}
		if got := count(`stripe_webhook_events WHERE payload IS NOT NULL AND received_at > $1`, old(34)); got < "1300" {
			t.Errorf("%s young events have their payload, want a third of 4,000", got)
		}
		if _, answer := service.call("GET", "/v1/monitor/overview?days_back=99", ""); answer["total_events"].(float64) < 3900 {
			t.Errorf("%v events are counted, want those that are gone, too", answer["total_events"])
		}
	})
}

// TestRetention_SaysThatAPayloadIsGone: by the API and on the page; the stored payload
// cannot be applied, and the current object can.
func TestRetention_SaysThatAPayloadIsGone(t *testing.T) {
	onBoth(t, func(t *testing.T, databaseURL string) {
		first, b := rejecting(t, databaseURL)
		body := product("evt_1", "prod_1")
		first.mustDie(body)
		first.mustDie(product("evt_2", "prod_1"))
		if status, answer := first.call("POST", "/v1/monitor/dead-letter-queue/evt_1/resolve", `{"reason":"no"}`); status != 200 {
			t.Fatalf("got %d %v", status, answer)
		}
		first.mustExec([]string{
			`UPDATE stripe_webhook_events SET received_at = '` + time.Now().UTC().AddDate(0, 0, -40).Format(time.DateTime+".000000+00:00") + `'`,
			`UPDATE webhook_dead_letter_queue SET resolved_at = '` + time.Now().UTC().AddDate(0, 0, -37).Format(time.DateTime+".000000+00:00") + `' WHERE resolved`,
		})
		first.stop()

		fake := stripetest.New(t, time.Now)
		fake.Put([]byte(gjson.GetBytes(body, "data.object").Raw))
		c := withStripe(databaseURL, fake)
		c.ReconcileMinutes = 0
		c.Retention = app.Retention{EventDays: 45, PayloadDays: 35}
		b.mended.Store(true)
		s := mustStartWith(t, c, app.Options{Routes: routesWith("product.created", b.handle)})
		eventually(t, 30*time.Second, "that the payload is gone", func() bool {
			return s.value("SELECT COUNT(*) FROM webhook_dead_letter_queue WHERE resolved AND CAST(event_data AS TEXT) = '{}'") == "1"
		})
		words := "was deleted on " + time.Now().UTC().Format(time.DateOnly)

		_, event := s.call("GET", "/v1/monitor/events/evt_1", "")
		if event["payload"] != "" || event["payload_bytes"] != 0.0 || event["payload_deleted_at"] == nil || event["status"] != "dead" {
			t.Errorf("got %v", event)
		}
		if _, other := s.call("GET", "/v1/monitor/events/evt_2", ""); other["payload"] == "" || other["payload_deleted_at"] != nil || other["differences_unknown"] != true {
			t.Errorf("the one that is not resolved: got %v", other)
		}
		for path, request := range map[string]string{
			"/v1/monitor/events/evt_1/replay":           `{"mode":"stored"}`,
			"/v1/monitor/events/evt_1/replay?":          `{}`,
			"/v1/monitor/dead-letter-queue/evt_1/retry": `{"reason":"again"}`,
		} {
			status, answer := s.call("POST", path, request)
			detail, _ := answer["detail"].(string)
			if status != http.StatusConflict || !strings.Contains(detail, words) || !strings.Contains(detail, "the mode current") {
				t.Errorf("%s %s: got %d %v", path, request, status, answer)
			}
		}
		if got := s.value("SELECT status FROM stripe_webhook_events WHERE stripe_event_id = 'evt_1'"); got != "dead" {
			t.Errorf("it is %s after what was refused", got)
		}
		if status, answer := s.call("POST", "/v1/monitor/events/evt_1/reveal", `{"reason":"to see"}`); status != http.StatusNotFound || !strings.Contains(answer["detail"].(string), "deleted because of its age") {
			t.Errorf("reveal: got %d %v", status, answer)
		}
		if status, answer := s.call("POST", "/v1/monitor/events/evt_1/compare", ""); status != http.StatusConflict || !strings.Contains(answer["detail"].(string), words) {
			t.Errorf("compare: got %d %v", status, answer)
		}

		ada := s.person(token)
		page := ada.must("/dashboard/events/evt_1")
		page.says("The payload "+words+", 40 days after the event was received", "The current object can be applied all the same")
		for _, button := range []string{"Apply the stored payload", "Show the payload", "Compare with Stripe"} {
			if n := page.button(button); n == nil || !disabled(n) {
				t.Errorf("the button %q can be pressed", button)
			}
		}
		ada.send(http.MethodPost, "/dashboard/events/evt_1/replay", url.Values{"mode": {"stored"}}).says("Nothing was changed", words)
		ada.must("/dashboard/events/evt_2").says("The payload of one of the two was deleted")
		page = ada.attempted(ada.press(page, "Fetch the current object"), "evt_1")
		page.says("State succeeded", "stripe_products")
		if got := s.value("SELECT COUNT(*) FROM stripe_products WHERE stripe_product_id = 'prod_1'"); got != "1" {
			t.Errorf("%s rows of the product", got)
		}
	})
}
