package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// schedule says when each event of an open loop is due.
type schedule struct {
	began     time.Time
	perSecond float64
}

// due is computed from the beginning, so that no error adds up.
func (s schedule) due(n int) time.Time {
	return s.began.Add(time.Duration(float64(n) / s.perSecond * float64(time.Second)))
}

// pace calls send for each of n events when it is due, over so many connections. A
// connection that waits for an answer sends nothing; if all do, the next event is late.
// took is the time of each from when it was due, not from when it was sent, until send
// has returned, and late how much of that was before send was called. The first error
// ends it.
func pace(ctx context.Context, s schedule, n, connections int, send func(connection, n int) error) (took, late []time.Duration, err error) {
	took, late = make([]time.Duration, n), make([]time.Duration, n)
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var (
		next    atomic.Int64
		sending sync.WaitGroup
	)
	for c := range connections {
		sending.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				due := s.due(i)
				select {
				case <-time.After(time.Until(due)):
				case <-ctx.Done():
				}
				if ctx.Err() != nil {
					return
				}
				late[i] = time.Since(due)
				if err := send(c, i); err != nil {
					fail(err)
					return
				}
				took[i] = time.Since(due)
			}
		})
	}
	sending.Wait()
	return took, late, context.Cause(ctx)
}
