package quotekit

import "time"

// AlertState is how an alert stands.
type AlertState string

// The states of an alert.
const (
	// AlertFiring is an alert that nobody has taken on.
	AlertFiring AlertState = "firing"
	// AlertAcknowledged is one that somebody works on: it is not delivered again
	// unless it becomes worse.
	AlertAcknowledged AlertState = "acknowledged"
	// AlertSilenced is one that nobody wants to hear of until an instant.
	AlertSilenced AlertState = "silenced"
	// AlertResolved is one whose condition is over.
	AlertResolved AlertState = "resolved"
)

// Enum lists the states.
func (AlertState) Enum() []string {
	return []string{string(AlertFiring), string(AlertAcknowledged), string(AlertSilenced), string(AlertResolved)}
}

// AlertSeverity is how bad the condition of an alert is.
type AlertSeverity string

// The severities of an alert.
const (
	AlertWarning  AlertSeverity = "warning"
	AlertCritical AlertSeverity = "critical"
)

// Enum lists the severities.
func (AlertSeverity) Enum() []string { return []string{string(AlertWarning), string(AlertCritical)} }

// Alert is a condition that somebody should know of: one rule, and of what it is true.
type Alert struct {
	ID       string        `json:"id" format:"uuid"`
	Rule     string        `json:"rule" doc:"Like dead_letters_present."`
	Subject  string        `json:"subject" doc:"What it is about, like an event type; empty if it is about the whole service."`
	State    AlertState    `json:"state"`
	Severity AlertSeverity `json:"severity"`
	Summary  string        `json:"summary" doc:"What is wrong, in a sentence."`
	// Value and Threshold are in Unit.
	Value          float64    `json:"value"`
	Threshold      float64    `json:"threshold"`
	Unit           string     `json:"unit" doc:"Of value and threshold: events, seconds, ratio, ms, bytes or versions."`
	Since          time.Time  `json:"since" doc:"When it began to fire."`
	UpdatedAt      time.Time  `json:"updated_at"`
	ResolvedAt     *time.Time `json:"resolved_at"`
	SilencedUntil  *time.Time `json:"silenced_until"`
	AcknowledgedBy string     `json:"acknowledged_by" doc:"Empty if nobody has."`
	Note           string     `json:"note" doc:"The reason of the last acknowledgement or silence."`
	Link           string     `json:"link" doc:"The page that shows what it is about, below the service's URL."`
	Runbook        string     `json:"runbook" doc:"Where the documentation says what to do."`
}

// AlertRule is a condition that is looked at all the time, with its limits.
type AlertRule struct {
	Name     string `json:"name"`
	Measures string `json:"measures" doc:"What is measured, in words."`
	Unit     string `json:"unit" doc:"Of the limits."`
	Enabled  bool   `json:"enabled"`
	// Warning and Critical are nil if the rule has no such limit.
	Warning  *float64 `json:"warning" doc:"From where on it is a warning; null if it never is."`
	Critical *float64 `json:"critical" doc:"From where on it is critical; null if it never is."`
	Below    bool     `json:"below" doc:"What is below the limits is bad, not what reaches them."`
	Runbook  string   `json:"runbook" doc:"Where the documentation says what to do."`
}

// AlertDelivery is an attempt to tell somebody of an alert.
type AlertDelivery struct {
	ID        string     `json:"id" format:"uuid"`
	AlertID   *string    `json:"alert_id" doc:"Null for a test."`
	Rule      string     `json:"rule"`
	Subject   string     `json:"subject"`
	Event     string     `json:"event" enum:"firing,worse,reminder,resolved,test" doc:"What is told."`
	Channel   string     `json:"channel" enum:"webhook,slack,email,alertmanager"`
	Status    string     `json:"status" enum:"pending,delivered,failed"`
	Attempts  int        `json:"attempts"`
	Error     string     `json:"error" doc:"Why the last attempt failed, without addresses or secrets."`
	CreatedAt time.Time  `json:"created_at"`
	DoneAt    *time.Time `json:"done_at"`
}
