package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
)

const tasksPath = "/v1/monitor/tasks"

// taskCommand is a command that starts a task and waits for its end.
type taskCommand struct {
	path, kind string
	body       any
	// progress says in a line how far a task with this report is.
	progress func(report json.RawMessage) string
	// tell prints the report of a completed task.
	tell func(t shownTask) error
}

// shownTask is a task as the API shows it.
type shownTask struct {
	ID           string              `json:"id"`
	Kind         string              `json:"kind"`
	Status       quotekit.TaskStatus `json:"status"`
	Paused       bool                `json:"paused"`
	Arguments    json.RawMessage     `json:"arguments"`
	Report       json.RawMessage     `json:"report"`
	TotalItems   *int                `json:"total_items"`
	DoneItems    int                 `json:"done_items"`
	Actor        string              `json:"actor"`
	Reason       *string             `json:"reason"`
	ErrorMessage *string             `json:"error_message"`
	CreatedAt    time.Time           `json:"created_at"`
	StartedAt    *time.Time          `json:"started_at"`
	CompletedAt  *time.Time          `json:"completed_at"`

	raw json.RawMessage // the whole answer
}

func (p *program) runTask(ctx context.Context, c *cli.Command, command taskCommand) error {
	if err := errors.Join(noArguments(c), checkTimeout(c)); err != nil {
		return err
	}
	return p.with(ctx, c, func(api *client) error {
		t, err := p.startTask(ctx, c, api, command)
		if err != nil {
			return err
		}
		return p.endOf(t, command)
	})
}

// startTask starts a task and waits for its end. Where nobody serves, one that
// was interrupted is finished first.
func (p *program) startTask(ctx context.Context, c *cli.Command, api *client, command taskCommand) (shownTask, error) {
	for {
		var started shownTask
		err := api.post(ctx, command.path, command.body, &started)
		var refused *failure
		if api.runTask != nil && errors.As(err, &refused) && refused.code == exitConflict {
			interrupted, found := api.unfinishedTask(ctx, command.kind)
			if !found {
				return shownTask{}, err
			}
			fmt.Fprintf(p.stderr, "going on with task %s, which was interrupted\n", interrupted.ID)
			if _, err := p.watchTask(ctx, c, api, interrupted, command); err != nil {
				return shownTask{}, err
			}
			continue
		}
		if err != nil {
			return shownTask{}, err
		}
		return p.watchTask(ctx, c, api, started, command)
	}
}

func (c *client) unfinishedTask(ctx context.Context, kind string) (t shownTask, found bool) {
	for _, status := range []quotekit.TaskStatus{quotekit.TaskRunning, quotekit.TaskPending} {
		var list page[shownTask]
		query := url.Values{"kind": {kind}, "status": {string(status)}, "limit": {"1"}}
		if err := c.get(ctx, tasksPath, query, &list); err == nil && len(list.Items) > 0 {
			return list.Items[0], true
		}
	}
	return shownTask{}, false
}

// watchTask waits for the end of a task, makes its steps if nobody else does, and
// tells how far it is.
func (p *program) watchTask(ctx context.Context, c *cli.Command, api *client, t shownTask, command taskCommand) (shownTask, error) {
	waiting, cancel := context.WithTimeout(ctx, c.Duration("timeout"))
	defer cancel()
	ran := make(chan error, 1)
	if api.runTask != nil {
		var running sync.WaitGroup
		running.Go(func() { ran <- api.runTask(waiting, t.ID) })
		defer running.Wait() // before the database is closed
		defer cancel()
	}
	line := &statusLine{program: p, said: p.now()}
	defer line.end()
	heard := p.now()
	for !t.Status.Finished() {
		if err := wait(waiting, lookPause); err != nil {
			return t, p.stoppedWaiting(ctx, c, t)
		}
		look, err := api.task(waiting, t.ID)
		select {
		case broken := <-ran:
			err = errors.Join(err, broken)
		default:
		}
		var failed *failure
		switch {
		case waiting.Err() != nil:
			return t, p.stoppedWaiting(ctx, c, t)
		case err == nil:
			t, heard = look, p.now()
			line.show(command.progress(t.Report))
		case !errors.As(err, &failed) || !failed.transient || p.now().Sub(heard) > patience:
			return t, err
		}
	}
	return t, nil
}

func (c *client) task(ctx context.Context, id string) (t shownTask, err error) {
	if err := c.get(ctx, tasksPath+"/"+url.PathEscape(id), nil, &t.raw); err != nil {
		return t, err
	}
	if err := json.Unmarshal(t.raw, &t); err != nil {
		return t, fmt.Errorf("read the task: %w", err)
	}
	return t, nil
}

func (p *program) stoppedWaiting(ctx context.Context, c *cli.Command, t shownTask) error {
	if ctx.Err() != nil {
		return failf(exitFailed, "", "stopped waiting for task %s; a running service goes on with it, or this command", t.ID)
	}
	return failf(exitTimedOut, "", "task %s is still %s after %s; a running service goes on with it, or this command",
		t.ID, t.Status, c.Duration("timeout"))
}

// endOf prints what became of a finished task.
func (p *program) endOf(t shownTask, command taskCommand) error {
	switch t.Status {
	case quotekit.TaskCompleted:
		return command.tell(t)
	case quotekit.TaskCancelled:
		return failf(exitFailed, "", "task %s was cancelled", t.ID)
	}
	return failf(exitFailed, "", "task %s failed: %s", t.ID, printable(orDash(t.ErrorMessage)))
}

// statusLine says how far something is: on a terminal over and over in one line,
// elsewhere every few seconds, if it has changed.
type statusLine struct {
	*program
	said  time.Time
	last  string
	drawn bool
}

func (l *statusLine) show(text string) {
	text = printable(text)
	switch {
	case text == "":
	case isTerminal(l.stderr):
		fmt.Fprint(l.stderr, "\r"+text+"\x1b[K")
		l.drawn = true
	case text != l.last && l.now().Sub(l.said) >= progressPause:
		fmt.Fprintln(l.stderr, text)
		l.said, l.last = l.now(), text
	}
}

func (l *statusLine) end() {
	if l.drawn {
		fmt.Fprint(l.stderr, "\r\x1b[K")
	}
}
