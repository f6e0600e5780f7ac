package jobs_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func tables(ctx context.Context, s *store.Store) error {
	return s.Migrate(ctx, func(ctx context.Context) error { return jobs.Migrate(ctx, s) })
}

// oldKind is in every version, newKind in the newer one only.
type (
	oldKind struct{}
	newKind struct{}
)

func (oldKind) Kind() string                 { return "old" }
func (newKind) Kind() string                 { return "new" }
func (oldKind) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: jobs.Tasks} }
func (newKind) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: jobs.Tasks} }

// mustWork starts a client until the test ends.
func mustWork(t *testing.T, s *store.Store, workers *river.Workers) {
	t.Helper()
	c := mustNew(t, s, workers)
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, c)
}

func mustNew(t *testing.T, s *store.Store, workers *river.Workers) *jobs.Client {
	t.Helper()
	c, err := jobs.New(s, workers, jobs.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func stopAtEnd(t *testing.T, c *jobs.Client) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
}

// insert inserts jobs as a version does that knows them all.
func insert(t *testing.T, s *store.Store, args ...river.JobArgs) {
	t.Helper()
	all := river.NewWorkers()
	river.AddWorker(all, noting[oldKind](nil))
	river.AddWorker(all, noting[newKind](nil))
	c := mustNew(t, s, all)
	err := s.WithTx(t.Context(), func(tx *store.Tx) error {
		for _, a := range args {
			if _, err := c.InsertTx(t.Context(), tx.Tx, a, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// noting makes a worker that tells when it works.
func noting[T river.JobArgs](worked chan<- string) river.Worker[T] {
	return river.WorkFunc(func(_ context.Context, job *river.Job[T]) error {
		worked <- job.Kind
		return nil
	})
}

func next(t *testing.T, worked <-chan string) string {
	t.Helper()
	select {
	case kind := <-worked:
		return kind
	case <-time.After(30 * time.Second):
		t.Fatal("no job is worked")
		return ""
	}
}

// TestClient_LeavesUnknownKindsToOthers runs an older version, which does not know
// a kind, with a job of that kind before one that it knows.
func TestClient_LeavesUnknownKindsToOthers(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t, tables))
	worked := make(chan string, 10)
	older, newer := river.NewWorkers(), river.NewWorkers()
	river.AddWorker(older, noting[oldKind](worked))
	river.AddWorker(newer, noting[newKind](worked))
	mustWork(t, s, older)
	insert(t, s, newKind{}, oldKind{})
	if got := next(t, worked); got != "old" {
		t.Fatalf("got a job of the kind %s", got)
	}
	var state string
	var attempts int
	const look = `SELECT state, attempt FROM river_job WHERE kind = 'new'`
	if err := s.Reader().QueryRow(look).Scan(&state, &attempts); err != nil || state != "available" || attempts != 0 {
		t.Errorf("got the unknown job %s after %d attempts, %v", state, attempts, err)
	}
	mustWork(t, s, newer)
	if got := next(t, worked); got != "new" {
		t.Errorf("got a job of the kind %s", got)
	}
}

// TestClient_StartsAfterAStartThatFailed: the service tries until the database is
// there, with one client.
func TestClient_StartsAfterAStartThatFailed(t *testing.T) {
	server := storetest.StartServer(t, "")
	s := storetest.Open(t, server.URL())
	if err := tables(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	worked := make(chan string, 10)
	workers := river.NewWorkers()
	river.AddWorker(workers, noting[oldKind](worked))
	c := mustNew(t, s, workers)
	server.Stop(storetest.Fast)
	for range 2 {
		if err := c.Start(context.Background()); err == nil {
			t.Fatal("the client starts without a database")
		}
	}
	server.Start()
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	stopAtEnd(t, c)
	insert(t, s, oldKind{})
	if got := next(t, worked); got != "old" {
		t.Errorf("got a job of the kind %s", got)
	}
}
