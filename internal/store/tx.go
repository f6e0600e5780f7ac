package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/quotekit/quotekit"
)

// Tx is a transaction that may write: READ COMMITTED on Postgres, on SQLite
// the only one that writes.
type Tx struct {
	*sql.Tx
	// Now is the time of everything that happens in the transaction: UTC, in
	// whole microseconds.
	Now time.Time

	dialect Dialect
	tables  map[quotekit.ApplicationTable]*appTable
	stmts   *statements          // nil on Postgres
	own     map[string]*sql.Stmt // prepared in this transaction, closed with it
	queue   *queue               // nil on SQLite
	counts  map[countKey]countChange
	groups  groupChanges
	acts    []auditLine    // of operators, written at the end
	audited *atomic.Uint32 // the store's
}

// CommitError is a failure of COMMIT itself.
type CommitError struct {
	Err error
	// Unknown means that the connection broke while the commit was on its way:
	// the effects may be there or not. Otherwise they are certainly not there.
	Unknown bool
}

// Error implements error.
func (e *CommitError) Error() string {
	if e.Unknown {
		return "commit (outcome unknown): " + e.Err.Error()
	}
	return "commit: " + e.Err.Error()
}

// Unwrap returns the driver's error.
func (e *CommitError) Unwrap() error { return e.Err }

// WithTx runs f in a transaction and commits it if f returns nil. An error of
// f comes back as it is, after a rollback; one of the commit is a [CommitError].
// Nothing is retried. The transaction is rolled back when ctx ends.
func (s *Store) WithTx(ctx context.Context, f func(*Tx) error) error {
	err := s.withTx(ctx, f)
	if err != nil {
		s.noteRefusal(err)
	}
	return err
}

func (s *Store) withTx(ctx context.Context, f func(*Tx) error) (err error) {
	ctx = startSpan(ctx, "transaction", system(s.dialect))
	defer func() { endSpan(ctx, err) }()
	if s.stmts != nil {
		s.stmts.prepareWanted(ctx, s.writer)
	}
	var opts *sql.TxOptions // SQLite knows one level only; _txlock makes it IMMEDIATE
	if s.Postgres() {
		opts = &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close() }() // goes back to the pool
	inner, err := conn.BeginTx(ctx, opts)
	if err != nil {
		if s.dialect == SQLite && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			// With the only connection that writes in our hands, BEGIN IMMEDIATE
			// waits for nothing but another program's lock.
			s.doubt(err)
		}
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = inner.Rollback() }() // does nothing after a commit

	tx := &Tx{Tx: inner, Now: s.instant(), dialect: s.dialect, tables: s.tables, stmts: s.stmts, audited: &s.audited}
	if s.Postgres() {
		tx.queue = &queue{conn: conn}
	}
	// While it is in doubt whether the database can be written, a transaction has
	// to have written something to speak for it.
	var before, after int64
	doubted := s.doubted() != nil
	if doubted {
		if before, err = tx.marker(ctx); err != nil {
			return err
		}
	}
	if err := f(tx); err != nil {
		return cmp.Or(tx.queue.failure(), err)
	}
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	if doubted {
		if after, err = tx.marker(ctx); err != nil {
			return err
		}
	}
	if err := inner.Commit(); err != nil {
		return &CommitError{Err: err, Unknown: s.commitUnknown(ctx, err)}
	}
	if after > before {
		s.noteWrite()
	}
	if s.checkpoints != nil {
		s.checkpoints.commits.Add(1)
	}
	return nil
}

// commitUnknown tells a refused commit from one whose answer was lost.
func (s *Store) commitUnknown(ctx context.Context, err error) bool {
	var refused *pgconn.PgError
	switch {
	case errors.Is(err, sql.ErrTxDone), err == ctx.Err():
		return false // database/sql did not even send it
	case !s.Postgres():
		// An I/O error can come before or after the commit record was synced.
		return sqliteCode(err) == sqliteIOErr
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return false
	case errors.As(err, &refused):
		// A FATAL error, like that of a shutdown, may follow the commit record.
		return refused.SeverityUnlocalized != "ERROR"
	}
	return true
}
