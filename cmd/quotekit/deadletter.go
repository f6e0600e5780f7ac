package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
)

const deadLettersPath = "/v1/monitor/dead-letter-queue"

// deadLetter is a dead letter as the API shows it.
type deadLetter struct {
	ID                   string     `json:"id"`
	StripeEventID        string     `json:"stripe_event_id"`
	EventType            string     `json:"event_type"`
	FailureReason        string     `json:"failure_reason"`
	FailureCount         int        `json:"failure_count"`
	FirstFailedAt        time.Time  `json:"first_failed_at"`
	LastFailedAt         time.Time  `json:"last_failed_at"`
	RequiresManualReview bool       `json:"requires_manual_review"`
	Resolved             bool       `json:"resolved"`
	ResolvedAt           *time.Time `json:"resolved_at"`
	ResolutionNotes      *string    `json:"resolution_notes"`
	ErrorMessage         *string    `json:"error_message"`
	AutomaticRetries     int        `json:"automatic_retries"`
	NextRetryAt          *time.Time `json:"next_retry_at"`
	Status               string     `json:"status"`
}

func (p *program) deadLetterCommand() *cli.Command {
	chosen := append(filterFlags(),
		&cli.BoolFlag{Name: "all", Usage: "every dead letter that is not resolved"},
		&cli.BoolFlag{Name: "dry-run", Usage: "only say which ones it would be"},
		&cli.BoolFlag{Name: "yes", Usage: "with a filter: do not ask on a terminal"},
		&cli.BoolFlag{Name: "no-wait", Usage: "with a filter: only start it; quotekit tasks watch shows how far it is"},
		&cli.IntFlag{Name: "rate", Usage: "with a filter: letters in a second, 1 to 1,000"},
		&cli.IntFlag{Name: "limit", Usage: "with a filter: at most `N` letters (default: 10,000)"})
	return &cli.Command{
		Name:  "dlq",
		Usage: "look at the dead letter queue, retry and resolve",
		Commands: []*cli.Command{
			{
				Name:  "list",
				Usage: "list dead letters that are not resolved",
				Flags: append(append(filterFlags("reason"),
					&cli.BoolFlag{Name: "resolved", Usage: "list those that are resolved"},
					&cli.BoolFlag{Name: "all", Usage: "list both"},
				), append(listFlags(), serviceFlags()...)...),
				Action: p.dlqList,
			},
			{
				Name:      "show",
				Usage:     "show a dead letter with its event",
				ArgsUsage: "ID",
				Flags:     serviceFlags(),
				Action:    p.dlqShow,
			},
			{
				Name:        "retry",
				Usage:       "attempt dead letters again",
				ArgsUsage:   "[ID...]",
				Description: "An ID is that of the dead letter or of its event.",
				Flags: append(append(append(actionFlags("retried from the command line"),
					&cli.BoolFlag{Name: "current", Usage: "apply the object as it is at Stripe now, instead of the stored payload"},
				), chosen...), serviceFlags()...),
				Action: p.dlqRetry,
			},
			{
				Name:        "resolve",
				Usage:       "close dead letters without another attempt",
				ArgsUsage:   "[ID...]",
				Description: "An ID is that of the dead letter or of its event.",
				Flags: append(append([]cli.Flag{
					&cli.StringFlag{Name: "reason", Value: "resolved from the command line", Usage: "why, for the audit trail"},
					&cli.DurationFlag{Name: "timeout", Value: 10 * time.Minute, Usage: "with a filter: how long to wait for the outcome"},
				}, chosen...), serviceFlags()...),
				Action: p.dlqResolve,
			},
		},
	}
}

func filterFlags(aliases ...string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "event-type", Aliases: []string{"type"}, Usage: "only events of this `TYPE`"},
		&cli.StringFlag{Name: "failure-reason", Aliases: aliases, Usage: "only this `REASON`, like HANDLER_REJECTED"},
	}
}

func filterNames() map[string]string {
	return map[string]string{"event-type": "event_type", "failure-reason": "reason"}
}

func (p *program) dlqList(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	q, err := listQuery(c, filterNames())
	if err != nil {
		return err
	}
	if !c.Bool("all") {
		q.Set("resolved", strconv.FormatBool(c.Bool("resolved")))
	}
	return p.with(ctx, c, func(api *client) error {
		var raw json.RawMessage
		if err := api.get(ctx, deadLettersPath, q, &raw); err != nil {
			return err
		}
		var list page[deadLetter]
		if err := json.Unmarshal(raw, &list); err != nil {
			return fmt.Errorf("read the list: %w", err)
		}
		err := p.print(c, raw, func(t *table) { deadLetterRows(t, list.Items) })
		if err == nil {
			p.more(c, list.NextCursor, len(list.Items))
		}
		return err
	})
}

func deadLetterRows(t *table, letters []deadLetter) {
	t.row("ID", "EVENT", "TYPE", "REASON", "FAILURES", "LAST FAILED", "STATE", "ERROR")
	for _, d := range letters {
		state := "waiting"
		switch {
		case d.Resolved:
			state = "resolved"
		case d.RequiresManualReview:
			state = "needs review"
		}
		t.row(d.ID, d.StripeEventID, d.EventType, d.FailureReason, d.FailureCount, stamp(&d.LastFailedAt), state, orDash(d.ErrorMessage))
	}
}

func (p *program) dlqShow(ctx context.Context, c *cli.Command) error {
	ids, err := arguments(c, "the id of a dead letter or of its event", 1)
	if err != nil {
		return err
	}
	return p.with(ctx, c, func(api *client) error {
		var raw json.RawMessage
		if err := api.get(ctx, deadLetterPath(ids[0]), nil, &raw); err != nil {
			return err
		}
		var d struct {
			deadLetter
			EventData json.RawMessage `json:"event_data"`
		}
		if err := json.Unmarshal(raw, &d); err != nil {
			return fmt.Errorf("read the dead letter: %w", err)
		}
		return p.print(c, raw, func(t *table) {
			t.row("id", d.ID)
			t.row("event", d.StripeEventID)
			t.row("type", d.EventType)
			t.row("reason", d.FailureReason)
			t.row("error", orDash(d.ErrorMessage))
			t.row("failures", d.FailureCount)
			t.row("first failed", stamp(&d.FirstFailedAt))
			t.row("last failed", stamp(&d.LastFailedAt))
			t.row("needs review", d.RequiresManualReview)
			t.row("resolved", stamp(d.ResolvedAt))
			t.row("notes", orDash(d.ResolutionNotes))
			t.row("status", d.Status)
			t.row("event data", fmt.Sprintf("%d bytes, shown with --json", len(d.EventData)))
		})
	})
}

func (p *program) dlqRetry(ctx context.Context, c *cli.Command) error {
	return p.onChosen(ctx, c, quotekit.BulkRetry, func(api *client, ids []string) error {
		return p.act(ctx, c, api, ids, func(id string) string { return deadLetterPath(id) + "/retry" })
	})
}

func (p *program) dlqResolve(ctx context.Context, c *cli.Command) error {
	return p.onChosen(ctx, c, quotekit.BulkResolve, func(api *client, ids []string) error {
		outcomes := p.ask(ctx, c, api, ids, func(id string) string { return deadLetterPath(id) + "/resolve" })
		for i := range outcomes {
			if outcomes[i].code == exitDone {
				outcomes[i].Status = "resolved" // the event itself stays dead
			}
		}
		return p.tell(c, outcomes)
	})
}

// onChosen calls work with the ids of a command, unless this is a dry run. With a
// filter instead of ids it is a bulk act.
func (p *program) onChosen(ctx context.Context, c *cli.Command, action quotekit.BulkAction, work func(*client, []string) error) error {
	ids := c.Args().Slice()
	byFilter := c.Bool("all") || c.String("event-type") != "" || c.String("failure-reason") != "" || reasonAsFilter(c) != ""
	help := c.FullName() + " --help"
	switch {
	case len(ids) == 0 && !byFilter:
		return usagef("quotekit dlq list", "%s needs ids, or --event-type, --failure-reason or --all", c.Name)
	case len(ids) > 0 && byFilter:
		return usagef(help, "%s takes ids or a filter, not both", c.Name)
	case byFilter:
		return p.bulk(ctx, c, action)
	}
	return p.with(ctx, c, func(api *client) error {
		if !c.Bool("dry-run") {
			return work(api, ids)
		}
		letters := []deadLetter{}
		for _, id := range ids {
			var d deadLetter
			if err := api.get(ctx, deadLetterPath(id), nil, &d); err != nil {
				return err
			}
			letters = append(letters, d)
		}
		fmt.Fprintf(p.stderr, "%d dead letters; nothing was changed\n", len(letters))
		return p.print(c, page[deadLetter]{Items: letters}, func(t *table) { deadLetterRows(t, letters) })
	})
}

// reasonAsFilter takes --reason for --failure-reason when no ids are given and
// it is the name of a failure reason: what dlq list calls --reason.
func reasonAsFilter(c *cli.Command) string {
	r := quotekit.FailureReason(c.String("reason"))
	switch r {
	case quotekit.ReasonMaxRetries, quotekit.ReasonTimeout, quotekit.ReasonDatabase,
		quotekit.ReasonParsing, quotekit.ReasonRejected, quotekit.ReasonPanic:
		if !c.Args().Present() && c.String("failure-reason") == "" {
			return string(r)
		}
	}
	return ""
}

// deadLetterPath takes the id of a dead letter or of its event.
func deadLetterPath(id string) string {
	if strings.HasPrefix(id, "evt_") {
		id = quotekit.DeadLetterID(id)
	}
	return deadLettersPath + "/" + url.PathEscape(id)
}
