package rest

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Token is an operator's secret and the name it goes by in the audit trail.
type Token struct {
	Name   string
	Secret string
}

// String hides the secret, so that a configuration can be printed.
func (t Token) String() string { return t.Name + "=(hidden)" }

// GoString hides the secret from %#v as well.
func (t Token) GoString() string { return t.String() }

// DefaultTokenName is the actor of a token that was given without a name.
const DefaultTokenName = "admin"

// ParseTokens reads the value of QUOTEKIT_ADMIN_TOKEN: one bare token, or
// "name=token,name=token". A name may occur more than once, so that a token can
// be changed without a gap. Errors name elements by their number, never their text.
func ParseTokens(s string) ([]Token, error) {
	var tokens []Token
	seen := map[string]bool{}
	for i, element := range strings.Split(s, ",") {
		t, err := parseToken(element)
		if err != nil {
			return nil, fmt.Errorf("element %d %w", i+1, err)
		}
		if seen[t.Secret] {
			return nil, fmt.Errorf("element %d repeats a token: the audit trail could not tell the two apart", i+1)
		}
		seen[t.Secret] = true
		tokens = append(tokens, t)
	}
	return tokens, nil
}

func parseToken(s string) (Token, error) {
	switch {
	case s == "":
		return Token{}, errors.New("is empty")
	case strings.TrimSpace(s) != s:
		return Token{}, errors.New("begins or ends with white space")
	}
	name, secret, named := strings.Cut(s, "=")
	if !named || isPadding(s, secret) {
		name, secret = DefaultTokenName, s
	}
	switch {
	case name == "":
		return Token{}, errors.New("has no name before its =")
	case secret == "":
		return Token{}, errors.New("has no token after its =")
	case strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' }):
		return Token{}, errors.New("has a name with blanks or characters that are not ASCII")
	case strings.ContainsFunc(secret, func(c rune) bool { return c <= ' ' || c > '~' }):
		return Token{}, errors.New("has a token with blanks or characters that cannot stand in a header")
	}
	return Token{Name: name, Secret: secret}, nil
}

// isPadding tells the end of a bare base64 token from a name with nothing behind.
func isPadding(element, rest string) bool {
	return (rest == "" || rest == "=") && len(element)%4 == 0 && len(element) >= 20
}

// OperatorTokens authenticates the bearers of tokens as admins. All tokens are
// compared, hashed, in constant time: neither the length of a token nor which
// one nearly fitted can be measured.
func OperatorTokens(tokens []Token) Authenticator {
	type hashed struct {
		name string
		sum  [sha256.Size]byte
	}
	known := make([]hashed, len(tokens))
	for i, t := range tokens {
		known[i] = hashed{name: t.Name, sum: sha256.Sum256([]byte(t.Secret))}
	}
	return func(r *http.Request) (Actor, error) {
		bearer, ok := Bearer(r)
		if !ok {
			return Actor{}, ErrUnknownCredential
		}
		sum := sha256.Sum256([]byte(bearer))
		found := -1
		for i := range known {
			if subtle.ConstantTimeCompare(sum[:], known[i].sum[:]) == 1 {
				found = i
			}
		}
		if found < 0 {
			return Actor{}, ErrUnknownCredential
		}
		return Actor{Name: known[found].name, Role: RoleAdmin}, nil
	}
}
