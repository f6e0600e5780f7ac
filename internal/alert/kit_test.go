package alert_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/alert"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func tables(ctx context.Context, s *store.Store) error {
	return s.Migrate(ctx, func(ctx context.Context) error { return jobs.Migrate(ctx, s) })
}

// clock stands still until a test puts it forward.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// watch is a service on a fresh store, with a clock and receivers of every kind.
type watch struct {
	*alert.Service
	t         *testing.T
	store     *store.Store
	clock     *clock
	receivers *receivers
	log       *notebook
}

// notebook keeps what is logged.
type notebook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notebook) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *notebook) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// onBoth runs f with a service on each engine. The clock begins at noon.
func onBoth(t *testing.T, f func(t *testing.T, w *watch)) {
	t.Helper()
	t.Parallel()
	run := func(t *testing.T, url string) {
		t.Parallel()
		c := &clock{at: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)}
		s, err := store.Open(context.Background(), store.Config{URL: url, Now: c.now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		r := newReceivers(t)
		log := new(notebook)
		f(t, &watch{newService(t, s, c, r.channels(), log), t, s, c, r, log})
	}
	t.Run("sqlite", func(t *testing.T) { run(t, storetest.SQLiteURL(t, tables)) })
	t.Run("postgres", func(t *testing.T) { run(t, storetest.PostgresURL(t, tables)) })
}

// newService makes a service that works no jobs.
func newService(t *testing.T, s *store.Store, c *clock, channels alert.Channels, log io.Writer, limits ...string) *alert.Service {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(log, nil))
	config := alert.Config{Channels: channels, PublicURL: "https://kit.example/", Now: c.now, Logger: logger}
	var err error
	// The disk of the machine that runs the tests is nobody's business here.
	if config.Limits, err = alert.ParseLimits(strings.Join(append(limits, "disk_low=off"), ",")); err != nil {
		t.Fatal(err)
	}
	return mustNew(t, s, config)
}

func mustNew(t *testing.T, s *store.Store, c alert.Config) *alert.Service {
	t.Helper()
	workers := river.NewWorkers()
	client, err := jobs.New(s, workers, jobs.Config{Logger: c.Logger})
	if err != nil {
		t.Fatal(err)
	}
	a, err := alert.New(s, client, workers, c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// evaluate puts the clock forward and evaluates.
func (w *watch) evaluate(after time.Duration) {
	w.t.Helper()
	w.clock.forward(after)
	if err := w.Evaluate(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// holding puts the clock forward, as if these conditions had been found of rules.
func (w *watch) holding(after time.Duration, conditions map[string]alert.Condition) {
	w.t.Helper()
	w.clock.forward(after)
	if err := w.Hold(w.t.Context(), conditions); err != nil {
		w.t.Fatal(err)
	}
}

// alerts lists what is shown, with what was resolved in the last day.
func (w *watch) alerts() []quotekit.Alert {
	w.t.Helper()
	list, err := w.ListAlerts(w.t.Context(), w.clock.now().Add(-24*time.Hour))
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// only is the one alert that is shown.
func (w *watch) only() quotekit.Alert {
	w.t.Helper()
	list := w.alerts()
	if len(list) != 1 {
		w.t.Fatalf("got %d alerts, want 1: %+v", len(list), list)
	}
	return list[0]
}

// deliver sends everything that is due, and returns what was told since the last
// call: "firing dead_letters_present" for each alert, through the webhook.
func (w *watch) deliver() []string {
	w.t.Helper()
	w.send()
	var told []string
	for _, d := range w.receivers.take(alert.Webhook) {
		var body struct {
			Alerts []struct{ Event, Rule, Subject string }
		}
		if err := json.Unmarshal(d.body, &body); err != nil {
			w.t.Fatal(err)
		}
		for _, a := range body.Alerts {
			told = append(told, strings.TrimSpace(a.Event+" "+a.Rule+" "+a.Subject))
		}
	}
	return told
}

// send makes an attempt at every message that is due.
func (w *watch) send() {
	w.t.Helper()
	done := map[string]bool{}
	for _, d := range w.deliveries() {
		if done[d.MessageID] {
			continue
		}
		done[d.MessageID] = true
		if _, err := w.Deliver(w.t.Context(), d.MessageID); err != nil {
			w.t.Fatal(err)
		}
	}
}

// deliveries reads the log, the oldest first.
func (w *watch) deliveries() []store.AlertDelivery {
	w.t.Helper()
	list, err := w.store.AlertDeliveries(w.t.Context(), 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(list)
	return list
}

func (w *watch) wantTold(want ...string) {
	w.t.Helper()
	if got := w.deliver(); !slices.Equal(got, want) {
		w.t.Errorf("told %q, want %q", got, want)
	}
}

func (w *watch) mustExec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.store.Writer().ExecContext(w.t.Context(), query, args...); err != nil {
		w.t.Fatal(err)
	}
}

// received is a request that a receiver got.
type received struct {
	header http.Header
	path   string
	body   []byte
}

// receivers take alerts, in this process.
type receivers struct {
	t                       *testing.T
	webhook, slack, manager *httptest.Server
	mail                    *mailServer
	mu                      sync.Mutex
	got                     map[string][]received
	status                  int // what is answered
}

const secret = "whsec_of_the_alerts"

func newReceivers(t *testing.T) *receivers {
	r := &receivers{t: t, got: map[string][]received{}, status: http.StatusOK, mail: newMailServer(t)}
	server := func(name string) *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			body, err := io.ReadAll(req.Body)
			if err != nil {
				t.Error(err)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.got[name] = append(r.got[name], received{req.Header, req.URL.Path, body})
			w.WriteHeader(r.status)
		}))
		t.Cleanup(s.Close)
		return s
	}
	r.webhook, r.slack, r.manager = server(alert.Webhook), server(alert.Slack), server(alert.Alertmanager)
	return r
}

func (r *receivers) channels() alert.Channels {
	return alert.Channels{
		WebhookURL: r.webhook.URL + "/hook?token=in-the-url", WebhookSecret: secret,
		SlackURL: r.slack.URL + "/services/T0/B0/slack-secret", AlertmanagerURL: r.manager.URL,
		Email: "Ann <ann@example.com>, ben@example.com", SMTPURL: "smtp://" + r.mail.addr + "?from=quotekit@example.com",
	}
}

func (r *receivers) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// take returns what a receiver has got since the last call.
func (r *receivers) take(name string) []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got[name]
	r.got[name] = nil
	return got
}
