package app

import (
	"context"
	"net/http"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

// isHealthCheck reports whether a request asks for the health of the process.
func isHealthCheck(r *http.Request) bool {
	return r.URL.Path == "/livez" || r.URL.Path == "/readyz"
}

// checkReady fails while requests should go to another process.
func (a *App) checkReady(r *http.Request) error {
	switch {
	case a.draining.Load():
		return quotekit.Errorf(quotekit.EUnavailable, "stopping")
	case !a.prepared.Load():
		return quotekit.Errorf(quotekit.EUnavailable, "waiting for the database")
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	return a.store.Check(ctx)
}

// HealthCheck is the answer of a health check.
type HealthCheck struct {
	Status string `json:"status" enum:"ok,fail"`
}

// health answers ok, or 503 without saying more: nobody is asked who he is.
func health(id, summary string, check func(*http.Request) error) rest.Endpoint {
	return rest.Endpoint{
		ID: id, Summary: summary, Tag: "service",
		Answers: rest.Answers{http.StatusOK: {JSON: HealthCheck{}}, http.StatusServiceUnavailable: {JSON: HealthCheck{}}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			if err := check(r); err != nil {
				rest.WriteJSON(w, r, http.StatusServiceUnavailable, HealthCheck{"fail"})
				return
			}
			rest.WriteJSON(w, r, http.StatusOK, HealthCheck{"ok"})
		}),
	}
}
