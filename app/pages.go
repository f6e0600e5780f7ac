package app

import (
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/monitor/dashboard"
)

// dashboardConfig is what the pages show and act through.
func (a *App) dashboardConfig(reads *monitor.Reads) dashboard.Config {
	c := dashboard.Config{
		Store: a.store, Reads: reads, Operator: a.webhook, Bulk: a.webhook, Tasks: a.tasks, Alerts: a.alerts,
		Groups: a.webhook, Revealer: a.webhook, Batches: a.batch, TestEvent: a.options.TestEvent,
		Tokens: a.config.AdminTokens, Setup: a.config.setup(), Dev: a.options.Dev, Version: a.options.Version,
		Now: a.options.Now, Logger: a.options.Logger,
	}
	if a.jwt != nil {
		c.JWT = a.jwt
	}
	for _, o := range a.options.Operations {
		c.Operations = append(c.Operations, o.Name)
	}
	for _, v := range a.config.values {
		c.Settings = append(c.Settings, dashboard.Setting{Name: v.Name, Value: v.Value, Origin: string(v.Origin)})
	}
	return c
}

// setup is what an operator has to set, and what is still missing.
func (c Config) setup() []dashboard.Check {
	value := func(name string) string {
		for _, v := range c.values {
			if v.Name == name {
				return v.Value
			}
		}
		return ""
	}
	return []dashboard.Check{
		{
			Name: "Signing secret of the endpoint", Variable: "STRIPE_WEBHOOK_SECRET", Value: value("STRIPE_WEBHOOK_SECRET"), OK: len(c.WebhookSecrets) > 0,
			Fix: "Without it webhooks are answered 503. Stripe shows it with the endpoint; stripe listen --print-secret prints that of the command line.",
		},
		{
			Name: "Stripe's API", Variable: "STRIPE_SECRET_KEY", Value: value("STRIPE_SECRET_KEY"), OK: c.StripeSecretKey != "",
			Fix: "Without it missed events cannot be found, nor the current object fetched before a replay.",
		},
		{
			Name: "Users of the application", Variable: "SUPABASE_URL", Value: value("SUPABASE_URL"), OK: c.SupabaseJWKSURL != "" || len(c.jwtSecrets()) > 0,
			Fix: "Without it, or SUPABASE_JWT_SECRET, nobody can submit bulk operations.",
		},
		{
			Name: "Where alerts go", Variable: "QUOTEKIT_ALERT_SLACK_URL", Value: value("QUOTEKIT_ALERT_SLACK_URL"), OK: c.hasAlertChannel(),
			Fix: "Without a channel alerts are only shown here. QUOTEKIT_ALERT_WEBHOOK_URL and QUOTEKIT_ALERT_EMAIL are others.",
		},
	}
}
