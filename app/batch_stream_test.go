package app_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/batch"
)

// checkEvents checks what holds for every stream that was read to its end.
func (u *user) checkEvents(events []event, finished bool) []batch.Job {
	u.t.Helper()
	var jobs []batch.Job
	last := int64(-1)
	for i, e := range events {
		id, err := strconv.ParseInt(e.id, 10, 64)
		if err != nil || id <= last {
			u.t.Errorf("event %d has the id %q behind %d", i, e.id, last)
		}
		last = id
		var j batch.Job
		if err := json.Unmarshal([]byte(e.data), &j); err != nil {
			u.t.Fatalf("event %d: %v: %s", i, err, e.data)
		}
		if j.ProcessedItems != j.SucceededItems+j.FailedItems+j.SkippedItems || j.ProcessedItems+j.UnprocessedItems != j.TotalItems {
			u.t.Errorf("the counters of event %d do not add up: %s", i, e.data)
		}
		if len(jobs) > 0 && j.ProcessedItems < jobs[len(jobs)-1].ProcessedItems {
			u.t.Errorf("event %d goes back: %s", i, e.data)
		}
		if ends := i == len(events)-1 && finished; (e.name == "end") != ends || (e.name == "progress") == ends || j.Status.Finished() != ends {
			u.t.Errorf("event %d of %d is %s with %s", i, len(events), e.name, j.Status)
		}
		jobs = append(jobs, j)
	}
	return jobs
}

func TestBatchStream_TellsProgressAndEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := newBarrier()
		s := mustStartGated(t, url, b)
		u := s.user()
		ids := s.quotes(u, 45, nil)
		s.decline(ids[20])
		j := u.submit("update_quote_status", append(ids, quotekit.NewID()), status("sent"))
		<-b.reached
		var events []event
		if err := u.listen(j.ID, func(e event) {
			events = append(events, e)
			b.open()
		}); err != nil {
			t.Fatal(err)
		}
		jobs := u.checkEvents(events, true)
		if len(jobs) < 2 || jobs[0].ProcessedItems != 20 || jobs[len(jobs)-1].ProcessedItems != 46 {
			t.Errorf("got %d events: %+v", len(jobs), events)
		}

		// Those who come again.
		end := events[len(events)-1]
		after := func(id string) (got []event) {
			if err := u.listen(j.ID, func(e event) { got = append(got, e) }, "Last-Event-ID", id); err != nil {
				t.Errorf("Last-Event-ID %q: %v", id, err)
			}
			return got
		}
		for _, id := range []string{events[0].id, "", "x", "-1", "0", "99999999999999999999", "1.5"} {
			if got := after(id); len(got) != 1 || got[0].id != end.id || got[0].name != "end" {
				t.Errorf("behind %q: got %+v", id, got)
			}
		}
		for _, id := range []string{end.id, end.id + "0"} { // all was seen, or more than there is
			if r := u.do("GET", jobsURL+"/"+j.ID+"/events", "", "Last-Event-ID", id); r.status != 204 || len(r.body) > 0 {
				t.Errorf("behind the end: got %d %s", r.status, r.body)
			}
		}
		r := u.do("GET", jobsURL+"/"+j.ID+"/events", "")
		if r.header.Get("Content-Type") != "text/event-stream" || r.header.Get("Cache-Control") != "no-store" || r.header.Get("X-Accel-Buffering") != "no" ||
			!bytes.HasPrefix(r.body, []byte("retry: 1000\n\n")) || !bytes.HasSuffix(r.body, []byte("\n\n")) {
			t.Errorf("got %v %q", r.header, r.body)
		}
	})
}

// TestBatchStream_EndsWithTheService: an open stream does not hold up a stop, and
// the caller goes on at the next process.
func TestBatchStream_EndsWithTheService(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{Role: app.RoleWeb})
		u := s.user()
		j := u.submit("export_quotes", s.quotes(u, 3, nil), nil)
		first := make(chan event)
		ended := make(chan error)
		go func() { ended <- u.listen(j.ID, func(e event) { first <- e }) }()
		seen := <-first
		waiting := make(chan reply)
		go func() {
			r, _ := u.try("POST", jobsURL, submission("export_quotes", []string{quotekit.NewID()}, nil), "Prefer", "wait=20")
			waiting <- r
		}()
		eventually(t, 5*time.Second, "the second job", func() bool { return s.value("SELECT COUNT(*) AS n FROM batch_jobs") == "2" })
		began := time.Now()
		s.stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the stop took %s", took)
		}
		if err := <-ended; err != nil {
			t.Errorf("the stream was cut off: %v", err)
		}
		if r := <-waiting; r.status != 202 {
			t.Errorf("who waited for a job got %d %s", r.status, r.body)
		}
		s = mustStartBatch(t, url, app.Options{})
		u = mustUser(t, s.URL(), u.id)
		var events []event
		if err := u.listen(j.ID, func(e event) { events = append(events, e) }, "Last-Event-ID", seen.id); err != nil {
			t.Fatal(err)
		}
		if u.checkEvents(events, true); len(events) == 0 {
			t.Error("nothing came after the restart")
		}
	})
}

// TestBatchStream_LetsGoOfReaders: who goes away is not written to for ever, and
// many readers of one job all see its end.
func TestBatchStream_LetsGoOfReaders(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := newBarrier()
		s := mustStartGated(t, url, b)
		u := s.user()
		ids := s.quotes(u, 5, nil)
		s.decline(ids[2])
		j := u.submit("update_quote_status", ids, status("sent"))
		<-b.reached
		req, err := u.request(http.MethodGet, jobsURL+"/"+j.ID+"/events", "")
		if err != nil {
			t.Fatal(err)
		}
		gone, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = gone.Body.Close()
		const readers = 10
		reached, ends := make(chan struct{}, 1000), make(chan bool, readers)
		for range readers {
			go func() {
				last := ""
				err := u.listen(j.ID, func(e event) { last = e.name; reached <- struct{}{} })
				ends <- err == nil && last == "end"
			}()
		}
		for range readers {
			<-reached
		}
		b.open()
		for range readers {
			if !<-ends {
				t.Error("a reader did not see the end")
			}
		}
	})
}
