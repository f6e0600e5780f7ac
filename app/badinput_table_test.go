package app_test

import (
	"fmt"
	"strings"
)

// badInput is a signed body that Stripe should not send.
type badInput struct {
	name string
	// body has $ID for the event's id.
	body string
	// want is the refusal's code, or the event's status and, if it is dead, the reason.
	want string
	// query and value check the rows of an event that succeeded; $ID as in body.
	query, value string
}

const (
	refused     = "body_invalid"
	unreadable  = "dead PARSING_FAILED"
	rejected    = "dead HANDLER_REJECTED"
	succeeded   = "succeeded"
	ignored     = "ignored"
	dated       = `"created":1775000000,"livemode":false,`
	beyondInt64 = "9223372036854775808"
)

// envelope is an event whose other fields are rest.
func envelope(eventType, rest string) string {
	return `{"id":"$ID","object":"event","type":"` + eventType + `",` + rest + `}`
}

// about is an event about an object; fields are those behind its id, $ID.
func about(eventType, fields string) string {
	return whole(eventType, `{"id":"$ID",`+fields+`}`)
}

// whole is an event whose data.object is object.
func whole(eventType, object string) string {
	return envelope(eventType, dated+`"data":{"object":`+object+`}`)
}

func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func fiftyKeys() string {
	var keys []string
	for n := range 50 {
		keys = append(keys, fmt.Sprintf(`"%040d":"%s"`, n, strings.Repeat("é", 500)))
	}
	return "{" + strings.Join(keys, ",") + "}"
}

// badInputs are grouped by what becomes of them.
func badInputs() []badInput {
	const (
		customer  = "SELECT name FROM stripe_customers WHERE stripe_customer_id = '$ID'"
		metadata  = "SELECT metadata FROM stripe_customers WHERE stripe_customer_id = '$ID'"
		priceText = "SELECT currency || ' ' || COALESCE(CAST(unit_amount AS TEXT), 'none') AS v FROM stripe_prices WHERE stripe_price_id = '$ID'"
	)
	list := []badInput{
		{name: "empty", body: "", want: refused},
		{name: "blank", body: " \n", want: refused},
		{name: "cut off", body: about("customer.created", `"name":"A"`)[:80], want: refused},
		{name: "text", body: "hello", want: refused},
		{name: "array", body: `[{"id":"$ID","type":"customer.created"}]`, want: refused},
		{name: "string", body: `"$ID"`, want: refused},
		{name: "number", body: `17`, want: refused},
		{name: "null", body: `null`, want: refused},
		{name: "two values", body: `{"id":"$ID","type":"t"}{}`, want: refused},
		{name: "byte order mark", body: "\xef\xbb\xbf" + `{"id":"$ID","type":"t"}`, want: refused},
		{name: "NUL behind", body: `{"id":"$ID","type":"t"}` + "\x00", want: refused},
		{name: "nested 100,000 deep", body: about("customer.created", `"x":`+nested(100_000)), want: refused},
		{name: "nested 600 deep", body: about("customer.created", `"x":`+nested(600)), want: refused},
		{name: "never closed", body: strings.Repeat(`{"a":`, 150_000), want: refused},
		{name: "no id", body: `{"type":"customer.created"}`, want: refused},
		{name: "id a number", body: `{"id":17,"type":"customer.created"}`, want: refused},
		{name: "id with U+0000", body: `{"id":"$ID\u0000","type":"customer.created"}`, want: refused},
		{name: "id of half a character", body: `{"id":"$ID\ud800","type":"customer.created"}`, want: refused},
		{name: "id not UTF-8", body: "{\"id\":\"$ID\xff\",\"type\":\"customer.created\"}", want: refused},
		{name: "id of 1 MB", body: `{"id":"` + strings.Repeat("e", 1_000_000) + `","type":"t"}`, want: refused},
		{name: "type an object", body: `{"id":"$ID","type":{}}`, want: refused},
		{name: "type with a newline", body: `{"id":"$ID","type":"customer.created\n"}`, want: refused},

		{name: "unknown type, object an array", body: whole("foo.created", `[1e309,null]`), want: ignored},
		{name: "unknown type, everything null", body: envelope("foo.created", `"created":null,"livemode":null,"data":null`), want: ignored},
		{name: "unknown type, 500 deep", body: whole("foo.created", nested(500)), want: ignored},
		{name: "unknown type, a type of 255 characters", body: whole(strings.Repeat("é", 255), `{}`), want: ignored},

		{name: "50 keys of metadata", body: about("customer.created", `"metadata":`+fiftyKeys()), want: succeeded, query: metadata, value: fiftyKeys()},
		{name: "U+0000 in a known field", body: about("customer.created", `"name":"A\u0000B"`), want: succeeded, query: customer, value: "AB"},
		{name: "nothing but U+0000", body: about("customer.created", `"name":"\u0000"`), want: succeeded, query: customer, value: ""},
		{name: "half a character in a known field", body: about("customer.created", `"name":"A\ud83dB"`), want: succeeded, query: customer, value: "A\uFFFDB"},
		{name: "bytes that are not UTF-8 in a known field", body: about("customer.created", "\"name\":\"A\xff\xc3\""), want: succeeded, query: customer, value: "A\uFFFD"},
		{name: "U+0000 and half characters in metadata", body: about("customer.created", `"metadata":{"a\u0000":"b\u0000","c\ud800":"\udc00d","\u0000":"e"}`), want: succeeded, query: metadata, value: `{"":"e","a":"b","c` + "\uFFFD" + `":"` + "\uFFFD" + `d"}`},
		{name: "bytes that are not UTF-8 in metadata", body: about("customer.created", "\"metadata\":{\"\xff\":\"\xfe\"}"), want: succeeded, query: metadata, value: "{\"\uFFFD\":\"\uFFFD\"}"},
		{name: "keys of metadata that become one", body: about("customer.created", `"metadata":{"a":"1","a\u0000":"2"}`), want: succeeded, query: metadata, value: `{"a":"2"}`},
		{name: "unknown fields of every kind", body: about("customer.created", `"name":"A","x":"\u0000\ud800","\u0000":[1e309,-1e999999,`+beyondInt64+`,`+strings.Repeat("9", 200_000)+`,0.`+strings.Repeat("0", 20_000)+`1],"y":`+nested(500)), want: succeeded, query: customer, value: "A"},
		{name: "a name of 900 kB", body: about("customer.created", `"name":"`+strings.Repeat("n", 900_000)+`"`), want: succeeded, query: customer, value: strings.Repeat("n", 900_000)},
		{name: "the last of equal keys", body: about("customer.created", `"name":[],"name":"A"`), want: succeeded, query: customer, value: "A"},
		{name: "quotes and SQL", body: about("customer.created", `"name":"'); DROP TABLE stripe_customers; -- $1 ?"`), want: succeeded, query: customer, value: "'); DROP TABLE stripe_customers; -- $1 ?"},
		{
			name: "JSON 500 deep in a column", body: about("customer.subscription.created", `"cancellation_details":{"a":`+nested(500)+`}`), want: succeeded,
			query: "SELECT cancellation_details FROM subscriptions WHERE stripe_subscription_id = '$ID'", value: `{"a":` + nested(500) + `}`,
		},
		{
			name: "numbers of any size in a JSON column", body: about("customer.subscription.created", `"pause_collection":{"a":1e309,"b":-1e999999,"c":`+beyondInt64+`,"d":[0.1E-99999]}`), want: succeeded,
			query: "SELECT COUNT(*) AS n FROM subscriptions WHERE stripe_subscription_id = '$ID' AND pause_collection IS NOT NULL", value: "1",
		},
		{name: "currency and enums of nobody", body: about("price.created", `"currency":"💸 not a currency","type":"¿","billing_scheme":"","recurring":{"interval":"fortnight","interval_count":-7}`), want: succeeded, query: priceText, value: "💸 not a currency none"},
		{name: "the largest amount", body: about("price.created", `"currency":"jpy","unit_amount":9223372036854775807`), want: succeeded, query: priceText, value: "jpy 9223372036854775807"},
		{name: "the smallest amount", body: about("price.created", `"currency":"jpy","unit_amount":-9223372036854775808`), want: succeeded, query: priceText, value: "jpy -9223372036854775808"},
		{
			name: "created negative", body: envelope("customer.created", `"created":-5,"data":{"object":{"id":"$ID","name":"A","created":-62135596800}}`), want: succeeded,
			query: "SELECT stripe_created_at FROM stripe_customers WHERE stripe_customer_id = '$ID'", value: "0001-01-01T00:00:00Z",
		},
		{
			name: "the last second of year 9999", body: envelope("customer.created", `"created":253402300799,"data":{"object":{"id":"$ID","created":253402300799}}`), want: succeeded,
			query: "SELECT stripe_created_at FROM stripe_customers WHERE stripe_customer_id = '$ID'", value: "9999-12-31T23:59:59Z",
		},
		{name: "no created, livemode null", body: envelope("customer.created", `"livemode":null,"data":{"object":{"id":"$ID","name":"A"}}`), want: succeeded, query: customer, value: "A"},
		{
			name: "an invoice without created that was paid less than nothing", body: envelope("invoice.paid", `"data":{"object":{"id":"$ID","amount_paid":-5,"attempt_count":-1}}`), want: succeeded,
			query: "SELECT amount_paid FROM stripe_invoices WHERE stripe_invoice_id = '$ID'", value: "-5",
		},
		{
			name: "a change of a subscription without created", body: envelope("customer.subscription.updated", `"data":{"object":{"id":"$ID","status":"active"},"previous_attributes":{"status":"trialing"}}`), want: succeeded,
			query: "SELECT status FROM subscriptions WHERE stripe_subscription_id = '$ID'", value: "active",
		},
		{
			name: "changes of fields of nobody", body: envelope("customer.subscription.updated", dated+`"data":{"object":{"id":"$ID"},"previous_attributes":{"\u0000":1e309,"x":"\u0000\ud800","`+strings.Repeat("y", 10_000)+`":[[{}]],"z":`+strings.Repeat("9", 20_000)+`}}`), want: succeeded,
			query: "SELECT COUNT(*) AS n FROM subscription_changes WHERE stripe_event_id = '$ID'", value: "4",
		},
	}
	for _, fields := range []string{
		`"data":[]`, `"data":"x"`, `"data":17`, `"data":true`, `"livemode":"true"`, `"livemode":1`, `"livemode":{}`,
		`"created":"2026-04-01T00:00:00Z"`, `"created":1.5`, `"created":1e3`, `"created":1e309`, `"created":true`, `"created":[]`,
		`"created":` + beyondInt64, `"created":9410000000000`, `"created":-62135596801`, `"created":` + strings.Repeat("9", 200_000),
		`"account":17`, `"account":"acct\u0000"`, `"account":"` + strings.Repeat("a", 900_000) + `"`, `"api_version":{}`,
	} {
		list = append(list, badInput{
			name: "envelope with " + fields[:min(40, len(fields))],
			body: envelope("customer.created", `"data":{"object":{"id":"$ID"}},`+fields), want: unreadable,
		})
	}
	for _, object := range []string{
		`null`, `[]`, `"x"`, `17`, `true`, `{}`, `{"id":null}`, `{"id":17}`, `{"id":{}}`, `{"id":""}`, `{"id":"$ID\u0000"}`,
		`{"id":"$ID\ud800"}`, "{\"id\":\"$ID\xff\"}", `{"id":"` + strings.Repeat("i", 1_000_000) + `"}`,
	} {
		list = append(list, badInput{name: "object " + object[:min(20, len(object))], body: whole("customer.created", object), want: rejected})
	}
	for _, c := range []struct{ eventType, fields string }{
		{"customer.created", `"name":17`},
		{"customer.created", `"name":{"x":"\u0000"}`},
		{"customer.created", `"email":[1e309]`},
		{"customer.created", `"metadata":"x"`},
		{"customer.created", `"metadata":[]`},
		{"customer.created", `"metadata":{"a":17}`},
		{"customer.created", `"metadata":{"a":null}`},
		{"customer.created", `"metadata":{"a":{}}`},
		{"customer.created", `"balance":` + beyondInt64},
		{"customer.created", `"balance":1.5`},
		{"customer.created", `"balance":1e2`},
		{"customer.created", `"balance":1e309`},
		{"customer.created", `"balance":"12"`},
		{"customer.created", `"balance":` + strings.Repeat("9", 200_000)},
		{"customer.created", `"created":9403980556800`}, // the year 300000
		{"customer.created", `"created":253402300800`},
		{"customer.created", `"created":-62135596801`},
		{"customer.created", `"created":1.5`},
		{"customer.created", `"delinquent":"false"`},
		{"customer.created", `"invoice_settings":"x"`},
		{"customer.created", `"default_source":["x"]`},
		{"customer.updated", `"default_source":"` + strings.Repeat("x", 256) + `"`},
		{"price.created", `"recurring":"month"`},
		{"price.created", `"recurring":[]`},
		{"price.created", `"recurring":{"interval":1}`},
		{"price.created", `"unit_amount":` + beyondInt64},
		{"price.created", `"unit_amount_decimal":"1e309"`},
		{"price.created", `"unit_amount_decimal":` + strings.Repeat("1", 65)},
		{"customer.subscription.created", `"items":"x"`},
		{"customer.subscription.created", `"items":[]`},
		{"customer.subscription.created", `"items":17`},
		{"customer.subscription.created", `"items":{"data":"x"}`},
		{"customer.subscription.created", `"items":{"data":[null]}`},
		{"customer.subscription.created", `"items":{"data":[{}]}`},
		{"customer.subscription.created", `"items":{"data":[{"id":"si_1","quantity":` + beyondInt64 + `}]}`},
		{"customer.subscription.created", `"current_period_end":9403980556800`},
		{"customer.subscription.created", `"discounts":[17]`},
		{"customer.subscription.created", `"customer":{"name":"x"}`},
		{"customer.subscription.created", `"pause_collection":"x"`},
		{"invoice.paid", `"lines":[]`},
		{"invoice.paid", `"lines":{"data":[{"amount":"x"}]}`},
		{"invoice.paid", `"parent":7`},
		{"invoice.paid", `"status_transitions":{"paid_at":9403980556800}`},
		{"invoice.paid", `"total_taxes":[{"amount":9223372036854775807},{"amount":1}]`},
		{"payment_method.attached", `"type":"card","card":[]`},
		{"payment_method.attached", `"type":"card","card":{"exp_year":1e309}`},
		{"checkout.session.completed", `"amount_total":"12"`},
		{"checkout.session.completed", `"metadata":17`},
		{"setup_intent.succeeded", `"payment_method":17`},
	} {
		list = append(list, badInput{
			name: c.eventType + " with " + c.fields[:min(50, len(c.fields))], body: about(c.eventType, c.fields), want: rejected,
		})
	}
	for _, previous := range []string{`[]`, `"x"`, `17`, `{"status":17}`, `{"items":{"data":"x"}}`, `{"current_period_end":9403980556800}`} {
		list = append(list, badInput{
			name: "previous attributes " + previous,
			body: envelope("customer.subscription.updated", dated+`"data":{"object":{"id":"$ID"},"previous_attributes":`+previous+`}`), want: rejected,
		})
	}
	return list
}
