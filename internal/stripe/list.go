package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/quotekit/quotekit"
)

const (
	// MaxTypes is how many event types one request for events may name.
	MaxTypes = 20
	// Memory is how long Stripe lists an event.
	Memory = 30 * 24 * time.Hour
	// pageSize is the most that Stripe puts on a page.
	pageSize = 100
)

// EventsQuery says which events to list, the newest first.
type EventsQuery struct {
	Types []string // at most [MaxTypes]
	// Since is the earliest second; Until the latest, if it is not zero.
	Since, Until quotekit.Seconds
	// After is the id of the event that the last page ended with; empty for the
	// first page.
	After string
}

// ListedEvent is an event of Stripe's list.
type ListedEvent struct {
	ID, Type string
	Created  quotekit.Seconds
	// Payload is the event as Stripe sent it.
	Payload []byte
}

// EventPage is a page of Stripe's list of events.
type EventPage struct {
	Events  []ListedEvent
	HasMore bool
	// AsOf is the last second that was over when Stripe answered.
	AsOf quotekit.Seconds
}

// Events lists events of one's own account. If the event of After is no longer
// listed, the error is one that [IsMissing] knows.
func (c *Client) Events(ctx context.Context, q EventsQuery) (EventPage, error) {
	query := url.Values{"limit": {strconv.Itoa(pageSize)}, "types[]": q.Types, "created[gte]": {seconds(q.Since)}}
	if q.Until != 0 {
		query.Set("created[lte]", seconds(q.Until))
	}
	if q.After != "" {
		query.Set("starting_after", q.After)
	}
	p, err := c.list(ctx, "/v1/events", query)
	if err != nil {
		return EventPage{}, err
	}
	page := EventPage{Events: make([]ListedEvent, len(p.Data)), HasMore: p.HasMore, AsOf: p.AsOf}
	for i, payload := range p.Data {
		e, err := ParseEvent(payload)
		if err != nil && !errors.Is(err, ErrEnvelope) {
			return EventPage{}, fmt.Errorf("read Stripe's list of events: %w", err)
		}
		page.Events[i] = ListedEvent{e.ID, e.Type, e.Created, payload}
	}
	return page, nil
}

func seconds(s quotekit.Seconds) string { return strconv.FormatInt(int64(s), 10) }

// ObjectPage is a page of a list of objects.
type ObjectPage struct {
	Objects []Object
	// Last is the id that the next page comes after, and Drafts how many were left
	// out.
	Last    string
	Drafts  int
	HasMore bool
}

// Objects lists the objects of a kind in one's own account, the newest first:
// those behind the one with the id after, if that is not empty. Subscriptions
// that have ended are among them; deleted objects are not, and neither are drafts
// of invoices, which may vanish without a word. Payment methods are those of a
// customer, and nothing else is. Checkout sessions are not listed.
func (c *Client) Objects(ctx context.Context, kind quotekit.Kind, customer, after string) (ObjectPage, error) {
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	var path string
	switch kind {
	case quotekit.KindCustomer:
		path = "/v1/customers"
	case quotekit.KindProduct:
		path = "/v1/products"
	case quotekit.KindPrice:
		path = "/v1/prices"
	case quotekit.KindSubscription:
		path = "/v1/subscriptions"
		query.Set("status", "all")
	case quotekit.KindInvoice:
		path = "/v1/invoices"
	case quotekit.KindPaymentMethod:
		path = "/v1/customers/" + url.PathEscape(customer) + "/payment_methods"
	default:
		return ObjectPage{}, quotekit.Permanent(fmt.Errorf("objects of the kind %s cannot be listed", kind))
	}
	if after != "" {
		query.Set("starting_after", after)
	}
	p, err := c.list(ctx, path, query)
	if err != nil {
		return ObjectPage{}, err
	}
	page := ObjectPage{HasMore: p.HasMore}
	for _, raw := range p.Data {
		o := struct {
			ID       string `json:"id"`
			Livemode bool   `json:"livemode"`
			Status   string `json:"status"`
		}{Livemode: c.Livemode()}
		if err := json.Unmarshal(raw, &o); err != nil || o.ID == "" {
			return ObjectPage{}, fmt.Errorf("an entry of the list of the kind %s is no object with an id", kind)
		}
		page.Last = o.ID
		if kind == quotekit.KindInvoice && o.Status == "draft" {
			page.Drafts++
			continue
		}
		page.Objects = append(page.Objects, Object{Kind: kind, ID: o.ID, JSON: raw, Livemode: o.Livemode, AsOf: p.AsOf})
	}
	return page, nil
}
