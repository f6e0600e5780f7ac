package rest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
)

const (
	// maxJWT bounds what is decoded for a stranger. Supabase's tokens have one
	// or two kilobytes.
	maxJWT = 16 << 10
	// leeway is how far the clocks of the issuer and of this machine may differ.
	leeway = 30 * time.Second
	// goodSecret is what RFC 7518 asks of a secret for HS256, in bytes.
	goodSecret = 32
	// authenticated is the audience of Supabase's tokens, and their role.
	authenticated = "authenticated"
)

// JWTConfig says whose tokens are taken.
type JWTConfig struct {
	// Secrets verify HS256, and nothing else does. A token of any of them is taken.
	Secrets []string
	// JWKSURL names the key set, which verifies ES256 and RS256, and nothing
	// else does.
	JWKSURL string
	// Issuer is what a claim iss has to be; empty is not known.
	Issuer string
	// Now is the clock. It is required.
	Now func() time.Time
	// HTTPClient reads the key set; nil is one with the default transport. Its
	// redirects are never followed.
	HTTPClient *http.Client
	Logger     *slog.Logger // nil discards
}

// JWT authenticates the application's users by their JWTs, as Supabase issues
// them.
type JWT struct {
	issuer string
	parser *jwt.Parser
	// secrets is empty, and asymmetric nil, where nothing is configured.
	secrets    jwt.VerificationKeySet
	asymmetric keyfunc.Keyfunc
	keys       *keySet
}

// NewJWT begins to read the key set, if one is configured, without waiting for
// it, and reads it again now and then until ctx ends or [JWT.Close] is called.
func NewJWT(ctx context.Context, c JWTConfig) (*JWT, error) {
	if c.Now == nil {
		return nil, errors.New("authenticate JWTs: no clock")
	}
	c.Logger = cmp.Or(c.Logger, slog.New(slog.DiscardHandler))
	j := &JWT{
		issuer: c.Issuer,
		parser: jwt.NewParser(
			jwt.WithTimeFunc(c.Now), jwt.WithLeeway(leeway), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
			jwt.WithStrictDecoding(),
		),
	}
	for _, secret := range c.Secrets {
		if secret == "" {
			return nil, errors.New("authenticate JWTs: a secret is empty")
		}
		if len(secret) < goodSecret {
			c.Logger.Warn("JWT secret is short enough to be guessed", "bytes", len(secret))
		}
		j.secrets.Keys = append(j.secrets.Keys, []byte(secret))
	}
	if c.JWKSURL != "" {
		j.keys = newKeySet(ctx, c)
		var err error
		if j.asymmetric, err = keyfunc.New(keyfunc.Options{Storage: j.keys}); err != nil {
			j.Close()
			return nil, fmt.Errorf("authenticate JWTs: %w", err)
		}
	}
	return j, nil
}

// Close stops reading the key set. It may be called more than once.
func (j *JWT) Close() {
	if j.keys != nil {
		j.keys.close()
	}
}

// Authenticate is an [Authenticator]. A bearer that has not the form of a JWT
// is an [ErrUnknownCredential]. Messages never show a part of the token.
func (j *JWT) Authenticate(r *http.Request) (Actor, error) {
	bearer, ok := Bearer(r)
	if !ok {
		return Actor{}, ErrUnknownCredential
	}
	actor, _, err := j.Verify(r.Context(), bearer)
	return actor, err
}

// Verify is [JWT.Authenticate] for a token that did not come as a bearer. It tells
// also when the token expires.
func (j *JWT) Verify(ctx context.Context, bearer string) (actor Actor, expires time.Time, err error) {
	switch {
	case strings.HasPrefix(bearer, "sb_secret_"), strings.HasPrefix(bearer, "sb_publishable_"):
		return Actor{}, expires, unauthorized("This is an API key of Supabase (sb_…), not a JWT: it names no user. " +
			"Send the access token of a user; operators use a token of QUOTEKIT_ADMIN_TOKEN.")
	case strings.Count(bearer, ".") != 2:
		return Actor{}, expires, ErrUnknownCredential
	case len(bearer) > maxJWT:
		return Actor{}, expires, unauthorized("The token is longer than 16 KiB.")
	}
	claims := jwt.MapClaims{}
	token, err := j.parser.ParseWithClaims(bearer, claims, func(t *jwt.Token) (any, error) { return j.key(ctx, t) })
	if err != nil {
		return Actor{}, expires, refusal(token, err)
	}
	exp, err := claims.GetExpirationTime()
	if err != nil || exp == nil {
		return Actor{}, expires, refusal(token, jwt.ErrTokenRequiredClaimMissing)
	}
	actor, err = j.actor(claims)
	return actor, exp.Time, err
}

// key returns what may verify a token. Its algorithm decides where the key
// comes from; nothing else that the token says does.
func (j *JWT) key(ctx context.Context, t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok {
		return nil, unauthorized("The token asks for an extension (crit) that is not known here.")
	}
	switch alg := t.Method.Alg(); alg {
	case jwt.SigningMethodHS256.Alg():
		if len(j.secrets.Keys) == 0 {
			return nil, unauthorized("The token is signed with HS256, for which SUPABASE_JWT_SECRET is not configured here.")
		}
		return j.secrets, nil
	case jwt.SigningMethodES256.Alg(), jwt.SigningMethodRS256.Alg():
		if j.asymmetric == nil {
			return nil, unauthorized("The token is signed with " + alg + ", for which neither SUPABASE_URL nor SUPABASE_JWKS_URL is configured here.")
		}
		return j.asymmetric.KeyfuncCtx(ctx)(t)
	}
	return nil, errAlgorithm
}

// errAlgorithm is the refusal of none, and of every other algorithm we do not take.
var errAlgorithm = unauthorized("The token's algorithm (alg) is not taken here: it has to be HS256, ES256 or RS256.")

// refusal says in words for people why the library refused a token. token is
// what could be read of it, or nil.
func refusal(token *jwt.Token, err error) error {
	var ours *quotekit.Error
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.Is(err, jwt.ErrTokenExpired):
		return unauthorized("The token has expired.")
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return unauthorized("The token is not valid yet (nbf).")
	case errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return unauthorized("The token is from the future (iat). If it is new, compare the clocks.")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return unauthorized("The token never expires: it has no exp.")
	case errors.Is(err, jwt.ErrTokenInvalidClaims):
		return unauthorized("The token has a claim of the wrong kind.")
	case errors.Is(err, jwkset.ErrKeyNotFound):
		return unauthorized("The token is signed with a key (kid) that is not in the key set.")
	case errors.Is(err, keyfunc.ErrKeyfunc):
		return unauthorized("The token's algorithm (alg) or key (kid) does not fit the key set.")
	case errors.Is(err, jwt.ErrTokenMalformed):
		return unauthorized("The token is malformed: it is not three parts of base64url and JSON.")
	case token != nil && token.Method == nil:
		return errAlgorithm
	}
	return unauthorized("The token's signature does not fit: it was changed, or signed by somebody else.")
}

// actor reads the claims of a token that is genuine and in time. The role comes
// first: Supabase's keys for anon and service_role lack most of the others.
func (j *JWT) actor(claims jwt.MapClaims) (Actor, error) {
	if err := checkRole(claims); err != nil {
		return Actor{}, err
	}
	if _, ok := claims["aud"]; ok {
		if aud, err := claims.GetAudience(); err != nil || !slices.Contains(aud, authenticated) {
			return Actor{}, unauthorized("The token is for another audience (aud) than authenticated.")
		}
	}
	if _, ok := claims["iss"]; ok && j.issuer != "" {
		if iss, err := claims.GetIssuer(); err != nil || iss != j.issuer {
			return Actor{}, unauthorized("The token's issuer (iss) is not the /auth/v1 of SUPABASE_URL.")
		}
	}
	sub, err := claims.GetSubject()
	if err != nil {
		return Actor{}, errSubject
	}
	user, ok := ParseUserID(sub)
	if !ok {
		return Actor{}, errSubject
	}
	// Users can write their user_metadata themselves; it is never looked at.
	metadata, _ := claims["app_metadata"].(map[string]any)
	role, _ := metadata["role"].(string)
	return Actor{Name: user, UserID: user, Role: ParseRole(role)}, nil
}

var errSubject = unauthorized("The token names no user: its sub is not a UUID.")

func checkRole(claims jwt.MapClaims) error {
	role, ok := claims["role"]
	switch {
	case ok && role == "service_role":
		return forbidden("A service_role key is not a user. Send the access token of a user; " +
			"operators authenticate with a token of QUOTEKIT_ADMIN_TOKEN, or as users with a role in app_metadata.")
	case ok && role == "anon":
		return forbidden("The anon key is not a user. Send the access token of a user who has signed in.")
	case ok && role != authenticated:
		return forbidden("The token's role is not authenticated.")
	}
	if anonymous, ok := claims["is_anonymous"]; ok && anonymous != false {
		return forbidden("Anonymous users (is_anonymous) may not do this. Sign in with an account.")
	}
	return nil
}

// ParseUserID reads a user's id as tokens and commands give it: a UUID of 36
// characters. The canonical form, which it returns, is in lower case.
func ParseUserID(s string) (string, bool) {
	id, err := uuid.Parse(s)
	if err != nil || len(s) != 36 {
		return "", false
	}
	return id.String(), true
}

// UserClaims is what [MintJWT] puts into a token.
type UserClaims struct {
	UserID string
	// Role becomes app_metadata.role, unless it is [RoleNone].
	Role Role
	// Issuer is left out if it is empty.
	Issuer            string
	IssuedAt, Expires time.Time
}

// MintJWT makes a token like those that Supabase issues to its users, signed
// with HS256. It is for local use: whoever has the secret can be any user.
func MintJWT(secret string, c UserClaims) (string, error) {
	user, ok := ParseUserID(c.UserID)
	switch {
	case secret == "":
		return "", errors.New("mint a JWT: no secret")
	case !ok:
		return "", errors.New("mint a JWT: the user's id is not a UUID")
	}
	claims := jwt.MapClaims{
		"sub": user, "role": authenticated, "aud": authenticated,
		"iat": c.IssuedAt.Unix(), "exp": c.Expires.Unix(),
	}
	if c.Issuer != "" {
		claims["iss"] = c.Issuer
	}
	if c.Role != RoleNone {
		claims["app_metadata"] = map[string]string{"role": c.Role.String()}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	if err != nil {
		return "", fmt.Errorf("mint a JWT: %w", err)
	}
	return token, nil
}

func unauthorized(message string) error {
	return quotekit.Errorf(quotekit.EUnauthorized, "%s", message)
}

func forbidden(message string) error { return quotekit.Errorf(quotekit.EForbidden, "%s", message) }
