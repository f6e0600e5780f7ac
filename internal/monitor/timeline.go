package monitor

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// timeline tells the life of an event, oldest first, of what the audit trail, the
// processing logs and the dead letter say. The logs are telemetry: what they lack,
// the others tell.
func timeline(d EventDetail) []TimelineEntry {
	t := teller{detail: d}
	t.deliveries()
	for _, l := range d.ProcessingLogs {
		t.log(l)
	}
	t.letter()
	if d.Status == quotekit.EventPending && d.NextAttemptAt != nil {
		t.add(TimelineEntry{At: *d.NextAttemptAt, Stage: "attempt", Title: "Next attempt", Status: "waiting"})
	}
	slices.SortStableFunc(t.entries, func(a, b TimelineEntry) int { return a.At.Compare(b.At) })
	for i := range t.entries {
		if i > 0 {
			t.entries[i].Took = float64(t.entries[i].At.Sub(t.entries[i-1].At).Microseconds()) / 1000
		}
	}
	return t.entries
}

type teller struct {
	detail  EventDetail
	entries []TimelineEntry
	// received is whether the event is here, or was.
	received bool
}

func (t *teller) add(e TimelineEntry) {
	if e.Status == "" {
		e.Status = "ok"
	}
	t.entries = append(t.entries, e)
}

// deliveries tells what the audit trail has: deliveries, and acts.
func (t *teller) deliveries() {
	for _, a := range t.detail.AuditTrail {
		e := TimelineEntry{At: a.At, Actor: a.Actor, Detail: text(a.Reason)}
		switch a.Action {
		case store.AuditDelivered, store.AuditImported:
			e.Stage, e.Title = "received", "Received, and its signature verified"
			if a.Action == store.AuditImported {
				e.Title = "Imported from Stripe"
			}
			var after struct {
				Status    string `json:"status"`
				Duplicate bool   `json:"duplicate"`
			}
			if json.Unmarshal(a.After, &after) == nil && after.Duplicate {
				e.Title, e.Detail = "Delivered again", "A duplicate: the event was known."
			} else if !t.received {
				// The line is written with the effects; the event arrived before.
				t.received = true
				e.At = t.arrival(a.At)
			}
			if a.RequestID != nil {
				e.Detail = sentences(e.Detail, "Request "+*a.RequestID+".")
			}
		case store.AuditSent:
			e.Stage, e.Title, e.Status, e.Detail = "dead_letter", "Put into the dead letter queue by SQL", "failed", sent(a)
		case store.AuditAutoRetry:
			e.Stage, e.Title = "retry_scheduled", "Taken up again by itself"
		case store.AuditRefetched:
			e.Stage, e.Title = "refetched", "Applied with the object as it was at Stripe"
		case store.AuditUserConflict:
			e.Stage, e.Title, e.Status = "conflict", "Another user was named for the customer", "failed"
		default:
			e.Stage, e.Title = "operator", actTitle(a.Action)
		}
		t.add(e)
	}
	if !t.received && !t.detail.ReceivedAt.IsZero() {
		t.received = true
		t.add(TimelineEntry{At: t.detail.ReceivedAt, Stage: "received", Title: "Received"})
	}
}

// sent is what a line says that tells of the SQL function send_to_dead_letter_queue.
func sent(a store.AuditRecord) string {
	var after struct {
		FailureReason string `json:"failure_reason"`
	}
	if json.Unmarshal(a.After, &after) != nil {
		return ""
	}
	return after.FailureReason
}

func actTitle(action string) string {
	titles := map[string]string{
		store.AuditReplay: "Replayed by hand", store.AuditRetry: "Retried by hand", store.AuditResolve: "Resolved by hand",
		store.AuditReveal: "Payload revealed",
	}
	if title := titles[action]; title != "" {
		return title
	}
	return action
}

// arrival is when the event came in that the first attempt settled, as far as the
// logs tell.
func (t *teller) arrival(committed time.Time) time.Time {
	for _, l := range t.detail.ProcessingLogs {
		if first(l) && l.ProcessingStage != "handler" {
			return l.CreatedAt.Add(-stageTimes(l).total())
		}
	}
	return committed
}

func first(l store.LogRecord) bool { return l.RetryAttempt == nil || *l.RetryAttempt == 0 }

// micros are the times of the stages of an attempt.
type micros map[string]int64

func stageTimes(l store.LogRecord) micros {
	var metadata struct {
		Stages micros `json:"stage_us"`
	}
	if json.Unmarshal(l.Metadata, &metadata) != nil {
		return nil // another program's
	}
	return metadata.Stages
}

func (m micros) of(stage string) time.Duration { return time.Duration(m[stage]) * time.Microsecond }

func (m micros) total() time.Duration {
	return m.of("handle") + m.of("wait") + m.of("commit") + m.of("fetch")
}

// log tells a line of the processing logs.
func (t *teller) log(l store.LogRecord) {
	times := stageTimes(l)
	attempt := 1
	if l.RetryAttempt != nil {
		attempt += *l.RetryAttempt
	}
	committed := l.CreatedAt
	e := TimelineEntry{At: committed, Actor: "quotekit", Detail: text(l.ErrorMessage)}
	switch l.ProcessingStage {
	case "handler":
		e.At = committed.Add(-times.of("commit") - times.of("wait"))
		e.Stage, e.Title = "attempt", fmt.Sprintf("Attempt %d: handled", attempt)
		if l.Status != "succeeded" {
			e.Title, e.Status = fmt.Sprintf("Attempt %d: %s", attempt, l.Status), "failed"
		}
		if l.HandlerName != nil {
			e.Detail = sentences("Handler "+*l.HandlerName+".", e.Detail)
		}
	case "retry_scheduled":
		e.Stage, e.Title, e.Status = "retry_scheduled", "Another attempt was scheduled", "waiting"
	case "dead_letter":
		e.Stage, e.Title, e.Status = "dead_letter", "Put into the dead letter queue", "failed"
	case "kept":
		e.Stage, e.Title, e.Status = "kept", "Kept, to be handled later", "waiting"
	case "completed":
		if first(l) && len(times) > 0 {
			t.stages(l, times)
			return
		}
		e.Stage, e.Title = "committed", "Committed: "+l.Status
	default:
		e.Stage, e.Title = l.ProcessingStage, l.ProcessingStage+": "+l.Status
		if l.Status == "failed" || l.Status == "error" {
			e.Status = "failed"
		}
	}
	t.add(e)
}

// stages tells an event that was settled at its first attempt.
func (t *teller) stages(l store.LogRecord, times micros) {
	handled := TimelineEntry{At: l.CreatedAt.Add(-times.of("commit") - times.of("wait")), Stage: "handled", Title: "Handled", Actor: "quotekit"}
	if l.HandlerName != nil {
		handled.Detail = "Handler " + *l.HandlerName + "."
	} else {
		handled.Title = "No handler is interested"
	}
	t.add(handled)
	t.add(TimelineEntry{
		At: l.CreatedAt.Add(-times.of("commit")), Stage: "waited", Title: "Taken into a group", Actor: "quotekit",
		Detail: "It waited until the group before was committed.",
	})
	t.add(TimelineEntry{At: l.CreatedAt, Stage: "committed", Title: "Committed: " + l.Status, Actor: "quotekit"})
}

// letter tells of the dead letter what the logs do not.
func (t *teller) letter() {
	d := t.detail.DeadLetter
	if d == nil {
		return
	}
	told := slices.ContainsFunc(t.entries, func(e TimelineEntry) bool { return e.Stage == "dead_letter" })
	if !told {
		e := TimelineEntry{
			At: d.LastFailedAt, Stage: "dead_letter", Title: "Put into the dead letter queue", Detail: text(d.ErrorMessage), Actor: "quotekit",
			Status: "failed",
		}
		if d.ID != quotekit.DeadLetterID(d.StripeEventID) || !t.received {
			e.Title, e.Actor = "Put into the dead letter queue by another program", ""
		}
		t.add(e)
	}
	if d.NextRetryAt != nil {
		t.add(TimelineEntry{
			At: *d.NextRetryAt, Stage: "retry_scheduled", Title: "Will be taken up again by itself", Actor: "quotekit", Status: "waiting",
		})
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// sentences joins what is not empty.
func sentences(parts ...string) string {
	out := ""
	for _, p := range parts {
		if out != "" && p != "" {
			out += " "
		}
		out += p
	}
	return out
}
