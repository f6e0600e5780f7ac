package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/internal/reconcile"
)

func (p *program) reconcileCommand() *cli.Command {
	return &cli.Command{
		Name:  "reconcile",
		Usage: "compare with Stripe's own list of events, and import what was missed",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "since", Usage: "where to begin: `TIME`, or how long ago, like 30d or 12h (default: where the last one ended)"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what is missing, and import nothing"},
		}, taskFlags()...),
		Action: p.reconcile,
	}
}

func (p *program) reconcile(ctx context.Context, c *cli.Command) error {
	body := reconcile.ReconcileRequest{Since: c.String("since"), DryRun: c.Bool("dry-run"), Reason: c.String("reason")}
	if _, err := reconcile.ParseSince(body.Since, p.now()); err != nil {
		return usagef(c.FullName()+" --help", "--since: %w", err)
	}
	return p.runTask(ctx, c, taskCommand{
		path: "/v1/monitor/reconcile", kind: reconcile.KindReconcile, body: body,
		progress: func(report json.RawMessage) string {
			var r reconcile.Report
			if json.Unmarshal(report, &r) != nil {
				return ""
			}
			return fmt.Sprintf("%d events compared, %d missing", r.Listed, r.Missed)
		},
		tell: func(t shownTask) error { return p.tellReconcile(c, t) },
	})
}

// tellReconcile prints the report.
func (p *program) tellReconcile(c *cli.Command, t shownTask) error {
	var r reconcile.Report
	if err := json.Unmarshal(t.Report, &r); err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	err := p.print(c, t.raw, func(out *table) {
		out.row("since", stamp(&r.Since))
		out.row("until", stamp(&r.Until))
		out.row("listed", r.Listed)
		out.row("missed", r.Missed)
		for _, name := range slices.Sorted(maps.Keys(r.ByType)) {
			out.row("  "+name, r.ByType[name])
		}
		if r.OldestMissed != nil {
			out.row("oldest missed", stamp(r.OldestMissed))
		}
		if !r.DryRun {
			out.row("imported", r.Imported)
			out.row("  pending", r.Pending)
			out.row("  dead", r.Failed)
		}
	})
	if err != nil {
		return err
	}
	if r.Forgotten != nil {
		fmt.Fprintf(p.stderr, "Stripe has forgotten events since %s; the present state of their objects comes with: quotekit backfill\n", stamp(r.Forgotten))
	}
	switch {
	case r.DryRun && r.Missed > 0:
		fmt.Fprintln(p.stderr, "nothing was imported; without --dry-run it is")
	case r.Failed > 0:
		return failf(exitPartly, "quotekit dlq list", "%d of %d imported events are in the dead letter queue", r.Failed, r.Imported)
	}
	return nil
}

// taskFlags are those of a command that starts a task and waits for it.
func taskFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "reason", Value: "asked for on the command line", Usage: "why, for the audit trail"},
		timeoutOfTask(),
	}, serviceFlags()...)
}

func timeoutOfTask() cli.Flag {
	return &cli.DurationFlag{Name: "timeout", Value: time.Hour, Usage: "how long to wait for the end"}
}
