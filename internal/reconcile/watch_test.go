package reconcile_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/reconcile"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
	"github.com/quotekit/quotekit/internal/task"
)

func tables(ctx context.Context, s *store.Store) error {
	return s.Migrate(ctx, func(ctx context.Context) error { return jobs.Migrate(ctx, s) })
}

// process is a service with its engine, as a process has.
type process struct {
	*reconcile.Service
	t     *testing.T
	store *store.Store
	jobs  *jobs.Client
	log   *bytes.Buffer
}

// newProcess wires a process that works on nothing yet.
func newProcess(t *testing.T, s *store.Store, api *stripe.Client, every time.Duration, periodic ...*river.PeriodicJob) *process {
	t.Helper()
	p := &process{t: t, store: s, log: new(bytes.Buffer)}
	logger := slog.New(slog.NewTextHandler(p.log, nil))
	workers := river.NewWorkers()
	client, err := jobs.New(s, workers, jobs.Config{Periodic: periodic, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	p.jobs = client
	p.Service = reconcile.New(s, task.New(s, client, workers, time.Now, logger), workers, reconcile.Config{
		API: api, Types: []string{"product.created"}, Every: every, Now: time.Now, Logger: logger,
		Import: func(context.Context, string, [][]byte) ([]quotekit.EventStatus, error) { return nil, nil },
	})
	return p
}

func (p *process) tasks() []store.Task {
	p.t.Helper()
	tasks, _, err := p.store.Tasks(context.Background(), store.TaskFilter{Kind: reconcile.KindReconcile}, store.Page{})
	if err != nil {
		p.t.Fatal(err)
	}
	return tasks
}

// TestPeriodic_OneBeginsAtATime: two processes, of which one leads; Stripe is
// slow, so that the time comes again while a run is under way.
func TestPeriodic_OneBeginsAtATime(t *testing.T) {
	storetest.RunWith(t, tables, func(t *testing.T, s *store.Store) {
		fake := stripetest.New(t, time.Now)
		var mu sync.Mutex
		atOnce, most := 0, 0
		fake.Before(func(*http.Request) {
			mu.Lock()
			atOnce++
			most = max(most, atOnce)
			mu.Unlock()
			<-time.After(250 * time.Millisecond) // longer than the time between two
			mu.Lock()
			atOnce--
			mu.Unlock()
		})
		api := stripe.NewClient(stripe.ClientConfig{Key: stripetest.Key, Base: fake.URL, PerSecond: 100})
		processes := []*process{newProcess(t, s, api, time.Hour, reconcile.Periodic(100*time.Millisecond))}
		if s.Postgres() {
			processes = append(processes, newProcess(t, s, api, time.Hour, reconcile.Periodic(100*time.Millisecond)))
		}
		for _, p := range processes {
			if err := p.jobs.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.jobs.StopAndCancel(context.Background()) })
		}
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		deadline := time.After(60 * time.Second)
		for done := 0; done < 4; {
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("%d runs are completed after a minute", done)
			}
			unfinished := 0
			done = 0
			for _, task := range processes[0].tasks() {
				switch {
				case task.Status == quotekit.TaskCompleted:
					done++
				case !task.Status.Finished():
					unfinished++
				default:
					t.Fatalf("a run is %s: %s", task.Status, task.Error)
				}
				if task.Actor != reconcile.Actor {
					t.Fatalf("got the actor %s", task.Actor)
				}
			}
			if unfinished > 1 {
				t.Fatalf("%d runs are under way at once", unfinished)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if most > 1 {
			t.Errorf("%d requests at once", most)
		}
	})
}

// TestLookAtStart says what a process does when it starts this long after the
// last event.
func TestLookAtStart(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		silence time.Duration // zero: no event was ever received
		key     bool
		every   time.Duration
		starts  bool
		log     string // a part of it; empty: nothing
	}{
		"nothing was ever received": {0, true, time.Hour, false, ""},
		"a short silence":           {30 * time.Minute, true, time.Hour, false, ""},
		"a long silence":            {4 * day, true, time.Hour, true, `level=INFO msg="no event was received for a while`},
		"switched off":              {4 * day, true, 0, false, ""},
		"no key":                    {4 * day, false, time.Hour, false, `level=WARN msg="no event was received for a long time; what was missed can be found with STRIPE_SECRET_KEY"`},
		"Stripe forgets soon":       {28 * day, true, time.Hour, true, "days_left=1"},
		"Stripe has forgotten":      {40 * day, true, time.Hour, true, "days_left=0"},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.RunWith(t, tables, func(t *testing.T, s *store.Store) {
				if c.silence > 0 {
					const insert = `INSERT INTO stripe_webhook_events (stripe_event_id, event_type, status, received_at) VALUES ($1, $2, 'succeeded', $3)`
					if _, err := s.Writer().Exec(insert, "evt_1", "product.created", time.Now().Add(-c.silence).UTC()); err != nil {
						t.Fatal(err)
					}
					// One of our own is no sign of life from Stripe.
					if _, err := s.Writer().Exec(insert, "fetched_1", "quotekit.product.fetched", time.Now().Add(-time.Minute).UTC()); err != nil {
						t.Fatal(err)
					}
				}
				var api *stripe.Client
				if c.key {
					api = stripe.NewClient(stripe.ClientConfig{Key: stripetest.Key})
				}
				p := newProcess(t, s, api, c.every)
				p.LookAtStart(t.Context())
				tasks := p.tasks()
				if (len(tasks) == 1) != c.starts || len(tasks) > 1 {
					t.Errorf("got %d runs, want one: %t", len(tasks), c.starts)
				}
				if log := p.log.String(); !strings.Contains(log, c.log) || (c.log == "") != (log == "") {
					t.Errorf("got the log %q, want %q in it", log, c.log)
				}
				p.LookAtStart(t.Context())
				if again := p.tasks(); len(again) != len(tasks) {
					t.Errorf("got %d runs after the second look, want %d", len(again), len(tasks))
				}
			})
		})
	}
}

func TestParseSince(t *testing.T) {
	now := time.Unix(1_775_000_000, 0).UTC()
	for text, want := range map[string]time.Time{
		"":                     {},
		"30d":                  now.Add(-30 * 24 * time.Hour),
		"90m":                  now.Add(-90 * time.Minute),
		"2026-01-02T03:04:05Z": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	} {
		if got, err := reconcile.ParseSince(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"d", "0d", "-1d", "1.5d", "99999999d", "0s", "-1h", "yesterday", "2099-01-01T00:00:00Z", "30 d"} {
		if got, err := reconcile.ParseSince(text, now); err == nil {
			t.Errorf("%q: got %s, want an error", text, got)
		}
	}
}
