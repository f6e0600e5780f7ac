package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/quotekit/quotekit/internal/rest"
)

// caller asks the service's API as somebody.
type caller struct {
	url, token string
}

// operator calls as the operator of the run.
func (s *service) operator() caller { return caller{s.url, s.adminToken} }

// user calls as a user of the application.
func (s *service) user(id string) (caller, error) {
	now := time.Now()
	token, err := rest.MintJWT(s.jwtSecret, rest.UserClaims{UserID: id, IssuedAt: now, Expires: now.Add(time.Hour)})
	return caller{s.url, token}, err
}

// get reads what is at a path.
func (c caller) get(ctx context.Context, path string) ([]byte, error) {
	return c.do(ctx, http.MethodGet, path, nil)
}

// do sends a request, whose answer has to be 200. Headers come in pairs.
func (c caller) do(ctx context.Context, method, path string, body []byte, headers ...string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the service: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the service: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("ask the service: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s was answered %d: %.300s", method, path, resp.StatusCode, text)
	}
	return text, nil
}

// drained waits until no event is pending, and fails if that takes too long.
func (s *service) drained(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("events are still pending after %s", patience))
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		text, err := s.operator().get(ctx, "/v1/monitor/events?status=pending&limit=1")
		var page struct {
			Items *[]json.RawMessage `json:"items"`
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case json.Unmarshal(text, &page) != nil || page.Items == nil:
			return fmt.Errorf("the list of events is %.300s", text)
		case len(*page.Items) == 0:
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// counted waits until the overview counts so many events that have succeeded, and no
// others: figures lag some seconds. It fails if there are more, or if that takes too long.
func (s *service) counted(ctx context.Context, events int, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		text, err := s.operator().get(ctx, "/v1/monitor/overview?days_back=1")
		if err != nil {
			return err
		}
		var o struct {
			Total  int `json:"total_events"`
			Counts struct {
				Succeeded int `json:"succeeded"`
			} `json:"counts"`
		}
		if err := json.Unmarshal(text, &o); err != nil {
			return fmt.Errorf("read the overview: %w", err)
		}
		if o.Total == events && o.Counts.Succeeded == events {
			return nil
		}
		wrong := fmt.Errorf("the overview counts %d events, %d of them succeeded, want %d", o.Total, o.Counts.Succeeded, events)
		if o.Total > events {
			return wrong
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return wrong
		}
	}
}
