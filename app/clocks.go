package app

import (
	"context"
	"sync"
	"time"

	"github.com/quotekit/quotekit/internal/webhook"
)

const (
	// compareClocks is the time between two looks at the clocks of others.
	compareClocks = time.Minute
	// databaseSkew is how far the database's clock may be from ours before it is
	// remarkable. Retries, leases and timeouts are in seconds.
	databaseSkew = 5 * time.Second
)

// Clocks is how far our clock is ahead of others (negative: behind); zero is less
// than what is remarkable.
type Clocks struct {
	Database, Stripe time.Duration
}

// byName are the differences for those who do not know whose clocks there are.
func (c Clocks) byName() map[string]time.Duration {
	return map[string]time.Duration{"the database": c.Database, "Stripe": c.Stripe}
}

// clocks is what was seen last.
type clocks struct {
	mu   sync.Mutex
	last Clocks
}

// Clocks returns what was seen last: of the database every minute, of Stripe with
// the last deliveries.
func (a *App) Clocks() Clocks {
	a.clocks.mu.Lock()
	defer a.clocks.mu.Unlock()
	return a.clocks.last
}

// watchClocks compares the clocks until ctx ends, and says when they differ: once,
// and again when the difference has changed as much.
func (a *App) watchClocks(ctx context.Context) {
	tick := time.NewTicker(compareClocks)
	defer tick.Stop()
	var said Clocks
	for {
		seen := Clocks{Database: a.Clocks().Database, Stripe: a.webhook.ClockSkew()}
		if skew, err := a.store.ClockSkew(ctx); err == nil { // else there is other news
			seen.Database = remarkable(skew, databaseSkew)
		}
		a.clocks.mu.Lock()
		a.clocks.last = seen
		a.clocks.mu.Unlock()
		said.Database = a.sayClock("the database", seen.Database, said.Database, databaseSkew)
		said.Stripe = a.sayClock("Stripe", seen.Stripe, said.Stripe, webhook.SkewBound)
		select {
		case <-tick.C:
		case <-a.webhook.ClockDoubt():
		case <-ctx.Done():
			return
		}
	}
}

// sayClock logs a difference unless that was said already, and returns what was
// said last.
func (a *App) sayClock(whose string, ahead, said, bound time.Duration) time.Duration {
	switch {
	case ahead == 0 && said != 0:
		a.options.Logger.Info("the clock of this machine is right again", "compared_with", whose)
		return 0
	case remarkable(ahead-said, bound) == 0:
		return said
	}
	a.options.Logger.Warn("the clock of this machine is not that of another", "compared_with", whose,
		"ahead", ahead.Round(time.Second))
	return ahead
}

// remarkable is a difference of at least the bound, or zero.
func remarkable(d, bound time.Duration) time.Duration {
	if d.Abs() < bound {
		return 0
	}
	return d
}
