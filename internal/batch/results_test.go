package batch

import (
	"net/http/httptest"
	"testing"
	"time"
)

// TestStream_Format: as the HTML standard has it, section 9.2.
func TestStream_Format(t *testing.T) {
	w := httptest.NewRecorder()
	s := newStream(w, time.Now)
	if !s.open() || !s.beat() || !s.send(3, false, map[string]string{"a": "x\ny\r<b>\u2028"}) || !s.beat() || !s.send(4, true, nil) {
		t.Fatal("the reader has gone")
	}
	want := "retry: 1000\n\n: still here\n\n" +
		"id: 3\nevent: progress\ndata: {\"a\":\"x\\ny\\r\\u003cb\\u003e\\u2028\"}\n\n: still here\n\n" +
		"id: 4\nevent: end\ndata: null\n\n"
	if got := w.Body.String(); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if !w.Flushed || w.Header().Get("Content-Type") != "text/event-stream" {
		t.Errorf("flushed %v, %v", w.Flushed, w.Header())
	}
}
