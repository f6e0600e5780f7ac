package rest_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

func TestParseTokens(t *testing.T) {
	tests := []struct {
		in   string
		want string // "name:secret ...", or the beginning of the error
	}{
		{"s3cret", "admin:s3cret"},
		{"ann=one,bob=two", "ann:one bob:two"},
		{"ann=one,ann=two", "ann:one ann:two"},
		{"ann=a=b", "ann:a=b"},
		{"c2VjcmV0LXRva2VuLTEyMw==", "admin:c2VjcmV0LXRva2VuLTEyMw=="},
		{"one,bob=two", "admin:one bob:two"},
		{"a,,b", "error: element 2 is empty"},
		{"a,", "error: element 2 is empty"},
		{",", "error: element 1 is empty"},
		{" a", "error: element 1 begins or ends with white space"},
		{"a\n", "error: element 1 begins or ends with white space"},
		{"ann=", "error: element 1 has no token"},
		{"=x", "error: element 1 has no name"},
		{"ann=one,bob=one", "error: element 2 repeats a token"},
		{"two words", "error: element 1 has a token with blanks"},
	}
	for _, tt := range tests {
		tokens, err := rest.ParseTokens(tt.in)
		var parts []string
		for _, tok := range tokens {
			parts = append(parts, tok.Name+":"+tok.Secret)
		}
		got := strings.Join(parts, " ")
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != tt.want && (!strings.HasPrefix(tt.want, "error: ") || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("ParseTokens(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestToken_IsHiddenWhenPrinted(t *testing.T) {
	tok := rest.Token{Name: "ann", Secret: "s3cret"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, []rest.Token{tok}); strings.Contains(got, "s3cret") {
			t.Errorf("%s prints %s", format, got)
		}
	}
}

func TestRequire(t *testing.T) {
	tokens := rest.OperatorTokens([]rest.Token{{Name: "ann", Secret: "s3cret"}, {Name: "bob", Secret: "other"}})
	second := func(r *http.Request) (rest.Actor, error) {
		switch b, _ := rest.Bearer(r); b {
		case "viewer-jwt":
			return rest.Actor{Name: "eve", Role: rest.RoleViewer, UserID: "u1"}, nil
		case "old-jwt":
			return rest.Actor{}, quotekit.Errorf(quotekit.EUnauthorized, "The token has expired.")
		}
		return rest.Actor{}, rest.ErrUnknownCredential
	}
	h := rest.Require(rest.AnyOf(tokens, second), rest.RoleOperator)(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, rest.ActorFrom(r.Context()).Name) }))

	tests := []struct {
		authorization string
		status        int
		body          string
		challenge     string
	}{
		{"", 401, "QUOTEKIT_ADMIN_TOKEN", `Bearer realm="quotekit"`},
		{"Basic czNjcmV0", 401, "QUOTEKIT_ADMIN_TOKEN", `Bearer realm="quotekit"`},
		{"Bearer ", 401, "QUOTEKIT_ADMIN_TOKEN", `Bearer realm="quotekit"`},
		{"Bearer wrong", 401, "not known", `Bearer realm="quotekit", error="invalid_token"`},
		{"Bearer s3cre", 401, "not known", `Bearer realm="quotekit", error="invalid_token"`},
		{"Bearer old-jwt", 401, "expired", `Bearer realm="quotekit", error="invalid_token"`},
		{"Bearer viewer-jwt", 403, "needs the role operator; yours is viewer", ""},
		{"Bearer s3cret", 200, "ann", ""},
		{"bearer other", 200, "bob", ""},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", tt.authorization)
		rec := httptest.NewRecorder()

		h.ServeHTTP(rec, r)

		if rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.body) {
			t.Errorf("%q: got %d %s, want %d with %q", tt.authorization, rec.Code, rec.Body, tt.status, tt.body)
		}
		if got := rec.Header().Get("WWW-Authenticate"); got != tt.challenge {
			t.Errorf("%q: WWW-Authenticate = %q, want %q", tt.authorization, got, tt.challenge)
		}
	}
}

func TestOperatorTokens_NoneLetsNobodyIn(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer anything")
	if _, err := rest.OperatorTokens(nil)(r); !errors.Is(err, rest.ErrUnknownCredential) {
		t.Errorf("err = %v, want ErrUnknownCredential", err)
	}
}

func TestRole_NamesRoundTrip(t *testing.T) {
	for r := rest.RoleViewer; r <= rest.RoleAdmin; r++ {
		if got := rest.ParseRole(r.String()); got != r {
			t.Errorf("ParseRole(%q) = %v, want %v", r.String(), got, r)
		}
	}
	if got := rest.ParseRole("root"); got != rest.RoleNone {
		t.Errorf("ParseRole(root) = %v, want none", got)
	}
}
