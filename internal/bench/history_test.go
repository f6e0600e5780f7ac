package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestHistory_WhatIsMadeIsWhatIsRead compares a history with what the dashboard says of it.
func TestHistory_WhatIsMadeIsWhatIsRead(t *testing.T) {
	until := time.Date(2026, 3, 4, 5, 47, 0, 0, time.UTC)
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		const events = 2000
		h := History{Events: events, Days: 30, Until: until, Logs: 100, Trail: true, Jobs: 200, Histogram: "0 0 3:1"}
		if err := h.Fill(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		reads := &monitor.Reads{Store: s, Now: func() time.Time { return until }}
		o, err := reads.Overview(t.Context(), monitor.Range{From: until.Add(-30 * 24 * time.Hour), To: until})
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(o.TotalEvents, o.Pending, o.DeadLetters, o.Counts.Dead, len(o.ByType), len(o.Series))
		if want := fmt.Sprint(events, 40, events/1000, events/1000, 25, 121); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		for table, want := range map[string]int{"webhook_processing_logs": 100, "webhook_audit_trail": events, "batch_jobs": 200} {
			if err := checkCount(t.Context(), s, "rows of "+table, want, "SELECT COUNT(*) FROM "+table); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestHistory_AFailureIsTold fills twice: the ids are there already.
func TestHistory_AFailureIsTold(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		h := History{Events: 50, Days: 1, Until: time.Now(), Histogram: "0 0 3:1"}
		if err := h.Fill(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if err := h.Fill(t.Context(), s); err == nil {
			t.Error("got no error for events that are there")
		}
	})
}
