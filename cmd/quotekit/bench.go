package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/bench"
)

const (
	benchHelp = "quotekit bench --list"
	// benchService is the hidden command that a bench starts.
	benchService = "bench-service"
)

func (p *program) benchCommand() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "measure throughput and latency of this installation",
		Description: "It starts the service on a throwaway database beside the configured one (a schema of its own on\n" +
			"Postgres, a file in the same folder on SQLite), puts load on it, and checks that the effects are in\n" +
			"the tables. The configured database is not touched. Without DATABASE_URL it measures SQLite in the\n" +
			"temporary folder.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "only", Usage: "measure only these `SCENARIOS`, separated by commas; the beginning of a name is enough"},
			&cli.BoolFlag{Name: "list", Usage: "list the scenarios, and measure nothing"},
			&cli.IntFlag{Name: "runs", Value: 1, Usage: "measure everything so many times, and report the medians"},
			&cli.DurationFlag{Name: "duration", Value: 10 * time.Second, Usage: "how long a load lasts whose length is a time"},
			&cli.IntFlag{Name: "events", Value: 200_000, Usage: "how many events are stored for the reads"},
		},
		Action: p.bench,
	}
}

func (p *program) bench(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	config, err := benchConfig(c)
	if err != nil {
		return err
	}
	if c.Bool("list") {
		return p.listScenarios(c, config.Scenarios)
	}
	cfg, err := p.config(c)
	if err != nil {
		return err
	}
	if cfg.Origin("DATABASE_URL") != app.OriginDefault {
		config.DatabaseURL = cfg.DatabaseURL
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	config.Service = []string{program, benchService}
	config.Environment = benchEnvironment(cfg)
	config.Routes, config.Version = handlers.Routes(), version()
	config.Progress = func(text string) { fmt.Fprintln(p.stderr, printable(text)) }
	report, err := bench.Run(ctx, config)
	if ctx.Err() != nil {
		err = benchInterrupted(err)
	}
	if report == nil || (err != nil && len(report.Results) == 0) {
		return err
	}
	if err := p.printReport(c, report); err != nil {
		return err
	}
	return benchOutcome(report, err)
}

// benchConfig reads the flags.
func benchConfig(c *cli.Command) (config bench.Config, err error) {
	var only []string
	if c.IsSet("only") {
		only = strings.Split(c.String("only"), ",")
	}
	if config.Scenarios, err = bench.Select(only); err != nil {
		return config, usagef(benchHelp, "--only: %w", err)
	}
	config.Runs, config.Duration, config.Events = c.Int("runs"), c.Duration("duration"), c.Int("events")
	switch {
	case config.Runs < 1 || config.Runs > 100:
		return config, usagef("quotekit bench --runs 3", "--runs is %d, not from 1 to 100", config.Runs)
	case config.Duration < 100*time.Millisecond || config.Duration > 10*time.Minute:
		return config, usagef("quotekit bench --duration 10s", "--duration is %s, not from 100ms to 10m", config.Duration)
	case config.Events < 1000 || config.Events > 100_000_000:
		return config, usagef("quotekit bench --events 200000", "--events is %d, not from 1,000 to 100,000,000", config.Events)
	}
	return config, nil
}

// benchEnvironment is that of the service that is measured: of our settings it has only
// those that make it faster or slower.
func benchEnvironment(cfg app.Config) []string {
	ours := map[string]bool{}
	for _, v := range cfg.Values() {
		ours[v.Name] = true
	}
	environment := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return ours[name]
	})
	return append(environment,
		"QUOTEKIT_MAX_IN_FLIGHT="+strconv.Itoa(cfg.MaxInFlight),
		"QUOTEKIT_BATCH_CHUNK_SIZE="+strconv.Itoa(cfg.BatchChunkSize),
		"QUOTEKIT_BATCH_CONCURRENCY="+strconv.Itoa(cfg.BatchConcurrency))
}

func (p *program) listScenarios(c *cli.Command, scenarios []bench.Scenario) error {
	type scenario struct {
		Name    string `json:"name"`
		Summary string `json:"summary"`
	}
	list := page[scenario]{Items: []scenario{}}
	for _, s := range scenarios {
		list.Items = append(list.Items, scenario{s.Name, s.Summary})
	}
	return p.print(c, list, func(t *table) {
		t.row("SCENARIO", "WHAT IS MEASURED")
		for _, s := range list.Items {
			t.row(s.Name, s.Summary)
		}
	})
}

func (p *program) printReport(c *cli.Command, r *bench.Report) error {
	return p.print(c, r, func(t *table) {
		t.row(fmt.Sprintf("quotekit %s on %s %s (%s), %d processors, %s", r.Version, r.Database.Engine, r.Database.Version,
			durability(r.Database.Durability), r.Machine.CPUs, r.Machine.OS))
		if r.Runs > 1 {
			t.row(fmt.Sprintf("medians of %d runs", r.Runs))
		}
		for _, table := range r.Tables() {
			t.row()
			t.row(cells(table.Header)...)
			for _, row := range table.Rows {
				t.row(cells(row)...)
			}
		}
		if failed := r.Failed(); len(failed) > 0 {
			t.row()
			t.row("SCENARIO", "ERROR")
			for _, result := range failed {
				t.row(result.Name, *result.Error)
			}
		}
		t.row()
		for _, note := range r.Notes {
			t.row("note: " + note)
		}
	})
}

func cells(texts []string) []any {
	list := make([]any, len(texts))
	for i, text := range texts {
		list[i] = text
	}
	return list
}

// durability is like "fsync on, synchronous_commit on".
func durability(settings map[string]string) string {
	var list []string
	for name, value := range settings {
		list = append(list, name+" "+value)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// benchInterrupted is the error of a run that somebody has stopped.
func benchInterrupted(err error) error {
	var left *bench.LeftBehindError
	if errors.As(err, &left) {
		return fmt.Errorf("interrupted; %w", left)
	}
	return errors.New("interrupted; nothing is left behind")
}

// benchOutcome is the error after a report: of scenarios that failed, or of the run,
// which did not come to its end.
func benchOutcome(r *bench.Report, err error) error {
	failed := r.Failed()
	measured := len(r.Results) - len(failed)
	ends := exitPartly
	if measured == 0 {
		ends = exitFailed
	}
	switch {
	case err != nil:
		return failf(ends, "", "scenarios measured: %d; %w", measured, err)
	case len(failed) > 0:
		return failf(ends, "quotekit bench --only "+failed[0].Name, "%d of %d scenarios failed", len(failed), len(r.Results))
	}
	return nil
}

// benchServiceCommand is the service that is measured: it is what serve is, prints its
// URL, and ends with its input, so that it does not outlive who started it.
func (p *program) benchServiceCommand() *cli.Command {
	return &cli.Command{
		Name:   benchService,
		Usage:  "serve for quotekit bench",
		Hidden: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "role", Value: "all"},
			&cli.BoolFlag{Name: "deferred"},
		},
		Action: p.serveBench,
	}
}

func (p *program) serveBench(ctx context.Context, c *cli.Command) error {
	cfg, err := p.config(c)
	if err != nil {
		return err
	}
	routes := handlers.Routes()
	if c.Bool("deferred") {
		deferAll(routes)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, p.stdin)
		stop()
	}()
	return p.run(ctx, cfg, app.Options{
		Routes: routes, Logger: p.logger(cfg), Version: version(), Role: app.Role(c.String("role")),
	}, func(url string) { fmt.Fprintln(p.stdout, url) })
}

func deferAll(routes []quotekit.Route) {
	for i := range routes {
		routes[i].Deferred = true
	}
}
