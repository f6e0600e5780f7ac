package app_test

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/monitor/dashboard"
	"github.com/quotekit/quotekit/internal/rest"
)

// documentedActs reads the table of docs/dashboard.md: of each act, whether
// strangers, viewers, operators and admins may do it.
func documentedActs(t *testing.T) map[string][]bool {
	t.Helper()
	page, err := os.ReadFile("../docs/dashboard.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, begun := strings.Cut(string(page), "<!-- roles -->\n")
	table, _, ended := strings.Cut(after, "\n<!-- /roles -->")
	lines := strings.Split(table, "\n")
	if !begun || !ended || lines[0] != "| act | stranger | viewer | operator | admin |" {
		t.Fatalf("docs/dashboard.md has lost its table of roles, between <!-- roles --> and <!-- /roles -->: %q", lines[0])
	}
	acts := map[string][]bool{}
	for _, line := range lines[2:] {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 5 || acts[cells[0]] != nil {
			t.Fatalf("docs/dashboard.md: the line %q has not five cells, or is there twice", line)
		}
		name := strings.Trim(cells[0], "`")
		for _, cell := range cells[1:] {
			if cell != "yes" && cell != "no" {
				t.Fatalf("docs/dashboard.md: %q in %q, want yes or no", cell, line)
			}
			acts[name] = append(acts[name], cell == "yes")
		}
	}
	return acts
}

// loginAct is the one act that is not in the table of pages.
const loginAct = "POST /dashboard/login"

// codedActs are the patterns of everything operators can ask for that may change
// something: of the API, as it is described, and of the pages.
func codedActs(t *testing.T) []string {
	t.Helper()
	document, err := app.OpenAPI("test")
	if err != nil {
		t.Fatal(err)
	}
	acts := []string{loginAct}
	gjson.GetBytes(document, "paths").ForEach(func(path, operations gjson.Result) bool {
		operations.ForEach(func(method, _ gjson.Result) bool {
			if strings.HasPrefix(path.Str, "/v1/monitor/") && method.Str != "get" {
				acts = append(acts, strings.ToUpper(method.Str)+" "+path.Str)
			}
			return true
		})
		return true
	})
	for _, p := range dashboard.Pages() {
		if !strings.HasPrefix(p.Pattern, http.MethodGet+" ") {
			acts = append(acts, p.Pattern)
		}
	}
	slices.Sort(acts)
	return acts
}

func TestRoles_TheTableHasEveryAct(t *testing.T) {
	documented, coded := documentedActs(t), codedActs(t)
	for act := range documented {
		if !slices.Contains(coded, act) {
			t.Errorf("docs/dashboard.md tells of %s, which does not exist", act)
		}
	}
	for _, act := range coded {
		if documented[act] == nil {
			t.Errorf("the table of roles in docs/dashboard.md lacks %s", act)
		}
	}
}

// caller is somebody who asks, in a column of the table.
type caller struct {
	name   string
	column int
	token  string
	cookie *http.Cookie // nil is no session
}

// TestRoles_AreThoseOfTheTable sends every act as everybody. First those who may
// not: they are refused as such, and nothing changes. Then those who may.
func TestRoles_AreThoseOfTheTable(t *testing.T) {
	onBoth(t, func(t *testing.T, databaseURL string) {
		c := plainConfig(databaseURL)
		c.SupabaseJWTSecret = jwtSecret
		s := mustStartWith(t, c, app.Options{})
		rejected := `{"id":"evt_dead","object":"event","type":"customer.created","created":1775000000,"data":{"object":{}}}`
		if got := s.post([]byte(rejected)); got.Status != "dead" {
			t.Fatalf("got %+v", got)
		}
		_, preview := s.call("POST", "/v1/monitor/dead-letter-queue/bulk", `{"action":"retry","ids":["evt_dead"],"dry_run":true}`)
		token, _ := preview["token"].(string)
		if token == "" {
			t.Fatalf("the preview is %v", preview)
		}

		callers := []caller{
			{name: "nobody"},
			{name: "a user", token: mustMint(t, jwtSecret, rest.RoleNone)},
			{name: "a viewer", column: 1, token: mustMint(t, jwtSecret, rest.RoleViewer)},
			{name: "an operator", column: 2, token: mustMint(t, jwtSecret, rest.RoleOperator)},
			{name: "an admin", column: 3, token: mustMint(t, jwtSecret, rest.RoleAdmin)},
		}
		for i, who := range callers {
			if who.column > 0 {
				callers[i].cookie = mustLogIn(t, s.URL(), who.token)
			} else if got := s.act(loginAct, who); got != 401 && got != 403 {
				t.Errorf("%s logs in: %d", who.name, got)
			}
		}
		acts := documentedActs(t)
		inOrder := slices.DeleteFunc(codedActs(t), func(act string) bool {
			return act == loginAct || acts[act] == nil // everybody has tried; another test tells what is missing
		})
		slices.SortStableFunc(inOrder, func(a, b string) int { // the session is needed until the end
			return strings.Compare(strings.Repeat("z", strings.Count(a, "logout")), strings.Repeat("z", strings.Count(b, "logout")))
		})

		before := s.acted()
		refusals := 0
		for _, act := range inOrder {
			for _, who := range callers {
				if acts[act][who.column] {
					continue
				}
				refusals++
				want := http.StatusForbidden
				if who.token == "" || who.cookie == nil && strings.Contains(act, " /dashboard") {
					want = http.StatusUnauthorized
				}
				if got := s.act(act, who); got != want {
					t.Errorf("%s as %s: %d, want %d", act, who.name, got, want)
				}
			}
		}
		if refusals < 20 {
			t.Errorf("%d acts were refused, which shows little", refusals)
		}
		if d := diff(s.acted(), before); d != "" {
			t.Errorf("what was refused has left:\n%s", d)
		}
		for _, act := range inOrder {
			for _, who := range callers {
				if !acts[act][who.column] {
					continue
				}
				if got := s.act(act, who); got == 401 || got == 403 || got == 405 || got == 500 {
					t.Errorf("%s as %s: %d, want an answer", act, who.name, got)
				}
			}
		}
	})
}

// acted is all that operators can change.
func (s *service) acted() (rows []string) {
	s.t.Helper()
	for _, query := range []string{
		"SELECT stripe_event_id, status, round FROM stripe_webhook_events",
		"SELECT * FROM webhook_dead_letter_queue", // none is retried by itself
		"SELECT actor, action, target, reason FROM webhook_audit_trail WHERE action <> 'login'",
		"SELECT id, kind, status, actor, reason FROM webhook_tasks",
		"SELECT rule, subject, acknowledged_by, note, silenced_until FROM webhook_alerts WHERE note IS NOT NULL",
		"SELECT rule, event, channel FROM webhook_alert_deliveries WHERE event = 'test'",
		"SELECT * FROM webhook_error_groups WHERE updated_by IS NOT NULL",
	} {
		rows = append(rows, s.query(query)...)
	}
	return rows
}

var wildcards = regexp.MustCompile(`\{(\w+)(\.\.\.)?\}`)

// act does an act as somebody, of the dead event where the act is of an event, and
// returns the status.
func (s *service) act(pattern string, who caller) int {
	s.t.Helper()
	method, path, _ := strings.Cut(pattern, " ")
	path = wildcards.ReplaceAllStringFunc(path, func(name string) string {
		if strings.Contains(path, "dead-letter-queue") && !strings.Contains(path, "group") || strings.Contains(name, "event") {
			return "evt_dead"
		}
		return "018f0000-0000-7000-8000-000000000000"
	})
	form := url.Values{"reason": {"a test"}, "token": {who.token}}
	body, mediaType := form.Encode(), "application/x-www-form-urlencoded"
	if strings.HasPrefix(path, "/v1/") {
		body, mediaType = `{"reason":"a test"}`, "application/json"
	}
	req, err := http.NewRequest(method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaType)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if strings.HasPrefix(path, "/v1/") && who.token != "" {
		req.Header.Set("Authorization", "Bearer "+who.token)
	} else if who.cookie != nil {
		req.AddCookie(who.cookie)
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // follows no redirection
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode
}

// mustLogIn opens a session of the pages with a token, and returns its cookie.
func mustLogIn(t testing.TB, base, token string) *http.Cookie {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, base+"/dashboard/login", strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 1 {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("the login was answered %s %s", resp.Status, b)
	}
	return resp.Cookies()[0]
}
