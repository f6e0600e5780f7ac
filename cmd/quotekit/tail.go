package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/urfave/cli/v3"
)

const (
	// tailPause is between two looks at the newest events.
	tailPause = time.Second
	// tailOverlap is how far back each look reaches: an event can be committed after one
	// that was received later.
	tailOverlap = 20 * time.Second
	// tailPage is the largest page of a list, and tailPages bounds those of one look.
	tailPage, tailPages = 200, 50
)

func (p *program) eventsTail(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	first := c.Int("limit")
	if first < 0 || first > tailPage {
		return usagef("", "--limit is %d, not between 0 and %d", first, tailPage)
	}
	q := url.Values{}
	for flag, parameter := range eventParameters {
		if v := c.String(flag); v != "" {
			q.Set(parameter, v)
		}
	}
	return p.with(ctx, c, func(api *client) error {
		t := &tail{api: api, query: q, seen: map[string]time.Time{}}
		heard := p.now()
		for {
			fresh, missed, err := t.look(ctx, first)
			var failed *failure
			switch {
			case ctx.Err() != nil:
				return nil // Ctrl-C is how it ends
			case err == nil:
				heard = p.now()
			case !t.begun, !errors.As(err, &failed), !failed.transient, p.now().Sub(heard) > patience:
				return err
			}
			if missed {
				fmt.Fprintln(p.stderr, "more came than can be shown; quotekit events list has all")
			}
			if err := printTail(p.stdout, fresh, c.Bool("json")); err != nil {
				return err
			}
			if wait(ctx, tailPause) != nil {
				return nil
			}
		}
	})
}

// tail follows the list of events.
type tail struct {
	api   *client
	query url.Values
	// seen are the events of the last moments, by id, and newest is when the last of all
	// was received. begun is set after the first look.
	seen   map[string]time.Time
	newest time.Time
	begun  bool
}

// tailed is an event as the API gives it, and what is printed of it.
type tailed struct {
	event
	raw json.RawMessage
}

// look returns the events that have come since the last look, oldest first. The first
// look returns the last so many. missed says that there were too many.
func (t *tail) look(ctx context.Context, last int) (fresh []tailed, missed bool, err error) {
	q := url.Values{"limit": {strconv.Itoa(tailPage)}}
	for name, values := range t.query {
		q[name] = values
	}
	newest, reached := t.newest, false
	for pages := 0; !reached && pages < tailPages; pages++ {
		var list page[json.RawMessage]
		if err := t.api.get(ctx, eventsPath, q, &list); err != nil {
			return nil, false, err
		}
		for _, raw := range list.Items {
			e := tailed{raw: raw}
			if err := json.Unmarshal(raw, &e.event); err != nil {
				return nil, false, fmt.Errorf("read the list: %w", err)
			}
			if newest.IsZero() {
				newest = e.ReceivedAt
			}
			if e.ReceivedAt.Before(newest.Add(-tailOverlap)) && (t.begun || len(fresh) >= last) {
				reached = true
				break
			}
			if _, known := t.seen[e.StripeEventID]; !known {
				fresh = append(fresh, e)
			}
		}
		if list.NextCursor == nil {
			reached = true
		} else {
			q.Set("cursor", *list.NextCursor)
		}
	}
	for _, e := range fresh {
		t.seen[e.StripeEventID] = e.ReceivedAt
		if e.ReceivedAt.After(newest) {
			newest = e.ReceivedAt
		}
	}
	t.newest = newest
	for id, at := range t.seen {
		if at.Before(newest.Add(-2 * tailOverlap)) {
			delete(t.seen, id)
		}
	}
	if !t.begun {
		t.begun, reached = true, true // what came before it began is not missed
		fresh = fresh[:min(last, len(fresh))]
	}
	slices.Reverse(fresh)
	return fresh, !reached, nil
}

func printTail(w io.Writer, events []tailed, asJSON bool) error {
	for _, e := range events {
		line := string(e.raw)
		if !asJSON {
			line = printable(fmt.Sprintf("%s  %-9s  %-42s  %s  %s", stamp(&e.ReceivedAt), e.Status, e.EventType, e.StripeEventID, orDash(e.ObjectID)))
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}
