package dashboard_test

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/monitor/dashboard"
	"github.com/quotekit/quotekit/internal/store"
)

// patience is far longer than anything here takes.
const patience = 30 * time.Second

// message is an event of a stream.
type message struct{ id, event, data string }

// listener reads a stream.
type listener struct {
	t        *testing.T
	messages chan message // closed when the stream ends
	leave    context.CancelFunc
	header   http.Header
	status   int
}

func (b *browser) listen(server *httptest.Server, lastID string) *listener {
	t := b.s.t
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	t.Cleanup(leave)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+dashboard.StreamPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	l := &listener{t: t, messages: make(chan message, 100), leave: leave, header: resp.Header, status: resp.StatusCode}
	go func() {
		defer close(l.messages)
		defer func() { _ = resp.Body.Close() }()
		var m message
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				m.id = value
			case "event":
				m.event = value
			case "data":
				m.data = value
			case "":
				if m.event != "" {
					l.messages <- m
				}
				m = message{}
			}
		}
	}()
	return l
}

// next is the next event; the zero message if the stream has ended.
func (l *listener) next() message {
	l.t.Helper()
	select {
	case m := <-l.messages:
		return m
	case <-time.After(patience):
		l.t.Fatal("the stream says nothing")
		return message{}
	}
}

// ends waits until the stream has ended.
func (l *listener) ends() {
	l.t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case _, open := <-l.messages:
			if !open {
				return
			}
		case <-deadline:
			l.t.Fatal("the stream does not end")
		}
	}
}

func (s *scene) serve() *httptest.Server {
	server := httptest.NewServer(s)
	s.t.Cleanup(server.Close)
	return server
}

// act does what the watch notices, under the topic audit-trail.
func (s *scene) act() {
	s.t.Helper()
	err := s.store.WithTx(s.t.Context(), func(tx *store.Tx) error {
		return tx.Audit(s.t.Context(), []store.AuditEntry{{Actor: "ada", Action: "test.act"}})
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestStream_TellsTopicsThatHaveChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		b := s.loggedIn(token)
		l := b.listen(s.serve(), "")
		if l.status != http.StatusOK || l.header.Get("Content-Type") != "text/event-stream" || l.header.Get("Cache-Control") != "no-store" ||
			l.header.Get("X-Accel-Buffering") != "no" {
			t.Errorf("the stream begins with %d %v", l.status, l.header)
		}
		if got := l.next(); got.event != "here" || got.id == "" {
			t.Fatalf("first event = %+v, want here", got)
		}
		// The first look is what later ones are compared with; which of two acts is
		// the first behind it cannot be known.
		var got message
		for deadline := time.Now().Add(patience); got.event == "" && time.Now().Before(deadline); {
			s.act()
			select {
			case got = <-l.messages:
			case <-time.After(100 * time.Millisecond):
			}
		}
		if got.event != "change" || !slices.Contains(strings.Fields(got.data), "audit-trail") {
			t.Errorf("event = %+v, want a change of the audit trail", got)
		}
		again := b.listen(s.serve(), got.id)
		s.act()
		if got := again.next(); got.event != "change" {
			t.Errorf("after a return the first event is %+v, want a change", got)
		}
	})
}

func TestStream_WhoWasAwayTooLongLoadsAnew(t *testing.T) {
	s := onSQLite(t)
	l := s.loggedIn(token).listen(s.serve(), "OTHERONE-17")
	if got := l.next(); got.event != "resync" {
		t.Errorf("event = %+v, want resync after the id of another process", got)
	}
}

func TestStream_AStrangerGetsNone(t *testing.T) {
	s := onSQLite(t)
	if l := s.browser().listen(s.serve(), ""); l.status != http.StatusUnauthorized {
		t.Errorf("status = %d, want 401", l.status)
	}
}

func TestStream_EndsWithTheService(t *testing.T) {
	s := onSQLite(t)
	l := s.loggedIn(token).listen(s.serve(), "")
	l.next()
	s.Stop()
	l.ends()
	if s.Looks() {
		t.Error("somebody still looks for changes")
	}
	late := s.loggedIn(token).listen(s.serve(), "")
	late.ends()
}

func TestStream_NobodyLooksWhileNobodyListens(t *testing.T) {
	s := onSQLite(t)
	server := s.serve()
	b := s.loggedIn(token)
	if s.Looks() {
		t.Error("somebody looks before the first stream")
	}
	one, two := b.listen(server, ""), b.listen(server, "")
	one.next()
	two.next()
	one.leave()
	one.ends()
	if !s.Looks() {
		t.Error("nobody looks, and one stream is left")
	}
	two.leave()
	for deadline := time.Now().Add(patience); s.Looks(); {
		if time.Now().After(deadline) {
			t.Fatal("somebody looks after the last stream")
		}
		<-time.After(10 * time.Millisecond)
	}
}
