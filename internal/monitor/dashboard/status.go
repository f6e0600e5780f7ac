package dashboard

import (
	"context"
	"sync"
	"time"

	"github.com/quotekit/quotekit/internal/monitor"
)

// Status is how all is: what the layout says on every page.
type Status struct {
	monitor.Health
	At          time.Time
	DeadLetters int64
	More        bool // dead letters than are counted
	Alerts      int64
	Batches     int64
}

// Mark is a shape for the severity.
func (s Status) Mark() string { return severityMark(s.Health.Status) }

// count is the number beside an entry of the navigation.
func (s *Status) count(key string) (text string, urgent bool) {
	n, more := int64(0), false
	switch key {
	case "dead-letters":
		n, more, urgent = s.DeadLetters, s.More, true
	case "alerts":
		n, urgent = s.Alerts, true
	case "batch-jobs":
		n = s.Batches
	}
	if n == 0 {
		return "", false
	}
	if text = count(n); more {
		text += "+"
	}
	return text, urgent
}

// statusFor is how long a status is shown without being read again.
const statusFor = time.Second

// statusCache reads the status once for all who look at the same time.
type statusCache struct {
	d    *Dashboard
	mu   sync.Mutex // held while it is read, so that one reads for all
	last *Status
	at   time.Time
}

func newStatusCache(d *Dashboard) *statusCache { return &statusCache{d: d} }

func (c *statusCache) get(ctx context.Context) *Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.d.Now()
	if c.last != nil && now.Sub(c.at) < statusFor && !now.Before(c.at) {
		return c.last
	}
	o, err := c.d.Reads.Overview(ctx, monitor.Range{From: now.Add(-24 * time.Hour).Truncate(time.Minute), To: now.Truncate(time.Minute).Add(time.Minute)})
	if err != nil {
		c.d.Logger.WarnContext(ctx, "health not read", "error", err)
		return &Status{At: now, Health: monitor.Health{Status: monitor.SeverityWarning, Sentence: "How all is cannot be read just now."}}
	}
	c.last, c.at = &Status{
		Health: o.Health, At: now, DeadLetters: o.DeadLetters, More: o.DeadLettersMore, Alerts: o.FiringAlerts, Batches: o.RunningBatches,
	}, now
	return c.last
}
