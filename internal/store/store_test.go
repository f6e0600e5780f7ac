package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func TestOpen_RefusesASecondOpenerOnSQLite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	first := mustOpen(t, store.Config{URL: "sqlite:" + path})
	link := filepath.Join(dir, "b.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		_, err := store.Open(t.Context(), store.Config{URL: "sqlite:" + name})
		var locked *store.ErrLocked
		if !errors.As(err, &locked) || filepath.Base(locked.Path) != "a.db" {
			t.Errorf("%s: got %v, want an ErrLocked that names a.db", name, err)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, store.Config{URL: "sqlite:" + link})
}

func TestOpen_TakesAnyFileName(t *testing.T) {
	for _, name := range []string{"plain.db", "with space.db", "what?mode=ro#frag%41&x=y.db", "ümläut+'\";.db", "file:x.db", ":memory:.db"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, store.Config{URL: "sqlite:" + filepath.Join(dir, name)})
			mustExec(t, s, `CREATE TABLE t (a INTEGER)`)
			if _, err := s.Reader().ExecContext(t.Context(), `SELECT a FROM t`); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpen_TakesAPathRelativeToTheWorkingFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	mustOpen(t, store.Config{URL: "sqlite:quotekit.db"})
	if _, err := os.Stat("quotekit.db"); err != nil {
		t.Error(err)
	}
}

func TestOpen_RefusesWhatIsNoDatabase(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{
		"", "mysql://x", "sqlite:", "sqlite::memory:", "postgres://h:port/", "sqlite:" + t.TempDir(),
		"sqlite:" + filepath.Join(t.TempDir(), "missing", "a.db"), "sqlite:" + garbage,
	} {
		if s, err := store.Open(t.Context(), store.Config{URL: url}); err == nil || s != nil {
			t.Errorf("%q: got %v, %v", url, s, err)
		}
	}
}

func TestReader_CannotWriteOnSQLite(t *testing.T) {
	s := storetest.Open(t, storetest.SQLiteURL(t, storetest.Tables))
	_, err := s.Reader().ExecContext(t.Context(), `DELETE FROM stripe_objects`)
	if store.Classify(err) != store.Unavailable {
		t.Errorf("got %v, want that it is read-only", err)
	}
}

func TestStore_SetsUpItsConnections(t *testing.T) {
	ask := func(t *testing.T, s *store.Store, query string) (answer string) {
		t.Helper()
		if err := s.Writer().QueryRowContext(t.Context(), query).Scan(&answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	t.Run("sqlite", func(t *testing.T) {
		s := storetest.Open(t, storetest.SQLiteURL(t, nil))
		for query, want := range map[string]string{
			`PRAGMA journal_mode`: "wal", `PRAGMA synchronous`: "2",
			`PRAGMA foreign_keys`: "1", `PRAGMA busy_timeout`: "5000",
		} {
			if got := ask(t, s, query); got != want {
				t.Errorf("%s: got %s, want %s", query, got, want)
			}
		}
		if s.Pool() != nil || s.Postgres() || s.Dialect().String() != "sqlite" || s.Schema() != "" {
			t.Error("takes itself for Postgres")
		}
	})
	t.Run("postgres", func(t *testing.T) {
		s := mustOpen(t, store.Config{URL: storetest.PostgresURL(t, nil), Schema: "a, b"})
		for query, want := range map[string]string{
			`SHOW search_path`: `"a, b"`, `SHOW timezone`: "UTC", `SHOW application_name`: "quotekit",
		} {
			if got := ask(t, s, query); got != want {
				t.Errorf("%s: got %s, want %s", query, got, want)
			}
		}
		if s.Pool() == nil || s.Dialect() != store.Postgres || s.Schema() != "a, b" {
			t.Error("does not take itself for Postgres")
		}
		if got := s.Pool().Config().MaxConns; got != 16 {
			t.Errorf("got a pool of %d", got)
		}
		if got := mustOpen(t, store.Config{URL: url(s) + "&pool_max_conns=3"}).Pool().Config().MaxConns; got != 3 {
			t.Errorf("got a pool of %d, want that of the URL", got)
		}
	})
}

func TestWithTx_RollsBackOnErrorAndPanic(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		want := errors.New("no")
		insert := func(tx *store.Tx) {
			if _, err := tx.ExecContext(t.Context(), `INSERT INTO stripe_objects (livemode, kind, object_id)
				VALUES ($1, 'a', 'b')`, true); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.WithTx(t.Context(), func(tx *store.Tx) error { insert(tx); return want }); err != want {
			t.Errorf("got %v, want %v", err, want)
		}
		func() {
			defer func() { _ = recover() }()
			_ = s.WithTx(t.Context(), func(tx *store.Tx) error { insert(tx); panic("no") })
		}()
		ctx, cancel := context.WithCancel(t.Context())
		err := s.WithTx(ctx, func(tx *store.Tx) error { insert(tx); cancel(); return nil })
		var commit *store.CommitError
		if !errors.As(err, &commit) || commit.Unknown {
			t.Errorf("got %v, want a commit error that is certain", err)
		}
		if got := lines(t, s, `SELECT object_id FROM stripe_objects`); len(got) > 0 {
			t.Errorf("got %q", got)
		}
	})
}

func TestWithTx_HasATimeThatBothEnginesKeep(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		mustTx(t, s, func(tx *store.Tx) error {
			if tx.Now.Location() != time.UTC || tx.Now.Nanosecond()%1000 != 0 {
				t.Errorf("got %v", tx.Now)
			}
			_, err := tx.ExecContext(t.Context(), `INSERT INTO stripe_objects (livemode, kind, object_id, updated_at)
				VALUES ($1, 'a', 'b', $2)`, true, tx.Now)
			if err != nil {
				return err
			}
			var n int
			return tx.QueryRowContext(t.Context(), `SELECT 1 FROM stripe_objects WHERE updated_at = $1 AND updated_at < $2`,
				tx.Now, tx.Now.Add(time.Microsecond)).Scan(&n)
		})
	})
}

func TestWithTx_KnowsNotWhetherALostCommitHappened(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t, storetest.Tables))
	admin := mustOpen(t, store.Config{URL: url(s)})
	err := s.WithTx(t.Context(), func(tx *store.Tx) error {
		var pid int
		if err := tx.QueryRowContext(t.Context(), `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
			return err
		}
		mustExec(t, admin, `SELECT pg_terminate_backend($1, 5000)`, pid)
		return nil
	})
	var commit *store.CommitError
	if !errors.As(err, &commit) || !commit.Unknown || store.Classify(err) != store.Unavailable {
		t.Errorf("got %v (%v), want a commit error of unknown outcome", err, store.Classify(err))
	}
}
