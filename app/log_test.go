package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
)

// What is planted in payloads, and must be found nowhere but in payloads and in
// the mirror.
const (
	canaryText  = "canary"
	canaryEmail = "canary@example.com"
	canaryCard  = "4242424242424242"
)

// notebook is a log that tests read while the service writes it.
type notebook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notebook) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

func (n *notebook) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// planted returns an event with another id, and with canaries for everything in
// its object that could be somebody's.
func planted(t *testing.T, event []byte, id string) map[string]any {
	t.Helper()
	e := map[string]any{}
	if err := json.Unmarshal(event, &e); err != nil {
		t.Fatal(err)
	}
	e["id"] = id
	if data, ok := e["data"].(map[string]any); ok {
		plant(data)
	}
	return e
}

func plant(v any) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			plant(element)
		}
	case map[string]any:
		for key, value := range v {
			_, isText := value.(string)
			switch {
			case key == "metadata":
				v[key] = map[string]any{"note": "canary of metadata", canaryText: canaryEmail}
			case isText && (key == "email" || key == "customer_email"):
				v[key] = canaryEmail
			case isText && (key == "number" || key == "last4" || key == "fingerprint"):
				v[key] = canaryCard
			case isText && slices.Contains([]string{"name", "phone", "description", "client_reference_id", "hosted_invoice_url"}, key):
				v[key] = "canary of " + key
			default:
				plant(value)
			}
		}
	}
}

// spoiled returns copies of an event with one field each of a kind it cannot be.
func spoiled(t *testing.T, event []byte, id string) [][]byte {
	t.Helper()
	var bodies [][]byte
	object := func(e map[string]any) map[string]any { return e["data"].(map[string]any)["object"].(map[string]any) }
	for field := range object(planted(t, event, id)) {
		for n, wrong := range []any{canaryText, map[string]any{canaryEmail: []any{canaryCard}}} {
			if field == "id" && n == 0 {
				continue // a text is an id, and ids may be shown
			}
			e := planted(t, event, fmt.Sprintf("%s_%s_%d", id, field, n))
			object(e)[field] = wrong
			bodies = append(bodies, mustJSON(t, e))
		}
	}
	for field, wrong := range map[string]any{"livemode": canaryText, "created": canaryEmail, "data": canaryCard, "account": []any{canaryText}} {
		e := planted(t, event, id+"_"+field)
		e[field] = wrong
		bodies = append(bodies, mustJSON(t, e))
	}
	return bodies
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// panicking makes every handler panic with what it was given if the event asks for it.
func panicking(routes []quotekit.Route) []quotekit.Route {
	for i, r := range routes {
		routes[i].Handle = func(ctx context.Context, e quotekit.Event) (quotekit.Changes, error) {
			if strings.HasPrefix(e.ID, "panic") {
				panic(string(e.Payload))
			}
			return r.Handle(ctx, e)
		}
	}
	return routes
}

// TestLog_ShowsNoPayloadAndNoSecret plants values in good events and in bad
// ones, in events that make the database complain and handlers panic, and in
// refused requests, and looks for them in the log, at debug level, and in every
// column that tells of events.
func TestLog_ShowsNoPayloadAndNoSecret(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		var log notebook
		s := mustStart(t, url, app.Options{
			Routes: panicking(handlers.Routes()),
			Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		s.mustExec(triggers[s.Store().Dialect().String()].create)

		statuses := map[string]int{}
		for name, event := range fixtures(t) {
			statuses[s.post(mustJSON(t, planted(t, event, "evt_"+name))).Status]++
		}
		for _, name := range []string{
			"customer.updated.dahlia.journey-a", "customer.subscription.updated.dahlia.plan-change", "price.created.pre-basil.recurring",
			"invoice.payment_succeeded.dahlia.proration", "payment_method.attached.dahlia.card",
			"checkout.session.completed.dahlia.subscription-client-reference-id", "setup_intent.succeeded.dahlia.card-metadata",
		} {
			for _, body := range spoiled(t, fixture(t, name), "bad_"+name) {
				statuses[s.post(body).Status]++
			}
		}
		statuses[s.post(customer("evt_refused", "cus_refused")).Status]++
		statuses[s.post(mustJSON(t, planted(t, fixture(t, "customer.created.dahlia.journey-a"), "panic"))).Status]++
		if statuses["pending"] != 2 || statuses["dead"] < 150 || statuses["succeeded"] < 100 || statuses["ignored"] == 0 {
			t.Fatalf("got %v, which does not show enough", statuses)
		}

		event := customer("evt_wrong", "cus_wrong")
		for _, spoil := range []spoil{
			unsigned, signature("t=1,v1=" + canaryText), signature(canaryText), body(`{"id":{"` + canaryText + `":1},"type":"x"}`),
			body(canaryEmail), mediaType("text/" + canaryText), padded(1<<20 + 1),
			func(r *http.Request) { r.URL.RawQuery = "token=" + canaryText; r.Method = "PUT" },
			func(r *http.Request) {
				r.Header.Set("Authorization", "Bearer "+canaryText)
				r.URL.Path = "/v1/monitor/events"
			},
		} {
			req := s.mustDelivery(event)
			spoil(req)
			if r := s.mustSend(req); r.status < 400 || r.status > 499 {
				t.Errorf("got %d %s", r.status, r.body)
			}
		}
		s.statusOf("GET", "/v1/monitor/events", "Bearer "+canaryText)
		s.statusOf("GET", "/v1/monitor/dead-letter-queue?cursor="+canaryText, "Bearer "+token)
		s.call("POST", "/v1/monitor/events/panic/replay", `{"reason":"once more"}`)

		const attempts = "SELECT MIN(attempts) AS n FROM stripe_webhook_events WHERE status = 'pending' HAVING MIN(attempts) > 1"
		eventually(t, 30*time.Second, "retries that fail", func() bool { return len(s.query(attempts)) == 1 })
		eventually(t, 10*time.Second, "the processing logs", func() bool {
			return s.value("SELECT COUNT(DISTINCT stripe_event_id) AS n FROM webhook_processing_logs") ==
				s.value("SELECT COUNT(*) AS n FROM stripe_webhook_events")
		})
		places := map[string][]string{"the log": strings.Split(log.String(), "\n")}
		for _, query := range []string{
			"SELECT * FROM webhook_audit_trail", "SELECT * FROM webhook_processing_logs",
			"SELECT error_message, failure_reason, failure_reasons FROM stripe_webhook_events",
			"SELECT failure_reason, resolution_notes FROM webhook_dead_letter_queue",
			"SELECT CAST(args AS TEXT) AS args, CAST(metadata AS TEXT) AS metadata, CAST(errors AS TEXT) AS errors FROM river_job",
		} {
			places[query] = s.query(query)
		}
		for place, lines := range places {
			if len(lines) < 2 {
				t.Errorf("%s has %d lines, which shows nothing", place, len(lines))
			}
			for _, line := range lines {
				for _, value := range []string{canaryText, canaryCard, secret, token} {
					if strings.Contains(line, value) {
						t.Fatalf("%s shows %q: %.500s", place, value, line)
					}
				}
			}
		}
		for _, message := range []string{"database refused an event's rows", `"msg":"request"`} {
			if !strings.Contains(log.String(), message) {
				t.Errorf("the log lacks %q, so it shows nothing", message)
			}
		}
	})
}
