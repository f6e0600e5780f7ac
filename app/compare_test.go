package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

// TestCompare_ShowsWhatStripeHasNow: by the API and on the page, masked, and with
// what Stripe says where it does not answer with the object.
func TestCompare_ShowsWhatStripeHasNow(t *testing.T) {
	onBoth(t, func(t *testing.T, databaseURL string) {
		fake := stripetest.New(t, time.Now)
		c := withStripe(databaseURL, fake)
		c.ReconcileMinutes = 0
		s := mustStartWith(t, c, app.Options{})
		body := product("evt_1", "prod_1")
		s.post(body)
		object := []byte(gjson.GetBytes(body, "data.object").Raw)
		object = set(set(object, "active", !gjson.GetBytes(object, "active").Bool()), "description", somebody+" "+somebodysMail)
		fake.Put(object)
		ada := s.person(token)
		const event, compare = "/dashboard/events/evt_1", "/v1/monitor/events/evt_1/compare"

		status, answer := s.call("POST", compare, "")
		list, _ := answer["differences"].([]any)
		if status != http.StatusOK || len(list) != 2 || answer["deleted"] != false || answer["object_id"] != "prod_1" {
			t.Fatalf("got %d %v", status, answer)
		}
		page := ada.press(ada.must(event), "Compare with Stripe now")
		page.says("Against the object as Stripe has it now", "active true false", "description", "•••", "Compare with Stripe again")
		if got := len(fake.Requests("/v1/products/prod_1")); got != 2 {
			t.Errorf("Stripe was asked %d times, want once for each look", got)
		}
		shown{"the page": page.body, "the answer": string(mustJSON(t, answer))}.check(t, canaries...)

		// One request each: what Stripe says is shown, and nothing is asked again.
		for _, failed := range []struct {
			fault  stripetest.Fault
			status int
			words  string
		}{
			{stripetest.Fault{Status: 404, Code: "resource_missing"}, 200, ""},
			{stripetest.Fault{Status: 429, Code: "rate_limit"}, 503, "too many requests"},
			{stripetest.Fault{Status: 500}, 503, "status 500"},
			{stripetest.Fault{Status: 401}, 409, "refuses the key"},
			{stripetest.Fault{Cut: true}, 503, "no answer from Stripe"},
		} {
			fake.Fail(failed.fault, failed.fault)
			status, answer := s.call("POST", compare, "")
			detail, _ := answer["detail"].(string)
			if status != failed.status || !strings.Contains(detail, failed.words) {
				t.Errorf("after %+v: %d %v", failed.fault, status, answer)
			}
			page := ada.press(ada.must(event), "Compare with Stripe now")
			if failed.words == "" {
				if answer["deleted"] != true {
					t.Errorf("a product that is not found is %v", answer)
				}
				page.says("Deleted. Stripe says that prod_1 is deleted")
				continue
			}
			page.says("Not compared.", failed.words)
		}

		s.post(customer("evt_2", "cus_2"))
		if status, answer := s.call("POST", "/v1/monitor/events/evt_2/compare", ""); status != http.StatusConflict ||
			!strings.Contains(answer["detail"].(string), "Stripe finds no customer cus_2") {
			t.Errorf("a customer that is not found: %d %v", status, answer)
		}
		if status, _ := s.call("POST", "/v1/monitor/events/evt_none/compare", ""); status != http.StatusNotFound {
			t.Errorf("an event that is none: %d", status)
		}
	})
}
