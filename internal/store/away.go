package store

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// MayPass reports whether an error at the start is worth waiting: a Postgres
// that is away, refuses to let us in or cannot be written now, and on SQLite a
// file that another program has locked. What a person has to mend is not.
func MayPass(d Dialect, err error) bool {
	class := Classify(err)
	return class == Retryable || (class == Unavailable && d == Postgres) || sqliteCode(err) == sqliteBusy
}

// WhyAway says in plain words why the database cannot be used now. It quotes
// nothing of what a server says, and no secret.
func WhyAway(err error) string {
	switch stateOf(err) {
	case "28P01", "28000":
		return "it refuses the user or the password of DATABASE_URL"
	case "3D000":
		return "the server has no database of the name in DATABASE_URL"
	case "42501":
		return "the user of DATABASE_URL may not use it"
	case "57P03", "57P01", "57P02":
		return "the server is starting, stopping or recovering"
	case "53300":
		return "the server has no connection left"
	case readOnly:
		return "it is read-only"
	case "53100":
		return "its disk is full"
	}
	var unknown *net.DNSError
	switch {
	case errors.As(err, &unknown):
		return "the name of the server is not known"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return "nobody listens at the address of DATABASE_URL"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "the server does not answer in time"
	case sqliteCode(err) == sqliteBusy:
		return "another program has locked it"
	}
	return Describe(err)
}

// Server is the address of the database server; empty on SQLite.
func (s *Store) Server() string {
	if s.pool == nil {
		return ""
	}
	c := s.pool.Config().ConnConfig
	_, address := pgconn.NetworkAddress(c.Host, c.Port)
	return address
}
