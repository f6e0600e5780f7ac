package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/webhook"
	"github.com/quotekit/quotekit/operations"
)

// Role says which part of the service a process is.
type Role string

// The roles.
const (
	RoleAll    Role = "all"
	RoleWeb    Role = "web"    // answers requests, works no jobs
	RoleWorker Role = "worker" // works jobs, answers only health checks
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
	// Version is shown on the first page.
	Version string
	Logger  *slog.Logger // nil discards
	// Now is the clock; nil is [time.Now].
	Now func() time.Time
	// Extra adds URLs to those of the service.
	Extra func(*http.ServeMux)
	// Committers and QueueLimit are those of [webhook.Config].
	Committers, QueueLimit int
}

// App is the service, wired and not yet running.
type App struct {
	config  Config
	options Options
	store   *store.Store
	jobs    *jobs.Client
	webhook *webhook.Service
	batch   *batch.Service
	handler http.Handler

	jwt              *rest.JWT // nil if no users are configured
	operators, users rest.Authenticator

	ready    chan struct{} // closed when requests are answered
	url      string        // valid once ready is closed
	draining atomic.Bool
}

// stopWithin is how long a stop may take: requests under way are answered,
// groups committed, jobs finished or put back.
const stopWithin = 10 * time.Second

// New opens the database, brings its tables up to date and wires everything,
// straight down this page. Whoever calls it closes the App.
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
	s, err := store.Open(ctx, store.Config{URL: c.DatabaseURL, Schema: c.Schema, Now: o.Now})
	if err != nil {
		return nil, err
	}
	a := &App{config: c, options: o, store: s, ready: make(chan struct{})}
	if err := a.wire(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) wire(ctx context.Context) error {
	if err := a.migrate(ctx); err != nil {
		return err
	}
	workers := river.NewWorkers()
	var err error
	if a.jobs, err = jobs.New(a.store, workers, a.options.Logger, batch.Cleaning()); err != nil {
		return err
	}
	a.webhook, err = webhook.New(a.store, a.jobs, workers, webhook.Config{
		Secrets:    a.config.WebhookSecrets,
		Livemode:   a.config.Livemode,
		Routes:     a.options.Routes,
		QueueLimit: a.options.QueueLimit,
		Committers: a.options.Committers,
		Now:        a.options.Now,
		Logger:     a.options.Logger,
	})
	if err != nil {
		return err
	}
	a.batch, err = batch.New(a.store, a.jobs, workers, batch.Config{
		Operations:  a.options.Operations,
		ChunkSize:   a.config.BatchChunkSize,
		Concurrency: a.config.BatchConcurrency,
		KeepFor:     time.Duration(a.config.BatchKeepDays) * 24 * time.Hour,
		Now:         a.options.Now,
		Logger:      a.options.Logger,
	})
	if err != nil {
		return err
	}
	if err := a.knowCallers(ctx); err != nil {
		return err
	}
	mux := http.NewServeMux()
	if _, err := a.addRoutes(mux); err != nil {
		return err
	}
	a.handler = rest.Chain(rest.Mux(mux),
		rest.RequestID,
		rest.SecurityHeaders,
		rest.AccessLog(a.options.Logger, a.options.Now),
		rest.Recover(a.options.Logger),
	)
	return nil
}

// ErrNotMigrated means that the tables are older than this program.
var ErrNotMigrated = errors.New("the tables of the database are not up to date")

func (a *App) migrate(ctx context.Context) error {
	if !a.options.NoMigrations {
		return a.store.Migrate(ctx, func(ctx context.Context) error { return jobs.Migrate(ctx, a.store) })
	}
	migrations, err := a.store.MigrationStatus(ctx)
	if err != nil {
		return err
	}
	for _, m := range migrations {
		if m.AppliedAt.IsZero() {
			return ErrNotMigrated
		}
	}
	return nil
}

// Handler answers every URL of the service. Without [App.Run] deliveries are
// not settled, but operators' requests are answered.
func (a *App) Handler() http.Handler { return a.handler }

// Store is the open database.
func (a *App) Store() *store.Store { return a.store }

// Ready is closed when requests are answered.
func (a *App) Ready() <-chan struct{} { return a.ready }

// URL is where the service listens. It is valid once [App.Ready] is closed.
func (a *App) URL() string { return a.url }

// Close closes the database and ends what runs in the background.
func (a *App) Close() error {
	if a.jwt != nil {
		a.jwt.Close()
	}
	return a.store.Close()
}

// Run listens and works until ctx ends, and then stops: no new requests, those
// under way answered, groups committed, jobs stopped. It returns nil after a
// stop that was asked for.
func (a *App) Run(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.config.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", a.config.Addr, err)
	}
	a.url = "http://" + listener.Addr().String()

	a.webhook.Start()
	stopWorkers := func(context.Context) error { return nil }
	if a.options.Role != RoleWeb {
		if stopWorkers, err = a.startWorkers(); err != nil {
			a.webhook.Stop()
			return errors.Join(err, listener.Close())
		}
	}
	server := &http.Server{
		Handler:           a.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    256 << 10, // a signature header of many secrets
		ErrorLog:          slog.NewLogLogger(a.options.Logger.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	close(a.ready)
	a.options.Logger.Info("listening", "url", a.url, "database", a.store.Dialect().String(), "role", a.options.Role)

	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	}
	a.draining.Store(true)
	a.batch.StopWatching()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	err = errors.Join(err, server.Shutdown(stop), stopWorkers(stop))
	a.webhook.Stop()
	a.options.Logger.Info("stopped")
	return err
}

// StartBatches works on bulk operations, and on nothing else, until stop is called.
// It is for a command that waits for one, instead of [App.Run].
func (a *App) StartBatches() (stop func(context.Context) error) {
	a.batch.Start()
	return a.batch.Stop
}

// startWorkers starts the job engine and the sweeper, and returns what stops both.
func (a *App) startWorkers() (stop func(context.Context) error, err error) {
	if err := a.jobs.Start(context.Background()); err != nil {
		return nil, fmt.Errorf("start workers: %w", err)
	}
	a.batch.Start()
	sweep, cancel := context.WithCancel(context.Background())
	var sweeping sync.WaitGroup
	sweeping.Go(func() { a.webhook.Sweep(sweep) })
	return func(ctx context.Context) error {
		cancel()
		sweeping.Wait()
		released := a.batch.Stop(ctx)
		soft, done := context.WithTimeout(ctx, stopWithin/2)
		defer done()
		if a.jobs.Stop(soft) == nil {
			return released
		}
		return errors.Join(released, a.jobs.StopAndCancel(ctx))
	}, nil
}
