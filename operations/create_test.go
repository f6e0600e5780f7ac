package operations_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
)

func create(t testing.TB, operation, object string) (quotekit.Values, []quotekit.FieldError) {
	t.Helper()
	return mustPrepare(t, operation, `{}`).Create(json.RawMessage(object))
}

// show writes values as "column type value", one a line, without what is NULL.
func show(values quotekit.Values) string {
	var lines []string
	for _, column := range slices.Sorted(maps.Keys(values)) {
		switch v := values[column].(type) {
		case nil:
		case json.RawMessage:
			lines = append(lines, column+" json "+string(v))
		case time.Time:
			lines = append(lines, column+" time "+v.Format(time.RFC3339Nano))
		default:
			lines = append(lines, fmt.Sprintf("%s %s %v", column, strings.ToLower(fmt.Sprintf("%T", v)), v))
		}
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), "quotekit.", "")
}

// columns are what every create of a table sets.
var columns = map[string][]string{
	"bulk_create_items":   {"category", "name", "tags", "unit", "unit_price"},
	"bulk_create_clients": {"address", "email", "name", "notes", "phone"},
	"bulk_create_quotes": {
		"client_email", "client_id", "client_name", "line_items", "notes", "quote_number", "status",
		"subtotal", "tax_amount", "tax_rate", "total", "valid_until",
	},
}

type creation struct{ object, want string }

// checkCreations checks what becomes of objects: a row, or what is wrong.
func checkCreations(t *testing.T, operation string, cases []creation) {
	t.Helper()
	for _, c := range cases {
		values, problems := create(t, operation, c.object)
		got := show(values) + list(problems)
		if got != c.want {
			t.Errorf("%.300s:\ngot\n%s\nwant\n%s", c.object, got, c.want)
		}
		if len(problems) > 0 {
			continue
		}
		given := slices.DeleteFunc(slices.Sorted(maps.Keys(values)), func(c string) bool { return c == "created_at" })
		if !slices.Equal(given, columns[operation]) {
			t.Errorf("%.300s: columns %v", c.object, given)
		}
	}
}

func TestCreateItem(t *testing.T) {
	checkCreations(t, "bulk_create_items", []creation{
		{`{"name": "Hammer", "unit_price": "12.5"}`, "name string Hammer\ntags json []\nunit_price cents 12.50"},
		{
			`{"name": " Hammer\t", "unit": "pc", "unit_price": "99999999.99", "category": "Tools", "tags": ["a", " <b> ", "ü😀"]}`,
			"category string Tools\nname string Hammer\ntags json [\"a\",\"<b>\",\"ü😀\"]\nunit string pc\nunit_price cents 99999999.99",
		},
		{
			`{"name": "x", "unit": null, "unit_price": "0", "category": "  ", "tags": null}`,
			"name string x\ntags json []\nunit_price cents 0.00",
		},
		{
			`{"name": "two\r\n\tlines \\ \"q\" \u2028", "unit_price": "00012.500"}`,
			"name string two\r\n\tlines \\ \"q\"\ntags json []\nunit_price cents 12.50",
		},
		{`{"name": "x", "unit_price": "1", "tags": []}`, "name string x\ntags json []\nunit_price cents 1.00"},
		{`{}`, "name is required\nunit_price is required"},
		{`{"name": " \n ", "unit_price": null}`, "name is required\nunit_price is required"},
		{`{"name": 1, "unit_price": 12.5, "unit": [], "category": {}, "tags": "a"}`, strings.Join([]string{
			"name must be a string, not a number",
			"unit must be a string, not an array",
			`unit_price must be a string like "12.50", not a number: numbers lose digits on the way`,
			"category must be a string, not an object",
			"tags must be an array, not a string",
		}, "\n")},
		{`{"name": "x", "unit_price": "1", "tags": ["a", "", 3, null, ["b"], "c\u0007", "d"]}`, strings.Join([]string{
			"tags[1] must not be blank",
			"tags[2] must be a string, not a number",
			"tags[3] must be a string, not null",
			"tags[4] must be a string, not an array",
			"tags[5] has a control character other than tab and line break",
		}, "\n")},
		{`{"name": "x", "unit_price": "1", "id": "1", "user_id": "2", "created_at": "", "updated_at": null, "price": "1", "Name": "x"}`, strings.Join([]string{
			"Name is not a known field",
			"created_at is set by the service",
			"id is set by the service",
			"price is not a known field",
			"updated_at is set by the service",
			"user_id is set by the service",
		}, "\n")},
	})
}

func TestCreateItem_RefusesAmounts(t *testing.T) {
	const rule = `unit_price must be a decimal like "12.50" from 0.00 to 99999999.99, with at most two digits behind the point`
	for _, amount := range []string{
		"", "-0.01", "100000000", "100000000.00", "99999999999999999999999", "1.001", "+1", "1e1", "1,5", "NaN", "$1", " 1", "1.", ".5", "x",
	} {
		if _, problems := create(t, "bulk_create_items", fmt.Sprintf(`{"name": "x", "unit_price": %q}`, amount)); list(problems) != rule {
			t.Errorf("%q: got %s", amount, list(problems))
		}
	}
}

func TestCreateClient(t *testing.T) {
	const address = "email must be one email address"
	checkCreations(t, "bulk_create_clients", []creation{
		{`{"name": "Ada"}`, "name string Ada"},
		{
			`{"name": "Ada", "email": " ada@example.com ", "phone": "+49 30 1", "address": "Street 1\nTown", "notes": "a\tb"}`,
			"address string Street 1\nTown\nemail string ada@example.com\nname string Ada\nnotes string a\tb\nphone string +49 30 1",
		},
		{`{"name": "Ada", "email": "", "phone": null}`, "name string Ada"},
		{`{"name": "Ada", "email": "ada"}`, address},
		{`{"name": "Ada", "email": "a@example.com, b@example.com"}`, address},
		{`{"name": "Ada", "email": "Ada <ada@example.com>"}`, address},
		{`{"name": "Ada", "email": "<ada@example.com>"}`, address},
		{`{"name": "Ada", "email": "ada@example.com (home)"}`, address},
		{`{"name": "Ada", "email": "ada\n@example.com"}`, address},
		{`{"name": "Ada", "email": "@"}`, address},
		{`{"email": 5, "phone": true, "x": 1}`, "name is required\nemail must be a string, not a number\n" +
			"phone must be a string, not a boolean\nx is not a known field"},
	})
}
