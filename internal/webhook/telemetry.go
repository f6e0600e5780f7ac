package webhook

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/metrics"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// flushEvery is how late a line of webhook_processing_logs may be.
	flushEvery = 800 * time.Millisecond
	// flushTimeout bounds the write of what has gathered.
	flushTimeout = 2 * time.Second
	// maxBuffered bounds the lines that wait; beyond it they are dropped and
	// counted, since telemetry never delays an answer.
	maxBuffered = 50_000
	// maxFlush bounds the lines of one transaction, which on SQLite holds up
	// everybody else for some milliseconds.
	maxFlush = 512
	// figuresEvery is how many flushes there are to one write of the figures.
	figuresEvery = 2
)

// Telemetry writes webhook_processing_logs and the figures of times and refusals, a
// moment later and outside of the transactions it tells of.
type Telemetry struct {
	store   *store.Store
	logger  *slog.Logger
	figures *figures
	metrics *metrics.Webhook

	mu      sync.Mutex
	buffer  []store.ProcessingLog
	dropped int
}

// settled records the attempt that the deliveries of a group were.
func (t *Telemetry) settled(e *settling, started, committed time.Time) {
	l := store.ProcessingLog{
		At: committed, StripeEventID: e.event.ID, EventType: e.event.Type,
		Took: committed.Sub(e.arrived), Message: e.decision.failure.message,
		StageMicros: map[string]int64{
			"handle": e.handled.Microseconds(),
			"wait":   started.Sub(e.arrived.Add(e.handled)).Microseconds(),
			"commit": committed.Sub(started).Microseconds(),
		},
	}
	if e.route != nil {
		l.Handler = e.route.Handler
	}
	if e.decision.kept {
		t.metrics.Decided(l.EventType, metrics.Kept, "")
		l.Stage, l.Status = "kept", string(e.decision.status)
		t.add(l)
		return
	}
	t.attempt(l, store.Attempt{Status: e.decision.status, Reason: e.decision.failure.reason})
}

// attempt records an attempt, and the time of the event if that completed it.
func (t *Telemetry) attempt(l store.ProcessingLog, a store.Attempt) {
	t.metrics.Decided(l.EventType, decisions[a.Status], a.Reason)
	t.add(stages(l, a)...)
	if a.Status == quotekit.EventSucceeded || a.Status == quotekit.EventIgnored {
		t.figures.completed(l)
		t.metrics.Completed(l.EventType, l.Took, l.StageMicros)
	}
}

// decisions are what an attempt counts as, by what the event is after it.
var decisions = map[quotekit.EventStatus]metrics.Decision{
	quotekit.EventSucceeded: metrics.Succeeded,
	quotekit.EventIgnored:   metrics.Ignored,
	quotekit.EventPending:   metrics.Failed,
	quotekit.EventDead:      metrics.Dead,
}

// attempted records a retry.
func (t *Telemetry) attempted(e store.PendingEvent, a attempt, outcome store.Attempt, committed time.Time) {
	l := store.ProcessingLog{
		At: committed, StripeEventID: e.ID, EventType: e.Type, Attempt: e.Attempts,
		Took: committed.Sub(a.started), Message: outcome.Message,
		StageMicros: map[string]int64{
			"handle": a.handled.Sub(a.ready).Microseconds(),
			"commit": committed.Sub(a.handled).Microseconds(),
		},
	}
	if fetch := a.ready.Sub(a.started); fetch > 0 {
		l.StageMicros["fetch"] = fetch.Microseconds()
	}
	if a.route != nil {
		l.Handler = a.route.Handler
	}
	if e.Attempts > 0 {
		t.metrics.Retried(l.EventType)
	}
	t.attempt(l, outcome)
}

// stages makes the lines of an attempt: one for a plain one, else one a stage.
func stages(l store.ProcessingLog, a store.Attempt) []store.ProcessingLog {
	if a.Reason == "" && l.Attempt == 0 {
		l.Stage, l.Status = "completed", string(a.Status)
		return []store.ProcessingLog{l}
	}
	handle, end := l, l
	handle.Stage, handle.Status = "handler", "succeeded"
	handle.Took = time.Duration(l.StageMicros["handle"]) * time.Microsecond
	switch a.Reason {
	case "", quotekit.ReasonDatabase:
		handle.Message = ""
	case quotekit.ReasonTimeout:
		handle.Status = "timed_out"
	default:
		handle.Status = "failed"
	}
	end.Status = string(a.Status)
	switch a.Status {
	case quotekit.EventPending:
		end.Stage = "retry_scheduled"
	case quotekit.EventDead:
		end.Stage = "dead_letter"
	default:
		end.Stage = "completed"
	}
	return []store.ProcessingLog{handle, end}
}

func (t *Telemetry) add(lines ...store.ProcessingLog) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.buffer)+len(lines) > maxBuffered {
		t.dropped += len(lines)
		return
	}
	t.buffer = append(t.buffer, lines...)
}

// Run flushes until ctx ends, and once more after that.
func (t *Telemetry) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for n := 1; ctx.Err() == nil; n++ {
		select {
		case <-tick.C:
			t.flush()
			if n%figuresEvery == 0 {
				t.writeFigures()
			}
		case <-ctx.Done():
		}
	}
	t.flush()
	t.writeFigures()
}

func (t *Telemetry) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	t.mu.Lock()
	lines, dropped := t.buffer, t.dropped
	t.buffer, t.dropped = nil, 0
	t.mu.Unlock()
	for len(lines) > 0 {
		n := min(len(lines), maxFlush)
		if err := t.store.WriteLogs(ctx, lines[:n]); err != nil {
			dropped += len(lines)
			t.logger.Warn("write processing logs", "error", err)
			break
		}
		lines = lines[n:]
	}
	if dropped > 0 {
		t.logger.Warn("processing logs dropped", "lines", dropped)
	}
}

// writeFigures writes what has changed; what cannot be written now waits.
func (t *Telemetry) writeFigures() {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	latencies, refusals := t.figures.take()
	err := t.store.WriteFigures(ctx, latencies, refusals)
	if err != nil {
		t.logger.Warn("write figures", "error", store.Describe(err))
	}
	if lost := t.figures.put(err == nil); lost > 0 {
		t.logger.Warn("figures dropped", "rows", lost)
	}
}
