package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
)

const bulkPath = "/v1/monitor/dead-letter-queue/bulk"

// mustBury puts events into the dead letter queue, as if their handlers had
// rejected them.
func mustBury(t testing.TB, s *store.Store, bodies ...[]byte) {
	t.Helper()
	const group = 128
	for len(bodies) > 0 {
		n := min(len(bodies), group)
		var events []store.ReceivedEvent
		var letters []store.DeadLetter
		for _, body := range bodies[:n] {
			e, err := stripe.ParseEvent(body)
			if err != nil {
				t.Fatal(err)
			}
			events = append(events, store.ReceivedEvent{
				Event: e, Deliveries: 1, Status: quotekit.EventDead, Reason: quotekit.ReasonRejected, Message: "no use",
			})
			letters = append(letters, store.DeadLetter{
				EventID: e.ID, EventType: e.Type, Data: string(e.Payload), Reason: quotekit.ReasonRejected, ErrorClass: "test",
				ErrorMessage: "no use",
			})
		}
		bodies = bodies[n:]
		err := s.WithTx(context.Background(), func(tx *store.Tx) error {
			if _, err := tx.ReceiveEvents(context.Background(), events); err != nil {
				return err
			}
			return tx.Bury(context.Background(), letters)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// products are n events about a product each, from evt_PREFIX0 on.
func products(prefix string, n int) [][]byte {
	bodies := make([][]byte, n)
	for i := range bodies {
		bodies[i] = product(fmt.Sprintf("evt_%s%05d", prefix, i), fmt.Sprintf("prod_%s%05d", prefix, i))
	}
	return bodies
}

// previewed is the answer to a dry run.
type previewed struct {
	Count  int
	More   bool
	Sample []struct {
		StripeEventID string `json:"stripe_event_id"`
	}
	Token  string
	TaskID string `json:"task_id"`
}

// mustPreview makes a dry run of a request, which is an object without its end.
func (s *service) mustPreview(request string) previewed {
	s.t.Helper()
	status, answer := s.call("POST", bulkPath, request+`, "dry_run": true}`)
	if status != 200 {
		s.t.Fatalf("dry run of %s}: got %d %v", request, status, answer)
	}
	return mustConvert[previewed](s.t, answer)
}

// mustStartBulk starts a preview, and returns the id of the task.
func (s *service) mustStartBulk(p previewed, more string) string {
	s.t.Helper()
	status, answer := s.call("POST", bulkPath, fmt.Sprintf(`{"token": %q, "reason": "a test"%s}`, p.Token, more))
	if status != 202 || answer["task_id"] != p.TaskID || answer["count"] != float64(p.Count) {
		s.t.Fatalf("start: got %d %v, want the task of %+v", status, answer, p)
	}
	return p.TaskID
}

// bulkTask is a task that is a bulk act.
type bulkTask struct {
	Status     quotekit.TaskStatus
	Report     quotekit.BulkCounts
	TotalItems int `json:"total_items"`
	DoneItems  int `json:"done_items"`
	Actor      string
	Reason     string
}

func sum(c quotekit.BulkCounts) int {
	return c.Succeeded + c.Failed + c.Pending + c.Ignored + c.Resolved + c.Skipped + c.Unprocessed
}

// task looks at a bulk act; its counts add up at every look.
func (s *service) task(id string) bulkTask {
	s.t.Helper()
	status, answer := s.call("GET", "/v1/monitor/tasks/"+id, "")
	if status != 200 {
		s.t.Fatalf("got %d %v", status, answer)
	}
	got := mustConvert[bulkTask](s.t, answer)
	if sum(got.Report) != got.TotalItems {
		s.t.Errorf("the counts do not add up: %+v", got)
	}
	return got
}

// settled waits until a bulk act has ended and nothing of it is being attempted.
func (s *service) settled(id string, within time.Duration) bulkTask {
	s.t.Helper()
	var got bulkTask
	if !comesTrue(within, func() bool {
		got = s.task(id)
		return got.Status.Finished() && got.Report.Pending == 0
	}) {
		s.t.Fatalf("the bulk act is not settled within %s: %+v", within, got)
	}
	return got
}

// bulkResult is what became of a letter.
type bulkResult struct {
	Position      int
	DeadLetterID  string `json:"dead_letter_id"`
	StripeEventID string `json:"stripe_event_id"`
	Outcome       quotekit.BulkOutcome
	FailureReason string `json:"failure_reason"`
	Error         string
}

// bulkResults reads all results, page by page.
func (s *service) bulkResults(id, query string) []bulkResult {
	s.t.Helper()
	var all []bulkResult
	for cursor := ""; ; {
		status, answer := s.call("GET", "/v1/monitor/tasks/"+id+"/results?limit=200"+query+cursor, "")
		if status != 200 {
			s.t.Fatalf("got %d %v", status, answer)
		}
		all = append(all, mustConvert[struct{ Items []bulkResult }](s.t, answer).Items...)
		if answer["next_cursor"] == nil {
			return all
		}
		cursor = fmt.Sprint("&cursor=", answer["next_cursor"])
	}
}

func mustConvert[T any](t testing.TB, answer map[string]any) (out T) {
	t.Helper()
	b, err := json.Marshal(answer)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}
