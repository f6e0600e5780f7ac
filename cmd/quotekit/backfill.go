package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/internal/reconcile"
)

func (p *program) backfillCommand() *cli.Command {
	return &cli.Command{
		Name:  "backfill",
		Usage: "fill the tables from Stripe's lists of objects: at first, and for gaps older than 30 days",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "only", Usage: "only these `LISTS`, separated by commas: " + strings.Join(reconcile.Lists(), ", ")},
		}, taskFlags()...),
		Action: p.backfill,
	}
}

func (p *program) backfill(ctx context.Context, c *cli.Command) error {
	body := reconcile.BackfillRequest{Reason: c.String("reason")}
	if only := c.String("only"); only != "" {
		for name := range strings.SplitSeq(only, ",") {
			name = strings.ReplaceAll(strings.TrimSpace(name), "-", "_")
			if !slices.Contains(reconcile.Lists(), name) {
				return usagef(c.FullName()+" --help", "--only knows %s, not %q", strings.Join(reconcile.Lists(), ", "), name)
			}
			body.Only = append(body.Only, name)
		}
	}
	return p.runTask(ctx, c, taskCommand{
		path: "/v1/monitor/backfill", kind: reconcile.KindBackfill, body: body,
		progress: func(report json.RawMessage) string {
			var r reconcile.BackfillReport
			if json.Unmarshal(report, &r) != nil {
				return ""
			}
			var parts []string
			for _, name := range reconcile.Lists() {
				if l := r.Lists[name]; l != nil {
					parts = append(parts, fmt.Sprintf("%s %d", name, l.Imported))
				}
			}
			return strings.Join(parts, ", ")
		},
		tell: func(t shownTask) error { return p.tellBackfill(c, t) },
	})
}

// tellBackfill prints the report.
func (p *program) tellBackfill(c *cli.Command, t shownTask) error {
	var r reconcile.BackfillReport
	if err := json.Unmarshal(t.Report, &r); err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	var imported, dead int
	err := p.print(c, t.raw, func(out *table) {
		out.row("LIST", "LISTED", "SKIPPED", "IMPORTED", "PENDING", "DEAD")
		for _, name := range reconcile.Lists() {
			if l := r.Lists[name]; l != nil {
				out.row(name, l.Listed, l.Skipped, l.Imported, l.Pending, l.Failed)
			}
		}
	})
	for _, l := range r.Lists {
		imported, dead = imported+l.Imported, dead+l.Failed
	}
	if err == nil && dead > 0 {
		return failf(exitPartly, "quotekit dlq list", "%d of %d imported objects are in the dead letter queue", dead, imported)
	}
	return err
}
