package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/store"
)

func (p *program) migrateCommand() *cli.Command {
	return &cli.Command{
		Name:  "migrate",
		Usage: "bring the tables up to date, or say whether they are",
		Commands: []*cli.Command{
			{Name: "up", Usage: "apply what is missing", Action: p.migrateUp},
			{Name: "status", Usage: "list the migrations", Action: p.migrateStatus},
		},
	}
}

func (p *program) migrateUp(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	cfg, err := p.config(c)
	if err != nil {
		return err
	}
	a, err := app.New(ctx, cfg, app.Options{
		Routes: handlers.Routes(), Logger: p.logger(cfg), Version: version(),
	})
	if err != nil {
		return err
	}
	var migrations []store.Migration
	if err = a.Migrate(ctx); err == nil {
		migrations, err = a.Store().MigrationStatus(ctx)
	}
	if closeErr := a.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(p.stderr, "the tables are up to date")
	return p.printMigrations(c, migrations)
}

func (p *program) migrateStatus(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	cfg, err := p.config(c)
	if err != nil {
		return err
	}
	if path, ok := strings.CutPrefix(cfg.DatabaseURL, "sqlite:"); ok && !store.Exists(path) {
		return failf(exitConfig, "quotekit migrate up", "there is no database %s", path)
	}
	s, err := store.Open(ctx, store.Config{URL: cfg.DatabaseURL, Schema: cfg.Schema, Now: p.now})
	if err != nil {
		return err
	}
	migrations, err := s.MigrationStatus(ctx)
	if closeErr := s.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	for _, m := range migrations {
		if m.AppliedAt.IsZero() {
			fmt.Fprintln(p.stderr, "migrations are pending; try: quotekit migrate up")
			break
		}
	}
	return p.printMigrations(c, migrations)
}

func (p *program) printMigrations(c *cli.Command, migrations []store.Migration) error {
	type row struct {
		Version   int64   `json:"version"`
		Name      string  `json:"name"`
		AppliedAt *string `json:"applied_at"`
	}
	list := page[row]{Items: []row{}}
	for _, m := range migrations {
		r := row{Version: m.Version, Name: m.Name}
		if !m.AppliedAt.IsZero() {
			at := stamp(&m.AppliedAt)
			r.AppliedAt = &at
		}
		list.Items = append(list.Items, r)
	}
	return p.print(c, list, func(t *table) {
		t.row("VERSION", "NAME", "APPLIED")
		for _, r := range list.Items {
			applied := "pending"
			if r.AppliedAt != nil {
				applied = *r.AppliedAt
			}
			t.row(r.Version, r.Name, applied)
		}
	})
}
