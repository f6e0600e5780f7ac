package app_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/stripe"
)

const eventRow = `SELECT stripe_event_id, event_type, account, api_version, livemode, object_id, event_created, status, attempts,
deliveries FROM stripe_webhook_events`

func TestReceive_AnswersWithTheStateAndTellsDuplicates(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := &broken{fail: func(int) error { return fmt.Errorf("not now") }}
		s := mustStart(t, url, app.Options{Routes: routesWith("price.created", b.handle), Role: app.RoleWeb})
		for status, event := range map[string][]byte{
			"succeeded": product("evt_succeeded", "prod_1"),
			"ignored":   []byte(`{"id":"evt_ignored","type":"foo.created","data":{"object":{"id":"foo_1"}}}`),
			"dead":      []byte(`{"id":"evt_dead","type":"product.created","data":{"object":[]}}`),
			"pending":   []byte(`{"id":"evt_pending","type":"price.created","data":{"object":{"id":"price_1"}}}`),
		} {
			for i, path := range []string{"/webhooks/stripe", "/api/webhooks/stripe", "/webhooks/stripe"} {
				req := s.mustDelivery(event)
				req.URL.Path = path
				checkAnswer(t, s.mustSend(req), "evt_"+status, i > 0, status)
			}
			if got := s.value("SELECT deliveries FROM stripe_webhook_events WHERE stripe_event_id = $1", "evt_"+status); got != "3" {
				t.Errorf("got %s deliveries of the %s event, want 3", got, status)
			}
			if got := s.payload("evt_" + status); !bytes.Equal(got, event) {
				t.Errorf("got payload %s", got)
			}
			checkLines(t, s.query(`SELECT actor, action, after FROM webhook_audit_trail WHERE stripe_event_id = $1 ORDER BY at, id`, "evt_"+status),
				`actor=stripe | action=event.delivered | after={"duplicate":false,"status":"`+status+`"}`,
				`actor=stripe | action=event.delivered | after={"duplicate":true,"status":"`+status+`"}`,
				`actor=stripe | action=event.delivered | after={"duplicate":true,"status":"`+status+`"}`)
		}
	})
}

// TestReceive_OneOfManyCopiesIsTheFirst posts copies of one event at the same
// time, for groups side by side and so that all meet in one group: one answer
// says that it is no duplicate, and the effects are there once.
func TestReceive_OneOfManyCopiesIsTheFirst(t *testing.T) {
	const copies, rounds = 24, 5
	t.Run("groups side by side", func(t *testing.T) {
		onBoth(t, func(t *testing.T, url string) {
			s := mustStart(t, url, app.Options{Committers: 4})
			for n := range rounds {
				s.checkCopies(t, fmt.Sprintf("evt_%d", n), copies, func(copies [][]byte) []answer { return s.postAll(copies...) })
			}
		})
	})
	t.Run("one group", func(t *testing.T) {
		onBoth(t, func(t *testing.T, url string) {
			var g gate
			s := mustStart(t, url, app.Options{Committers: 1, Routes: g.routes()})
			for n := range rounds {
				id := fmt.Sprintf("evt_%d", n)
				s.checkCopies(t, id, copies, func(copies [][]byte) []answer {
					ahead := product("evt_ahead_of_"+id, "prod_1")
					return g.post(s, append([][]byte{ahead}, copies...))[1:]
				})
			}
		})
	})
}

func (s *service) checkCopies(t *testing.T, id string, copies int, post func([][]byte) []answer) {
	t.Helper()
	event := rename(t, fixture(t, "customer.subscription.updated.dahlia.plan-change"), id)
	first := 0
	for _, a := range post(repeated(event, copies)) {
		if a.HTTP != 200 || a.Status != "succeeded" || a.EventID != id {
			t.Fatalf("got %+v", a)
		}
		if !a.Duplicate {
			first++
		}
	}
	if first != 1 {
		t.Errorf("%d answers say that they are the first", first)
	}
	checkLines(t, s.query("SELECT status, attempts, deliveries FROM stripe_webhook_events WHERE stripe_event_id = $1", id),
		fmt.Sprintf("status=succeeded | attempts=1 | deliveries=%d", copies))
	if got := s.value("SELECT COUNT(*) AS n FROM webhook_audit_trail WHERE stripe_event_id = $1", id); got != fmt.Sprint(copies) {
		t.Errorf("got %s deliveries in the audit trail, want %d", got, copies)
	}
	fields := s.value("SELECT COUNT(DISTINCT field) AS n FROM subscription_changes WHERE stripe_event_id = $1", id)
	if got := s.value("SELECT COUNT(*) AS n FROM subscription_changes WHERE stripe_event_id = $1", id); got != fields || got == "0" {
		t.Errorf("got %s lines of history for %s fields", got, fields)
	}
}

func TestReceive_TakesEveryMediaTypeThatIsJSON(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{Role: app.RoleWeb})
		for i, media := range []string{
			"", "application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON",
		} {
			id := fmt.Sprintf("evt_%d", i)
			req := s.mustDelivery(product(id, "prod_1"))
			if mediaType(media)(req); media == "" {
				req.Header.Del("Content-Type")
			}
			checkAnswer(t, s.mustSend(req), id, false, "succeeded")
		}
	})
}

func TestReceive_TakesExactlyOneMebibyte(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{Role: app.RoleWeb})
		for id, length := range map[string]int64{"evt_known": 1 << 20, "evt_chunked": -1} {
			event := pad(product(id, "prod_1"), 1<<20)
			if len(event) != 1<<20 {
				t.Fatalf("padded to %d bytes", len(event))
			}
			req := s.mustDelivery(event)
			req.ContentLength = length
			checkAnswer(t, s.mustSend(req), id, false, "succeeded")
			if !bytes.Equal(s.payload(id), event) {
				t.Errorf("the payload of %s is not what was sent", id)
			}
		}
	})
}

func TestReceive_AnySecretOfSeveralWillDo(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := app.Config{DatabaseURL: url, Addr: "127.0.0.1:0", WebhookSecrets: []string{"whsec_old", "whsec_new", "whsec_connect"}}
		s := mustStartWith(t, c, app.Options{Role: app.RoleWeb})
		for _, secret := range c.WebhookSecrets {
			event := product("evt_"+secret, "prod_1")
			req := s.mustDelivery(event)
			signature(stripe.Sign(event, secret, time.Now()))(req)
			checkAnswer(t, s.mustSend(req), "evt_"+secret, false, "succeeded")
		}
		event := product("evt_wrong", "prod_1")
		req := s.mustDelivery(event)
		signature(stripe.Sign(event, "whsec_old,whsec_new", time.Now()))(req)
		checkProblem(t, s.mustSend(req), 400, "signature_mismatch")
	})
}

func TestReceive_RecordsTheOtherModeAsIgnored(t *testing.T) {
	for _, live := range []bool{true, false} {
		t.Run(fmt.Sprintf("STRIPE_LIVEMODE=%t", live), func(t *testing.T) {
			onBoth(t, func(t *testing.T, url string) {
				c := app.Config{DatabaseURL: url, Addr: "127.0.0.1:0", WebhookSecrets: []string{secret}, Livemode: &live}
				s := mustStartWith(t, c, app.Options{Role: app.RoleWeb})
				for _, mode := range []string{"true", "false"} {
					event := bytes.Replace(product("evt_"+mode, "prod_"+mode), []byte(`"livemode":false`), []byte(`"livemode":`+mode), 1)
					want := "ignored"
					if mode == fmt.Sprint(live) {
						want = "succeeded"
					}
					if a := s.post(event); a.HTTP != 200 || a.Status != want {
						t.Errorf("got %+v for livemode %s, want %s", a, mode, want)
					}
				}
				// An event that says nothing of its mode is of test mode.
				if a := s.post([]byte(`{"id":"evt_silent","type":"customer.created","data":{"object":{"id":"cus_1"}}}`)); (a.Status == "ignored") != live {
					t.Errorf("got %+v for an event without livemode", a)
				}
				checkLines(t, s.query("SELECT stripe_product_id, livemode FROM stripe_products"),
					fmt.Sprintf("stripe_product_id=prod_%t | livemode=%t", live, live))
				if got := s.value("SELECT COUNT(*) AS n FROM stripe_webhook_events"); got != "3" {
					t.Errorf("got %s events, want 3", got)
				}
			})
		})
	}
}

// TestReceive_RecordsEveryShapeOfEnvelope shows what is kept of events that
// have no route, no object, no object id, no request, or an account.
func TestReceive_RecordsEveryShapeOfEnvelope(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{Role: app.RoleWeb})
		for name, want := range map[string]string{
			"foo.created.unknown-type":                                 "ignored",
			"v1.billing.meter.error_report_triggered.thin":             "ignored",
			"account.application.deauthorized.pre-basil.connect":       "ignored",
			"customer.subscription.updated.dahlia.connect":             "succeeded",
			"checkout.session.completed.pre-basil.setup-no-customer":   "succeeded",
			"checkout.session.completed.pre-basil.payment-eur-live":    "succeeded",
			"payment_method.detached.pre-basil.no-previous-attributes": "succeeded",
		} {
			event := fixture(t, name)
			e, err := stripe.ParseEvent(event)
			if err != nil {
				t.Fatal(err)
			}
			if a := s.post(event); a.HTTP != 200 || a.Status != want || a.EventID != e.ID {
				t.Errorf("%s: got %+v, want %s", name, a, want)
			}
			attempts := 1
			if want == "ignored" {
				attempts = 0
			}
			checkLines(t, s.query(eventRow+" WHERE stripe_event_id = $1", e.ID), eventLine(e, want, attempts))
			if !bytes.Equal(s.payload(e.ID), event) {
				t.Errorf("%s: the payload is not what was sent", name)
			}
		}
		connected := s.value("SELECT account FROM subscriptions WHERE account <> ''")
		if !strings.HasPrefix(connected, "acct_") {
			t.Errorf("got account %q of the connected account's subscription", connected)
		}

		for id, rest := range map[string]string{
			"evt_least":     ``,
			"evt_upcoming":  `,"type":"invoice.upcoming","livemode":true,"created":1775000000,"api_version":"2020-08-27","data":{"object":{"object":"invoice","total":5}}`,
			"evt_no_data":   `,"data":null,"request":null,"livemode":null,"account":null,"api_version":null,"created":null`,
			"evt_request":   `,"request":"req_1","pending_webhooks":-1`,
			"evt_object_id": `,"data":{"object":{"id":17}}`,
			"evt_context":   `,"context":"acct_1/acct_2","account":"acct_2"`,
		} {
			event := []byte(`{"id":"` + id + `","type":"foo.created"` + rest + `}`)
			e, err := stripe.ParseEvent(event)
			if err != nil {
				t.Fatal(err)
			}
			checkAnswer(t, s.mustSend(s.mustDelivery(event)), id, false, "ignored")
			checkLines(t, s.query(eventRow+" WHERE stripe_event_id = $1", id), eventLine(e, "ignored", 0))
		}
	})
}

// eventLine is the row of an event after its first delivery.
func eventLine(e quotekit.Event, status string, attempts int) string {
	null := func(s string) string {
		if s == "" {
			return "null"
		}
		return s
	}
	created := "null"
	if e.Created != 0 {
		created = e.Created.Time().Format(time.RFC3339)
	}
	return fmt.Sprintf("stripe_event_id=%s | event_type=%s | account=%s | api_version=%s | livemode=%t | object_id=%s | "+
		"event_created=%s | status=%s | attempts=%d | deliveries=1",
		e.ID, e.Type, e.Account, null(e.APIVersion), e.Livemode, null(e.ObjectID), created, status, attempts)
}

func TestReceive_KeepsTheSendersRequestID(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{Role: app.RoleWeb})
		for _, c := range []struct{ given, want string }{{"req_of_the_proxy", "req_of_the_proxy"}, {strings.Repeat("x", 65), ""}, {"a b", ""}} {
			req := s.mustDelivery(product("evt_"+http.CanonicalHeaderKey(c.want), "prod_1"))
			req.Header.Set("X-Request-Id", c.given)
			r := s.mustSend(req)
			id := r.header.Get("X-Request-Id")
			if id == "" || (id == c.given) != (c.want != "") {
				t.Errorf("got request id %q for %q", id, c.given)
			}
			if got := s.query("SELECT 1 FROM webhook_audit_trail WHERE request_id = $1", id); len(got) != 1 {
				t.Errorf("got %d deliveries with request id %q in the audit trail", len(got), id)
			}
		}
	})
}
