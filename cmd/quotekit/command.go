package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/mattn/go-isatty"
	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/app"
)

// command is the tree of everything that can be typed.
func (p *program) command() *cli.Command {
	root := &cli.Command{
		Name:  "quotekit",
		Usage: "receive Stripe webhooks, keep every event, show and repair what failed",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "read settings from `FILE` (default: quotekit.env, if it exists)"},
			&cli.StringFlag{Name: "database-url", Usage: "sqlite:PATH or postgres://… (DATABASE_URL)"},
			&cli.StringFlag{Name: "addr", Usage: "`HOST:PORT` of the service (QUOTEKIT_ADDR)"},
			&cli.StringFlag{Name: "schema", Usage: "Postgres schema of the tables (QUOTEKIT_SCHEMA)"},
			&cli.StringFlag{Name: "log-level", Usage: "debug, info, warn or error (QUOTEKIT_LOG_LEVEL)"},
			&cli.BoolFlag{Name: "json", Usage: "print data as JSON"},
		},
		Commands: []*cli.Command{
			p.devCommand(), p.serveCommand(), p.migrateCommand(), p.statusCommand(), p.triggerCommand(), p.eventsCommand(),
			p.deadLetterCommand(), p.alertsCommand(), p.tasksCommand(), p.batchCommand(), p.reconcileCommand(), p.backfillCommand(), p.forgetCommand(), p.tokenCommand(), p.benchCommand(), p.benchServiceCommand(), p.doctorCommand(), p.routesCommand(), p.operationsCommand(),
			p.openAPICommand(), p.versionCommand(),
		},
		EnableShellCompletion: true,
		ConfigureShellCompletionCommand: func(c *cli.Command) {
			c.Hidden = false
			c.Usage = "print the completion script of a shell: bash, zsh, fish or pwsh"
		},
		Version:        version(),
		Reader:         p.stdin,
		Writer:         p.stdout,
		ErrWriter:      p.stderr,
		ExitErrHandler: func(context.Context, *cli.Command, error) {}, // run returns the code
	}
	p.prepare(root, "quotekit")
	return root
}

// prepare gives a command and those below it the same manners: mistakes of
// usage are errors of usage, commas are part of a value, and a noun without a
// verb is a mistake.
func (p *program) prepare(c *cli.Command, path string) {
	help := path + " --help"
	c.OnUsageError = func(_ context.Context, _ *cli.Command, err error, _ bool) error {
		return &failure{code: exitUsage, err: err, hint: help}
	}
	c.DisableSliceFlagSeparator = true
	c.HideHelpCommand = path != "quotekit"
	if len(c.Commands) > 0 && c.Action == nil {
		c.Action = func(_ context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return usagef(help, "%s has no command %q", path, c.Args().First())
			}
			return usagef(help, "%s needs a command", path)
		}
	}
	for _, sub := range c.Commands {
		p.prepare(sub, path+" "+sub.Name)
	}
}

// settings maps flags to the variables they stand for.
var settings = map[string]string{
	"database-url": "DATABASE_URL",
	"addr":         "QUOTEKIT_ADDR",
	"schema":       "QUOTEKIT_SCHEMA",
	"log-level":    "QUOTEKIT_LOG_LEVEL",
	"token":        "QUOTEKIT_ADMIN_TOKEN",
	"secret":       "STRIPE_WEBHOOK_SECRET",
}

// config loads the configuration with the flags of c but those in except, which
// mean something else there.
func (p *program) config(c *cli.Command, except ...string) (app.Config, error) {
	flags := map[string]string{}
	for flag, name := range settings {
		if c.IsSet(flag) && !slices.Contains(except, flag) {
			flags[name] = c.String(flag)
		}
	}
	return app.LoadConfig(p.getenv, flags, c.String("config"))
}

// logger writes to stderr: text for people, JSON for machines.
func (p *program) logger(cfg app.Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" || (cfg.LogFormat == "auto" && !isTerminal(p.stderr)) {
		return slog.New(app.Quiet(slog.NewJSONHandler(p.stderr, options), p.now))
	}
	return slog.New(app.Quiet(slog.NewTextHandler(p.stderr, options), p.now))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// noArguments refuses arguments that a command does not take.
func noArguments(c *cli.Command) error {
	if c.Args().Present() {
		return usagef(c.FullName()+" --help", "%s takes no argument, got %q", c.Name, c.Args().First())
	}
	return nil
}

// interrupted reports whether err only says that the user stopped us.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}
