package app_test

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe"
)

// BenchmarkFlood lets 20,000 events of priority 5 come as fast as they are answered,
// whose handlers take 20 ms each, and beside them 50 a second of priority 1, open loop.
// It is one flood, whatever b.N is. p1 is the time of priority 1 from when the event was
// to be sent until its effects are in the tables: p1-p50-ms and p1-p99-ms while the flood
// comes, p1-drain-p99-ms afterwards, while what was kept is worked. flood-drained-s is
// the time from the first event of the flood to the effects of the last, of which
// handlers alone take most. It fails if a p99 is not below 200 ms.
//
//	make bench BENCH=Flood BENCHTIME=1x
func BenchmarkFlood(b *testing.B) {
	const (
		events = 20_000
		bound  = 200.0 // milliseconds
	)
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			database := benchDatabase(b, engine)
			service := mustSpawn(b, database, slowVariable+"=20ms")
			f := newFlood(b, service.url)
			look := time.NewTicker(500 * time.Millisecond)
			defer look.Stop()
			b.ResetTimer()
			f.run(events, 64, func() bool {
				<-look.C
				return !service.hasPending(b)
			})
			b.StopTimer()
			service.terminate(b)
			db := storetest.Open(b, database).Reader()
			var succeeded int
			if err := db.QueryRow("SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'succeeded'").Scan(&succeeded); err != nil {
				b.Fatal(err)
			}
			if want := events + len(f.during) + len(f.after); succeeded != want {
				b.Errorf("got %d events that have succeeded, want %d", succeeded, want)
			}
			if quantile(f.during, 0.99) >= bound || quantile(f.after, 0.99) >= bound {
				b.Errorf("urgent events take too long: %s", f.summary())
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(quantile(f.during, 0.5), "p1-p50-ms")
			b.ReportMetric(quantile(f.during, 0.99), "p1-p99-ms")
			b.ReportMetric(quantile(f.after, 0.99), "p1-drain-p99-ms")
			b.ReportMetric(float64(f.answers["200 pending"]), "kept")
			b.ReportMetric(b.Elapsed().Seconds(), "flood-drained-s")
		})
	}
}

// hasPending asks the service itself, since nobody else may open its database.
func (c *child) hasPending(b *testing.B) bool {
	req, err := http.NewRequest(http.MethodGet, c.url+"/v1/monitor/events?status=pending&limit=1", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var page struct{ Items []json.RawMessage }
	if err := json.NewDecoder(resp.Body).Decode(&page); err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("answered %s, %v", resp.Status, err)
	}
	return len(page.Items) > 0
}

// BenchmarkUnsigned posts b.N bodies of 3 kB that nobody has signed, or somebody with
// another secret, over 8 connections. cpu-µs/request is the processor time of the
// service alone. Every one is refused, and no row comes of it.
//
//	make bench BENCH=Unsigned BENCHTIME=20000x
func BenchmarkUnsigned(b *testing.B) {
	for _, c := range []struct{ name, secret, code string }{
		{"unsigned", "", "signature_missing"},
		{"signed wrongly", "whsec_of_somebody_else", "signature_mismatch"},
	} {
		b.Run(c.name, func(b *testing.B) {
			database := storetest.SQLiteURL(b, tables)
			service := mustSpawn(b, database)
			body, header := fixture(b, "checkout.session.completed.dahlia.setup-metadata-user-id"), ""
			if c.secret != "" {
				header = stripe.Sign(body, c.secret, time.Now())
			}
			var (
				left    atomic.Int64
				senders sync.WaitGroup
			)
			left.Store(int64(b.N))
			before := service.processorTime(b)
			b.ResetTimer()
			for range 8 {
				senders.Go(func() {
					s, err := dial(service.url)
					if err != nil {
						b.Error(err)
						return
					}
					defer func() { _ = s.Close() }()
					for left.Add(-1) >= 0 {
						if a, err := s.deliverSigned(body, header); err != nil || a.HTTP != 400 || a.Code != c.code {
							b.Errorf("got %+v, %v, want %s", a, err, c.code)
							return
						}
					}
				})
			}
			senders.Wait()
			b.StopTimer()
			spent := service.processorTime(b) - before
			service.terminate(b)
			db := storetest.Open(b, database).Reader()
			for _, from := range []string{
				"stripe_webhook_events", "webhook_audit_trail", "webhook_processing_logs", "webhook_dead_letter_queue",
				"river_job WHERE kind = 'webhook_attempt'", // others come by themselves, every so often
			} {
				var rows int
				if err := db.QueryRow("SELECT COUNT(*) FROM " + from).Scan(&rows); err != nil || rows != 0 {
					b.Errorf("%s: got %d rows (%v), want none", from, rows, err)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
			b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "cpu-µs/request")
		})
	}
}
