package store_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func TestLost_TellsACutConnectionFromEverythingElse(t *testing.T) {
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&pgconn.PgError{Code: "57P01"}, true},
		{&pgconn.PgError{Code: "57P02"}, true},
		{&pgconn.PgError{Code: "08006"}, true},
		{io.EOF, true},
		{io.ErrUnexpectedEOF, true},
		{reset, true},
		{driver.ErrBadConn, true},
		{pgconn.ErrConnClosed, true},
		{&store.CommitError{Err: &pgconn.PgError{Code: "57P01"}}, true},
		{&store.CommitError{Err: reset, Unknown: true}, false},
		{&pgconn.PgError{Code: "57P03"}, false}, // is starting up
		{&pgconn.PgError{Code: "57014"}, false}, // the statement was canceled
		{&pgconn.PgError{Code: "53300"}, false}, // too many connections
		{&pgconn.PgError{Code: "40P01"}, false},
		{&pgconn.PgError{Code: "23505"}, false},
		{&pgconn.ConnectError{}, false},
		{errors.Join(context.DeadlineExceeded, io.EOF), false},
		{context.Canceled, false},
		{sql.ErrTxDone, false},
		{errors.New("any"), false},
		{nil, false},
	} {
		err := test.err
		if err != nil {
			err = fmt.Errorf("wrapped: %w", err)
		}
		if got := store.Lost(err); got != test.want {
			t.Errorf("%v: got %t, want %t", test.err, got, test.want)
		}
	}
}

// TestLost_AfterTheSessionsEnded ends a session in a transaction, and then all
// that wait in the pool.
func TestLost_AfterTheSessionsEnded(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t, storetest.Tables))
	err := s.WithTx(t.Context(), func(tx *store.Tx) error {
		_, _ = tx.Exec(`SELECT pg_terminate_backend(pg_backend_pid())`)
		return execTx(tx.Tx, `SELECT 1`)
	})
	if !store.Lost(err) {
		t.Errorf("in a transaction: got %v, want a lost connection", err)
	}
	var held []*sql.Conn
	for range 8 {
		c, err := s.Writer().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.PingContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	for _, c := range held {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	mustExec(t, s, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	s.DropIdle()
	for i := range 8 {
		if err := s.WithTx(t.Context(), func(tx *store.Tx) error { return execTx(tx.Tx, `SELECT 1`) }); err != nil {
			t.Errorf("transaction %d after the pool was emptied: %v", i, err)
		}
	}
}
