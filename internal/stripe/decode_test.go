package stripe_test

import (
	"encoding/json"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// rows are the Decode functions by what they read, without previous attributes.
var rows = map[string]func(string) (quotekit.Row, error){
	"customer":         row(stripe.DecodeCustomer),
	"product":          row(stripe.DecodeProduct),
	"price":            row(stripe.DecodePrice),
	"subscription":     row(stripe.DecodeSubscription),
	"invoice":          row(stripe.DecodeInvoice),
	"payment_method":   row(stripe.DecodePaymentMethod),
	"checkout_session": row(stripe.DecodeCheckoutSession),
}

func row[R any, P interface {
	*R
	quotekit.Row
}](decode func(object, previous []byte) (stripe.Decoded[R], error)) func(string) (quotekit.Row, error) {
	return func(object string) (quotekit.Row, error) {
		d, err := decode([]byte(object), nil)
		return P(d.After), err
	}
}

func TestDecode_Shapes(t *testing.T) {
	for _, c := range []struct{ name, kind, object, want string }{
		{"a customer of 2018", "customer", `{"id":"c","account_balance":-500,"default_source":{"id":"card_1"}}`, `{"id":"c","balance":-500,"default_source":"card_1"}`},
		{"balance before account_balance", "customer", `{"id":"c","balance":1,"account_balance":2}`, `{"id":"c","balance":1}`},
		{"a deleted default source", "customer", `{"id":"c","default_source":{"id":"card_1","deleted":true}}`, `{"id":"c","default_source":"card_1"}`},
		{"an empty reference", "customer", `{"id":"c","default_source":""}`, `{"id":"c"}`},
		{"metadata is sorted and cleaned", "customer", `{"id":"c","metadata":{"b":"<\u0000>","a":"\ud800"}}`, `{"id":"c","metadata":{"a":"` + "\uFFFD" + `","b":"\u003c\u003e"}}`},
		{"text is cleaned", "customer", "{\"id\":\"c\",\"name\":\"A\\u0000d\\ud83d\\ude00a\\udc00\xff\"}", `{"id":"c","name":"Ad😀a` + "\uFFFD\uFFFD" + `"}`},

		{"the first image", "product", `{"id":"p","images":["a","b"]}`, `{"id":"p","image":"a"}`},
		{"no image", "product", `{"id":"p","images":[]}`, `{"id":"p"}`},
		{"an expanded default price", "product", `{"id":"p","default_price":{"id":"price_1"}}`, `{"id":"p","default_price":"price_1"}`},

		{"a free price", "price", `{"id":"p","unit_amount":0,"unit_amount_decimal":"0"}`, `{"id":"p","unit_amount":0,"unit_amount_decimal":"0"}`},
		{"a tiered price", "price", `{"id":"p","unit_amount":null,"unit_amount_decimal":null,"recurring":null}`, `{"id":"p"}`},
		{"a fraction of a cent", "price", `{"id":"p","unit_amount":null,"unit_amount_decimal":"0.000381"}`, `{"id":"p","unit_amount_decimal":"0.000381"}`},
		{"the greatest amount", "price", `{"id":"p","unit_amount":9223372036854775807}`, `{"id":"p","unit_amount":9223372036854775807}`},

		{
			"period at the top fills the items", "subscription", `{"id":"s","current_period_start":1,"current_period_end":2,"items":{"data":[{"id":"i"}]}}`,
			`{"id":"s","current_period_start":1,"current_period_end":2,"items":[{"id":"i","current_period_start":1,"current_period_end":2}]}`,
		},
		{
			"the period of the item that ends first", "subscription", `{"id":"s","items":{"data":[{"id":"a","current_period_start":1,"current_period_end":9},{"id":"b","current_period_start":5,"current_period_end":7}]}}`,
			`{"id":"s","current_period_start":5,"current_period_end":7,"items":[{"id":"a","current_period_start":1,"current_period_end":9},{"id":"b","current_period_start":5,"current_period_end":7}]}`,
		},
		{
			"a plan before 2020", "subscription", `{"id":"s","items":{"data":[{"id":"i","plan":{"id":"gold","product":"prod_1"},"quantity":3}]}}`,
			`{"id":"s","price":"gold","quantity":3,"items":[{"id":"i","price":"gold","product":"prod_1","quantity":3}]}`,
		},
		{"no list of items", "subscription", `{"id":"s","plan":{"id":"gold"},"quantity":2}`, `{"id":"s","price":"gold","quantity":2,"items_cut":true}`},
		{"an empty list of items", "subscription", `{"id":"s","items":{"data":[],"has_more":false}}`, `{"id":"s"}`},
		{"a list with more", "subscription", `{"id":"s","items":{"data":[{"id":"i"}],"has_more":true}}`, `{"id":"s","items":[{"id":"i"}],"items_cut":true}`},
		{"a list with a greater total", "subscription", `{"id":"s","items":{"data":[{"id":"i"}],"has_more":false,"total_count":2}}`, `{"id":"s","items":[{"id":"i"}],"items_cut":true}`},
		{"a metered first item", "subscription", `{"id":"s","quantity":7,"items":{"data":[{"id":"i","price":{"id":"p"}}]}}`, `{"id":"s","price":"p","items":[{"id":"i","price":"p"}]}`},
		{"an item twice", "subscription", `{"id":"s","items":{"data":[{"id":"i","quantity":1},{"id":"j"},{"id":"i","quantity":2}]}}`, `{"id":"s","quantity":2,"items":[{"id":"i","quantity":2},{"id":"j"}]}`},
		{"an old discount", "subscription", `{"id":"s","items":{"data":[]},"discount":{"coupon":{"id":"half"}}}`, `{"id":"s","discounts":[{"coupon":"half","id":null}]}`},
		{
			"discounts by id", "subscription", `{"id":"s","items":{"data":[]},"discounts":["di_1","di_2"],"discount":{"id":"di_1","coupon":{"id":"half"}}}`,
			`{"id":"s","discounts":[{"coupon":"half","id":"di_1"},{"coupon":null,"id":"di_2"}]}`,
		},
		{"discounts of clover", "subscription", `{"id":"s","items":{"data":[]},"discounts":[{"id":"di_1","source":{"type":"coupon","coupon":"half"}}]}`, `{"id":"s","discounts":[{"coupon":"half","id":"di_1"}]}`},
		{"no discounts", "subscription", `{"id":"s","items":{"data":[]},"discounts":[],"discount":null}`, `{"id":"s","discounts":[]}`},
		{"pause_collection", "subscription", `{"id":"s","items":{"data":[]},"pause_collection":{"resumes_at":null,"behavior":"void"}}`, `{"id":"s","pause_collection":{"behavior":"void","resumes_at":null}}`},

		{
			"an old invoice", "invoice", `{"id":"i","subscription":{"id":"sub_1"},"charge":{"id":"ch_1"},"payment_intent":"pi_1","paid":false,"tax":7,"subscription_details":{"metadata":{"a":"b"}}}`,
			`{"id":"i","subscription":"sub_1","tax":7,"paid":false,"payment_intent":"pi_1","charge":"ch_1","subscription_metadata":{"a":"b"}}`,
		},
		{
			"a new invoice", "invoice", `{"id":"i","status":"open","parent":{"type":"subscription_details","subscription_details":{"subscription":"sub_1","metadata":{"a":"b"}}},"total_taxes":[{"amount":5},{"amount":-2}]}`,
			`{"id":"i","subscription":"sub_1","parent_type":"subscription_details","status":"open","tax":3,"paid":false,"subscription_metadata":{"a":"b"}}`,
		},
		{"an invoice of a quote", "invoice", `{"id":"i","parent":{"type":"quote_details","subscription_details":null,"quote_details":{"quote":"qt_1"}}}`, `{"id":"i","parent_type":"quote_details"}`},
		{"paid says more than the status", "invoice", `{"id":"i","paid":true,"status":"open"}`, `{"id":"i","status":"open","paid":true}`},
		{
			"an old line", "invoice", `{"id":"i","lines":{"data":[{"id":"il_1","amount":-450,"currency":"usd","price":{"id":"p","product":"prod"},"subscription":"sub_1","subscription_item":"si_1","proration":true,"period":{"start":1,"end":2},"quantity":1}],"has_more":true}}`,
			`{"id":"i","lines":[{"amount":-450,"currency":"usd","id":"il_1","period_end":2,"period_start":1,"price":"p","product":"prod","proration":true,"quantity":1,"subscription":"sub_1","subscription_item":"si_1"}],"lines_cut":true}`,
		},
		{
			"a new line", "invoice", `{"id":"i","lines":{"data":[{"id":"il_1","amount":1,"currency":"usd","pricing":{"price_details":{"price":"p","product":"prod"}},"parent":{"subscription_item_details":{"subscription":"sub_1","subscription_item":"si_1","proration":false}},"period":{"start":1,"end":2},"quantity":null}],"has_more":false}}`,
			`{"id":"i","lines":[{"amount":1,"currency":"usd","id":"il_1","period_end":2,"period_start":1,"price":"p","product":"prod","proration":false,"quantity":null,"subscription":"sub_1","subscription_item":"si_1"}],"lines_cut":false}`,
		},

		{
			"a card in a wallet", "payment_method", `{"id":"p","type":"card","card":{"brand":"visa","last4":"4242","exp_month":1,"exp_year":2030,"fingerprint":"f","country":"US","wallet":{"type":"apple_pay"}}}`,
			`{"id":"p","type":"card","brand":"visa","last4":"4242","exp_month":1,"exp_year":2030,"fingerprint":"f","wallet":"apple_pay","country":"US"}`,
		},
		{"the hash before the type", "payment_method", `{"card":{"brand":"visa"},"type":"card","id":"p"}`, `{"id":"p","type":"card","brand":"visa"}`},
		{"only its own hash", "payment_method", `{"id":"p","type":"link","card":{"brand":"visa"},"link":{"email":"a@example.com"}}`, `{"id":"p","type":"link","email":"a@example.com"}`},
		{"an unknown type", "payment_method", `{"id":"p","type":"new_bank","new_bank":{"last4":"1234","brand":7,"wallet":"x"}}`, `{"id":"p","type":"new_bank","last4":"1234"}`},
		{"an unknown type without hash", "payment_method", `{"id":"p","type":"new_bank","new_bank":"x"}`, `{"id":"p","type":"new_bank"}`},
		{"a type that is a field's name", "payment_method", `{"id":"p","type":"billing_details","billing_details":{"email":"a@example.com"}}`, `{"id":"p","type":"billing_details","email":"a@example.com","billing_details":{"email":"a@example.com"}}`},

		{"a session of a guest", "checkout_session", `{"id":"s","customer":null,"customer_details":{"email":"a@example.com"},"customer_email":"b@example.com"}`, `{"id":"s","customer_email":"a@example.com"}`},
		{"an old session", "checkout_session", `{"id":"s","customer_details":null,"customer_email":"b@example.com"}`, `{"id":"s","customer_email":"b@example.com"}`},
	} {
		t.Run(c.kind+": "+c.name, func(t *testing.T) {
			got, err := rows[c.kind](c.object)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if string(text) != c.want {
				t.Errorf("got %s\nwant %s", text, c.want)
			}
		})
	}
}

func TestDecodeInvoice_RefusesATaxThatOverflows(t *testing.T) {
	_, err := rows["invoice"](`{"id":"i","total_taxes":[{"amount":9223372036854775807},{"amount":1}]}`)
	if err == nil {
		t.Error("got no error")
	}
}

// Text that has passed through encoding/json once more is the same text, since
// rows are compared by their JSON.
func TestDecode_CanonicalJSONSurvivesEncoding(t *testing.T) {
	got, err := rows["customer"](`{"id":"c","metadata":{"z":"\u2028<&>\"\\\/\b\f\n\r\t\u0001é","a":""}}`)
	if err != nil {
		t.Fatal(err)
	}
	first := got.(*quotekit.Customer)
	text, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	var second quotekit.Customer
	if err := json.Unmarshal(text, &second); err != nil {
		t.Fatal(err)
	}
	if first.Metadata != second.Metadata {
		t.Errorf("got %s, want %s", second.Metadata, first.Metadata)
	}
}
