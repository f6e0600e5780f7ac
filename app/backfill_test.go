package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/reconcile"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

// backfill fills the mirror and returns the report.
func (s *service) backfill(body string) (r reconcile.BackfillReport) {
	s.t.Helper()
	t := s.taskEnd(s.start("/v1/monitor/backfill", body))
	if t.Status != quotekit.TaskCompleted {
		s.t.Fatalf("the backfill is %s: %s", t.Status, t.Error)
	}
	if err := json.Unmarshal(t.Report, &r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

// objectRows are the rows of the mirror as far as the objects of Stripe's lists
// determine them: without history, and without those of which the lists do not
// tell (sessions, what was deleted or detached, customers known only by their id).
func (s *service) objectRows() []string {
	return slices.DeleteFunc(s.mirror(), func(line string) bool {
		return strings.HasPrefix(line, "subscription_changes") || strings.HasPrefix(line, "stripe_checkout_sessions") ||
			strings.HasPrefix(line, "stripe_customers") && (strings.Contains(line, "deleted=true") || strings.Contains(line, "stripe_created_at=null")) ||
			strings.HasPrefix(line, "payment_methods") && !strings.Contains(line, "detached_at=null")
	})
}

// withoutColumns leaves out what the lists cannot tell.
func withoutColumns(lines []string, columns ...string) []string {
	var out []string
	for _, line := range lines {
		parts := slices.DeleteFunc(strings.Split(line, separator), func(part string) bool {
			name, _, _ := strings.Cut(part[strings.LastIndex(part, ": ")+1:], "=")
			return slices.Contains(columns, strings.TrimSpace(name))
		})
		out = append(out, strings.Join(parts, separator))
	}
	slices.Sort(out)
	return out
}

// TestBackfill_GivesTheRowsThatTheEventsGave into an empty database; and after the
// events it changes nothing.
func TestBackfill_GivesTheRowsThatTheEventsGave(t *testing.T) {
	t.Parallel()
	end := time.Unix(1_790_000_000, 0)
	events := lives(20, end)
	onBoth(t, func(t *testing.T, url string) {
		c := clockAt(end.Add(time.Hour))
		fake := stripetest.New(t, c.now)
		fake.Happen(events...)
		byEvents := mustStartWith(t, withStripe(another(t, url), fake), c.options())
		byEvents.deliverAll(events)
		want := byEvents.objectRows()

		s := mustStartWith(t, withStripe(url, fake), c.options())
		r := s.backfill(`{"reason":"first installation"}`)
		for _, name := range reconcile.Lists() {
			if l := r.Lists[name]; l == nil || !l.Done || l.Imported == 0 || l.Imported != l.Listed || l.Failed+l.Pending > 0 {
				t.Errorf("%s: got %+v", name, l)
			}
		}
		// When an object was last seen, who the user is where only a session tells,
		// and what only a setup intent tells is not in the lists.
		unknown := []string{"snapshot_at", "user_id", "stripe_setup_intent_id", "usage", "stripe_mandate_id"}
		if d := diff(withoutColumns(s.objectRows(), unknown...), withoutColumns(want, unknown...)); d != "" {
			t.Errorf("the rows are not those that the events gave:\n%s", d)
		}
		if len(want) < 100 {
			t.Errorf("got only %d rows", len(want))
		}

		all := withoutColumns(byEvents.mirror(), "snapshot_at")
		byEvents.backfill(`{}`)
		if d := diff(withoutColumns(byEvents.mirror(), "snapshot_at"), all); d != "" {
			t.Errorf("the backfill changed what the events gave:\n%s", d)
		}

		// The events arrive after all, late and out of order: nothing is undone.
		backwards := slices.Clone(events)
		slices.Reverse(backwards)
		s.deliverAll(backwards)
		if d := diff(withoutColumns(s.mirror(), "snapshot_at"), all); d != "" {
			t.Errorf("events that arrive after the backfill leave other rows:\n%s", d)
		}
	})
}

// TestBackfill_AnOldEventDoesNotOverwrite what was listed, and a newer one does.
func TestBackfill_AnOldEventDoesNotOverwrite(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := clockAt(time.Unix(1_775_000_000, 0))
		fake := stripetest.New(t, c.now)
		object := gjson.GetBytes(product("evt_1", "prod_1"), "data.object").Raw
		fake.Put(set([]byte(object), "name", "Now"))
		s := mustStartWith(t, withStripe(url, fake), c.options())
		s.backfill(`{"only":["products"]}`)
		name := func() string { return s.value("SELECT name FROM stripe_products") }
		if got := name(); got != "Now" {
			t.Fatalf("got %s", got)
		}
		s.post(productAt("evt_old", "prod_1", c.ago(time.Hour)))
		if got := name(); got != "Now" {
			t.Errorf("got %s after an old event", got)
		}
		s.post(set(productAt("evt_new", "prod_1", c.now().Add(time.Minute).Unix()), "data.object.name", "Later"))
		if got := name(); got != "Later" {
			t.Errorf("got %s after a newer event", got)
		}
		if got := s.query("SELECT actor, action, target FROM webhook_audit_trail WHERE actor = 'backfill'"); fmt.Sprint(got) != "[actor=backfill | action=event.imported | target=prod_1]" {
			t.Errorf("got %v", got)
		}
	})
}

// TestBackfill_PagesFaultsAndARestart: lists of several pages, with answers that
// fail; the service is stopped in the middle and goes on where it was.
func TestBackfill_PagesFaultsAndARestart(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		c := clockAt(time.Unix(1_775_000_000, 0))
		fake := stripetest.New(t, c.now)
		for i := range 230 {
			fake.Put(fmt.Appendf(nil, `{"id":"cus_%03d","object":"customer","created":%d,"livemode":false,"metadata":{}}`, i, 1_770_000_000+i/10))
		}
		for i := range 120 {
			fake.Put(fmt.Appendf(nil, `{"id":"pm_%03d","object":"payment_method","type":"card","created":1770000000,"livemode":false,"customer":"cus_007","card":{"last4":"4242"}}`, i))
		}
		fake.Put([]byte(`{"id":"in_draft","object":"invoice","created":1770000000,"livemode":false,"status":"draft","customer":"cus_007"}`))
		fake.Put([]byte(`{"id":"in_open","object":"invoice","created":1770000001,"livemode":false,"status":"open","customer":"cus_007"}`))
		config := withStripe(url, fake)
		s := mustStartWith(t, config, c.options())
		fake.Fail(stripetest.Fault{}, stripetest.Fault{Status: 500}, stripetest.Fault{Status: 429, Code: "rate_limit"}, stripetest.Fault{Cut: true})
		reached, release := make(chan struct{}), make(chan struct{})
		free := sync.OnceFunc(func() { close(release) })
		t.Cleanup(free)
		var once sync.Once
		fake.Before(func(r *http.Request) {
			if r.URL.Query().Get("starting_after") != "" && len(fake.Requests("/v1/customers/cus_007/")) >= 2 {
				once.Do(func() { close(reached) })
				<-release
			}
		})
		id := s.start("/v1/monitor/backfill", `{"only":["customers","payment_methods","invoices"]}`)
		mustCome(t, reached) // the second page of the payment methods of one customer
		s.stop()
		fake.Before(nil)
		free()
		before := len(fake.Requests("/v1/customers"))

		s = mustStartWith(t, config, c.options())
		task := s.taskEnd(id)
		var r reconcile.BackfillReport
		if err := json.Unmarshal(task.Report, &r); err != nil || task.Status != quotekit.TaskCompleted {
			t.Fatalf("got %s %s, %v", task.Status, task.Error, err)
		}
		for name, want := range map[string]reconcile.ListReport{
			"customers":       {Listed: 230, Imported: 230, Done: true},
			"payment_methods": {Listed: 120, Imported: 120, Done: true},
			"invoices":        {Listed: 2, Skipped: 1, Imported: 1, Done: true},
		} {
			if got := r.Lists[name]; got == nil || *got != want {
				t.Errorf("%s: got %+v, want %+v", name, got, want)
			}
		}
		if first := fake.Requests("/v1/customers")[before]; first.Path != "/v1/customers/cus_007/payment_methods" || !strings.Contains(first.Query, "starting_after=pm_") {
			t.Errorf("it went on with %s?%s", first.Path, first.Query)
		}
		counts := s.query("SELECT (SELECT COUNT(*) FROM stripe_customers) AS customers, (SELECT COUNT(*) FROM payment_methods) AS methods, (SELECT COUNT(*) FROM stripe_invoices) AS invoices")
		if fmt.Sprint(counts) != "[customers=230 | methods=120 | invoices=1]" {
			t.Errorf("got %v", counts)
		}
	})
}

// TestBackfill_KeepsTheBudget measures the requests as they arrive.
func TestBackfill_KeepsTheBudget(t *testing.T) {
	t.Parallel()
	fake := stripetest.New(t, time.Now)
	for i := range 40 {
		fake.Put(fmt.Appendf(nil, `{"id":"cus_%03d","object":"customer","created":1770000000,"livemode":false}`, i))
	}
	config := withStripe(storetest.SQLiteURL(t, tables), fake)
	config.StripeRequestsPerSecond = 20
	s := mustStartWith(t, config, app.Options{})
	s.backfill(`{"only":["customers","payment_methods"]}`)
	asked := fake.Requests("/v1/")
	if len(asked) < 41 {
		t.Fatalf("got %d requests", len(asked))
	}
	for i := range asked[:len(asked)-21] {
		if took := asked[i+21].At.Sub(asked[i].At); took < 900*time.Millisecond {
			t.Errorf("22 requests came within %s, want more than a second at 20 a second", took)
		}
	}
}
