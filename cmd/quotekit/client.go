package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/quotekit/quotekit/internal/rest"
)

// client speaks our HTTP API, over the network or in this process.
type client struct {
	http  *http.Client
	base  string
	token string
	// inProcess: nobody serves; the database is open here, without workers.
	inProcess bool
	// asUser: the token is a user's JWT.
	asUser bool
	// work begins to work on bulk operations in this process, until close. It is
	// nil where a service does that.
	work func()
	// runTask makes the steps of a task in this process, until it ends. It is nil
	// where a service does that.
	runTask func(ctx context.Context, id string) error
	// sendAlerts sends what is to be told of alerts, in this process. It is nil where a
	// service does that.
	sendAlerts func(ctx context.Context) error
	close      func() error
}

// call is a request to the API.
type call struct {
	method, path string
	body         []byte      // JSON; nil for none
	header       http.Header // beside what every request has
	// endless answers may take as long as they like.
	endless bool
}

// use does the work and closes.
func (c *client) use(work func(*client) error) error {
	err := work(c)
	if closeErr := c.close(); err == nil {
		err = closeErr
	}
	return err
}

// get reads path into out.
func (c *client) get(ctx context.Context, path string, query url.Values, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.do(ctx, http.MethodGet, path, nil, out)
}

// post sends in to path and reads the answer into out, which may be nil.
func (c *client) post(ctx context.Context, path string, in, out any) error {
	return c.do(ctx, http.MethodPost, path, in, out)
}

func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	r := call{method: method, path: path}
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode a request: %w", err)
		}
		r.body = b
	}
	return c.read(ctx, r, out)
}

// read reads the answer of a request into out, which may be nil.
func (c *client) read(ctx context.Context, r call, out any) error {
	resp, err := c.open(ctx, r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return c.unreachable(err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return failf(exitFailed, "", "%s does not answer like QuoteKit: %w", c.base, err)
	}
	return nil
}

// open sends a request. The answer is 2xx, anything else is an error; whoever
// calls it closes the body.
func (c *client) open(ctx context.Context, r call) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, body)
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	maps.Copy(req.Header, r.header)
	sender := c.http
	if r.endless {
		patient := *c.http
		patient.Timeout = 0
		sender = &patient
	}
	resp, err := sender.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem))
	if err != nil {
		return nil, c.unreachable(err)
	}
	return nil, c.refused(resp.StatusCode, b)
}

// maxProblem bounds what is read of an answer that is not 2xx. A thousand items
// may be wrong.
const maxProblem = 4 << 20

func (c *client) unreachable(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return &failure{
			code: exitFailed, hint: "quotekit serve, or quotekit dev", transient: true,
			err: fmt.Errorf("nobody answers at %s: %w", c.base, syscall.ECONNREFUSED),
		}
	}
	return &failure{code: exitFailed, err: fmt.Errorf("talk to %s: %w", c.base, err), transient: true}
}

// refused makes an error of an answer that is not 2xx.
func (c *client) refused(status int, body []byte) error {
	err := problem(status, body)
	var f *failure
	if c.asUser && status == http.StatusUnauthorized && errors.As(err, &f) {
		f.hint = "give --token with the JWT of a user, or set SUPABASE_JWT_SECRET to the secret of the service"
	}
	return err
}

// problem makes an error of an answer that is not 2xx.
func problem(status int, body []byte) error {
	var p rest.Problem
	text := http.StatusText(status)
	if err := json.Unmarshal(body, &p); err == nil && p.Detail != "" {
		text = p.Detail
	}
	if p.RequestID != "" && status >= http.StatusInternalServerError {
		text += " (request " + p.RequestID + ")"
	}
	f := &failure{code: exitFailed, err: errors.New(printable(strings.TrimSpace(text))), fields: p.Errors}
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		f.code = exitUsage
	case http.StatusUnauthorized:
		f.code, f.hint = exitNotAllowed, "set QUOTEKIT_ADMIN_TOKEN to a token of the service"
	case http.StatusForbidden:
		f.code = exitNotAllowed
	case http.StatusNotFound:
		f.code = exitNotFound
	case http.StatusConflict:
		f.code = exitConflict
		if p.Code == "alert_channel_missing" {
			f.code, f.hint = exitConfig, "set QUOTEKIT_ALERT_SLACK_URL, or another channel, where the service runs"
		}
		if p.Code == "stripe_key_missing" {
			f.code, f.hint = exitConfig, "set STRIPE_SECRET_KEY where the service runs"
		}
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		f.transient = true
		fallthrough
	default:
		f.err = fmt.Errorf("%w (status %d)", f.err, status)
	}
	return f
}
