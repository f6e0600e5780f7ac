package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
)

// startDev runs dev mode until the test ends and returns its banner.
func startDev(t *testing.T, cfg app.Config, opts app.DevOptions) (banner string, creds app.DevCredentials) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	read, write := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- app.RunDev(ctx, cfg, opts, write) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("dev mode ended with %v", err)
		}
		if _, err := os.Stat(filepath.Join(opts.Dir, "dev.json")); err == nil {
			t.Error("the credentials are still there")
		}
	})
	buffer := make([]byte, 1<<16)
	n, err := read.Read(buffer) // the banner is written at once
	if err != nil {
		t.Fatal(err)
	}
	creds, err = app.ReadDevCredentials(opts.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n]), creds
}

func TestRunDev_BannerTellsTheTruth(t *testing.T) {
	inEmptyFolder(t)
	cfg := mustConfig(t, map[string]string{"QUOTEKIT_ADDR": "127.0.0.1:0"})
	banner, creds := startDev(t, cfg, app.DevOptions{
		Dir: "data", Logger: slog.New(slog.DiscardHandler), Version: "0.0.0",
	})
	for _, want := range []string{creds.URL, creds.WebhookSecret, creds.AdminToken, "quotekit trigger invoice.payment_succeeded"} {
		if !strings.Contains(banner, want) {
			t.Errorf("the banner lacks %q:\n%s", want, banner)
		}
	}
	line := regexp.MustCompile(`curl -H 'Stripe-Signature: ([^']+)' -H 'Content-Type: application/json' --data-binary @(\S+) (\S+)\n`).FindStringSubmatch(banner)
	if line == nil {
		t.Fatalf("the banner has no curl line:\n%s", banner)
	}
	body, err := os.ReadFile(line[2])
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, line[3], bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Stripe-Signature", line[1])
	req.Header.Set("Content-Type", "application/json")
	if status, answer := mustDo(t, req); status != 200 || !strings.Contains(answer, `"status":"succeeded"`) {
		t.Errorf("the curl line was answered %d %s", status, answer)
	}
}

func TestRunDev_KeepsItsSecretsPrivate(t *testing.T) {
	inEmptyFolder(t)
	cfg := mustConfig(t, map[string]string{"QUOTEKIT_ADDR": "127.0.0.1:0", "STRIPE_WEBHOOK_SECRET": "whsec_of_stripe_listen"})
	startDev(t, cfg, app.DevOptions{Dir: "data", Logger: slog.New(slog.DiscardHandler)})
	for name, want := range map[string]os.FileMode{"data": 0o700, "data/dev.json": 0o600} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
	err := app.RunDev(context.Background(), cfg, app.DevOptions{Dir: "data"}, io.Discard)
	if quotekit.CodeOf(err) != quotekit.EConflict {
		t.Errorf("a second dev mode on the folder: %v, want a conflict", err)
	}
}

func TestRunDev_SampleTrafficArrives(t *testing.T) {
	inEmptyFolder(t)
	cfg := mustConfig(t, map[string]string{"QUOTEKIT_ADDR": "127.0.0.1:0"})
	_, creds := startDev(t, cfg, app.DevOptions{Dir: "data", Logger: slog.New(slog.DiscardHandler), EventsPerSecond: 200})

	// The first story buys something: wait until its subscription is known.
	req, err := http.NewRequest(http.MethodGet, creds.URL+"/v1/monitor/events?status=succeeded&event_type=customer.subscription.created", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+creds.AdminToken)
	deadline := time.After(10 * time.Second)
	for {
		status, answer := mustDo(t, req)
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := json.Unmarshal([]byte(answer), &list); err != nil || status != 200 {
			t.Fatalf("answered %d %s", status, answer)
		}
		if len(list.Items) > 0 {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatal("no subscription came")
		}
	}
}

func mustConfig(t *testing.T, values map[string]string) app.Config {
	t.Helper()
	cfg, err := app.LoadConfig(env(values), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func mustDo(t *testing.T, req *http.Request) (status int, body string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err = joinClose(err, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func joinClose(err error, c io.Closer) error {
	if closeErr := c.Close(); err == nil {
		return closeErr
	}
	return err
}
