package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

// alertmanagerKeeps is how long Alertmanager goes on without hearing of an alert: it
// is told with the reminders, every four hours.
const alertmanagerKeeps = 12 * time.Hour

// alertmanager posts to version 2 of Alertmanager's API.
type alertmanager struct {
	poster
	linker
	url string
	now func() time.Time
}

// alertmanagerURL takes the address of Alertmanager, or that of its API.
func alertmanagerURL(base string) string {
	const path = "/api/v2/alerts"
	return strings.TrimSuffix(strings.TrimRight(base, "/"), path) + path
}

// postableAlert is an alert as Alertmanager takes it. Its labels are its identity.
type postableAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

func (a *alertmanager) name() string { return Alertmanager }

func (a *alertmanager) send(ctx context.Context, m message) error {
	var alerts []postableAlert
	for _, i := range m.Items {
		alerts = append(alerts, a.postable(i)...)
	}
	b, err := json.Marshal(alerts)
	if err != nil {
		return fmt.Errorf("encode message %s: %w", m.ID, err)
	}
	return a.post(ctx, a.url, b, nil)
}

// postable makes of an alert what Alertmanager is told. The severity is a label, so
// that it can be routed by; an alert that became worse is another one there, and what
// it was before ends.
func (a *alertmanager) postable(i item) []postableAlert {
	now := a.now().UTC()
	ends := now.Add(alertmanagerKeeps)
	severities := []quotekit.AlertSeverity{i.Alert.Severity}
	switch i.Event {
	case toldTest:
		ends = now.Add(time.Minute)
	case toldResolved:
		ends = now
		severities = []quotekit.AlertSeverity{quotekit.AlertWarning, quotekit.AlertCritical}
	}
	var list []postableAlert
	for _, s := range severities {
		list = append(list, a.labelled(i.Alert, s, ends))
	}
	if i.Event == toldWorse {
		list = append(list, a.labelled(i.Alert, quotekit.AlertWarning, now))
	}
	return list
}

func (a *alertmanager) labelled(alert quotekit.Alert, severity quotekit.AlertSeverity, ends time.Time) postableAlert {
	p := postableAlert{
		Labels:      map[string]string{"alertname": alert.Rule, "service": "quotekit", "severity": string(severity)},
		Annotations: map[string]string{"summary": alert.Summary, "runbook_url": alert.Runbook},
		StartsAt:    alert.Since.UTC(), EndsAt: ends,
	}
	if alert.Subject != "" {
		p.Labels["subject"] = alert.Subject
	}
	if a.base != "" { // it has to be a whole URL
		p.GeneratorURL = a.link(alert.Link)
	}
	return p
}
