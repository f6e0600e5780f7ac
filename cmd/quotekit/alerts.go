package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
)

const alertsPath = "/v1/monitor/alerts"

// alertList is a list of alerts as the API gives it.
type alertList struct {
	Items      []quotekit.Alert         `json:"items"`
	Deliveries []quotekit.AlertDelivery `json:"deliveries"`
}

func (p *program) alertsCommand() *cli.Command {
	const which = "An ALERT is its id, or the name of a rule: then all alerts of the rule that are not resolved."
	reason := func(text string) cli.Flag {
		return &cli.StringFlag{Name: "reason", Value: text, Usage: "why, for the audit trail and for those who see the alert"}
	}
	return &cli.Command{
		Name:  "alerts",
		Usage: "look at what should wake somebody, take it on, keep it quiet",
		Commands: []*cli.Command{
			{
				Name:  "list",
				Usage: "list alerts that are not resolved, the worst first",
				Flags: append([]cli.Flag{
					&cli.BoolFlag{Name: "all", Usage: "list those that were resolved, too"},
					&cli.IntFlag{Name: "days", Value: 1, Usage: "with --all: resolved in the last `N` days"},
				}, serviceFlags()...),
				Action: p.alertsList,
			},
			{
				Name: "deliveries", Usage: "list what was told, to whom, and what came of it, newest first",
				Flags: serviceFlags(), Action: p.alertsDeliveries,
			},
			{
				Name: "rules", Usage: "list the rules with their limits",
				Flags: serviceFlags(), Action: p.alertsRules,
			},
			{
				Name: "ack", Usage: "take alerts on: no more reminders", ArgsUsage: "ALERT...", Description: which,
				Flags:  append([]cli.Flag{reason("acknowledged from the command line")}, serviceFlags()...),
				Action: func(ctx context.Context, c *cli.Command) error { return p.alertsAct(ctx, c, "acknowledge", nil) },
			},
			{
				Name: "silence", Usage: "keep alerts quiet for a time", ArgsUsage: "ALERT...", Description: which,
				Flags: append([]cli.Flag{
					&cli.StringFlag{Name: "for", Value: "2h", Usage: "how `LONG`, like 30m, 2h or 1d"},
					&cli.StringFlag{Name: "until", Usage: "instead: until a `TIME` like 2006-01-02T15:04:05Z"},
					reason("silenced from the command line"),
				}, serviceFlags()...),
				Action: p.alertsSilence,
			},
			{
				Name: "unsilence", Usage: "end the silence of alerts", ArgsUsage: "ALERT...", Description: which,
				Flags:  append([]cli.Flag{reason("from the command line")}, serviceFlags()...),
				Action: func(ctx context.Context, c *cli.Command) error { return p.alertsAct(ctx, c, "unsilence", nil) },
			},
			{
				Name: "test", Usage: "send a test through every channel, and tell what came of it",
				Flags: append([]cli.Flag{
					reason("a test from the command line"),
					&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "how long to wait for the outcome"},
				}, serviceFlags()...),
				Action: p.alertsTest,
			},
		},
	}
}

func (p *program) alertsList(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	q := url.Values{"days_back": {strconv.Itoa(c.Int("days"))}}
	return p.with(ctx, c, func(api *client) error {
		list, err := api.alerts(ctx, q)
		if err != nil {
			return err
		}
		shown := []quotekit.Alert{}
		for _, a := range list.Items {
			if c.Bool("all") || a.State != quotekit.AlertResolved {
				shown = append(shown, a)
			}
		}
		if len(shown) == 0 && !c.Bool("json") {
			fmt.Fprintln(p.stderr, "none")
		}
		return p.print(c, page[quotekit.Alert]{Items: shown}, func(t *table) { alertRows(t, shown) })
	})
}

func alertRows(t *table, alerts []quotekit.Alert) {
	t.row("ID", "RULE", "STATE", "SEVERITY", "SINCE", "BY", "SUMMARY")
	for _, a := range alerts {
		state := string(a.State)
		if a.SilencedUntil != nil {
			state += " until " + stamp(a.SilencedUntil)
		}
		t.row(a.ID, a.Rule, state, a.Severity, stamp(&a.Since), dash(a.AcknowledgedBy), a.Summary)
	}
}

func (c *client) alerts(ctx context.Context, q url.Values) (list alertList, err error) {
	err = c.get(ctx, alertsPath, q, &list)
	return list, err
}

func (p *program) alertsDeliveries(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	return p.with(ctx, c, func(api *client) error {
		list, err := api.alerts(ctx, nil)
		if err != nil {
			return err
		}
		return p.print(c, page[quotekit.AlertDelivery]{Items: list.Deliveries}, func(t *table) {
			t.row("AT", "CHANNEL", "EVENT", "RULE", "SUBJECT", "STATUS", "ATTEMPTS", "ERROR")
			for _, d := range list.Deliveries {
				t.row(stamp(&d.CreatedAt), d.Channel, d.Event, d.Rule, dash(d.Subject), d.Status, d.Attempts, dash(d.Error))
			}
		})
	})
}

func (p *program) alertsRules(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	return p.with(ctx, c, func(api *client) error {
		var raw json.RawMessage
		if err := api.get(ctx, alertsPath+"/rules", nil, &raw); err != nil {
			return err
		}
		var list page[quotekit.AlertRule]
		if err := json.Unmarshal(raw, &list); err != nil {
			return fmt.Errorf("read the rules: %w", err)
		}
		return p.print(c, raw, func(t *table) {
			t.row("RULE", "WARNING", "CRITICAL", "UNIT", "MEASURES")
			for _, r := range list.Items {
				warning, critical := orDash(r.Warning), orDash(r.Critical)
				if !r.Enabled {
					warning, critical = "off", "off"
				}
				t.row(r.Name, warning, critical, r.Unit, r.Measures)
			}
		})
	})
}

func (p *program) alertsSilence(ctx context.Context, c *cli.Command) error {
	body := map[string]string{}
	switch until := c.String("until"); {
	case until == "":
		body["for"] = c.String("for")
	case c.IsSet("for"):
		return usagef(c.FullName()+" --help", "silence takes --for or --until, not both")
	default:
		if _, err := time.Parse(time.RFC3339, until); err != nil {
			return usagef(c.FullName()+" --help", "--until is %q, not a time like 2006-01-02T15:04:05Z", until)
		}
		body["until"] = until
	}
	return p.alertsAct(ctx, c, "silence", body)
}

// alertsAct does something with each of the alerts that are named, and shows them
// then. It stops at the first that is refused.
func (p *program) alertsAct(ctx context.Context, c *cli.Command, act string, body map[string]string) error {
	names, err := arguments(c, "the id of an alert, or the name of a rule", 0)
	if err != nil {
		return err
	}
	if body == nil {
		body = map[string]string{}
	}
	body["reason"] = c.String("reason")
	return p.with(ctx, c, func(api *client) error {
		ids, err := api.alertIDs(ctx, names)
		if err != nil {
			return err
		}
		var done []quotekit.Alert
		for _, id := range ids {
			var a quotekit.Alert
			if err := api.post(ctx, alertsPath+"/"+url.PathEscape(id)+"/"+act, body, &a); err != nil {
				return hintAt(exitNotFound, "quotekit alerts list", err)
			}
			done = append(done, a)
		}
		return p.print(c, page[quotekit.Alert]{Items: done}, func(t *table) { alertRows(t, done) })
	})
}

// alertIDs makes ids of ids and names of rules.
func (c *client) alertIDs(ctx context.Context, names []string) (ids []string, err error) {
	list, err := c.alerts(ctx, nil)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if uuid.Validate(name) == nil {
			ids = append(ids, name)
			continue
		}
		known := len(ids)
		for _, a := range list.Items {
			if a.Rule == name && a.State != quotekit.AlertResolved {
				ids = append(ids, a.ID)
			}
		}
		if len(ids) == known {
			return nil, failf(exitNotFound, "quotekit alerts list", "there is no alert %q", name)
		}
	}
	return ids, nil
}

func (p *program) alertsTest(ctx context.Context, c *cli.Command) error {
	if err := errors.Join(noArguments(c), checkTimeout(c)); err != nil {
		return err
	}
	return p.with(ctx, c, func(api *client) error {
		var told struct {
			Deliveries []quotekit.AlertDelivery `json:"deliveries"`
		}
		if err := api.post(ctx, alertsPath+"/test", map[string]string{"reason": c.String("reason")}, &told); err != nil {
			return err
		}
		if api.sendAlerts != nil {
			if err := api.sendAlerts(ctx); err != nil {
				return err
			}
		}
		deadline := p.now().Add(c.Duration("timeout"))
		for {
			list, err := api.alerts(ctx, nil)
			if err != nil {
				return err
			}
			outcomes, settled := testOutcomes(told.Deliveries, list.Deliveries)
			if settled || p.now().After(deadline) {
				return p.tellTest(c, outcomes)
			}
			if err := wait(ctx, pollPause); err != nil {
				return err
			}
		}
	})
}

// testOutcomes says what became of a test in each channel, and whether an attempt was
// made in each.
func testOutcomes(told, log []quotekit.AlertDelivery) (outcomes []outcome, settled bool) {
	settled = true
	for _, d := range told {
		for _, l := range log {
			if l.ID == d.ID {
				d = l
			}
		}
		o := outcome{ID: d.Channel, Status: d.Status}
		switch {
		case d.Error != "":
			o.Error, o.code, o.hint = &d.Error, exitFailed, "quotekit alerts deliveries"
		case d.Status != "delivered":
			o.code, o.hint = exitTimedOut, "quotekit serve: a process that works jobs sends it"
			settled = false
		}
		outcomes = append(outcomes, o)
	}
	return outcomes, settled
}

func (p *program) tellTest(c *cli.Command, outcomes []outcome) error {
	err := p.print(c, page[outcome]{Items: outcomes}, func(t *table) {
		t.row("CHANNEL", "STATUS", "ERROR")
		for _, o := range outcomes {
			t.row(o.ID, o.Status, orDash(o.Error))
		}
	})
	if err != nil {
		return err
	}
	return sumUp(outcomes)
}
