package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/tidwall/gjson"
	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/stripe"
)

// webhookTarget is where events are posted, and how they are signed.
type webhookTarget struct {
	*client
	secret string
}

// webhook finds the service to post to: --url, a running dev mode, or the
// configured address. It is always reached over the network.
func (p *program) webhook(ctx context.Context, c *cli.Command) (*webhookTarget, error) {
	cfg, err := p.config(c)
	if err != nil {
		return nil, err
	}
	t := &webhookTarget{client: network(baseURL(cfg.Addr), firstToken(cfg))}
	if len(cfg.WebhookSecrets) > 0 {
		t.secret = cfg.WebhookSecrets[0]
	}
	if c.IsSet("url") {
		t.base = strings.TrimSuffix(strings.TrimSuffix(c.String("url"), "/"), "/webhooks/stripe")
		return t, nil
	}
	if dev, ok := p.runningDev(ctx, c, cfg); ok {
		t.client = network(dev.URL, dev.AdminToken)
		if cfg.Origin("STRIPE_WEBHOOK_SECRET") != app.OriginFlag {
			t.secret = dev.WebhookSecret
		}
	}
	return t, nil
}

// setFault turns the fault switch of dev mode. Other services have none.
func (t *webhookTarget) setFault(ctx context.Context, on bool) error {
	err := t.post(ctx, "/dev/fault", map[string]bool{"on": on}, nil)
	if err != nil && classify(err).code == exitNotFound {
		return failf(exitNotFound, "quotekit dev", "the service at %s has no fault switch: only dev mode has one", t.base)
	}
	return err
}

// posted is what became of one event.
type posted struct {
	EventID    string  `json:"event_id"`
	EventType  string  `json:"event_type"`
	HTTPStatus int     `json:"http_status"`
	Status     string  `json:"status"`
	Duplicate  bool    `json:"duplicate"`
	Error      string  `json:"error,omitempty"`
	Millis     float64 `json:"milliseconds"`
}

func (r posted) accepted() bool { return r.HTTPStatus/100 == 2 }

// postAll posts the bodies one after the other, at the wanted pace, and says
// after each what became of it.
func (p *program) postAll(ctx context.Context, c *cli.Command, t *webhookTarget, bodies [][]byte) error {
	asJSON := c.Bool("json")
	results := make([]posted, 0, len(bodies))
	accepted := 0
	start := p.now()
	var stopped error
	for i, body := range bodies {
		if rate := c.Float("rate"); rate > 0 {
			due := start.Add(time.Duration(float64(i) * float64(time.Second) / rate))
			if stopped = wait(ctx, due.Sub(p.now())); stopped != nil {
				break
			}
		}
		result, err := p.postOne(ctx, t, body)
		if err != nil {
			stopped = err
			break
		}
		if result.accepted() {
			accepted++
		}
		results = append(results, result)
		if !asJSON {
			fmt.Fprintln(p.stdout, result.line())
		}
	}
	if asJSON {
		if err := p.printJSON(map[string]any{"items": results, "posted": len(results), "accepted": accepted}); err != nil {
			return err
		}
	} else if len(bodies) > 1 {
		fmt.Fprintf(p.stderr, "%d of %d accepted in %s\n", accepted, len(bodies), p.now().Sub(start).Round(time.Millisecond))
	}
	switch {
	case stopped != nil && accepted > 0:
		return failf(exitPartly, "", "posted %d of %d events: %w", len(results), len(bodies), stopped)
	case stopped != nil:
		return stopped
	case accepted == len(bodies):
		return nil
	case accepted == 0:
		return failf(exitFailed, "quotekit trigger --help", "no event was accepted: %s", results[0].Error)
	}
	return failf(exitPartly, "", "%d of %d events were not accepted", len(bodies)-accepted, len(bodies))
}

// postOne signs and posts. An error means that nobody answered.
func (p *program) postOne(ctx context.Context, t *webhookTarget, body []byte) (posted, error) {
	r := posted{EventID: gjson.GetBytes(body, "id").String(), EventType: gjson.GetBytes(body, "type").String()}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.base+"/webhooks/stripe", bytes.NewReader(body))
	if err != nil {
		return r, fmt.Errorf("make a request: %w", err)
	}
	start := p.now()
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Stripe-Signature", stripe.Sign(body, t.secret, start))
	resp, err := t.http.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) || ctx.Err() != nil {
		return r, t.unreachable(err)
	}
	if err != nil {
		r.Error = err.Error()
		return r, nil
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return r, fmt.Errorf("read the answer: %w", err)
	}
	r.Millis = float64(p.now().Sub(start).Microseconds()) / 1000
	r.HTTPStatus = resp.StatusCode
	if !r.accepted() {
		r.Error = printable(problem(resp.StatusCode, answer).Error())
		r.Status = gjson.GetBytes(answer, "code").String()
		return r, nil
	}
	var ok struct {
		Status    string `json:"status"`
		Duplicate bool   `json:"duplicate"`
	}
	if err := json.Unmarshal(answer, &ok); err != nil {
		return r, failf(exitFailed, "", "%s does not answer like QuoteKit: %w", t.base, err)
	}
	r.Status, r.Duplicate = ok.Status, ok.Duplicate
	return r, nil
}

func (r posted) line() string {
	s := fmt.Sprintf("%s  %s  %d  %s", dash(r.EventID), dash(r.EventType), r.HTTPStatus, dash(r.Status))
	if r.Duplicate {
		s += " (duplicate)"
	}
	return printable(fmt.Sprintf("%s  %.1f ms", s, r.Millis))
}

// wait sleeps unless ctx ends first.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
