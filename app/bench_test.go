package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit/internal/bench"
	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe"
)

// The benchmarks of this package put loads on a service that quotekit bench does not:
// slow handlers, a browser, somebody without a signature, a crowd.

func benchDatabase(b *testing.B, engine string) string {
	if engine == "sqlite" {
		return storetest.SQLiteURL(b, tables)
	}
	return storetest.PostgresURL(b, tables)
}

// quantile is that of times in order, in milliseconds.
func quantile(sorted []time.Duration, q float64) float64 {
	return float64(bench.Quantile(sorted, q).Microseconds()) / 1000
}

// processorTime is what the process has spent so far.
func (c *child) processorTime(b *testing.B) time.Duration {
	b.Helper()
	spent, err := bench.ProcessorTime(c.command.Process.Pid)
	if err != nil {
		b.Fatal(err)
	}
	return spent
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

// sender posts events that are signed with the secret of the tests.
type sender struct{ *bench.Sender }

func dial(address string) (sender, error) {
	s, err := bench.Dial(address)
	return sender{s}, err
}

// post posts an event, which has to succeed at once.
func (s sender) post(body []byte) error {
	status, text, err := s.Post(body, stripe.Sign(body, secret, time.Now()))
	if err != nil {
		return err
	}
	if status != 200 || !bytes.Contains(text, []byte(`"succeeded"`)) {
		return fmt.Errorf("answered %d %s", status, text)
	}
	return nil
}

// deliver posts a body and returns what the service says to it.
func (s sender) deliver(body []byte) (answer, error) {
	return s.deliverSigned(body, stripe.Sign(body, secret, time.Now()))
}

// deliverSigned is deliver with any signature; empty, there is none.
func (s sender) deliverSigned(body []byte, signature string) (a answer, err error) {
	status, text, err := s.Post(body, signature)
	if err != nil {
		return a, err
	}
	a.HTTP = status
	if status != 200 {
		a.Code = gjson.GetBytes(text, "code").Str
		return a, nil
	}
	return a, json.Unmarshal(text, &a)
}
