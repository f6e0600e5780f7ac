package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/bench"
)

func TestBench_ExitCodes(t *testing.T) {
	trouble := "the tables have 0 events"
	good, bad := bench.Result{Name: "start"}, bench.Result{Name: "lane", Error: &trouble}
	left := &bench.LeftBehindError{What: "the schema quotekit_bench_x", Err: errors.New("it is locked")}
	tests := []struct {
		name    string
		results []bench.Result
		err     error
		code    int
		says    string
	}{
		{"all is measured", []bench.Result{good, good}, nil, exitDone, ""},
		{"one has failed", []bench.Result{good, bad}, nil, exitPartly, "1 of 2 scenarios failed"},
		{"all have failed", []bench.Result{bad}, nil, exitFailed, "1 of 1 scenarios failed"},
		{"interrupted", []bench.Result{good}, benchInterrupted(context.Canceled), exitPartly, "scenarios measured: 1; interrupted; nothing is left behind"},
		{"interrupted before anything", nil, benchInterrupted(context.Canceled), exitFailed, "interrupted; nothing is left behind"},
		{
			"interrupted, and something is left",
			[]bench.Result{good},
			benchInterrupted(errors.Join(context.Canceled, left)),
			exitPartly, "interrupted; the schema quotekit_bench_x is left behind: it is locked",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stderr strings.Builder
			p := &program{stderr: &stderr}
			code := p.report(benchOutcome(&bench.Report{Results: tt.results}, tt.err))
			if code != tt.code || !strings.Contains(stderr.String(), tt.says) {
				t.Errorf("exit code %d, want %d; stderr:\n%s", code, tt.code, &stderr)
			}
		})
	}
}

// TestBench_TheServiceCallsNobody: what is configured stays outside, but for what makes
// the service faster or slower.
func TestBench_TheServiceCallsNobody(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("STRIPE_SECRET_KEY", "sk_live")
	t.Setenv("QUOTEKIT_ALERT_WEBHOOK_URL", "https://example.com/hook")
	t.Setenv("SOMETHING_ELSE", "kept")
	values := map[string]string{"QUOTEKIT_BATCH_CHUNK_SIZE": "7"}
	cfg, err := app.LoadConfig(func(name string) string { return values[name] }, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	got := benchEnvironment(cfg)
	for _, variable := range got {
		if strings.HasPrefix(variable, "STRIPE_") || strings.HasPrefix(variable, "QUOTEKIT_ALERT") {
			t.Errorf("the service has %s", variable)
		}
	}
	for _, want := range []string{"SOMETHING_ELSE=kept", "QUOTEKIT_BATCH_CHUNK_SIZE=7", "QUOTEKIT_BATCH_CONCURRENCY=5", "QUOTEKIT_MAX_IN_FLIGHT=2000"} {
		if !slices.Contains(got, want) {
			t.Errorf("the service lacks %s", want)
		}
	}
}
