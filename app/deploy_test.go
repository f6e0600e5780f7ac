package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	yaml "github.com/pb33f/go-yaml"

	"github.com/quotekit/quotekit/app"
)

const (
	alertRules   = "../deploy/prometheus/alerts.yml"
	alertTests   = "../deploy/prometheus/alerts_test.yml"
	grafanaPage  = "../deploy/grafana/quotekit.json"
	metricsPage  = "../docs/metrics.md"
	promtoolTime = time.Minute
)

// rules is a file of rules for Prometheus, with all fields that it may have here.
type rules struct {
	Groups []struct {
		Name  string
		Rules []alertRule
	}
}

type alertRule struct {
	Alert, Expr string
	For         string `yaml:"for"`
	Labels      map[string]string
	Annotations map[string]string
}

func mustReadRules(t *testing.T) (list []alertRule) {
	t.Helper()
	text, err := os.ReadFile(alertRules)
	if err != nil {
		t.Fatal(err)
	}
	var r rules
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%s: %v", alertRules, err)
	}
	for _, g := range r.Groups {
		if g.Name == "" {
			t.Errorf("%s has a group without a name", alertRules)
		}
		list = append(list, g.Rules...)
	}
	if len(list) < 10 {
		t.Fatalf("%s has %d rules", alertRules, len(list))
	}
	return list
}

// panel is a panel of a dashboard of Grafana.
type panel struct {
	ID          int
	Type, Title string
	Description string
	GridPos     struct{ H, W, X, Y int }
	Datasource  struct{ Type, UID string }
	Targets     []struct {
		Expr       string
		Datasource struct{ Type, UID string }
	}
}

func mustReadDashboard(t *testing.T) (list []panel) {
	t.Helper()
	text, err := os.ReadFile(grafanaPage)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Title, UID string
		Panels     []panel
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("%s: %v", grafanaPage, err)
	}
	if d.Title == "" || d.UID == "" {
		t.Errorf("%s has no title or no uid", grafanaPage)
	}
	return d.Panels
}

// metricName finds names of metrics in an expression. Labels have no such names.
var metricName = regexp.MustCompile(`\b(?:quotekit|go|process)_[a-z0-9_]+\b`)

// histogramPart is what the names of the series of a histogram end with.
var histogramPart = regexp.MustCompile(`_(bucket|sum|count)$`)

// usedMetrics are the names in the rules and on the dashboard, and where they stand.
func usedMetrics(t *testing.T) map[string]string {
	used := map[string]string{}
	for _, r := range mustReadRules(t) {
		for _, name := range metricName.FindAllString(r.Expr, -1) {
			used[name] = "the rule " + r.Alert
		}
	}
	for _, p := range mustReadDashboard(t) {
		for _, target := range p.Targets {
			for _, name := range metricName.FindAllString(target.Expr, -1) {
				used[name] = "the panel " + p.Title
			}
		}
	}
	return used
}

// TestDeploy_NamesAreThoseOfAService: whatever the rules and the dashboard ask for is
// there, and docs/metrics.md tells of all there is.
func TestDeploy_NamesAreThoseOfAService(t *testing.T) {
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(quotekit_[a-z_]+)").FindAllStringSubmatch(string(page), -1) {
		told[m[1]] = true
	}
	existing := map[string]bool{}
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		s.post(fixture(t, slices.Sorted(maps.Keys(fixtures(t)))[0])) // so that there is a last event
		s.mustInsert(`INSERT INTO webhook_tasks (id, kind, status, arguments, actor, created_at, completed_at) VALUES ('018f0000-0000-7000-8000-000000000001', 'reconcile', 'completed', '{}', 'quotekit', $1, $1)`,
			time.Now().UTC())
		var got samples
		eventually(t, 20*time.Second, "the last event is told of", func() bool {
			got = s.scrape()
			return got["quotekit_last_event_received_timestamp_seconds"] > 0
		})
		for name := range got {
			name, _, _ = strings.Cut(name, "{")
			existing[name] = true
			if part := histogramPart.FindString(name); part != "" && got[strings.TrimSuffix(name, part)] == 0 {
				existing[strings.TrimSuffix(name, part)+"_bucket"] = true
			}
		}
	})
	if len(existing) == 0 {
		return // the services have said why
	}
	for name, where := range usedMetrics(t) {
		if !existing[name] {
			t.Errorf("%s asks for %s, which no service has", where, name)
		}
	}
	for name := range existing {
		if !strings.HasPrefix(name, "quotekit_") {
			continue
		}
		base := name
		if existing[histogramPart.ReplaceAllString(name, "")+"_bucket"] {
			base = histogramPart.ReplaceAllString(name, "")
		}
		if !told[base] {
			t.Errorf("docs/metrics.md does not tell of %s", base)
		}
	}
	for name := range told {
		if !existing[name] && !existing[name+"_bucket"] {
			t.Errorf("docs/metrics.md tells of %s, which no service has", name)
		}
	}
}

func TestDeploy_RulesAreComplete(t *testing.T) {
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range mustReadRules(t) {
		if !regexp.MustCompile(`^QuoteKit[A-Za-z0-9]+$`).MatchString(r.Alert) || seen[r.Alert] {
			t.Errorf("the name %q is none, or stands twice", r.Alert)
		}
		seen[r.Alert] = true
		if r.Labels["severity"] != "warning" && r.Labels["severity"] != "critical" {
			t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s has no summary or no description", r.Alert)
		}
		if r.For != "" {
			if _, err := time.ParseDuration(r.For); err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
		}
		if !metricName.MatchString(r.Expr) && !strings.Contains(r.Expr, "up{") {
			t.Errorf("%s looks at nothing: %s", r.Alert, r.Expr)
		}
		if !strings.Contains(string(page), "| `"+r.Alert+"` |") {
			t.Errorf("docs/metrics.md does not tell of %s", r.Alert)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(QuoteKit[A-Za-z0-9]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		if !seen[m[1]] {
			t.Errorf("docs/metrics.md tells of %s, which is no rule", m[1])
		}
	}
}

func TestDeploy_DashboardIsWhole(t *testing.T) {
	var rows []string
	ids := map[int]bool{}
	var taken [][2]string
	place := map[[2]int]string{}
	for _, p := range mustReadDashboard(t) {
		if p.ID == 0 || ids[p.ID] || p.Title == "" {
			t.Errorf("the panel %d %q has no id of its own or no title", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := place[[2]int{x, y}]; other != "" {
					taken = append(taken, [2]string{other, p.Title})
				}
				place[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		if p.Description == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
			t.Errorf("the panel %s has no description, asks for nothing, or not the chosen source", p.Title)
		}
		for _, target := range p.Targets {
			if !strings.Contains(target.Expr, `job=~"$job"`) || target.Datasource.UID != "${datasource}" {
				t.Errorf("the panel %s does not look at the chosen job: %s", p.Title, target.Expr)
			}
		}
	}
	if len(taken) > 0 {
		t.Errorf("panels lie above each other: %q", taken)
	}
	want := []string{"Overview", "Latency", "Lanes", "Dead letters", "Batches", "Database", "Process and Go"}
	if !slices.Equal(rows, want) {
		t.Errorf("the rows are %q, want %q", rows, want)
	}
}

// TestDeploy_PromtoolReadsIt: every expression of the rules and of the dashboard is one,
// and the rules fire when they should.
func TestDeploy_PromtoolReadsIt(t *testing.T) {
	promtool := os.Getenv("QUOTEKIT_TEST_PROMTOOL")
	if promtool == "" {
		t.Fatal("QUOTEKIT_TEST_PROMTOOL is not set: run the tests with make test, or with scripts/with-promtool")
	}
	run := func(arguments ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), promtoolTime)
		defer cancel()
		if out, err := exec.CommandContext(ctx, promtool, arguments...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, out)
		}
	}
	run("check", "rules", alertRules)
	run("test", "rules", alertTests)
	var text strings.Builder
	text.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for _, p := range mustReadDashboard(t) {
		for i, target := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$job", ".*").Replace(target.Expr)
			fmt.Fprintf(&text, "      - record: panel_%d_%d\n        expr: %q\n", p.ID, i, expr)
		}
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run("check", "rules", file)
}
