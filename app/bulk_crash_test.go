package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store"
)

// mustAsk asks the operators' API of a child.
func (c *child) mustAsk(t *testing.T, method, path, body string) map[string]any {
	t.Helper()
	req, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: got %d %v, %v", method, path, resp.StatusCode, answer, err)
	}
	return answer
}

// countApplications makes the database write down every time an event succeeds.
func countApplications(t *testing.T, s *store.Store) {
	t.Helper()
	statements := []string{
		`CREATE TABLE applied (stripe_event_id TEXT)`,
		`CREATE TRIGGER count_applied AFTER UPDATE ON stripe_webhook_events WHEN NEW.status = 'succeeded'
		BEGIN INSERT INTO applied VALUES (NEW.stripe_event_id); END`,
	}
	if s.Postgres() {
		statements = []string{
			statements[0],
			`CREATE FUNCTION count_applied() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN INSERT INTO applied VALUES (NEW.stripe_event_id); RETURN NEW; END $$`,
			`CREATE TRIGGER count_applied AFTER UPDATE ON stripe_webhook_events FOR EACH ROW
			WHEN (NEW.status = 'succeeded') EXECUTE FUNCTION count_applied()`,
		}
	}
	for _, text := range statements {
		if _, err := s.Writer().Exec(text); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBulk_TenThousandLettersACrashAndACancel is the whole story: each letter is applied once or
// untouched, exactly as the results say, and the counts add up at every look.
func TestBulk_TenThousandLettersACrashAndACancel(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, url string) {
		n := 10_000
		if strings.HasPrefix(url, "sqlite") && os.Getenv("QUOTEKIT_TEST_LONG") == "" {
			n = 2_000 // attempts that are jobs are slow there: 10,000 take two minutes
		}
		letters, err := store.Open(context.Background(), store.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		mustBury(t, letters, products("a", n)...)
		countApplications(t, letters)
		if err := letters.Close(); err != nil {
			t.Fatal(err)
		}

		begun := time.Now()
		c := mustSpawn(t, url)
		p := mustConvert[previewed](t, c.mustAsk(t, "POST", bulkPath, `{"action": "retry", "filter": {"event_type": "product.created"}, "dry_run": true}`))
		if p.Count != n || p.More {
			t.Fatalf("got %+v", p)
		}
		c.mustAsk(t, "POST", bulkPath, fmt.Sprintf(`{"token": %q, "rate": 1000, "reason": "a test"}`, p.Token))
		reached := func(want int, look func() bulkTask) {
			t.Helper()
			eventually(t, 2*time.Minute, fmt.Sprint(want, " letters"), func() bool {
				got := look()
				if sum(got.Report) != n || got.Status.Finished() {
					t.Fatalf("at %d letters: %+v", want, got)
				}
				return got.DoneItems >= want
			})
		}
		reached(n/5, func() bulkTask {
			return mustConvert[bulkTask](t, c.mustAsk(t, "GET", "/v1/monitor/tasks/"+p.TaskID, ""))
		})
		c.kill()
		t.Logf("killed after %s", time.Since(begun))

		s := mustStart(t, url, app.Options{})
		atStart := s.task(p.TaskID)
		reached(max(2*n/5, atStart.DoneItems+n/10), func() bulkTask { return s.task(p.TaskID) })
		if status, answer := s.call("POST", "/v1/monitor/tasks/"+p.TaskID+"/cancel", ""); status != 200 || answer["status"] != "cancelled" {
			t.Fatalf("got %d %v", status, answer)
		}
		got := s.settled(p.TaskID, 4*time.Minute)
		t.Logf("cancelled and settled after %s: %+v", time.Since(begun), got.Report)
		if got.Report.Unprocessed == 0 || got.Report.Succeeded+got.Report.Unprocessed != n || got.Report.Succeeded != got.DoneItems {
			t.Errorf("got %+v", got)
		}
		s.resultsAreTrue(p.TaskID, n)

		rest := s.mustPreview(`{"action": "retry", "filter": {"event_type": "product.created"}`)
		if rest.Count != got.Report.Unprocessed {
			t.Fatalf("%d letters are left, want %d", rest.Count, got.Report.Unprocessed)
		}
		id := s.mustStartBulk(rest, `, "rate": 1000`)
		if last := s.settled(id, 4*time.Minute); last.Status != quotekit.TaskCompleted || last.Report.Succeeded != rest.Count {
			t.Errorf("the rest: %+v", last)
		}
		t.Logf("the rest is settled after %s", time.Since(begun))
		s.resultsAreTrue(id, rest.Count)
		for query, want := range map[string]int{
			"SELECT COUNT(*) FROM applied":                                                              n,
			"SELECT COUNT(DISTINCT stripe_event_id) FROM applied":                                       n,
			"SELECT COUNT(*) FROM stripe_products":                                                      n,
			"SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'succeeded' AND round = 1":       n,
			"SELECT COUNT(*) FROM webhook_audit_trail WHERE action = 'dead_letter.retry'":               n,
			"SELECT COUNT(DISTINCT target) FROM webhook_audit_trail WHERE action = 'dead_letter.retry'": n,
		} {
			if got := s.value(query); got != fmt.Sprint(want) {
				t.Errorf("%s: got %s, want %d", query, got, want)
			}
		}
	})
}

// resultsAreTrue compares the results of a settled bulk act with what the
// database has written down.
func (s *service) resultsAreTrue(id string, n int) {
	s.t.Helper()
	state := map[string]string{}
	for _, line := range s.query(`SELECT e.stripe_event_id, e.status, e.round, COUNT(a.stripe_event_id) AS applied
		FROM stripe_webhook_events AS e LEFT JOIN applied AS a ON a.stripe_event_id = e.stripe_event_id
		GROUP BY e.stripe_event_id, e.status, e.round`) {
		event, rest, _ := strings.Cut(line, separator)
		state[strings.TrimPrefix(event, "stripe_event_id=")] = rest
	}
	want := map[quotekit.BulkOutcome]string{
		quotekit.BulkSucceeded:   "status=succeeded | round=1 | applied=1",
		quotekit.BulkUnprocessed: "status=dead | round=0 | applied=0",
	}
	results := s.bulkResults(id, "")
	if len(results) != n {
		s.t.Errorf("got %d results, want %d", len(results), n)
	}
	wrong := 0
	for i, r := range results {
		if r.Position != i || state[r.StripeEventID] != want[r.Outcome] {
			if wrong++; wrong < 10 {
				s.t.Errorf("%+v: the event is %s", r, state[r.StripeEventID])
			}
		}
	}
}
