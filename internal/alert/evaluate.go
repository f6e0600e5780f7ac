package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// evaluateEvery is the time between two evaluations.
	evaluateEvery = 10 * time.Second
	// leastPause is what has to lie between two: jobs that had to wait for a worker
	// come all at once, and what holds "twice" must hold for some time.
	leastPause = 5 * time.Second
	// overdueAfter is how late an attempt to deliver may be before its job counts as
	// lost.
	overdueAfter = time.Minute
)

// Evaluating is the periodic job that evaluates the rules, every ten seconds.
func Evaluating() *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(evaluateEvery), func() (river.JobArgs, *river.InsertOpts) {
		return evaluateArgs{}, nil
	}, &river.PeriodicJobOpts{RunOnStart: true})
}

type evaluateArgs struct{}

// Kind implements river.JobArgs.
func (evaluateArgs) Kind() string { return "alert_evaluate" }

// InsertOpts implements river.JobArgsWithInsertOpts. Two leaders at once, while one
// takes over from the other, make one job.
func (evaluateArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: jobs.Alerts, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByPeriod: evaluateEvery}}
}

type evaluateWorker struct {
	river.WorkerDefaults[evaluateArgs]
	service *Service
}

// Work evaluates the rules. If that fails, the next time is soon enough.
func (w *evaluateWorker) Work(ctx context.Context, _ *river.Job[evaluateArgs]) error {
	if err := w.service.Evaluate(ctx); err != nil && ctx.Err() == nil {
		w.service.Logger.Warn("evaluate alerts", "error", store.Describe(err))
	}
	return nil
}

// Evaluate measures, and changes and tells of alerts accordingly. It does nothing if
// somebody else does at the same time, or did just now.
func (s *Service) Evaluate(ctx context.Context) error {
	last, err := s.store.AlertEvaluation(ctx)
	if err != nil {
		return err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	if pause := now.Sub(last.EvaluatedAt); pause >= 0 && pause < leastPause {
		return nil
	}
	m, mem, err := s.measure(ctx, now, last)
	if err != nil {
		return err
	}
	holding := s.check(m)
	clean := now.Sub(mem.CleanedAt) >= cleanEvery
	if clean {
		mem.CleanedAt = now
	}
	remember, err := json.Marshal(mem)
	if err != nil {
		return fmt.Errorf("encode the memory of alerts: %w", err)
	}
	return s.store.WithTx(ctx, func(tx *store.Tx) error {
		mine, err := tx.EvaluateAlerts(ctx, last, remember)
		if err != nil || !mine {
			return err
		}
		if err := s.change(ctx, tx, now, holding); err != nil {
			return err
		}
		overdue, err := tx.OverdueAlertMessages(ctx, tx.Now.Add(-overdueAfter))
		if err != nil {
			return err
		}
		for _, id := range overdue {
			if err := s.wake(ctx, tx, id); err != nil {
				return err
			}
		}
		if clean {
			return tx.CleanAlerts(ctx, now.Add(-keepFor))
		}
		return nil
	})
}

// check asks every rule that is not off.
func (s *Service) check(m *Measures) (holding []found) {
	for _, r := range s.rules {
		if l := s.limits[r.Name]; !l.Off {
			for _, c := range r.Check(m, l) {
				holding = append(holding, found{r, c})
			}
		}
	}
	return holding
}

// change writes what becomes of the alerts, and what has to be told. Alerts of rules
// that are not known are of another version and stay as they are.
func (s *Service) change(ctx context.Context, tx *store.Tx, now time.Time, holding []found) error {
	alerts, err := tx.EvaluatedAlerts(ctx, now.Add(-flapWithin))
	if err != nil {
		return err
	}
	alerts = slices.DeleteFunc(alerts, func(a store.AlertRow) bool {
		_, known := s.limits[a.Rule]
		return !known
	})
	d := decide(now, alerts, holding, len(s.channels) > 0)
	for _, id := range d.drop {
		if err := tx.DropAlert(ctx, id); err != nil {
			return err
		}
	}
	if err := tx.SaveAlerts(ctx, d.save); err != nil {
		return err
	}
	for _, n := range d.notes {
		s.Logger.Info("alert", "rule", n.alert.Rule, "subject", n.alert.Subject, "event", n.event,
			"severity", n.alert.Severity, "summary", n.alert.Summary)
	}
	return s.tell(ctx, tx, d.notes)
}

// tell inserts a message to each channel with all that has to be told, and its job.
func (s *Service) tell(ctx context.Context, tx *store.Tx, notes []note) error {
	for _, c := range s.channels {
		message := quotekit.NewID()
		var deliveries []store.AlertDelivery
		for _, n := range notes {
			if n.quietly && c.name() != Alertmanager {
				continue
			}
			snapshot, err := json.Marshal(s.show(n.alert))
			if err != nil {
				return fmt.Errorf("encode alert %s: %w", n.alert.ID, err)
			}
			deliveries = append(deliveries, store.AlertDelivery{
				AlertDelivery: quotekit.AlertDelivery{
					ID: quotekit.NewID(), AlertID: &n.alert.ID, Rule: n.alert.Rule, Subject: n.alert.Subject,
					Event: n.event, Channel: c.name(),
				},
				MessageID: message, Alert: snapshot,
			})
		}
		if len(deliveries) == 0 {
			continue
		}
		if err := tx.InsertAlertDeliveries(ctx, deliveries); err != nil {
			return err
		}
		if err := s.wake(ctx, tx, message); err != nil {
			return err
		}
	}
	return nil
}

// wake inserts the job of a message.
func (s *Service) wake(ctx context.Context, tx *store.Tx, messageID string) error {
	if _, err := s.jobs.InsertTx(ctx, tx.Tx, deliverArgs{MessageID: messageID}, nil); err != nil {
		return fmt.Errorf("insert the job of message %s: %w", messageID, err)
	}
	return nil
}
