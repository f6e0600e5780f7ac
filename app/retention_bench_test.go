package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/bench"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// BenchmarkRetention posts b.N events closed loop over 16 connections to a service on a
// database with a past of 100 days, once to one that deletes what is old meanwhile
// (deleting) and once to one that does not (alone). The past has twenty events for each
// that is posted, so that there is something to delete all the time; deleted/s is how
// many of them are gone per second of the load. It fails if nothing was deleted, or if
// nothing old was left before the end, since then it has measured something else.
//
//	make bench BENCH=Retention BENCHTIME=20000x
func BenchmarkRetention(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			b.StopTimer()
			bodies := stories(b.N)
			for _, deleting := range []bool{false, true} {
				name, environment := "alone", []string(nil)
				if deleting {
					name, environment = "deleting", []string{retentionVariable + "=1"}
				}
				database := benchDatabase(b, engine)
				before := mustFillPast(b, database, max(20*b.N, 2000))
				service := mustSpawn(b, database, environment...)
				if deleting {
					eventually(b, time.Minute, "that the deletion has begun", func() bool { return !service.hasPayload(b, "evt_1") })
				}
				took, times := postAll(b, service, bodies, 16)
				service.kill() // in the middle: what it has not deleted must be there
				b.ReportMetric(float64(b.N)/took.Seconds(), "events/s-"+name)
				b.ReportMetric(quantile(times, 0.5), "p50-ms-"+name)
				b.ReportMetric(quantile(times, 0.99), "p99-ms-"+name)
				gone := before - oldEvents(b, database)
				switch {
				case !deleting && gone != 0:
					b.Errorf("%d events are gone, although nothing is deleted", gone)
				case deleting && b.N > 1 && (gone <= 0 || gone == before): // go test tries it with one
					b.Errorf("of %d old events %d are gone, want some", before, gone)
				}
				if deleting {
					b.ReportMetric(float64(gone)/took.Seconds(), "deleted/s")
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// hasPayload asks the service itself, since nobody else may open its database.
func (c *child) hasPayload(b *testing.B, event string) bool {
	b.Helper()
	req, err := http.NewRequest(http.MethodGet, c.url+"/v1/monitor/events/"+event, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var e struct {
		DeletedAt *time.Time `json:"payload_deleted_at"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil || resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNotFound {
		b.Fatalf("answered %s, %v", resp.Status, err)
	}
	return resp.StatusCode == http.StatusOK && e.DeletedAt == nil
}

// mustFillPast makes a past of so many events, and returns how many of them are old.
func mustFillPast(b *testing.B, database string, events int) int {
	b.Helper()
	s := storetest.Open(b, database)
	history := bench.History{Events: events, Days: 100, Until: time.Now(), Logs: events / 2, Trail: true, Histogram: "0 0 3:1"}
	if err := history.Fill(b.Context(), s); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return oldEvents(b, database)
}

// oldEvents counts the events that are old and not dead. Nobody else has the database.
func oldEvents(b *testing.B, database string) (n int) {
	b.Helper()
	s := storetest.Open(b, database)
	const query = `SELECT COUNT(*) FROM stripe_webhook_events WHERE received_at < $1 AND status IN ('succeeded', 'ignored')`
	if err := s.Reader().QueryRow(query, time.Now().UTC().AddDate(0, 0, -45)).Scan(&n); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return n
}

// postAll posts events closed loop, all of which have to succeed, and returns how long
// that took, and each of them, sorted.
func postAll(b *testing.B, c *child, bodies [][]byte, connections int) (took time.Duration, times []time.Duration) {
	b.Helper()
	times = make([]time.Duration, len(bodies))
	var (
		next    atomic.Int64
		senders sync.WaitGroup
	)
	b.StartTimer()
	began := time.Now()
	for range connections {
		senders.Go(func() {
			s, err := dial(c.url)
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = s.Close() }()
			for {
				n := int(next.Add(1)) - 1
				if n >= len(bodies) {
					return
				}
				sent := time.Now()
				if err := s.post(bodies[n]); err != nil {
					b.Error(fmt.Errorf("event %d: %w", n, err))
					return
				}
				times[n] = time.Since(sent)
			}
		})
	}
	senders.Wait()
	took = time.Since(began)
	b.StopTimer()
	slices.Sort(times)
	return took, times
}
