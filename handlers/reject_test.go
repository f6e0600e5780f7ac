package handlers_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// mustHandle runs body through the table.
func mustHandle(t *testing.T, body string) quotekit.Changes {
	t.Helper()
	changes, err := handle(t, body)
	if err != nil {
		t.Fatal(err)
	}
	checkChanges(t, changes)
	return changes
}

func handle(t *testing.T, body string) (quotekit.Changes, error) {
	t.Helper()
	e, err := stripe.ParseEvent([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	route, ok := routesByType()[e.Type]
	if !ok {
		t.Fatalf("no route for %s", e.Type)
	}
	return route.Handle(context.Background(), e)
}

// event makes an event of evt_1, dated 1775000000.
func event(kind, object string) string {
	return `{"id":"evt_1","type":"` + kind + `","created":1775000000,"data":{"object":` + object + `}}`
}

func updated(kind, object, previous string) string {
	return `{"id":"evt_1","type":"` + kind + `","created":1775000000,"data":{"object":` + object + `,"previous_attributes":` + previous + `}}`
}

// kinds maps what a field is read as to values that are something else.
var kinds = map[string][]string{
	"text":     {`1`, `true`, `{}`, `["secret"]`},
	"ref":      {`1`, `true`, `{}`, `[]`, `{"id":null}`, `{"id":7}`, `"a\u0000b"`, `"` + strings.Repeat("x", 256) + `"`},
	"integer":  {`"1"`, `1.5`, `1.0`, `1e3`, `9223372036854775808`, `true`, `{}`, `[]`},
	"seconds":  {`"1775000000"`, `1.5`, `1e9`, `253402300800`, `-62135596801`, `false`, `{}`},
	"boolean":  {`1`, `"true"`, `{}`},
	"decimal":  {`1`, `"1,5"`, `"abc"`, `""`, `"1e5"`, `"1..2"`, `"-"`, `{}`},
	"hash":     {`1`, `"x"`, `[]`, `true`},
	"array":    {`1`, `"x"`, `{}`, `true`},
	"metadata": {`1`, `"x"`, `[]`, `{"secret":1}`, `{"secret":null}`, `{"secret":{}}`},
}

func TestHandlers_RejectTheWrongKindAndNameTheField(t *testing.T) {
	for _, c := range []struct{ kind, object, path, field, as string }{
		{"customer.created", `{"id":"cus_1",%}`, "", "email name phone currency", "text"},
		{"customer.created", `{"id":"cus_1",%}`, "", "balance account_balance", "integer"},
		{"customer.created", `{"id":"cus_1",%}`, "", "delinquent deleted", "boolean"},
		{"customer.created", `{"id":"cus_1",%}`, "", "default_source", "ref"},
		{"customer.created", `{"id":"cus_1",%}`, "", "invoice_settings", "hash"},
		{"customer.created", `{"id":"cus_1","invoice_settings":{%}}`, "invoice_settings.", "default_payment_method", "ref"},
		{"customer.created", `{"id":"cus_1",%}`, "", "metadata", "metadata"},
		{"customer.created", `{"id":"cus_1",%}`, "", "created", "seconds"},

		{"product.updated", `{"id":"prod_1",%}`, "", "name description unit_label", "text"},
		{"product.updated", `{"id":"prod_1",%}`, "", "active", "boolean"},
		{"product.updated", `{"id":"prod_1",%}`, "", "images", "array"},
		{"product.updated", `{"id":"prod_1",%}`, "", "default_price", "ref"},
		{"product.updated", `{"id":"prod_1",%}`, "", "updated created", "seconds"},
		{"product.updated", `{"id":"prod_1",%}`, "", "metadata", "metadata"},

		{"price.deleted", `{"id":"price_1",%}`, "", "currency type billing_scheme tiers_mode lookup_key nickname", "text"},
		{"price.deleted", `{"id":"price_1",%}`, "", "unit_amount", "integer"},
		{"price.deleted", `{"id":"price_1",%}`, "", "unit_amount_decimal", "decimal"},
		{"price.deleted", `{"id":"price_1",%}`, "", "product", "ref"},
		{"price.deleted", `{"id":"price_1",%}`, "", "recurring", "hash"},
		{"price.deleted", `{"id":"price_1","recurring":{%}}`, "recurring.", "interval usage_type aggregate_usage", "text"},
		{"price.deleted", `{"id":"price_1","recurring":{%}}`, "recurring.", "interval_count trial_period_days", "integer"},

		{"customer.subscription.updated", `{"id":"sub_1",%}`, "", "status currency collection_method", "text"},
		{"customer.subscription.updated", `{"id":"sub_1",%}`, "", "current_period_start current_period_end cancel_at canceled_at ended_at trial_start trial_end start_date created", "seconds"},
		{"customer.subscription.updated", `{"id":"sub_1",%}`, "", "customer default_payment_method default_source latest_invoice plan", "ref"},
		{"customer.subscription.updated", `{"id":"sub_1",%}`, "", "cancellation_details pause_collection items discount", "hash"},
		{"customer.subscription.updated", `{"id":"sub_1",%}`, "", "discounts", "array"},
		{"customer.subscription.updated", `{"id":"sub_1",%}`, "", "cancel_at_period_end", "boolean"},
		{"customer.subscription.updated", `{"id":"sub_1",%}`, "", "quantity", "integer"},
		{"customer.subscription.updated", `{"id":"sub_1",%}`, "", "metadata", "metadata"},
		{"customer.subscription.updated", `{"id":"sub_1","discount":{%}}`, "discount.", "coupon", "ref"},
		{"customer.subscription.updated", `{"id":"sub_1","discounts":[{"source":{%}}]}`, "discounts[0].source.", "coupon", "ref"},
		{"customer.subscription.updated", `{"id":"sub_1","items":{%}}`, "items.", "data", "array"},
		{"customer.subscription.updated", `{"id":"sub_1","items":{%}}`, "items.", "has_more", "boolean"},
		{"customer.subscription.updated", `{"id":"sub_1","items":{"data":[{"id":"si_0"},{"id":"si_1",%}]}}`, "items.data[1].", "price plan", "ref"},
		{"customer.subscription.updated", `{"id":"sub_1","items":{"data":[{"id":"si_1",%}]}}`, "items.data[0].", "quantity", "integer"},
		{"customer.subscription.updated", `{"id":"sub_1","items":{"data":[{"id":"si_1",%}]}}`, "items.data[0].", "current_period_start current_period_end created", "seconds"},
		{"customer.subscription.updated", `{"id":"sub_1","items":{"data":[{"id":"si_1",%}]}}`, "items.data[0].", "metadata", "metadata"},

		{"invoice.paid", `{"id":"in_1",%}`, "", "status number currency billing_reason hosted_invoice_url", "text"},
		{"invoice.paid", `{"id":"in_1",%}`, "", "amount_due amount_paid amount_remaining subtotal total tax attempt_count", "integer"},
		{"invoice.paid", `{"id":"in_1",%}`, "", "paid", "boolean"},
		{"invoice.paid", `{"id":"in_1",%}`, "", "customer subscription payment_intent charge", "ref"},
		{"invoice.paid", `{"id":"in_1",%}`, "", "next_payment_attempt created", "seconds"},
		{"invoice.paid", `{"id":"in_1",%}`, "", "status_transitions parent lines subscription_details", "hash"},
		{"invoice.paid", `{"id":"in_1",%}`, "", "total_taxes", "array"},
		{"invoice.paid", `{"id":"in_1","total_taxes":[{%}]}`, "total_taxes[0].", "amount", "integer"},
		{"invoice.paid", `{"id":"in_1","parent":{"subscription_details":{%}}}`, "parent.subscription_details.", "subscription", "ref"},
		{"invoice.paid", `{"id":"in_1","lines":{"data":[{%}]}}`, "lines.data[0].", "amount quantity", "integer"},
		{"invoice.paid", `{"id":"in_1","lines":{"data":[{%}]}}`, "lines.data[0].", "pricing parent period", "hash"},
		{"invoice.paid", `{"id":"in_1","lines":{"data":[{"parent":{"subscription_item_details":{%}}}]}}`, "lines.data[0].parent.subscription_item_details.", "proration", "boolean"},

		{"checkout.session.completed", `{"id":"cs_1",%}`, "", "mode status payment_status client_reference_id currency ui_mode customer_email", "text"},
		{"checkout.session.completed", `{"id":"cs_1",%}`, "", "customer subscription invoice payment_intent setup_intent", "ref"},
		{"checkout.session.completed", `{"id":"cs_1",%}`, "", "amount_total", "integer"},
		{"checkout.session.completed", `{"id":"cs_1",%}`, "", "customer_details", "hash"},

		{"setup_intent.succeeded", `{"id":"seti_1",%}`, "", "customer payment_method mandate", "ref"},
		{"setup_intent.succeeded", `{"id":"seti_1",%}`, "", "usage", "text"},
		{"setup_intent.succeeded", `{"id":"seti_1",%}`, "", "metadata", "metadata"},

		{"payment_method.attached", `{"id":"pm_1",%}`, "", "type", "text"},
		{"payment_method.attached", `{"id":"pm_1",%}`, "", "customer", "ref"},
		{"payment_method.attached", `{"id":"pm_1",%}`, "", "billing_details", "hash"},
		{"payment_method.attached", `{"id":"pm_1","type":"card",%}`, "", "card", "hash"},
		{"payment_method.attached", `{"id":"pm_1","type":"card","card":{%}}`, "card.", "exp_month exp_year", "integer"},
		{"payment_method.attached", `{"id":"pm_1","type":"card","card":{%}}`, "card.", "brand last4 fingerprint country", "text"},
		{"payment_method.attached", `{"id":"pm_1","type":"card","card":{%}}`, "card.", "wallet", "hash"},
	} {
		for _, field := range strings.Fields(c.field) {
			for _, wrong := range kinds[c.as] {
				if field == "discount" && wrong == `{}` {
					continue
				}
				object := strings.Replace(c.object, "%", `"`+field+`":`+wrong, 1)
				t.Run(c.path+field+"="+wrong[:min(len(wrong), 20)], func(t *testing.T) {
					_, err := handle(t, event(c.kind, object))
					checkRejected(t, err, c.path+field+" is not ")
				})
			}
		}
	}
}

func checkRejected(t *testing.T, err error, text string) {
	t.Helper()
	switch {
	case err == nil:
		t.Error("got no error")
	case !quotekit.IsPermanent(err):
		t.Errorf("got %v, which is not permanent", err)
	case !strings.Contains(err.Error(), text):
		t.Errorf("got %v, want it to contain %q", err, text)
	case strings.Contains(err.Error(), "secret"):
		t.Errorf("got %v, which shows a value", err)
	}
}

func TestHandlers_RejectAnObjectThatIsNone(t *testing.T) {
	for kind := range routesByType() {
		for _, c := range []struct{ body, text string }{
			{`{"id":"evt_1","type":"` + kind + `"}`, "data.object is missing"},
			{`{"id":"evt_1","type":"` + kind + `","data":{}}`, "data.object is missing"},
			{event(kind, `null`), "data.object is missing"},
			{`{"id":"evt_1","object":"v2.core.event","type":"` + kind + `","related_object":{"id":"x"}}`, "data.object is missing"},
			{event(kind, `[]`), "data.object is not an object"},
			{event(kind, `"secret"`), "data.object is not an object"},
			{event(kind, `7`), "data.object is not an object"},
			{event(kind, `{}`), "id is not an id"},
			{event(kind, `{"id":null}`), "id is not an id"},
			{event(kind, `{"id":7}`), "id is not an id"},
			{event(kind, `{"id":""}`), "id is not an id"},
			{event(kind, `{"id":"secret\u0000"}`), "id is not an id"},
		} {
			_, err := handle(t, c.body)
			checkRejected(t, err, c.text)
		}
	}
}

func TestHandlers_RejectPreviousAttributesThatDoNotFit(t *testing.T) {
	for previous, text := range map[string]string{
		`[]`:                     "data.previous_attributes is not an object",
		`"secret"`:               "data.previous_attributes is not an object",
		`{"status":7}`:           "with data.previous_attributes: status is not a string",
		`{"items":{"data":"x"}}`: "with data.previous_attributes: items.data is not an array",
	} {
		_, err := handle(t, updated("customer.subscription.updated", `{"id":"sub_1"}`, previous))
		checkRejected(t, err, text)
	}
}

// TestHandlers_TakeNullForEveryField: null is missing, for every known field
// of every fixture, one at a time, except the id.
func TestHandlers_TakeNullForEveryField(t *testing.T) {
	routes := routesByType()
	for _, path := range mustFixtures(t) {
		e, err := stripe.ParseEvent(mustRead(t, path))
		if err != nil || routes[e.Type].Handle == nil {
			continue
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(e.Object, &object); err != nil {
			t.Fatal(err)
		}
		for key, value := range object {
			if key == "id" {
				continue
			}
			object[key] = json.RawMessage("null")
			e.Object, err = json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := routes[e.Type].Handle(context.Background(), e); err != nil {
				t.Errorf("%s without %s: %v", path, key, err)
			}
			object[key] = value
		}
	}
}
