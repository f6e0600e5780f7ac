package rest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

const (
	jwtSecret = "a secret that is long enough for HS256"
	jwtUser   = "8b0d4a9c-6f0e-4d9a-9c35-0a3e4a9e1f10"
	jwtIssuer = "https://p.supabase.co/auth/v1"
)

// jwtNow is the time of these tests.
var jwtNow = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// userClaims are those of a good token, with changes; nil removes a claim.
func userClaims(changes jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{
		"sub": jwtUser, "aud": "authenticated", "iss": jwtIssuer, "role": "authenticated", "aal": "aal1",
		"iat": jwtNow.Add(-time.Minute).Unix(), "exp": jwtNow.Add(time.Hour).Unix(),
		"is_anonymous": false, "app_metadata": map[string]any{"provider": "email"}, "user_metadata": map[string]any{},
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// signed makes a token; a kid of "" is left out.
func signed(t *testing.T, method jwt.SigningMethod, key any, kid string, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func hs256(t *testing.T, changes jwt.MapClaims) string {
	t.Helper()
	return signed(t, jwt.SigningMethodHS256, []byte(jwtSecret), "", userClaims(changes))
}

func mustJWT(t *testing.T, c rest.JWTConfig) *rest.JWT {
	t.Helper()
	if c.Now == nil {
		c.Now = func() time.Time { return jwtNow }
	}
	j, err := rest.NewJWT(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

// as is a request with a bearer token.
func as(token string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/v1/x", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// checkRefused asks a route of users and compares status, code, detail and challenge.
func checkRefused(t *testing.T, auth rest.Authenticator, token string, status int, detail string) {
	t.Helper()
	rec := httptest.NewRecorder()
	rest.RequireUser(auth)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(rec, as(token))
	if rec.Code != status {
		t.Errorf("got %d %s, want %d", rec.Code, rec.Body, status)
		return
	}
	p := mustProblem(t, rec)
	code, challenge := quotekit.EUnauthorized, `Bearer realm="quotekit", error="invalid_token"`
	switch status {
	case 403:
		code, challenge = quotekit.EForbidden, ""
	case 503:
		code, challenge = quotekit.EUnavailable, ""
	}
	if p.Code != code || !strings.Contains(p.Detail, detail) {
		t.Errorf("got %s %q, want %s with %q", p.Code, p.Detail, code, detail)
	}
	if got := rec.Header().Get("WWW-Authenticate"); got != challenge {
		t.Errorf("WWW-Authenticate = %q, want %q", got, challenge)
	}
	for _, part := range strings.Split(token, ".") {
		if len(part) > 5 && strings.Contains(rec.Body.String(), part) {
			t.Errorf("the answer shows a part of the token: %s", rec.Body)
		}
	}
}

func TestJWT_TakesUsers(t *testing.T) {
	j := mustJWT(t, rest.JWTConfig{Secrets: []string{"another", jwtSecret}, Issuer: jwtIssuer})
	tests := []struct {
		name    string
		changes jwt.MapClaims
		role    rest.Role
	}{
		{"plain", nil, rest.RoleNone},
		{"no role, aud, iss, iat", jwt.MapClaims{"role": nil, "aud": nil, "iss": nil, "iat": nil, "is_anonymous": nil}, rest.RoleNone},
		{"several audiences", jwt.MapClaims{"aud": []string{"x", "authenticated"}}, rest.RoleNone},
		{"sub in capitals", jwt.MapClaims{"sub": strings.ToUpper(jwtUser)}, rest.RoleNone},
		{"expired within the leeway", jwt.MapClaims{"exp": jwtNow.Add(-29 * time.Second).Unix()}, rest.RoleNone},
		{"issued within the leeway", jwt.MapClaims{"iat": jwtNow.Add(29 * time.Second).Unix(), "nbf": jwtNow.Add(29 * time.Second).Unix()}, rest.RoleNone},
		{"viewer", jwt.MapClaims{"app_metadata": map[string]any{"role": "viewer"}}, rest.RoleViewer},
		{"operator", jwt.MapClaims{"app_metadata": map[string]any{"role": "operator"}}, rest.RoleOperator},
		{"admin", jwt.MapClaims{"app_metadata": map[string]any{"role": "admin"}}, rest.RoleAdmin},
		{"a role of the application's", jwt.MapClaims{"app_metadata": map[string]any{"role": "Admin"}}, rest.RoleNone},
		{"roles of the application's", jwt.MapClaims{"app_metadata": map[string]any{"role": []string{"admin"}}}, rest.RoleNone},
		{"another spelling of the claim", jwt.MapClaims{"App_Metadata": map[string]any{"role": "admin"}}, rest.RoleNone},
		{"no app_metadata", jwt.MapClaims{"app_metadata": nil}, rest.RoleNone},
		{"app_metadata of another kind", jwt.MapClaims{"app_metadata": "admin"}, rest.RoleNone},
		{"user_metadata", jwt.MapClaims{"user_metadata": map[string]any{"role": "admin", "app_metadata": map[string]any{"role": "admin"}}}, rest.RoleNone},
		{"a claim of our own", jwt.MapClaims{"user_role": "admin", "roles": []string{"admin"}}, rest.RoleNone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := j.Authenticate(as(hs256(t, tt.changes)))
			if want := (rest.Actor{Name: jwtUser, UserID: jwtUser, Role: tt.role}); err != nil || got != want {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		})
	}
}

func TestJWT_RefusesBadClaims(t *testing.T) {
	j := mustJWT(t, rest.JWTConfig{Secrets: []string{jwtSecret}, Issuer: jwtIssuer})
	tests := []struct {
		name    string
		changes jwt.MapClaims
		status  int
		detail  string
	}{
		{"no exp", jwt.MapClaims{"exp": nil}, 401, "never expires"},
		{"exp 0", jwt.MapClaims{"exp": 0}, 401, "never expires"},
		{"exp a text", jwt.MapClaims{"exp": "never"}, 401, "wrong kind"},
		{"expired", jwt.MapClaims{"exp": jwtNow.Add(-30 * time.Second).Unix()}, 401, "has expired"},
		{"not yet valid", jwt.MapClaims{"nbf": jwtNow.Add(31 * time.Second).Unix()}, 401, "not valid yet"},
		{"nbf a list", jwt.MapClaims{"nbf": []int{1}}, 401, "wrong kind"},
		{"from the future", jwt.MapClaims{"iat": jwtNow.Add(31 * time.Second).Unix()}, 401, "compare the clocks"},
		{"another audience", jwt.MapClaims{"aud": "shop"}, 401, "audience"},
		{"an empty audience", jwt.MapClaims{"aud": ""}, 401, "audience"},
		{"no audience in the list", jwt.MapClaims{"aud": []string{}}, 401, "audience"},
		{"audience a number", jwt.MapClaims{"aud": 7}, 401, "audience"},
		{"another issuer", jwt.MapClaims{"iss": "https://q.supabase.co/auth/v1"}, 401, "issuer"},
		{"an empty issuer", jwt.MapClaims{"iss": ""}, 401, "issuer"},
		{"no sub", jwt.MapClaims{"sub": nil}, 401, "names no user"},
		{"sub no UUID", jwt.MapClaims{"sub": "ada"}, 401, "names no user"},
		{"sub a URN", jwt.MapClaims{"sub": "urn:uuid:" + jwtUser}, 401, "names no user"},
		{"sub without dashes", jwt.MapClaims{"sub": strings.ReplaceAll(jwtUser, "-", "")}, 401, "names no user"},
		{"sub a number", jwt.MapClaims{"sub": 7}, 401, "names no user"},
		// The keys of a Supabase project as they are.
		{"anon", jwt.MapClaims{"role": "anon", "iss": "supabase", "sub": nil, "aud": nil}, 403, "anon key is not a user"},
		{"service_role", jwt.MapClaims{"role": "service_role", "iss": "supabase", "sub": nil, "aud": nil}, 403, "operators authenticate with a token of QUOTEKIT_ADMIN_TOKEN"},
		{"expired service_role", jwt.MapClaims{"role": "service_role", "exp": jwtNow.Add(-time.Hour).Unix()}, 401, "has expired"},
		{"another role", jwt.MapClaims{"role": "postgres"}, 403, "role"},
		{"an empty role", jwt.MapClaims{"role": ""}, 403, "role"},
		{"roles", jwt.MapClaims{"role": []string{"authenticated"}}, 403, "role"},
		{"anonymous", jwt.MapClaims{"is_anonymous": true}, 403, "Anonymous"},
		{"anonymous as a text", jwt.MapClaims{"is_anonymous": "true"}, 403, "Anonymous"},
		{"anonymous admin", jwt.MapClaims{"is_anonymous": true, "app_metadata": map[string]any{"role": "admin"}}, 403, "Anonymous"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkRefused(t, j.Authenticate, hs256(t, tt.changes), tt.status, tt.detail)
		})
	}
}

// segment encodes a part of a token.
func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestJWT_RefusesBadTokens(t *testing.T) {
	rsaKey, ecKey := mustRSA(t), mustEC(t)
	server := newKeyServer(t)
	server.serve(rsaJWK("r1", &rsaKey.PublicKey), ecJWK("e1", &ecKey.PublicKey),
		`{"kty":"oct","kid":"o1","alg":"HS256","k":"`+base64.RawURLEncoding.EncodeToString([]byte("an oct key of the set"))+`"}`)
	both := mustJWT(t, rest.JWTConfig{Secrets: []string{jwtSecret}, JWKSURL: server.URL, Issuer: jwtIssuer})
	secretOnly := mustJWT(t, rest.JWTConfig{Secrets: []string{jwtSecret}, Issuer: jwtIssuer})
	keysOnly := mustJWT(t, rest.JWTConfig{JWKSURL: server.URL, Issuer: jwtIssuer})

	der, err := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	claims := userClaims(nil)
	good := hs256(t, nil)
	part := strings.Split(good, ".")
	admin := segment(`{"sub":"` + jwtUser + `","exp":9999999999,"app_metadata":{"role":"admin"}}`)
	none := segment(`{"alg":"none"}`) + "." + admin + "."
	critical := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	critical.Header["crit"] = []string{"b64"}
	withCrit, err := critical.SignedString([]byte(jwtSecret))
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name   string
		j      *rest.JWT
		token  string
		detail string
	}{
		{"HS256 with the RSA public key as PEM", both, signed(t, jwt.SigningMethodHS256, public, "r1", claims), "signature"},
		{"the same with keys only", keysOnly, signed(t, jwt.SigningMethodHS256, public, "r1", claims), "SUPABASE_JWT_SECRET is not configured"},
		{"HS256 with the RSA public key as DER", both, signed(t, jwt.SigningMethodHS256, der, "r1", claims), "signature"},
		{"HS256 with an oct key of the set", both, signed(t, jwt.SigningMethodHS256, []byte("an oct key of the set"), "o1", claims), "signature"},
		{"RS256 that names the oct key", both, signed(t, jwt.SigningMethodRS256, rsaKey, "o1", claims), "not in the key set"},
		{"ES256 with a secret only", secretOnly, signed(t, jwt.SigningMethodES256, ecKey, "e1", claims), "neither SUPABASE_URL nor SUPABASE_JWKS_URL"},
		{"RS256 with a secret only", secretOnly, signed(t, jwt.SigningMethodRS256, rsaKey, "r1", claims), "neither SUPABASE_URL nor SUPABASE_JWKS_URL"},
		{"HS256 with keys only", keysOnly, good, "SUPABASE_JWT_SECRET is not configured"},
		{"ES256 with the name of the RSA key", both, signed(t, jwt.SigningMethodES256, ecKey, "r1", claims), "does not fit the key set"},
		{"RS256 of another key", both, signed(t, jwt.SigningMethodRS256, mustRSA(t), "r1", claims), "signature"},
		{"ES256 of another key", both, signed(t, jwt.SigningMethodES256, mustEC(t), "e1", claims), "signature"},
		{"ES256 of another key without a kid", both, signed(t, jwt.SigningMethodES256, mustEC(t), "", claims), "signature"},
		{"RS512", both, signed(t, jwt.SigningMethodRS512, rsaKey, "r1", claims), "algorithm"},
		{"PS256", both, signed(t, jwt.SigningMethodPS256, rsaKey, "r1", claims), "algorithm"},
		{"HS512", both, signed(t, jwt.SigningMethodHS512, []byte(jwtSecret), "", claims), "algorithm"},
		{"none", both, none, "algorithm"},
		{"none, properly signed", both, signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "", claims), "algorithm"},
		{"None", both, segment(`{"alg":"None"}`) + "." + admin + ".", "algorithm"},
		{"no alg", both, segment(`{}`) + "." + admin + ".", "algorithm"},
		{"alg a number", both, segment(`{"alg":1}`) + "." + admin + ".", "algorithm"},
		{"kid a number", both, segment(`{"alg":"ES256","kid":1}`) + "." + admin + ".AAAA", "key (kid)"},
		{"crit", both, withCrit, "extension"},
		{"another secret", both, signed(t, jwt.SigningMethodHS256, []byte("another"), "", claims), "signature"},
		{"no signature", both, part[0] + "." + part[1] + ".", "signature"},
		{"the claims of another", both, part[0] + "." + admin + "." + part[2], "signature"},
		{"the signature changed", both, part[0] + "." + part[1] + "." + flipLast(part[2]), "m"}, // signature or malformed
		{"not base64", both, part[0] + ".%%%." + part[2], "malformed"},
		{"padding", both, part[0] + "." + part[1] + "." + part[2] + "=", "malformed"},
		{"not JSON", both, part[0] + "." + segment("hello") + "." + part[2], "malformed"},
		{"claims a list", both, part[0] + "." + segment("[]") + "." + part[2], "malformed"},
		{"three dots of nothing", both, "..", "malformed"},
		{"huge", both, hs256(t, jwt.MapClaims{"padding": strings.Repeat("x", 17<<10)}), "longer than 16 KiB"},
		{"a secret key of Supabase", both, "sb_secret_N7UND0UgjKTVK", "not a JWT"},
		{"a publishable key of Supabase", both, "sb_publishable_ACJWlzQHlZj", "not a JWT"},
		{"one dot", both, "a.b", "needs the header"},
		{"three dots", both, good + ".x", "needs the header"},
		{"an operator's token", both, "s3cret", "an operator's token is none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { checkRefused(t, tt.j.Authenticate, tt.token, 401, tt.detail) })
	}
	for name, token := range map[string]string{
		"RS256": signed(t, jwt.SigningMethodRS256, rsaKey, "r1", claims), "HS256": good,
		"ES256": signed(t, jwt.SigningMethodES256, ecKey, "e1", claims), "ES256 without kid": signed(t, jwt.SigningMethodES256, ecKey, "", claims),
	} {
		if _, err := both.Authenticate(as(token)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func flipLast(s string) string {
	last := byte('A')
	if s[len(s)-1] == last {
		last = 'B'
	}
	return s[:len(s)-1] + string(last)
}

func TestJWT_LeavesOtherTokensToOthers(t *testing.T) {
	j := mustJWT(t, rest.JWTConfig{Secrets: []string{jwtSecret}})
	auth := rest.AnyOf(rest.OperatorTokens([]rest.Token{{Name: "ann", Secret: "s3cret"}, {Name: "bob", Secret: "to.k.en"}}), j.Authenticate)
	for token, name := range map[string]string{"s3cret": "ann", "to.k.en": "bob", hs256(t, nil): jwtUser} {
		if actor, err := auth(as(token)); err != nil || actor.Name != name {
			t.Errorf("got %+v, %v, want %s", actor, err, name)
		}
	}
	if _, err := auth(as("unknown")); !errors.Is(err, rest.ErrUnknownCredential) {
		t.Errorf("err = %v, want ErrUnknownCredential", err)
	}
	// A user without a role is known to operators' routes, and may do nothing there.
	rec := httptest.NewRecorder()
	rest.Require(auth, rest.RoleViewer)(http.NotFoundHandler()).ServeHTTP(rec, as(hs256(t, nil)))
	if p := mustProblem(t, rec); rec.Code != 403 || p.Detail != "This needs the role viewer; yours is none." {
		t.Errorf("got %d %s", rec.Code, p.Detail)
	}
}

func TestRequireUser(t *testing.T) {
	j := mustJWT(t, rest.JWTConfig{Secrets: []string{jwtSecret}})
	auth := rest.AnyOf(rest.OperatorTokens([]rest.Token{{Name: "ann", Secret: "s3cret"}}), j.Authenticate)
	checkRefused(t, auth, "s3cret", 401, "JWT of a user")
	rec := httptest.NewRecorder()
	rest.RequireUser(auth)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, rest.ActorFrom(r.Context()).UserID)
	})).ServeHTTP(rec, as(hs256(t, nil)))
	if rec.Code != 200 || rec.Body.String() != jwtUser {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	rec = httptest.NewRecorder()
	rest.RequireUser(auth)(http.NotFoundHandler()).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := rec.Header().Get("WWW-Authenticate"); rec.Code != 401 || got != `Bearer realm="quotekit"` {
		t.Errorf("without a token: %d, %q", rec.Code, got)
	}
}

func TestMintJWT(t *testing.T) {
	j := mustJWT(t, rest.JWTConfig{Secrets: []string{jwtSecret}, Issuer: jwtIssuer})
	claims := rest.UserClaims{
		UserID: strings.ToUpper(jwtUser), Role: rest.RoleOperator, Issuer: jwtIssuer,
		IssuedAt: jwtNow, Expires: jwtNow.Add(time.Hour),
	}
	token, err := rest.MintJWT(jwtSecret, claims)
	if err != nil {
		t.Fatal(err)
	}
	got, err := j.Authenticate(as(token))
	if want := (rest.Actor{Name: jwtUser, UserID: jwtUser, Role: rest.RoleOperator}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := rest.MintJWT("", claims); err == nil {
		t.Error("minted without a secret")
	}
	claims.UserID = "ada"
	if _, err := rest.MintJWT(jwtSecret, claims); err == nil {
		t.Error("minted for no UUID")
	}
}

func TestNewJWT_RefusesAnEmptySecret(t *testing.T) {
	_, err := rest.NewJWT(context.Background(), rest.JWTConfig{Secrets: []string{""}, Now: time.Now})
	if err == nil {
		t.Error("took an empty secret")
	}
}

func mustRSA(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustEC(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
