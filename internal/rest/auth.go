package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/quotekit/quotekit"
)

// Role is what an operator may do; each includes the ones before it.
type Role int

// The roles, least first.
const (
	// RoleNone may do nothing: a caller who is known but no operator.
	RoleNone Role = iota
	// RoleViewer reads.
	RoleViewer
	// RoleOperator acts: retries, resolves, replays.
	RoleOperator
	// RoleAdmin also reveals and configures.
	RoleAdmin
)

// String returns the name that tokens and problem documents use.
func (r Role) String() string {
	switch r {
	case RoleViewer:
		return "viewer"
	case RoleOperator:
		return "operator"
	case RoleAdmin:
		return "admin"
	}
	return "none"
}

// ParseRole is the inverse of [Role.String]. Unknown names are [RoleNone].
func ParseRole(name string) Role {
	for r := RoleViewer; r <= RoleAdmin; r++ {
		if r.String() == name {
			return r
		}
	}
	return RoleNone
}

// Actor is who calls.
type Actor struct {
	// Name goes into the audit trail.
	Name string
	Role Role
	// UserID is the caller's user in the application; empty for a bearer of
	// an operator token.
	UserID string
}

// ErrUnknownCredential says that a request has no credential, or none that this
// authenticator can judge: another one may know it.
var ErrUnknownCredential = errors.New("unknown credential")

// Authenticator finds out who calls. It returns [ErrUnknownCredential] when
// somebody else should be asked, and any other error, best a
// [quotekit.Error] of code unauthorized or forbidden, to refuse the request.
type Authenticator func(r *http.Request) (Actor, error)

// AnyOf asks the authenticators in order and takes the first one that knows
// the credential.
func AnyOf(authenticators ...Authenticator) Authenticator {
	return func(r *http.Request) (Actor, error) {
		for _, a := range authenticators {
			actor, err := a(r)
			if err == nil || !errors.Is(err, ErrUnknownCredential) {
				return actor, err
			}
		}
		return Actor{}, ErrUnknownCredential
	}
}

type actorKey struct{}

// WithActor notes who calls, where something else than [Require] or [RequireUser]
// has found it out.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom returns the caller that [Require] or [RequireUser] let in. Without
// them it is the zero Actor.
func ActorFrom(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// Require lets in callers of at least the role, with their [Actor] in the context.
func Require(auth Authenticator, role Role) Middleware {
	return admit(func(r *http.Request) (Actor, error) {
		actor, err := auth(r)
		if err == nil && actor.Role < role {
			err = quotekit.Errorf(quotekit.EForbidden, "This needs the role %s; yours is %s.", role, actor.Role)
		}
		return actor, err
	})
}

// RequireUser lets in users of the application, with their [Actor] in the
// context. Whether they are operators too plays no part.
func RequireUser(auth Authenticator) Middleware {
	return admit(func(r *http.Request) (Actor, error) {
		actor, err := auth(r)
		if errors.Is(err, ErrUnknownCredential) || (err == nil && actor.UserID == "") {
			err = quotekit.Errorf(quotekit.EUnauthorized,
				"This needs the header Authorization: Bearer with the JWT of a user; an operator's token is none.")
		}
		return actor, err
	})
}

// admit lets in whom auth knows.
func admit(auth Authenticator) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			actor, err := auth(r)
			if err != nil {
				refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(WithActor(r.Context(), actor)))
		})
	}
}

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	_, sent := Bearer(r)
	p := ProblemOf(err)
	switch {
	case errors.Is(err, ErrUnknownCredential) && sent:
		p = NewProblem(http.StatusUnauthorized, quotekit.EUnauthorized, "The bearer token is not known here.")
	case errors.Is(err, ErrUnknownCredential):
		p = NewProblem(http.StatusUnauthorized, quotekit.EUnauthorized,
			"This needs the header Authorization: Bearer with a token of QUOTEKIT_ADMIN_TOKEN.")
	}
	if p.Status == http.StatusUnauthorized {
		challenge := `Bearer realm="quotekit"`
		if sent {
			challenge += `, error="invalid_token"`
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	WriteProblem(w, r, p)
}

// Bearer returns the bearer token of a request.
func Bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	token = strings.TrimSpace(token)
	return token, token != ""
}
