package dashboard

import (
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// attemptEvery and attemptBurst are how often one address may try to log in.
	attemptEvery = 6 * time.Second
	attemptBurst = 10
	// maxAddresses bounds what is remembered. Those beyond share one limit.
	maxAddresses = 4096
)

// attempts limits how often somebody tries to log in, in this process.
type attempts struct {
	now    func() time.Time
	mu     sync.Mutex
	by     map[netip.Prefix]*rate.Limiter
	others *rate.Limiter
}

func newAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, by: map[netip.Prefix]*rate.Limiter{}, others: newLimiter()}
}

func newLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(attemptEvery), attemptBurst) }

// allow counts an attempt of an address. If it is one too many, wait is the number
// of seconds to wait.
func (a *attempts) allow(remote string) (wait string, ok bool) {
	now := a.now()
	if a.limiter(remote, now).AllowN(now, 1) {
		return "", true
	}
	return strconv.Itoa(int(attemptEvery.Seconds())), false
}

func (a *attempts) limiter(remote string, now time.Time) *rate.Limiter {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return a.others
	}
	bits := 32
	if ip := addr.Addr().Unmap(); ip.Is6() {
		bits = 64 // what one subscriber has
	}
	key, err := addr.Addr().Unmap().WithZone("").Prefix(bits)
	if err != nil {
		return a.others
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if l, ok := a.by[key]; ok {
		return l
	}
	if len(a.by) >= maxAddresses {
		for k, l := range a.by { // those that could not be told from new ones
			if l.TokensAt(now) >= attemptBurst {
				delete(a.by, k)
			}
		}
	}
	if len(a.by) >= maxAddresses {
		return a.others
	}
	l := newLimiter()
	a.by[key] = l
	return l
}
