package app

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// quietFor is the time in which equal messages are counted.
	quietFor = time.Minute
	// manyWarnings and manyLines are how many lines with the same message are written
	// in that time, of those at warn and above, and of those at info. A line about a
	// request that was refused is one of the latter.
	manyWarnings, manyLines = 20, 600
	// manyMessages bounds the messages that are counted; there are fewer in the
	// program, but others write their own.
	manyMessages = 500
)

// Quiet keeps a log from being flooded, as by a database that is away or by
// strangers: of lines with the same message and level only so many are written in
// a minute. The next one after that says how many were left out. Lines at debug
// are not counted.
func Quiet(next slog.Handler, now func() time.Time) slog.Handler {
	return &quiet{Handler: next, counts: &counts{now: now, of: map[message]*count{}}}
}

type quiet struct {
	slog.Handler
	counts *counts // shared by the handlers that come from this one
}

type message struct {
	level slog.Level
	text  string
}

type count struct {
	since         time.Time
	lines, hidden int
}

type counts struct {
	now func() time.Time

	mu sync.Mutex
	of map[message]*count
}

// Handle implements [slog.Handler].
func (q *quiet) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo {
		return q.Handler.Handle(ctx, r)
	}
	write, hidden := q.counts.next(message{r.Level, r.Message})
	if !write {
		return nil
	}
	if hidden > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("left_out", hidden))
	}
	return q.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (q *quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &quiet{q.Handler.WithAttrs(attrs), q.counts}
}

// WithGroup implements [slog.Handler].
func (q *quiet) WithGroup(name string) slog.Handler {
	return &quiet{q.Handler.WithGroup(name), q.counts}
}

// next counts a line. It reports whether to write it, and how many of its kind
// were left out before.
func (c *counts) next(m message) (write bool, hidden int) {
	most := manyLines
	if m.level >= slog.LevelWarn {
		most = manyWarnings
	}
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.of[m]
	if n == nil {
		if len(c.of) >= manyMessages {
			clear(c.of)
		}
		n = &count{since: now}
		c.of[m] = n
	}
	if now.Sub(n.since) >= quietFor {
		hidden = n.hidden
		*n = count{since: now}
	}
	n.lines++
	if n.lines > most {
		n.hidden++
		return false, 0
	}
	return true, hidden
}
