package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/batch"
)

const batchPath = "/v1/batch-jobs"

func (p *program) batchCommand() *cli.Command {
	return &cli.Command{
		Name:  "batch",
		Usage: "work on many quotes, clients or items at once, as a user",
		Commands: []*cli.Command{
			{
				Name:        "submit",
				Usage:       "submit a bulk operation",
				ArgsUsage:   "[-]",
				Description: submitDescription,
				Flags:       submitFlags(),
				Action:      p.batchSubmit,
			},
			{
				Name:  "list",
				Usage: "list the user's jobs, newest first",
				Flags: append([]cli.Flag{
					&cli.StringFlag{Name: "status", Usage: "only pending, processing, completed, failed or cancelled"},
					&cli.StringFlag{Name: "operation", Usage: "only this operation `NAME`"},
				}, append(listFlags(), userFlags()...)...),
				Action: p.batchList,
			},
			{
				Name:      "get",
				Usage:     "show one job",
				ArgsUsage: "ID",
				Flags:     userFlags(),
				Action:    p.batchGet,
			},
			{
				Name:      "watch",
				Usage:     "show the progress of a job until it ends",
				ArgsUsage: "ID",
				Flags:     append([]cli.Flag{timeoutFlag()}, userFlags()...),
				Action:    p.batchWatch,
			},
			{
				Name:      "results",
				Usage:     "show what became of every item of a job",
				ArgsUsage: "ID",
				Flags: append([]cli.Flag{
					&cli.StringFlag{Name: "outcome", Usage: "only succeeded, failed, skipped or unprocessed"},
					&cli.BoolFlag{Name: "csv", Usage: "print data as CSV"},
					&cli.IntFlag{Name: "limit", Usage: "at most `N` (default: all)"},
					&cli.StringFlag{Name: "cursor", Usage: "go on where the last page ended"},
				}, userFlags()...),
				Action: p.batchResults,
			},
			{
				Name:      "export",
				Usage:     "print the file of an export",
				ArgsUsage: "ID",
				Flags: append([]cli.Flag{
					&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write it to `FILE`"},
				}, userFlags()...),
				Action: p.batchExport,
			},
			{
				Name:      "cancel",
				Usage:     "end a job; what is done stays done",
				ArgsUsage: "ID",
				Flags:     userFlags(),
				Action:    p.batchCancel,
			},
			{
				Name:      "undo",
				Usage:     "take back what a job has done, but for what was changed since",
				ArgsUsage: "ID",
				Flags:     append(append([]cli.Flag{dryRunFlag()}, waitFlags()...), userFlags()...),
				Action: func(ctx context.Context, c *cli.Command) error {
					return p.batchAgain(ctx, c, "undo", batch.UndoRequest{DryRun: c.Bool("dry-run")})
				},
			},
			{
				Name:      "retry-failed",
				Usage:     "submit the failed items of a job again",
				ArgsUsage: "ID",
				Flags:     append(waitFlags(), userFlags()...),
				Action: func(ctx context.Context, c *cli.Command) error {
					return p.batchAgain(ctx, c, "retry-failed", batch.UndoRequest{})
				},
			},
		},
	}
}

func dryRunFlag() cli.Flag {
	return &cli.BoolFlag{Name: "dry-run", Usage: "tell what would happen to each item, and change nothing; implies --wait"}
}

func timeoutFlag() cli.Flag {
	return &cli.DurationFlag{Name: "timeout", Value: 10 * time.Minute, Usage: "how long to wait for the end of the job; it goes on by itself"}
}

// waitFlags are those of what makes a job.
func waitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "wait", Usage: "wait for the end of the job, and show the progress"},
		timeoutFlag(),
		&cli.StringFlag{Name: "idempotency-key", Usage: "name the request: the same `KEY` and request are the same job (default: random)"},
	}
}

// checkTimeout refuses a wait that ends before it begins.
func checkTimeout(c *cli.Command) error {
	if c.Duration("timeout") <= 0 {
		return usagef(c.FullName()+" --help", "--timeout is %s; like 30s or 10m", c.Duration("timeout"))
	}
	return nil
}

// jobPath is the URL of a job, or of something below it.
func jobPath(id string, below ...string) string {
	return strings.Join(append([]string{batchPath, url.PathEscape(id)}, below...), "/")
}

// asUser is [program.with] for a user.
func (p *program) asUser(ctx context.Context, c *cli.Command, work func(*client) error) error {
	api, err := p.connectUser(ctx, c)
	if err != nil {
		return err
	}
	return api.use(work)
}

// onJob does work with the one job that is the argument of a command.
func (p *program) onJob(ctx context.Context, c *cli.Command, work func(api *client, id string) error) error {
	ids, err := arguments(c, "the id of a job", 1)
	if err != nil {
		return err
	}
	return p.asUser(ctx, c, func(api *client) error { return hintAt(exitNotFound, p.batchHint(c, "list"), work(api, ids[0])) })
}

// hintAt gives an error of this exit code a hint, if it has none.
func hintAt(code int, hint string, err error) error {
	var f *failure
	if errors.As(err, &f) && f.code == code && f.hint == "" {
		f.hint = hint
	}
	return err
}

// batchHint is a command to try next, for the same service and user.
func (p *program) batchHint(c *cli.Command, words ...string) string {
	hint := "quotekit batch " + strings.Join(words, " ")
	for _, flag := range []string{"user", "url", "data", "database-url"} {
		if c.IsSet(flag) {
			hint += " --" + flag + " " + c.String(flag)
		}
	}
	return hint
}

func (p *program) batchList(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	q, err := listQuery(c, map[string]string{"status": "status", "operation": "operation"})
	if err != nil {
		return err
	}
	return p.asUser(ctx, c, func(api *client) error {
		var raw json.RawMessage
		if err := api.get(ctx, batchPath, q, &raw); err != nil {
			return err
		}
		var list page[batch.Job]
		if err := json.Unmarshal(raw, &list); err != nil {
			return fmt.Errorf("read the list: %w", err)
		}
		err := p.print(c, raw, func(t *table) {
			t.row("ID", "OPERATION", "STATUS", "DRY RUN", "ITEMS", "SUCCEEDED", "FAILED", "SKIPPED", "CREATED")
			for _, j := range list.Items {
				t.row(j.ID, j.Operation, j.Status, j.DryRun, j.TotalItems, j.SucceededItems, j.FailedItems, j.SkippedItems, stamp(&j.CreatedAt))
			}
		})
		if err == nil {
			p.more(c, list.NextCursor, len(list.Items))
		}
		return err
	})
}

func (p *program) batchGet(ctx context.Context, c *cli.Command) error {
	return p.onJob(ctx, c, func(api *client, id string) error {
		j, err := api.job(ctx, call{method: http.MethodGet, path: jobPath(id)})
		if err != nil {
			return err
		}
		return p.printJob(c, j)
	})
}

func (p *program) batchCancel(ctx context.Context, c *cli.Command) error {
	return p.onJob(ctx, c, func(api *client, id string) error {
		j, err := api.job(ctx, call{method: http.MethodPost, path: jobPath(id, "cancel")})
		if err != nil {
			return err
		}
		if j.Status != quotekit.BatchCancelled {
			fmt.Fprintf(p.stderr, "the job was %s already\n", j.Status)
		}
		return p.printJob(c, j)
	})
}

// shownJob is a job, and the answer that it was read from.
type shownJob struct {
	batch.Job
	raw json.RawMessage
}

// job sends a request that is answered with a job.
func (c *client) job(ctx context.Context, r call) (shownJob, error) {
	var raw json.RawMessage
	if err := c.read(ctx, r, &raw); err != nil {
		return shownJob{}, err
	}
	j, err := readJob(raw)
	if err != nil {
		return j, failf(exitFailed, "", "%s does not answer like QuoteKit: %w", c.base, err)
	}
	return j, nil
}

func readJob(raw []byte) (shownJob, error) {
	j := shownJob{raw: raw}
	err := json.Unmarshal(raw, &j.Job)
	return j, err
}

func (p *program) printJob(c *cli.Command, j shownJob) error {
	return p.print(c, j.raw, func(t *table) {
		t.row("job", j.ID)
		t.row("operation", j.Operation)
		t.row("options", string(j.Options))
		t.row("status", j.Status)
		t.row("dry run", j.DryRun)
		t.row("items", j.TotalItems)
		t.row("succeeded", j.SucceededItems)
		t.row("failed", withCodes(j.Job))
		t.row("skipped", j.SkippedItems)
		t.row("unprocessed", j.UnprocessedItems)
		t.row("error", orDash(j.ErrorMessage))
		t.row("created", stamp(&j.CreatedAt))
		t.row("started", stamp(j.StartedAt))
		t.row("completed", stamp(j.CompletedAt))
		if j.ExecutionTimeMS != nil {
			t.row("took", time.Duration(*j.ExecutionTimeMS)*time.Millisecond)
		}
		if j.Links.Parent != nil {
			t.row("parent", (*j.Links.Parent)[strings.LastIndex(*j.Links.Parent, "/")+1:])
		}
	})
}

// withCodes is how many items failed, and why.
func withCodes(j batch.Job) string {
	if len(j.ErrorSummary) == 0 {
		return fmt.Sprint(j.FailedItems)
	}
	return fmt.Sprintf("%d (%s)", j.FailedItems, codes(j))
}

// codes is like "3 not_found, 1 conflict".
func codes(j batch.Job) string {
	var list []string
	for _, code := range slices.Sorted(maps.Keys(j.ErrorSummary)) {
		list = append(list, fmt.Sprintf("%d %s", j.ErrorSummary[code], code))
	}
	return strings.Join(list, ", ")
}
