package batch

import (
	"encoding/json"
	"testing"
)

func TestCell_GuardsFormulasAndNoNumbers(t *testing.T) {
	for _, text := range []string{"=1", "=", "+", "-", "@x", "\tx", "\rx", "-5 EUR", "+49 30", "--5", "-5-5", "+1+1", "-1e", "-.", "-5\n", "-5\n=1", "=\x00", "-0x10", "-Inf", "-1,5"} {
		if got := cell(text); got != "'"+text {
			t.Errorf("%q: got %q, want an apostrophe", text, got)
		}
	}
	for _, text := range []string{"", "a", "5", "-5", "+5", "-5.", "-.5", "-5.25", "+1e5", "-1.5E-3", " =1", "'=1", "\n=1", "ü", "1=1", "a-b"} {
		if got := cell(text); got != text {
			t.Errorf("%q: got %q, want it as it is", text, got)
		}
	}
}

func TestPlain(t *testing.T) {
	for value, want := range map[string]string{
		`null`: "", ``: "", `""`: "", `"a"`: "a", `"\u00e9\n"`: "é\n", `"null"`: "null", `1.50`: "1.50", `true`: "true", `[1, "a"]`: `[1, "a"]`, `{"a":"="}`: `{"a":"="}`,
	} {
		if got := plain(json.RawMessage(value)); got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
}
