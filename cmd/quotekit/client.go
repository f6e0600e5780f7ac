package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	close  func() error
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
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode a request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return c.refused(resp.StatusCode, b)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return failf(exitFailed, "", "%s does not answer like QuoteKit: %w", c.base, err)
	}
	return nil
}

func (c *client) unreachable(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return failf(exitFailed, "quotekit serve, or quotekit dev", "nobody answers at %s", c.base)
	}
	return failf(exitFailed, "", "talk to %s: %w", c.base, err)
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
		for _, e := range p.Errors {
			text += fmt.Sprintf("; %s: %s", e.Location, e.Message)
		}
	}
	if p.RequestID != "" && status >= http.StatusInternalServerError {
		text += " (request " + p.RequestID + ")"
	}
	text = printable(strings.TrimSpace(text))
	switch status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return failf(exitUsage, "", "%s", text)
	case http.StatusUnauthorized:
		return failf(exitNotAllowed, "set QUOTEKIT_ADMIN_TOKEN to a token of the service", "%s", text)
	case http.StatusForbidden:
		return failf(exitNotAllowed, "", "%s", text)
	case http.StatusNotFound:
		return failf(exitNotFound, "", "%s", text)
	case http.StatusConflict:
		return failf(exitConflict, "", "%s", text)
	}
	return failf(exitFailed, "", "%s (status %d)", text, status)
}
