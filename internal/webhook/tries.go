package webhook

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

const (
	// conflictRetries is how often a group that lost against another process
	// (deadlock, serialization) is tried again before it counts as not kept.
	conflictRetries = 6
	// cutRetries is how often a group whose connection was cut is tried again, so
	// that a session that is ended is nothing a sender notices.
	cutRetries = 4
)

// tries counts how often a transaction has been tried again.
type tries struct{ lost, cut int }

// again reports whether a transaction that failed with err is worth another try,
// after a pause if it lost a conflict. The pause grows and is random, so that those
// who met do not meet again.
func (t *tries) again(ctx context.Context, s *store.Store, err error) bool {
	switch {
	case store.Lost(err):
		if t.cut++; t.cut > 1 { // the server was restarted, so all are cut
			s.DropIdle()
		}
		return t.cut <= cutRetries
	case store.Classify(err) != store.Retryable:
		return false
	}
	if t.lost++; t.lost > conflictRetries {
		return false
	}
	select {
	case <-time.After(time.Duration(rand.Int64N(int64(time.Millisecond) << t.lost))):
		return true
	case <-ctx.Done():
		return false
	}
}

// notNow reports whether the database cannot do it now, whatever the rows are.
func notNow(err error) bool {
	class := store.Classify(err)
	return class == store.Unavailable || class == store.Retryable || errors.Is(err, errStopped)
}
