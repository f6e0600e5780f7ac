package store

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// connectTimeout bounds an attempt to connect to a server, unless the URL has a
	// connect_timeout.
	connectTimeout = 5 * time.Second
	// pingTimeout bounds the question whether a connection that was idle still
	// lives, before it is used.
	pingTimeout = 3 * time.Second
	// silence is how long a server may leave unanswered what was sent to it, on the
	// level of TCP, before the connection is given up. Without it, that takes the
	// operating system about a quarter of an hour.
	silence = 15 * time.Second
	// closeWithin is how long a close waits for statements that run.
	closeWithin = 3 * time.Second
)

// dialer connects to a server, and knows the connections that are open.
type dialer struct {
	mu     sync.Mutex
	open   map[*connection]bool
	closed bool // no more connections are made
}

// connection is one that its dialer knows.
type connection struct {
	net.Conn
	dialer *dialer
}

// dial connects in such a way that a connection whose other end has vanished is
// noticed: by what is sent, and while nothing is, by probes.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	probing := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silence, Interval: silence / 3, Count: 3},
		Control: func(network, _ string, c syscall.RawConn) error {
			if network == "unix" {
				return nil
			}
			return c.Control(func(fd uintptr) { boundSilence(fd, silence) })
		},
	}
	conn, err := probing.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &connection{conn, d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	d.open[c] = true
	return c, nil
}

// Close implements [net.Conn].
func (c *connection) Close() error {
	c.dialer.mu.Lock()
	delete(c.dialer.open, c)
	c.dialer.mu.Unlock()
	return c.Conn.Close()
}

// cut ends all connections, and with them the statements that run on them. No new
// ones are made, as the driver does to ask the server to cancel a statement.
func (d *dialer) cut() {
	d.mu.Lock()
	d.closed = true
	open := slices.Collect(maps.Keys(d.open))
	d.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
}
