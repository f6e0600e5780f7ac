package batch

import (
	"encoding/json"
	"testing"
)

func TestPlain(t *testing.T) {
	for value, want := range map[string]string{
		`null`: "", ``: "", `""`: "", `"a"`: "a", `"\u00e9\n"`: "é\n", `"null"`: "null", `1.50`: "1.50", `true`: "true", `[1, "a"]`: `[1, "a"]`, `{"a":"="}`: `{"a":"="}`,
	} {
		if got := plain(json.RawMessage(value)); got != want {
			t.Errorf("%s: got %q, want %q", value, got, want)
		}
	}
}
