package app

import (
	"net/http"

	"github.com/quotekit/quotekit/internal/alert"
	"github.com/quotekit/quotekit/internal/application"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/internal/manual"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/monitor/dashboard"
	"github.com/quotekit/quotekit/internal/reconcile"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/webhook"
)

// Where Stripe delivers to. These have their own share of the requests in flight.
const (
	webhookPath    = "/webhooks/stripe"
	oldWebhookPath = "/api/webhooks/stripe"
)

func isWebhook(r *http.Request) bool {
	return r.URL.Path == webhookPath || r.URL.Path == oldWebhookPath
}

// addRoutes has every URL of the service. All but pages go through r, which
// describes them in /openapi.json.
func (a *App) addRoutes(mux *http.ServeMux) (*rest.Router, error) {
	r := rest.NewRouter(mux, a.options.Version)
	anybody := rest.Access{}
	r.Add("GET /livez", anybody, health("isLive", "Whether the process lives", func(*http.Request) error { return nil }))
	r.Add("GET /readyz", anybody, health("isReady", "Whether requests are welcome: the database answers and can be written, the tables are up to date, and the service is not stopping", a.checkReady))
	r.Add("GET "+metricsPath, a.scrapers(), a.serveMetrics())
	if a.options.Extra != nil {
		a.options.Extra(mux)
	}
	if a.options.Role == RoleWorker {
		return r, r.Finish()
	}

	// Stripe.
	r.Add("POST "+webhookPath, anybody, a.webhook.Receiver())
	r.Add("POST "+oldWebhookPath, anybody, a.webhook.Receiver().As("receiveStripeEventAtOldPath"))

	// Operators.
	reads := &monitor.Reads{
		Store: a.store, Alerts: a.alerts, Routes: a.options.Routes, Now: a.options.Now,
		MinutesKept: days(a.config.Retention.MinuteDays), HoursKept: days(a.config.Retention.HourDays),
	}
	if a.fetcher != nil {
		reads.Stripe = a.fetcher
	}
	api := &monitor.API{
		Store: a.store, Operator: a.webhook, Bulk: a.webhook, Tasks: a.tasks, Reads: reads, Alerts: a.alerts,
		Groups: a.webhook, Revealer: a.webhook, Batches: a.batch, Forgetter: a.forget, Logger: a.options.Logger,
	}
	views := rest.Operators(a.operators, rest.RoleViewer)
	acts := rest.Operators(a.operators, rest.RoleOperator)
	admins := rest.Operators(a.operators, rest.RoleAdmin)
	r.Add("GET /v1/monitor/overview", views, api.GetOverview())
	r.Add("GET /v1/monitor/performance", views, api.GetPerformance())
	r.Add("GET /v1/monitor/events", views, api.ListEvents())
	r.Add("GET /v1/monitor/events/{event_id}", views, api.GetEvent())
	r.Add("POST /v1/monitor/events/{event_id}/replay", acts, api.ReplayEvent())
	r.Add("POST /v1/monitor/events/{event_id}/compare", acts, api.CompareEvent())
	r.Add("POST /v1/monitor/events/{event_id}/reveal", admins, api.RevealEvent())
	r.Add("GET /v1/monitor/objects/{id}", views, api.GetObject())
	r.Add("GET /v1/monitor/search", views, api.FindAnything())
	r.Add("GET /v1/monitor/dead-letter-queue", views, api.ListDeadLetters())
	r.Add("GET /v1/monitor/dead-letter-queue/{id}", views, api.GetDeadLetter())
	r.Add("POST /v1/monitor/dead-letter-queue/{id}/retry", acts, api.RetryDeadLetter())
	r.Add("POST /v1/monitor/dead-letter-queue/{id}/resolve", acts, api.ResolveDeadLetter())
	r.Add("GET /v1/monitor/error-groups", views, api.ListErrorGroups())
	r.Add("POST /v1/monitor/error-groups/{id}/acknowledge", acts, api.AcknowledgeErrorGroup())
	r.Add("POST /v1/monitor/error-groups/{id}/ignore", acts, api.IgnoreErrorGroup())
	r.Add("POST /v1/monitor/error-groups/{id}/reopen", acts, api.ReopenErrorGroup())
	r.Add("GET /v1/monitor/audit-trail", views, api.ListAuditTrail())
	r.Add("GET /v1/monitor/audit-trail/verify", views, api.VerifyAuditTrail())
	r.Add("GET /v1/monitor/batch-jobs", views, api.ListAllBatchJobs())
	r.Add("GET /v1/monitor/batch-jobs/{id}", views, api.GetAnyBatchJob())
	r.Add("POST /v1/monitor/batch-jobs/{id}/cancel", acts, api.CancelAnyBatchJob())
	r.Add("POST /v1/monitor/batch-jobs/{id}/undo", acts, api.UndoAnyBatchJob())
	r.Add("POST /v1/monitor/batch-jobs/{id}/retry-failed", acts, api.RetryFailedOfAnyBatchJob())
	r.Add("POST /v1/monitor/reconcile", acts, a.gaps.Reconcile())
	r.Add("POST /v1/monitor/backfill", acts, a.gaps.Backfill())
	r.Add("POST /v1/monitor/forget", admins, api.ForgetPerson())

	r.Add("POST /v1/monitor/dead-letter-queue/bulk", acts, api.BulkDeadLetters())
	r.Add("GET /v1/monitor/tasks", views, api.ListTasks())
	r.Add("GET /v1/monitor/tasks/{id}", views, api.GetTask())
	r.Add("GET /v1/monitor/tasks/{id}/results", views, api.TaskResults())
	r.Add("POST /v1/monitor/tasks/{id}/cancel", acts, api.CancelTask())
	r.Add("POST /v1/monitor/tasks/{id}/pause", acts, api.PauseTask())
	r.Add("POST /v1/monitor/tasks/{id}/resume", acts, api.ResumeTask())
	r.Add("POST /v1/monitor/tasks/{id}/rate", acts, api.RateTask())
	r.Add("GET /v1/monitor/alerts", views, api.ListAlerts())
	r.Add("GET /v1/monitor/alerts/rules", views, api.ListAlertRules())
	r.Add("POST /v1/monitor/alerts/test", acts, api.TestAlerts())
	r.Add("POST /v1/monitor/alerts/{id}/acknowledge", acts, api.AcknowledgeAlert())
	r.Add("POST /v1/monitor/alerts/{id}/silence", acts, api.SilenceAlert())
	r.Add("POST /v1/monitor/alerts/{id}/unsilence", acts, api.UnsilenceAlert())

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
	pages, err := manual.New(a.options.Version, r.Document)
	if err != nil {
		return nil, err
	}
	mux.Handle("GET /docs", pages)
	mux.Handle("GET /docs/", pages)
	if a.dashboard, err = dashboard.New(a.dashboardConfig(reads)); err != nil {
		return nil, err
	}
	mux.Handle("/dashboard", a.dashboard)
	mux.Handle("/dashboard/", a.dashboard)
	mux.Handle("GET /static/dashboard/", dashboard.Static())
	r.Add("GET /openapi.json", anybody, r.ServeDocument())
	return r, r.Finish()
}

// OpenAPI returns the document of a service of this version, without its database.
func OpenAPI(version string) ([]byte, error) {
	a := &App{options: Options{Version: version, Role: RoleAll}, webhook: new(webhook.Service), batch: new(batch.Service), gaps: new(reconcile.Service), alerts: new(alert.Service)}
	r, err := a.addRoutes(http.NewServeMux())
	if err != nil {
		return nil, err
	}
	return r.Document(), nil
}
