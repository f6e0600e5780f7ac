package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/sample"
)

// DefaultDevDir is where dev mode keeps its database and its credentials.
const DefaultDevDir = "quotekit-data"

// devCredentialsFile is the file in the data folder that the other commands read.
const devCredentialsFile = "dev.json"

// DevOptions configure [RunDev].
type DevOptions struct {
	// Dir is the data folder; empty is [DefaultDevDir].
	Dir     string
	Routes  []quotekit.Route
	Logger  *slog.Logger
	Version string
	// EventsPerSecond is the pace of the sample traffic; 0 sends none.
	EventsPerSecond float64
}

// DevCredentials is what another command needs to talk to a running dev mode.
type DevCredentials struct {
	URL           string `json:"url"`
	AdminToken    string `json:"admin_token"`
	WebhookSecret string `json:"webhook_secret"`
	UserID        string `json:"user_id"`
	DatabaseURL   string `json:"database_url"`
	// JWTSecret signs the JWTs of users, of UserID or of any other.
	JWTSecret string `json:"jwt_secret"`
}

// ReadDevCredentials reads what a dev mode has left in dir; the error is
// [os.ErrNotExist] if none has. The dev mode may be gone by now.
func ReadDevCredentials(dir string) (DevCredentials, error) {
	var c DevCredentials
	name := filepath.Join(dir, devCredentialsFile)
	b, err := os.ReadFile(name)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("read %s: %w", name, err)
	}
	return c, nil
}

// Alive reports whether the service of c answers.
func (c DevCredentials) Alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/livez", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// RunDev runs everything on a throwaway SQLite file until ctx is done: the
// service, sample data, signed sample traffic, and a switch for faults. It
// prints on stdout how to reach it.
func RunDev(ctx context.Context, cfg Config, opts DevOptions, stdout io.Writer) error {
	if opts.Dir == "" {
		opts.Dir = DefaultDevDir
	}
	if !isLoopback(cfg.Addr) {
		return &ConfigError{Problems: []string{"dev listens on this machine only, not on " + cfg.Addr}}
	}
	if old, err := ReadDevCredentials(opts.Dir); err == nil && old.Alive(ctx) {
		return quotekit.Errorf(quotekit.EConflict, "a dev mode runs at %s already, on %s", old.URL, opts.Dir)
	}
	creds, err := prepareDev(opts.Dir, &cfg)
	if err != nil {
		return err
	}
	fault := newFaultSwitch()
	var a *App
	secrets := creds
	testEvent := func(ctx context.Context) (eventID string, err error) {
		own := secrets
		own.URL = a.URL()
		return newTraffic(own, 0, opts.Logger).one(ctx)
	}
	a, err = New(ctx, cfg, Options{
		Routes:    fault.wrap(opts.Routes),
		Logger:    opts.Logger,
		Version:   opts.Version,
		Dev:       true,
		TestEvent: testEvent,
		Extra:     func(mux *http.ServeMux) { fault.mount(mux, rest.OperatorTokens(cfg.AdminTokens), opts.Logger) },
	})
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()

	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	stopped := make(chan error, 1)
	go func() { stopped <- a.Run(runCtx) }()
	select {
	case err := <-stopped:
		return err
	case <-a.Ready():
	}
	creds.URL = a.URL()
	traffic := newTraffic(creds, opts.EventsPerSecond, opts.Logger)
	data := traffic.maker.Application(40, 120, 300)
	err = a.Store().InsertApplication(ctx, creds.UserID, data)
	if err == nil {
		err = writeDevCredentials(opts.Dir, creds)
	}
	if err == nil {
		defer func() { _ = os.Remove(filepath.Join(opts.Dir, devCredentialsFile)) }()
		err = printBanner(stdout, opts, creds, traffic.maker)
	}
	if err != nil {
		stop()
		return errors.Join(err, <-stopped)
	}
	trafficDone := make(chan struct{})
	go func() {
		defer close(trafficDone)
		traffic.run(runCtx)
	}()
	err = <-stopped
	stop()
	<-trafficDone
	return err
}

// prepareDev makes the data folder, removes the database of the last time and
// chooses the secrets. What the environment configures stays valid beside them.
func prepareDev(dir string, cfg *Config) (DevCredentials, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return DevCredentials{}, fmt.Errorf("make the data folder: %w", err)
	}
	database := filepath.Join(dir, "dev.db")
	leftovers, err := filepath.Glob(database + "*")
	if err != nil {
		return DevCredentials{}, fmt.Errorf("look for an old database: %w", err)
	}
	for _, name := range leftovers {
		if err := os.Remove(name); err != nil {
			return DevCredentials{}, fmt.Errorf("remove the old database: %w", err)
		}
	}
	absolute, err := filepath.Abs(database)
	if err != nil {
		return DevCredentials{}, fmt.Errorf("find the data folder: %w", err)
	}
	creds := DevCredentials{
		AdminToken:    "qk_dev_" + rand.Text(),
		WebhookSecret: "whsec_dev_" + rand.Text(),
		UserID:        uuid.NewString(),
		DatabaseURL:   "sqlite:" + absolute,
		JWTSecret:     "jwt_dev_" + rand.Text() + rand.Text(),
	}
	cfg.DatabaseURL, cfg.Tables = creds.DatabaseURL, nil // its tables are our own
	cfg.WebhookSecrets = append([]string{creds.WebhookSecret}, cfg.WebhookSecrets...)
	cfg.AdminTokens = append([]rest.Token{{Name: "dev", Secret: creds.AdminToken}}, cfg.AdminTokens...)
	cfg.devJWTSecret = creds.JWTSecret
	cfg.Livemode = nil
	return creds, nil
}

// writeDevCredentials writes the file in one step, so that nobody reads half of it.
func writeDevCredentials(dir string, c DevCredentials) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the dev credentials: %w", err)
	}
	name := filepath.Join(dir, devCredentialsFile)
	if err := os.WriteFile(name+".new", append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the dev credentials: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("write the dev credentials: %w", err)
	}
	return nil
}

// printBanner says where everything is. The curl line carries a signature that
// Stripe's rules let live for five minutes.
func printBanner(stdout io.Writer, opts DevOptions, c DevCredentials, maker *sample.Maker) error {
	body, err := maker.Event("invoice.payment_succeeded")
	if err != nil {
		return err
	}
	file := filepath.Join(opts.Dir, "sample-event.json")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		return fmt.Errorf("write the sample event: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "QuoteKit %s   development mode: this machine only, sample data, throwaway database\n", opts.Version)
	fmt.Fprintf(&b, "  Dashboard %s/dashboard   log in with %s\n", c.URL, c.AdminToken)
	fmt.Fprintf(&b, "  Webhook   %s/webhooks/stripe   signed with %s\n", c.URL, c.WebhookSecret)
	fmt.Fprintf(&b, "  API       %s/v1/monitor/events   health %s/readyz\n", c.URL, c.URL)
	fmt.Fprintf(&b, "  Login     Authorization: Bearer %s\n", c.AdminToken)
	fmt.Fprintf(&b, "  Data      %s (SQLite)   stop with Ctrl-C\n", opts.Dir)
	fmt.Fprintf(&b, "Next, from this folder:\n")
	fmt.Fprintf(&b, "  quotekit trigger invoice.payment_succeeded\n")
	fmt.Fprintf(&b, "  quotekit events list\n")
	fmt.Fprintf(&b, "  quotekit operations      bulk operations on the rows of user %s\n", c.UserID)
	fmt.Fprintf(&b, "or, within five minutes:\n")
	fmt.Fprintf(&b, "  curl -H 'Stripe-Signature: %s' -H 'Content-Type: application/json' --data-binary @%s %s/webhooks/stripe\n",
		signature(body, c.WebhookSecret), file, c.URL)
	if _, err := io.WriteString(stdout, b.String()); err != nil {
		return fmt.Errorf("print the banner: %w", err)
	}
	return nil
}
