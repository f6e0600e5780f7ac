package webhook

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quotekit/quotekit/internal/stripe"
)

const (
	// lookAtClock is the least time between two signatures that are looked at, of
	// those that are taken and of those that are too old. The others cost nothing.
	lookAtClock = time.Second
	// SkewBound is how far our clock may be from Stripe's before it is remarkable: a
	// delivery may be on its way for some seconds.
	SkewBound = time.Minute
	// evidence is how many signatures made at different times have to agree before
	// our clock counts as ahead: a single old one may have been held up, or recorded
	// and sent again.
	evidence = 3
)

// clock compares our clock with Stripe's. A signature has the time at which it
// was made, when the delivery was sent, and it is believed only if it is right,
// be it too old. One from the future says that we are behind. That all of the
// last ones are old says that we are ahead, by the age of the youngest at most.
type clock struct {
	secrets []string
	doubt   chan struct{} // holds a token when the skew has become remarkable

	nextTaken, nextExpired atomic.Int64 // in nanoseconds; until then nothing is looked at

	mu   sync.Mutex
	seen []sighting // the last ones, of different times
	skew time.Duration
}

// sighting is a right signature.
type sighting struct {
	made time.Time
	age  time.Duration // on our clock
}

func newClock(secrets []string) *clock {
	return &clock{secrets: secrets, doubt: make(chan struct{}, 1)}
}

// look notes a delivery whose signature was verified with this result.
func (c *clock) look(body []byte, header string, arrived time.Time, verified error) {
	next := &c.nextTaken
	if verified != nil {
		if !errors.Is(verified, stripe.ErrExpired) {
			return
		}
		next = &c.nextExpired
	}
	due := next.Load()
	if arrived.UnixNano() < due || !next.CompareAndSwap(due, arrived.Add(lookAtClock).UnixNano()) {
		return
	}
	if verified != nil && stripe.VerifySignature(body, header, c.secrets, arrived, -1) != nil {
		return // whoever sent it does not know a secret
	}
	made, ok := stripe.SignatureTime(header)
	if !ok {
		return
	}
	c.note(sighting{made, arrived.Sub(made)})
}

func (c *clock) note(s sighting) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.ContainsFunc(c.seen, func(old sighting) bool { return old.made.Equal(s.made) }) {
		return
	}
	c.seen = append(c.seen, s)
	c.seen = c.seen[max(0, len(c.seen)-evidence):]
	youngest := slices.MinFunc(c.seen, func(a, b sighting) int { return cmp.Compare(a.age, b.age) }).age
	before := c.skew
	switch {
	case youngest < -SkewBound, youngest > SkewBound && len(c.seen) == evidence:
		c.skew = youngest
	default:
		c.skew = 0
	}
	if (before == 0) != (c.skew == 0) {
		select {
		case c.doubt <- struct{}{}:
		default:
		}
	}
}

// ClockSkew is how far our clock is ahead of Stripe's (negative: behind), as far
// as the last deliveries tell; zero if that is less than [SkewBound].
func (s *Service) ClockSkew() time.Duration {
	s.receiver.clock.mu.Lock()
	defer s.receiver.clock.mu.Unlock()
	return s.receiver.clock.skew
}

// ClockDoubt has a token when [Service.ClockSkew] has become remarkable, or has
// ceased to be.
func (s *Service) ClockDoubt() <-chan struct{} { return s.receiver.clock.doubt }
