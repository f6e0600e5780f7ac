package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/alert"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/internal/forget"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/metrics"
	"github.com/quotekit/quotekit/internal/monitor/dashboard"
	"github.com/quotekit/quotekit/internal/reconcile"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/retention"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
	"github.com/quotekit/quotekit/internal/task"
	"github.com/quotekit/quotekit/internal/tracing"
	"github.com/quotekit/quotekit/internal/webhook"
	"github.com/quotekit/quotekit/operations"
)

// Role says which part of the service a process is.
type Role string

// The roles.
const (
	RoleAll    Role = "all"
	RoleWeb    Role = "web"    // answers requests, works no jobs
	RoleWorker Role = "worker" // works jobs, answers only health checks and /metrics
)

// Options are what a program decides rather than an operator.
type Options struct {
	// Routes is the table of event types; nil is that of package handlers.
	Routes []quotekit.Route
	// Operations is the table of bulk operations; nil is that of package
	// operations.
	Operations []quotekit.Operation
	Role       Role // empty is [RoleAll]
	// NoMigrations refuses a database whose tables are not up to date, with
	// [ErrNotMigrated], instead of changing it: a look must not upgrade.
	NoMigrations bool
	// Version is shown on the pages.
	Version string
	// Dev says on the pages that nothing here is real, and TestEvent makes one more
	// event, for a button there.
	Dev       bool
	TestEvent func(context.Context) (eventID string, err error)
	Logger    *slog.Logger // nil discards
	// Now is the clock; nil is [time.Now].
	Now func() time.Time
	// Extra adds URLs to those of the service.
	Extra func(*http.ServeMux)
	// Committers, QueueLimit and KeepAfter are those of [webhook.Config].
	Committers, QueueLimit int
	KeepAfter              time.Duration
	// Observe is that of [webhook.Config]: it is told each step of an event.
	Observe func(step string)
}

// tracesWithin bounds the wait for a collector at the end.
const tracesWithin = 3 * time.Second

// App is the service, wired and not yet running.
type App struct {
	config  Config
	options Options
	store   *store.Store
	metrics *metrics.Metrics
	tracing *tracing.Tracing
	jobs    *jobs.Client
	webhook *webhook.Service
	batch   *batch.Service
	tasks   *task.Engine
	gaps    *reconcile.Service
	forget  *forget.Service
	old     *retention.Service
	alerts  *alert.Service
	// stripe is nil without a key of Stripe's API.
	stripe  *stripe.Client
	fetcher *stripe.Fetcher // nil without one, too
	handler http.Handler
	// dashboard is nil in a worker.
	dashboard *dashboard.Dashboard

	jwt              *rest.JWT // nil if no users are configured
	operators, users rest.Authenticator

	listening chan struct{} // closed when connections are accepted
	url       string        // valid once listening is closed
	prepared  atomic.Bool   // the tables are up to date: requests are let in
	ready     chan struct{} // closed when requests are let in and jobs are worked
	draining  atomic.Bool
	clocks    clocks
	shares    []share // of the requests in flight
}

// New opens the database and wires everything, straight down this page. It does
// not need a Postgres that answers, unless the options say NoMigrations: [App.Run]
// waits for it. Whoever calls New closes the App.
func New(ctx context.Context, c Config, o Options) (*App, error) {
	if o.Routes == nil {
		o.Routes = handlers.Routes()
	}
	if o.Operations == nil {
		o.Operations = operations.Operations()
	}
	if o.Role == "" {
		o.Role = RoleAll
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if c.OTLPEndpoint != "" {
		o.Logger = slog.New(tracing.Handler(o.Logger.Handler()))
	}
	s, err := store.Open(ctx, store.Config{URL: c.DatabaseURL, Schema: c.Schema, Tables: c.Tables, Now: o.Now})
	if err != nil {
		return nil, err
	}
	a := &App{config: c, options: o, store: s, listening: make(chan struct{}), ready: make(chan struct{})}
	err = a.wire(ctx)
	if err == nil && o.NoMigrations {
		err = a.prepare(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) wire(ctx context.Context) error {
	var err error
	a.tracing, err = tracing.New(ctx, tracing.Config{
		Endpoint: a.config.OTLPEndpoint, Version: a.options.Version, Role: string(a.options.Role),
		Trusted: a.config.TraceTrusted, Logger: a.options.Logger,
	})
	if err != nil {
		return err
	}
	a.metrics = a.newMetrics()
	workers := river.NewWorkers()
	periodic := []*river.PeriodicJob{batch.Cleaning(), task.Cleaning(), webhook.Benchmarking(), alert.Evaluating(), retention.Periodic()}
	every := time.Duration(a.config.ReconcileMinutes) * time.Minute
	if a.config.StripeSecretKey != "" && every > 0 {
		periodic = append(periodic, reconcile.Periodic(every))
	}
	if a.jobs, err = jobs.New(a.store, workers, jobs.Config{Periodic: periodic, Tracer: a.tracing.Provider(), Logger: a.options.Logger}); err != nil {
		return err
	}
	a.tasks = task.New(a.store, a.jobs, workers, a.options.Now, a.options.Logger)
	var fetcher webhook.Fetcher // nil without a key
	if a.config.StripeSecretKey != "" {
		a.stripe = stripe.NewClient(stripe.ClientConfig{
			Key: a.config.StripeSecretKey, Base: a.config.StripeAPIBase, PerSecond: a.config.StripeRequestsPerSecond,
		})
		a.fetcher = stripe.NewFetcher(a.stripe, a.options.Now)
		fetcher = a.fetcher
	}
	a.webhook, err = webhook.New(a.store, a.jobs, workers, webhook.Config{
		Secrets:    a.config.WebhookSecrets,
		Livemode:   a.config.Livemode,
		Routes:     a.options.Routes,
		Tasks:      a.tasks,
		Fetched:    handlers.Fetched(),
		QueueLimit: a.options.QueueLimit,
		Committers: a.options.Committers,
		KeepAfter:  a.options.KeepAfter,
		Now:        a.options.Now,
		Logger:     a.options.Logger,
		Observe:    a.options.Observe,
		Fetcher:    fetcher,
		Metrics:    a.metrics.Webhook,
	})
	if err != nil {
		return err
	}
	a.gaps = reconcile.New(a.store, a.tasks, workers, reconcile.Config{
		API:    a.stripe,
		Import: a.importEvents,
		Types:  routedTypes(a.options.Routes),
		Every:  every,
		Now:    a.options.Now,
		Logger: a.options.Logger,
	})
	a.forget = forget.New(a.store, a.tasks)
	a.batch, err = batch.New(a.store, a.jobs, workers, batch.Config{
		Operations:  a.options.Operations,
		ChunkSize:   a.config.BatchChunkSize,
		Concurrency: a.config.BatchConcurrency,
		KeepFor:     days(a.config.BatchKeepDays),
		Metrics:     a.metrics.Batch,
		Now:         a.options.Now,
		Logger:      a.options.Logger,
	})
	if err != nil {
		return err
	}
	a.alerts, err = alert.New(a.store, a.jobs, workers, alert.Config{
		Limits:          a.config.AlertLimits,
		ExpectedVersion: a.config.StripeAPIVersion,
		Channels:        a.config.alertChannels(),
		PublicURL:       a.config.PublicURL,
		Clocks:          func() map[string]time.Duration { return a.Clocks().byName() },
		Now:             a.options.Now,
		Logger:          a.options.Logger,
	})
	if err != nil {
		return err
	}
	a.old = retention.New(a.store, workers, a.retention())
	if err := a.knowCallers(ctx); err != nil {
		return err
	}
	mux := http.NewServeMux()
	router, err := a.addRoutes(mux)
	if err != nil {
		return err
	}
	a.handler = rest.Chain(rest.Mux(mux),
		a.tracing.Requests,
		rest.RequestID,
		rest.SecurityHeaders,
		rest.AccessLog(a.options.Logger, a.options.Now),
		rest.Recover(a.options.Logger),
		rest.CrossOrigin(a.config.CORSOrigins),
		a.whenPrepared,
		rest.InFlight(a.shareOf(mux, router)),
	)
	return nil
}

// Handler answers every URL of the service, and all but the health checks with
// 503 until the tables are known to be up to date. Without [App.Run] deliveries
// are not settled, but operators' requests are answered.
func (a *App) Handler() http.Handler { return a.handler }

// Store is the open database.
func (a *App) Store() *store.Store { return a.store }

// Listening is closed when connections are accepted. Until [App.Ready] is closed,
// too, the service waits for its database.
func (a *App) Listening() <-chan struct{} { return a.listening }

// Ready is closed when the tables are up to date, requests are let in and jobs
// are worked.
func (a *App) Ready() <-chan struct{} { return a.ready }

// URL is where the service listens. It is valid once [App.Listening] is closed.
func (a *App) URL() string { return a.url }

// closeTracing delivers the last traces. A collector that does not take them is none
// of our failures.
func (a *App) closeTracing() {
	if a.tracing == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), tracesWithin)
	defer cancel()
	if err := a.tracing.Close(ctx); err != nil {
		a.options.Logger.Warn("the last traces were not delivered", "error", err)
	}
}

// Close closes the database and ends what runs in the background.
func (a *App) Close() error {
	if a.jwt != nil {
		a.jwt.Close()
	}
	a.closeTracing()
	return a.store.Close()
}
