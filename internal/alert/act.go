package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// longestSilence is how long an alert can be kept quiet.
const longestSilence = 30 * 24 * time.Hour

// standing is how an alert stands, in the audit trail.
type standing struct {
	State         quotekit.AlertState `json:"state"`
	SilencedUntil *time.Time          `json:"silenced_until,omitempty"`
}

// Acknowledge notes that somebody works on an alert. One that is resolved is an
// [quotekit.EConflict].
func (s *Service) Acknowledge(ctx context.Context, id string, act quotekit.Act) (quotekit.Alert, error) {
	return s.act(ctx, id, store.AuditAlertAcknowledge, act, func(a *store.AlertRow) error {
		a.State, a.AcknowledgedBy = quotekit.AlertAcknowledged, act.Actor
		return nil
	})
}

// Silence keeps an alert quiet until an instant.
func (s *Service) Silence(ctx context.Context, id string, until time.Time, act quotekit.Act) (quotekit.Alert, error) {
	return s.act(ctx, id, store.AuditAlertSilence, act, func(a *store.AlertRow) error {
		switch left := until.Sub(s.Now()); {
		case left <= 0:
			return quotekit.Errorf(quotekit.EInvalid, "the silence would end in the past")
		case left > longestSilence:
			return quotekit.Errorf(quotekit.EInvalid, "a silence has 30 days at most")
		}
		a.SilencedUntil = until
		return nil
	})
}

// Unsilence ends a silence. An alert that is not silenced stays as it is.
func (s *Service) Unsilence(ctx context.Context, id string, act quotekit.Act) (quotekit.Alert, error) {
	return s.act(ctx, id, store.AuditAlertUnsilence, act, func(a *store.AlertRow) error {
		a.SilencedUntil = time.Time{}
		return nil
	})
}

// act changes an alert that is not resolved, and writes it to the audit trail.
func (s *Service) act(ctx context.Context, id, action string, act quotekit.Act, change func(*store.AlertRow) error) (quotekit.Alert, error) {
	var shown quotekit.Alert
	err := s.store.WithTx(ctx, func(tx *store.Tx) error {
		if err := tx.LockAlerts(ctx); err != nil {
			return err
		}
		a, err := tx.Alert(ctx, id)
		if err != nil {
			return err
		}
		if a.State == quotekit.AlertResolved {
			return quotekit.Errorf(quotekit.EConflict, "the alert is resolved")
		}
		before := s.show(a)
		if err := change(&a); err != nil {
			return err
		}
		if act.Reason != "" {
			a.Note = act.Reason
		}
		a.UpdatedAt = tx.Now
		if err := tx.SaveAlerts(ctx, []store.AlertRow{a}); err != nil {
			return err
		}
		shown = s.show(a)
		return tx.Audit(ctx, []store.AuditEntry{{
			Actor: act.Actor, Action: action, Target: id, Reason: act.Reason, RequestID: act.RequestID,
			Before: standing{before.State, before.SilencedUntil}, After: standing{shown.State, shown.SilencedUntil},
		}})
	})
	return shown, err
}

// Test sends a test through every channel, and returns its deliveries. Without a
// channel it is a conflict.
func (s *Service) Test(ctx context.Context, act quotekit.Act) ([]quotekit.AlertDelivery, error) {
	if len(s.channels) == 0 {
		return nil, rest.NewProblem(http.StatusConflict, "alert_channel_missing",
			"Alerts reach nobody: set QUOTEKIT_ALERT_WEBHOOK_URL, QUOTEKIT_ALERT_SLACK_URL, QUOTEKIT_ALERT_EMAIL or QUOTEKIT_ALERTMANAGER_URL.")
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	alert, err := json.Marshal(quotekit.Alert{
		ID: quotekit.NewID(), Rule: toldTest, State: quotekit.AlertFiring, Severity: quotekit.AlertWarning,
		Summary: "This is a test of the alerts of QuoteKit. Nothing is wrong.", Since: now, UpdatedAt: now,
		Link: "/dashboard/alerts", Runbook: runbooks + toldTest,
	})
	if err != nil {
		return nil, fmt.Errorf("encode a test: %w", err)
	}
	var told []quotekit.AlertDelivery
	err = s.store.WithTx(ctx, func(tx *store.Tx) error {
		told = nil
		for _, c := range s.channels {
			d := store.AlertDelivery{
				AlertDelivery: quotekit.AlertDelivery{
					ID: quotekit.NewID(), Rule: toldTest, Event: toldTest, Channel: c.name(), Status: deliveryPending, CreatedAt: tx.Now,
				},
				MessageID: quotekit.NewID(), Alert: alert,
			}
			told = append(told, d.AlertDelivery)
			if err := tx.InsertAlertDeliveries(ctx, []store.AlertDelivery{d}); err != nil {
				return err
			}
			if err := s.wake(ctx, tx, d.MessageID); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, []store.AuditEntry{{
			Actor: act.Actor, Action: store.AuditAlertTest, Reason: act.Reason, RequestID: act.RequestID,
		}})
	})
	return told, err
}
