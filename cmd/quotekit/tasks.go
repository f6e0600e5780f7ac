package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

func (p *program) tasksCommand() *cli.Command {
	return &cli.Command{
		Name:  "tasks",
		Usage: "look at long work: bulk acts on dead letters, reconcile, backfill, forget",
		Commands: []*cli.Command{
			{
				Name:  "list",
				Usage: "list tasks, newest first",
				Flags: append([]cli.Flag{
					&cli.StringFlag{Name: "kind", Usage: "only dead_letter_bulk, reconcile, backfill or forget"},
					&cli.StringFlag{Name: "status", Usage: "only previewed, pending, running, completed, failed or cancelled"},
				}, append(listFlags(), serviceFlags()...)...),
				Action: p.tasksList,
			},
			{
				Name: "get", Usage: "show one task", ArgsUsage: "ID",
				Flags:  serviceFlags(),
				Action: p.tasksGet,
			},
			{
				Name: "watch", Usage: "show the progress of a task until it ends", ArgsUsage: "ID",
				Flags: append([]cli.Flag{
					timeoutOfTask(),
				}, serviceFlags()...),
				Action: p.tasksWatch,
			},
			{
				Name: "results", Usage: "show what became of each dead letter of a bulk act", ArgsUsage: "ID",
				Flags: append([]cli.Flag{
					&cli.StringFlag{Name: "outcome", Usage: "only succeeded, failed, pending, ignored, resolved, skipped or unprocessed"},
				}, append(listFlags(), serviceFlags()...)...),
				Action: p.tasksResults,
			},
			{
				Name: "cancel", Usage: "stop a task; what is done stays done", ArgsUsage: "ID",
				Flags:  append([]cli.Flag{taskReason("cancelled")}, serviceFlags()...),
				Action: p.tasksCancel,
			},
			{
				Name: "pause", Usage: "hold a task up between two steps", ArgsUsage: "ID",
				Flags:  append([]cli.Flag{taskReason("paused")}, serviceFlags()...),
				Action: func(ctx context.Context, c *cli.Command) error { return p.tasksChange(ctx, c, "pause", nil) },
			},
			{
				Name: "resume", Usage: "let a paused task go on", ArgsUsage: "ID",
				Flags:  append([]cli.Flag{taskReason("resumed")}, serviceFlags()...),
				Action: func(ctx context.Context, c *cli.Command) error { return p.tasksChange(ctx, c, "resume", nil) },
			},
			{
				Name: "rate", Usage: "change how many dead letters a second a bulk act takes", ArgsUsage: "ID",
				Flags: append([]cli.Flag{
					&cli.IntFlag{Name: "rate", Required: true, Usage: "dead letters a second, 1 to 1,000"}, taskReason("rate changed"),
				}, serviceFlags()...),
				Action: func(ctx context.Context, c *cli.Command) error {
					return p.tasksChange(ctx, c, "rate", map[string]any{"rate": c.Int("rate")})
				},
			},
		},
	}
}

func (p *program) tasksList(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	q, err := listQuery(c, map[string]string{"kind": "kind", "status": "status"})
	if err != nil {
		return err
	}
	return p.with(ctx, c, func(api *client) error {
		return listed(ctx, p, c, api, tasksPath, q, func(t *table, tasks []shownTask) {
			t.row("ID", "KIND", "STATUS", "DONE", "ACTOR", "CREATED", "ERROR")
			for _, task := range tasks {
				t.row(task.ID, task.Kind, task.Status, task.progress(), task.Actor, stamp(&task.CreatedAt), orDash(task.ErrorMessage))
			}
		})
	})
}

// listed reads a page and prints it.
func listed[T any](ctx context.Context, p *program, c *cli.Command, api *client, path string, q url.Values, draw func(*table, []T)) error {
	var raw json.RawMessage
	if err := api.get(ctx, path, q, &raw); err != nil {
		return err
	}
	var list page[T]
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("read the list: %w", err)
	}
	err := p.print(c, raw, func(t *table) { draw(t, list.Items) })
	if err == nil {
		p.more(c, list.NextCursor, len(list.Items))
	}
	return err
}

// progress is like 120/400, or 120 while the total is not known.
func (t shownTask) progress() string {
	if t.TotalItems == nil {
		return fmt.Sprint(t.DoneItems)
	}
	return fmt.Sprintf("%d/%d", t.DoneItems, *t.TotalItems)
}

// onTask does work with the task that is the argument of a command.
func (p *program) onTask(ctx context.Context, c *cli.Command, work func(*client, shownTask) error) error {
	ids, err := arguments(c, "the id of a task", 1)
	if err != nil {
		return err
	}
	return p.with(ctx, c, func(api *client) error {
		t, err := api.task(ctx, ids[0])
		if err != nil {
			return hintAt(exitNotFound, "quotekit tasks list", err)
		}
		return work(api, t)
	})
}

func (p *program) tasksGet(ctx context.Context, c *cli.Command) error {
	return p.onTask(ctx, c, func(_ *client, t shownTask) error { return p.printTask(c, t) })
}

func (p *program) printTask(c *cli.Command, t shownTask) error {
	return p.print(c, t.raw, func(out *table) {
		out.row("task", t.ID)
		out.row("kind", t.Kind)
		status := string(t.Status)
		if t.Paused {
			status += ", paused"
		}
		out.row("status", status)
		out.row("arguments", string(t.Arguments))
		out.row("done", t.progress())
		out.row("report", string(t.Report))
		out.row("actor", t.Actor)
		out.row("reason", orDash(t.Reason))
		out.row("error", orDash(t.ErrorMessage))
		out.row("created", stamp(&t.CreatedAt))
		out.row("started", stamp(t.StartedAt))
		out.row("completed", stamp(t.CompletedAt))
	})
}

func (p *program) tasksWatch(ctx context.Context, c *cli.Command) error {
	if err := checkTimeout(c); err != nil {
		return err
	}
	return p.onTask(ctx, c, func(api *client, t shownTask) error {
		if t.Kind == quotekit.BulkKind {
			return p.watchBulk(ctx, c, api, t)
		}
		command := taskCommand{
			progress: func(json.RawMessage) string { return "" },
			tell:     func(t shownTask) error { return p.printTask(c, t) },
		}
		t, err := p.watchTask(ctx, c, api, t, command)
		if err != nil {
			return err
		}
		return p.endOf(t, command)
	})
}

func (p *program) tasksResults(ctx context.Context, c *cli.Command) error {
	q, err := listQuery(c, map[string]string{"outcome": "outcome"})
	if err != nil {
		return err
	}
	return p.onTask(ctx, c, func(api *client, t shownTask) error {
		return listed(ctx, p, c, api, tasksPath+"/"+t.ID+"/results", q, func(out *table, results []store.BulkResult) {
			out.row("POSITION", "DEAD LETTER", "EVENT", "OUTCOME", "REASON", "ERROR")
			for _, r := range results {
				out.row(r.Position, r.DeadLetterID, r.StripeEventID, r.Outcome, orDash(r.FailureReason), orDash(r.Error))
			}
		})
	})
}

func taskReason(done string) cli.Flag {
	return &cli.StringFlag{Name: "reason", Value: done + " from the command line", Usage: "why, for the audit trail"}
}

// tasksChange posts an act on a task that is under way.
func (p *program) tasksChange(ctx context.Context, c *cli.Command, act string, body map[string]any) error {
	return p.onTask(ctx, c, func(api *client, t shownTask) error {
		request := map[string]any{"reason": c.String("reason")}
		maps.Copy(request, body)
		if err := api.post(ctx, tasksPath+"/"+url.PathEscape(t.ID)+"/"+act, request, nil); err != nil {
			return err
		}
		t, err := api.task(ctx, t.ID)
		if err != nil {
			return err
		}
		return p.printTask(c, t)
	})
}

func (p *program) tasksCancel(ctx context.Context, c *cli.Command) error {
	return p.onTask(ctx, c, func(api *client, t shownTask) error {
		path := tasksPath + "/" + url.PathEscape(t.ID) + "/cancel"
		if err := api.post(ctx, path, map[string]string{"reason": c.String("reason")}, nil); err != nil {
			return err
		}
		t, err := api.task(ctx, t.ID)
		if err != nil {
			return err
		}
		if t.Status != quotekit.TaskCancelled {
			fmt.Fprintf(p.stderr, "the task was %s already\n", t.Status)
		}
		return p.printTask(c, t)
	})
}
