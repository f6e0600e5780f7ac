package browser_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor/dashboard"
)

// sight is a page as it can be seen in a service that has something to show.
type sight struct {
	// name is that of the template, and of the pictures.
	name string
	path string
	// act leads from path to a page that is the answer of an act; nil is path itself.
	act func(hands)
	// stranger sees it, who is not logged in.
	stranger bool
	status   int64 // of path
}

// acted are the pages that are answers of acts, and how one gets there.
var acted = map[string]struct {
	from func(*dev) string
	act  func(hands)
}{
	"preview": {
		func(*dev) string { return "/dashboard/dead-letter-queue?event_type=invoice.payment_succeeded" },
		func(h hands) { h.tick("Select evt_"); h.press("button", "Replay…") },
	},
	"reveal": {
		func(d *dev) string { return "/dashboard/events/" + d.someEvent("dead") },
		func(h hands) { h.write("Reveal: Reason", "a test"); h.press("button", "unmasked") },
	},
}

// someEvent is an event in a state.
func (d *dev) someEvent(status string) string {
	d.t.Helper()
	var list struct {
		Items []struct {
			ID string `json:"stripe_event_id"`
		} `json:"items"`
	}
	d.get("/v1/monitor/events?status="+status, &list)
	if len(list.Items) == 0 {
		d.t.Fatalf("no event is %s", status)
	}
	return list.Items[0].ID
}

// sights finds every page of the dashboard: those that are read by following links,
// the others by what is in acted. A page that nothing leads to fails the test.
func sights(t *testing.T, d *dev) (all []sight) {
	t.Helper()
	patterns := http.NewServeMux()
	templates := map[string]string{} // of patterns
	wanted := map[string]bool{}      // templates that were not seen yet
	downloads := map[string]bool{}   // and patterns
	for _, p := range dashboard.Pages() {
		if p.Template != "" {
			wanted[p.Template] = true
		}
		for _, name := range p.More {
			wanted[name] = true
		}
		if strings.HasPrefix(p.Pattern, "GET ") {
			patterns.HandleFunc(p.Pattern, func(http.ResponseWriter, *http.Request) {})
			if templates[p.Pattern] = p.Template; p.Template == "" && p.Title != "Overview" {
				downloads[p.Pattern] = true
			}
		}
	}
	paths := append(d.crawl(t), "/dashboard/search?q=nobody") // to which only a form leads
	for _, path := range paths {
		r, err := http.NewRequest(http.MethodGet, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, pattern := patterns.Handler(r)
		delete(downloads, pattern)
		template := templates[pattern]
		if wanted[template] {
			delete(wanted, template)
			all = append(all, sight{name: template, path: path, status: 200})
		}
	}
	for name, how := range acted {
		if !wanted[name] {
			t.Errorf("the page %q is no answer of an act any more", name)
		}
		delete(wanted, name)
		all = append(all, sight{name: name, path: how.from(d), act: how.act, status: 200})
	}
	for name := range wanted {
		t.Errorf("no link leads to the page %q, and acted does not say how to get there", name)
	}
	for pattern := range downloads {
		t.Errorf("no link leads to %s", pattern)
	}
	return append(all,
		sight{name: "login", path: "/dashboard", stranger: true, status: 401},
		sight{name: "error", path: "/dashboard/nothing-is-here", status: 404},
		sight{name: "nothing-matches", path: "/dashboard/events?status=ignored&object_id=cus_nobody", status: 200},
	)
}

var links = regexp.MustCompile(`href="(/dashboard[^"#]*)`)

// crawl follows the links of the dashboard, a few of each form, and returns the paths
// of the pages that they lead to, the nearest first. It fails the test if one leads
// nowhere.
func (d *dev) crawl(t *testing.T) (paths []string) {
	t.Helper()
	const most = 3 // of a form, which is a path without its ids and its query
	form := regexp.MustCompile(`/[A-Za-z]+_[0-9A-Za-z_]+|/[0-9a-f-]{12,}`)
	seen, forms := map[string]bool{}, map[string]int{}
	for queue := []string{"/dashboard"}; len(queue) > 0; queue = queue[1:] {
		path := queue[0]
		if seen[path] {
			continue
		}
		seen[path] = true
		status, page, to := d.page(path)
		if to != "" {
			queue = append(queue, to)
			continue
		}
		if status != http.StatusOK {
			t.Errorf("a link leads to %s, which is answered %d", path, status)
			continue
		}
		paths = append(paths, path)
		for _, m := range links.FindAllStringSubmatch(page, -1) {
			next := html.UnescapeString(m[1])
			name, query, _ := strings.Cut(next, "?")
			name = form.ReplaceAllString(name, "/ID")
			if query != "" {
				name += "?"
			}
			if forms[name]++; forms[name] <= most {
				queue = append(queue, next)
			}
		}
	}
	return paths
}

// TestPages_LookWell opens every page in both themes, wide and narrow.
func TestPages_LookWell(t *testing.T) {
	t.Parallel()
	d := mustStartDev(t, "5")
	d.live()
	all := sights(t, d)
	if len(all) < 10 {
		t.Fatalf("found %d pages, which is not the dashboard", len(all))
	}
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			open := d.mustOpenTab
			if s.stranger {
				open = func(t *testing.T) *tab { return mustOpenTab(t, d.URL) }
			}
			p := open(t)
			for _, width := range []int64{1280, 390} {
				p.size(width)
				p.prefer("light")
				if status := p.open(s.path); status != s.status {
					t.Errorf("%s is answered %d, want %d", s.path, status, s.status)
				}
				if s.act != nil {
					p.leaves("act", func() { s.act(mouse{p}) })
				}
				for _, theme := range []string{"light", "dark"} {
					p.prefer(theme)
					p.checkWidth()
					if theme == "light" {
						p.checkAccessible()
					} else {
						p.checkAccessible("color-contrast") // all that a theme changes
					}
					p.picture(fmt.Sprintf("%s-%s-%d", s.name, theme, width))
				}
				p.checkQuiet()
			}
		})
	}
}

// TestPages_WorkWithoutJavaScript opens the same pages with scripts switched off.
func TestPages_WorkWithoutJavaScript(t *testing.T) {
	t.Parallel()
	d := mustStartDev(t, "0")
	d.live()
	p := d.mustOpenTab(t)
	p.withoutScripts()
	for _, s := range sights(t, d) {
		if s.stranger {
			continue
		}
		p.open(s.path)
		if s.act != nil {
			p.leaves("act", func() { s.act(mouse{p}) })
		}
		if !mustEval[bool](p, "document.querySelector('main h1') !== null && document.querySelector('footer') !== null") {
			t.Errorf("%s is not whole", s.path)
		}
		p.checkWidth()
		p.checkQuiet()
		// What only a script could do is not offered.
		for _, text := range mustEval[[]string](p, `[...document.querySelectorAll('[data-copy], #live, #help')]
			.filter(e => e.checkVisibility()).map(e => e.outerHTML)`) {
			t.Errorf("%s offers what needs JavaScript: %s", s.path, text)
		}
	}
}

// live lets something of everything happen: failures, alerts, bulk operations with
// failures, and acts of operators.
func (d *dev) live() {
	d.t.Helper()
	d.run("trigger", "--count", "3", "customer.subscription.created", "invoice.payment_succeeded", "customer.created")
	d.run("trigger", "--fail", "7", "invoice.payment_succeeded")
	d.run("trigger", "--fail", "3", "customer.subscription.updated")
	d.run("dlq", "retry", "--type", "customer.subscription.updated", "--no-wait", "--yes")
	d.run("dlq", "resolve", d.someEvent("dead"), "--reason", "a customer who is gone")
	d.mustPutLetter()
	user := strings.TrimSpace(d.run("token"))
	var quotes struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
	}
	d.getAs(user, "/v1/quotes?limit=40", &quotes)
	ids := []string{"018f0000-0000-7000-8000-000000000000"} // nobody's, which fails
	for _, q := range quotes.Items {
		ids = append(ids, q.ID)
	}
	for _, status := range []string{"sent", "accepted"} {
		body, err := json.Marshal(map[string]any{"operation": "update_quote_status", "items": ids, "options": map[string]string{"status": status}})
		if err != nil {
			d.t.Fatal(err)
		}
		d.post(user, "/v1/batch-jobs", string(body))
	}
	d.eventually("an alert", func() bool {
		var alerts struct {
			Items []struct{ Rule string } `json:"items"`
		}
		d.get("/v1/monitor/alerts", &alerts)
		return slices.ContainsFunc(alerts.Items, func(a struct{ Rule string }) bool { return a.Rule == "dead_letters_present" })
	})
}

// mustPutLetter puts a letter into the dead letter queue as another program does, of an
// event that the service has never received.
func (d *dev) mustPutLetter() {
	d.t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(d.DatabaseURL, "sqlite:")+"?_pragma=busy_timeout(10000)")
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const insert = `INSERT INTO webhook_dead_letter_queue (id, stripe_event_id, event_type, event_data, failure_reason, error_message, first_failed_at, last_failed_at)
VALUES ($1, 'evt_of_another_program', 'invoice.finalized', $2, 'THEIR_REASON', 'a consumer beside the service has given up', $3, $3)`
	const event = `{"id": "evt_of_another_program", "type": "invoice.finalized", "data": {"object": {"id": "in_1", "object": "invoice", "total": 1900, "currency": "eur", "customer_name": "Ada"}}}`
	_, err = db.ExecContext(d.t.Context(), insert, quotekit.DeadLetterID("evt_of_another_program"), event, time.Now().UTC().Format("2006-01-02 15:04:05.000000+00:00"))
	if err != nil {
		d.t.Fatal(err)
	}
}
