package app_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/rest"
)

const (
	jwtSecret = "the-jwt-secret-of-the-test-kit-0123456789"
	operator  = "8b0d4a9c-6f0e-4d9a-9c35-0a3e4a9e1f10"
)

func mustMint(t *testing.T, secret string, role rest.Role) string {
	t.Helper()
	token, err := rest.MintJWT(secret, rest.UserClaims{UserID: operator, Role: role, IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// askAs asks with any bearer token.
func (s *service) askAs(token, method, path, body string) (status int, answer map[string]any) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	err = json.NewDecoder(resp.Body).Decode(&answer)
	if err = joinClose(err, resp.Body); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, answer
}

// TestOperators_LogInWithTheirJWT: the role is that of app_metadata, and what an
// operator does is in the audit trail under the user's id.
func TestOperators_LogInWithTheirJWT(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartWith(t, app.Config{
			DatabaseURL: url, Addr: "127.0.0.1:0", WebhookSecrets: []string{secret}, SupabaseJWTSecret: jwtSecret,
		}, app.Options{})
		const id = "evt_dead"
		if got := s.post([]byte(`{"id":"` + id + `","object":"event","type":"customer.created","created":1775000000,"data":{"object":{}}}`)); got.Status != "dead" {
			t.Fatalf("got %+v", got)
		}
		const letters, reason = "/v1/monitor/dead-letter-queue", `{"reason":"a test"}`
		tests := []struct {
			role       rest.Role
			sees, acts int
		}{
			{rest.RoleNone, 403, 403},
			{rest.RoleViewer, 200, 403},
			{rest.RoleOperator, 200, 200},
			{rest.RoleAdmin, 200, 409}, // resolved already
		}
		for _, tt := range tests {
			token := mustMint(t, jwtSecret, tt.role)
			if status, answer := s.askAs(token, "GET", letters, ""); status != tt.sees {
				t.Errorf("%s lists: %d %v, want %d", tt.role, status, answer, tt.sees)
			}
			if status, answer := s.askAs(token, "POST", letters+"/"+id+"/resolve", reason); status != tt.acts {
				t.Errorf("%s resolves: %d %v, want %d", tt.role, status, answer, tt.acts)
			}
		}
		if got := s.value("SELECT resolved_by FROM webhook_dead_letter_queue"); got != operator {
			t.Errorf("resolved_by = %s, want the user", got)
		}
		if got := s.query("SELECT actor FROM webhook_audit_trail WHERE reason = 'a test'"); len(got) != 1 || got[0] != "actor="+operator {
			t.Errorf("audit trail: %v, want the user", got)
		}
	})
}

// TestOperators_NothingOfTokensIsLogged: with a key set and a secret, good and
// bad tokens, at debug level.
func TestOperators_NothingOfTokensIsLogged(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":%q,"y":%q}]}`,
			base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:]))
	}))
	defer keys.Close()
	inEmptyFolder(t)
	cfg := mustConfig(t, map[string]string{
		"QUOTEKIT_ADDR": "127.0.0.1:0", "SUPABASE_JWT_SECRET": jwtSecret, "SUPABASE_URL": "https://p.supabase.co",
		"SUPABASE_JWKS_URL": strings.Replace(keys.URL, "://", "://u:s3cret@", 1) + "?apikey=s3cret",
	})
	var log notebook
	s := mustStartWith(t, cfg, app.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})

	asymmetric := func(changes jwt.MapClaims) string {
		claims := jwt.MapClaims{"sub": operator, "exp": time.Now().Add(time.Hour).Unix(), "app_metadata": map[string]string{"role": "viewer"}}
		for name, v := range changes {
			claims[name] = v
		}
		token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
		token.Header["kid"] = "k"
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	tokens := map[string]int{
		asymmetric(nil):                                                   200,
		mustMint(t, jwtSecret, rest.RoleViewer):                           200,
		mustMint(t, "of somebody else", rest.RoleAdmin):                   401,
		asymmetric(jwt.MapClaims{"exp": 1}):                               401,
		asymmetric(jwt.MapClaims{"iss": "https://q.supabase.co/auth/v1"}): 401,
		asymmetric(jwt.MapClaims{"role": "service_role"}):                 403,
		asymmetric(nil) + "x":                                             401,
		"sb_secret_canary":                                                401,
	}
	secrets := []string{jwtSecret, "s3cret", operator}
	for token, want := range tokens {
		status, answer := s.askAs(token, "GET", "/v1/monitor/events", "")
		if status != want {
			t.Errorf("got %d %v, want %d", status, answer, want)
		}
		text, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(token, ".") {
			secrets = append(secrets, part)
			if bytes.Contains(text, []byte(part)) {
				t.Errorf("the answer shows a part of the token: %s", text)
			}
		}
	}
	text := log.String()
	if !strings.Contains(text, "key set read") || !strings.Contains(text, "status=401") {
		t.Errorf("the log shows nothing:\n%s", text)
	}
	for _, value := range secrets {
		if strings.Contains(text, value) {
			t.Errorf("the log shows %q", value)
		}
	}
}
