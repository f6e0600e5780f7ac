package stripe

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	// retries is how often a request is made again after a failure that may pass.
	retries = 3
	// limitRetries is how often after an answer that there were too many.
	limitRetries = 6
	// maxPause bounds a pause, whatever Stripe asks for.
	maxPause = time.Minute
)

// admit waits until a request may be made: for the gate, then for its share of
// the budget.
func (c *Client) admit(ctx context.Context) error {
	if err := c.gate.wait(ctx); err != nil {
		return err
	}
	if err := c.limiter.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errors.New("the budget of requests to Stripe is used up for longer than this call may take")
	}
	// Another caller may have been told meanwhile that there were too many.
	return c.gate.wait(ctx)
}

// retry decides what follows a failure. After too many requests all callers
// pause, not only this one.
func (c *Client) retry(err error, attempt int) (wait time.Duration, again bool) {
	wait = c.backoff << min(attempt, 10)
	wait = min(wait/2+rand.N(wait/2+1), maxPause)
	var failed *APIError
	var network *networkFailure
	switch {
	case errors.As(err, &network):
		return wait, attempt < retries
	case !errors.As(err, &failed) || !failed.temporary():
		return 0, false
	case failed.Status == http.StatusTooManyRequests && failed.Code != lockTimeout:
		c.gate.shut(min(max(wait, failed.retryAfter), maxPause))
		return 0, attempt < limitRetries
	}
	return min(max(wait, failed.retryAfter), maxPause), attempt < retries
}

// gate stops all callers for a while. The zero value is open.
type gate struct {
	mu    sync.Mutex
	open  chan struct{} // closed when the pause is over; nil: there is none
	shuts int
}

// shut begins a pause, or another one: the last that is asked for counts.
func (g *gate) shut(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = make(chan struct{})
	}
	g.shuts++
	mine := g.shuts
	time.AfterFunc(d, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if mine == g.shuts {
			close(g.open)
			g.open = nil
		}
	})
}

func (g *gate) wait(ctx context.Context) error {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	if open == nil {
		return ctx.Err()
	}
	select {
	case <-open:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
