package app_test

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
)

// TestBatchFair_CrowdTakesTurns has twenty users submit a job of twenty chunks at once.
// A turn is five of them, so each of the crowd has had its first when a quarter of all
// is done; a queue would have served the last when 19 of 20 are.
func TestBatchFair_CrowdTakesTurns(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		const crowd = 20
		size := 300
		if os.Getenv("QUOTEKIT_TEST_LONG") != "" {
			size = 1000
		}
		c := batchConfig(url)
		c.BatchChunkSize = size / 20
		s := mustStartWith(t, c, app.Options{})
		users := make([]*user, crowd)
		ids := make([][]string, crowd)
		for i := range users {
			users[i] = s.user()
			ids[i] = s.quotes(users[i], size, nil)
		}
		var (
			submitting sync.WaitGroup
			mu         sync.Mutex
			asked      = map[string]time.Time{}
			first      = map[string]time.Time{}
			ended      = map[string]time.Time{}
			// done is how many items of all were, when the jobs were last looked at, and late
			// how many were when the last of them had none of its own.
			done, late int
		)
		for i, u := range users {
			submitting.Go(func() {
				at := time.Now()
				r, err := u.try("POST", "/v1/batch-jobs", submission("update_quote_status", ids[i], status("sent")))
				if err != nil || r.status != 202 {
					t.Errorf("status %d, %v: %s", r.status, err, r.body)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				asked[u.job(r).ID] = at
			})
		}
		rows := func() {
			before := done
			done = 0
			for _, line := range s.query("SELECT id, status, processed_items FROM batch_jobs WHERE processed_items > 0") {
				var id, status string
				var processed int
				if _, err := fmt.Sscanf(line, "id=%s | status=%s | processed_items=%d", &id, &status, &processed); err != nil {
					t.Fatal(err)
				}
				done += processed
				if first[id].IsZero() {
					first[id], late = time.Now(), before
				}
				if quotekit.BatchStatus(status).Finished() && ended[id].IsZero() {
					ended[id] = time.Now()
				}
			}
		}
		eventually(t, time.Minute, "the end of all", func() bool {
			rows()
			return len(ended) == crowd
		})
		submitting.Wait()
		var waits []time.Duration
		var ratio float64
		for id, at := range asked {
			wait, own := first[id].Sub(at), ended[id].Sub(first[id])
			waits = append(waits, wait)
			ratio = max(ratio, wait.Seconds()/max(own.Seconds(), 0.001))
		}
		t.Logf("waited %s in the median; at most %.2f times what the own work took; %d of %d items were done before the last had its turn",
			median(waits).Round(time.Millisecond), ratio, late, crowd*size)
		if late > crowd*size/2 || len(asked) != crowd {
			t.Errorf("%d of %d items were done before the last of %d jobs had its turn, want half at most", late, crowd*size, len(asked))
		}
	})
}

// mustStartSlices runs a service with small chunks, so that a job has many of them.
func mustStartSlices(t *testing.T, url string) *service {
	t.Helper()
	c := batchConfig(url)
	c.BatchChunkSize = 1
	return mustStartWith(t, c, app.Options{})
}

// TestBatchFair_SmallJobOvertakes submits ten items behind a thousand, of the same
// user and of another one.
func TestBatchFair_SmallJobOvertakes(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartSlices(t, url)
		for _, same := range []bool{true, false} {
			u := s.user()
			v := u
			if !same {
				v = s.user()
			}
			many, few := s.quotes(u, 1000, nil), s.quotes(v, 10, nil)
			large := u.submit("update_quote_status", many, status("sent"))
			small := v.run("delete_quotes", few, nil)
			if small.Status != quotekit.BatchCompleted || small.SucceededItems != 10 {
				t.Fatalf("got %+v", small)
			}
			after := u.get(large.ID)
			t.Logf("same user: %t: %d of 1000 items of the large job were done by then", same, after.ProcessedItems)
			if after.Status.Finished() {
				t.Errorf("same user: %t: the large job was done before the small one", same)
			}
			u.end(large)
		}
	})
}

// TestBatchFair_ManyJobsGetNoMore has one user submit thirty jobs, and another one
// job behind them. By its end the others have done about as much, not thirty
// times as much.
func TestBatchFair_ManyJobsGetNoMore(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartSlices(t, url)
		greedy, modest := s.user(), s.user()
		const each = 100
		mine := s.quotes(modest, each, nil)
		for range 30 {
			greedy.submit("update_quote_status", s.quotes(greedy, each, nil), status("sent"))
		}
		done := func() int {
			sum, err := strconv.Atoi(s.value("SELECT COALESCE(SUM(processed_items), 0) AS n FROM batch_jobs WHERE user_id = $1", greedy.id))
			if err != nil {
				t.Fatal(err)
			}
			return sum
		}
		before := done()
		j := modest.run("update_quote_status", mine, status("sent"))
		during := done() - before
		t.Logf("while one user did %d items, the other did %d of %d", j.SucceededItems, during, 30*each)
		if during > 3*each {
			t.Errorf("the user of many jobs did %d items while the other did %d", during, each)
		}
	})
}
