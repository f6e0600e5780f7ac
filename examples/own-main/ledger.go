package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/handlers"
)

// ledger is another system, which wants to know of every invoice that is final.
type ledger struct {
	url    string
	client *http.Client
}

func newLedger(address string, client *http.Client) (*ledger, error) {
	if u, err := url.Parse(address); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("LEDGER_URL is not the http(s) URL of the ledger")
	}
	return &ledger{url: address, client: client}, nil
}

// route is deferred, since its handler calls somebody: the event is acknowledged as soon
// as it is kept, and handled by a worker.
func (l *ledger) route() quotekit.Route {
	return quotekit.Route{
		Type: "invoice.finalized", Handler: "ledger", Handle: l.book(handlerOf("invoice.paid")),
		Priority: 3, Timeout: 10 * time.Second, Deferred: true,
	}
}

// handlerOf is the handler that the service has for a type.
func handlerOf(eventType string) quotekit.HandlerFunc {
	known := handlers.Routes()
	i := slices.IndexFunc(known, func(r quotekit.Route) bool { return r.Type == eventType })
	return known[i].Handle
}

// entry is what the ledger is told: amounts in the smallest unit of the currency.
type entry struct {
	Invoice  string `json:"id"`
	Total    *int64 `json:"total"`
	Currency string `json:"currency"`
}

// book tells the ledger of an invoice, and then has it mirrored by the handler that does
// so for all invoices. An attempt may be made again after the ledger was told, as when the
// process dies in between: the ledger knows the event by its id, which is the key of the
// request. What the ledger cannot take now is attempted again after 1, 4 and 16 seconds,
// and then is a dead letter; what it will never take is one at once.
func (l *ledger) book(mirror quotekit.HandlerFunc) quotekit.HandlerFunc {
	return func(ctx context.Context, e quotekit.Event) (quotekit.Changes, error) {
		var invoice entry
		if err := json.Unmarshal(e.Object, &invoice); err != nil || invoice.Invoice == "" || invoice.Total == nil || invoice.Currency == "" {
			return quotekit.Changes{}, quotekit.Permanent(errors.New("the invoice has no id, total or currency"))
		}
		if err := l.tell(ctx, e.ID, invoice); err != nil {
			return quotekit.Changes{}, err
		}
		return mirror(ctx, e)
	}
}

// tell sends an entry. Its errors are shown to operators, so they have no value of it.
func (l *ledger) tell(ctx context.Context, key string, invoice entry) error {
	body, err := json.Marshal(invoice)
	if err != nil {
		return fmt.Errorf("encode an entry: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make a request to the ledger: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	resp, err := l.client.Do(req)
	if err != nil {
		return errors.New("the ledger cannot be reached")
	}
	if err := resp.Body.Close(); err != nil {
		return errors.New("the answer of the ledger broke off")
	}
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusTooManyRequests:
		return quotekit.Permanent(fmt.Errorf("the ledger refuses the entry with %d", resp.StatusCode))
	}
	return fmt.Errorf("the ledger answers %d", resp.StatusCode)
}
