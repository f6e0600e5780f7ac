package operations_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
)

func TestCreate_BoundsTexts(t *testing.T) {
	for _, c := range []struct {
		operation, object, field string
		most                     int
	}{
		{"bulk_create_items", `{"unit_price": "1", "name": "%s"}`, "name", 500},
		{"bulk_create_items", `{"name": "x", "unit_price": "1", "unit": "%s"}`, "unit", 50},
		{"bulk_create_items", `{"name": "x", "unit_price": "1", "category": "%s"}`, "category", 200},
		{"bulk_create_items", `{"name": "x", "unit_price": "1", "tags": ["", "%s"]}`, "tags[1]", 100},
		{"bulk_create_clients", `{"name": "x", "email": "%s@example.com"}`, "email", 308},
		{"bulk_create_clients", `{"name": "x", "phone": "%s"}`, "phone", 50},
		{"bulk_create_clients", `{"name": "x", "address": "%s"}`, "address", 1000},
		{"bulk_create_clients", `{"name": "x", "notes": "%s"}`, "notes", 10000},
		{"bulk_create_quotes", `{"total": "1", "client_name": "%s"}`, "client_name", 500},
		{"bulk_create_quotes", `{"total": "1", "client_name": "x", "quote_number": "%s"}`, "quote_number", 100},
		{"bulk_create_quotes", `{"total": "1", "client_name": "x", "notes": "%s"}`, "notes", 10000},
		{"bulk_create_quotes", `{"client_name": "x", "line_items": [{"unit_price": "1", "name": "%s"}]}`, "line_items[0].name", 500},
	} {
		// A character outside the basic plane is one, not two or four.
		for n, fits := range map[int]bool{c.most: true, c.most + 1: false} {
			_, problems := create(t, c.operation, fmt.Sprintf(c.object, strings.Repeat("😀", n)))
			told := slices.ContainsFunc(problems, func(p quotekit.FieldError) bool {
				return p.Field == c.field && strings.HasPrefix(p.Message, "must have at most ")
			})
			if told == fits {
				t.Errorf("%s of %d: %s", c.field, n, list(problems))
			}
		}
	}
	for n, want := range map[int]string{50: "", 51: "tags must have at most 50 tags"} {
		tags := strings.TrimSuffix(strings.Repeat(`"a",`, n), ",")
		_, problems := create(t, "bulk_create_items", `{"name": "x", "unit_price": "1", "tags": [`+tags+`]}`)
		if got := list(problems); got != want {
			t.Errorf("%d tags: got %s", n, got)
		}
	}
}

func TestCreate_RefusesControlCharacters(t *testing.T) {
	for r := range rune(0x110) {
		text, _ := json.Marshal("a" + string(r) + "b")
		_, problems := create(t, "bulk_create_clients", fmt.Sprintf(`{"name": "x", "notes": %s}`, text))
		refused := r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0x7f && r < 0xa0
		if got := len(problems) > 0; got != refused {
			t.Errorf("%U: %s", r, list(problems))
		}
	}
}

func TestCreate_RefusesWhatIsNotOneObject(t *testing.T) {
	for _, operation := range []string{"bulk_create_items", "bulk_create_clients", "bulk_create_quotes"} {
		for object, want := range map[string]string{ // the end of what is told
			`null`:                            " must be an object, not null",
			`[]`:                              " must be an object, not an array",
			`"name"`:                          " must be an object, not a string",
			`1`:                               " must be an object, not a number",
			``:                                " is not valid JSON",
			`{"name": "x"`:                    " is not valid JSON",
			`{"name": "x"} {}`:                " is not valid JSON",
			`{"name": "x",}`:                  " is not valid JSON",
			`{"name": "x", "name": "y"}`:      "name appears twice",
			`{"name": "x", "n\u0061me": "y"}`: "name appears twice",
			`{"tags": [{"a": 1, "a": 2}]}`:    "tags[0].a appears twice",
			"{\"name\": \"\xff\"}":            "name has text that is not valid Unicode",
			`{"name": "\ud800"}`:              "name has text that is not valid Unicode",
			`{"name": "\udc00\ud800"}`:        "name has text that is not valid Unicode",
			`{"name": "\ud800\u0041"}`:        "name has text that is not valid Unicode",
			strings.Repeat("[", 20000):        " must be an object, not an array",
			`{"a":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`: "",
		} {
			values, problems := create(t, operation, object)
			if got := list(problems); values != nil || len(problems) != 1 || !strings.HasSuffix(got, want) {
				t.Errorf("%.40s: got %v, %.200s, want %s", object, values, got, want)
			}
		}
	}
}

// A name comes from outside, and is written into tables.
func TestCreate_NamesFieldsSafely(t *testing.T) {
	for name, want := range map[string]string{
		`\u0000`:                  `"\x00"`,
		`a b`:                     `"a b"`,
		``:                        `""`,
		`ü`:                       `"\u00fc"`,
		`a\nb`:                    `"a\nb"`,
		strings.Repeat("a", 9000): `"` + strings.Repeat("a", 40) + `"`,
		strings.Repeat("é", 9000): `"` + strings.Repeat(`\u00e9`, 20) + `"`,
	} {
		_, problems := create(t, "bulk_create_clients", `{"name": "x", "`+name+`": 1}`)
		if len(problems) != 1 || problems[0].Field != want {
			t.Errorf("%.40q: got %v, want %s", name, problems, want)
		}
	}
}

func TestCreate_BoundsWhatItTells(t *testing.T) {
	var object strings.Builder
	for i := range 500 {
		fmt.Fprintf(&object, `, "x%03d": 1`, i)
	}
	_, problems := create(t, "bulk_create_clients", `{"name": "x"`+object.String()+`}`)
	if n := len(problems); n != 51 || problems[49].Field != "x049" || problems[50].Message != "and 450 problems more" {
		t.Errorf("got %d problems, the last %v", n, problems[n-1])
	}
}
