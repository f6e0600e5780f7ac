package rest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/quotekit/quotekit/internal/rest"
)

func TestNegotiate(t *testing.T) {
	for _, tt := range []struct{ accept, want string }{ // several headers by "|"
		{"", "application/json"},
		{" ", "application/json"},
		{"*/*", "application/json"},
		{"application/json", "application/json"},
		{"text/csv", "text/csv"},
		{"text/*", "text/csv"},
		{"application/*;q=0.1, text/*", "text/csv"},
		{"Text/CSV; charset=utf-8", "text/csv"},
		{"application/x-ndjson|text/csv;q=0.9", "application/x-ndjson"},
		{"text/csv;q=0.1, */*;q=0.2", "application/json"},
		{"application/json;q=0, */*", "text/csv"},
		{"*/*;q=0.5, application/x-ndjson", "application/x-ndjson"},
		{"application/json;q=0.5, application/*;q=0.9", "application/x-ndjson"}, // the range that fits best decides
		{"image/png, nonsense, ;;, */*", "application/json"},
		{"text/csv;q=1.000, application/json;q=0.999", "text/csv"},
		{"text/html", ""},
		{"*/*;q=0", ""},
		{"text/csv;q=0.000", ""},
		{"text/csv;q=-1", ""},
		{"text/csv;q=NaN", ""},
		{"nonsense", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Accept"] = strings.Split(tt.accept, "|")
		got, err := rest.Negotiate(r, "application/json", "text/csv", "application/x-ndjson")
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%q: got %q, %v, want %q", tt.accept, got, err, tt.want)
		}
	}
}

func TestCell_GuardsFormulasAndNoNumbers(t *testing.T) {
	for _, text := range []string{"=1", "=", "+", "-", "@x", "\tx", "\rx", "-5 EUR", "+49 30", "--5", "-5-5", "+1+1", "-1e", "-.", "-5\n", "-5\n=1", "=\x00", "-0x10", "-Inf", "-1,5"} {
		if got := rest.Cell(text); got != "'"+text {
			t.Errorf("%q: got %q, want an apostrophe", text, got)
		}
	}
	for _, text := range []string{"", "a", "5", "-5", "+5", "-5.", "-.5", "-5.25", "+1e5", "-1.5E-3", " =1", "'=1", "\n=1", "ü", "1=1", "a-b"} {
		if got := rest.Cell(text); got != text {
			t.Errorf("%q: got %q, want it as it is", text, got)
		}
	}
}
