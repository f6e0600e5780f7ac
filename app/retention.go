package app

import (
	"time"

	"github.com/quotekit/quotekit/internal/retention"
)

// Retention is how many days what is kept, from when it came, or was resolved; 0 is
// for ever.
type Retention struct {
	// EventDays are those of the ids of events: at least 45, which is longer than
	// Stripe can deliver one again.
	EventDays int
	// PayloadDays are those of their payloads, and of those of resolved dead letters.
	PayloadDays int
	// LogDays are those of webhook_processing_logs.
	LogDays int
	// DeliveryDays and ActDays are those of the audit trail: of deliveries and what
	// happens by itself, and of what operators did. Its table lets nothing younger than
	// 90 days go.
	DeliveryDays, ActDays int
	// MinuteDays and HourDays are those of counts and times by minute and by hour.
	// Refused requests are counted by minute.
	MinuteDays, HourDays int
	// DeadLetterDays are those of resolved dead letters.
	DeadLetterDays int
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }

// contradictions finds what is wrong between values that are each right.
func (r Retention) contradictions(wrong map[string]bool) (problems []string) {
	longer := func(name string, n int, than string, most int, why string) {
		if !wrong[name] && !wrong[than] && most != 0 && (n == 0 || n > most) {
			problems = append(problems, name+" is longer than "+than+": "+why)
		}
	}
	longer("QUOTEKIT_RETENTION_PAYLOAD_DAYS", r.PayloadDays, "QUOTEKIT_RETENTION_EVENT_DAYS", r.EventDays,
		"a payload goes with its event")
	longer("QUOTEKIT_RETENTION_MINUTE_DAYS", r.MinuteDays, "QUOTEKIT_RETENTION_HOUR_DAYS", r.HourDays,
		"figures by minute are read together with those by hour")
	return problems
}

// retention is how long what is kept, for those who delete it.
func (a *App) retention() retention.Config {
	r := a.config.Retention
	return retention.Config{
		Events: days(r.EventDays), Payloads: days(r.PayloadDays), Logs: days(r.LogDays),
		Deliveries: days(r.DeliveryDays), Acts: days(r.ActDays),
		Minutes: days(r.MinuteDays), Hours: days(r.HourDays), Letters: days(r.DeadLetterDays),
		Pressed:    a.webhook.Pressed,
		StripeSkew: a.webhook.ClockSkew,
		Now:        a.options.Now,
		Logger:     a.options.Logger,
	}
}
