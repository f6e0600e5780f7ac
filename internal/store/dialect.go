package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
	"modernc.org/sqlite"
)

// Dialect is a database engine.
type Dialect int

// The engines.
const (
	SQLite Dialect = iota
	Postgres
)

// String returns the name of the engine.
func (d Dialect) String() string {
	if d == Postgres {
		return "postgres"
	}
	return "sqlite"
}

// ErrorClass says what to do about an error of the database.
type ErrorClass int

const (
	// Other is an error that is none of the following: of a statement, of
	// rights, or no error of the database at all.
	Other ErrorClass = iota
	// DataError means that the values were refused, and will be again.
	DataError
	// Retryable means that the same transaction may succeed at once.
	Retryable
	// Unavailable means that the database cannot work now, or that the caller
	// stopped waiting for it.
	Unavailable
)

// String returns the name of the class.
func (c ErrorClass) String() string {
	return [...]string{"other", "data error", "retryable", "unavailable"}[c]
}

// Classify returns the class of the first error of a database in err's chain.
func Classify(err error) ErrorClass {
	var (
		pg      *pgconn.PgError
		connect *pgconn.ConnectError
		network net.Error
	)
	switch {
	case err == nil:
		return Other
	case errors.As(err, &connect): // also for refused credentials, SQLSTATE 28
		return Unavailable
	case errors.As(err, &pg):
		return classifyState(pg.Code)
	case sqliteCode(err) != 0:
		return classifySQLite(sqliteCode(err))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone),
		errors.Is(err, pgconn.ErrConnClosed), errors.Is(err, puddle.ErrClosedPool),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.As(err, &network):
		return Unavailable
	case strings.Contains(err.Error(), "sql: database is closed"): // no value of its own
		return Unavailable
	case strings.Contains(err.Error(), "failed to encode args["):
		// pgx found by itself, before sending, that a value does not fit its
		// column; it has no type for that.
		return DataError
	}
	return Other
}

// Lost reports that a transaction failed because its connection was cut, before
// the commit was sent: nothing of it is there, and on another connection it may
// succeed at once. It is false where the outcome is unknown, where no connection
// could be made, and where the caller stopped waiting, which cuts it, too.
func Lost(err error) bool {
	var (
		commit  *CommitError
		connect *pgconn.ConnectError
		pg      *pgconn.PgError
		network net.Error
	)
	switch {
	case errors.As(err, &commit) && commit.Unknown,
		errors.As(err, &connect),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, puddle.ErrClosedPool):
		return false
	case errors.As(err, &pg):
		// 57P01 and 57P02: the session or the server is ended; 57P05: it was idle.
		return pg.Code == "57P01" || pg.Code == "57P02" || pg.Code == "57P05" || strings.HasPrefix(pg.Code, "08")
	case errors.As(err, &network):
		return !network.Timeout()
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// classifyState sorts the SQLSTATE codes of Postgres.
func classifyState(code string) ErrorClass {
	switch code {
	case readOnly: // the connection ended at a standby after a failover
		return Unavailable
	case "55P03": // a lock timeout
		return Retryable
	}
	switch code[:min(2, len(code))] {
	case "22", "23", // data exception, integrity constraint
		"54", // a limit, as by a value too long for an index
		"P0": // an exception of the application's own trigger
		return DataError
	case "40": // serialization failure, deadlock
		return Retryable
	case "08", "53", "57", "58": // connection, resources, intervention, system
		return Unavailable
	}
	return Other
}

// The primary result codes of SQLite that are told apart.
const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteNoMem      = 7
	sqliteReadOnly   = 8
	sqliteInterrupt  = 9
	sqliteIOErr      = 10
	sqliteCorrupt    = 11
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqliteProtocol   = 15
	sqliteTooBig     = 18
	sqliteConstraint = 19
	sqliteMismatch   = 20
	sqliteNotADB     = 26
)

func classifySQLite(code int) ErrorClass {
	switch code {
	case sqliteTooBig, sqliteConstraint, sqliteMismatch:
		return DataError
	case sqliteLocked:
		return Retryable
	case sqliteBusy, // another program has kept it locked for the whole busy_timeout
		sqliteNoMem, sqliteReadOnly, sqliteInterrupt, sqliteIOErr, sqliteCorrupt,
		sqliteFull, sqliteCantOpen, sqliteProtocol, sqliteNotADB:
		return Unavailable
	}
	return Other
}

// sqliteCode returns the primary result code of SQLite, or 0.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}
