package store_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func TestMigrate_TwiceChangesNothing(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		before := catalog(t, s)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := catalog(t, s); !slices.Equal(after, before) {
			t.Errorf("catalog changed:\n%s", diff(before, after))
		}
	})
}

func TestMigrationStatus_ChangesNothing(t *testing.T) {
	storetest.RunWith(t, nil, func(t *testing.T, s *store.Store) {
		pending := mustStatus(t, s)
		if len(pending) == 0 {
			t.Fatal("no migrations")
		}
		for _, m := range pending {
			if !m.AppliedAt.IsZero() {
				t.Errorf("%s is applied on an empty database", m.Name)
			}
		}
		if got := catalog(t, s); len(got) > 0 {
			t.Errorf("status made %q", got)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, m := range mustStatus(t, s) {
			if m.AppliedAt.IsZero() || m.Version != int64(i+1) || m.Name != pending[i].Name {
				t.Errorf("got %+v at %d after migrating", m, i)
			}
		}
	})
}

func TestMigrate_RunsTheMigrationsOfOthers(t *testing.T) {
	storetest.RunWith(t, nil, func(t *testing.T, s *store.Store) {
		step := errors.New("step")
		err := s.Migrate(t.Context(), func(ctx context.Context) error {
			_, err := s.Reader().ExecContext(ctx, `SELECT COUNT(*) FROM subscriptions`)
			return errors.Join(step, err)
		})
		if !errors.Is(err, step) || strings.Contains(err.Error(), "subscriptions") {
			t.Errorf("got %v, want only the error of the step", err)
		}
	})
}

func TestMigrate_ManyAtOnceOnPostgres(t *testing.T) {
	url := storetest.PostgresURL(t, nil)
	var wg sync.WaitGroup
	for range 8 {
		s := mustOpen(t, store.Config{URL: url, Schema: "kit", MaxConns: 1})
		wg.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, m := range mustStatus(t, mustOpen(t, store.Config{URL: url, Schema: "kit"})) {
		if m.AppliedAt.IsZero() {
			t.Errorf("%s is pending", m.Name)
		}
	}
}

func TestMigrate_ManyProcessesAtOnceOnPostgres(t *testing.T) {
	const variable = "QUOTEKIT_TEST_MIGRATE_URL"
	if url := os.Getenv(variable); url != "" { // in a child
		if err := mustOpen(t, store.Config{URL: url}).Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		return
	}
	url := storetest.PostgresURL(t, nil)
	var wg sync.WaitGroup
	for range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), variable+"="+url)
		wg.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	got := catalog(t, mustOpen(t, store.Config{URL: url}))
	want := catalog(t, storetest.Open(t, storetest.PostgresURL(t, storetest.Tables)))
	if !slices.Equal(got, want) {
		t.Errorf("catalog differs:\n%s", diff(want, got))
	}
}

func TestMigrate_LeavesAForeignTableAlone(t *testing.T) {
	for name, foreign := range map[string]string{
		"another shape":  `CREATE TABLE subscriptions (id INTEGER PRIMARY KEY, plan TEXT)`,
		"no columns":     `CREATE TABLE items ()`,
		"a view":         `CREATE VIEW clients AS SELECT 1 AS id`,
		"document, less": `CREATE TABLE batch_jobs (id UUID PRIMARY KEY, user_id UUID)`,
		"benchmarks":     `CREATE TABLE webhook_performance_benchmarks (id UUID, event_type TEXT)`,
		"more required":  userDocument[1] + `; ALTER TABLE webhook_processing_logs ADD COLUMN tenant UUID NOT NULL`,
		"only an id":     `CREATE TABLE quotes (id UUID PRIMARY KEY)`,
		"another type":   `CREATE TABLE clients (id BIGINT PRIMARY KEY, user_id UUID, name TEXT, email TEXT, phone TEXT, address TEXT, notes TEXT, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ)`,
	} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t, store.Config{URL: storetest.PostgresURL(t, nil)})
			mustExec(t, s, foreign)
			before := catalog(t, s)

			err := s.Migrate(t.Context())
			var taken *store.ErrSchemaTaken
			if !errors.As(err, &taken) {
				t.Fatalf("got %v, want an ErrSchemaTaken", err)
			}
			if !strings.Contains(err.Error(), "QUOTEKIT_SCHEMA") || !strings.Contains(err.Error(), taken.Table) {
				t.Errorf("got %q", err)
			}
			if len(taken.Missing)+len(taken.Mistyped)+len(taken.Required) == 0 {
				t.Errorf("no columns in %+v", taken)
			}
			if after := catalog(t, s); !slices.Equal(after, before) {
				t.Errorf("catalog changed:\n%s", diff(before, after))
			}

			beside := mustOpen(t, store.Config{URL: url(s), Schema: `Quote"Kit`})
			if err := beside.Migrate(t.Context()); err != nil {
				t.Errorf("in a schema of its own: %v", err)
			}
		})
	}
}

// url returns the URL of a Postgres store.
func url(s *store.Store) string { return s.Pool().Config().ConnString() }

func mustOpen(t *testing.T, c store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustExec(t *testing.T, s *store.Store, text string, args ...any) {
	t.Helper()
	if _, err := s.Writer().ExecContext(t.Context(), text, args...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func mustStatus(t *testing.T, s *store.Store) []store.Migration {
	t.Helper()
	all, err := s.MigrationStatus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}
