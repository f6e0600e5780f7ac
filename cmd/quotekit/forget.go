package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/forget"
	"github.com/quotekit/quotekit/internal/monitor"
)

const forgetPath = "/v1/monitor/forget"

func (p *program) forgetCommand() *cli.Command {
	return &cli.Command{
		Name:  "forget",
		Usage: "delete what is kept of a person, for good",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "customer", Usage: "the customer at Stripe with this `ID`"},
			&cli.StringFlag{Name: "user", Usage: "the user of the application with this `UUID`, with all customers of the user"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what would be deleted, and delete nothing"},
			&cli.BoolFlag{Name: "yes", Usage: "do not ask; needed where nobody can be asked"},
			&cli.BoolFlag{Name: "no-wait", Usage: "do not wait for the end"},
			&cli.StringFlag{Name: "reason", Usage: "why, for the audit trail, which keeps it: so no name in it"},
			timeoutOfTask(),
		}, serviceFlags()...),
		Action: p.forget,
	}
}

// forget looks at what it would be, asks, and forgets.
func (p *program) forget(ctx context.Context, c *cli.Command) error {
	user, err := userFlag(c)
	if err := errors.Join(noArguments(c), checkTimeout(c), err); err != nil {
		return err
	}
	help := c.FullName() + " --help"
	switch dryRun := c.Bool("dry-run"); {
	case (c.String("customer") == "") == (user == ""):
		return usagef(help, "say who it is: --customer or --user, one of the two")
	case !dryRun && c.String("reason") == "":
		return usagef(help, "--reason is missing: say why; it is kept in the audit trail")
	case !dryRun && !c.Bool("yes") && !p.canAsk():
		return usagef(c.FullName()+" --dry-run", "nobody can be asked whether this is meant: look with --dry-run, then repeat with --yes")
	}
	return p.with(ctx, c, func(api *client) error {
		var raw json.RawMessage
		preview := monitor.ForgetBody{Customer: c.String("customer"), UserID: user, DryRun: true}
		if err := api.post(ctx, forgetPath, preview, &raw); err != nil {
			return err
		}
		var answer monitor.ForgetAnswer
		if err := json.Unmarshal(raw, &answer); err != nil {
			return fmt.Errorf("read the preview: %w", err)
		}
		if c.Bool("dry-run") {
			fmt.Fprintln(p.stderr, "nothing was deleted")
			return p.print(c, raw, func(t *table) { drawForget(t, answer) })
		}
		look := newTable(p.stderr)
		drawForget(look, answer)
		if err := look.flush(); err != nil {
			return err
		}
		if !p.confirmed(c, "Delete this for good?") {
			return failf(exitFailed, "", "nothing was deleted")
		}
		if err := api.post(ctx, forgetPath, monitor.ForgetBody{Token: *answer.Token, Reason: c.String("reason")}, nil); err != nil {
			return err
		}
		t, err := api.task(ctx, answer.TaskID)
		if err != nil {
			return err
		}
		if c.Bool("no-wait") {
			fmt.Fprintln(p.stderr, "started: quotekit tasks watch "+t.ID)
			return p.printTask(c, t)
		}
		command := taskCommand{
			kind: quotekit.ForgetKind, progress: func(json.RawMessage) string { return "" },
			tell: func(t shownTask) error { return p.tellForget(c, t) },
		}
		if t, err = p.watchTask(ctx, c, api, t, command); err != nil {
			return err
		}
		return p.endOf(t, command)
	})
}

// drawForget shows what would be deleted.
func drawForget(t *table, a monitor.ForgetAnswer) {
	for _, customer := range a.Customers {
		mode := "test mode"
		if customer.Livemode {
			mode = "live mode"
		}
		t.row("customer", customer.ID, mode, customer.Account)
	}
	drawCounts(t, "delete", a.Deletes)
	drawCounts(t, "keep", a.Keeps)
	if a.UnendedSubscriptions > 0 {
		t.row("not ended", "subscriptions", a.UnendedSubscriptions, "their later events will be ignored")
	}
}

func drawCounts(t *table, what string, counts map[string]int64) {
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		t.row(what, name, counts[name])
	}
}

// tellForget prints the report.
func (p *program) tellForget(c *cli.Command, t shownTask) error {
	var r forget.Report
	if err := json.Unmarshal(t.Report, &r); err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	return p.print(c, t.raw, func(out *table) { drawCounts(out, "deleted", r.Deleted) })
}
