package alert

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
)

// runbooks is where the documentation tells what to do about each rule.
const runbooks = "https://github.com/quotekit/quotekit/blob/main/docs/alerts.md#"

// Config is what the service needs to know beside its store.
type Config struct {
	// Limits are those of rules whose own do not count; see [ParseLimits].
	Limits map[string]Limits
	// ExpectedVersion is the API version that events should have; empty if any will
	// do, as long as it is one.
	ExpectedVersion string
	Channels        Channels
	// PublicURL is where people reach the service; empty leaves links without it.
	PublicURL string
	// Clocks tells how far our clock is ahead of others, by their names.
	Clocks func() map[string]time.Duration
	Now    func() time.Time
	Logger *slog.Logger
}

// Service evaluates the rules, delivers alerts and takes the acts of operators.
type Service struct {
	Config
	store    *store.Store
	jobs     *jobs.Client
	rules    []Rule
	limits   map[string]Limits // of all rules
	channels []channel
}

// New makes the service and adds its workers to those of River.
func New(s *store.Store, client *jobs.Client, workers *river.Workers, c Config) (*Service, error) {
	channels, err := c.Channels.open(c.PublicURL, c.Now)
	if err != nil {
		return nil, err
	}
	a := &Service{Config: c, store: s, jobs: client, rules: Rules(), limits: map[string]Limits{}, channels: channels}
	for _, r := range a.rules {
		a.limits[r.Name] = r.Limits
	}
	maps.Copy(a.limits, c.Limits)
	river.AddWorker(workers, &evaluateWorker{service: a})
	river.AddWorker(workers, &deliverWorker{service: a})
	return a, nil
}

// AlertRules lists the rules with their limits.
func (s *Service) AlertRules() []quotekit.AlertRule {
	list := make([]quotekit.AlertRule, len(s.rules))
	for i, r := range s.rules {
		l := s.limits[r.Name]
		list[i] = quotekit.AlertRule{
			Name: r.Name, Measures: r.Measures, Unit: string(r.Unit), Enabled: !l.Off,
			Warning: l.Warning, Critical: l.Critical, Below: r.Below, Runbook: runbooks + r.Name,
		}
	}
	return list
}

// ListAlerts returns all alerts that are not resolved, the worst and newest
// first, and then those that were resolved since an instant.
func (s *Service) ListAlerts(ctx context.Context, resolvedSince time.Time) ([]quotekit.Alert, error) {
	rows, err := s.store.Alerts(ctx, resolvedSince)
	if err != nil {
		return nil, err
	}
	alerts := make([]quotekit.Alert, len(rows))
	for i, a := range rows {
		alerts[i] = s.show(a)
	}
	return alerts, nil
}

// AlertDeliveries returns the last deliveries, newest first.
func (s *Service) AlertDeliveries(ctx context.Context, limit int) ([]quotekit.AlertDelivery, error) {
	rows, err := s.store.AlertDeliveries(ctx, limit)
	if err != nil {
		return nil, err
	}
	deliveries := make([]quotekit.AlertDelivery, len(rows))
	for i, d := range rows {
		deliveries[i] = d.AlertDelivery
	}
	return deliveries, nil
}

// show makes of a row what people see now.
func (s *Service) show(a store.AlertRow) quotekit.Alert {
	shown := quotekit.Alert{
		ID: a.ID, Rule: a.Rule, Subject: a.Subject, State: a.State, Severity: a.Severity, Summary: a.Summary,
		Value: a.Value, Threshold: a.Threshold, Unit: a.Unit, Since: a.Since, UpdatedAt: a.UpdatedAt,
		ResolvedAt: happened(a.ResolvedAt), AcknowledgedBy: a.AcknowledgedBy, Note: a.Note, Link: "/dashboard/alerts",
		Runbook: runbooks + a.Rule,
	}
	if a.SilencedUntil.After(s.Now()) && a.State != quotekit.AlertResolved {
		shown.State, shown.SilencedUntil = quotekit.AlertSilenced, happened(a.SilencedUntil)
	}
	if i := slices.IndexFunc(s.rules, func(r Rule) bool { return r.Name == a.Rule }); i >= 0 {
		shown.Link = s.rules[i].page(a.Subject)
	}
	return shown
}

// page is the page of a subject.
func (r Rule) page(subject string) string {
	if !strings.Contains(r.Page, "%s") {
		return r.Page
	}
	return fmt.Sprintf(r.Page, url.QueryEscape(subject))
}

func happened(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
