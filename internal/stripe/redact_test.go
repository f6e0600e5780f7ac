package stripe

import (
	"strings"
	"testing"
	"unicode/utf8"
)

const redactable = `{"id":"evt_1","object":"event","type":"customer.updated","api_version":"2026-03-25.dahlia","data":{"object":{
"id":"cus_A1b2","object":"customer","name":"Ada Lovelace","email":"ada@example.com","description":"likes \"quotes\" & tabs\t\u00e9",
"client_secret":"seti_1_secret_xyz","short":"abc","address":{"line1":"12 Long Street, Apartment 99, Somewhere"},
"metadata":{"id":"private-id","type":"private_type","object":"cus_hidden1","note":"Lovelace"}}}}`

func TestRedact(t *testing.T) {
	for message, want := range map[string]string{
		"read customer.updated: metadata is no object":      "read customer.updated: metadata is no object",
		"no room for Ada Lovelace here":                     "no room for … here",
		"AdaLovelace":                                       "Ada…",
		`value "likes \"quotes\" & tabs\té"`:                `value "…"`,
		"value likes \"quotes\" & tabs\té.":                 "value ….",
		"cus_A1b2 of evt_1 is abc":                          "cus_A1b2 of evt_1 is abc",
		"secret seti_1_secret_xyz":                          "secret …",
		"mail to bob@example.org, please":                   "mail to …, please",
		"mail to bob%40example.org":                         "mail to …",
		"card 4242 4242 4242 4242 and 4242424242424242!":    "card … and …!",
		"at 1775000000":                                     "at 1775000000",
		"line 12 Long Street, Apartm[cut]":                  "line …[cut]",
		"private-id private_type cus_hidden1":               "… … …",
		"a\x00b \xff":                                       "ab \uFFFD",
		"ada@example.com":                                   "…",
		"":                                                  "",
		"Lovelace's name is Ada Lovelace or Lovelace, Ada.": "…'s name is … or …, Ada.",
	} {
		if got := Redact(message, []byte(redactable)); got != want {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
}

func TestRedact_BoundsTheMessage(t *testing.T) {
	got := Redact(strings.Repeat("é", 5000), []byte(redactable))
	if len(got) > maxMessage || !utf8.ValidString(got) || !strings.HasSuffix(got, "…") {
		t.Errorf("got %d bytes, %q", len(got), got[len(got)-10:])
	}
}

// FuzzRedact: whatever the value and the words around it, the value is not there.
func FuzzRedact(f *testing.F) {
	f.Add("hunter22", "the password is ", " they say")
	f.Add("é\u2028\"\\", `say "`, `"`)
	f.Add("aaaaaaaa", "a", "aa")
	f.Fuzz(func(t *testing.T, value, before, after string) {
		clean := cleanText(value)
		if utf8.RuneCountInString(value) < minRedacted || utf8.RuneCountInString(clean) < minRedacted || strings.Contains(clean, "…") {
			return // Redact promises nothing about it
		}
		payload := append(appendString([]byte(`{"metadata":{"k":`), value), "}}"...)
		got := Redact(before+clean+after, payload)
		if len(before)+len(after) < 400 && len(value) < 200 && strings.Contains(strings.ReplaceAll(got, "…", ""), clean) &&
			!strings.Contains(cleanText(before+after), clean) && !strings.Contains(got, "…") {
			t.Errorf("got %q, which holds %q", got, clean)
		}
		if !utf8.ValidString(got) || len(got) > maxMessage {
			t.Errorf("got %q", got)
		}
	})
}
