package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/operations"
)

const submitDescription = "The operations and their options: quotekit operations. Items come from one of --ids, --csv, --jsonl\n" +
	"and -, which is standard input: ids one a line, or JSON.\n\n" +
	"Creates take objects: of each line of a CSV file one from header to cell, where tags is a;b or a JSON\n" +
	"array, line_items a JSON array, and an empty cell is nothing."

func submitFlags() []cli.Flag {
	flags := append([]cli.Flag{
		&cli.StringFlag{Name: "operation", Usage: "`NAME` of the operation"},
	}, itemFlags()...)
	flags = append(flags,
		&cli.StringSliceFlag{Name: "set", Usage: "`NAME=VALUE`, an option that is a text; also price_adjustment=+5%, -5%, +1.50 or -1.50"},
		&cli.StringSliceFlag{Name: "option", Usage: "`NAME=JSON`, an option as JSON"},
		dryRunFlag())
	return append(append(flags, waitFlags()...), userFlags()...)
}

// maxRequest is the longest body that the API takes, in bytes. A longer one is not
// sent: the service would hang up before it could answer.
const maxRequest = 8 << 20

func (p *program) batchSubmit(ctx context.Context, c *cli.Command) error {
	help := c.FullName() + " --help"
	if err := checkTimeout(c); err != nil {
		return err
	}
	name := c.String("operation")
	if name == "" {
		return usagef("quotekit operations", "submit needs --operation")
	}
	options, err := readOptions(c)
	if err != nil {
		return err
	}
	in, err := p.readItems(c, kindOf(name))
	if err != nil {
		return err
	}
	body, err := json.Marshal(batch.Submission{
		Operation: name, Items: append([]json.RawMessage{}, in.items...), Options: options, DryRun: c.Bool("dry-run"),
	})
	switch {
	case err != nil:
		return fmt.Errorf("encode the request: %w", err)
	case len(body) > maxRequest:
		return usagef(help, "%s makes a request of %d MiB; at most %d are taken: use several files", in.name, len(body)>>20, maxRequest>>20)
	}
	return p.asUser(ctx, c, func(api *client) error {
		err := p.makeJob(ctx, c, api, batchPath, body)
		var refused *failure
		if errors.As(err, &refused) {
			for i, e := range refused.fields {
				refused.fields[i].Location = in.where(e.Location)
			}
		}
		return hintAt(exitUsage, "quotekit operations", err)
	})
}

// kindOf is the kind of an operation; "" if it is not known here, which is for
// the service to say.
func kindOf(name string) quotekit.OperationKind {
	for _, o := range operations.Operations() {
		if o.Name == name {
			return o.Kind
		}
	}
	return ""
}

// readOptions reads --set and --option.
func readOptions(c *cli.Command) (map[string]json.RawMessage, error) {
	help := c.FullName() + " --help"
	options := map[string]json.RawMessage{}
	add := func(flag, text string, value func(name, text string) json.RawMessage) error {
		name, text, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return usagef(help, "--%s wants NAME=VALUE, got %q", flag, name)
		}
		if _, twice := options[name]; twice {
			return usagef(help, "the option %s is given twice", name)
		}
		options[name] = value(name, text)
		if !json.Valid(options[name]) {
			return usagef(help, "--%s %s: %q is not JSON; a text goes with --set", flag, name, text)
		}
		return nil
	}
	for _, text := range c.StringSlice("set") {
		if err := add("set", text, setValue); err != nil {
			return nil, err
		}
	}
	for _, text := range c.StringSlice("option") {
		if err := add("option", text, func(_, text string) json.RawMessage { return json.RawMessage(text) }); err != nil {
			return nil, err
		}
	}
	return options, nil
}

// byWhat is how much a price is to change by, in short.
var byWhat = regexp.MustCompile(`^(\+|-)([0-9.]+)(%?)$`)

func setValue(name, text string) json.RawMessage {
	m := byWhat.FindStringSubmatch(text)
	if name != "price_adjustment" || m == nil {
		return quoted(text)
	}
	kind := "fixed"
	if m[3] == "%" {
		kind = "percentage"
	}
	value := strings.TrimPrefix(m[1], "+") + m[2]
	return json.RawMessage(fmt.Sprintf(`{"type":%q,"value":%s}`, kind, quoted(value)))
}

// batchAgain makes a job of another one.
func (p *program) batchAgain(ctx context.Context, c *cli.Command, act string, repeat batch.UndoRequest) error {
	if err := checkTimeout(c); err != nil {
		return err
	}
	return p.onJob(ctx, c, func(api *client, id string) error {
		body := []byte("{}")
		if repeat.DryRun {
			body = []byte(`{"dry_run":true}`)
		}
		return p.makeJob(ctx, c, api, jobPath(id, act), body)
	})
}

// makeJob posts what makes a job, and waits for its end with --wait, or if it is a
// dry run, which is made to be read. Who waits in process, works.
func (p *program) makeJob(ctx context.Context, c *cli.Command, api *client, path string, body []byte) error {
	waits := c.Bool("wait") || (c.Bool("dry-run") && !c.IsSet("wait"))
	if waits && api.work != nil {
		api.work()
	}
	key := c.String("idempotency-key")
	if key == "" {
		key = rand.Text()
	}
	j, err := api.insist(ctx, call{
		method: http.MethodPost, path: path, body: body, header: http.Header{"Idempotency-Key": {key}},
	})
	switch {
	case err != nil && maybeTaken(err):
		return failf(classify(err).code, "the same command with --idempotency-key "+key+", which cannot make a second job",
			"it is not known whether the job was taken in: %w", err)
	case err != nil:
		return err
	case waits:
		return p.watchJob(ctx, c, api, j)
	}
	if err := p.printJob(c, j); err != nil {
		return err
	}
	switch {
	case j.Status.Finished():
		fmt.Fprintln(p.stderr, "try: "+p.batchHint(c, "results", j.ID))
	case api.inProcess:
		fmt.Fprintln(p.stderr, "taken in; a running service works on it, or this command:\ntry: "+p.batchHint(c, "watch", j.ID))
	default:
		fmt.Fprintln(p.stderr, "try: "+p.batchHint(c, "watch", j.ID))
	}
	return nil
}

// insistPauses are between attempts to send a request that may be sent again.
var insistPauses = []time.Duration{200 * time.Millisecond, 500 * time.Millisecond, time.Second}

// insist sends a request again when the connection is lost or the service is away.
// Its Idempotency-Key makes one job of all attempts.
func (c *client) insist(ctx context.Context, r call) (shownJob, error) {
	for attempt := 0; ; attempt++ {
		j, err := c.job(ctx, r)
		var f *failure
		if err == nil || attempt == len(insistPauses) || ctx.Err() != nil || !errors.As(err, &f) || !f.transient {
			return j, err
		}
		if wait(ctx, insistPauses[attempt]) != nil {
			return j, err
		}
	}
}

// maybeTaken reports whether a request that failed like this may have arrived.
func maybeTaken(err error) bool {
	var f *failure
	return errors.As(err, &f) && f.transient && !errors.Is(err, syscall.ECONNREFUSED)
}
