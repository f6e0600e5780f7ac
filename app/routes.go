package app

import (
	"context"
	"net/http"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/application"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/webhook"
)

// addRoutes has every URL of the service. All but pages go through r, which
// describes them in /openapi.json.
func (a *App) addRoutes(mux *http.ServeMux) (*rest.Router, error) {
	r := rest.NewRouter(mux, a.options.Version)
	anybody := rest.Access{}
	r.Add("GET /livez", anybody, health("isLive", "Whether the process lives", func(*http.Request) error { return nil }))
	r.Add("GET /readyz", anybody, health("isReady", "Whether requests are welcome: the database answers, and the service is not stopping", a.checkReady))
	if a.options.Extra != nil {
		a.options.Extra(mux)
	}
	if a.options.Role == RoleWorker {
		return r, r.Finish()
	}

	// Stripe.
	r.Add("POST /webhooks/stripe", anybody, a.webhook.Receiver())
	r.Add("POST /api/webhooks/stripe", anybody, a.webhook.Receiver().As("receiveStripeEventAtOldPath"))

	// Operators.
	api := &monitor.API{Store: a.store, Operator: a.webhook, Logger: a.options.Logger}
	views := rest.Operators(a.operators, rest.RoleViewer)
	acts := rest.Operators(a.operators, rest.RoleOperator)
	r.Add("GET /v1/monitor/events", views, api.ListEvents())
	r.Add("GET /v1/monitor/events/{event_id}", views, api.GetEvent())
	r.Add("POST /v1/monitor/events/{event_id}/replay", acts, api.ReplayEvent())
	r.Add("GET /v1/monitor/dead-letter-queue", views, api.ListDeadLetters())
	r.Add("GET /v1/monitor/dead-letter-queue/{id}", views, api.GetDeadLetter())
	r.Add("POST /v1/monitor/dead-letter-queue/{id}/retry", acts, api.RetryDeadLetter())
	r.Add("POST /v1/monitor/dead-letter-queue/{id}/resolve", acts, api.ResolveDeadLetter())

	// Users of the application.
	users := rest.Users(a.users)
	r.Add("GET /v1/operations", users, a.batch.ListOperations())
	r.Add("POST /v1/batch-jobs", users, a.batch.SubmitJob())
	r.Add("GET /v1/batch-jobs", users, a.batch.ListJobs())
	r.Add("GET /v1/batch-jobs/{id}", users, a.batch.GetJob())
	r.Add("GET /v1/batch-jobs/{id}/results", users, a.batch.JobResults())
	r.Add("GET /v1/batch-jobs/{id}/events", users, a.batch.JobEvents())
	r.Add("GET /v1/batch-jobs/{id}/export", users, a.batch.JobExport())
	r.Add("POST /v1/batch-jobs/{id}/cancel", users, a.batch.CancelJob())
	r.Add("POST /v1/batch-jobs/{id}/retry-failed", users, a.batch.RetryFailedJob())
	r.Add("POST /v1/batch-jobs/{id}/undo", users, a.batch.UndoJob())

	rows := &application.API{Store: a.store, Logger: a.options.Logger}
	r.Add("GET /v1/quotes", users, rows.ListQuotes())
	r.Add("GET /v1/quotes/{id}", users, rows.GetQuote())
	r.Add("GET /v1/clients", users, rows.ListClients())
	r.Add("GET /v1/clients/{id}", users, rows.GetClient())
	r.Add("GET /v1/items", users, rows.ListItems())
	r.Add("GET /v1/items/{id}", users, rows.GetItem())

	// Pages and the document.
	home, err := monitor.Home(a.options.Version, len(a.config.WebhookSecrets) > 0, a.options.Routes)
	if err != nil {
		return nil, err
	}
	mux.Handle("GET /{$}", home)
	mux.Handle("GET /static/", monitor.Static())
	r.Add("GET /openapi.json", anybody, r.ServeDocument())
	return r, r.Finish()
}

// OpenAPI returns the document of a service of this version, without its database.
func OpenAPI(version string) ([]byte, error) {
	a := &App{options: Options{Version: version, Role: RoleAll}, webhook: new(webhook.Service), batch: new(batch.Service)}
	r, err := a.addRoutes(http.NewServeMux())
	if err != nil {
		return nil, err
	}
	return r.Document(), nil
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

// Health is the answer of a health check.
type Health struct {
	Status string `json:"status" enum:"ok,fail"`
}

// health answers ok, or 503 without saying more: nobody is asked who he is.
func health(id, summary string, check func(*http.Request) error) rest.Endpoint {
	return rest.Endpoint{
		ID: id, Summary: summary, Tag: "service",
		Answers: rest.Answers{http.StatusOK: {JSON: Health{}}, http.StatusServiceUnavailable: {JSON: Health{}}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			if err := check(r); err != nil {
				rest.WriteJSON(w, r, http.StatusServiceUnavailable, Health{"fail"})
				return
			}
			rest.WriteJSON(w, r, http.StatusOK, Health{"ok"})
		}),
	}
}
