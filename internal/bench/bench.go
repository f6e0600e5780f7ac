package bench

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// Config says what is measured, and on what.
type Config struct {
	// DatabaseURL is the configured database, which is not touched: places are made
	// beside it. Empty means SQLite in the temporary folder.
	DatabaseURL string
	// Service is the command that serves a database, which its environment names, until
	// its input ends or it is asked to stop. It prints its URL on a line of its own when
	// it listens. It takes --config FILE, --role web, and --deferred, which defers all
	// routes.
	Service []string
	// Environment is what the service has in its environment, beside the database, its
	// secrets and its address. It must not say whom to call.
	Environment []string
	// Routes are those of the service.
	Routes []quotekit.Route
	// Version is that of the program.
	Version string

	// Scenarios are measured in this order.
	Scenarios []Scenario
	// Runs is how often all is measured.
	Runs int
	// Duration is how long a load lasts whose length is a time, and Events how many
	// events are stored for the reads.
	Duration time.Duration
	Events   int
	// Sizes is the rest; zero is [StandardSizes].
	Sizes Sizes
	// Progress is told what happens.
	Progress func(text string)
}

// Sizes are how much work the scenarios are whose length is not a time.
type Sizes struct {
	// Stories are told side by side, each about ten objects.
	Stories int
	// Warm bounds the events that a service settles before it is measured.
	Warm int
	// Burst and Lane are events. Copied are those that are delivered Copies times each.
	Burst, Lane, Copied, Copies int
	// BatchItems are those of a bulk operation, ExportItems those of an export, and
	// BatchRounds how often each is measured, after a round that does not count.
	BatchItems, ExportItems, BatchRounds int
	// Reads is how often each read is measured, after some that do not count.
	Reads int
	// SetRows are those of the one set-based statement among the floors.
	SetRows int
	// Patience is how long to wait for what was kept.
	Patience time.Duration
}

// StandardSizes are those of quotekit bench.
var StandardSizes = Sizes{
	Stories: 1000, Warm: 4000, Burst: 5000, Lane: 5000, Copied: 1250, Copies: 4,
	BatchItems: 1000, ExportItems: 500, BatchRounds: 5, Reads: 100, SetRows: 10_000,
	Patience: 3 * time.Minute,
}

// runner measures the scenarios of one run.
type runner struct {
	Config
	// seed makes the events of a run the same as those of the last.
	seed uint64
	// floors are what the disk and the database do without us; nil until they are
	// measured.
	floors Figures
	// stories are those that all scenarios of the run tell on; see mix.
	stories *Mix
}

// mix is where the events of the run come from. Each is delivered in one scenario only.
func (r *runner) mix() (*Mix, error) {
	if r.stories == nil {
		var err error
		if r.stories, err = NewMix(r.seed, r.Sizes.Stories, r.Routes, time.Now); err != nil {
			return nil, err
		}
	}
	return r.stories, nil
}

// Run measures. A scenario that fails has its error in the report, and the others go
// on. The error says that nothing could be measured, or that ctx has ended; then the
// report has what was finished until then. Whatever happens, nothing is left behind;
// if that fails, the error names it.
func Run(ctx context.Context, c Config) (*Report, error) {
	if c.Sizes == (Sizes{}) {
		c.Sizes = StandardSizes
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	report := &Report{
		Version: c.Version, StartedAt: time.Now().UTC().Truncate(time.Second), Runs: c.Runs, Duration: c.Duration.Seconds(),
		Machine: Machine{CPUs: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH}, Results: []Result{}, Notes: []string{},
	}
	var err error
	if report.Database, err = describeDatabase(ctx, c.DatabaseURL); err != nil {
		return nil, err
	}
	report.Notes = notes(report.Database)
	if report.Database.Engine != store.Postgres.String() {
		c.Scenarios = slices.DeleteFunc(slices.Clone(c.Scenarios), func(s Scenario) bool {
			if s.onPostgres {
				report.Notes = append(report.Notes, s.Name+" needs Postgres: a SQLite file belongs to one process")
			}
			return s.onPostgres
		})
	}
	measured := make([][]Measured, len(c.Scenarios))
	failures := make([]error, len(c.Scenarios))
	for n := range c.Runs {
		r := &runner{Config: c, seed: uint64(n)}
		if err := r.measure(ctx, n, measured, failures); err != nil {
			report.collect(c.Scenarios, measured, failures)
			return report, err
		}
	}
	report.collect(c.Scenarios, measured, failures)
	return report, nil
}

// measure is one run. Its error is the end of all.
func (r *runner) measure(ctx context.Context, n int, measured [][]Measured, failures []error) error {
	for i, s := range r.Scenarios {
		if failures[i] != nil {
			continue
		}
		title := s.Name
		if r.Runs > 1 {
			title += fmt.Sprintf(" (run %d of %d)", n+1, r.Runs)
		}
		r.Progress(title + " …")
		m, err := s.measure(ctx, r)
		switch {
		case ctx.Err() != nil:
			return cmp.Or(err, ctx.Err())
		case err != nil:
			failures[i] = err
			r.Progress(s.Name + ": " + err.Error())
		default:
			measured[i] = append(measured[i], m)
		}
	}
	return nil
}

// collect makes results of what the runs have measured. A scenario that has not come
// to its turn has none.
func (r *Report) collect(scenarios []Scenario, measured [][]Measured, failures []error) {
	for i, s := range scenarios {
		switch {
		case failures[i] != nil:
			text := failures[i].Error()
			r.Results = append(r.Results, Result{Name: s.Name, Measured: Measured{Figures: Figures{}}, Error: &text})
		case len(measured[i]) > 0:
			r.Results = append(r.Results, Result{Name: s.Name, Measured: medians(measured[i])})
		}
	}
}

// Failed are the results of scenarios that failed.
func (r *Report) Failed() (failed []Result) {
	for _, result := range r.Results {
		if result.Error != nil {
			failed = append(failed, result)
		}
	}
	return failed
}
