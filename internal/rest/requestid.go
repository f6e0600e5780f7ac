package rest

import (
	"context"
	"encoding/base32"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
)

type requestIDKey struct{}

// maxRequestID bounds the ids that callers may choose: they end up in logs and
// in the audit trail.
const maxRequestID = 64

// RequestID gives every request an id, in the context and in X-Request-Id. The
// caller's own id is kept if it is short and of harmless characters, and does not
// look like one of ours.
func RequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !usableRequestID(id) {
			id = newRequestID()
		}
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r.WithContext(WithRequestID(r.Context(), id)))
	})
}

// WithRequestID gives work an id that the log and the audit trail know it by.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestIDFrom returns the id given by [RequestID], or "".
func RequestIDFrom(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// Ids of ours have a length and a beginning that no other has: by them an index of the
// audit trail leaves them out. The 0 is that of their time until the year 2248.
const (
	ownRequestID       = "req_0"
	ownRequestIDLength = 30
)

// requestIDs writes UUIDs in 26 characters.
var requestIDs = base32.HexEncoding.WithPadding(base32.NoPadding)

// newRequestID says when it was made, so that what a request has written at once is
// found by the time, without an index on its id.
func newRequestID() string {
	id := uuid.MustParse(quotekit.NewID())
	return "req_" + requestIDs.EncodeToString(id[:])
}

// looksLikeOwn reports whether nobody else may choose an id.
func looksLikeOwn(id string) bool {
	return len(id) == ownRequestIDLength && strings.HasPrefix(id, ownRequestID)
}

// RequestMade returns when an id of ours was made, to the millisecond. It reports
// false for every other id.
func RequestMade(id string) (time.Time, bool) {
	if !looksLikeOwn(id) {
		return time.Time{}, false
	}
	b, err := requestIDs.DecodeString(strings.TrimPrefix(id, "req_"))
	if err != nil {
		return time.Time{}, false
	}
	u, err := uuid.FromBytes(b)
	if err != nil || u.Version() != 7 {
		return time.Time{}, false
	}
	seconds, nanos := u.Time().UnixTime()
	return time.Unix(seconds, nanos).UTC(), true
}

func usableRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID || looksLikeOwn(id) {
		return false
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' {
			return false
		}
	}
	return true
}
