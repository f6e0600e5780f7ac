package operations_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestCreateQuote_KeepsWhatIsGiven(t *testing.T) {
	checkCreations(t, "bulk_create_quotes", []creation{
		{`{"client_name": "Ada", "total": "10"}`, "client_name string Ada\nstatus string draft\ntotal cents 10.00"},
		{
			`{"client_id": "0198C0DE-0000-7000-8000-00000000ABCD", "total": "0", "status": null, "client_name": null}`,
			"client_id string 0198c0de-0000-7000-8000-00000000abcd\nstatus string draft\ntotal cents 0.00",
		},
		{
			`{"client_name": "Ada", "client_email": "ada@example.com", "quote_number": "Q-1", "status": "converted",
			"subtotal": "1", "tax_rate": "19.5", "tax_amount": "2", "total": "7", "notes": "n",
			"valid_until": "2026-01-31", "created_at": "2020-02-29T23:59:59.123456789+01:30"}`,
			strings.Join([]string{
				"client_email string ada@example.com", "client_name string Ada", "created_at time 2020-02-29T22:29:59.123456Z",
				"notes string n", "quote_number string Q-1", "status string converted", "subtotal cents 1.00",
				"tax_amount cents 2.00", "tax_rate rate 19.50", "total cents 7.00", "valid_until time 2026-01-31T00:00:00Z",
			}, "\n"),
		},
		{
			`{"client_name": "Ada", "total": "1", "line_items": [], "valid_until": "2026-01-31T01:00:00+02:00"}`,
			"client_name string Ada\nline_items json []\nstatus string draft\ntotal cents 1.00\nvalid_until time 2026-01-30T23:00:00Z",
		},
	})
}

func TestCreateQuote_ComputesWhatIsMissing(t *testing.T) {
	const ten = `{"name": "x", "unit_price": "10"}`
	for _, c := range []struct{ given, want string }{
		{`"line_items": [` + ten + `]`, "10.00 <nil> 0.00 10.00"},
		{`"line_items": [` + ten + `], "tax_rate": "19"`, "10.00 19.00 1.90 11.90"},
		{`"line_items": [` + ten + `,` + ten + `], "tax_rate": "0.0249"`, "20.00 0.0249 0.00 20.00"},
		{`"line_items": [` + ten + `,` + ten + `], "tax_rate": "0.025"`, "20.00 0.025 0.01 20.01"}, // 0.005
		// Each line is rounded, half up: 0.005 twice is 0.02.
		{`"line_items": [{"name": "a", "unit_price": "0.01", "quantity": 0.5}, {"name": "b", "unit_price": "0.01", "quantity": "0.5"}]`, "0.02 <nil> 0.00 0.02"},
		{`"line_items": [{"name": "a", "unit_price": "0.01", "quantity": 0.4999}]`, "0.00 <nil> 0.00 0.00"},
		{`"line_items": [{"name": "a", "unit_price": "1.15", "quantity": "3.3333"}]`, "3.83 <nil> 0.00 3.83"},
		{`"line_items": [` + ten + `], "tax_rate": "10", "subtotal": "9"`, "9.00 10.00 0.90 9.90"},
		{`"line_items": [` + ten + `], "tax_rate": "10", "tax_amount": "2"`, "10.00 10.00 2.00 12.00"},
		{`"line_items": [` + ten + `], "tax_rate": "10", "total": "5"`, "10.00 10.00 1.00 5.00"},
		{`"line_items": [{"name": "a", "unit_price": "99999999.99"}]`, "99999999.99 <nil> 0.00 99999999.99"},
		{`"line_items": [{"name": "a", "unit_price": "0.01", "quantity": 999999999.9999}]`, "10000000.00 <nil> 0.00 10000000.00"},
		{`"total": "5"`, "<nil> <nil> <nil> 5.00"},
		{`"total": "5", "tax_rate": "19"`, "<nil> 19.00 <nil> 5.00"},
		{`"total": "5", "line_items": [], "subtotal": "4"`, "4.00 <nil> <nil> 5.00"},
	} {
		values, problems := create(t, "bulk_create_quotes", `{"client_name": "Ada", `+c.given+`}`)
		got := fmt.Sprint(values["subtotal"], " ", values["tax_rate"], " ", values["tax_amount"], " ", values["total"])
		if got != c.want || problems != nil {
			t.Errorf("%s: got %s %s, want %s", c.given, got, list(problems), c.want)
		}
	}
}

func TestCreateQuote_StoresLinesAlike(t *testing.T) {
	for given, want := range map[string]string{
		`[{"name": " a ", "unit_price": "12.5"}]`: `[{"name":"a","quantity":1,"unit_price":"12.50"}]`,
		`[ {"unit_price": "0", "quantity": 2.0, "unit": "h", "description": "d\n", "name": "a", "item_id": "I-1"} ]`: `` +
			`[{"item_id":"I-1","name":"a","description":"d","unit":"h","quantity":2,"unit_price":"0.00"}]`,
		`[{"name": "a", "unit_price": "1", "quantity": "007.0500", "unit": null, "item_id": ""}]`: `[{"name":"a","quantity":7.05,"unit_price":"1.00"}]`,
		`[{"name": "a", "unit_price": "1", "quantity": 0.0001}]`:                                  `[{"name":"a","quantity":0.0001,"unit_price":"1.00"}]`,
		`[{"name": "a", "unit_price": "0", "quantity": 999999999.9999}]`:                          `[{"name":"a","quantity":999999999.9999,"unit_price":"0.00"}]`,
		`[{"name": "a", "unit_price": "1", "quantity": null}, {"name": "<\"\\\u2028>", "unit_price": "1"}]`: "" +
			`[{"name":"a","quantity":1,"unit_price":"1.00"},{"name":"<\"\\` + "\u2028" + `>","quantity":1,"unit_price":"1.00"}]`,
	} {
		values, problems := create(t, "bulk_create_quotes", `{"client_name": "Ada", "line_items": `+given+`}`)
		if got := fmt.Sprintf("%s", values["line_items"]); got != want {
			t.Errorf("%s: got %s %s, want %s", given, got, list(problems), want)
		}
	}
}

func TestCreateQuote_Refuses(t *testing.T) {
	const (
		oneOf   = "status must be one of draft, sent, accepted, declined, expired, converted"
		instant = "created_at must be a time like 2026-01-31T12:00:00Z"
		until   = "valid_until must be a time like 2026-01-31T12:00:00Z or a day like 2026-01-31"
		rate    = `tax_rate must be a percentage like "19" from 0 to 999.9999, with at most four digits behind the point`
		cannot  = "total cannot be computed: the "
		most    = ", and the most is 99999999.99"
	)
	for given, want := range map[string]string{
		`{}`: "client_name is required where there is no client_id\ntotal is required where there are no line_items",
		`{"client_name": " ", "line_items": [], "subtotal": "1"}`: "client_name is required where there is no client_id\n" +
			"total is required where there are no line_items",
		`{"client_id": "x", "total": 1, "status": "paid", "client_email": "x", "quote_number": 7}`: strings.Join([]string{
			"client_id must be a UUID", "client_email must be one email address", "quote_number must be a string, not a number",
			oneOf, `total must be a string like "12.50", not a number: numbers lose digits on the way`,
		}, "\n"),
		`{"client_id": "{0198c0de-0000-7000-8000-00000000abcd}", "total": "1"}`: "client_id must be a UUID",
		`{"client_id": "0198c0de000070008000000000000abc", "total": "1"}`:       "client_id must be a UUID",
		`{"client_name": "x", "total": "1", "id": "x", "updated_at": "x", "user_id": 1}`: "id is set by the service\n" +
			"updated_at is set by the service\nuser_id is set by the service",

		`{"client_name": "x", "total": "1", "created_at": "2026-01-31"}`:                instant,
		`{"client_name": "x", "total": "1", "created_at": "2026-01-31 12:00:00Z"}`:      instant,
		`{"client_name": "x", "total": "1", "created_at": "2026-01-31T12:00:00"}`:       instant,
		`{"client_name": "x", "total": "1", "created_at": "2026-02-30T12:00:00Z"}`:      instant,
		`{"client_name": "x", "total": "1", "created_at": "2026-01-31T12:00:00,5Z"}`:    instant,
		`{"client_name": "x", "total": "1", "created_at": "2026-01-31T1:00:00Z"}`:       instant,
		`{"client_name": "x", "total": "1", "created_at": "0000-01-31T12:00:00Z"}`:      instant,
		`{"client_name": "x", "total": "1", "created_at": "9999-12-31T23:59:59-00:01"}`: instant,
		`{"client_name": "x", "total": "1", "created_at": 1}`:                           "created_at must be a string, not a number",
		`{"client_name": "x", "total": "1", "valid_until": "31.1.2026"}`:                until,
		`{"client_name": "x", "total": "1", "valid_until": "2026-1-31"}`:                until,
		`{"client_name": "x", "total": "1", "tax_rate": "1000"}`:                        rate,
		`{"client_name": "x", "total": "1", "tax_rate": "-1"}`:                          rate,
		`{"client_name": "x", "total": "1", "tax_rate": "1.00001"}`:                     rate,
		`{"client_name": "x", "total": "1", "tax_rate": 19}`:                            `tax_rate must be a string like "19", not a number: numbers lose digits on the way`,
		`{"client_name": "x", "line_items": {}}`:                                        "line_items must be an array, not an object",
		`{"client_name": "x", "line_items": [{"name": "a", "unit_price": "1"}], "subtotal": "-1"}`: `` +
			`subtotal must be a decimal like "12.50" from 0.00 to 99999999.99, with at most two digits behind the point`,

		`{"client_name": "x", "line_items": [{"name": "a", "unit_price": "50000000", "quantity": 2}]}`: cannot + "subtotal would be 100000000.00" + most,
		`{"client_name": "x", "total": "1", "line_items": [{"name": "a", "unit_price": "99999999.99", "quantity": "999999999.9999"}]}`: "" +
			cannot + "subtotal would be 99999999989990000.00" + most,
		`{"client_name": "x", "line_items": [{"name": "a", "unit_price": "99999999"}], "tax_rate": "999.9999"}`: cannot + "tax amount would be 999999890.00" + most,
		`{"client_name": "x", "line_items": [{"name": "a", "unit_price": "99999999"}], "tax_rate": "1"}`:        cannot + "total would be 100999998.99" + most,
	} {
		if _, problems := create(t, "bulk_create_quotes", given); list(problems) != want {
			t.Errorf("%s: got\n%s\nwant\n%s", given, list(problems), want)
		}
	}
}

func TestCreateQuote_RefusesLines(t *testing.T) {
	const (
		rule   = "must be a plain decimal above 0, of at most 9 digits before the point and 4 behind it"
		amount = `must be a decimal like "12.50" from 0.00 to 99999999.99, with at most two digits behind the point`
	)
	_, problems := create(t, "bulk_create_quotes", `{"client_name": "x", "line_items": [
		{"name": "a", "unit_price": "1", "quantity": 0}, {"name": "a", "unit_price": "1", "quantity": -1},
		{"name": "a", "unit_price": "1", "quantity": 1e2}, {"name": "a", "unit_price": "1", "quantity": "1.00001"},
		{"name": "a", "unit_price": "1", "quantity": 1000000000}, {"name": "a", "unit_price": "1", "quantity": true},
		{"name": "", "unit_price": "-1"}, {"id": 1, "quantity": ""}, null, "x"]}`)
	want := strings.Join([]string{
		"line_items[0].quantity " + rule, "line_items[1].quantity " + rule, "line_items[2].quantity " + rule,
		"line_items[3].quantity " + rule, "line_items[4].quantity " + rule,
		`line_items[5].quantity must be a string like "1.5", not a boolean`,
		"line_items[6].name is required", "line_items[6].unit_price " + amount,
		"line_items[7].name is required", "line_items[7].quantity " + rule, "line_items[7].unit_price is required",
		"line_items[7].id is not a known field",
		"line_items[8] must be an object, not null", "line_items[9] must be an object, not a string",
	}, "\n")
	if got := list(problems); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for n, want := range map[int]string{500: "", 501: "line_items must have at most 500 lines"} {
		lines := strings.TrimSuffix(strings.Repeat(`{"name": "a", "unit_price": "1"},`, n), ",")
		if _, problems := create(t, "bulk_create_quotes", `{"client_name": "x", "line_items": [`+lines+`]}`); list(problems) != want {
			t.Errorf("%d lines: got %s", n, list(problems))
		}
	}
}
