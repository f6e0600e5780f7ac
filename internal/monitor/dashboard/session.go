package dashboard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// idleFor is how long a session lasts without use, and sessionFor in all.
	idleFor    = 12 * time.Hour
	sessionFor = 7 * 24 * time.Hour
	// touchEvery is how exactly it is known when a session was last used.
	touchEvery = time.Minute
)

// session is who is logged in, as a request carries it.
type session struct{ store.Session }

func (s session) actor() rest.Actor {
	return rest.Actor{Name: s.Actor, UserID: s.UserID, Role: rest.ParseRole(s.Role)}
}

type sessionKey struct{}

func withSession(ctx context.Context, s session) context.Context {
	return context.WithValue(ctx, sessionKey{}, s)
}

func sessionFrom(ctx context.Context) (session, bool) {
	s, ok := ctx.Value(sessionKey{}).(session)
	return s, ok
}

// session finds who is logged in. Nobody is an [quotekit.ENotFound].
func (d *Dashboard) session(r *http.Request) (session, error) {
	nobody := quotekit.Errorf(quotekit.ENotFound, "nobody is logged in")
	c, err := r.Cookie(cookieName(r))
	if err != nil || c.Value == "" {
		return session{}, nobody
	}
	now := d.Now()
	s, err := d.Store.Session(r.Context(), hashOf(c.Value), now, now.Add(-idleFor))
	if err != nil {
		return session{}, err
	}
	if !d.stillConfigured(c.Value, s) {
		return session{}, nobody
	}
	return session{s}, nil
}

// stillConfigured reports whether what a session was opened with would open one
// today.
func (d *Dashboard) stillConfigured(id string, s store.Session) bool {
	if s.Fingerprint == "" {
		return d.JWT != nil
	}
	found := 0
	for _, t := range d.Tokens {
		same := subtle.ConstantTimeCompare([]byte(fingerprint(id, t.Secret)), []byte(s.Fingerprint))
		if t.Name == s.Actor {
			found |= same
		}
	}
	return found == 1
}

// touch notes that a session is in use. What a page fetches by itself is no use.
func (d *Dashboard) touch(r *http.Request, s session) {
	if r.Header.Get(liveHeader) != "" || r.URL.Path == StreamPath || d.Now().Sub(s.LastSeenAt) < touchEvery {
		return
	}
	if err := d.Store.TouchSession(r.Context(), s.IDHash); err != nil {
		// A database that cannot be written to must not keep people from reading.
		d.Logger.WarnContext(r.Context(), "use of a session not noted", "error", store.Describe(err))
	}
}

// newSessionID makes what the cookie holds: 256 bits.
func newSessionID() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func hashOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

// fingerprint is of a token in one session. Since it is salted with the id, which
// the table does not have, the table does not help to guess the token.
func fingerprint(id, token string) string {
	return hashOf(id + "\x00" + token)
}

// cookieName is the session's. Without TLS a browser keeps no Secure cookie but,
// some of them, for this machine.
func cookieName(r *http.Request) string {
	if insecure(r) {
		return "quotekit"
	}
	return "__Host-quotekit"
}

// insecure reports whether r came without TLS from this machine itself.
func insecure(r *http.Request) bool { return r.TLS == nil && isLoopback(r.Host) }

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// setCookie sets a cookie that scripts cannot read; maxAge below 0 removes it.
func setCookie(w http.ResponseWriter, r *http.Request, name, value, path string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: path, MaxAge: maxAge,
		Secure: !insecure(r), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
