package handlers_test

import (
	"encoding/json"
	"testing"

	"github.com/quotekit/quotekit"
)

const (
	userA = "7f0c2d5e-0b0c-4d43-9a53-6f2c0e1d7a01"
	userB = "11111111-2222-4333-8444-555555555555"
	at    = 1775000000
)

func checkJSON(t *testing.T, name string, got any, want string) {
	t.Helper()
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != want {
		t.Errorf("%s: got %s, want %s", name, text, want)
	}
}

func TestHandlers_OrderAndStage(t *testing.T) {
	for _, c := range []struct {
		kind, object string
		order        quotekit.Order
		stage        quotekit.Stage
	}{
		{"customer.subscription.created", `{"id":"s","status":"active"}`, quotekit.Order{0, at}, quotekit.StageCreated},
		{"customer.subscription.updated", `{"id":"s","status":"past_due"}`, quotekit.Order{0, at}, quotekit.StageUpdated},
		{"customer.subscription.updated", `{"id":"s","status":"incomplete_expired"}`, quotekit.Order{1, at}, quotekit.StageUpdated},
		{"customer.subscription.updated", `{"id":"s","status":"canceled"}`, quotekit.Order{1, at}, quotekit.StageUpdated},
		{"customer.subscription.updated", `{"id":"s","status":"a new one"}`, quotekit.Order{0, at}, quotekit.StageUpdated},
		{"customer.subscription.deleted", `{"id":"s","status":"active"}`, quotekit.Order{1, at}, quotekit.StageDeleted},
		{"customer.subscription.deleted", `{"id":"s"}`, quotekit.Order{1, at}, quotekit.StageDeleted},

		{"invoice.payment_failed", `{"id":"i","status":"open","attempt_count":2,"amount_paid":0}`, quotekit.Order{0, at, 2, 0, 0}, quotekit.StageUpdated},
		{"invoice.payment_succeeded", `{"id":"i","status":"open","attempt_count":2,"amount_paid":100}`, quotekit.Order{0, at, 2, 100, 1}, quotekit.StageUpdated},
		{"invoice.paid", `{"id":"i","status":"paid","attempt_count":1,"amount_paid":2900}`, quotekit.Order{1, at, 1, 2900, 1}, quotekit.StageUpdated},
		{"invoice.payment_failed", `{"id":"i","status":"paid"}`, quotekit.Order{1, at, 0, 0, 0}, quotekit.StageUpdated},
		{"invoice.paid", `{"id":"i","paid":true}`, quotekit.Order{1, at, 0, 0, 1}, quotekit.StageUpdated},
		{"invoice.voided", `{"id":"i","status":"void"}`, quotekit.Order{1, at, 0, 0, 1}, quotekit.StageUpdated},
		{"invoice.marked_uncollectible", `{"id":"i","status":"uncollectible"}`, quotekit.Order{0, at, 0, 0, 1}, quotekit.StageUpdated},

		{"checkout.session.completed", `{"id":"c"}`, quotekit.Order{at}, quotekit.StageCreated},
		{"checkout.session.async_payment_succeeded", `{"id":"c"}`, quotekit.Order{at}, quotekit.StageUpdated},
		{"checkout.session.async_payment_failed", `{"id":"c"}`, quotekit.Order{at}, quotekit.StageUpdated},
		{"payment_method.attached", `{"id":"p"}`, quotekit.Order{at}, quotekit.StageCreated},
		{"payment_method.detached", `{"id":"p"}`, quotekit.Order{at}, quotekit.StageDeleted},
		{"product.created", `{"id":"p"}`, quotekit.Order{at}, quotekit.StageCreated},
		{"price.updated", `{"id":"p"}`, quotekit.Order{at}, quotekit.StageUpdated},
		{"customer.deleted", `{"id":"c"}`, quotekit.Order{at}, quotekit.StageDeleted},
	} {
		s := mustHandle(t, event(c.kind, c.object)).Objects[0].Snapshot
		if s.Order != c.order || s.Stage != c.stage || s.Before != nil {
			t.Errorf("%s %s: got order %v, stage %d, before %v", c.kind, c.object, s.Order, s.Stage, s.Before)
		}
	}
}

func TestHandlers_CreationAndDeletionAreFacts(t *testing.T) {
	for _, kind := range []string{"customer", "product", "price"} {
		for _, c := range []struct {
			body, want string
			snapshot   bool
		}{
			{event(kind+".created", `{"id":"x"}`), `{"created_at":1775000000}`, true},
			{event(kind+".updated", `{"id":"x"}`), `{}`, true},
			{event(kind+".deleted", `{"id":"x"}`), `{"deleted_at":1775000000}`, true},
			{event(kind+".deleted", `{"id":"x","deleted":false}`), `{"deleted_at":1775000000}`, true},
			{event(kind+".deleted", `{"id":"x","deleted":true}`), `{"deleted_at":1775000000}`, false},
			{event(kind+".updated", `{"id":"x","deleted":true}`), `{"deleted_at":1775000000}`, false},
			{`{"id":"evt_1","type":"` + kind + `.deleted","data":{"object":{"id":"x"}}}`, `{"deleted_at":1}`, true},
		} {
			got := mustHandle(t, c.body).Objects
			if len(got) != 1 || got[0].ID != "x" || string(got[0].Kind) != kind || (got[0].Snapshot != nil) != c.snapshot {
				t.Errorf("%s: got %+v", c.body, got)
			}
			checkJSON(t, c.body, got[0].Facts, c.want)
		}
	}
}

func TestHandlers_Claims(t *testing.T) {
	claim := func(user, source string) string {
		return `{"user_id":"` + user + `","created":1775000000,"source":` + source + `,"event_id":"evt_1"}`
	}
	for _, c := range []struct {
		name, kind, object string
		on                 quotekit.Kind
		id, want           string
	}{
		{"customer", "customer.created", `{"id":"cus_1","metadata":{"userId":"` + userA + `"}}`, "customer", "cus_1", "[" + claim(userA, "1") + "]"},
		{"deleted customer", "customer.deleted", `{"id":"cus_1","metadata":{"user_id":"` + userA + `"}}`, "customer", "cus_1", "[" + claim(userA, "1") + "]"},
		{
			"session, both places", "checkout.session.completed", `{"id":"cs_1","customer":{"id":"cus_1"},"client_reference_id":"` + userA + `","metadata":{"user_id":"` + userB + `"}}`,
			"customer", "cus_1", "[" + claim(userA, "2") + "," + claim(userB, "3") + "]",
		},
		{"guest's session", "checkout.session.completed", `{"id":"cs_1","customer":null,"client_reference_id":"` + userA + `"}`, "checkout_session", "cs_1", "[" + claim(userA, "2") + "]"},
		{"reference that is no user", "checkout.session.completed", `{"id":"cs_1","client_reference_id":"order 7"}`, "checkout_session", "cs_1", "null"},
		{"subscription", "customer.subscription.updated", `{"id":"sub_1","customer":"cus_1","metadata":{"user_id":"` + userA + `"}}`, "customer", "cus_1", "[" + claim(userA, "4") + "]"},
		{"subscription without customer", "customer.subscription.updated", `{"id":"sub_1","metadata":{"user_id":"` + userA + `"}}`, "subscription", "sub_1", "[" + claim(userA, "4") + "]"},
		{"invoice, old", "invoice.paid", `{"id":"in_1","customer":"cus_1","subscription_details":{"metadata":{"user_id":"` + userA + `"}}}`, "customer", "cus_1", "[" + claim(userA, "4") + "]"},
		{
			"invoice, new", "invoice.paid", `{"id":"in_1","customer":"cus_1","parent":{"type":"subscription_details","subscription_details":{"metadata":{"user_id":"` + userA + `"}}}}`,
			"customer", "cus_1", "[" + claim(userA, "4") + "]",
		},
		{"invoice's own metadata is no source", "invoice.paid", `{"id":"in_1","customer":null,"metadata":{"user_id":"` + userA + `"}}`, "invoice", "in_1", "null"},
		{"setup intent", "setup_intent.succeeded", `{"id":"seti_1","customer":"cus_1","payment_method":"pm_1","metadata":{"user_id":"` + userA + `"}}`, "customer", "cus_1", "[" + claim(userA, "5") + "]"},
		{"setup intent without customer", "setup_intent.succeeded", `{"id":"seti_1","payment_method":"pm_1","metadata":{"user_id":"` + userA + `"}}`, "payment_method", "pm_1", "[" + claim(userA, "5") + "]"},
		{"setup intent without payment method", "setup_intent.succeeded", `{"id":"seti_1","customer":"cus_1","metadata":{"user_id":"` + userA + `"}}`, "customer", "cus_1", "[" + claim(userA, "5") + "]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := false
			for _, o := range mustHandle(t, event(c.kind, c.object)).Objects {
				if o.Kind == c.on && o.ID == c.id {
					found = true
					checkJSON(t, "claims", o.Facts.Claims, c.want)
				} else if o.Facts.Claims != nil {
					t.Errorf("claims on %s %s", o.Kind, o.ID)
				}
			}
			if !found {
				t.Errorf("no change of %s %s", c.on, c.id)
			}
		})
	}
}

func TestSetupIntent_OfNobodyChangesNothing(t *testing.T) {
	got := mustHandle(t, event("setup_intent.succeeded", `{"id":"seti_1","metadata":{"user_id":"`+userA+`"}}`))
	if len(got.Objects) != 0 || len(got.History) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestPaymentMethod_CustomerIsAFact(t *testing.T) {
	for _, c := range []struct{ name, body, facts string }{
		{
			"attached", event("payment_method.attached", `{"id":"pm_1","customer":"cus_1"}`),
			`{"customer":{"at":1775000000,"event_id":"evt_1","value":"cus_1"}}`,
		},
		{
			"detached, told before", updated("payment_method.detached", `{"id":"pm_1","customer":null}`, `{"customer":"cus_1"}`),
			`{"detached_at":1775000000,"customer":{"at":1775000000,"event_id":"evt_1","value":"cus_1"}}`,
		},
		{
			"detached, told an object before", updated("payment_method.detached", `{"id":"pm_1","customer":null}`, `{"customer":{"id":"cus_1","deleted":true}}`),
			`{"detached_at":1775000000,"customer":{"at":1775000000,"event_id":"evt_1","value":"cus_1"}}`,
		},
		{
			"detached, still shown", event("payment_method.detached", `{"id":"pm_1","customer":"cus_1"}`),
			`{"detached_at":1775000000,"customer":{"at":1775000000,"event_id":"evt_1","value":"cus_1"}}`,
		},
		{"detached, unknown", event("payment_method.detached", `{"id":"pm_1","customer":null}`), `{"detached_at":1775000000}`},
	} {
		checkJSON(t, c.name, mustHandle(t, c.body).Objects[0].Facts, c.facts)
	}
}

func TestSubscription_HistoryComesFromTheEvent(t *testing.T) {
	got := mustHandle(t, updated("customer.subscription.updated",
		`{"id":"sub_1","status":"active","metadata":{"a":"1","b":"2"},"cancel_at":null}`,
		`{"status":"trialing","metadata":{"b":null},"cancel_at":7,"gone":{"x":1}}`)).History
	want := []struct{ field, before, after string }{
		{"cancel_at", `7`, `null`},
		{"gone", `{"x":1}`, `null`},
		{"metadata", `{"b":null}`, `{"b":"2"}`},
		{"status", `"trialing"`, `"active"`},
	}
	if len(got) != len(want) {
		t.Fatalf("got %d changes, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if g.Field != w.field || string(g.Before) != w.before || string(g.After) != w.after || g.StripeSubscriptionID != "sub_1" || g.ChangedAt != at {
			t.Errorf("got %s %s %s, want %+v", g.Field, g.Before, g.After, w)
		}
	}
}

// TestSubscription_AChangeWithoutADateIsTheOldest: zero is no date, and the
// history takes none without.
func TestSubscription_AChangeWithoutADateIsTheOldest(t *testing.T) {
	for _, created := range []string{`null`, `0`, `-5`} {
		changes := mustHandle(t, `{"id":"evt_1","type":"customer.subscription.updated","created":`+created+`,
"data":{"object":{"id":"sub_1","status":"active"},"previous_attributes":{"status":"trialing"}}}`)
		if len(changes.History) != 1 || changes.History[0].ChangedAt != 1 {
			t.Errorf("created %s: got history %+v", created, changes.History)
		}
	}
}

func TestSubscription_BeforeIsTheObjectWithThePreviousAttributes(t *testing.T) {
	c := mustHandle(t, updated("customer.subscription.updated",
		`{"id":"sub_1","status":"active","metadata":{"a":"1"},"items":{"data":[{"id":"si_1","price":{"id":"price_2"},"quantity":2}],"has_more":false}}`,
		`{"status":"trialing","metadata":{"a":null},"items":{"data":[{"id":"si_1","price":{"id":"price_1"},"quantity":1}]}}`)).Objects[0]
	checkJSON(t, "before", c.Snapshot.Before,
		`{"id":"sub_1","status":"trialing","price":"price_1","quantity":1,"metadata":{},"items":[{"id":"si_1","price":"price_1","quantity":1}]}`)
	checkJSON(t, "after", c.Snapshot.After,
		`{"id":"sub_1","status":"active","price":"price_2","quantity":2,"metadata":{"a":"1"},"items":[{"id":"si_1","price":"price_2","quantity":2}]}`)
}

func TestSubscription_CreatedComesFromNothing(t *testing.T) {
	c := mustHandle(t, updated("customer.subscription.created", `{"id":"sub_1"}`, `{"status":"x"}`))
	if c.Objects[0].Snapshot.Before != nil || c.History != nil {
		t.Errorf("got before %v, history %v", c.Objects[0].Snapshot.Before, c.History)
	}
}
