package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
)

func (p *program) serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "run the service: web, workers and migrations",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "role", Value: "all", Usage: "all, web or worker"},
		},
		Action: p.serve,
	}
}

func (p *program) serve(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	role := app.Role(c.String("role"))
	if role != app.RoleAll && role != app.RoleWeb && role != app.RoleWorker {
		return usagef("quotekit serve --role all", "the role %q is not all, web or worker", role)
	}
	cfg, err := p.config(c)
	if err != nil {
		return err
	}
	return p.run(ctx, cfg, app.Options{
		Routes: handlers.Routes(), Logger: p.logger(cfg), Version: version(), Role: role,
	}, func(string) {})
}

// gcPercent is the GOGC of a service, unless the environment has one: at Go's 100 the
// collector takes an eighth of its processor time under load, for a heap of some tens of
// megabytes. See docs/performance.md.
const gcPercent = 200

// run is the service, until ctx ends. It calls listening with its URL when it listens.
func (p *program) run(ctx context.Context, cfg app.Config, o app.Options, listening func(url string)) error {
	if p.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	a, err := app.New(ctx, cfg, o)
	if interrupted(ctx, err) {
		return nil
	}
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-a.Listening():
			listening(a.URL())
		case <-ended:
		}
	}()
	err = a.Run(ctx)
	close(ended)
	if closeErr := a.Close(); err == nil {
		err = closeErr
	}
	if interrupted(ctx, err) {
		return nil
	}
	return err
}

func (p *program) devCommand() *cli.Command {
	return &cli.Command{
		Name:  "dev",
		Usage: "run everything on a throwaway SQLite file, with sample data and signed sample traffic",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", Value: app.DefaultDevDir, Usage: "`FOLDER` for the database and the credentials"},
			&cli.FloatFlag{Name: "rate", Value: 2, Usage: "sample events per second; 0 sends none"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if rate := c.Float("rate"); rate < 0 || rate > 1000 {
				return usagef("quotekit dev --rate 2", "the rate %v is not between 0 and 1000", rate)
			}
			cfg, err := p.config(c)
			if err != nil {
				return err
			}
			err = app.RunDev(ctx, cfg, app.DevOptions{
				Dir: c.String("data"), Routes: handlers.Routes(), Logger: p.logger(cfg), Version: version(),
				EventsPerSecond: c.Float("rate"),
			}, p.stdout)
			if interrupted(ctx, err) {
				return nil
			}
			return err
		},
	}
}

func (p *program) routesCommand() *cli.Command {
	return &cli.Command{
		Name:  "routes",
		Usage: "list the event types that are handled",
		Action: func(_ context.Context, c *cli.Command) error {
			if err := noArguments(c); err != nil {
				return err
			}
			type route struct {
				EventType string  `json:"event_type"`
				Handler   string  `json:"handler"`
				Priority  int     `json:"priority"`
				Timeout   float64 `json:"timeout_seconds"`
			}
			list := page[route]{Items: []route{}}
			for _, r := range handlers.Routes() {
				list.Items = append(list.Items, route{r.Type, r.Handler, r.Priority, r.Timeout.Seconds()})
			}
			return p.print(c, list, func(t *table) {
				t.row("EVENT TYPE", "HANDLER", "PRIORITY", "TIMEOUT")
				for _, r := range list.Items {
					t.row(r.EventType, r.Handler, r.Priority, time.Duration(r.Timeout*float64(time.Second)))
				}
			})
		},
	}
}

func (p *program) versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version",
		Action: func(_ context.Context, c *cli.Command) error {
			if err := noArguments(c); err != nil {
				return err
			}
			return p.print(c, map[string]string{"version": version()}, func(t *table) {
				t.row(fmt.Sprintf("quotekit %s", version()))
			})
		},
	}
}
