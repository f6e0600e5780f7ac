package app

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// lookAfter and maxLookAfter bound the time between two looks for a database that
	// is away.
	lookAfter    = time.Second
	maxLookAfter = 5 * time.Second
	// sayEvery is how often it is said that the database is still away.
	sayEvery = 30 * time.Second
	// comeAgain is what callers are told to wait after a 503, in seconds.
	comeAgain = "5"
)

// ErrNotMigrated means that the tables are older than this program.
var ErrNotMigrated = errors.New("the tables of the database are not up to date")

// Migrate brings the tables up to date, without waiting for a database that is
// away.
func (a *App) Migrate(ctx context.Context) error {
	return a.store.Migrate(ctx, func(ctx context.Context) error { return jobs.Migrate(ctx, a.store) })
}

// prepare brings the tables up to date, or finds that they are, and lets
// requests in.
func (a *App) prepare(ctx context.Context) error {
	if !a.options.NoMigrations {
		if err := a.Migrate(ctx); err != nil {
			return err
		}
		a.warnOfTables(ctx)
		a.prepared.Store(true)
		return nil
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
	a.prepared.Store(true)
	return nil
}

// warnOfTables says in the log which of the tables that QUOTEKIT_TABLES names bulk
// operations will fail on. Webhooks need none of them.
func (a *App) warnOfTables(ctx context.Context) {
	if len(a.config.Tables) == 0 {
		return
	}
	all, err := a.store.ExamineApplication(ctx)
	if err != nil {
		a.options.Logger.Warn("the application's tables cannot be looked at", "error", store.Describe(err))
	}
	for _, t := range all {
		if t.Fails() {
			a.options.Logger.Warn("bulk operations fail on a table of the application", "table", t.Name, "reason", t.Why())
		}
	}
}

// patiently does something with the database, again and again while that is away.
// It ends with ctx, and at once with any other error.
func (a *App) patiently(ctx context.Context, do func(context.Context) error) error {
	var began, said time.Time
	why := ""
	for pause := lookAfter; ; pause = min(pause*3/2, maxLookAfter) {
		err := do(ctx)
		now := a.options.Now()
		switch {
		case err == nil:
			if why != "" {
				a.options.Logger.Info("the database can be used", "waited", now.Sub(began).Round(time.Second))
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !store.MayPass(a.store.Dialect(), err):
			return err
		}
		if why == "" {
			began = now
		}
		if reason := store.WhyAway(err); reason != why || now.Sub(said) >= sayEvery {
			why, said = reason, now
			a.options.Logger.Warn("waiting for the database", "reason", reason, "server", a.store.Server(),
				"waited", now.Sub(began).Round(time.Second))
		}
		select {
		case <-time.After(pause + rand.N(pause/5)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// whenPrepared refuses requests as long as the tables may not be what this
// program expects. Health checks are always answered, and so is /metrics, which
// says that the tables cannot be read.
func (a *App) whenPrepared(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.prepared.Load() && !isHealthCheck(r) && !isScrape(r) {
			w.Header().Set("Retry-After", comeAgain)
			rest.WriteError(w, r, a.options.Logger, quotekit.Errorf(quotekit.EUnavailable,
				"The service is starting and waits for its database; come again."))
			return
		}
		next.ServeHTTP(w, r)
	})
}
