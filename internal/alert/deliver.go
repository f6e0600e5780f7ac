package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// sendWithin bounds one attempt to send, and leaseFor keeps others from the
	// message meanwhile.
	sendWithin = 15 * time.Second
	leaseFor   = time.Minute
)

// pauses are those after the attempts that failed. With the last attempt there are
// eight, in less than four hours.
var pauses = []time.Duration{
	10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
}

// The states of a delivery.
const (
	deliveryPending   = "pending"
	deliveryDelivered = "delivered"
	deliveryFailed    = "failed"
)

// deliverArgs are those of the job that sends a message.
type deliverArgs struct {
	MessageID string `json:"message_id"`
}

// Kind implements river.JobArgs.
func (deliverArgs) Kind() string { return "alert_deliver" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (deliverArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: jobs.Alerts} }

type deliverWorker struct {
	river.WorkerDefaults[deliverArgs]
	service *Service
}

// Work attempts to send a message, and sleeps until the next attempt. An error is the
// database's: River tries again, and if it does not, the evaluator will.
func (w *deliverWorker) Work(ctx context.Context, job *river.Job[deliverArgs]) error {
	wait, err := w.service.deliver(ctx, job.Args.MessageID)
	if err != nil || wait == 0 {
		return err
	}
	return river.JobSnooze(wait)
}

// SendDue makes an attempt at every message of the last ones that is due, without
// River: for a command that runs where nobody serves.
func (s *Service) SendDue(ctx context.Context) error {
	const last = 100
	rows, err := s.store.AlertDeliveries(ctx, last)
	if err != nil {
		return err
	}
	for _, d := range rows {
		if d.Status != deliveryPending {
			continue
		}
		if _, err := s.deliver(ctx, d.MessageID); err != nil {
			return err
		}
	}
	return nil
}

// deliver makes the next attempt at a message, and returns how long to wait for the
// one after it, zero if there is none.
func (s *Service) deliver(ctx context.Context, messageID string) (wait time.Duration, err error) {
	rows, err := s.store.AlertMessage(ctx, messageID)
	if err != nil || len(rows) == 0 || rows[0].Status != deliveryPending {
		return 0, err
	}
	attempts := rows[0].Attempts
	if early := rows[0].DueAt.Sub(s.Now()); early > 0 {
		return early, nil
	}
	claimed := false
	err = s.store.WithTx(ctx, func(tx *store.Tx) error {
		claimed, err = tx.ClaimAlertMessage(ctx, messageID, attempts, leaseFor)
		return err
	})
	if err != nil || !claimed { // whoever was faster has a job, too
		return 0, err
	}
	attempts++
	problem := s.send(ctx, rows)
	if ctx.Err() != nil { // not the receiver's fault; the lease runs out
		return 0, ctx.Err()
	}
	status, text := deliveryDelivered, ""
	var due time.Time
	switch {
	case problem == nil:
	case attempts > len(pauses):
		status, text = deliveryFailed, describe(problem)
		s.Logger.Error("an alert could not be delivered", "channel", rows[0].Channel, "message", messageID, "attempt", attempts, "error", text)
	default:
		status, text = deliveryPending, describe(problem)
		wait = pauses[attempts-1]
		due = s.Now().Add(wait)
		s.Logger.Warn("an alert was not delivered and will be again", "channel", rows[0].Channel, "message", messageID,
			"attempt", attempts, "error", text)
	}
	err = s.store.WithTx(ctx, func(tx *store.Tx) error {
		return tx.SettleAlertMessage(ctx, messageID, attempts, status, text, due)
	})
	return wait, err
}

// send sends a message through its channel.
func (s *Service) send(ctx context.Context, rows []store.AlertDelivery) error {
	m := message{ID: rows[0].MessageID, CreatedAt: rows[0].CreatedAt.UTC()}
	for _, d := range rows {
		var a quotekit.Alert
		if err := json.Unmarshal(d.Alert, &a); err != nil {
			return fmt.Errorf("read alert %s: %w", a.ID, err)
		}
		m.Items = append(m.Items, item{Event: d.Event, Alert: a})
	}
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	for _, c := range s.channels {
		if c.name() == rows[0].Channel {
			return c.send(ctx, m)
		}
	}
	return errNotConfigured
}
