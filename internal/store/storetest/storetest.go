// Package storetest gives tests fresh databases on both engines: SQLite in a
// file of its own, Postgres in a database of its own on the server that
// QUOTEKIT_TEST_POSTGRES_URL names. Without that server a test fails; it is
// never skipped.
package storetest

import (
	"context"
	"testing"

	"github.com/quotekit/quotekit/internal/store"
)

// Migrate makes the tables of a fresh database. It runs once per function and
// test binary, and the databases of tests are copies of what it made. A closure
// must therefore make the same tables whatever it closes over.
type Migrate func(context.Context, *store.Store) error

// Tables makes the tables of package store.
func Tables(ctx context.Context, s *store.Store) error { return s.Migrate(ctx) }

// Run runs f as a subtest on each engine, with a fresh store that has the
// tables of package store.
func Run(t *testing.T, f func(t *testing.T, s *store.Store)) {
	t.Helper()
	RunWith(t, Tables, f)
}

// RunWith is [Run] with other tables.
func RunWith(t *testing.T, migrate Migrate, f func(t *testing.T, s *store.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, Open(t, SQLiteURL(t, migrate))) })
	t.Run("postgres", func(t *testing.T) { f(t, Open(t, PostgresURL(t, migrate))) })
}

// Open opens the database at url for as long as the test runs.
func Open(t testing.TB, url string) *store.Store {
	t.Helper()
	return OpenWith(t, store.Config{URL: url})
}

// OpenWith is [Open] with a configuration.
func OpenWith(t testing.TB, c store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return s
}

// makeTables runs migrate on the database at url.
func makeTables(ctx context.Context, url string, migrate Migrate) (err error) {
	s, err := store.Open(ctx, store.Config{URL: url})
	if err != nil {
		return err
	}
	defer func() {
		if e := s.Close(); err == nil {
			err = e
		}
	}()
	return migrate(ctx, s)
}
