package stripe_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/quotekit/quotekit/internal/stripe"
)

func TestCleanJSON(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"order, digits and space kept", `{"b": 1.50, "a":[ -0, 1e5 ]}`, `{"b": 1.50, "a":[ -0, 1e5 ]}`},
		{"U+0000 removed", `{"a\u0000b":"\u0000x\u0000"}`, `{"ab":"x"}`},
		{"an escaped backslash before u0000", `"\\u0000"`, `"\\u0000"`},
		{"three backslashes before u0000", `"\\\u0000"`, `"\\"`},
		{"surrogate pair kept", `"\ud83d\uDE00"`, `"\ud83d\uDE00"`},
		{"lone high surrogate", `"\ud83dx"`, `"\ufffdx"`},
		{"high surrogate at the end", `"\ud83d"`, `"\ufffd"`},
		{"high surrogate before another escape", `"\ud83d\n"`, `"\ufffd\n"`},
		{"high surrogate before U+0000", `"\ud83d\u0000"`, `"\ufffd"`},
		{"two high surrogates", `"\ud83d\ud83d\ude00"`, `"\ufffd\ud83d\ude00"`},
		{"lone low surrogate", `"\ude00"`, `"\ufffd"`},
		{"not UTF-8", "\"a\xff\xc3\"", "\"a\uFFFD\uFFFD\""},
		{"a large exponent", `[1e131072]`, `["1e131072"]`},
		{"an exponent beyond integers", `[-1e99999999999999999999]`, `["-1e99999999999999999999"]`},
		{"a small exponent", `[1E-20000]`, `["1E-20000"]`},
		{"numeric can take it", `[1e1000,1e-1000]`, `[1e1000,1e-1000]`},
		{"beyond float64 and int64", `[123456789012345678901234567890.12]`, `[123456789012345678901234567890.12]`},
		{"number at the end", `12`, `12`},
		{"not JSON", `{"a":` + "\x00\xff", `"{\"a\":` + "\uFFFD" + `"`},
		{"nothing", ``, `""`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := stripe.CleanJSON([]byte(c.in)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestCleanJSON_LeavesFixturesAsTheyAre(t *testing.T) {
	for name, body := range mustFixtures(t) {
		if got := stripe.CleanJSON(body); got != string(body) {
			t.Errorf("%s changed", name)
		}
	}
}

func TestCleanJSON_DeepTextBecomesAString(t *testing.T) {
	got := stripe.CleanJSON([]byte(strings.Repeat("[", 1<<20)))
	if !strings.HasPrefix(got, `"[[`) || len(got) != 1<<20+2 {
		t.Errorf("got %d bytes", len(got))
	}
}

func checkClean(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) || !json.Valid([]byte(text)) {
		t.Fatalf("not valid JSON in UTF-8: %q", text)
	}
	// encoding/json replaces lone surrogates, so only what is left of U+0000
	// shows in the decoded values.
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			break
		}
		if s, ok := token.(string); ok && strings.ContainsRune(s, 0) {
			t.Fatalf("U+0000 in %q", text)
		}
	}
}

func FuzzCleanJSON(f *testing.F) {
	for _, seed := range []string{`{"a":"\u0000\ud800"}`, `[1e99999,"\\u0000"]`, "\"\xff\"", ``, `"\ud800\udc00"`} {
		f.Add([]byte(seed))
	}
	for _, body := range mustFixtures(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := stripe.CleanJSON(body)
		checkClean(t, got)
		if again := stripe.CleanJSON([]byte(got)); again != got {
			t.Errorf("cleaning twice changes %q to %q", got, again)
		}
	})
}

func FuzzParseEvent(f *testing.F) {
	for _, body := range mustFixtures(f) {
		f.Add(body)
	}
	for _, seed := range []string{
		`{"id":"e","type":"t","data":[],"created":"x"}`, `[]`, `{}`, `[1,]`, `{"a":1,}`, `[,1]`, `{"a"}`, `{"a":}`, `01`, `-`, `1.`, `.5`, `1e`, `1e+`,
		`-0.0E-7`, `tru`, `nullx`, `"\x"`, `"\u12g4"`, `"\u123"`, `"`, `[[]`, `[}`, `{]`, `[1}`, `{"a":1]`, ` `, "\"\t\"", "\u00a0[]",
		strings.Repeat("[", 600) + " %",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		kept := bytes.Clone(body)
		e, err := stripe.ParseEvent(body)
		if !bytes.Equal(body, kept) {
			t.Fatal("the body was changed")
		}
		tooDeep := err != nil && strings.Contains(err.Error(), "nested too deep") // what follows is not read
		if refused := err != nil && strings.Contains(err.Error(), "not JSON"); refused == json.Valid(body) && !tooDeep {
			t.Fatalf("encoding/json disagrees with %v", err)
		}
		if (err == nil) && (e.ID == "" || e.Type == "") {
			t.Fatal("an event without id or type")
		}
		if e.Object != nil && !json.Valid(e.Object) || e.Previous != nil && !json.Valid(e.Previous) {
			t.Fatal("parts that are not JSON")
		}
	})
}
