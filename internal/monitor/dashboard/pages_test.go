package dashboard_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/monitor/dashboard"
)

// mustParse reads a page.
func mustParse(t *testing.T, got *httptest.ResponseRecorder) *html.Node {
	t.Helper()
	doc, err := html.Parse(bytes.NewReader(got.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// checkPage checks what every page has to keep to: the policy of package rest, which
// takes nothing inline; tables that say what they are; ids that are there once; and
// words for every field.
func checkPage(t *testing.T, name string, doc *html.Node) {
	t.Helper()
	ids, labelled := map[string]bool{}, map[string]bool{}
	for n := range doc.Descendants() {
		if n.Data == "label" {
			labelled[attribute(n, "for")] = true
		}
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.ToLower(a.Val), "javascript:") {
				t.Errorf("%s: <%s %s=%q> is inline", name, n.Data, a.Key, a.Val)
			}
			if a.Key == "id" {
				if ids[a.Val] {
					t.Errorf("%s: the id %s is there twice", name, a.Val)
				}
				ids[a.Val] = true
			}
			if a.Key == "data-live" && attribute(n, "id") == "" {
				t.Errorf("%s: a <%s> is live and has no id", name, n.Data)
			}
		}
		switch n.Data {
		case "style":
			t.Errorf("%s has a style inline", name)
		case "script":
			if attribute(n, "src") == "" {
				t.Errorf("%s has a script inline", name)
			}
		case "table":
			hasCaption := false
			for c := range n.ChildNodes() {
				hasCaption = hasCaption || c.Data == "caption"
			}
			if !hasCaption {
				t.Errorf("%s has a table without a caption", name)
			}
		case "th":
			if attribute(n, "scope") == "" {
				t.Errorf("%s has a <th> without a scope", name)
			}
		case "input", "select", "textarea":
			inLabel := false
			for p := n.Parent; p != nil; p = p.Parent {
				inLabel = inLabel || p.Data == "label"
			}
			named := inLabel || labelled[attribute(n, "id")] || attribute(n, "aria-label") != ""
			if kind := attribute(n, "type"); kind != "hidden" && !named {
				t.Errorf("%s has a field %s without words", name, attribute(n, "name"))
			}
		}
	}
}

// plainPages are the paths of pages that are about no single thing.
func plainPages() (paths []string) {
	for _, p := range dashboard.Pages() {
		method, path, _ := strings.Cut(p.Pattern, " ")
		if method == http.MethodGet && !strings.Contains(path, "{") && p.Template != "" {
			paths = append(paths, path)
		}
	}
	return paths
}

func TestPages_OfAnEmptyService(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		b := s.loggedIn(token)
		for _, path := range plainPages() {
			got := b.get(path)
			if got.Code != http.StatusOK {
				t.Errorf("%s is answered %d", path, got.Code)
				continue
			}
			checkPage(t, path, mustParse(t, got))
			if !strings.Contains(got.Body.String(), "No event has been received yet.") {
				t.Errorf("%s does not say how all is", path)
			}
		}
		checkPage(t, "login", mustParse(t, s.browser().get("/dashboard")))
		if got := b.get("/dashboard").Body.String(); !strings.Contains(got, "Waiting for the first event") {
			t.Error("the overview does not say how to begin")
		}
	})
}

func TestPages_SayWhatIsWrong(t *testing.T) {
	s := onSQLite(t)
	b := s.loggedIn(token)
	tests := []struct {
		path   string
		status int
		words  string
	}{
		{"/dashboard/nowhere", 404, "There is no page at this address."},
		{"/dashboard/logout", 405, "This path takes POST."},
		{"/dashboard?range=2h", 400, "The range is none of 1h, 24h, 7d, 30d."},
		{"/dashboard?from=yesterday", 400, "want a time like"},
		{"/dashboard/performance?days_back=0", 400, "want a number from 1 to 400"},
		{"/dashboard/batch-jobs?status=odd", 400, "want one of"},
		{"/dashboard/batch-jobs?cursor=odd", 400, "cursor"},
		{"/dashboard/batch-jobs/1", 404, "There is no such bulk operation."},
		{"/dashboard/batch-jobs/7a5c9f3e-0000-4000-8000-00000000000b", 404, ""},
		{"/dashboard/audit-trail?from=odd", 400, "want a time like"},
		{"/dashboard/json/performance?days_back=0", 400, "want a number from 1 to 400"},
	}
	for _, tt := range tests {
		got := b.get(tt.path)
		if got.Code != tt.status || !strings.Contains(got.Body.String(), tt.words) {
			t.Errorf("%s: answered %d %s, want %d with %q", tt.path, got.Code, got.Body, tt.status, tt.words)
		}
		if strings.Contains(tt.path, "/json/") {
			continue
		}
		checkPage(t, tt.path, mustParse(t, got))
		if id := got.Header().Get("X-Request-Id"); !strings.Contains(got.Body.String(), id) {
			t.Errorf("%s does not show the id of the request", tt.path)
		}
	}
}

func TestPages_WhatCannotBeReadSaysSoAndNoMore(t *testing.T) {
	s := onSQLite(t)
	b := s.loggedIn(token)
	s.config.Reads.Alerts.(*alerts).broken = true
	got := b.get("/dashboard/alerts")
	if text := got.Body.String(); got.Code != 500 || strings.Contains(text, "fire") || !strings.Contains(text, "Try again") {
		t.Errorf("answered %d %s", got.Code, text)
	}
	// Other pages are there all the same, but for the sentence at their top.
	got = b.get("/dashboard/setup")
	if text := got.Body.String(); got.Code != 200 || !strings.Contains(text, "How all is cannot be read just now.") {
		t.Errorf("answered %d %s", got.Code, text)
	}
}

func TestPages_ThatAreTheSameAreNotSentAgain(t *testing.T) {
	s := onSQLite(t)
	b := s.loggedIn(token)
	first := b.get("/dashboard/setup")
	etag := first.Header().Get("ETag")
	if etag == "" || first.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("headers: %v", first.Header())
	}
	b.header.Set("If-None-Match", etag)
	if got := b.get("/dashboard/setup"); got.Code != http.StatusNotModified || got.Body.Len() != 0 {
		t.Errorf("answered %d with %d bytes, want 304 with none", got.Code, got.Body.Len())
	}
}

func TestActs_FromAnotherSiteAreRefused(t *testing.T) {
	s := onSQLite(t)
	b := s.loggedIn(token)
	for name, header := range map[string]http.Header{
		"fetch metadata, another site":       {"Sec-Fetch-Site": {"cross-site"}},
		"fetch metadata, another host of it": {"Sec-Fetch-Site": {"same-site"}},
		"an old browser":                     {"Sec-Fetch-Site": {""}, "Origin": {"https://evil.example"}},
	} {
		b.header = header
		got := b.post("/dashboard/logout")
		if got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), "another site") {
			t.Errorf("%s: answered %d %s", name, got.Code, got.Body)
		}
	}
	b.header = http.Header{}
	if got := b.get("/dashboard/setup"); got.Code != http.StatusOK {
		t.Errorf("status = %d, want the session to be there still", got.Code)
	}
}

func TestActs_NeedTheirRole(t *testing.T) {
	s := onSQLite(t)
	const id = "7a5c9f3e-0000-4000-8000-00000000000c"
	got := s.loggedIn(viewerToken).post("/dashboard/alerts/"+id+"/acknowledge", "reason", "x")
	if got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), "This needs the role operator; yours is viewer.") {
		t.Errorf("a viewer is answered %d %s", got.Code, got.Body)
	}
	if acts := s.config.Alerts.(*alerts).acts; acts != nil {
		t.Errorf("a viewer has done %v", acts)
	}
	got = s.loggedIn(operatorToken).post("/dashboard/alerts/"+id+"/acknowledge", "reason", "x")
	if got.Code != http.StatusSeeOther {
		t.Errorf("an operator is answered %d %s", got.Code, got.Body)
	}
}

func TestActs_TellOnTheNextPageWhatWasDone(t *testing.T) {
	s := onSQLite(t)
	fake := s.config.Alerts.(*alerts)
	since := s.clock.Now().Add(-time.Hour)
	fake.list = []quotekit.Alert{{
		ID: "7a5c9f3e-0000-4000-8000-00000000000c", Rule: "no_events", State: quotekit.AlertFiring, Severity: quotekit.AlertCritical,
		Summary: "No event for six hours.", Value: 21600, Threshold: 3600, Unit: "seconds", Since: since, Link: "/dashboard/events",
	}}
	b := s.loggedIn(token)
	page := b.get("/dashboard/alerts")
	for _, words := range []string{"No event for six hours.", "now 6 h, limit 1 h", "firing, critical", "1 alert is firing, 1 of them critical"} {
		if !strings.Contains(page.Body.String(), words) {
			t.Errorf("the page does not say %q: %s", words, page.Body)
		}
	}
	checkPage(t, "alerts", mustParse(t, page))
	got := b.post("/dashboard/alerts/"+fake.list[0].ID+"/silence", "for", "2h", "reason", "we know")
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/dashboard/alerts" {
		t.Fatalf("answered %d to %s", got.Code, got.Header().Get("Location"))
	}
	want := "silence " + fake.list[0].ID + " until " + s.clock.Now().Add(2*time.Hour).Format(time.RFC3339) + " by ada: we know"
	if !slices.Equal(fake.acts, []string{want}) {
		t.Errorf("done: %v, want %s", fake.acts, want)
	}
	b.header.Set("X-Quotekit-Live", "1")
	b.get("/dashboard/alerts") // which a page fetches by itself, and must not use it up
	b.header.Del("X-Quotekit-Live")
	if got := b.get("/dashboard/alerts").Body.String(); !strings.Contains(got, "The alert is silent until") {
		t.Errorf("the next page does not tell: %s", got)
	}
	if got := b.get("/dashboard/alerts").Body.String(); strings.Contains(got, "The alert is silent until") {
		t.Error("the page after that tells again")
	}
	b.post("/dashboard/alerts/" + fake.list[0].ID + "/unsilence")
	if got := b.get("/dashboard/alerts").Body.String(); !strings.Contains(got, "Nothing was changed. Alert is not silenced.") {
		t.Errorf("the next page does not tell why nothing was done: %s", got)
	}
}

func TestPreferences_AreKept(t *testing.T) {
	s := onSQLite(t)
	b := s.loggedIn(token)
	got := b.post("/dashboard/preferences", "theme", "dark", "keys", "off", "rows", "enormous", "back", "/dashboard/setup")
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != "/dashboard/setup" {
		t.Fatalf("answered %d to %s", got.Code, got.Header().Get("Location"))
	}
	page := b.get("/dashboard/setup").Body.String()
	if !strings.Contains(page, `data-theme="dark" data-zone="utc" data-keys="off" data-rows="dense"`) {
		t.Errorf("the page does not keep to them: %.200s", page)
	}
}

func TestOverview_AgreesWithItsJSON(t *testing.T) {
	s := onSQLite(t)
	b := s.loggedIn(token)
	got := b.get("/dashboard/json?range=7d")
	var o monitor.Overview
	if err := json.Unmarshal(got.Body.Bytes(), &o); err != nil {
		t.Fatalf("%v: %s", err, got.Body)
	}
	in := monitor.Range{From: s.clock.Now().Add(-7 * 24 * time.Hour).Truncate(time.Minute), To: s.clock.Now().Add(time.Minute - 1).Truncate(time.Minute)}
	want, err := s.config.Reads.Overview(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(o)
	w, _ := json.Marshal(want)
	if !bytes.Equal(a, w) {
		t.Errorf("the page has %s, the read %s", a, w)
	}
}
