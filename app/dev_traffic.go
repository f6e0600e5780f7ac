package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/stripe"
)

// traffic plays Stripe: it posts stories, one event after the other, through
// the front door.
type traffic struct {
	creds  DevCredentials
	maker  *sample.Maker
	pause  time.Duration
	client *http.Client
	logger *slog.Logger
}

// firstPause is between the events of the first story, so that there is
// something to see at once.
const firstPause = 50 * time.Millisecond

func newTraffic(creds DevCredentials, eventsPerSecond float64, logger *slog.Logger) *traffic {
	t := &traffic{
		creds:  creds,
		maker:  sample.New(rand.NewPCG(rand.Uint64(), rand.Uint64()), time.Now),
		client: &http.Client{Timeout: 10 * time.Second},
		logger: logger,
	}
	if eventsPerSecond > 0 {
		t.pause = time.Duration(float64(time.Second) / eventsPerSecond)
	}
	return t
}

// run posts until ctx is done. The first story is about the sample user.
func (t *traffic) run(ctx context.Context) {
	if t.pause == 0 {
		return
	}
	pause := min(firstPause, t.pause)
	journey := t.maker.JourneyOf(t.creds.UserID)
	for {
		for _, e := range journey {
			if err := t.post(ctx, e.Body); err != nil && ctx.Err() == nil {
				t.logger.WarnContext(ctx, "sample event not accepted", "event_type", e.Type, "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		}
		pause = t.pause
		journey = t.maker.Journey()
	}
}

// one posts one event.
func (t *traffic) one(ctx context.Context) (eventID string, err error) {
	body, err := t.maker.Event("invoice.payment_succeeded")
	if err != nil {
		return "", err
	}
	var event struct{ ID string }
	if err := json.Unmarshal(body, &event); err != nil {
		return "", fmt.Errorf("read a sample event: %w", err)
	}
	return event.ID, t.post(ctx, body)
}

func (t *traffic) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.creds.URL+"/webhooks/stripe", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Stripe-Signature", signature(body, t.creds.WebhookSecret))
	resp, err := t.client.Do(req)
	if err != nil {
		return fmt.Errorf("post a sample event: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection can be used again
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("post a sample event: answered %s", resp.Status)
	}
	return nil
}

func signature(body []byte, secret string) string { return stripe.Sign(body, secret, time.Now()) }
