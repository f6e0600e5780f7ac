package app_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/monitor/dashboard"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// lasting reads JSON, without what depends on the moment it was asked for.
func lasting(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %.300s", err, text)
	}
	return timeless(v)
}

// timeless takes out of JSON what differs from one moment to the next.
func timeless(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range []string{"generated_at", "checked_at", "age_seconds", "health", "current_avg_time_ms"} {
			delete(v, name)
		}
		for name := range v {
			v[name] = timeless(v[name])
		}
	case []any:
		for i := range v {
			v[i] = timeless(v[i])
		}
	}
	return v
}

// operator asks the API as an operator does, and returns the body.
func (s *service) operator(path string) string {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, b := s.do(req, nil)
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("%s is answered %d %s", path, resp.StatusCode, b)
	}
	return string(b)
}

// TestPages_AgreeWithTheAPI: every page that shows what an endpoint answers names it
// in its footer. What the endpoint answers is what the page was made of.
func TestPages_AgreeWithTheAPI(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s, _ := rejecting(t, url)
		s.mustDie(products("a", 3)...)
		s.post(fixture(t, "invoice.paid.pre-basil.subscription-cycle"))
		u := s.user()
		u.run("delete_quotes", []string{u.id}, nil)
		ada := s.person(token)
		eventually(t, 30*time.Second, "the figures", func() bool {
			return strings.Contains(ada.must("/dashboard").text(), "3 dead")
		})
		checked := 0
		for _, p := range dashboard.Pages() {
			_, path, _ := strings.Cut(p.Pattern, " ")
			if !p.JSON || strings.Contains(path, "{") || path == "/dashboard/search" {
				continue
			}
			// What is under way, like figures that are folded, may end between the two.
			same := func() bool {
				page := ada.must(path)
				links := find(page.doc, func(n *html.Node) bool { return has(n, "data-json") })
				if len(links) != 1 {
					t.Fatalf("%s has %d links to JSON", path, len(links))
				}
				names := find(page.doc, func(n *html.Node) bool {
					return n.Data == "code" && strings.HasPrefix(textOf(n), "GET /v1/")
				})
				if len(names) != 1 {
					t.Fatalf("%s names %d endpoints", path, len(names))
				}
				twin := lasting(t, ada.must(attr(links[0], "href")).body)
				api := lasting(t, s.operator(strings.TrimPrefix(textOf(names[0]), "GET ")))
				return equalJSON(twin, api)
			}
			if !comesTrue(10*time.Second, same) {
				t.Errorf("%s is not made of what its endpoint answers", path)
			}
			checked++
		}
		if checked < 8 {
			t.Errorf("%d pages were compared", checked)
		}
	})
}

func equalJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

func TestPages_HaveHeadersThatTheBrowserKeepsTo(t *testing.T) {
	s := mustStart(t, storetest.SQLiteURL(t, tables), app.Options{})
	page := s.person(token).must("/dashboard")
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
			"form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
		"X-Content-Type-Options":     "nosniff",
		"Referrer-Policy":            "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Cache-Control":              "no-store",
	}
	for name, value := range want {
		if got := page.header.Get(name); got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
	if page.header.Get("Permissions-Policy") == "" {
		t.Error("no Permissions-Policy")
	}
	assets := regexp.MustCompile(`"(/static/[^"]+)"`).FindAllStringSubmatch(page.body, -1)
	if len(assets) != 2 {
		t.Fatalf("the page needs %v, want a style and a script", assets)
	}
	for _, asset := range assets {
		resp, err := http.Get(s.URL() + asset[1])
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, Cache-Control %q", asset[1], resp.StatusCode, resp.Header.Get("Cache-Control"))
		}
	}
}

// TestPages_TheStreamTellsOfADelivery, and ends when the service does.
func TestPages_TheStreamTellsOfADelivery(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		ada := s.person(token)
		resp, err := ada.browser.Get(s.URL() + dashboard.StreamPath)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		lines := make(chan string)
		go func() {
			defer close(lines)
			for in := bufio.NewScanner(resp.Body); in.Scan(); {
				lines <- in.Text()
			}
		}()
		mustSay := func(what string, ok func(string) bool) {
			t.Helper()
			for deadline := time.After(60 * time.Second); ; {
				select {
				case line, open := <-lines:
					if !open {
						t.Fatalf("the stream ended before %s", what)
					}
					if ok(line) {
						return
					}
				case <-deadline:
					t.Fatalf("no %s on the stream", what)
				}
			}
		}
		mustSay("beginning", func(line string) bool { return line == "event: here" })
		bodies := products("a", 50)
		stop := make(chan struct{})
		go func() { // the first look at the figures may come after the first events
			for _, body := range bodies {
				_, _ = s.tryPost(body)
				select {
				case <-time.After(200 * time.Millisecond):
				case <-stop:
					return
				}
			}
		}()
		mustSay("change of events", func(line string) bool {
			topics, ok := strings.CutPrefix(line, "data: ")
			return ok && slices.Contains(strings.Fields(topics), "events")
		})
		close(stop)
		s.stop()
		for deadline := time.After(60 * time.Second); ; {
			select {
			case _, open := <-lines:
				if !open {
					return
				}
			case <-deadline:
				t.Fatal("the stream outlives the service")
			}
		}
	})
}

// TestPages_BatchJobs: an operator looks at a user's job, undoes it and tries again
// what had failed, by forms.
func TestPages_BatchJobs(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		ids := s.quotes(u, 3, nil)
		missing := u.id
		j := u.run("update_quote_status", append(slices.Clone(ids), missing), map[string]any{"status": "sent"})
		ada := s.person(token)
		list := ada.must("/dashboard/batch-jobs")
		if got := list.keys("batches"); !slices.Equal(got, []string{j.ID}) {
			t.Fatalf("jobs = %v, want %s", got, j.ID)
		}
		page := ada.follow(list, "update_quote_status")
		page.says("completed, some failed", "4 of 4 items", "not_found", missing)
		refusal := ada.press(page, "Undo 3 items")
		refusal.says("Nothing was changed. Say why")

		undo := ada.press(page, "Undo 3 items", "reason", "the wrong quotes")
		undo.says("This new job takes back what the other had done.", "Follows "+j.ID)
		u.end(u.get(idOf(undo)))
		again := ada.press(page, "Undo 3 items", "reason", "twice")
		if idOf(again) != idOf(undo) {
			t.Errorf("a second undo is job %s, want the first, %s", idOf(again), idOf(undo))
		}
		retry := ada.press(page, "Retry 1 failed item", "reason", "perhaps now")
		retry.says("This new job tries the failed items again.")

		trail := ada.must("/dashboard/audit-trail?target=" + j.ID)
		trail.says("batch_job.undo", "the wrong quotes", "batch_job.retry_failed", "perhaps now")
		if strings.Contains(trail.text(), "twice") {
			t.Error("an undo that did nothing is in the audit trail")
		}
	})
}

// idOf is the id at the end of the URL of a page.
func idOf(p page) string { return p.url.Path[strings.LastIndexByte(p.url.Path, '/')+1:] }

// TestPages_AuditTrail is listed, filtered, checked and downloaded.
func TestPages_AuditTrail(t *testing.T) {
	onBoth(t, func(t *testing.T, target string) {
		s, _ := rejecting(t, target)
		s.mustDie(products("a", 2)...)
		ada := s.person(token)
		ada.send(http.MethodPost, "/dashboard/preferences", url.Values{"theme": {"dark"}}) // no act on anything
		ada.must("/dashboard/audit-trail").says("dashboard.login", "ada")
		all := ada.must("/dashboard/audit-trail?all=1")
		all.says("event.delivered", "dashboard.login")
		ada.must("/dashboard/audit-trail?actor=nobody").says("No line matches", "clear all")
		ada.must("/dashboard/audit-trail/chain").says("The chain is whole: 1 line is as they were written")

		lines, err := csv.NewReader(strings.NewReader(ada.must("/dashboard/audit-trail.csv?all=1").body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if want := len(all.keys("audit")) + 1; len(lines) != want || lines[0][2] != "actor" {
			t.Errorf("%d lines beginning with %v, want %d with a head", len(lines), lines[0], want)
		}
	})
}
