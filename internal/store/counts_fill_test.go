package store_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// TestCounts_AreFilledFromTheEvents runs what the migration does on a database of an
// older version: on one with events and no counts.
func TestCounts_AreFilledFromTheEvents(t *testing.T) {
	var clock atomic.Int64
	onBothAt(t, func() time.Time { return time.UnixMicro(clock.Load()) }, func(t *testing.T, s *store.Store) {
		random := rand.New(rand.NewPCG(5, 6))
		began := time.Date(2025, 12, 31, 22, 0, 0, 0, time.UTC).UnixMicro()
		statuses := []quotekit.EventStatus{quotekit.EventPending, quotekit.EventDead, quotekit.EventSucceeded, quotekit.EventIgnored}
		long := strings.Repeat("ü", 300) // longer than an index takes
		for i := range 120 {
			clock.Store(began + random.Int64N(4*3600*1e6))
			if i%10 == 0 { // exactly on a boundary
				clock.Store(began + 3600*1e6*int64(i/30))
			}
			mustReceive(t, s, []string{"a.b", "c.d", long}[i%3], statuses[random.IntN(4)], fmt.Sprintf("evt_%d", i))
		}
		mustExec(t, s, `DELETE FROM webhook_count_deltas`)
		text, err := os.ReadFile("migrations/" + s.Dialect().String() + "/00006_statistics.sql")
		if err != nil {
			t.Fatal(err)
		}
		const begin = "INSERT INTO webhook_event_counts"
		_, fill, found := strings.Cut(string(text), begin)
		fill, _, ended := strings.Cut(fill, ";\n")
		if !found || !ended {
			t.Fatal("the migration fills no counts")
		}
		mustExec(t, s, begin+fill)
		want := countedAnew(t, s)
		for i, line := range want {
			want[i] = strings.Replace(line, long, strings.Repeat("ü", 255), 1)
		}
		slices.Sort(want)
		if got := counted(t, s); !slices.Equal(got, want) {
			t.Errorf("the counts differ from the events:\n%s", diff(want, got))
		}
		last := lines(t, s, `SELECT received_at FROM stripe_webhook_events ORDER BY received_at DESC LIMIT 1`)
		got := lines(t, s, `SELECT last_at FROM webhook_event_counts WHERE granularity = 'ever' AND event_type = '' ORDER BY last_at DESC LIMIT 1`)
		if !slices.Equal(got, last) {
			t.Errorf("the last event came at %q, want %q", got, last)
		}
		// What comes after it goes into the same rows.
		for i := range 30 {
			clock.Store(began + random.Int64N(4*3600*1e6))
			mustReceive(t, s, "a.b", quotekit.EventSucceeded, fmt.Sprintf("evt_%d", 100+i))
		}
		mustFold(t, s)
		want = countedAnew(t, s)
		for i, line := range want {
			want[i] = strings.Replace(line, long, strings.Repeat("ü", 255), 1)
		}
		slices.Sort(want)
		if got := counted(t, s); !slices.Equal(got, want) {
			t.Errorf("later the counts differ from the events:\n%s", diff(want, got))
		}
	})
}
