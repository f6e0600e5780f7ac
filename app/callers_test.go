package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/rest"
)

// askAsUser asks a route for users.
func askAsUser(t *testing.T, c Config, token string) *httptest.ResponseRecorder {
	t.Helper()
	a := &App{config: c, options: Options{Role: RoleAll, Now: time.Now}}
	if err := a.knowCallers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.jwt != nil {
		t.Cleanup(a.jwt.Close)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	rest.RequireUser(a.users)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
	return w
}

func TestCallers_Users(t *testing.T) {
	mint := func(secret, issuer string) string {
		token, err := rest.MintJWT(secret, rest.UserClaims{
			UserID: "8b0d4a9c-6f0e-4d9a-9c35-0a3e4a9e1f10", Issuer: issuer, IssuedAt: time.Now(), Expires: time.Now().Add(time.Minute),
		})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	tokens := []rest.Token{{Name: "ann", Secret: "s3cret"}}
	configured := Config{SupabaseJWTSecret: "configured", SupabaseURL: "https://p.supabase.co/", devJWTSecret: "dev's", AdminTokens: tokens}
	tests := []struct {
		name   string
		config Config
		token  string
		status int
		detail string
	}{
		{"nothing configured", Config{AdminTokens: tokens}, mint("x", ""), 503, "SUPABASE_JWT_SECRET nor SUPABASE_URL"},
		{"nothing configured, no JWT", Config{AdminTokens: tokens}, "s3cret", 503, "SUPABASE_JWT_SECRET nor SUPABASE_URL"},
		{"the configured secret", configured, mint("configured", "https://p.supabase.co/auth/v1"), 200, ""},
		{"dev's secret", configured, mint("dev's", ""), 200, ""},
		{"another secret", configured, mint("another", ""), 401, "signature"},
		{"another issuer", configured, mint("configured", "https://q.supabase.co/auth/v1"), 401, "issuer"},
		{"an operator's token", configured, "s3cret", 401, "JWT of a user"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := askAsUser(t, tt.config, tt.token)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.detail) {
				t.Errorf("got %d %s, want %d with %q", w.Code, w.Body, tt.status, tt.detail)
			}
		})
	}
}
