package stripe

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
	"time"

	"golang.org/x/time/rate"

	"github.com/quotekit/quotekit"
)

const (
	// APIBase is the address of Stripe's API.
	APIBase = "https://api.stripe.com"
	// maxAnswer bounds an answer, in bytes: a page of a hundred events, each as
	// large as a delivery may be, would still be read for the most part.
	maxAnswer = 64 << 20
	// requestTimeout bounds one request, to the last byte of its answer.
	requestTimeout = 15 * time.Second
)

// ClientConfig is what a client needs to know.
type ClientConfig struct {
	// Key is a secret or restricted key of the account.
	Key string
	// Base is the address of the API; empty is [APIBase].
	Base string
	// PerSecond is how many requests are made a second at most. Stripe allows 100
	// in live mode, 25 in a sandbox, and 25 for one kind of request.
	PerSecond int
	// Backoff is the first pause after a failure; it doubles. Zero is half a
	// second.
	Backoff time.Duration
}

// Client asks Stripe's API. All requests of a process go through one client,
// since it keeps the budget: so many requests a second, and none at all while
// Stripe says that there were too many. It only reads.
//
// A call is network: never make one while a transaction is open.
type Client struct {
	http    *http.Client
	key     string
	base    string
	limiter *rate.Limiter
	gate    gate
	backoff time.Duration
}

// NewClient makes a client. It does not call anybody.
func NewClient(c ClientConfig) *Client {
	client := &Client{
		http: &http.Client{
			Timeout: requestTimeout,
			// Another address must not get the key.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		key: c.Key, base: strings.TrimRight(c.Base, "/"), backoff: c.Backoff,
		// A burst of one: Stripe counts bursts, too.
		limiter: rate.NewLimiter(rate.Limit(max(c.PerSecond, 1)), 1),
	}
	if client.base == "" {
		client.base = APIBase
	}
	if client.backoff == 0 {
		client.backoff = 500 * time.Millisecond
	}
	return client
}

// Livemode reports which mode the key is for, by its form: sk_test_…, rk_test_….
func (c *Client) Livemode() bool { return !strings.Contains(c.key, "_test_") }

// reply is an answer of success.
type reply struct {
	body []byte
	// asOf is the last second that was over when Stripe answered.
	asOf quotekit.Seconds
}

// get asks for path until there is an answer that will not change by asking
// again: a success, an [*APIError], or the end of the context.
func (c *Client) get(ctx context.Context, account, path string, query url.Values) (reply, error) {
	for attempt := 0; ; attempt++ {
		if err := c.admit(ctx); err != nil {
			return reply{}, err
		}
		r, err := c.ask(ctx, account, path, query)
		if err == nil {
			return r, nil
		}
		if ctx.Err() != nil {
			return reply{}, ctx.Err()
		}
		wait, again := c.retry(err, attempt)
		if !again {
			return reply{}, err
		}
		if err := pause(ctx, wait); err != nil {
			return reply{}, err
		}
	}
}

// once makes one request within the budget, whatever comes of it. If there were too
// many requests, all callers pause.
func (c *Client) once(ctx context.Context, account, path string) (reply, error) {
	if err := c.admit(ctx); err != nil {
		return reply{}, err
	}
	r, err := c.ask(ctx, account, path, nil)
	switch {
	case err == nil:
		return r, nil
	case ctx.Err() != nil:
		return reply{}, ctx.Err()
	}
	c.retry(err, 0)
	return reply{}, err
}

// ask makes one request.
func (c *Client) ask(ctx context.Context, account, path string, query url.Values) (reply, error) {
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return reply{}, quotekit.Permanent(errors.New("the address of Stripe's API cannot be used"))
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Stripe-Version", APIVersion)
	req.Header.Set("User-Agent", "QuoteKit")
	if account != "" {
		req.Header.Set("Stripe-Account", account)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{}, networkError(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return reply{}, networkError(err)
	case len(body) > maxAnswer:
		return reply{}, quotekit.Permanent(errors.New("an answer of Stripe is larger than 64 MiB"))
	case resp.StatusCode != http.StatusOK:
		return reply{}, apiError(resp, body)
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return reply{}, errors.New("an answer of Stripe has no date")
	}
	return reply{body, quotekit.Seconds(date.Unix() - 1)}, nil
}

// listPage is one page of a list, with the objects as the bytes Stripe sent.
type listPage struct {
	Data    []json.RawMessage
	HasMore bool
	// AsOf is the last second that was over when Stripe answered.
	AsOf quotekit.Seconds
}

// list asks for a page.
func (c *Client) list(ctx context.Context, path string, query url.Values) (listPage, error) {
	r, err := c.get(ctx, "", path, query)
	if err != nil {
		return listPage{}, err
	}
	var p struct {
		Object  string            `json:"object"`
		Data    []json.RawMessage `json:"data"`
		HasMore bool              `json:"has_more"`
	}
	if err := json.Unmarshal(r.body, &p); err != nil || p.Object != "list" {
		return listPage{}, fmt.Errorf("the answer to %s is no list", path)
	}
	for i, o := range p.Data {
		p.Data[i] = bytes.Clone(o) // so that one object does not keep the page
	}
	return listPage{p.Data, p.HasMore, r.asOf}, nil
}
