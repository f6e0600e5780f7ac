package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	times := []time.Duration{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for q, want := range map[float64]time.Duration{0: 1, 0.1: 1, 0.5: 5, 0.51: 6, 0.95: 10, 0.99: 10, 1: 10} {
		if got := Quantile(times, q); got != want {
			t.Errorf("quantile %v: got %d, want %d", q, got, want)
		}
	}
	if got := Quantile(nil, 0.5); got != 0 {
		t.Errorf("of none: got %d", got)
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{0: nil, 3: {9, 3, 1}, 2.5: {4, 1, 2, 3}} {
		if got := median(values); got != want {
			t.Errorf("%v: got %v, want %v", values, got, want)
		}
	}
}

func TestFigure_String(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 5: "5", 0.012345: "0.0123", 1.005: "1", 12.345: "12.3", 123.4: "123", 1234.5: "1,235", 1_234_567: "1,234,567", -4321: "-4,321",
	} {
		if got := (Figure{"n", value}).String(); got != want {
			t.Errorf("%v: got %s, want %s", value, got, want)
		}
	}
}

// TestReport_IsTheMedianOfItsRuns has two scenarios in three runs, of which one failed.
func TestReport_IsTheMedianOfItsRuns(t *testing.T) {
	run := func(rate, p50, part float64) Measured {
		return Measured{
			Figures: Figures{{"events_per_second", rate}, {"p50_ms", p50}},
			Parts:   []Part{{"a", Figures{{"p95_ms", part}}}},
		}
	}
	r := &Report{
		Version: "v1", StartedAt: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Runs: 3, Duration: 10,
		Machine: Machine{2, "linux", "amd64"}, Database: Database{"sqlite", "3", map[string]string{"synchronous": "full"}}, Notes: []string{},
	}
	r.collect([]Scenario{{Name: "one"}, {Name: "two"}, {Name: "never"}},
		[][]Measured{{run(3000, 1.5, 7), run(1000.4, 2.5, 9), run(2000, 3.5, 8)}, nil, nil},
		[]error{nil, errors.New("lost an event"), nil})
	got, err := json.Marshal(r)
	want := `{"quotekit_version":"v1","started_at":"2026-03-04T05:06:07Z","machine":{"cpus":2,"os":"linux","arch":"amd64"},` +
		`"database":{"engine":"sqlite","version":"3","durability":{"synchronous":"full"}},"runs":3,"duration_seconds":10,` +
		`"scenarios":[{"name":"one","figures":{"events_per_second":2000,"p50_ms":2.5},"parts":[{"name":"a","figures":{"p95_ms":8}}],"error":null},` +
		`{"name":"two","figures":{},"error":"lost an event"}],"notes":[]}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
	if failed := r.Failed(); len(failed) != 1 || failed[0].Name != "two" {
		t.Errorf("failed: %v", failed)
	}
	if got, want := fmt.Sprint(r.Tables()), "[{[SCENARIO EVENTS/S P50 MS] [[one 2,000 2.5]]} {[SCENARIO P95 MS] [[  a 8]]}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTables_SameFiguresShareATable(t *testing.T) {
	r := &Report{Results: []Result{
		{Name: "a", Measured: Measured{Figures: Figures{{"x_ms", 1}}}},
		{Name: "b", Measured: Measured{Figures: Figures{{"x_ms", 2}}}},
		{Name: "c", Measured: Measured{Figures: Figures{{"y_ms", 3}}}},
	}}
	var rows []int
	for _, table := range r.Tables() {
		rows = append(rows, len(table.Rows))
	}
	if !slices.Equal(rows, []int{2, 1}) {
		t.Errorf("tables have %v rows, want 2 and 1", rows)
	}
}

// TestMedians_LeaveOutWhatNotAllRunsHave: a figure of one run is no median.
func TestMedians_LeaveOutWhatNotAllRunsHave(t *testing.T) {
	got := medians([]Measured{{Figures: Figures{{"a", 1}, {"b", 2}}}, {Figures: Figures{{"a", 3}}}})
	if want := (Figures{{"a", 2}}); !slices.Equal(got.Figures, want) {
		t.Errorf("got %v, want %v", got.Figures, want)
	}
}
