package rest_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/quotekit/quotekit/internal/rest"
)

// keyServer serves a key set and counts how often it was asked.
type keyServer struct {
	*httptest.Server
	asked  atomic.Int32
	answer atomic.Pointer[http.HandlerFunc]
}

func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	k := &keyServer{}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.asked.Add(1)
		(*k.answer.Load())(w, r)
	}))
	t.Cleanup(k.Close)
	return k
}

// serve answers with a key set from now on.
func (k *keyServer) serve(keys ...string) {
	k.handle(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"keys":[%s]}`, strings.Join(keys, ",")) })
}

func (k *keyServer) handle(h http.HandlerFunc) { k.answer.Store(&h) }

func (k *keyServer) down() {
	k.handle(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
}

func ecJWK(kid string, key *ecdsa.PublicKey) string {
	b, err := key.Bytes() // 4, x, y
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","key_ops":["verify"],"ext":true,"kid":%q,"x":%q,"y":%q}`,
		kid, base64.RawURLEncoding.EncodeToString(b[1:33]), base64.RawURLEncoding.EncodeToString(b[33:]))
}

func rsaJWK(kid string, key *rsa.PublicKey) string {
	return fmt.Sprintf(`{"kty":"RSA","alg":"RS256","use":"sig","kid":%q,"n":%q,"e":%q}`, kid,
		base64.RawURLEncoding.EncodeToString(key.N.Bytes()), base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()))
}

// clock is moved by hand.
type clock struct{ since atomic.Int64 }

func (c *clock) now() time.Time          { return jwtNow.Add(time.Duration(c.since.Load())) }
func (c *clock) forward(d time.Duration) { c.since.Add(int64(d)) }

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func es256(t *testing.T, key *ecdsa.PrivateKey, kid string) string {
	t.Helper()
	return signed(t, jwt.SigningMethodES256, key, kid, userClaims(nil))
}

func mustTake(t *testing.T, j *rest.JWT, token string) {
	t.Helper()
	if _, err := j.Authenticate(as(token)); err != nil {
		t.Fatal(err)
	}
}

func TestKeySet_Rotation(t *testing.T) {
	server, c := newKeyServer(t), &clock{}
	old, next := mustEC(t), mustEC(t)
	server.serve(ecJWK("old", &old.PublicKey))
	j := mustJWT(t, rest.JWTConfig{JWKSURL: server.URL, Now: c.now})
	mustTake(t, j, es256(t, old, "old"))

	// The new key appears beside the old one: its first token fetches it.
	server.serve(ecJWK("old", &old.PublicKey), ecJWK("next", &next.PublicKey))
	c.forward(11 * time.Second)
	var group sync.WaitGroup
	for range 20 { // and no other that comes at the same time is turned away
		group.Go(func() {
			if _, err := j.Authenticate(as(es256(t, next, "next"))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	mustTake(t, j, es256(t, old, "old"))
	if got := server.asked.Load(); got != 2 {
		t.Errorf("asked %d times, want 2", got)
	}

	// The old key goes: with the next read it is forgotten.
	server.serve(ecJWK("next", &next.PublicKey))
	c.forward(11 * time.Second)
	checkRefused(t, j.Authenticate, es256(t, mustEC(t), "nobody's"), 401, "not in the key set")
	checkRefused(t, j.Authenticate, es256(t, old, "old"), 401, "not in the key set")
	mustTake(t, j, es256(t, next, "next"))
}

func TestKeySet_DownAtStart(t *testing.T) {
	server, c := newKeyServer(t), &clock{}
	key := mustEC(t)
	server.down()
	var log syncBuffer
	j := mustJWT(t, rest.JWTConfig{
		JWKSURL: strings.Replace(server.URL, "://", "://u:p4ssword@", 1) + "?apikey=s3cret", Secrets: []string{jwtSecret},
		Now: c.now, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	mustTake(t, j, hs256(t, nil))
	// Nobody can tell a good token from a bad one now.
	checkRefused(t, j.Authenticate, es256(t, key, "k"), 503, "could not be read yet")
	checkRefused(t, j.Authenticate, es256(t, key, ""), 503, "could not be read yet")

	server.serve(ecJWK("k", &key.PublicKey))
	c.forward(11 * time.Second)
	mustTake(t, j, es256(t, key, "k"))
	mustTake(t, j, es256(t, key, ""))
	j.Close()
	text := log.String()
	if strings.Count(text, "key set not read") != 1 || strings.Count(text, "key set read") != 1 {
		t.Errorf("log:\n%s", text)
	}
	for _, value := range []string{"p4ssword", "s3cret", jwtSecret} {
		if strings.Contains(text, value) {
			t.Errorf("the log shows %q:\n%s", value, text)
		}
	}
}

func TestKeySet_KeepsItsKeysWhileTheEndpointIsBroken(t *testing.T) {
	key, other := mustEC(t), mustEC(t)
	elsewhere := newKeyServer(t)
	elsewhere.serve(ecJWK("other", &other.PublicKey))
	broken := map[string]http.HandlerFunc{
		"down":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"cut":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"HTML":     func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"no keys":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"message":"no route"}`) },
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"endless": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"keys":[`, ecJWK("other", &other.PublicKey), `],"x":"`)
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
					return
				}
			}
		},
	}
	for name, h := range broken {
		t.Run(name, func(t *testing.T) {
			server, c := newKeyServer(t), &clock{}
			server.serve(ecJWK("k", &key.PublicKey))
			j := mustJWT(t, rest.JWTConfig{JWKSURL: server.URL, Now: c.now})
			mustTake(t, j, es256(t, key, "k"))
			server.handle(h)
			c.forward(11 * time.Second)
			checkRefused(t, j.Authenticate, es256(t, other, "other"), 401, "not in the key set")
			mustTake(t, j, es256(t, key, "k"))
			if server.asked.Load() < 2 {
				t.Error("the broken endpoint was not asked")
			}
		})
	}
	if elsewhere.asked.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestKeySet_SkipsKeysItCannotUse(t *testing.T) {
	server := newKeyServer(t)
	key, rsaKey := mustEC(t), mustRSA(t)
	phoned := newKeyServer(t)
	phoned.serve()
	server.serve(`{"kty":"oct","kid":"o","k":"c2VjcmV0"}`, `{"kty":"EC","kid":"bad","crv":"P-256","x":"AA","y":"AA"}`, `"text"`,
		`{"kty":"RSA","kid":"x","n":"AQAB","e":"AQAB","x5u":"`+phoned.URL+`"}`, `{"kty":"OKP","kid":"ed","crv":"Ed25519","x":"AA"}`,
		strings.Replace(rsaJWK("enc", &rsaKey.PublicKey), `"sig"`, `"enc"`, 1),
		strings.Replace(rsaJWK("ps", &rsaKey.PublicKey), "RS256", "PS256", 1),
		ecJWK("k", &key.PublicKey))
	j := mustJWT(t, rest.JWTConfig{JWKSURL: server.URL})
	mustTake(t, j, es256(t, key, "k"))
	for _, kid := range []string{"enc", "ps"} {
		checkRefused(t, j.Authenticate, signed(t, jwt.SigningMethodRS256, rsaKey, kid, userClaims(nil)), 401, "not in the key set")
	}
	if phoned.asked.Load() != 0 {
		t.Error("the address that a key names was asked")
	}
}

func TestKeySet_AFloodOfUnknownKeysStallsNobody(t *testing.T) {
	server, c := newKeyServer(t), &clock{}
	key := mustEC(t)
	server.serve(ecJWK("k", &key.PublicKey))
	j := mustJWT(t, rest.JWTConfig{JWKSURL: server.URL, Now: c.now})
	good := es256(t, key, "k")
	mustTake(t, j, good)

	// The endpoint hangs from now on; whoever asks first hangs up at once.
	hang, asked := make(chan struct{}), make(chan struct{}, 100)
	defer close(hang)
	server.handle(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-hang })
	c.forward(11 * time.Second)
	gone, hangUp := context.WithCancel(context.Background())
	hangUp()
	_, _ = j.Authenticate(as(es256(t, key, "gone")).WithContext(gone))
	<-asked

	var flood sync.WaitGroup
	start := time.Now()
	for n := range 200 {
		token := es256(t, key, fmt.Sprint("made-up-", n))
		flood.Go(func() { checkRefused(t, j.Authenticate, token, 401, "not in the key set") })
	}
	for range 100 {
		mustTake(t, j, good)
	}
	if took := time.Since(start); took > 2500*time.Millisecond {
		t.Errorf("good tokens took %s", took)
	}
	flood.Wait()
	if took := time.Since(start); took > 6*time.Second {
		t.Errorf("the flood waited %s", took)
	}
	if got := server.asked.Load(); got > 2 {
		t.Errorf("asked %d times, want 2", got)
	}
}

func TestJWT_CloseEndsEverything(t *testing.T) {
	server := newKeyServer(t)
	hang := make(chan struct{})
	defer close(hang)
	server.handle(func(http.ResponseWriter, *http.Request) { <-hang })
	j := mustJWT(t, rest.JWTConfig{JWKSURL: server.URL})
	closed := make(chan struct{})
	go func() { j.Close(); j.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(2 * time.Second):
		t.Fatal("Close waits for the endpoint")
	}
	checkRefused(t, j.Authenticate, es256(t, mustEC(t), "k"), 503, "could not be read yet")
}
