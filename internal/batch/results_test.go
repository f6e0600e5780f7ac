package batch

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestNegotiate(t *testing.T) {
	for _, tt := range []struct{ accept, want string }{ // several headers by "|"
		{"", mediaJSON},
		{" ", mediaJSON},
		{"*/*", mediaJSON},
		{"application/json", mediaJSON},
		{"text/csv", mediaCSV},
		{"text/*", mediaCSV},
		{"application/*;q=0.1, text/*", mediaCSV},
		{"Text/CSV; charset=utf-8", mediaCSV},
		{"application/x-ndjson|text/csv;q=0.9", mediaNDJSON},
		{"text/csv;q=0.1, */*;q=0.2", mediaJSON},
		{"application/json;q=0, */*", mediaCSV},
		{"*/*;q=0.5, application/x-ndjson", mediaNDJSON},
		{"application/json;q=0.5, application/*;q=0.9", mediaNDJSON}, // the range that fits best decides
		{"image/png, nonsense, ;;, */*", mediaJSON},
		{"text/csv;q=1.000, application/json;q=0.999", mediaCSV},
		{"text/html", ""},
		{"*/*;q=0", ""},
		{"text/csv;q=0.000", ""},
		{"text/csv;q=-1", ""},
		{"text/csv;q=NaN", ""},
		{"nonsense", ""},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Accept"] = strings.Split(tt.accept, "|")
		got, err := negotiate(r, mediaJSON, mediaCSV, mediaNDJSON)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%q: got %q, %v, want %q", tt.accept, got, err, tt.want)
		}
	}
}

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
