package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// onlyKind is the one kind of job that an ancient version knows.
type onlyKind struct{}

func (onlyKind) Kind() string { return "ancient" }

// startAncient runs a worker of a version that knows none of our kinds and takes
// every job all the same. It rescues what has been running for a second, and so
// discards what it does not know.
func startAncient(t *testing.T, s *store.Store) {
	t.Helper()
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[onlyKind]) error { return nil }))
	queues := map[string]river.QueueConfig{
		jobs.Batches: {MaxWorkers: 4}, jobs.Tasks: {MaxWorkers: 4}, river.QueueDefault: {MaxWorkers: 4},
	}
	for p := 1; p <= quotekit.Lanes; p++ {
		queues[jobs.Lane(p)] = river.QueueConfig{MaxWorkers: 4}
	}
	c, err := river.NewClient(riverdatabasesql.New(s.Writer()), &river.Config{
		FetchPollInterval: 100 * time.Millisecond, JobTimeout: time.Second, RescueStuckJobsAfter: time.Second,
		Queues: queues, Workers: workers, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := c.StopAndCancel(ctx); err != nil {
			t.Errorf("stop the ancient version: %v", err)
		}
	})
}

// TestVersions_AnOlderWorkerTakesNothingAway lets a worker that knows none of our
// jobs fetch, fail and discard them. A newer one beside it does the work all the
// same: an event, a task and a bulk operation.
func TestVersions_AnOlderWorkerTakesNothingAway(t *testing.T) {
	t.Parallel()
	database := storetest.PostgresURL(t, tables)
	b := &broken{fail: func(int) error { return errors.New("not now") }}
	routes := routesWith("product.created", b.handle)
	web := mustStartWith(t, batchConfig(database), app.Options{Routes: routes, Role: app.RoleWeb})
	u := web.user()
	quotes := web.quotes(u, 3, nil)
	job := u.submit("update_quote_status", quotes, status("sent"))
	for i := range 4 {
		if a := web.post(product(fmt.Sprintf("evt_%d", i), fmt.Sprintf("prod_%d", i))); a.Status != "pending" {
			t.Fatalf("got %+v, want pending", a)
		}
	}
	db := web.Store().Writer()
	order := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.Exec(statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	task := quotekit.NewID()
	err := web.Store().WithTx(t.Context(), func(tx *store.Tx) error {
		return tx.InsertTask(t.Context(), store.NewTask{ID: task, Kind: quotekit.BulkKind, Arguments: []byte(`{"action":"retry"}`), Total: new(int)})
	})
	if err != nil {
		t.Fatal(err)
	}
	order(`INSERT INTO river_job (state, queue, kind, args, max_attempts) VALUES ('available', 'tasks', 'task_step', $1, 25)`,
		fmt.Sprintf(`{"task_id":%q}`, task))
	// Of two attempts the process has died: they are stuck.
	order(`UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '1 hour', attempted_by = '{dead}'
		WHERE id IN (SELECT id FROM river_job WHERE queue LIKE 'lane%' ORDER BY id LIMIT 2)`)

	startAncient(t, storetest.Open(t, database))
	eventually(t, 60*time.Second, "the older version discards what was stuck", func() bool {
		return web.value("SELECT COUNT(*) FROM river_job WHERE state = 'discarded'") == "2"
	})
	eventually(t, 60*time.Second, "the older version fails everything else", func() bool {
		return web.value("SELECT COUNT(*) FROM river_job WHERE state IN ('available', 'running') AND array_length(errors, 1) IS NULL") == "0"
	})

	b.mended.Store(true)
	mustStartWith(t, batchConfig(database), app.Options{Routes: routes})
	eventually(t, 2*time.Minute, "the events are settled", func() bool {
		return web.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'succeeded'") == "4"
	})
	eventually(t, 2*time.Minute, "the bulk operation is done", func() bool {
		return web.value("SELECT COUNT(*) FROM batch_jobs WHERE id = $1 AND status = 'completed'", job.ID) == "1"
	})
	eventually(t, 2*time.Minute, "the task is done", func() bool {
		return web.value("SELECT COUNT(*) FROM webhook_tasks WHERE status = 'completed'") == "1"
	})
}

// TestVersions_AnOlderBinaryServesANewerSchema: during a rollout the newer version
// has migrated, and the older one is started once more.
func TestVersions_AnOlderBinaryServesANewerSchema(t *testing.T) {
	onBoth(t, func(t *testing.T, database string) {
		s := storetest.Open(t, database)
		for _, statement := range []string{
			"INSERT INTO quotekit_schema_version (version_id, is_applied) VALUES (9999, TRUE)",
			"INSERT INTO river_migration (line, version) VALUES ('main', 9999)",
			"CREATE TABLE of_the_future (id INTEGER PRIMARY KEY)",
			"ALTER TABLE stripe_webhook_events ADD COLUMN of_the_future INTEGER NOT NULL DEFAULT 0",
			"ALTER TABLE stripe_products ADD COLUMN of_the_future TEXT",
		} {
			if _, err := s.Writer().Exec(statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		older := mustStart(t, database, app.Options{})
		if a := older.post(product("evt_1", "prod_1")); a.Status != "succeeded" {
			t.Errorf("got %+v", a)
		}
		if got := older.statusOf("GET", "/readyz", ""); got != 200 {
			t.Errorf("/readyz: got %d", got)
		}
		older.stop()
		// A command of the older version looks, and changes nothing.
		a, err := app.New(t.Context(), plainConfig(database), app.Options{NoMigrations: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
}
