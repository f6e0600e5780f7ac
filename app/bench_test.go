package app_test

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe"
)

// BenchmarkWebhook posts whole stories of sample users to a service in a process
// of its own, closed loop: a connection sends its next event when the last one
// is answered, and an answer means that the effects are in the tables. The
// sender is on the same machine and counts against it. peak-MB is the largest
// resident memory of the service.
//
//	make bench BENCH=Webhook
func BenchmarkWebhook(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, connections := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/connections=%d", engine, connections), func(b *testing.B) {
				url := ""
				if engine == "sqlite" {
					url = storetest.SQLiteURL(b, tables)
				} else {
					url = storetest.PostgresURL(b, tables)
				}
				benchmarkWebhook(b, mustSpawn(b, url), connections)
			})
		}
	}
}

func benchmarkWebhook(b *testing.B, c *child, connections int) {
	bodies := stories(b.N)
	address := strings.TrimPrefix(c.url, "http://")
	var next atomic.Int64
	latencies := make([][]time.Duration, connections)
	var senders sync.WaitGroup
	b.ResetTimer()
	for i := range connections {
		senders.Go(func() {
			sender, err := dial(address)
			if err != nil {
				b.Error(err)
				return
			}
			defer func() { _ = sender.conn.Close() }()
			for {
				n := int(next.Add(1)) - 1
				if n >= b.N {
					return
				}
				sent := time.Now()
				if err := sender.post(bodies[n]); err != nil {
					b.Error(err)
					return
				}
				latencies[i] = append(latencies[i], time.Since(sent))
			}
		})
	}
	senders.Wait()
	b.StopTimer()
	all := slices.Concat(latencies...)
	slices.Sort(all)
	quantile := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))].Microseconds()) / 1000 }
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(quantile(0.5), "p50-ms")
	b.ReportMetric(quantile(0.99), "p99-ms")
	b.ReportMetric(c.peakMemory(b), "peak-MB")
	b.ReportMetric(0, "ns/op")
}

// peakMemory is the largest resident memory of the process so far, in MiB.
func (c *child) peakMemory(b *testing.B) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.command.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	b.Fatal("the kernel tells no VmHWM")
	return 0
}

// stories makes n events of users whose stories run side by side, a thousand at
// a time, each in its own order.
func stories(n int) [][]byte {
	maker := sample.New(rand.NewPCG(1, 2), time.Now)
	bodies := make([][]byte, 0, n)
	open := make([][]sample.Event, 1000)
	for len(bodies) < n {
		for i := range open {
			if len(open[i]) == 0 {
				open[i] = maker.Journey()
			}
			bodies = append(bodies, open[i][0].Body)
			open[i] = open[i][1:]
		}
	}
	return bodies[:n]
}

// sender is a client that costs little beside the service it measures.
type sender struct {
	conn    net.Conn
	reader  *bufio.Reader
	request bytes.Buffer
}

func dial(address string) (*sender, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &sender{conn: conn, reader: bufio.NewReader(conn)}, nil
}

func (s *sender) post(body []byte) error {
	s.request.Reset()
	fmt.Fprintf(&s.request, "POST /webhooks/stripe HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"+
		"Stripe-Signature: %s\r\nContent-Length: %d\r\n\r\n", stripe.Sign(body, secret, time.Now()), len(body))
	s.request.Write(body)
	if _, err := s.conn.Write(s.request.Bytes()); err != nil {
		return err
	}
	return s.expectSucceeded()
}

// expectSucceeded reads an answer just as far as it needs to.
func (s *sender) expectSucceeded() error {
	length, status := 0, ""
	for {
		line, err := s.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if status == "" {
			status = string(bytes.TrimSpace(line))
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
	}
	body, err := s.reader.Peek(length)
	if err != nil {
		return err
	}
	if status != "HTTP/1.1 200 OK" || !bytes.Contains(body, []byte(`"succeeded"`)) {
		return fmt.Errorf("answered %s %s", status, body)
	}
	_, err = s.reader.Discard(length)
	return err
}
