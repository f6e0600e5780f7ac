package app

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/internal/metrics"
	"github.com/quotekit/quotekit/internal/reconcile"
	"github.com/quotekit/quotekit/internal/rest"
)

const metricsPath = "/metrics"

// isScrape reports whether a request asks for the metrics.
func isScrape(r *http.Request) bool { return r.URL.Path == metricsPath }

// newMetrics makes what is counted and looked up. What is not wired yet is asked for
// when somebody scrapes.
func (a *App) newMetrics() *metrics.Metrics {
	return metrics.New(metrics.Config{
		Version:         a.options.Version,
		Role:            string(a.options.Role),
		Routes:          slices.Concat(a.options.Routes, handlers.Fetched()),
		Operations:      a.options.Operations,
		OtherOperations: []string{batch.UndoOperation},
		Store:           a.store,
		Reconcile:       reconcile.KindReconcile,
		Prepared:        a.prepared.Load,
		Requests: func() []metrics.Requests {
			list := make([]metrics.Requests, len(a.shares))
			for i, s := range a.shares {
				list[i] = metrics.Requests{Kind: s.kind, InFlight: s.Taken(), Limit: s.Most(), TurnedAway: s.TurnedAway()}
			}
			return list
		},
		Waiting: func() (int, time.Duration) { return a.webhook.Waiting() },
		Now:     a.options.Now,
	})
}

// scrapers are those who may read the metrics: admins, and everybody on this machine if
// nobody else can connect. What a proxy passes on comes from elsewhere, and so, for all
// we know, does what was sent to a name of another machine.
func (a *App) scrapers() rest.Access {
	who := rest.Operators(a.operators, rest.RoleAdmin)
	who.Optional = true
	who.Doc = "Needs the role " + rest.RoleAdmin.String() + ", unless the service listens on a loopback address and the request was sent there directly."
	require := who.Middleware
	who.Middleware = func(next http.Handler) http.Handler {
		guarded := require(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if isLoopback(a.config.Addr) && !passedOn(r) {
				next.ServeHTTP(w, r)
				return
			}
			guarded.ServeHTTP(w, r)
		})
	}
	return who
}

// passedOn reports whether a request came by way of somebody else.
func passedOn(r *http.Request) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if len(r.Header.Values(name)) > 0 {
			return true
		}
	}
	return !isLoopback(r.Host) && !isLoopback(r.Host+":80")
}

// serveMetrics is the endpoint of the metrics.
func (a *App) serveMetrics() rest.Endpoint {
	return rest.Endpoint{
		ID: "getMetrics", Summary: "Metrics for Prometheus, in its text format", Tag: "service",
		Doc: "Names, units and meaning are in docs/metrics.md. It is answered also while the service waits for its database; " +
			"then `quotekit_database_up` is 0 and what is read from the tables is missing.",
		Answers: rest.Answers{http.StatusOK: {Text: []string{"text/plain"}}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var text bytes.Buffer
			if err := a.metrics.Write(&text); err != nil {
				rest.WriteError(w, r, a.options.Logger, fmt.Errorf("answer a scrape: %w", err))
				return
			}
			w.Header().Set("Content-Type", metrics.ContentType)
			w.Header().Set("Cache-Control", "no-store")
			_, _ = w.Write(text.Bytes()) // who has gone away does not want it
		}),
	}
}
