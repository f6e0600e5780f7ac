package app

import (
	"context"
	"net/http"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/rest"
)

// addRoutes has every URL of the service.
func (a *App) addRoutes(mux *http.ServeMux) error {
	mux.Handle("GET /livez", health(func(*http.Request) error { return nil }))
	mux.Handle("GET /readyz", health(a.checkReady))
	if a.options.Extra != nil {
		a.options.Extra(mux)
	}
	if a.options.Role == RoleWorker {
		return nil
	}

	// Stripe. Without a method in the pattern: the receiver refuses in its own order.
	mux.Handle("/webhooks/stripe", a.webhook.Receiver())
	mux.Handle("/api/webhooks/stripe", a.webhook.Receiver())

	// Operators.
	api := &monitor.API{Store: a.store, Operator: a.webhook, Logger: a.options.Logger}
	operators := rest.OperatorTokens(a.config.AdminTokens)
	views := rest.Require(operators, rest.RoleViewer)
	acts := rest.Require(operators, rest.RoleOperator)
	mux.Handle("GET /v1/monitor/events", views(api.ListEvents()))
	mux.Handle("GET /v1/monitor/events/{event_id}", views(api.GetEvent()))
	mux.Handle("POST /v1/monitor/events/{event_id}/replay", acts(api.ReplayEvent()))
	mux.Handle("GET /v1/monitor/dead-letter-queue", views(api.ListDeadLetters()))
	mux.Handle("GET /v1/monitor/dead-letter-queue/{id}", views(api.GetDeadLetter()))
	mux.Handle("POST /v1/monitor/dead-letter-queue/{id}/retry", acts(api.RetryDeadLetter()))
	mux.Handle("POST /v1/monitor/dead-letter-queue/{id}/resolve", acts(api.ResolveDeadLetter()))

	// Pages.
	home, err := monitor.Home(a.options.Version, len(a.config.WebhookSecrets) > 0, a.options.Routes)
	if err != nil {
		return err
	}
	mux.Handle("GET /{$}", home)
	mux.Handle("GET /static/", monitor.Static())
	return nil
}

// checkReady fails while requests should go to another process.
func (a *App) checkReady(r *http.Request) error {
	if a.draining.Load() {
		return quotekit.Errorf(quotekit.EUnavailable, "stopping")
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	return a.store.Ping(ctx)
}

// health answers ok, or 503 without saying more: nobody is asked who he is.
func health(check func(*http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if err := check(r); err != nil {
			rest.WriteJSON(w, r, http.StatusServiceUnavailable, map[string]string{"status": "fail"})
			return
		}
		rest.WriteJSON(w, r, http.StatusOK, map[string]string{"status": "ok"})
	})
}
