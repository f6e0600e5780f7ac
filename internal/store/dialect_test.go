package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func TestClassify_RefusedValues(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		id := "0b7a2f3e-1c5d-4e6f-8a9b-0c1d2e3f4a5b"
		const item = `INSERT INTO items (id, user_id, name, unit_price, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6)`
		refused := map[string]func(*sql.Tx) error{
			"a NULL": func(tx *sql.Tx) error {
				return execTx(tx, item, id, id, nil, 1, time.Now(), time.Now())
			},
			"a check": func(tx *sql.Tx) error {
				return execTx(tx, `INSERT INTO stripe_webhook_events (stripe_event_id, event_type, status, received_at)
					VALUES ('e', 't', 'bad', $1)`, time.Now())
			},
			"a duplicate": func(tx *sql.Tx) error {
				return errors.Join(execTx(tx, item, id, id, "a", 1, time.Now(), time.Now()),
					execTx(tx, item, id, id, "a", 1, time.Now(), time.Now()))
			},
			"a foreign key": func(tx *sql.Tx) error {
				return execTx(tx, `INSERT INTO quotes (id, user_id, client_id, total, created_at, updated_at)
					VALUES ($1, $1, $1, 1, $2, $2)`, id, time.Now())
			},
		}
		if s.Postgres() {
			refused["a number out of range"] = func(tx *sql.Tx) error {
				return execTx(tx, item, id, id, "a", "100000000.00", time.Now(), time.Now())
			}
			refused["a number that the driver refuses"] = func(tx *sql.Tx) error {
				return execTx(tx, `INSERT INTO stripe_webhook_events (stripe_event_id, event_type, status, received_at, attempts)
					VALUES ('e', 't', 'dead', $1, $2)`, time.Now(), int64(1)<<40)
			}
			refused["no UUID"] = func(tx *sql.Tx) error { return execTx(tx, item, "x", id, "a", 1, time.Now(), time.Now()) }
			refused["no JSON"] = func(tx *sql.Tx) error { return execTx(tx, `UPDATE items SET tags = $1`, "{") }
			refused["a NUL"] = func(tx *sql.Tx) error { return execTx(tx, item, id, id, "a\x00b", 1, time.Now(), time.Now()) }
			refused["no UTF-8"] = func(tx *sql.Tx) error { return execTx(tx, item, id, id, "a\xffb", 1, time.Now(), time.Now()) }
			refused["too long for an index"] = func(tx *sql.Tx) error {
				return execTx(tx, `INSERT INTO stripe_objects (livemode, kind, object_id) VALUES (true, 'a', $1)`, noise(1<<17))
			}
		} else {
			refused["too big"] = func(tx *sql.Tx) error {
				return execTx(tx, `INSERT INTO stripe_objects (livemode, kind, object_id)
					VALUES (true, 'a', zeroblob(1 << 31))`)
			}
			refused["a rowid that is no number"] = func(tx *sql.Tx) error {
				return execTx(tx, `INSERT INTO items (rowid, id) VALUES ('x', 'y')`)
			}
		}
		for name, refuse := range refused {
			err := s.WithTx(t.Context(), func(tx *store.Tx) error { return refuse(tx.Tx) })
			if got := store.Classify(fmt.Errorf("wrapped: %w", err)); got != store.DataError {
				t.Errorf("%s: got %v of %v", name, got, err)
			}
		}
	})
}

func execTx(tx *sql.Tx, text string, args ...any) error {
	_, err := tx.Exec(text, args...)
	return err
}

// noise is text that cannot be compressed much.
func noise(n int) string {
	var b strings.Builder
	for x := uint32(1); b.Len() < n; x = x*1664525 + 1013904223 {
		fmt.Fprintf(&b, "%08x", x)
	}
	return b.String()
}

func TestClassify_WrongStatementsAreOther(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		for _, text := range []string{`SELEC`, `SELECT missing FROM items`, `SELECT 1 FROM missing`} {
			_, err := s.Reader().ExecContext(t.Context(), text)
			if got := store.Classify(err); err == nil || got != store.Other {
				t.Errorf("%s: got %v of %v", text, got, err)
			}
		}
	})
	for _, err := range []error{nil, errors.New("any"), sql.ErrNoRows} {
		if got := store.Classify(err); got != store.Other {
			t.Errorf("got %v of %v", got, err)
		}
	}
}

func TestClassify_ClosedAndGivenUpAreUnavailable(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		<-ctx.Done()
		if err := s.Ping(ctx); store.Classify(err) != store.Unavailable {
			t.Errorf("after the deadline: got %v of %v", store.Classify(err), err)
		}
		query := `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n`
		ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := s.Reader().ExecContext(ctx, query); store.Classify(err) != store.Unavailable {
			t.Errorf("deadline in a query: got %v of %v", store.Classify(err), err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		err := s.WithTx(t.Context(), func(*store.Tx) error { return nil })
		if store.Classify(err) != store.Unavailable {
			t.Errorf("closed: got %v of %v", store.Classify(err), err)
		}
	})
}

func TestClassify_ConflictsOnPostgresAreRetryable(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t, storetest.Tables))
	mustExec(t, s, `INSERT INTO stripe_objects (livemode, kind, object_id) VALUES (true, 'a', '1'), (true, 'a', '2')`)
	const touch = `UPDATE stripe_objects SET state = 'x' WHERE object_id = $1`

	errs := make(chan error, 2)
	first := make(chan struct{}, 2)
	both := make(chan struct{})
	for _, order := range [][2]string{{"1", "2"}, {"2", "1"}} {
		go func() {
			errs <- s.WithTx(t.Context(), func(tx *store.Tx) error {
				err := execTx(tx.Tx, touch, order[0])
				first <- struct{}{}
				<-both
				return errors.Join(err, execTx(tx.Tx, touch, order[1]))
			})
		}()
	}
	<-first
	<-first
	close(both)
	if err := errors.Join(<-errs, <-errs); store.Classify(err) != store.Retryable {
		t.Errorf("deadlock: got %v of %v", store.Classify(err), err)
	}

	serial, err := s.Writer().BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = serial.Rollback() }()
	if err := execTx(serial, `SELECT 1 FROM stripe_objects`); err != nil {
		t.Fatal(err)
	}
	mustExec(t, s, touch, "1")
	if err := execTx(serial, touch, "1"); store.Classify(err) != store.Retryable {
		t.Errorf("serialization: got %v of %v", store.Classify(err), err)
	}
}

// TestClassify_AnotherWriterOnSQLiteIsUnavailable: ours wait for it, and when that
// has taken too long, to try again at once is pointless.
func TestClassify_AnotherWriterOnSQLiteIsUnavailable(t *testing.T) {
	url := storetest.SQLiteURL(t, storetest.Tables)
	s := storetest.Open(t, url)
	other, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(url, "sqlite:")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	err = s.WithTx(t.Context(), func(*store.Tx) error {
		_, err := other.Begin()
		return err
	})
	if store.Classify(err) != store.Unavailable {
		t.Errorf("got %v of %v", store.Classify(err), err)
	}
}

func TestClassify_BrokenFilesAreUnavailable(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(noise(4096)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{garbage, dir} {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.ExecContext(t.Context(), `CREATE TABLE t (a INTEGER)`)
		if got := store.Classify(err); got != store.Unavailable {
			t.Errorf("%s: got %v of %v", path, got, err)
		}
		_ = db.Close()
	}
}

func TestClassify_FullDatabaseIsUnavailable(t *testing.T) {
	s := storetest.Open(t, storetest.SQLiteURL(t, storetest.Tables))
	mustExec(t, s, `PRAGMA max_page_count = 1`) // takes what is used already
	err := s.WithTx(t.Context(), func(tx *store.Tx) error {
		return execTx(tx.Tx, `INSERT INTO stripe_objects (livemode, kind, object_id, state) VALUES (true, 'a', 'b', zeroblob(1 << 20))`)
	})
	if got := store.Classify(err); got != store.Unavailable {
		t.Errorf("got %v of %v", got, err)
	}
}

func TestClassify_PostgresAwayIsUnavailable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, store.Config{URL: "postgres://u@" + l.Addr().String() + "/d?sslmode=disable&connect_timeout=2"})
	hangUp := make(chan struct{})
	go func() {
		defer close(hangUp)
		if c, err := l.Accept(); err == nil {
			_ = c.Close()
		}
	}()
	if err := s.Ping(t.Context()); store.Classify(err) != store.Unavailable {
		t.Errorf("hung up: got %v of %v", store.Classify(err), err)
	}
	<-hangUp
	_ = l.Close()
	if err := s.Ping(t.Context()); store.Classify(err) != store.Unavailable {
		t.Errorf("refused: got %v of %v", store.Classify(err), err)
	}

	live := storetest.Open(t, storetest.PostgresURL(t, nil))
	stranger := mustOpen(t, store.Config{URL: strings.Replace(url(live), "pgtdbuser", "nobody", 1)})
	if err := stranger.Ping(t.Context()); store.Classify(err) != store.Unavailable {
		t.Errorf("no such role: got %v of %v", store.Classify(err), err)
	}
	killed := live.WithTx(t.Context(), func(tx *store.Tx) error {
		return execTx(tx.Tx, `SELECT pg_terminate_backend(pg_backend_pid())`)
	})
	if got := store.Classify(killed); got != store.Unavailable {
		t.Errorf("terminated: got %v of %v", got, killed)
	}
	for _, err := range []error{io.ErrUnexpectedEOF, &net.OpError{Op: "read", Err: syscall.ECONNRESET}} {
		if got := store.Classify(err); got != store.Unavailable {
			t.Errorf("got %v of %v", got, err)
		}
	}
}
