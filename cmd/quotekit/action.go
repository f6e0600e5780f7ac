package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
)

// pollPause is between two looks at an event that is not settled yet.
const pollPause = 50 * time.Millisecond

func actionFlags(reason string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "reason", Value: reason, Usage: "why, for the audit trail"},
		&cli.DurationFlag{Name: "timeout", Value: 10 * time.Second, Usage: "how long to wait for the outcome"},
	}
}

// outcome is what became of one event after an action.
type outcome struct {
	// ID is what the user asked for: an event or a dead letter.
	ID            string  `json:"id"`
	StripeEventID string  `json:"stripe_event_id,omitempty"`
	Status        string  `json:"status"`
	Error         *string `json:"error"`
	// SupersededBy is a newer event of the same object that has succeeded.
	SupersededBy *newerEvent `json:"superseded_by,omitempty"`
	// code is the exit code that this one alone would give.
	code int
	hint string
}

// act asks for an attempt of each id at the path that pathOf gives, waits until
// the events are settled, and tells how each ended.
func (p *program) act(ctx context.Context, c *cli.Command, api *client, ids []string, pathOf func(string) string) error {
	outcomes := p.ask(ctx, c, api, ids, pathOf)
	if api.inProcess {
		fmt.Fprintln(p.stderr, "queued; a running service will attempt it")
	} else if err := p.settle(ctx, c, api, outcomes); err != nil {
		return err
	}
	return p.tell(c, outcomes)
}

// ask posts the action for each id. The one that was refused is an outcome, too.
func (p *program) ask(ctx context.Context, c *cli.Command, api *client, ids []string, pathOf func(string) string) []outcome {
	outcomes := make([]outcome, len(ids))
	for i, id := range ids {
		o := outcome{ID: id}
		body := map[string]string{"reason": c.String("reason")}
		if c.Bool("current") {
			body["mode"] = string(quotekit.ReplayCurrent)
		}
		if err := api.post(ctx, pathOf(id), body, &o); err != nil {
			o = failedOutcome(id, err)
		}
		if o.SupersededBy != nil && !c.Bool("current") {
			fmt.Fprintf(p.stderr, "%s: the newer event %s of the same object has been applied already\n", o.name(), o.SupersededBy.StripeEventID)
		}
		outcomes[i] = o
	}
	return outcomes
}

// tell prints the outcomes and makes one exit code of them.
func (p *program) tell(c *cli.Command, outcomes []outcome) error {
	err := p.print(c, page[outcome]{Items: outcomes}, func(t *table) {
		t.row("EVENT", "STATUS", "ERROR")
		for _, o := range outcomes {
			t.row(o.name(), o.Status, orDash(o.Error))
		}
	})
	if err != nil {
		return err
	}
	return sumUp(outcomes)
}

func (o outcome) name() string {
	if o.StripeEventID != "" {
		return o.StripeEventID
	}
	return o.ID
}

func failedOutcome(id string, err error) outcome {
	f, text := classify(err), err.Error()
	return outcome{ID: id, Status: "refused", Error: &text, code: f.code, hint: f.hint}
}

// settle waits until no event is pending any more, at most the time of --timeout.
func (p *program) settle(ctx context.Context, c *cli.Command, api *client, outcomes []outcome) error {
	deadline := p.now().Add(c.Duration("timeout"))
	for i := range outcomes {
		o := &outcomes[i]
		for o.code == exitDone && o.Status == "pending" {
			var e event
			if err := api.get(ctx, eventsPath+"/"+url.PathEscape(o.StripeEventID), nil, &e); err != nil {
				return err
			}
			o.Status, o.Error = e.Status, e.ErrorMessage
			switch {
			case e.Status == "succeeded":
				o.Error = nil
			case e.Status == "dead":
				o.code, o.hint = exitFailed, "quotekit events get "+o.StripeEventID
			case e.Status == "pending" && p.now().After(deadline):
				o.code, o.hint = exitTimedOut, "quotekit events get "+o.StripeEventID
			case e.Status == "pending":
				if err := wait(ctx, pollPause); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// sumUp makes one exit code of many outcomes.
func sumUp(outcomes []outcome) error {
	bad := 0
	var first outcome
	for _, o := range outcomes {
		if o.code != exitDone {
			if bad == 0 {
				first = o
			}
			bad++
		}
	}
	switch {
	case bad == 0:
		return nil
	case bad < len(outcomes):
		return failf(exitPartly, first.hint, "%d of %d did not succeed", bad, len(outcomes))
	case first.code == exitTimedOut:
		return failf(exitTimedOut, first.hint, "%s is still %s", first.name(), first.Status)
	}
	return failf(first.code, first.hint, "%s: %s", first.name(), orDash(first.Error))
}
