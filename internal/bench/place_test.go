package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// configured is a database that is in use, which a bench must not touch.
type configured struct {
	engine, url string
	store       *store.Store // nil on SQLite
}

// onBoth makes a database with rows on each engine: on SQLite a file that somebody has
// locked, and on Postgres a schema of somebody else's beside ours.
func onBoth(t *testing.T, f func(t *testing.T, c configured)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		url := storetest.SQLiteURL(t, storetest.Tables)
		s, err := store.Open(t.Context(), store.Config{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		mustInsert(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		lock, err := os.Open(strings.TrimPrefix(url, "sqlite:") + ".lock")
		if err == nil {
			err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = lock.Close() }()
		f(t, configured{engine: "sqlite", url: url})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := storetest.PostgresURL(t, storetest.Tables)
		s := storetest.Open(t, url)
		mustInsert(t, s)
		for _, text := range []string{
			`CREATE SCHEMA theirs`, `CREATE TABLE theirs.quotes (id SERIAL PRIMARY KEY, text TEXT)`,
			`INSERT INTO theirs.quotes (text) VALUES ('a'), ('b')`,
		} {
			if _, err := s.Writer().Exec(text); err != nil {
				t.Fatal(err)
			}
		}
		f(t, configured{engine: "postgres", url: url, store: s})
	})
}

func mustInsert(t *testing.T, s *store.Store) {
	t.Helper()
	err := s.InsertApplication(t.Context(), quotekit.NewID(), map[quotekit.ApplicationTable][]quotekit.Values{
		quotekit.Clients: {{"name": "Ada"}, {"name": "Grace"}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// snapshot is everything that is there: on SQLite all files of the folder, on Postgres
// all schemas, relations and functions, and the rows of all tables.
func (c configured) snapshot(t *testing.T) []string {
	t.Helper()
	var list []string
	if c.store == nil {
		folder := filepath.Dir(strings.TrimPrefix(c.url, "sqlite:"))
		err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				list = append(list, path)
				return err
			}
			content, err := os.ReadFile(path)
			list = append(list, fmt.Sprintf("%s %x", path, sha256.Sum256(content)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	list = c.ask(t, `SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)' ORDER BY 1`)
	const ours = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'`
	list = append(list, c.ask(t, `SELECT c.relkind::TEXT || ' ' || n.nspname || '.' || c.relname
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE `+ours+` ORDER BY 1`)...)
	list = append(list, c.ask(t, `SELECT 'function ' || n.nspname || '.' || p.proname
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE `+ours+` ORDER BY 1`)...)
	list = append(list, c.ask(t, `SELECT schemaname || '.' || sequencename || ' ' || COALESCE(last_value, 0) FROM pg_sequences ORDER BY 1`)...)
	for _, table := range c.ask(t, `SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND `+ours+` ORDER BY 1`) {
		list = append(list, table+" "+c.ask(t, `SELECT md5(COALESCE(string_agg(t::TEXT, '|' ORDER BY t::TEXT), '')) FROM `+table+` AS t`)[0])
	}
	return list
}

func (c configured) ask(t *testing.T, query string) (list []string) {
	t.Helper()
	rows, err := c.store.Reader().Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestRun_AnInterruptLeavesNothing interrupts a bench at its beginning, while its
// service starts, and in the middle of a load.
func TestRun_AnInterruptLeavesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, c configured) {
		before := c.snapshot(t)
		for _, after := range []time.Duration{0, 50 * time.Millisecond, time.Second} {
			config := testConfig(t, c.url, honest, "steady-100")
			config.Duration = time.Minute
			ctx, cancel := context.WithCancel(t.Context())
			config.Progress = func(string) { time.AfterFunc(after, cancel) } // there is no better moment than any
			began := time.Now()
			report, err := Run(ctx, config)
			if !errors.Is(err, context.Canceled) || report == nil || len(report.Results) != 0 || time.Since(began) > 30*time.Second {
				t.Errorf("after %s: got %+v, %v, after %s", after, report, err, time.Since(began))
			}
			if now := c.snapshot(t); !slices.Equal(now, before) {
				t.Errorf("after %s: got\n%s\nwant\n%s", after, strings.Join(now, "\n"), strings.Join(before, "\n"))
			}
		}
	})
}

func TestRun_AServiceThatDoesNotStart(t *testing.T) {
	onBoth(t, func(t *testing.T, c configured) {
		before := c.snapshot(t)
		report, err := Run(t.Context(), testConfig(t, c.url, dead, "start", "lane"))
		if err != nil {
			t.Fatal(err)
		}
		if failed := report.Failed(); len(failed) != 2 || !strings.Contains(*failed[0].Error, "this is the end") {
			t.Errorf("got %+v", report.Results)
		}
		if now := c.snapshot(t); !slices.Equal(now, before) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(now, "\n"), strings.Join(before, "\n"))
		}
	})
}

func TestRun_NoSuchDatabase(t *testing.T) {
	for url, want := range map[string]string{
		"sqlite:" + filepath.Join(t.TempDir(), "none", "quotekit.db"):            "no such file or directory",
		"postgres://nobody@127.0.0.1:1/nowhere?sslmode=disable":                  "nobody listens at the address",
		strings.Replace(storetest.PostgresURL(t, nil), "/testdb", "/nowhere", 1): "no database of the name",
	} {
		report, err := Run(t.Context(), testConfig(t, url, honest, "start"))
		if report != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v, want an error with %q", url, report, err, want)
		}
	}
}

// TestPlace_WithoutADatabase: it is a file in the temporary folder.
func TestPlace_WithoutADatabase(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	err := inPlace(t.Context(), "", func(p *place) error {
		entries, err := os.ReadDir(os.TempDir())
		if err != nil || len(entries) != 1 || !strings.HasPrefix(entries[0].Name(), PlacePrefix) {
			t.Errorf("got %v, %v", entries, err)
		}
		return p.prepare(t.Context(), func(s *store.Store) error {
			if s.Postgres() {
				t.Error("it is not SQLite")
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(os.TempDir()); err != nil || len(entries) != 0 {
		t.Errorf("got %v, %v, want an empty folder", entries, err)
	}
}

func TestPlace_WhatCannotBeRemovedIsNamed(t *testing.T) {
	p, err := newPlace(t.Context(), storetest.PostgresURL(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	schema := p.schema
	good := p.url
	p.url = "postgres://nobody@127.0.0.1:1/nowhere?sslmode=disable"
	err = p.remove(t.Context())
	var left *LeftBehindError
	if !errors.As(err, &left) || !strings.Contains(left.What, schema) {
		t.Errorf("got %v, want an error that names %s", err, schema)
	}
	p.url, p.schema = good, schema
	if err := p.remove(t.Context()); err != nil {
		t.Error(err)
	}
}
