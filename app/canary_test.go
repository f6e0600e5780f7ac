package app_test

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

// Where the canaries are looked for: a place, like a path, and what it shows.
type shown map[string]string

// check wants none of the values anywhere.
func (places shown) check(t *testing.T, values ...string) {
	t.Helper()
	found := 0
	for _, place := range slices.Sorted(maps.Keys(places)) {
		text := places[place]
		for _, value := range values {
			if i := strings.Index(text, value); i >= 0 {
				found++
				t.Errorf("%s shows %q: …%s…", place, value, text[max(0, i-200):min(len(text), i+200)])
			}
		}
		if found > 20 {
			t.Fatal("and so on")
		}
	}
}

// The canaries of this test are people. A single word would be taken for that of a
// status, where it stands in the place of one.
const (
	somebody      = "Aedon Nachtigall"
	somebodysMail = "aedon@nachtigall.example"
)

// canaries are parts of all that is planted.
var canaries = []string{"Aedon", "Nachtigall", "nachtigall", canaryCard}

// peopled puts the canaries of this test into an event with those of the log's. Keys
// may be shown, so that those which are canaries are renamed.
func peopled(body []byte) []byte {
	return []byte(strings.NewReplacer(
		`"`+canaryText+`":`, `"whose":`, `"`+canaryEmail+`":`, `"whose":`, canaryEmail, somebodysMail, canaryText, somebody,
	).Replace(string(body)))
}

// TestCanary_IsShownNowhere plants e-mail addresses, names, card data and secrets in
// events, of which some are applied, some are retried and some die, and in what a
// bulk operation creates. Then it looks for them in every page that a link leads to,
// in every answer of the operators' API, in what is downloaded, in alerts as they are
// delivered, and in the log at debug level.
func TestCanary_IsShownNowhere(t *testing.T) {
	onBoth(t, func(t *testing.T, databaseURL string) {
		t.Parallel() // it waits for alerts
		var log, told notebook
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(&told, r.Body); err != nil {
				t.Error(err)
			}
		}))
		t.Cleanup(receiver.Close)
		c := batchConfig(databaseURL)
		c.AlertWebhookURL, c.AlertSlackURL, c.AlertmanagerURL = receiver.URL, receiver.URL, receiver.URL
		fake := stripetest.New(t, time.Now)
		c.StripeSecretKey, c.StripeAPIBase, c.StripeRequestsPerSecond = stripetest.Key, fake.URL, 100
		s := mustStartWith(t, c, app.Options{
			Routes: panicking(handlers.Routes()),
			Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		s.mustExec(triggers[s.Store().Dialect().String()].create)

		statuses := map[string]int{}
		plantIn := func(name, id string) {
			body := peopled(mustJSON(t, planted(t, fixture(t, name), id)))
			fake.Put([]byte(gjson.GetBytes(body, "data.object").Raw))
			statuses[s.post(body).Status]++
		}
		for name := range fixtures(t) {
			plantIn(name, "evt_"+strings.Map(letterOrDigit, name))
		}
		plantIn("customer.created.dahlia.journey-a", "panic")
		for _, body := range spoiled(t, fixture(t, "invoice.payment_succeeded.dahlia.proration"), "bad_invoice") {
			statuses[s.post(peopled(body)).Status]++
		}
		statuses[s.post(customer("evt_refused", "cus_refused")).Status]++
		if statuses["succeeded"] < 80 || statuses["dead"] < 20 || statuses["pending"] < 2 || statuses["ignored"] == 0 {
			t.Fatalf("the events are %v", statuses)
		}
		u := s.user()
		created := u.run("bulk_create_clients", []any{
			map[string]any{"name": somebody, "email": somebodysMail, "phone": canaryCard, "address": somebody, "notes": somebody},
			map[string]any{"name": strings.Repeat(somebody, 100)},
			map[string]any{"email": somebodysMail},
		}, nil)
		if created.SucceededItems == 0 || created.FailedItems == 0 {
			t.Fatalf("created %+v", created)
		}
		u.run("delete_clients", []any{"018f0000-0000-7000-8000-000000000000"}, nil)
		_, preview := s.call("POST", "/v1/monitor/dead-letter-queue/bulk", `{"action":"retry","filter":{"reason":"HANDLER_REJECTED"},"dry_run":true}`)
		token2, _ := preview["token"].(string)
		if status, task := s.call("POST", "/v1/monitor/dead-letter-queue/bulk", `{"token":"`+token2+`","reason":"again"}`); status/100 != 2 {
			t.Fatalf("the bulk act is answered %d %v", status, task)
		}
		eventually(t, time.Minute, "the end of the task", func() bool {
			return s.value("SELECT COUNT(*) AS n FROM webhook_tasks WHERE status = 'completed'") == "1"
		})
		eventually(t, time.Minute, "alerts through three channels", func() bool {
			return s.value("SELECT COUNT(DISTINCT channel) AS n FROM webhook_alert_deliveries WHERE status = 'delivered'") == "3"
		})

		ada := s.person(token)
		places := ada.crawl()
		maps.Copy(places, s.askEverything())
		maps.Copy(places, s.compareEverything(ada, fake))
		places["the log"], places["what was told"] = log.String(), told.String()
		if len(places) < 100 || len(places["what was told"]) < 200 || len(places["the log"]) < 10000 {
			t.Errorf("looked at %d places, %d bytes of alerts and %d of the log, which shows nothing",
				len(places), len(places["what was told"]), len(places["the log"]))
		}
		for _, form := range []string{"/dashboard/events/", "/dashboard/json/events/", "/dashboard/objects/", "/dashboard/dead-letter-queue/groups/", "/dashboard/batch-jobs/", "/dashboard/tasks/", ".csv"} {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(places)), func(place string) bool { return strings.Contains(place, form) }) {
				t.Errorf("no page like %s was looked at", form)
			}
		}
		places.check(t, append(canaries, secret, token, jwtSecret, u.token)...)

		// With a reason an admin may look, once. Nothing else shows more than before.
		const event = "/dashboard/events/panic"
		revealed := ada.send(http.MethodPost, event+"/reveal", url.Values{"reason": {"somebody asks for it"}})
		if revealed.status != http.StatusOK || !strings.Contains(revealed.body, somebodysMail) {
			t.Errorf("the reveal is answered %d and does not show what was planted", revealed.status)
		}
		_, answer := s.call("POST", "/v1/monitor/events/panic/reveal", `{"reason":"somebody asks again"}`)
		if payload, _ := answer["payload"].(string); !strings.Contains(payload, somebodysMail) {
			t.Errorf("the reveal of the API is %.200v, want the payload", answer)
		}
		if got := s.query("SELECT actor, reason FROM webhook_audit_trail WHERE reason LIKE 'somebody asks%' ORDER BY id"); len(got) != 2 {
			t.Errorf("the audit trail has %q, want both looks", got)
		}
		again := shown{event: ada.must(event).body, "the trail": ada.must("/dashboard/audit-trail").body, "the log": log.String()}
		again.check(t, canaries...)
		if !strings.Contains(again["the trail"], "somebody asks for it") {
			t.Error("the page of the audit trail does not say that somebody has looked")
		}
	})
}

// compareEverything lets every object at Stripe be another one, with the canaries in
// it, and compares all that succeeded with that, by the API and on their pages.
func (s *service) compareEverything(ada *person, fake *stripetest.Server) shown {
	s.t.Helper()
	places, different := shown{}, 0
	for _, line := range s.query("SELECT stripe_event_id FROM stripe_webhook_events WHERE status = 'succeeded' AND object_id IS NOT NULL ORDER BY stripe_event_id") {
		_, id, _ := strings.Cut(line, "stripe_event_id=")
		id, _, _ = strings.Cut(id, " | ")
		_, payload := s.call("POST", "/v1/monitor/events/"+id+"/reveal", `{"reason":"to change it"}`)
		text, _ := payload["payload"].(string)
		object := []byte(gjson.Get(text, "data.object").Raw)
		for _, field := range []string{"name", "description", "email", "nickname", "metadata", "status"} {
			object = set(object, field, map[string]any{"whose": somebody + " again", somebodysMail[:5]: somebodysMail, "card": canaryCard})
		}
		fake.Put(object)
		status, answer := s.call("POST", "/v1/monitor/events/"+id+"/compare", "")
		if list, _ := answer["differences"].([]any); status == http.StatusOK && len(list) > 0 {
			different++
		}
		places["POST compare of "+id] = fmt.Sprint(answer)
		if len(places) < 3*ofAForm {
			places["the page that compares "+id] = ada.send(http.MethodPost, "/dashboard/events/"+id+"/compare", nil).body
		}
	}
	if different < 20 {
		s.t.Errorf("%d comparisons show something different, which shows little", different)
	}
	return places
}

func letterOrDigit(r rune) rune {
	if r == '.' || r == '-' {
		return '_'
	}
	return r
}

// ofAForm is how many pages of a form are looked at. A form is a path without its ids,
// and the names of its query.
const ofAForm = 6

var idInPath = regexp.MustCompile(`/(evt_|bad_|[a-z]+_[0-9A-Z])[^/?]*|/[0-9a-f-]{12,}`)

// crawl follows the links of the dashboard, and returns what they lead to.
func (p *person) crawl() shown {
	p.t.Helper()
	places, forms := shown{}, map[string]int{}
	links := regexp.MustCompile(`(?:href|action)="(/dashboard[^"#]*)`)
	for queue := []string{"/dashboard"}; len(queue) > 0; queue = queue[1:] {
		path := queue[0]
		if _, ok := places[path]; ok {
			continue
		}
		got := p.open(path)
		if got.status == http.StatusMethodNotAllowed { // an act
			continue
		}
		if got.status != http.StatusOK {
			p.t.Errorf("a link leads to %s, which is answered %d", path, got.status)
		}
		places[path] = got.body
		for _, m := range links.FindAllStringSubmatch(got.body, -1) {
			next, err := url.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
			if err != nil {
				p.t.Fatal(err)
			}
			form := idInPath.ReplaceAllString(next.Path, "/ID") + "?" + fmt.Sprint(slices.Sorted(maps.Keys(next.Query())))
			if forms[form]++; forms[form] <= ofAForm {
				queue = append(queue, next.String())
			}
		}
	}
	return places
}

// askEverything asks everything of the operators' API that can be read, where it takes
// an id about some of all that there are.
func (s *service) askEverything() shown {
	s.t.Helper()
	document, err := app.OpenAPI("test")
	if err != nil {
		s.t.Fatal(err)
	}
	ids := map[string]string{ // whose ids a path takes
		"/v1/monitor/events/":            "SELECT stripe_event_id FROM stripe_webhook_events ORDER BY status, stripe_event_id",
		"/v1/monitor/dead-letter-queue/": "SELECT id FROM webhook_dead_letter_queue",
		"/v1/monitor/tasks/":             "SELECT id FROM webhook_tasks",
		"/v1/monitor/batch-jobs/":        "SELECT id FROM batch_jobs",
		"/v1/monitor/objects/":           "SELECT DISTINCT object_id FROM stripe_webhook_events WHERE object_id IS NOT NULL ORDER BY object_id",
	}
	places := shown{}
	get := func(path string) {
		req, err := http.NewRequest(http.MethodGet, s.URL()+path, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			s.t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			s.t.Errorf("GET %s: %d %s, %v", path, resp.StatusCode, body, err)
		}
		places["GET "+path] = string(body)
	}
	gjson.GetBytes(document, "paths").ForEach(func(key, operations gjson.Result) bool {
		path := key.Str
		if !strings.HasPrefix(path, "/v1/monitor/") || !operations.Get("get").Exists() {
			return true
		}
		name := wildcards.FindString(path)
		switch {
		case path == "/v1/monitor/search":
			get(path + "?q=sub_")
		case name == "":
			get(path)
		default:
			prefix, _, _ := strings.Cut(path, "{")
			query, ok := ids[prefix]
			if !ok {
				s.t.Errorf("nobody says whose ids %s takes", path)
				return true
			}
			lines := s.query(query)
			for n := 0; n < len(lines); n += 1 + len(lines)/(5*ofAForm) { // some of each kind
				_, id, _ := strings.Cut(lines[n], "=")
				get(strings.Replace(path, name, url.PathEscape(id), 1))
			}
		}
		return true
	})
	return places
}
