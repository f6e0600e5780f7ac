package bench

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/operations"
)

// TestRun_EveryScenario measures everything, on small sizes, beside a database that is
// in use. Afterwards that is as it was, and nothing else is there.
func TestRun_EveryScenario(t *testing.T) {
	onBoth(t, func(t *testing.T, c configured) {
		before := c.snapshot(t)
		report, err := Run(t.Context(), testConfig(t, c.url, honest))
		if err != nil {
			t.Fatal(err)
		}
		if after := c.snapshot(t); !slices.Equal(after, before) {
			t.Errorf("the configured database has changed: got\n%s\nwant\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
		}
		want := slices.DeleteFunc(Scenarios(), func(s Scenario) bool { return s.onPostgres && c.engine == "sqlite" })
		for i, s := range want {
			if i >= len(report.Results) || report.Results[i].Name != s.Name {
				t.Fatalf("the report lacks %s", s.Name)
			}
			checkResult(t, report.Results[i])
		}
		if report.Database.Engine != c.engine || report.Database.Version == "" || len(report.Database.Durability) < 2 || report.Machine.CPUs < 1 {
			t.Errorf("got %+v on %+v", report.Database, report.Machine)
		}
		encoded, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"([^"]+)":`).FindAllStringSubmatch(string(encoded), -1) {
			if !regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(m[1]) {
				t.Errorf("the name %q is not in snake_case", m[1])
			}
		}
	})
}

// wantFigures are figures that have to be there and above zero, by the beginning of
// the scenario's name.
var wantFigures = map[string][]string{
	"start":      {"new_database_ms", "existing_database_ms", "stop_ms", "peak_memory_mib"},
	"floors":     {fsyncs, singleRows, multiRows, setRows},
	"webhook-":   {"events_per_second", "p50_ms", "p99_ms", "max_ms", "peak_memory_mib", "ratio_to_single_rows", "ratio_to_multi_rows"},
	"steady-":    {"events_per_second", "p50_ms", "p99_ms", "p999_ms", "max_ms", "peak_memory_mib"},
	"burst-":     {"settled_seconds", "events_per_second", "priority1_median_finish_ms", "priority5_median_finish_ms", "priority1_p50_ms"},
	"duplicates": {"deliveries_per_second", "events_per_second", "p50_ms", "p99_ms"},
	"processes-": {"events_per_second", "cpu_us_per_event"},
	"cost":       {"payload_bytes_per_event", "stored_bytes_per_event", "event_rows_per_event", "audit_rows_per_event", "object_rows_per_event"},
	"full":       {"stored_events", "events_per_second", "p50_ms", "p99_ms"},
	"lane":       {"events_per_second", "kept_per_second", "settled_seconds"},
	"batch-":     {"batch_ms", "floor_ms", "ratio", "items_per_second"},
	"reads":      {"stored_events", "fill_seconds"},
}

func checkResult(t *testing.T, r Result) {
	t.Helper()
	if r.Error != nil {
		t.Errorf("%s: %s", r.Name, *r.Error)
		return
	}
	checked := 0
	for prefix, names := range wantFigures {
		if !strings.HasPrefix(r.Name, prefix) {
			continue
		}
		for _, name := range names {
			checked++
			if v, ok := r.Figures.Get(name); !ok || v <= 0 || math.IsInf(v, 0) || math.IsNaN(v) {
				t.Errorf("%s: %s is %v", r.Name, name, v)
			}
		}
	}
	if checked == 0 {
		t.Errorf("nobody knows what %s should measure", r.Name)
	}
	if r.Name == "reads" && len(r.Parts) < 20 {
		t.Errorf("got %d reads", len(r.Parts))
	}
	for _, p := range r.Parts {
		if r.Name == "cost" {
			if v, ok := p.Figures.Get("table_bytes_per_event"); !ok || v <= 0 {
				t.Errorf("%s %s: got %v", r.Name, p.Name, p.Figures)
			}
			continue
		}
		if v, ok := p.Figures.Get("p95_ms"); !ok || v <= 0 {
			t.Errorf("%s %s: got %v", r.Name, p.Name, p.Figures)
		}
	}
}

// TestRun_ALiarIsFoundOut: a service that says that all is well and has done nothing
// has no figures, whatever is measured of its work.
func TestRun_ALiarIsFoundOut(t *testing.T) {
	url := storetest.SQLiteURL(t, nil)
	c := testConfig(t, url, liar, "webhook-16", "steady-100", "burst-256", "duplicates", "lane",
		"batch-delete_quotes", "batch-export_quotes", "batch-bulk_create_items", "reads")
	report, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		want := "the tables have 0 events that have succeeded"
		switch {
		case r.Name == floorsName: // not about its work
			continue
		case strings.HasPrefix(r.Name, "batch-"):
			want = "the tables have 0 outcomes"
		case r.Name == "reads":
			want = "/v1/monitor/overview"
		}
		if r.Error == nil || !strings.Contains(*r.Error, want) {
			t.Errorf("%s: got %v, want an error with %q", r.Name, r, want)
		}
	}
	if len(report.Results) != len(c.Scenarios) {
		t.Errorf("got %d results of %d", len(report.Results), len(c.Scenarios))
	}
}

// TestRun_MissingEffectsAreFoundOut: events and outcomes are recorded, but the rows are
// not as they should be.
func TestRun_MissingEffectsAreFoundOut(t *testing.T) {
	onBoth(t, func(t *testing.T, c configured) {
		report, err := Run(t.Context(), testConfig(t, c.url, idle, "webhook-16", "lane", "batch-update_item_prices"))
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"webhook-16": "lacks the rows of", "lane": "lacks the rows of", "batch-update_item_prices": "cents, all prices together",
		}
		for _, r := range report.Failed() {
			// A machine with too much to do may not settle all in time, which is noticed first.
			late := r.Name == "lane" && strings.Contains(*r.Error, "events that have succeeded")
			if want[r.Name] == "" || !late && !strings.Contains(*r.Error, want[r.Name]) {
				t.Errorf("%s: %s", r.Name, *r.Error)
			}
			delete(want, r.Name)
		}
		if len(want) > 0 {
			t.Errorf("nobody noticed: %v", want)
		}
	})
}

func TestRun_RepeatsAndReportsMedians(t *testing.T) {
	c := testConfig(t, "", honest, "floors")
	c.Runs = 3
	runs := 0
	c.Progress = func(string) { runs++ }
	report, err := Run(t.Context(), c)
	if err != nil || runs != 3 || len(report.Results) != 1 || report.Runs != 3 {
		t.Fatalf("got %d runs and %+v, %v", runs, report, err)
	}
	checkResult(t, report.Results[0])
}

func TestBatchOperations_AreThoseOfTheTable(t *testing.T) {
	var got, want []string
	for _, o := range batchOperations() {
		got = append(got, o.name)
	}
	for _, o := range operations.Operations() {
		want = append(want, o.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSelect(t *testing.T) {
	tests := []struct {
		only []string
		want string
	}{
		{[]string{"steady-100"}, "steady-100"}, // not steady-1000
		{[]string{"steady"}, "steady-100 steady-200 steady-1000"},
		{[]string{"lane", "start"}, "start lane"}, // in the order of the table
		{[]string{"webhook-1"}, "floors webhook-1"},
		{[]string{"batch-delete"}, "batch-delete_quotes batch-delete_clients"},
	}
	for _, tt := range tests {
		list, err := Select(tt.only)
		var got []string
		for _, s := range list {
			got = append(got, s.Name)
		}
		if text := strings.Join(got, " "); err != nil || text != tt.want {
			t.Errorf("%q: got %q, %v, want %q", tt.only, text, err, tt.want)
		}
	}
	for _, only := range [][]string{{"nonsense"}, {"start", ""}, {"tart"}} {
		if list, err := Select(only); err == nil {
			t.Errorf("%q: got %v and no error", only, list)
		}
	}
	if list, err := Select(nil); err != nil || len(list) != len(Scenarios()) {
		t.Errorf("got %d of all, %v", len(list), err)
	}
}
