package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
)

// The acts on alerts, in the audit trail.
const (
	AuditAlertAcknowledge = "alert.acknowledge"
	AuditAlertSilence     = "alert.silence"
	AuditAlertUnsilence   = "alert.unsilence"
	AuditAlertTest        = "alert.test"
)

// AlertPending is the state of an alert whose condition was seen once: nobody is
// shown it.
const AlertPending quotekit.AlertState = "pending"

// AlertRow is an alert as it is kept. That it is silenced is a matter of the
// clock, so it is none of its states.
type AlertRow struct {
	ID, Rule, Subject string
	State             quotekit.AlertState
	Severity          quotekit.AlertSeverity
	Summary           string
	Value, Threshold  float64
	Unit              string
	Since, UpdatedAt  time.Time
	// PendingSince is when the condition was seen first, ClearSince when it was not
	// seen any more; zero if that is not so now.
	PendingSince, ClearSince  time.Time
	ResolvedAt, SilencedUntil time.Time // zero if it is neither
	AcknowledgedBy, Note      string
	// Flapping: it was resolved, and came back soon.
	Flapping bool
	// NotifiedState is what people were told last, firing or resolved, and
	// NotifiedSeverity how bad they were told it is; empty before.
	NotifiedState    quotekit.AlertState
	NotifiedSeverity quotekit.AlertSeverity
	LastNotifiedAt   time.Time
}

const selectAlerts = `
SELECT id, rule, subject, state, severity, summary, value, threshold, unit, since, updated_at, pending_since, clear_since,
  resolved_at, silenced_until, COALESCE(acknowledged_by, ''), COALESCE(note, ''), flapping, COALESCE(notified_state, ''),
  COALESCE(notified_severity, ''), last_notified_at
FROM webhook_alerts`

func scanAlert(r row) (AlertRow, error) {
	var (
		a                                            AlertRow
		pending, clear, resolved, silenced, notified sql.NullTime
	)
	err := r.Scan(&a.ID, &a.Rule, &a.Subject, &a.State, &a.Severity, &a.Summary, &a.Value, &a.Threshold, &a.Unit, &a.Since,
		&a.UpdatedAt, &pending, &clear, &resolved, &silenced, &a.AcknowledgedBy, &a.Note, &a.Flapping, &a.NotifiedState,
		&a.NotifiedSeverity, &notified)
	a.PendingSince, a.ClearSince, a.ResolvedAt = pending.Time, clear.Time, resolved.Time
	a.SilencedUntil, a.LastNotifiedAt = silenced.Time, notified.Time
	return a, err
}

// Alert reads an alert. It fails with [quotekit.ENotFound], also while nobody is
// shown it.
func (s *Store) Alert(ctx context.Context, id string) (AlertRow, error) {
	return oneAlert(s.reader.QueryRowContext(ctx, selectAlerts+` WHERE id = $1 AND state <> 'pending'`, id))
}

// Alert is [Store.Alert] in a transaction.
func (tx *Tx) Alert(ctx context.Context, id string) (AlertRow, error) {
	return oneAlert(tx.QueryRowContext(ctx, selectAlerts+` WHERE id = $1 AND state <> 'pending'`, id))
}

func oneAlert(r row) (AlertRow, error) {
	a, err := scanAlert(r)
	if errors.Is(err, sql.ErrNoRows) {
		return a, quotekit.Errorf(quotekit.ENotFound, "there is no such alert")
	}
	return a, wrap(err, "read alert")
}

// maxAlerts bounds a list of alerts.
const maxAlerts = 500

// Alerts lists the alerts that are not resolved, the worst and newest first, and
// then those that were resolved since an instant; 500 at most.
func (s *Store) Alerts(ctx context.Context, resolvedSince time.Time) ([]AlertRow, error) {
	const list = selectAlerts + `
WHERE state <> 'pending' AND (resolved_at IS NULL OR resolved_at >= $1)
ORDER BY CASE WHEN resolved_at IS NULL THEN 0 ELSE 1 END, resolved_at DESC NULLS LAST,
  CASE severity WHEN 'critical' THEN 0 ELSE 1 END, since DESC, id DESC
LIMIT $2`
	alerts, err := queryAll(ctx, s.reader, list, []any{resolvedSince.UTC(), maxAlerts}, scanAlert)
	return alerts, wrap(err, "list alerts")
}

// AlertEvaluation is the last evaluation.
type AlertEvaluation struct {
	Revision    int64
	EvaluatedAt time.Time // zero if there was none
	// Memory is what the evaluator wanted to know the next time; nil if there was none.
	Memory json.RawMessage
}

// AlertEvaluation reads the last evaluation.
func (s *Store) AlertEvaluation(ctx context.Context) (AlertEvaluation, error) {
	const read = `SELECT revision, evaluated_at, memory FROM webhook_alert_evaluations WHERE id = 1`
	var (
		e      AlertEvaluation
		at     sql.NullTime
		memory sql.NullString
	)
	err := s.reader.QueryRowContext(ctx, read).Scan(&e.Revision, &at, &memory)
	e.EvaluatedAt = at.Time
	if memory.Valid {
		e.Memory = json.RawMessage(memory.String)
	}
	return e, wrap(err, "read the last evaluation of alerts")
}

// EvaluateAlerts begins an evaluation, after the one that was read. It comes
// first in its transaction, and reports false, having changed nothing, if somebody
// else has evaluated since.
func (tx *Tx) EvaluateAlerts(ctx context.Context, after AlertEvaluation, memory json.RawMessage) (bool, error) {
	const update = `
UPDATE webhook_alert_evaluations SET revision = revision + 1, evaluated_at = $1, memory = $2
WHERE id = 1 AND revision = $3`
	result, err := tx.ExecContext(ctx, update, tx.Now, null(string(memory)), after.Revision)
	return changedOne(result, err, "begin an evaluation of alerts")
}

// LockAlerts keeps evaluations and the acts of others waiting until the
// transaction ends. It comes first.
func (tx *Tx) LockAlerts(ctx context.Context) error {
	const lock = `UPDATE webhook_alert_evaluations SET revision = revision WHERE id = 1`
	return wrap(tx.run(ctx, lock), "lock the alerts")
}

// silenceable is how long an alert can be silenced, and so matter when it is
// resolved.
const silenceable = 31 * 24 * time.Hour

// EvaluatedAlerts reads the alerts that an evaluation has to look at: what is not
// resolved, and what was resolved and may come back (since the given instant, or
// while it is silenced) or has still to be told.
func (tx *Tx) EvaluatedAlerts(ctx context.Context, resolvedSince time.Time) ([]AlertRow, error) {
	const list = selectAlerts + `
WHERE resolved_at IS NULL
  OR (resolved_at > $1 AND (resolved_at > $2 OR notified_state = 'firing' OR silenced_until > $3))
ORDER BY since, id`
	var alerts []AlertRow
	err := tx.returning(ctx, list, func(r row) error {
		a, err := scanAlert(r)
		alerts = append(alerts, a)
		return err
	}, tx.Now.Add(-silenceable), resolvedSince.UTC(), tx.Now)
	return alerts, wrap(err, "read alerts")
}

// SaveAlerts writes alerts as they are now.
func (tx *Tx) SaveAlerts(ctx context.Context, alerts []AlertRow) error {
	const prefix = `
INSERT INTO webhook_alerts (id, rule, subject, state, severity, summary, value, threshold, unit, since, updated_at,
  pending_since, clear_since, resolved_at, silenced_until, acknowledged_by, note, flapping, notified_state,
  notified_severity, last_notified_at)`
	const suffix = `
ON CONFLICT (id) DO UPDATE SET state = excluded.state, severity = excluded.severity, summary = excluded.summary,
  value = excluded.value, threshold = excluded.threshold, unit = excluded.unit, since = excluded.since,
  updated_at = excluded.updated_at, pending_since = excluded.pending_since, clear_since = excluded.clear_since,
  resolved_at = excluded.resolved_at, silenced_until = excluded.silenced_until, acknowledged_by = excluded.acknowledged_by,
  note = excluded.note, flapping = excluded.flapping, notified_state = excluded.notified_state,
  notified_severity = excluded.notified_severity, last_notified_at = excluded.last_notified_at`
	rows := make([][]any, len(alerts))
	for i, a := range alerts {
		rows[i] = []any{
			a.ID, a.Rule, a.Subject, string(a.State), string(a.Severity), a.Summary, a.Value, a.Threshold, a.Unit,
			a.Since.UTC(), a.UpdatedAt.UTC(), instant(a.PendingSince), instant(a.ClearSince), instant(a.ResolvedAt),
			instant(a.SilencedUntil), null(a.AcknowledgedBy), null(a.Note), a.Flapping, null(string(a.NotifiedState)),
			null(string(a.NotifiedSeverity)), instant(a.LastNotifiedAt),
		}
	}
	return wrap(tx.multiRow(ctx, prefix, suffix, 21, rows, nil), "write alerts")
}

// DropAlert forgets an alert that nobody was shown.
func (tx *Tx) DropAlert(ctx context.Context, id string) error {
	const drop = `DELETE FROM webhook_alerts WHERE id = $1 AND state = 'pending'`
	return wrap(tx.run(ctx, drop, id), "drop alert "+id)
}

// CleanAlerts deletes alerts that were resolved before an instant, and the
// deliveries that were made before it.
func (tx *Tx) CleanAlerts(ctx context.Context, before time.Time) error {
	if err := tx.run(ctx, `DELETE FROM webhook_alerts WHERE resolved_at < $1`, before.UTC()); err != nil {
		return wrap(err, "delete old alerts")
	}
	const deliveries = `DELETE FROM webhook_alert_deliveries WHERE created_at < $1 AND status <> 'pending'`
	return wrap(tx.run(ctx, deliveries, before.UTC()), "delete old deliveries of alerts")
}

// AlertDelivery is what a channel is told of an alert.
type AlertDelivery struct {
	quotekit.AlertDelivery
	// MessageID is shared by all that goes to the channel at once.
	MessageID string
	// Alert is the alert as it was when that was decided, as JSON.
	Alert json.RawMessage
	DueAt time.Time // of the next attempt; zero if there is none
}

// InsertAlertDeliveries inserts what has to be told, due at once.
func (tx *Tx) InsertAlertDeliveries(ctx context.Context, deliveries []AlertDelivery) error {
	const prefix = `
INSERT INTO webhook_alert_deliveries (id, message_id, alert_id, rule, subject, event, channel, status, alert, due_at, created_at)`
	rows := make([][]any, len(deliveries))
	for i, d := range deliveries {
		var alert any
		if d.AlertID != nil {
			alert = *d.AlertID
		}
		rows[i] = []any{
			d.ID, d.MessageID, alert, d.Rule, d.Subject, d.Event, d.Channel, "pending", string(d.Alert), tx.Now, tx.Now,
		}
	}
	return wrap(tx.multiRow(ctx, prefix, "", 11, rows, nil), "insert deliveries of alerts")
}

const selectDeliveries = `
SELECT id, message_id, alert_id, rule, subject, event, channel, status, attempts, COALESCE(error_message, ''), alert, due_at,
  created_at, done_at
FROM webhook_alert_deliveries`

func scanDelivery(r row) (AlertDelivery, error) {
	var (
		d     AlertDelivery
		alert string
		due   sql.NullTime
	)
	err := r.Scan(&d.ID, &d.MessageID, &d.AlertID, &d.Rule, &d.Subject, &d.Event, &d.Channel, &d.Status, &d.Attempts, &d.Error,
		&alert, &due, &d.CreatedAt, &d.DoneAt)
	d.Alert, d.DueAt = json.RawMessage(alert), due.Time
	return d, err
}

// AlertDeliveries lists the last deliveries, newest first.
func (s *Store) AlertDeliveries(ctx context.Context, limit int) ([]AlertDelivery, error) {
	deliveries, err := queryAll(ctx, s.reader, selectDeliveries+` ORDER BY created_at DESC, id DESC LIMIT $1`, []any{limit}, scanDelivery)
	return deliveries, wrap(err, "list deliveries of alerts")
}

// AlertMessage reads the deliveries that go to a channel at once, in the order in
// which they are told.
func (s *Store) AlertMessage(ctx context.Context, messageID string) ([]AlertDelivery, error) {
	deliveries, err := queryAll(ctx, s.reader, selectDeliveries+` WHERE message_id = $1 ORDER BY id`, []any{messageID}, scanDelivery)
	return deliveries, wrap(err, "read message "+messageID)
}

// ClaimAlertMessage takes the next attempt at a message, after as many attempts as
// the caller has seen, and keeps others from it for a while. It reports false if
// somebody else was faster, it is not due, or it is done.
func (tx *Tx) ClaimAlertMessage(ctx context.Context, messageID string, attempts int, lease time.Duration) (bool, error) {
	const claim = `
UPDATE webhook_alert_deliveries SET attempts = attempts + 1, due_at = $1
WHERE message_id = $2 AND status = 'pending' AND attempts = $3 AND due_at <= $4`
	result, err := tx.ExecContext(ctx, claim, tx.Now.Add(lease), messageID, attempts, tx.Now)
	if err != nil {
		return false, fmt.Errorf("claim message %s: %w", messageID, err)
	}
	n, err := result.RowsAffected()
	return n > 0, wrap(err, "claim message "+messageID)
}

// SettleAlertMessage notes what came of an attempt at a message. With a due time
// there will be another.
func (tx *Tx) SettleAlertMessage(ctx context.Context, messageID string, attempts int, status, message string, due time.Time) error {
	const settle = `
UPDATE webhook_alert_deliveries SET status = $1, error_message = $2, due_at = $3, done_at = $4
WHERE message_id = $5 AND status = 'pending' AND attempts = $6`
	var done any
	if due.IsZero() {
		done = tx.Now
	}
	return wrap(tx.run(ctx, settle, status, null(message), instant(due), done, messageID, attempts), "settle message "+messageID)
}

// OverdueAlertMessages returns messages whose attempt was due before an instant,
// because its job was lost, and makes them due now.
func (tx *Tx) OverdueAlertMessages(ctx context.Context, before time.Time) ([]string, error) {
	const update = `
UPDATE webhook_alert_deliveries SET due_at = $1
WHERE status = 'pending' AND due_at < $2
RETURNING message_id`
	seen := map[string]bool{}
	var ids []string
	err := tx.returning(ctx, update, func(r row) error {
		id, err := scanText(r)
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
		return err
	}, tx.Now, before.UTC())
	return ids, wrap(err, "find overdue messages")
}
