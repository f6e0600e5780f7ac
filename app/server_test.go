package app

import (
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestServer_ASlowReaderIsCut asks for a large answer and does not read it. The
// real time for an answer is a minute, so the server has a shorter one here.
func TestServer_ASlowReaderIsCut(t *testing.T) {
	t.Parallel()
	written := make(chan error, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		piece := make([]byte, 1<<20)
		for range 1024 {
			if _, err := w.Write(piece); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	})
	hurry := patience
	hurry.answer = time.Second
	server := newServer(handler, hurry, slog.New(slog.DiscardHandler))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	defer func() { _ = server.Close() }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: quotekit\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-written:
		if err == nil {
			t.Error("a gigabyte was written to somebody who does not read")
		}
	case <-time.After(30 * time.Second):
		t.Error("the handler still waits for a reader")
	}
}
