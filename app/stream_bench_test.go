package app_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/sample"
)

// BenchmarkStream measures what one browser on the overview costs: its event stream,
// and the page that it fetches again whenever the stream tells of a change. Events
// are posted closed loop, b.N in a round, and rounds with and without the browser take
// turns, so that what else happens on the machine happens to both. cost-% is how much
// lower the throughput with it is, and cpu-cost-% how much more processor time the
// service takes for an event, both in the middle of the pairs of rounds. The second
// says less (a database of its own is not in it), and can be trusted on a machine that
// does other things as well.
//
//	make bench BENCH=Stream
func BenchmarkStream(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			benchmarkStream(b, mustSpawn(b, benchDatabase(b, engine)))
		})
	}
}

// streamPairs is how many pairs of rounds are measured.
const streamPairs = 8

func benchmarkStream(b *testing.B, c *child) {
	const connections = 16
	maker := sample.New(rand.NewPCG(3, 4), time.Now)
	round := func() (rate, cpu float64) {
		var bodies [][]byte
		for len(bodies) < b.N {
			for _, e := range maker.Journey() {
				bodies = append(bodies, e.Body)
			}
		}
		before := c.processorTime(b)
		rate = throughput(b, c, bodies, connections)
		return rate, float64(c.processorTime(b)-before) / float64(len(bodies))
	}
	watcher := watcher{c.url, mustLogIn(b, c.url, token)}
	round() // the first fills caches
	if b.N == 1 {
		return // go test tries it once
	}
	var alone, watched, costs, cpuCosts []float64
	told, fetched := 0, 0
	b.ResetTimer()
	for i := range streamPairs {
		var without, with, cpuWithout, cpuWith float64
		measure := func() {
			stop := watcher.watch(b)
			with, cpuWith = round()
			t, f := stop()
			told, fetched = told+t, fetched+f
		}
		if i%2 == 0 { // the database grows: neither is always the first
			without, cpuWithout = round()
			measure()
		} else {
			measure()
			without, cpuWithout = round()
		}
		alone, watched = append(alone, without), append(watched, with)
		costs, cpuCosts = append(costs, 100*(1-with/without)), append(cpuCosts, 100*(cpuWith/cpuWithout-1))
	}
	b.StopTimer()
	if told == 0 || fetched == 0 {
		b.Errorf("the browser was told of %d changes and fetched %d pages, so it has cost nothing", told, fetched)
	}
	b.ReportMetric(middle(alone), "events/s-alone")
	b.ReportMetric(middle(watched), "events/s-watched")
	b.ReportMetric(middle(costs), "cost-%")
	b.ReportMetric(middle(cpuCosts), "cpu-cost-%")
	b.ReportMetric(float64(fetched)/streamPairs, "pages/round")
	b.ReportMetric(0, "ns/op")
}

// throughput posts events closed loop, and returns how many were settled in a second.
func throughput(b *testing.B, c *child, bodies [][]byte, connections int) float64 {
	b.Helper()
	var next atomic.Int64
	var senders sync.WaitGroup
	began := b.Elapsed()
	for range connections {
		senders.Go(func() {
			sender, err := dial(c.url)
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = sender.Close() }()
			for {
				n := int(next.Add(1)) - 1
				if n >= len(bodies) {
					return
				}
				if err := sender.post(bodies[n]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	senders.Wait()
	return float64(len(bodies)) / (b.Elapsed() - began).Seconds()
}

func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// watcher is what static/dashboard.js does with a page.
type watcher struct {
	url    string
	cookie *http.Cookie
}

func (w watcher) get(ctx context.Context, path, etag string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+path, nil)
	if err != nil {
		return nil, err
	}
	req.AddCookie(w.cookie)
	req.Header.Set("X-Quotekit-Live", "1")
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	return http.DefaultClient.Do(req)
}

// watch listens to the stream until it is stopped, and fetches the overview when
// something has changed, as far apart as the script does. It returns how often it was
// told, and how many pages it has fetched.
func (w watcher) watch(b *testing.B) (stop func() (told, fetched int)) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := w.get(ctx, "/dashboard/stream", "")
	if err != nil || stream.StatusCode != http.StatusOK {
		cancel()
		b.Fatalf("listen to the stream: %v %v", stream, err)
	}
	var told, fetched int
	wanted := make(chan struct{}, 1)
	var both sync.WaitGroup
	both.Go(func() {
		defer func() { _ = stream.Body.Close() }()
		lines := bufio.NewScanner(stream.Body)
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok && name != "here" {
				told++
				select {
				case wanted <- struct{}{}:
				default:
				}
			}
		}
	})
	both.Go(func() {
		etag, pause := "", time.Duration(0)
		for {
			select {
			case <-ctx.Done():
				return
			case <-wanted:
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
			began := time.Now()
			page, err := w.get(ctx, "/dashboard", etag)
			if ctx.Err() != nil {
				return
			}
			if err == nil && page.StatusCode >= 400 {
				err = fmt.Errorf("answered %s", page.Status)
			}
			if err == nil {
				_, err = io.Copy(io.Discard, page.Body)
				_ = page.Body.Close()
			}
			if err != nil {
				if ctx.Err() == nil {
					b.Errorf("fetch the page: %v", err)
				}
				return
			}
			etag, pause = page.Header.Get("ETag"), max(2*time.Second, 5*time.Since(began))
			fetched++
		}
	})
	return func() (int, int) {
		cancel()
		both.Wait()
		return told, fetched
	}
}
