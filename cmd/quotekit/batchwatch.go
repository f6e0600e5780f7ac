package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/batch"
)

const (
	// lookPause is between two looks at a job whose stream was cut, or has none.
	lookPause = 300 * time.Millisecond
	// firstEventWithin is how long a stream may take to say something. Then there
	// is none: some proxies keep answers until they are complete.
	firstEventWithin = 5 * time.Second
	// silence is how long a stream that lives may say nothing: three of its beats.
	silence = 45 * time.Second
	// patience is how long a service that does not answer is waited for.
	patience = 30 * time.Second
)

func (p *program) batchWatch(ctx context.Context, c *cli.Command) error {
	if err := checkTimeout(c); err != nil {
		return err
	}
	return p.onJob(ctx, c, func(api *client, id string) error {
		j, err := api.job(ctx, call{method: http.MethodGet, path: jobPath(id)})
		if err != nil {
			return err
		}
		if api.work != nil && !j.Status.Finished() {
			api.work()
		}
		return p.watchJob(ctx, c, api, j)
	})
}

// watchJob waits for the end of a job, and tells how it ended.
func (p *program) watchJob(ctx context.Context, c *cli.Command, api *client, j shownJob) error {
	waiting, cancel := context.WithTimeout(ctx, c.Duration("timeout"))
	defer cancel()
	progress := newProgress(p.stderr, isTerminal(p.stderr), p.now)
	f := &follower{api: api, job: j, stream: true, now: p.now, each: progress.show}
	err := f.follow(waiting)
	progress.end()
	j = f.job
	goesOn := "it goes on"
	if api.inProcess {
		goesOn = "a running service goes on with it, or this command"
	}
	hint := p.batchHint(c, "watch", j.ID)
	switch {
	case err == nil:
		return p.tellEnd(ctx, c, api, j)
	case ctx.Err() != nil:
		return failf(exitFailed, hint, "stopped waiting for job %s, which is %s (%d of %d items); %s",
			j.ID, j.Status, j.ProcessedItems, j.TotalItems, goesOn)
	case waiting.Err() != nil:
		return failf(exitTimedOut, hint, "job %s is still %s after %s (%d of %d items); %s",
			j.ID, j.Status, c.Duration("timeout"), j.ProcessedItems, j.TotalItems, goesOn)
	}
	return failf(classify(err).code, hint, "lost sight of job %s: %w", j.ID, err)
}

// follower follows a job to its end: by its stream of events, which is taken up
// again where it was cut, and where there is none by looking.
type follower struct {
	api    *client
	job    shownJob
	stream bool // there is one, as far as is known
	last   string
	heard  time.Time // when the service last told of the job
	now    func() time.Time
	each   func(batch.Job)
}

func (f *follower) follow(ctx context.Context) error {
	f.see(f.job)
	for !f.job.Status.Finished() {
		if f.stream {
			f.listen(ctx)
			if f.job.Status.Finished() {
				return nil
			}
		}
		j, err := f.api.job(ctx, call{method: http.MethodGet, path: jobPath(f.job.ID)})
		var failed *failure
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			f.see(j)
		case !errors.As(err, &failed) || !failed.transient || f.now().Sub(f.heard) > patience:
			return err
		}
		if f.job.Status.Finished() {
			return nil
		}
		if err := wait(ctx, lookPause); err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) see(j shownJob) {
	f.job, f.heard = j, f.now()
	f.each(j.Job)
}

// listen reads the stream until it ends. What goes wrong with it shows up in the
// look that follows.
func (f *follower) listen(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(firstEventWithin, cancel)
	defer watchdog.Stop()
	header := http.Header{"Accept": {"text/event-stream"}}
	if f.last != "" {
		header.Set("Last-Event-Id", f.last)
	}
	resp, err := f.api.open(ctx, call{method: http.MethodGet, path: jobPath(f.job.ID, "events"), header: header, endless: true})
	if err != nil {
		f.stream = ctx.Err() == nil
		return
	}
	defer func() { _ = resp.Body.Close() }()
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media != "text/event-stream" {
		f.stream = resp.StatusCode == http.StatusNoContent
		return
	}
	came := false
	events := newEventReader(beating{resp.Body, func() { watchdog.Reset(silence) }})
	for {
		e, err := events.next()
		if err != nil {
			f.stream = came || ctx.Err() == nil
			return
		}
		j, err := readJob([]byte(e.data))
		if err != nil || j.ID != f.job.ID {
			f.stream = false
			return
		}
		came, f.last = true, e.id
		f.see(j)
		if e.name == "end" {
			return
		}
	}
}

// beating tells of everything that is read.
type beating struct {
	io.Reader
	beat func()
}

func (b beating) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if n > 0 {
		b.beat()
	}
	return n, err
}

// tellEnd tells how a job ended, and makes an exit code of it.
func (p *program) tellEnd(ctx context.Context, c *cli.Command, api *client, j shownJob) error {
	if c.Bool("json") {
		if err := p.printJSON(j.raw); err != nil {
			return err
		}
		return p.verdict(c, j.Job)
	}
	text := summary(j.Job)
	if j.DryRun {
		var results []batch.JobResult
		if j.FailedItems+j.SkippedItems > 0 {
			all, err := api.results(ctx, j.ID, url.Values{})
			if err != nil {
				return err
			}
			results = all.Items
		}
		text = preview(j.Job, results)
	}
	if _, err := fmt.Fprintln(p.stdout, text); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return p.verdict(c, j.Job)
}

// summary is like "409 done, 3 failed.  job 0198…".
func summary(j batch.Job) string {
	parts := []string{fmt.Sprintf("%d done", j.SucceededItems)}
	for _, more := range []struct {
		n    int
		text string
	}{{j.FailedItems, "failed"}, {j.SkippedItems, "skipped"}, {j.UnprocessedItems, "not reached"}} {
		if more.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", more.n, more.text))
		}
	}
	return strings.Join(parts, ", ") + ".  job " + j.ID
}

// maxPositions bounds the positions that are listed for one reason.
const maxPositions = 10

// preview is like "412 items: 409 would change, 3 not found (positions 17, 80,
// 233). Nothing was changed."
func preview(j batch.Job, results []batch.JobResult) string {
	positions := map[string][]string{}
	var reasons []string
	for _, r := range results {
		if r.ErrorCode == nil {
			continue
		}
		reason := strings.ReplaceAll(string(*r.ErrorCode), "_", " ")
		if positions[reason] == nil {
			reasons = append(reasons, reason)
		}
		positions[reason] = append(positions[reason], fmt.Sprint(r.Position))
	}
	slices.SortStableFunc(reasons, func(a, b string) int { return len(positions[b]) - len(positions[a]) })
	parts := []string{fmt.Sprintf("%d %s", j.SucceededItems, wouldBe(j.Operation))}
	for _, reason := range reasons {
		at := positions[reason]
		list, word := strings.Join(at[:min(len(at), maxPositions)], ", "), "position"
		if len(at) > 1 {
			word = "positions"
		}
		if len(at) > maxPositions {
			list += ", …"
		}
		parts = append(parts, fmt.Sprintf("%d %s (%s %s)", len(at), reason, word, list))
	}
	if j.UnprocessedItems > 0 {
		parts = append(parts, fmt.Sprintf("%d not reached", j.UnprocessedItems))
	}
	items := "items"
	if j.TotalItems == 1 {
		items = "item"
	}
	return fmt.Sprintf("%d %s: %s. Nothing was changed.", j.TotalItems, items, strings.Join(parts, ", "))
}

func wouldBe(operation string) string {
	switch kindOf(operation) {
	case quotekit.OperationDelete:
		return "would be deleted"
	case quotekit.OperationCreate:
		return "would be created"
	case quotekit.OperationExport:
		return "would be exported"
	}
	return "would change"
}

// verdict makes an exit code of how a job ended.
func (p *program) verdict(c *cli.Command, j batch.Job) error {
	done := j.SucceededItems + j.SkippedItems
	code := exitPartly
	if done == 0 {
		code = exitFailed
	}
	would := ""
	if j.DryRun {
		would = "would have "
	}
	switch {
	case j.Status == quotekit.BatchFailed:
		return failf(exitFailed, p.batchHint(c, "get", j.ID), "job %s could not run: %s", j.ID, orDash(j.ErrorMessage))
	case j.UnprocessedItems > 0:
		return failf(code, p.batchHint(c, "get", j.ID), "job %s was %s before it reached %d of %d items",
			j.ID, j.Status, j.UnprocessedItems, j.TotalItems)
	case j.FailedItems > 0:
		return failf(code, p.batchHint(c, "results", j.ID, "--outcome failed"), "%d of %d items %sfailed: %s",
			j.FailedItems, j.TotalItems, would, codes(j))
	}
	return nil
}
