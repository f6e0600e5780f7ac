package app_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// proxy stands between a service and its server, and can be as unkind as a
// network: refuse, cut, and swallow.
type proxy struct {
	t       testing.TB
	target  string
	address string

	mu       sync.Mutex
	listener net.Listener // nil: connections are refused
	pairs    map[*pair]bool
	stalled  chan struct{} // open: nothing goes through; nil: everything does
}

// pair is a connection with its other half.
type pair struct{ client, server net.Conn }

func (p *pair) close() {
	_ = p.client.Close()
	_ = p.server.Close()
}

// mustProxy puts a proxy in front of the server of a database, and returns the
// URL of the database behind it.
func mustProxy(t testing.TB, database string) (p *proxy, behind string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	p = &proxy{t: t, target: u.Host, pairs: map[*pair]bool{}}
	p.listener, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = p.listener.Addr().String()
	go p.accept(p.listener)
	t.Cleanup(func() {
		p.flow()
		p.refuse()
	})
	u.Host = p.address
	return p, u.String()
}

// refuse ends all connections and takes no new ones.
func (p *proxy) refuse() {
	p.mu.Lock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	p.mu.Unlock()
	p.cut()
}

// admit takes connections again.
func (p *proxy) admit() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		return
	}
	var err error
	if p.listener, err = net.Listen("tcp", p.address); err != nil {
		p.t.Fatal(err)
	}
	go p.accept(p.listener)
}

// cut ends all connections, and reports how many.
func (p *proxy) cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.pairs)
	for pair := range p.pairs {
		pair.close()
	}
	clear(p.pairs)
	return n
}

// stall lets nothing through any more, in either direction, without ending a
// connection; new ones are accepted, and hear nothing.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled == nil {
		p.stalled = make(chan struct{})
	}
}

// flow ends a stall. What was held back goes on.
func (p *proxy) flow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled != nil {
		close(p.stalled)
		p.stalled = nil
	}
}

func (p *proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go p.serve(l, client)
	}
}

func (p *proxy) serve(l net.Listener, client net.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	server, err := new(net.Dialer).DialContext(ctx, "tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	c := &pair{client, server}
	p.mu.Lock()
	if p.listener != l { // refused meanwhile
		p.mu.Unlock()
		c.close()
		return
	}
	p.pairs[c] = true
	p.mu.Unlock()
	var halves sync.WaitGroup
	halves.Go(func() { p.pass(c, server, client) })
	halves.Go(func() { p.pass(c, client, server) })
	halves.Wait()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
}

// pass copies one direction until either end closes.
func (p *proxy) pass(c *pair, to io.Writer, from io.Reader) {
	defer c.close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		stalled := p.stalled
		p.mu.Unlock()
		if stalled != nil {
			<-stalled
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
