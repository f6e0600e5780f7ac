package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	bulkPath = deadLettersPath + "/bulk"
	// bulkTimeout is how long a bulk act is waited for, unless --timeout says so.
	bulkTimeout = "10m"
	// maxShown bounds the letters that are listed one by one, unless it is as JSON.
	maxShown = 20
)

// bulkPreview is the answer to a dry run.
type bulkPreview struct {
	Count  int          `json:"count"`
	More   bool         `json:"more"`
	Sample []deadLetter `json:"sample"`
	Token  string       `json:"token"`
	TaskID string       `json:"task_id"`
}

// bulk retries or resolves the dead letters of a filter: a look at what it would
// be, the start, and what became of each.
func (p *program) bulk(ctx context.Context, c *cli.Command, action quotekit.BulkAction) error {
	if !c.IsSet("timeout") {
		if err := c.Set("timeout", bulkTimeout); err != nil {
			return fmt.Errorf("set the timeout: %w", err)
		}
	}
	if err := checkTimeout(c); err != nil {
		return err
	}
	return p.with(ctx, c, func(api *client) error {
		request := bulkRequest(c, action)
		request["dry_run"] = true
		var raw json.RawMessage
		if err := api.post(ctx, bulkPath, request, &raw); err != nil {
			return err
		}
		var preview bulkPreview
		if err := json.Unmarshal(raw, &preview); err != nil {
			return fmt.Errorf("read the preview: %w", err)
		}
		p.tellPreview(preview, c.Bool("dry-run"))
		if c.Bool("dry-run") {
			return p.print(c, raw, func(t *table) { deadLetterRows(t, preview.Sample) })
		}
		if preview.Count == 0 {
			return p.tell(c, []outcome{})
		}
		if !p.confirmed(c, fmt.Sprintf("%s %d dead letters?", action, preview.Count)) {
			return failf(exitFailed, "", "nothing was changed")
		}
		start := map[string]any{"token": preview.Token, "reason": c.String("reason")}
		if err := api.post(ctx, bulkPath, start, nil); err != nil {
			return err
		}
		t, err := api.task(ctx, preview.TaskID)
		if err != nil {
			return err
		}
		if c.Bool("no-wait") {
			fmt.Fprintln(p.stderr, "started: quotekit tasks watch "+t.ID)
			return p.printTask(c, t)
		}
		return p.watchBulk(ctx, c, api, t)
	})
}

func bulkRequest(c *cli.Command, action quotekit.BulkAction) map[string]any {
	filter := map[string]any{"resolved": false}
	for flag, field := range filterNames() {
		if v := c.String(flag); v != "" {
			filter[field] = v
		}
	}
	if reason := reasonAsFilter(c); reason != "" {
		filter["reason"] = reason
	}
	request := map[string]any{"action": action, "filter": filter}
	for _, name := range []string{"rate", "limit"} {
		if c.IsSet(name) {
			request[name] = c.Int(name)
		}
	}
	if action == quotekit.BulkRetry && c.Bool("current") {
		request["mode"] = quotekit.ReplayCurrent
	}
	return request
}

func (p *program) tellPreview(b bulkPreview, dryRun bool) {
	text := fmt.Sprintf("%d dead letters", b.Count)
	if b.Count == 0 {
		text = "no dead letter matches"
	}
	if b.More {
		text += ", and there are more: raise --limit, or repeat"
	}
	if dryRun {
		text += "; nothing was changed"
	}
	fmt.Fprintln(p.stderr, text)
}

// confirmed asks, if there is somebody to ask.
func (p *program) confirmed(c *cli.Command, question string) bool {
	if c.Bool("yes") || !p.canAsk() {
		return true
	}
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	line, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil && err != io.EOF {
		return false
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes"
}

// canAsk reports whether there is somebody to ask.
func (p *program) canAsk() bool {
	f, ok := p.stdin.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && isTerminal(p.stderr)
}

// watchBulk waits until a bulk act has ended and nothing of it is being attempted
// any more, and tells what became of the letters. Where nobody serves, nobody
// attempts them, so it does not wait for that.
func (p *program) watchBulk(ctx context.Context, c *cli.Command, api *client, t shownTask) error {
	t, err := p.watchTask(ctx, c, api, t, taskCommand{progress: func(report json.RawMessage) string { return bulkProgress(report) }})
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, c.Duration("timeout"))
	defer cancel()
	line := &statusLine{program: p, said: p.now()}
	for !api.inProcess && countsOf(t.Report).Pending > 0 && waiting.Err() == nil {
		line.show(bulkProgress(t.Report))
		if err := wait(waiting, lookPause); err != nil {
			break
		}
		look, err := api.task(ctx, t.ID)
		if err != nil {
			line.end()
			return err
		}
		t = look
	}
	line.end()
	if ctx.Err() != nil {
		return failf(exitFailed, "quotekit tasks watch "+t.ID, "stopped waiting for task %s; its events go on being attempted", t.ID)
	}
	return p.tellBulk(ctx, c, api, t)
}

func countsOf(report json.RawMessage) (counts quotekit.BulkCounts) {
	_ = json.Unmarshal(report, &counts) // a task without a report has no counts
	return counts
}

// bulkProgress is like "[####----]  400/1000  380 succeeded, 20 failed".
func bulkProgress(report json.RawMessage) string {
	n := countsOf(report)
	done := n.Succeeded + n.Failed + n.Ignored + n.Resolved + n.Skipped
	total := done + n.Pending + n.Unprocessed
	return fmt.Sprintf("%s  %d/%d  %s", bar(done, total), done, total, bulkSummary(n))
}

// bulkSummary is like "380 succeeded, 20 failed".
func bulkSummary(n quotekit.BulkCounts) string {
	var parts []string
	for _, part := range []struct {
		n    int
		text quotekit.BulkOutcome
	}{
		{n.Succeeded, quotekit.BulkSucceeded},
		{n.Resolved, quotekit.BulkResolved},
		{n.Failed, quotekit.BulkFailed},
		{n.Ignored, quotekit.BulkIgnored},
		{n.Skipped, quotekit.BulkSkipped},
		{n.Pending, quotekit.BulkPending},
		{n.Unprocessed, quotekit.BulkUnprocessed},
	} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.text))
		}
	}
	return strings.Join(parts, ", ")
}

// tellBulk tells what became of the letters: of all of them as JSON or if they
// are few, else of those that failed first.
func (p *program) tellBulk(ctx context.Context, c *cli.Command, api *client, t shownTask) error {
	n := countsOf(t.Report)
	q := url.Values{"limit": {"200"}}
	few := t.TotalItems == nil || *t.TotalItems <= maxShown
	if !few && !c.Bool("json") {
		q.Set("outcome", string(quotekit.BulkFailed))
		q.Set("limit", fmt.Sprint(maxShown))
	}
	outcomes := []outcome{}
	for {
		var list page[store.BulkResult]
		if err := api.get(ctx, tasksPath+"/"+t.ID+"/results", q, &list); err != nil {
			return err
		}
		for _, r := range list.Items {
			outcomes = append(outcomes, outcome{ID: r.DeadLetterID, StripeEventID: r.StripeEventID, Status: string(r.Outcome), Error: r.Error})
		}
		if list.NextCursor == nil || !c.Bool("json") {
			break
		}
		q.Set("cursor", *list.NextCursor)
	}
	type told struct {
		Task json.RawMessage `json:"task"`
		page[outcome]
	}
	err := p.print(c, told{t.raw, page[outcome]{Items: outcomes}}, func(out *table) {
		if len(outcomes) == 0 {
			return
		}
		out.row("EVENT", "STATUS", "ERROR")
		for _, o := range outcomes {
			out.row(o.name(), o.Status, orDash(o.Error))
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "%s.  task %s\n", bulkSummary(n), t.ID)
	return p.bulkVerdict(api, t, n)
}

// bulkVerdict makes an exit code of how a bulk act ended.
func (p *program) bulkVerdict(api *client, t shownTask, n quotekit.BulkCounts) error {
	good := n.Succeeded + n.Ignored + n.Resolved + n.Skipped
	code := exitPartly
	if good == 0 {
		code = exitFailed
	}
	hint := "quotekit tasks results " + t.ID + " --outcome "
	switch {
	case n.Pending > 0 && api.inProcess:
		fmt.Fprintln(p.stderr, "queued; a running service will attempt it")
	case n.Pending > 0:
		return failf(exitTimedOut, "quotekit tasks watch "+t.ID, "%d events are still being attempted", n.Pending)
	}
	switch {
	case t.Status == quotekit.TaskFailed:
		return failf(code, "quotekit tasks get "+t.ID, "task %s failed: %s", t.ID, printable(orDash(t.ErrorMessage)))
	case n.Unprocessed > 0:
		return failf(code, hint+"unprocessed", "task %s was %s before it reached %d dead letters", t.ID, t.Status, n.Unprocessed)
	case n.Failed > 0:
		return failf(code, hint+"failed", "%d of %d did not succeed", n.Failed, good+n.Failed+n.Pending)
	}
	return nil
}
