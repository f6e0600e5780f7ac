package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/urfave/cli/v3"
)

const eventsPath = "/v1/monitor/events"

// event is an event as the API shows it.
type event struct {
	StripeEventID string     `json:"stripe_event_id"`
	EventType     string     `json:"event_type"`
	Account       string     `json:"account"`
	APIVersion    *string    `json:"api_version"`
	Livemode      bool       `json:"livemode"`
	ObjectID      *string    `json:"object_id"`
	EventCreated  *time.Time `json:"event_created"`
	Status        string     `json:"status"`
	Attempts      int        `json:"attempts"`
	Deliveries    int        `json:"deliveries"`
	ReceivedAt    time.Time  `json:"received_at"`
	ProcessedAt   *time.Time `json:"processed_at"`
	ErrorMessage  *string    `json:"error_message"`
	FailureReason *string    `json:"failure_reason"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	ReplayMode    *string    `json:"replay_mode"`
}

func (p *program) eventsCommand() *cli.Command {
	return &cli.Command{
		Name:  "events",
		Usage: "look at the events that were received, and replay them",
		Commands: []*cli.Command{
			{
				Name:   "list",
				Usage:  "list events, newest first",
				Flags:  append(eventFilters(), append(listFlags(), serviceFlags()...)...),
				Action: p.eventsList,
			},
			{
				Name:      "get",
				Usage:     "show everything about one event",
				ArgsUsage: "EVENT_ID",
				Flags:     serviceFlags(),
				Action:    p.eventsGet,
			},
			{
				Name:      "replay",
				Usage:     "attempt events again, with their stored payload or with the object as it is now",
				ArgsUsage: "EVENT_ID...",
				Flags:     append(append(actionFlags("replayed from the command line"), currentFlag()), serviceFlags()...),
				Action:    p.eventsReplay,
			},
			{
				Name:  "tail",
				Usage: "print events as they come, until Ctrl-C",
				Description: "An event is printed once, with the state in which it was first seen. " +
					"With --json each is a line of its own.",
				Flags: append(eventFilters(),
					append([]cli.Flag{&cli.IntFlag{Name: "limit", Value: 10, Usage: "begin with the last `N`, 0 to 200"}}, serviceFlags()...)...),
				Action: p.eventsTail,
			},
		},
	}
}

// eventFilters are the flags that choose events, and eventParameters what the API calls
// them.
func eventFilters() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "type", Aliases: []string{"event-type"}, Usage: "only this event `TYPE`"},
		&cli.StringFlag{Name: "status", Usage: "only pending, succeeded, ignored or dead"},
		&cli.StringFlag{Name: "object", Usage: "only events about this object `ID`"},
	}
}

var eventParameters = map[string]string{"type": "event_type", "status": "status", "object": "object_id"}

// newerEvent is a succeeded event of the same object that happened later.
type newerEvent struct {
	StripeEventID string    `json:"stripe_event_id"`
	EventCreated  time.Time `json:"event_created"`
}

func (n *newerEvent) String() string {
	if n == nil {
		return "-"
	}
	return n.StripeEventID + ", " + stamp(&n.EventCreated)
}

func currentFlag() cli.Flag {
	return &cli.BoolFlag{Name: "current", Usage: "apply the object as it is at Stripe now (needs STRIPE_SECRET_KEY)"}
}

func listFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "limit", Value: 50, Usage: "at most `N`"},
		&cli.StringFlag{Name: "cursor", Usage: "go on where the last page ended"},
	}
}

// listQuery makes the query of a list from flags; names maps flags to parameters.
func listQuery(c *cli.Command, names map[string]string) (url.Values, error) {
	q := url.Values{}
	if c.Int("limit") < 1 {
		return nil, usagef("", "--limit begins at 1")
	}
	q.Set("limit", strconv.Itoa(c.Int("limit")))
	if c.String("cursor") != "" {
		q.Set("cursor", c.String("cursor"))
	}
	for flag, parameter := range names {
		if v := c.String(flag); v != "" {
			q.Set(parameter, v)
		}
	}
	return q, nil
}

func (p *program) eventsList(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	q, err := listQuery(c, eventParameters)
	if err != nil {
		return err
	}
	return p.with(ctx, c, func(api *client) error {
		var list page[event]
		var raw json.RawMessage
		if err := api.get(ctx, eventsPath, q, &raw); err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return fmt.Errorf("read the list: %w", err)
		}
		err := p.print(c, raw, func(t *table) {
			t.row("EVENT", "TYPE", "OBJECT", "STATUS", "ATTEMPTS", "DELIVERIES", "RECEIVED", "ERROR")
			for _, e := range list.Items {
				t.row(e.StripeEventID, e.EventType, orDash(e.ObjectID), e.Status, e.Attempts, e.Deliveries,
					stamp(&e.ReceivedAt), orDash(e.ErrorMessage))
			}
		})
		if err == nil {
			p.more(c, list.NextCursor, len(list.Items))
		}
		return err
	})
}

func (p *program) eventsGet(ctx context.Context, c *cli.Command) error {
	ids, err := arguments(c, "an event id", 1)
	if err != nil {
		return err
	}
	return p.with(ctx, c, func(api *client) error {
		var raw json.RawMessage
		if err := api.get(ctx, eventsPath+"/"+url.PathEscape(ids[0]), nil, &raw); err != nil {
			return err
		}
		var e struct {
			event
			AuditTrail []struct {
				At     time.Time `json:"at"`
				Actor  string    `json:"actor"`
				Action string    `json:"action"`
				Reason *string   `json:"reason"`
			} `json:"audit_trail"`
			DeadLetter   *deadLetter `json:"dead_letter"`
			SupersededBy *newerEvent `json:"superseded_by"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("read the event: %w", err)
		}
		return p.print(c, raw, func(t *table) {
			t.row("event", e.StripeEventID)
			t.row("type", e.EventType)
			t.row("object", orDash(e.ObjectID))
			t.row("status", e.Status)
			t.row("created", stamp(e.EventCreated))
			t.row("received", stamp(&e.ReceivedAt))
			t.row("processed", stamp(e.ProcessedAt))
			t.row("attempts", e.Attempts)
			t.row("deliveries", e.Deliveries)
			t.row("api version", orDash(e.APIVersion))
			t.row("livemode", e.Livemode)
			if e.Account != "" {
				t.row("account", e.Account)
			}
			t.row("error", orDash(e.ErrorMessage))
			t.row("next attempt", stamp(e.NextAttemptAt))
			if e.ReplayMode != nil {
				t.row("replay mode", *e.ReplayMode)
			}
			t.row("superseded by", e.SupersededBy)
			if e.DeadLetter != nil {
				t.row("dead letter", e.DeadLetter.ID)
				t.row("reason", e.DeadLetter.FailureReason)
				t.row("automatic retries", e.DeadLetter.AutomaticRetries)
				t.row("next retry", stamp(e.DeadLetter.NextRetryAt))
			}
			for _, a := range e.AuditTrail {
				t.row(stamp(&a.At), a.Actor+" "+a.Action+" "+orDash(a.Reason))
			}
		})
	})
}

func (p *program) eventsReplay(ctx context.Context, c *cli.Command) error {
	ids, err := arguments(c, "an event id", 0)
	if err != nil {
		return err
	}
	return p.with(ctx, c, func(api *client) error {
		return p.act(ctx, c, api, ids, func(id string) string { return eventsPath + "/" + url.PathEscape(id) + "/replay" })
	})
}

// with connects, does the work and closes.
func (p *program) with(ctx context.Context, c *cli.Command, work func(*client) error) error {
	api, err := p.connect(ctx, c)
	if err != nil {
		return err
	}
	return api.use(work)
}

// arguments returns the arguments of a command: exactly n, or for n = 0 at least one.
func arguments(c *cli.Command, what string, n int) ([]string, error) {
	args := c.Args().Slice()
	hint := c.FullName() + " --help"
	if len(args) == 0 {
		return nil, usagef(hint, "%s needs %s", c.Name, what)
	}
	if n > 0 && len(args) > n {
		return nil, usagef(hint, "%s takes %d argument, got %d", c.Name, n, len(args))
	}
	return args, nil
}

// more says on stderr that a list goes on.
func (p *program) more(c *cli.Command, cursor *string, shown int) {
	if shown == 0 && !c.Bool("json") {
		fmt.Fprintln(p.stderr, "none")
	}
	if cursor != nil && !c.Bool("json") {
		fmt.Fprintf(p.stderr, "%d shown, there are more: --cursor %s\n", shown, *cursor)
	}
}

func stamp(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
