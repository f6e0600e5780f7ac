package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/quotekit/quotekit"
)

// Config says which database to open.
type Config struct {
	// URL is "sqlite:PATH", "postgres://…" or "postgresql://…".
	URL string
	// Schema is the Postgres schema of our tables; empty is public.
	Schema string
	// Tables are the names of the application's tables, where they are not ours.
	Tables Tables
	// Now is the clock; nil is [time.Now].
	Now func() time.Time
	// MaxConns bounds the connections to Postgres, or those that read on
	// SQLite. Zero takes pool_max_conns of the URL, else a default.
	MaxConns int
}

// Store is an open database. Its methods may be called from many goroutines.
type Store struct {
	dialect Dialect
	writer  *sql.DB
	reader  *sql.DB
	pool    *pgxpool.Pool // nil on SQLite
	dialer  *dialer       // nil on SQLite
	schema  string        // of Postgres
	tables  map[quotekit.ApplicationTable]*appTable
	now     func() time.Time
	stmts   *statements // nil on Postgres, where pgx keeps them
	lock    *os.File    // nil on Postgres

	checkpoints *checkpointer // nil on Postgres
	writing     writing
	audited     atomic.Uint32 // entries of the audit trail so far

	migrating sync.Mutex
	closing   sync.Once
	closeErr  error
}

// Open opens the database without touching its tables; see [Store.Migrate].
// On SQLite it creates the file if need be, and fails with an [ErrLocked] while
// another process has it open. On Postgres it does not connect yet, so that a
// service may start before its database.
func Open(ctx context.Context, c Config) (*Store, error) {
	s := &Store{now: c.Now, schema: c.Schema, tables: c.Tables.tables()}
	if s.now == nil {
		s.now = time.Now
	}
	if s.schema == "" {
		s.schema = "public"
	}
	var err error
	switch {
	case strings.HasPrefix(c.URL, "sqlite:") && len(c.Tables) > 0:
		err = errors.New("names of the application's tables are for Postgres")
	case strings.HasPrefix(c.URL, "sqlite:"):
		err = s.openSQLite(ctx, strings.TrimPrefix(c.URL, "sqlite:"), c.MaxConns)
	case strings.HasPrefix(c.URL, "postgres://"), strings.HasPrefix(c.URL, "postgresql://"):
		err = s.openPostgres(ctx, c.URL, c.MaxConns)
	default:
		err = errors.New("the URL begins neither with sqlite: nor with postgres://")
	}
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return s, nil
}

// Close closes the database. On Postgres, statements that still run have a few
// seconds to end. Closing again does nothing.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	var errs []error
	if s.checkpoints != nil {
		errs = append(errs, s.checkpoints.close())
	}
	if s.stmts != nil {
		errs = append(errs, s.stmts.close())
	}
	if s.reader != s.writer {
		errs = append(errs, s.reader.Close())
	}
	errs = append(errs, s.writer.Close())
	if s.pool != nil {
		hanging := time.AfterFunc(closeWithin, s.dialer.cut)
		s.pool.Close()
		hanging.Stop()
		s.dialer.cut() // what was taken out of the pool, to listen on
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Dialect says which engine it is.
func (s *Store) Dialect() Dialect { return s.dialect }

// Postgres reports whether the engine is Postgres.
func (s *Store) Postgres() bool { return s.dialect == Postgres }

// Schema is the Postgres schema of the tables, and empty on SQLite.
func (s *Store) Schema() string {
	if s.Postgres() {
		return s.schema
	}
	return ""
}

// Writer is the pool that writes. On SQLite it is a single connection, and
// whoever holds it stops everybody else.
func (s *Store) Writer() *sql.DB { return s.writer }

// Reader is the pool for reads outside of transactions: on SQLite connections
// that cannot write, on Postgres the pool of [Store.Writer].
func (s *Store) Reader() *sql.DB { return s.reader }

// Pool is the pool below [Store.Writer] on Postgres, and nil on SQLite. It is
// for River's driver, which listens on a connection of its own.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// DropIdle closes the connections that nobody uses. It is for when some were cut:
// after a restart of the server all of them are, and each would fail somebody.
func (s *Store) DropIdle() {
	if s.pool != nil {
		s.pool.Reset()
	}
}

// Ping asks the database for an answer.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.reader.PingContext(ctx); err != nil {
		return fmt.Errorf("ping database: %w", err)
	}
	return nil
}

// instant is the time of the clock as both engines can keep it.
func (s *Store) instant() time.Time { return s.now().UTC().Truncate(time.Microsecond) }
