package app_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
)

// TestBulk_RetriesWhatThePreviewHasShown: the preview changes nothing and freezes
// the list; the token starts exactly that list, once; every letter says what
// became of it, and the audit trail says who and why.
func TestBulk_RetriesWhatThePreviewHasShown(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := &broken{fail: func(int) error { return quotekit.Permanent(errors.New("no use")) }}
		s := mustStart(t, url, app.Options{Routes: routesWith("product.deleted", b.handle)})
		mustBury(t, s.Store(), products("a", 12)...)
		hopeless := []byte(strings.Replace(string(product("evt_hopeless", "prod_x")), "product.created", "product.deleted", 1))
		mustBury(t, s.Store(), hopeless)
		before := s.query("SELECT status, round FROM stripe_webhook_events ORDER BY stripe_event_id")

		p := s.mustPreview(`{"action": "retry", "filter": {"reason": "HANDLER_REJECTED", "livemode": false}`)
		if p.Count != 13 || p.More || len(p.Sample) != 10 || p.Sample[0].StripeEventID == "" || p.Token == "" {
			t.Fatalf("got %+v", p)
		}
		if got := s.task(p.TaskID); got.Status != quotekit.TaskPreviewed || got.Report.Unprocessed != 13 {
			t.Errorf("got %+v", got)
		}
		if d := diff(s.query("SELECT status, round FROM stripe_webhook_events ORDER BY stripe_event_id"), before); d != "" {
			t.Errorf("the preview has changed something:\n%s", d)
		}
		// What comes and goes after the preview.
		mustBury(t, s.Store(), product("evt_late", "prod_late"))
		if status, answer := s.call("POST", "/v1/monitor/dead-letter-queue/evt_a00003/resolve", `{"reason":"by hand"}`); status != 200 {
			t.Fatalf("got %d %v", status, answer)
		}
		if a := s.post(product("evt_a00004", "prod_a00004")); a.Status != "succeeded" {
			t.Fatalf("got %+v", a)
		}

		id := s.mustStartBulk(p, `, "action": "retry", "filter": {"reason": "HANDLER_REJECTED", "livemode": false}, "rate": 1000`)
		got := s.settled(id, 20*time.Second)
		want := quotekit.BulkCounts{Succeeded: 10, Failed: 1, Skipped: 2}
		if got.Status != quotekit.TaskCompleted || got.Report != want || got.DoneItems != 13 || got.Actor != "ada" || got.Reason != "a test" {
			t.Errorf("got %+v, want %+v", got, want)
		}
		for _, r := range s.bulkResults(id, "") {
			outcome, reason, text := quotekit.BulkSucceeded, "", ""
			switch r.StripeEventID {
			case "evt_hopeless":
				outcome, reason, text = quotekit.BulkFailed, "HANDLER_REJECTED", "no use"
			case "evt_a00003":
				outcome, text = quotekit.BulkSkipped, "resolved already"
			case "evt_a00004":
				outcome, text = quotekit.BulkSkipped, "resolved already"
			case "evt_late":
				t.Error("a letter that came after the preview is in the list")
			}
			if r.Outcome != outcome || r.FailureReason != reason || r.Error != text {
				t.Errorf("got %+v, want %s %q", r, outcome, text)
			}
		}
		if got := s.bulkResults(id, "&outcome=failed"); len(got) != 1 || got[0].StripeEventID != "evt_hopeless" {
			t.Errorf("failed: got %+v", got)
		}
		if got := s.status("evt_late"); got != "dead" {
			t.Errorf("the late event is %s", got)
		}
		trail := s.query("SELECT stripe_event_id, COUNT(*) FROM webhook_audit_trail WHERE action = 'dead_letter.retry' AND actor = 'ada' AND reason = 'a test' AND target <> '' GROUP BY stripe_event_id")
		if len(trail) != 11 || strings.Contains(strings.Join(trail, " "), "=2") {
			t.Errorf("the audit trail tells of %v, want 11 retries", trail)
		}
		if got := s.value("SELECT COUNT(*) FROM webhook_audit_trail WHERE action = 'task.start' AND target = $1", id); got != "1" {
			t.Errorf("the audit trail tells of %s starts", got)
		}
		// The token has done its work.
		status, answer := s.call("POST", bulkPath, fmt.Sprintf(`{"token": %q}`, p.Token))
		if status != 200 || answer["task_id"] != id {
			t.Errorf("the token again: got %d %v", status, answer)
		}
		if got := s.settled(id, 20*time.Second); got.Report != want {
			t.Errorf("after the token again: %+v", got)
		}
	})
}

func TestBulk_ResolvesByID(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		mustBury(t, s.Store(), products("a", 5)...)
		letter := quotekit.DeadLetterID("evt_a00001")
		p := s.mustPreview(fmt.Sprintf(`{"action": "resolve", "ids": ["evt_a00000", %q, %q]`, letter, strings.ToUpper(letter)))
		if p.Count != 2 {
			t.Fatalf("got %+v", p)
		}
		status, answer := s.call("POST", bulkPath, fmt.Sprintf(`{"token": %q}`, p.Token))
		if status != 422 || !strings.Contains(fmt.Sprint(answer["errors"]), "body.reason") {
			t.Errorf("without a reason: got %d %v", status, answer)
		}
		id := s.mustStartBulk(p, `, "ids": ["`+letter+`", "evt_a00000"]`)
		if got := s.settled(id, 20*time.Second); got.Report != (quotekit.BulkCounts{Resolved: 2}) {
			t.Errorf("got %+v", got)
		}
		resolved := s.query("SELECT stripe_event_id, resolution_notes FROM webhook_dead_letter_queue WHERE resolved = $1 ORDER BY stripe_event_id", true)
		if strings.Join(resolved, "; ") != "stripe_event_id=evt_a00000 | resolution_notes=a test; stripe_event_id=evt_a00001 | resolution_notes=a test" {
			t.Errorf("got %v", resolved)
		}
		if got := s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'dead' AND round = 0"); got != "5" {
			t.Errorf("%s events are as they were, want 5", got)
		}
		if got := s.value("SELECT COUNT(*) FROM webhook_audit_trail WHERE action = 'dead_letter.resolve' AND reason = 'a test'"); got != "2" {
			t.Errorf("the audit trail tells of %s resolutions", got)
		}
	})
}

func TestBulk_Filters(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		mustBury(t, s.Store(), products("a", 3)...)
		mustBury(t, s.Store(), []byte(strings.Replace(string(product("evt_live", "prod_live")), `"livemode":false`, `"livemode":true`, 1)))
		exec := func(text string, args ...any) {
			t.Helper()
			if _, err := s.Store().Writer().Exec(text, args...); err != nil {
				t.Fatal(err)
			}
		}
		exec("UPDATE webhook_dead_letter_queue SET last_failed_at = $1 WHERE stripe_event_id = 'evt_a00000'", time.Now().Add(-time.Hour).UTC())
		exec("UPDATE webhook_dead_letter_queue SET error_class = 'other', requires_manual_review = $1 WHERE stripe_event_id = 'evt_a00001'", false)
		exec("UPDATE webhook_dead_letter_queue SET resolved = $1 WHERE stripe_event_id = 'evt_a00002'", true)
		for filter, want := range map[string]int{
			`"resolved": false`:                           3,
			`"event_type": "product.created"`:             3,
			`"event_type": "product.updated"`:             0,
			`"reason": "HANDLER_REJECTED"`:                3,
			`"reason": "HANDLER_PANIC"`:                   0,
			`"error_class": "other"`:                      1,
			`"requires_manual_review": false`:             1,
			`"requires_manual_review": true`:              2,
			`"livemode": true`:                            1,
			`"older_than": "30m"`:                         1,
			`"younger_than": "30m"`:                       2,
			`"older_than": "30m", "younger_than": "59m"`:  0,
			`"failed_before": "2020-01-01T00:00:00Z"`:     0,
			`"failed_after": "2020-01-01T00:00:00+02:00"`: 3,
			`"error_class": "test", "livemode": false`:    1,
		} {
			for _, action := range []string{"retry", "resolve"} {
				if p := s.mustPreview(`{"action": "` + action + `", "filter": {` + filter + `}`); p.Count != want {
					t.Errorf("%s of %s: got %d letters, want %d", action, filter, p.Count, want)
				}
			}
		}
		if p := s.mustPreview(`{"action": "retry", "limit": 2, "filter": {"resolved": false}`); p.Count != 2 || !p.More || p.Sample[0].StripeEventID != "evt_a00000" {
			t.Errorf("two of three: got %+v", p)
		}
	})
}

func TestBulk_RefusesEverythingThatIsWrong(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		c := new(clock)
		s := mustStart(t, url, app.Options{Now: c.now})
		mustBury(t, s.Store(), products("a", 2)...)
		p := s.mustPreview(`{"action": "retry", "filter": {"resolved": false}`)
		for name, test := range map[string]struct {
			body   string
			status int
			code   string
			errors []string
		}{
			"no JSON":               {`{`, 400, "invalid", []string{"body"}},
			"null":                  {`null`, 400, "invalid", []string{"body"}},
			"nothing":               {`{}`, 422, "invalid", []string{"body", "body.action", "body.token"}},
			"without a preview":     {`{"action": "retry", "filter": {"resolved": false}}`, 422, "preview_required", []string{"body.token"}},
			"an empty filter":       {`{"action": "retry", "filter": {}, "dry_run": true}`, 422, "invalid", []string{"body.filter"}},
			"no ids":                {`{"action": "retry", "ids": [], "dry_run": true}`, 422, "invalid", []string{"body.ids"}},
			"both":                  {`{"action": "retry", "ids": ["evt_a00000"], "filter": {"resolved": false}, "dry_run": true}`, 422, "invalid", []string{"body"}},
			"neither":               {`{"action": "retry", "dry_run": true}`, 422, "invalid", []string{"body"}},
			"unknown ids":           {`{"action": "retry", "ids": ["evt_a00000", "evt_none", "evt_a00001", "8b0d4a9c-6f0e-4d9a-9c35-0a3e4a9e1f10"], "dry_run": true}`, 422, "invalid", []string{"body.ids[1]", "body.ids[3]"}},
			"everything":            {`{"action": "burn", "x": 1, "filter": {"y": 1, "livemode": "no", "older_than": 3}, "rate": "fast", "dry_run": true}`, 422, "invalid", []string{"body.filter.livemode", "body.filter.older_than", "body.filter.y", "body.rate", "body.x"}},
			"values":                {`{"action": "burn", "mode": "x", "filter": {"older_than": "3 weeks", "resolved": true}, "rate": 1001, "limit": 0, "dry_run": true}`, 422, "invalid", []string{"body.action", "body.filter.older_than", "body.filter.resolved", "body.limit", "body.mode", "body.rate"}},
			"a resolve with a mode": {`{"action": "resolve", "mode": "stored", "filter": {"resolved": false}, "dry_run": true}`, 422, "invalid", []string{"body.mode"}},
			"a dry run with token":  {`{"action": "retry", "filter": {"resolved": false}, "token": "x", "dry_run": true}`, 422, "invalid", []string{"body.token"}},
			"current without a key": {`{"action": "retry", "mode": "current", "filter": {"resolved": false}, "dry_run": true}`, 409, "conflict", nil},
			"an unknown token":      {`{"token": "bulk_nobody"}`, 404, "not_found", nil},
			"another action":        {fmt.Sprintf(`{"token": %q, "action": "resolve"}`, p.Token), 422, "preview_mismatch", []string{"body.action"}},
			"another filter":        {fmt.Sprintf(`{"token": %q, "filter": {"livemode": true}, "limit": 3}`, p.Token), 422, "preview_mismatch", []string{"body.filter", "body.limit"}},
			"ids for a filter":      {fmt.Sprintf(`{"token": %q, "ids": ["evt_a00000", "evt_a00001"]}`, p.Token), 422, "preview_mismatch", []string{"body.ids"}},
		} {
			status, answer := s.call("POST", bulkPath, test.body)
			var locations []string
			list, _ := answer["errors"].([]any)
			for _, e := range list {
				locations = append(locations, fmt.Sprint(e.(map[string]any)["location"]))
			}
			for _, want := range test.errors {
				if !strings.Contains(" "+strings.Join(locations, " ")+" ", " "+want+" ") {
					t.Errorf("%s: %v does not name %s", name, answer, want)
				}
			}
			if status != test.status || answer["code"] != test.code || len(locations) != len(test.errors) {
				t.Errorf("%s: got %d %v, want %d %s %v", name, status, answer, test.status, test.code, test.errors)
			}
		}
		c.pass(16 * time.Minute)
		if status, answer := s.call("POST", bulkPath, fmt.Sprintf(`{"token": %q}`, p.Token)); status != 410 || answer["code"] != "preview_expired" {
			t.Errorf("after 16 minutes: got %d %v", status, answer)
		}
		if got := s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'dead' AND round = 0"); got != "2" {
			t.Errorf("%s events are as they were, want 2", got)
		}
	})
}

// TestBulk_StopsBetweenTwoSteps: what was retried goes on, the rest is untouched.
func TestBulk_StopsBetweenTwoSteps(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		mustBury(t, s.Store(), products("a", 50)...)
		id := s.mustStartBulk(s.mustPreview(`{"action": "retry", "filter": {"resolved": false}`), `, "rate": 10`)
		eventually(t, 20*time.Second, "the first letters", func() bool { return s.task(id).DoneItems > 0 })
		for range 2 {
			if status, answer := s.call("POST", "/v1/monitor/tasks/"+id+"/cancel", `{"reason": "too early"}`); status != 200 || answer["status"] != "cancelled" {
				t.Fatalf("got %d %v", status, answer)
			}
		}
		got := s.settled(id, 20*time.Second)
		if got.Report.Unprocessed == 0 || got.Report.Succeeded != got.DoneItems || got.Report.Succeeded+got.Report.Unprocessed != 50 {
			t.Errorf("got %+v", got)
		}
		if dead := s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'dead' AND round = 0"); dead != fmt.Sprint(got.Report.Unprocessed) {
			t.Errorf("%s events are as they were, want %d", dead, got.Report.Unprocessed)
		}
		status, answer := s.call("GET", "/v1/monitor/tasks?kind=dead_letter_bulk&status=cancelled", "")
		if list, _ := answer["items"].([]any); status != 200 || len(list) != 1 {
			t.Errorf("the list: got %d %v", status, answer)
		}
		if status, _ := s.call("GET", "/v1/monitor/tasks/nobody", ""); status != 404 {
			t.Errorf("a task that is none: got %d", status)
		}
	})
}

// TestBulk_IsPausedAndGoesOnFaster holds a slow bulk act up, and lets it go on at
// another rate: each letter is retried once.
func TestBulk_IsPausedAndGoesOnFaster(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		mustBury(t, s.Store(), products("a", 60)...)
		id := s.mustStartBulk(s.mustPreview(`{"action": "retry", "filter": {"resolved": false}`), `, "rate": 2`)
		path := "/v1/monitor/tasks/" + id
		want := func(act, body string, status int) map[string]any {
			t.Helper()
			got, answer := s.call("POST", path+"/"+act, body)
			if got != status {
				t.Fatalf("%s %s: got %d %v, want %d", act, body, got, answer, status)
			}
			return answer
		}
		eventually(t, 20*time.Second, "the first letters", func() bool { return s.task(id).DoneItems > 0 })
		want("resume", "", 409) // it is not paused
		if answer := want("pause", `{"reason": "the provider is down"}`, 200); answer["paused"] != true || answer["status"] != "running" {
			t.Fatalf("got %v", answer)
		}
		want("pause", "", 409)
		eventually(t, 20*time.Second, "that nobody makes steps", func() bool {
			return s.value("SELECT COUNT(*) FROM river_job WHERE kind = 'task_step' AND state <> 'completed'") == "0"
		})
		paused := s.task(id)
		if paused.DoneItems == 60 || paused.Status.Finished() {
			t.Fatalf("got %+v, want it in the middle", paused)
		}
		for _, body := range []string{`{"rate": 0}`, `{"rate": 1001}`, `{"rate": "fast"}`, `{}`} {
			want("rate", body, 400)
		}
		want("rate", `{"rate": 1000, "reason": "it is quick again"}`, 200)
		if now := s.task(id); now.DoneItems != paused.DoneItems {
			t.Errorf("got %d letters done while it was paused, want %d", now.DoneItems, paused.DoneItems)
		}
		want("resume", `{"reason": "it is up again"}`, 200)
		if got := s.settled(id, 30*time.Second); got.Status != quotekit.TaskCompleted || got.Report.Succeeded != 60 {
			t.Errorf("got %+v", got)
		}
		for _, act := range []string{"pause", "resume"} {
			want(act, "", 409)
		}
		want("rate", `{"rate": 10}`, 409)
		if got := s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE round = 1 AND status = 'succeeded'"); got != "60" {
			t.Errorf("%s events were taken up once, want all", got)
		}
		got := s.query("SELECT action, reason, before, after FROM webhook_audit_trail WHERE target = $1 AND action <> 'task.start' ORDER BY id", id)
		for i, action := range []string{"task.pause", "task.rate", "task.resume"} {
			if i >= len(got) || !strings.Contains(got[i], action) {
				t.Fatalf("got %q", got)
			}
		}
		if !strings.Contains(got[1], "it is quick again") || !strings.Contains(got[1], "1000") || len(got) != 3 {
			t.Errorf("got %q", got)
		}
	})
}
