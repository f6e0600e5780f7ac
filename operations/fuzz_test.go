package operations_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/quotekit/quotekit"
)

func FuzzCreateItem(f *testing.F) {
	f.Add([]byte(`{"name": "Hammer", "unit": "pc", "unit_price": "12.5", "category": "Tools", "tags": ["a", "\u00e9"]}`))
	f.Add([]byte(`{"name": "\u0000", "unit_price": 1e400, "tags": [[{"a": "\ud800"}]], "\u0007": null}`))
	fuzzCreate(f, "bulk_create_items")
}

func FuzzCreateClient(f *testing.F) {
	f.Add([]byte(`{"name": "Ada", "email": "ada@example.com", "phone": "1", "address": "a\nb", "notes": "n"}`))
	f.Add([]byte(`{"name": "Ada", "email": "\"a b\"@[1.2.3.4]", "notes": "\u009f\ufffd"}`))
	fuzzCreate(f, "bulk_create_clients")
}

func FuzzCreateQuote(f *testing.F) {
	f.Add([]byte(`{"client_id": "0198C0DE-0000-7000-8000-00000000ABCD", "tax_rate": "19", "status": "sent",
		"line_items": [{"name": "a", "quantity": 1.5, "unit_price": "10"}], "valid_until": "2026-01-31"}`))
	f.Add([]byte(`{"client_name": "Ada", "total": "10", "subtotal": "9", "created_at": "2020-02-29T23:59:59.123456789+01:30"}`))
	f.Add([]byte(`{"client_name": "Ada", "line_items": [{"name": "\u2028", "quantity": "0.0001", "unit_price": "99999999.99"}]}`))
	fuzzCreate(f, "bulk_create_quotes")
}

// fuzzCreate checks that any bytes make either a row that every database takes
// or a list of what is wrong that can be shown and stored.
func fuzzCreate(f *testing.F, operation string) {
	step := mustPrepare(f, operation, `{}`)
	f.Fuzz(func(t *testing.T, object []byte) {
		values, problems := step.Create(object)
		if (values == nil) == (len(problems) == 0) {
			t.Fatalf("got %v and %v", values, problems)
		}
		for _, p := range problems {
			if p.Message == "" || !isClean(p.Field+p.Message) || strings.ContainsAny(p.Field, "\r\n\t") {
				t.Errorf("field %q, message %q", p.Field, p.Message)
			}
		}
		if len(problems) > 51 {
			t.Errorf("%d problems", len(problems))
		}
		for column, value := range values {
			checkValue(t, column, value)
		}
	})
}

// checkValue checks that a value is one of those of [quotekit.Values] and that
// a column holds it.
func checkValue(t *testing.T, column string, value any) {
	t.Helper()
	ok := false
	switch v := value.(type) {
	case nil:
		ok = column != "name" && column != "unit_price" && column != "total" && column != "status" && column != "tags"
	case string:
		ok = v != "" && isClean(v)
	case quotekit.Cents:
		ok = v >= 0 && v <= quotekit.MaxCents
	case quotekit.Rate:
		ok = v >= 0 && v <= quotekit.MaxRate
	case time.Time:
		ok = v.Location() == time.UTC && v.Equal(v.Truncate(time.Microsecond)) && v.Year() >= 1 && v.Year() <= 9999
	case json.RawMessage:
		var elements []any
		ok = json.Unmarshal(v, &elements) == nil && elements != nil && areClean(elements)
	}
	if !ok {
		t.Errorf("%s: got %T %q", column, value, value)
	}
}

func areClean(v any) bool {
	switch v := v.(type) {
	case string:
		return isClean(v)
	case []any:
		for _, e := range v {
			if !areClean(e) {
				return false
			}
		}
	case map[string]any:
		for _, e := range v {
			if !areClean(e) {
				return false
			}
		}
	}
	return true
}

func isClean(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) && r != '\t' && r != '\r' && r != '\n' {
			return false
		}
	}
	return utf8.ValidString(s)
}
