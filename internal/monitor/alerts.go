package monitor

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

// AlertActor is package alert's. Every act is audited.
type AlertActor interface {
	// Acknowledge notes that somebody works on an alert. One that is resolved is an
	// [quotekit.EConflict].
	Acknowledge(ctx context.Context, id string, act quotekit.Act) (quotekit.Alert, error)
	// Silence keeps an alert quiet until an instant.
	Silence(ctx context.Context, id string, until time.Time, act quotekit.Act) (quotekit.Alert, error)
	// Unsilence ends a silence.
	Unsilence(ctx context.Context, id string, act quotekit.Act) (quotekit.Alert, error)
	// Test sends a test through every channel. Without a channel it is a conflict.
	Test(ctx context.Context, act quotekit.Act) ([]quotekit.AlertDelivery, error)
	// AlertRules lists the rules with their limits.
	AlertRules() []quotekit.AlertRule
}

// shownDeliveries is how many deliveries a list of alerts has.
const shownDeliveries = 50

// AlertList is what should wake somebody: all alerts that are not resolved, and
// those that were resolved in a range of time or later.
func (r *Reads) AlertList(ctx context.Context, in Range) (AlertList, error) {
	alerts, err := r.Alerts.ListAlerts(ctx, in.From)
	if err != nil {
		return AlertList{}, err
	}
	deliveries, err := r.Alerts.AlertDeliveries(ctx, shownDeliveries)
	if err != nil {
		return AlertList{}, err
	}
	return AlertList{Items: alerts, Deliveries: deliveries}, nil
}

// ListAlerts lists alerts.
func (a *API) ListAlerts() rest.Endpoint {
	return rest.Endpoint{
		ID: "listAlerts", Summary: "List what should wake somebody", Tag: alertsTag,
		Doc: "All alerts that are not resolved, the worst and newest first, then those that were resolved since the beginning of the range, " +
			"and the last deliveries. There is one page.",
		Query:    rangeParams,
		Answers:  rest.Answers{http.StatusOK: {JSON: AlertList{}}},
		Problems: []int{http.StatusBadRequest},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadQuery(r, rangeParams...)
			if err != nil {
				return err
			}
			in, err := ParseRange(q, a.Reads.Now(), standardRange)
			if err != nil {
				return err
			}
			list, err := a.Reads.AlertList(r.Context(), in)
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, list)
			return nil
		}),
	}
}

// AlertRuleList are the rules.
type AlertRuleList struct {
	Items []quotekit.AlertRule `json:"items"`
}

// ListAlertRules lists the rules with their limits.
func (a *API) ListAlertRules() rest.Endpoint {
	return rest.Endpoint{
		ID: "listAlertRules", Summary: "List the rules of alerts with their limits", Tag: alertsTag,
		Answers: rest.Answers{http.StatusOK: {JSON: AlertRuleList{}}},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			rest.WriteJSON(w, r, http.StatusOK, AlertRuleList{a.Alerts.AlertRules()})
			return nil
		}),
	}
}

// AlertReason is the body of an act on an alert.
type AlertReason struct {
	Reason string `json:"reason,omitempty" doc:"Why, for the audit trail and for those who see the alert; at most 2,000 bytes."`
}

// SilenceRequest is the body of a silence.
type SilenceRequest struct {
	Until  *time.Time `json:"until,omitempty" doc:"When the silence ends, in 30 days at most."`
	For    string     `json:"for,omitempty" doc:"Instead of until: how long it lasts, like 30m, 2h or 1d." example:"2h"`
	Reason string     `json:"reason,omitempty" doc:"Why, for the audit trail and for those who see the alert; at most 2,000 bytes."`
}

var alertID = []rest.Param{{Name: "id", Doc: "The id of an alert.", Type: uuid.UUID{}}}

// alertOf is the id of the URL. What is no UUID is the id of no alert.
func alertOf(r *http.Request) (string, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil || len(r.PathValue("id")) != 36 {
		return "", quotekit.Errorf(quotekit.ENotFound, "there is no such alert")
	}
	return id.String(), nil
}

// AcknowledgeAlert takes an alert on.
func (a *API) AcknowledgeAlert() rest.Endpoint {
	return a.actOnAlert(rest.Endpoint{
		ID: "acknowledgeAlert", Summary: "Note that somebody works on an alert",
		Doc: "There are no reminders of it any more. It is told of again only if it becomes worse, and when it is resolved.",
	}, func(ctx context.Context, id string, act quotekit.Act) (quotekit.Alert, error) {
		return a.Alerts.Acknowledge(ctx, id, act)
	})
}

// UnsilenceAlert ends a silence.
func (a *API) UnsilenceAlert() rest.Endpoint {
	return a.actOnAlert(rest.Endpoint{ID: "unsilenceAlert", Summary: "End the silence of an alert"},
		func(ctx context.Context, id string, act quotekit.Act) (quotekit.Alert, error) {
			return a.Alerts.Unsilence(ctx, id, act)
		})
}

// actOnAlert is an act that needs no more than a reason.
func (a *API) actOnAlert(e rest.Endpoint, do func(context.Context, string, quotekit.Act) (quotekit.Alert, error)) rest.Endpoint {
	e.Tag, e.Path = alertsTag, alertID
	e.Body = &rest.Body{Type: AlertReason{}, Optional: true}
	e.Answers = rest.Answers{http.StatusOK: {JSON: quotekit.Alert{}}}
	e.Problems = []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict}
	e.Handler = rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
		var body AlertReason
		if err := readBody(w, r, &body, `{"reason": "…"}`); err != nil {
			return err
		}
		act, err := ActOf(r, body.Reason)
		if err != nil {
			return err
		}
		id, err := alertOf(r)
		if err != nil {
			return err
		}
		alert, err := do(r.Context(), id, act)
		if err != nil {
			return err
		}
		rest.WriteJSON(w, r, http.StatusOK, alert)
		return nil
	})
	return e
}

// SilenceAlert keeps an alert quiet.
func (a *API) SilenceAlert() rest.Endpoint {
	return rest.Endpoint{
		ID: "silenceAlert", Summary: "Keep an alert quiet until an instant", Tag: alertsTag, Path: alertID,
		Doc:      "Nobody is told of it until then, not even if it becomes worse or is resolved. If it is resolved and comes back, it is still quiet.",
		Body:     &rest.Body{Type: SilenceRequest{}},
		Answers:  rest.Answers{http.StatusOK: {JSON: quotekit.Alert{}}},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			var body SilenceRequest
			if err := readBody(w, r, &body, `{"for": "2h", "reason": "…"}`); err != nil {
				return err
			}
			act, err := ActOf(r, body.Reason)
			if err != nil {
				return err
			}
			until, err := body.end(a.Reads.Now())
			if err != nil {
				return err
			}
			id, err := alertOf(r)
			if err != nil {
				return err
			}
			alert, err := a.Alerts.Silence(r.Context(), id, until, act)
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, alert)
			return nil
		}),
	}
}

// end is when a silence ends.
func (s SilenceRequest) end(now time.Time) (time.Time, error) {
	switch {
	case (s.Until == nil) == (s.For == ""):
		return time.Time{}, invalid("body", "want until or for, one of them")
	case s.Until != nil:
		return *s.Until, nil
	}
	length, err := quotekit.ParseAge(s.For)
	if err != nil {
		return time.Time{}, invalid("body.for", err.Error())
	}
	return now.Add(length), nil
}

// TestedAlerts are the deliveries of a test.
type TestedAlerts struct {
	Deliveries []quotekit.AlertDelivery `json:"deliveries" doc:"One for each channel. What becomes of them is in the list of alerts."`
}

// TestAlerts sends a test.
func (a *API) TestAlerts() rest.Endpoint {
	return rest.Endpoint{
		ID: "testAlerts", Summary: "Send a test through every channel of alerts", Tag: alertsTag,
		Body: &rest.Body{Type: AlertReason{}, Optional: true},
		Answers: rest.Answers{
			http.StatusAccepted: {JSON: TestedAlerts{}},
			http.StatusConflict: {Doc: "No channel is configured: `alert_channel_missing`.", JSON: rest.Problem{}},
		},
		Problems: []int{http.StatusBadRequest},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			var body AlertReason
			if err := readBody(w, r, &body, `{"reason": "…"}`); err != nil {
				return err
			}
			act, err := ActOf(r, body.Reason)
			if err != nil {
				return err
			}
			deliveries, err := a.Alerts.Test(r.Context(), act)
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusAccepted, TestedAlerts{deliveries})
			return nil
		}),
	}
}
