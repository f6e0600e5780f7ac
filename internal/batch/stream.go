package batch

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// heartbeat keeps proxies from closing a stream where nothing happens.
	heartbeat = 15 * time.Second
	// streamWriteTimeout ends a stream whose reader does not read.
	streamWriteTimeout = 30 * time.Second
)

// JobEvents streams the progress of a job.
func (s *Service) JobEvents() rest.Endpoint {
	return rest.Endpoint{
		ID: "watchBatchJob", Summary: "The progress of a job as server-sent events", Tag: tag, Path: jobID,
		Doc: "An event `progress` has the job as its data and the job's revision as its id; the last event is `end`, and then the " +
			"stream ends. It goes on behind a `Last-Event-ID`; if there is nothing behind it, because the job has ended, the answer " +
			"is 204, which tells a browser not to come again.",
		Header: []rest.Param{{Name: "Last-Event-ID", Doc: "The id of the last event that was seen."}},
		Answers: rest.Answers{
			http.StatusOK: {
				Text:    []string{"text/event-stream"},
				Headers: []rest.Param{{Name: "X-Accel-Buffering", Doc: "`no`: proxies are to pass events on at once.", Required: true}},
			},
			http.StatusNoContent: {Doc: "The job has ended, and the caller has seen it."},
		},
		Problems: []int{http.StatusNotFound, http.StatusServiceUnavailable},
		Handler: s.handle(func(w http.ResponseWriter, r *http.Request) error {
			job, err := s.jobOf(r)
			if err != nil {
				return err
			}
			seen, err := strconv.ParseInt(r.Header.Get("Last-Event-ID"), 10, 64)
			if err != nil || (seen > job.Revision && !job.Status.Finished()) {
				seen = -1 // none, or not ours: from the beginning
			}
			if job.Status.Finished() && job.Revision <= seen {
				w.WriteHeader(http.StatusNoContent)
				return nil
			}
			stream := newStream(w, s.now)
			if !stream.open() {
				return nil
			}
			beat := time.NewTicker(heartbeat)
			defer beat.Stop()
			err = s.Watch(r.Context(), rest.ActorFrom(r.Context()).UserID, job.ID, beat.C, func(j store.BatchJob) bool {
				if j.Revision <= seen {
					return true
				}
				return stream.send(j.Revision, j.Status.Finished(), s.show(j))
			}, stream.beat)
			if err != nil {
				s.logger.Warn("stream of a batch job cut off", "batch_id", job.ID, "error", store.Describe(err))
			}
			return nil // the answer has begun; the caller comes again
		}),
	}
}

// stream writes server-sent events (HTML standard, section 9.2).
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
}

func newStream(w http.ResponseWriter, now func() time.Time) *stream {
	return &stream{w, http.NewResponseController(w), now}
}

// open sends the headers, and how long a browser waits before it comes again.
func (s *stream) open() bool {
	h := s.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	s.w.WriteHeader(http.StatusOK)
	return s.write("retry: 1000\n\n")
}

func (s *stream) send(id int64, last bool, data any) bool {
	b, err := json.Marshal(data)
	if err != nil {
		panic("encode an event: " + err.Error()) // a bug: our own types all encode
	}
	name := "progress"
	if last {
		name = "end"
	}
	return s.write(fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", id, name, b))
}

func (s *stream) beat() bool { return s.write(": still here\n\n") }

// write reports false when the reader has gone.
func (s *stream) write(text string) bool {
	// Where there is no connection, as within a command, there is no deadline.
	_ = s.control.SetWriteDeadline(s.now().Add(streamWriteTimeout))
	if _, err := s.w.Write([]byte(text)); err != nil {
		return false
	}
	_ = s.control.Flush() // an error comes with the next write
	return true
}
