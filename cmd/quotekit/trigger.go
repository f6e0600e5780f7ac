package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/sample"
)

func (p *program) triggerCommand() *cli.Command {
	return &cli.Command{
		Name:      "trigger",
		Usage:     "sign events and post them to the webhook, as Stripe would",
		ArgsUsage: "TYPE|FILE...",
		Description: "A TYPE is an event type of which there is a sample (see quotekit routes). A FILE holds one\n" +
			"event and is posted byte for byte; - reads it from standard input.",
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "count", Value: 1, Usage: "post each `N` times; samples are new events each time"},
			&cli.FloatFlag{Name: "rate", Usage: "events per second (default: as fast as they are answered)"},
			&cli.IntFlag{Name: "fail", Usage: "post `N` events that their handler must reject"},
			&cli.BoolFlag{Name: "heal", Usage: "dev only: events sent with --fail succeed from now on, when replayed"},
			&cli.StringSliceFlag{Name: "set", Usage: "`PATH=VALUE` in data.object, or in the event if PATH begins with event."},
			&cli.IntFlag{Name: "dup", Value: 1, Usage: "post every event `K` times"},
			&cli.BoolFlag{Name: "shuffle", Usage: "post in random order"},
			&cli.BoolFlag{Name: "fresh-id", Usage: "give the event of a FILE a new id"},
			&cli.StringFlag{Name: "secret", Usage: "signing secret (STRIPE_WEBHOOK_SECRET)"},
		}, serviceFlags()...),
		Action: p.trigger,
	}
}

const triggerHelp = "quotekit trigger --help"

func (p *program) trigger(ctx context.Context, c *cli.Command) error {
	heal, args := c.Bool("heal"), c.Args().Slice()
	if err := checkTrigger(c, heal, args); err != nil {
		return err
	}
	bodies, err := p.triggerBodies(c, args)
	if err != nil {
		return err
	}
	t, err := p.webhook(ctx, c)
	if err != nil {
		return err
	}
	if heal {
		if err := t.setFault(ctx, false); err != nil {
			return err
		}
		fmt.Fprintln(p.stderr, "healed: events sent with --fail succeed when they are replayed (quotekit dlq retry --all)")
		if len(args) == 0 {
			return nil
		}
	}
	if t.secret == "" {
		return failf(exitConfig, "set STRIPE_WEBHOOK_SECRET, or give --secret", "no secret to sign events with")
	}
	if c.IsSet("fail") {
		if err := t.setFault(ctx, true); err != nil && classify(err).code != exitNotFound && classify(err).code != exitNotAllowed {
			return err
		}
	}
	return p.postAll(ctx, c, t, bodies)
}

func checkTrigger(c *cli.Command, heal bool, args []string) error {
	switch {
	case len(args) == 0 && !heal:
		return usagef("quotekit trigger invoice.payment_succeeded", "trigger needs an event type or a file")
	case c.Int("count") < 1, c.Int("dup") < 1:
		return usagef(triggerHelp, "--count and --dup begin at 1")
	case c.IsSet("fail") && c.Int("fail") < 1:
		return usagef(triggerHelp, "--fail begins at 1")
	case c.IsSet("fail") && c.IsSet("count"):
		return usagef(triggerHelp, "--fail N is the count of its events: leave --count out")
	case c.IsSet("fail") && heal:
		return usagef(triggerHelp, "--fail and --heal contradict each other")
	case c.Float("rate") < 0:
		return usagef(triggerHelp, "--rate cannot be negative")
	}
	return nil
}

// triggerBodies makes everything that is to be posted, in order.
func (p *program) triggerBodies(c *cli.Command, args []string) ([][]byte, error) {
	maker := sample.New(rand.NewPCG(rand.Uint64(), rand.Uint64()), p.now)
	changes := c.StringSlice("set")
	count, fresh := c.Int("count"), c.Bool("fresh-id")
	if c.IsSet("fail") {
		count, fresh = c.Int("fail"), true
		changes = append(slices.Clone(changes), "metadata="+app.FaultMark)
	}
	var bodies [][]byte
	for _, arg := range args {
		source, isFile, err := p.triggerSource(arg, maker)
		if err != nil {
			return nil, err
		}
		for range count {
			body, err := source()
			if err != nil {
				return nil, err
			}
			edits := changes
			if isFile && fresh {
				edits = append(slices.Clone(changes), "event.id="+maker.NewEventID())
			}
			if body, err = edit(body, edits); err != nil {
				return nil, err
			}
			for range c.Int("dup") {
				bodies = append(bodies, body)
			}
		}
	}
	if c.Bool("shuffle") {
		maker.Shuffle(len(bodies), func(i, j int) { bodies[i], bodies[j] = bodies[j], bodies[i] })
	}
	return bodies, nil
}

// triggerSource tells files from event types and returns what makes the next event.
func (p *program) triggerSource(arg string, maker *sample.Maker) (next func() ([]byte, error), isFile bool, err error) {
	if slices.Contains(sample.Types(), arg) {
		return func() ([]byte, error) { return maker.Event(arg) }, false, nil
	}
	var body []byte
	if arg == "-" {
		body, err = io.ReadAll(p.stdin)
	} else {
		body, err = os.ReadFile(arg)
	}
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, false, usagef("quotekit routes", "%q is no file, and there is no sample of such an event type", arg)
	case err != nil:
		return nil, false, fmt.Errorf("read the event: %w", err)
	}
	return func() ([]byte, error) { return body, nil }, true, nil
}

// edit applies PATH=VALUE changes to a copy of body.
func edit(body []byte, changes []string) ([]byte, error) {
	if len(changes) > 0 && !gjson.ValidBytes(body) {
		return nil, usagef(triggerHelp, "cannot change an event that is not JSON")
	}
	for _, change := range changes {
		path, value, ok := strings.Cut(change, "=")
		if !ok || path == "" {
			return nil, usagef(triggerHelp, "--set wants PATH=VALUE, got %q", change)
		}
		if inEvent, ok := strings.CutPrefix(path, "event."); ok {
			path = inEvent
		} else {
			path = "data.object." + path
		}
		changed, err := sample.Set(slices.Clone(body), path, value)
		if err != nil {
			return nil, usagef(triggerHelp, "--set %s: %w", change, err)
		}
		body = changed
	}
	return body, nil
}
