package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/internal/monitor"
)

const overviewPath = "/v1/monitor/overview"

func (p *program) statusCommand() *cli.Command {
	return &cli.Command{
		Name:        "status",
		Usage:       "say whether all is well: what came, how fast, what waits and what is dead",
		Description: "The exit code is 1 if something is critical, so it can be asked by a script.",
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "days", Usage: "figures of the last `N` days instead of those of the last hour"},
		}, serviceFlags()...),
		Action: p.status,
	}
}

func (p *program) status(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	last := "in the last hour"
	var q url.Values // the service's own range is an hour
	if c.IsSet("days") {
		days := c.Int("days")
		if days < 1 {
			return usagef("quotekit status --days 7", "--days begins at 1")
		}
		q, last = url.Values{"days_back": {strconv.Itoa(days)}}, "in the last day"
		if days > 1 {
			last = fmt.Sprintf("in the last %d days", days)
		}
	}
	return p.with(ctx, c, func(api *client) error {
		var raw json.RawMessage
		if err := api.get(ctx, overviewPath, q, &raw); err != nil {
			return err
		}
		var o monitor.Overview
		if err := json.Unmarshal(raw, &o); err != nil {
			return fmt.Errorf("read the overview: %w", err)
		}
		if err := p.print(c, raw, func(t *table) { statusRows(t, o, last) }); err != nil {
			return err
		}
		if o.Health.Status == "critical" {
			return failf(exitFailed, "quotekit alerts list", "%s", o.Health.Sentence)
		}
		return nil
	})
}

func statusRows(t *table, o monitor.Overview, last string) {
	t.row("health", fmt.Sprintf("%s: %s", o.Health.Status, o.Health.Sentence))
	events := fmt.Sprintf("%d %s", o.TotalEvents, last)
	if o.SuccessRate != nil {
		events += fmt.Sprintf(", %.2f %% of them succeeded", 100**o.SuccessRate)
	}
	t.row("events", events)
	if o.P50 != nil && o.P95 != nil && o.P99 != nil {
		t.row("times", fmt.Sprintf("p50 %.1f ms, p95 %.1f ms, p99 %.1f ms", *o.P50, *o.P95, *o.P99))
	}
	t.row("last event", stamp(o.LastEventAt))
	pending := strconv.FormatInt(o.Pending, 10)
	if o.Pending > 0 {
		pending += ", the oldest for " + time.Duration(o.OldestUnprocessed*float64(time.Second)).Round(time.Second).String()
	}
	t.row("pending", pending)
	dead := strconv.FormatInt(o.DeadLetters, 10)
	if o.DeadLettersMore {
		dead = "more than " + dead
	}
	t.row("dead letters", dead)
	t.row("alerts", o.FiringAlerts)
	t.row("bulk operations", fmt.Sprintf("%d running", o.RunningBatches))
}
