package rest

import (
	"net/http"
	"sync/atomic"

	"github.com/quotekit/quotekit"
)

// Share is how many requests of one kind may be worked on at once. A kind that is
// flooded uses up its own share and no other.
type Share struct {
	most       int64
	taken      atomic.Int64
	turnedAway atomic.Int64
}

// NewShare makes a share of at most so many requests.
func NewShare(most int) *Share { return &Share{most: int64(most)} }

// take reports whether there was room. Who gets some gives it back.
func (s *Share) take() bool {
	if s.taken.Add(1) <= s.most {
		return true
	}
	s.give()
	return false
}

func (s *Share) give() { s.taken.Add(-1) }

// Most is how many requests of the share may be worked on at once.
func (s *Share) Most() int64 { return s.most }

// Taken is how many requests of the share are worked on.
func (s *Share) Taken() int64 { return min(s.taken.Load(), s.most) }

// TurnedAway is how many requests there was no room for so far.
func (s *Share) TurnedAway() int64 { return s.turnedAway.Load() }

// busyRetryAfter is what is told to a caller for whom there is no room, in seconds.
const busyRetryAfter = "5"

// InFlight bounds the requests that are worked on at once. A request beyond the
// share that shareOf says it belongs to is answered 503 at once, before anything
// of its body is read. Requests that belong to none (nil) are not counted.
func InFlight(shareOf func(*http.Request) *Share) Middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			share := shareOf(r)
			if share == nil {
				next.ServeHTTP(w, r)
				return
			}
			if !share.take() {
				share.turnedAway.Add(1)
				w.Header().Set("Retry-After", busyRetryAfter)
				if r.ContentLength != 0 {
					// Else the server reads the body before it sends the answer.
					w.Header().Set("Connection", "close")
				}
				WriteProblem(w, r, NewProblem(http.StatusServiceUnavailable, quotekit.EUnavailable,
					"Too many requests are worked on already; come again."))
				return
			}
			defer share.give()
			next.ServeHTTP(w, r)
		})
	}
}
