package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// serviceFlags say which service a command talks to.
func serviceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "url", Usage: "address of the service, like http://127.0.0.1:8787"},
		&cli.StringFlag{Name: "token", Usage: "operator token (QUOTEKIT_ADMIN_TOKEN)"},
		&cli.StringFlag{Name: "data", Value: app.DefaultDevDir, Usage: "data `FOLDER` of quotekit dev"},
	}
}

const networkTimeout = 60 * time.Second

// connect finds the service that a command is about: the one at --url; else a
// running dev mode, unless the settings name another address; else, on
// Postgres, the database itself; else the service at the configured address;
// and if nobody serves there, the SQLite file.
func (p *program) connect(ctx context.Context, c *cli.Command) (*client, error) {
	cfg, err := p.config(c)
	if err != nil {
		return nil, err
	}
	found, err := p.find(ctx, c, cfg)
	switch {
	case err != nil:
		return nil, err
	case found.dev != nil:
		return network(found.base, found.dev.AdminToken), nil
	case found.base != "":
		return network(found.base, firstToken(cfg)), nil
	}
	// Whoever can open the database needs no token.
	token := rand.Text()
	cfg.AdminTokens = []rest.Token{{Name: "cli", Secret: token}}
	cfg.SupabaseJWTSecret, cfg.SupabaseURL, cfg.SupabaseJWKSURL = "", "", ""
	return p.openInProcess(ctx, cfg, token)
}

// found is the service that a command is about; without a base, it is the
// configured database.
type found struct {
	base string
	dev  *app.DevCredentials // nil if it is no dev mode
}

func (p *program) find(ctx context.Context, c *cli.Command, cfg app.Config) (found, error) {
	if c.IsSet("url") {
		return found{base: strings.TrimSuffix(c.String("url"), "/")}, nil
	}
	if dev, ok := p.runningDev(ctx, c, cfg); ok {
		return found{base: dev.URL, dev: &dev}, nil
	}
	if isPostgres(cfg) {
		return found{}, nil
	}
	if listening(ctx, cfg.Addr) {
		return found{base: baseURL(cfg.Addr)}, nil
	}
	if path := strings.TrimPrefix(cfg.DatabaseURL, "sqlite:"); !store.Exists(path) {
		return found{}, failf(exitConfig, "quotekit dev, or quotekit serve",
			"nobody serves %s, and there is no database %s", cfg.Addr, path)
	}
	return found{}, nil
}

func network(base, token string) *client {
	return &client{
		http: &http.Client{Timeout: networkTimeout}, base: base, token: token,
		close: func() error { return nil },
	}
}

// openInProcess opens the application on the database. It is never run, so it
// does not listen, and works jobs only if it is told to.
func (p *program) openInProcess(ctx context.Context, cfg app.Config, token string) (*client, error) {
	cfg.LogLevel = max(cfg.LogLevel, slog.LevelWarn)
	a, err := app.New(ctx, cfg, app.Options{
		Routes: handlers.Routes(), Logger: p.logger(cfg), Version: version(), NoMigrations: true,
	})
	if errors.Is(err, app.ErrNotMigrated) {
		return nil, failf(exitConfig, "quotekit migrate up", "%w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	c := &client{
		http: &http.Client{Transport: handlerTransport{a.Handler()}}, base: "http://in-process", token: token,
		inProcess: true, runTask: a.RunTask, sendAlerts: a.SendAlerts, close: a.Close,
	}
	c.work = func() {
		stop := a.StartBatches()
		c.close = func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
			defer cancel()
			return errors.Join(stop(ctx), a.Close())
		}
	}
	return c, nil
}

// stopTimeout bounds how long a command finishes what it works on.
const stopTimeout = 10 * time.Second

// runningDev returns the credentials of a dev mode, if one answers and the
// settings do not ask for another service.
func (p *program) runningDev(ctx context.Context, c *cli.Command, cfg app.Config) (app.DevCredentials, bool) {
	if c.IsSet("database-url") || c.IsSet("config") {
		return app.DevCredentials{}, false
	}
	dev, err := app.ReadDevCredentials(c.String("data"))
	if errors.Is(err, os.ErrNotExist) {
		return dev, false
	}
	if err != nil {
		fmt.Fprintln(p.stderr, "quotekit: "+err.Error())
		return dev, false
	}
	elsewhere := cfg.Origin("QUOTEKIT_ADDR") != app.OriginDefault &&
		!strings.HasSuffix(cfg.Addr, ":0") && baseURL(cfg.Addr) != dev.URL
	if elsewhere || !dev.Alive(ctx) {
		return dev, false
	}
	return dev, true
}

func firstToken(cfg app.Config) string {
	if len(cfg.AdminTokens) == 0 {
		return ""
	}
	return cfg.AdminTokens[0].Secret
}

func isPostgres(cfg app.Config) bool { return strings.HasPrefix(cfg.DatabaseURL, "postgres") }

// baseURL is where a service that listens on addr is reached from here.
func baseURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func listening(ctx context.Context, addr string) bool {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(baseURL(addr), "http://"))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
