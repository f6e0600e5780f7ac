package app_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
)

// TestStatistics_OfWhatWasDelivered: counts are those of events, not of deliveries,
// within seconds, and after a restart.
func TestStatistics_OfWhatWasDelivered(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		event := func(id, eventType, object string) []byte {
			return []byte(`{"id":"` + id + `","object":"event","type":"` + eventType + `","created":1775000000,"data":{"object":` + object + `}}`)
		}
		for range 2 { // the second time all are duplicates, but for the dead one
			s.post(event("evt_1", "customer.created", `{"id":"cus_1","object":"customer"}`))
			s.post(event("evt_2", "customer.created", `{"id":"cus_2","object":"customer"}`))
			s.post(event("evt_3", "customer.created", `{}`)) // rejected
			s.post(event("evt_4", "charge.updated", `{"id":"ch_1","object":"charge"}`))
		}
		const counts = "total=4 rate=0.75 dead_letters=1 oldest=0 types=customer.created:3,charge.updated:1,"
		read := func() string {
			status, o := s.call(http.MethodGet, "/v1/monitor/overview?days_back=1", "")
			if status != http.StatusOK {
				t.Fatalf("overview is answered %d %v", status, o)
			}
			types := ""
			for _, each := range o["by_type"].([]any) {
				e := each.(map[string]any)
				types += fmt.Sprintf("%v:%v,", e["event_type"], e["total"])
			}
			return fmt.Sprintf("total=%v rate=%v dead_letters=%v oldest=%v types=%s", o["total_events"], o["success_rate"], o["dead_letters"],
				o["oldest_unprocessed_seconds"], types)
		}
		got := ""
		eventually(t, 30*time.Second, "the overview tells of all events", func() bool {
			got = read()
			return got == counts
		})
		eventually(t, 30*time.Second, "the times are there", func() bool {
			_, p := s.call(http.MethodGet, "/v1/monitor/performance", "")
			_, one := s.call(http.MethodGet, "/v1/monitor/performance?event_type=charge.updated", "")
			return fmt.Sprint(p["samples"], one["samples"]) == "3 1" && p["p95_ms"] != nil && one["p50_ms"] != nil &&
				len(p["slowest"].([]any)) == 3 && len(one["by_type"].([]any)) == 1
		})
		eventually(t, 30*time.Second, "every type with a route has a benchmark", func() bool {
			_, p := s.call(http.MethodGet, "/v1/monitor/performance", "")
			return len(p["benchmarks"].([]any)) == len(handlers.Routes())
		})
		for _, query := range []string{"days_back=0", "from=now", "days_back=1&to=2026-01-01T00:00:00Z", "hours=1"} {
			for _, path := range []string{"/v1/monitor/overview?", "/v1/monitor/performance?"} {
				if status, problem := s.call(http.MethodGet, path+query, ""); status != http.StatusBadRequest || problem["errors"] == nil {
					t.Errorf("%s is answered %d %v", path+query, status, problem)
				}
			}
		}
		s.stop()
		s = mustStart(t, url, app.Options{})
		if got = read(); got != counts {
			t.Errorf("after a restart: got %s\nwant %s", got, counts)
		}
	})
}
