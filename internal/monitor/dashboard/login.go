package dashboard

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

const loginPath = Path + "/login"

// loginView is the data of the page to log in.
type loginView struct {
	Next    string
	Problem string
	Dev     bool
	JWT     bool
}

// serveStranger shows the page to log in, from which one is led to where r went.
func (d *Dashboard) serveStranger(w http.ResponseWriter, r *http.Request, status int, problem string) {
	next := r.PostFormValue("next")
	if r.Method == http.MethodGet && r.URL.Path != loginPath {
		next = r.URL.RequestURI()
	}
	if !isLocal(next) {
		next = Path
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Cookie realm="quotekit", form-action="`+loginPath+`", cookie-name="`+cookieName(r)+`"`)
	}
	d.render(w, r, Page{Title: "Log in", Template: "login"}, Answer{
		Data: loginView{Next: next, Problem: problem, Dev: d.Dev, JWT: d.JWT != nil}, Status: status,
	})
}

// serveLogin opens a session, in place of the one that the browser may have.
func (d *Dashboard) serveLogin(w http.ResponseWriter, r *http.Request) {
	if wait, ok := d.attempts.allow(r.RemoteAddr); !ok {
		w.Header().Set("Retry-After", wait)
		d.serveStranger(w, r, http.StatusTooManyRequests, "Too many attempts from this address. Try again in "+wait+" seconds.")
		return
	}
	token := strings.TrimSpace(r.PostFormValue("token"))
	id := newSessionID()
	s, err := d.credential(r.Context(), id, token)
	if err != nil {
		p := rest.ProblemOf(err)
		d.Logger.WarnContext(r.Context(), "login refused", "code", string(p.Code), "remote", r.RemoteAddr,
			"request_id", rest.RequestIDFrom(r.Context()))
		if p.Status == http.StatusInternalServerError {
			d.serveError(w, r, err)
			return
		}
		d.serveStranger(w, r, p.Status, p.Detail)
		return
	}
	if err := d.open(r, s); err != nil {
		d.serveError(w, r, err)
		return
	}
	setCookie(w, r, cookieName(r), id, "/", int(s.ExpiresAt.Sub(d.Now()).Seconds()))
	next := r.PostFormValue("next")
	if !isLocal(next) {
		next = Path
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// credential finds out whose token it is, and makes a session of it.
func (d *Dashboard) credential(ctx context.Context, id, token string) (store.Session, error) {
	now := d.Now()
	s := store.Session{IDHash: hashOf(id), ExpiresAt: now.Add(sessionFor)}
	unknown := quotekit.Errorf(quotekit.EUnauthorized, "This token is not known here.")
	if token == "" {
		return s, quotekit.Errorf(quotekit.EUnauthorized, "Paste a token.")
	}
	sum := sha256.Sum256([]byte(token))
	for _, t := range d.Tokens {
		known := sha256.Sum256([]byte(t.Secret))
		if subtle.ConstantTimeCompare(sum[:], known[:]) == 1 {
			s.Actor, s.Role, s.Fingerprint = t.Name, rest.RoleAdmin.String(), fingerprint(id, t.Secret)
		}
	}
	if s.Actor != "" {
		return s, nil
	}
	if d.JWT == nil {
		return s, unknown
	}
	actor, expires, err := d.JWT.Verify(ctx, token)
	switch {
	case errors.Is(err, rest.ErrUnknownCredential):
		return s, unknown
	case err != nil:
		return s, err
	case actor.Role == rest.RoleNone:
		return s, quotekit.Errorf(quotekit.EForbidden, "This user is no operator: the app_metadata of the token has no role of viewer, operator or admin.")
	}
	s.Actor, s.UserID, s.Role = actor.Name, actor.UserID, actor.Role.String()
	if expires.Before(s.ExpiresAt) {
		s.ExpiresAt = expires
	}
	if !s.ExpiresAt.After(now) {
		return s, quotekit.Errorf(quotekit.EUnauthorized, "The token has expired.")
	}
	return s, nil
}

// open writes a session and who has opened it.
func (d *Dashboard) open(r *http.Request, s store.Session) error {
	replaces := ""
	if old, err := r.Cookie(cookieName(r)); err == nil {
		replaces = hashOf(old.Value)
	}
	return d.Store.WithTx(r.Context(), func(tx *store.Tx) error {
		if err := tx.OpenSession(r.Context(), s, replaces); err != nil {
			return err
		}
		return tx.Audit(r.Context(), []store.AuditEntry{{
			Actor: s.Actor, Action: store.AuditLogin, RequestID: rest.RequestIDFrom(r.Context()),
			After: map[string]any{"role": s.Role, "expires_at": s.ExpiresAt.UTC().Format(time.RFC3339)},
		}})
	})
}

// logout ends the session.
func (d *Dashboard) logout(r *http.Request) (Answer, error) {
	s, _ := sessionFrom(r.Context())
	err := d.Store.WithTx(r.Context(), func(tx *store.Tx) error {
		ended, err := tx.RevokeSession(r.Context(), s.IDHash)
		if err != nil || !ended {
			return err
		}
		return tx.Audit(r.Context(), []store.AuditEntry{{
			Actor: s.Actor, Action: store.AuditLogout, RequestID: rest.RequestIDFrom(r.Context()),
		}})
	})
	gone := &http.Cookie{
		Name: cookieName(r), Path: "/", MaxAge: -1, Secure: !insecure(r), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	return Answer{To: Path, Cookies: []*http.Cookie{gone}}, err
}

// loggedIn leads somebody away who wants to log in again.
func (d *Dashboard) loggedIn(*http.Request) (Answer, error) { return Answer{To: Path}, nil }
