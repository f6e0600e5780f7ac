// Command prices makes two items, raises their prices by five percent, and takes that
// back, over the HTTP API:
//
//	QUOTEKIT_URL=http://127.0.0.1:8787 QUOTEKIT_TOKEN=$(quotekit token) go run ./examples/prices
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// submission is a request for a bulk operation.
type submission struct {
	Operation string         `json:"operation"`
	Items     any            `json:"items"`
	Options   map[string]any `json:"options,omitempty"`
	DryRun    bool           `json:"dry_run,omitempty"`
}

// job is what this program reads of a job.
type job struct {
	Status    string `json:"status"`
	Total     int    `json:"total_items"`
	Succeeded int    `json:"succeeded_items"`
	Progress  int    `json:"progress_percent"`
	Links     struct{ Self, Results, Undo string }
}

func run(ctx context.Context, out io.Writer) error {
	c := client{url: os.Getenv("QUOTEKIT_URL"), token: os.Getenv("QUOTEKIT_TOKEN")}
	if c.url == "" || c.token == "" {
		return errors.New("set QUOTEKIT_URL and QUOTEKIT_TOKEN")
	}

	made, err := c.runBatch(ctx, submission{Operation: "bulk_create_items", Items: []map[string]string{
		{"name": "Design", "unit": "hour", "unit_price": "10.00"}, // money is a string
		{"name": "Print", "unit": "piece", "unit_price": "0.30"},
	}})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "made %d of %d\n", made.Succeeded, made.Total)
	var results struct {
		Items []struct {
			ID string `json:"item_id"`
		}
	}
	if err := c.call(ctx, "GET", made.Links.Results, nil, &results); err != nil {
		return err
	}
	var ids []string
	for _, r := range results.Items {
		ids = append(ids, r.ID)
	}

	change := submission{Operation: "update_item_prices", Items: ids, Options: map[string]any{
		"price_adjustment": map[string]string{"type": "percentage", "value": "5"},
	}}
	preview := change
	preview.DryRun = true
	would, err := c.runBatch(ctx, preview)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d would change\n", would.Succeeded)

	raised, err := c.runBatch(ctx, change)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %d %%\n", raised.Status, raised.Progress)
	for _, id := range ids {
		var item struct {
			Name  string `json:"name"`
			Price string `json:"unit_price"`
		}
		if err := c.call(ctx, "GET", "/v1/items/"+id, nil, &item); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %s\n", item.Name, item.Price)
	}

	var undo job
	if err := c.call(ctx, "POST", raised.Links.Undo, struct{}{}, &undo); err != nil {
		return err
	}
	if undo, err = c.wait(ctx, undo); err != nil {
		return err
	}
	fmt.Fprintf(out, "undo: %s, %d put back\n", undo.Status, undo.Succeeded)

	// What is wrong with a request is told for every part of it, and nothing is changed.
	change.Options = nil
	_, err = c.runBatch(ctx, change)
	var p *problem
	if !errors.As(err, &p) {
		return fmt.Errorf("a request without options gave %v", err)
	}
	fmt.Fprintf(out, "%d %s\n", p.Status, p.Code)
	return nil
}

// client speaks with a service as one user.
type client struct{ url, token string }

// runBatch submits a bulk operation and waits for its end.
func (c client) runBatch(ctx context.Context, s submission) (job, error) {
	var j job
	if err := c.call(ctx, "POST", "/v1/batch-jobs", s, &j); err != nil {
		return j, err
	}
	return c.wait(ctx, j)
}

// wait returns when the job has ended.
func (c client) wait(ctx context.Context, j job) (job, error) {
	for j.Status == "pending" || j.Status == "processing" {
		select {
		case <-ctx.Done():
			return j, ctx.Err()
		case <-time.After(time.Second):
		}
		if err := c.call(ctx, "GET", j.Links.Self, nil, &j); err != nil {
			return j, err
		}
	}
	return j, nil
}

// problem is an answer that is not a success. Its codes are in docs/errors.md.
type problem struct {
	Status       int
	Code, Detail string
}

func (p *problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Detail) }

// call sends a request and decodes the answer into v. A job is waited for up to 20
// seconds. The key makes it one job, however often the request is sent.
func (c client) call(ctx context.Context, method, path string, body, v any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body == nil {
		req.Body, req.ContentLength = http.NoBody, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", rand.Text())
		req.Header.Set("Prefer", "wait=20")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		p := &problem{Status: resp.StatusCode}
		if err := json.NewDecoder(resp.Body).Decode(p); err != nil {
			return fmt.Errorf("%s %s: %s", method, path, resp.Status)
		}
		return p
	}
	return json.NewDecoder(resp.Body).Decode(v)
}
