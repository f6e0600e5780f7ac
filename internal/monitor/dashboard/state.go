package dashboard

import (
	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
)

// mark is a word with a colour and a shape, for the partial "state".
type mark struct{ Class, Text string }

// typeState says how an event type fares: by its success first, then by its time.
func typeState(t monitor.TypeCounts) mark {
	switch {
	case t.SuccessRate != nil && *t.SuccessRate < 0.90:
		return mark{"critical", "failing"}
	case t.SuccessRate != nil && *t.SuccessRate < 0.95:
		return mark{"warning", "failing"}
	case slow(t.P95, t.TargetMS):
		return mark{"warning", "slow"}
	case t.Dead > 0:
		return mark{"warning", "some dead"}
	case t.SuccessRate == nil:
		return mark{"quiet", "waiting"}
	}
	return mark{"ok", "well"}
}

// slow reports whether a time is above its target. Without a target of its own it is
// that of all.
func slow(p95 *float64, target *int64) bool {
	limit := float64(standardTargetMS)
	if target != nil {
		limit = float64(*target)
	}
	return p95 != nil && *p95 > limit
}

// standardTargetMS is what the time of most events should be below, in milliseconds.
const standardTargetMS = 200

// alertMark says how an alert stands.
func alertMark(a quotekit.Alert) mark {
	switch {
	case a.State == quotekit.AlertResolved:
		return mark{"ok", "resolved"}
	case a.State == quotekit.AlertSilenced:
		return mark{"quiet", "silenced"}
	case a.State == quotekit.AlertAcknowledged:
		return mark{"warning", "acknowledged"}
	case a.Severity == quotekit.AlertCritical:
		return mark{"critical", "firing, critical"}
	}
	return mark{"warning", "firing"}
}

// deliveryMark says what became of a delivery.
func deliveryMark(d quotekit.AlertDelivery) mark {
	return mark{map[string]string{"delivered": "ok", "failed": "critical"}[d.Status], d.Status}
}

// batchMark says how a bulk operation stands.
func batchMark(j monitor.BatchJobItem) mark {
	switch {
	case j.Stalled:
		return mark{"critical", "stalled"}
	case j.Status == string(quotekit.BatchFailed):
		return mark{"critical", j.Status}
	case j.Status == string(quotekit.BatchCancelled):
		return mark{"quiet", j.Status}
	case j.Status == string(quotekit.BatchCompleted) && j.FailedItems > 0:
		return mark{"warning", "completed, some failed"}
	case j.Status == string(quotekit.BatchCompleted):
		return mark{"ok", j.Status}
	}
	return mark{"quiet", j.Status}
}
