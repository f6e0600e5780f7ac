package app_test

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/batch"
)

// BenchmarkBatchCrowd has 20 users submit a job of 1,000 items at once. wait-ms
// is the longest time from a submission to the first outcome of its job, own-ms
// the time from there to its end of the same job, and ratio the largest of wait
// to own of any job.
//
//	make bench BENCH=BatchCrowd BENCHTIME=5x
func BenchmarkBatchCrowd(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			s := mustStartBatch(b, benchDatabase(b, engine), app.Options{})
			var longest, own time.Duration
			var ratio float64
			for b.Loop() {
				var crowd sync.WaitGroup
				var mu sync.Mutex
				for range 20 {
					u := s.user()
					ids := s.quotes(u, 1000, nil)
					crowd.Go(func() {
						wait, work := u.watched("delete_quotes", ids)
						mu.Lock()
						defer mu.Unlock()
						if wait > longest {
							longest, own = wait, work
						}
						ratio = max(ratio, wait.Seconds()/work.Seconds())
					})
				}
				crowd.Wait()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(longest.Seconds()*1000, "wait-ms")
			b.ReportMetric(own.Seconds()*1000, "own-ms")
			b.ReportMetric(ratio, "ratio")
		})
	}
}

// watched runs a job and returns how long its first outcome took, and how long
// it took from there to the end, by the job's own stream of events.
func (u *user) watched(operation string, ids []string) (wait, work time.Duration) {
	started := time.Now()
	j := u.submit(operation, ids, nil)
	var first time.Time
	for _, event := range u.stream(j.ID) {
		var seen batch.Job
		if err := json.Unmarshal([]byte(event.data), &seen); err != nil {
			u.t.Error(err)
			return 1, 1
		}
		if first.IsZero() && seen.ProcessedItems > 0 {
			first = event.at
		}
	}
	return first.Sub(started), time.Since(first)
}

// event is a server-sent event.
type event struct {
	id, name, data string
	at             time.Time
}

// stream reads the events of a job until they end.
func (u *user) stream(jobID string) []event {
	var events []event
	err := u.listen(jobID, func(e event) { events = append(events, e) })
	if err != nil {
		u.t.Error(err)
	}
	return events
}

func median(list []time.Duration) time.Duration {
	list = slices.Clone(list)
	slices.Sort(list)
	if len(list) == 0 {
		panic("no measurements")
	}
	return list[len(list)/2]
}
