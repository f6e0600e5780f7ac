package dashboard

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

const (
	// heartbeat keeps proxies from closing a stream where nothing happens, and is how
	// often it is looked whether its session has ended.
	heartbeat = 15 * time.Second
	// streamWriteTimeout ends a stream whose reader does not read.
	streamWriteTimeout = 30 * time.Second
)

// serveStream streams topics that have changed, as server-sent events: "change" with
// the topics as data, or "resync" if it is not known what has changed since
// Last-Event-ID. Every stream begins with one of the two, or with "here".
func (d *Dashboard) serveStream(w http.ResponseWriter, r *http.Request) {
	told, end := d.watch.listen()
	defer end()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	s := stream{w: w, control: http.NewResponseController(w), now: d.Now}
	// Not all come back at the same moment after a restart.
	if !s.write(fmt.Sprintf("retry: %d\n\n", 1000+rand.N(2000))) {
		return
	}
	at := d.watch.now()
	event := "here"
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		number, ours := d.watch.number(last)
		if _, _, known := d.watch.since(number); ours && known {
			at, event = number, ""
		} else {
			event = "resync"
		}
	}
	if event != "" && !s.send(d.watch.id(at), event, nil) {
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		topics, newest, known := d.watch.since(at)
		switch {
		case !known:
			at = newest
			if !s.send(d.watch.id(at), "resync", nil) {
				return
			}
		case len(topics) > 0:
			at = newest
			if !s.send(d.watch.id(at), "change", topics) {
				return
			}
		}
		select {
		case <-told:
		case <-beat.C:
			_, err := d.session(r)
			if quotekit.CodeOf(err) == quotekit.ENotFound || !s.write(": still here\n\n") {
				return
			}
		case <-r.Context().Done():
			return
		case <-d.watch.closed:
			return
		}
	}
}

// stream writes server-sent events (HTML standard, section 9.2).
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
}

func (s stream) send(id, event string, topics []string) bool {
	return s.write(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", id, event, strings.Join(topics, " ")))
}

// write reports false when the reader has gone.
func (s stream) write(text string) bool {
	// Where there is no connection, as in a test, there is no deadline.
	_ = s.control.SetWriteDeadline(s.now().Add(streamWriteTimeout))
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	_ = s.control.Flush() // an error comes with the next write
	return true
}
