package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// queue holds statements of a transaction on Postgres whose results nobody
// needs, and sends them in one round trip: a group of events has some twenty of
// them, and would wait longer for the network than for the database. They are
// sent before or together with the next statement of the transaction whose
// result matters, and before its commit, so that nothing is seen out of order.
// An error comes with the statement after.
//
// SQLite has no round trips; a nil queue is empty.
type queue struct {
	conn  *sql.Conn
	batch pgx.Batch
	err   error // of the first flush that failed: the transaction is lost
}

// failure is the error that lost the transaction. What comes after it only
// says that the transaction is aborted.
func (q *queue) failure() error {
	if q == nil {
		return nil
	}
	return q.err
}

// flush sends what is queued.
func (q *queue) flush(ctx context.Context) error { return q.read(ctx) }

// query is a statement and what to do with each row it returns; without scan
// the rows do not matter.
type query struct {
	text string
	args []any
	scan func(row) error
}

// row is a row of either driver.
type row interface{ Scan(...any) error }

// read sends what is queued and the queries behind it, all in one round trip,
// and scans what comes back.
func (q *queue) read(ctx context.Context, queries ...query) error {
	if q == nil || q.err != nil {
		return q.failure()
	}
	queued := q.batch.Len()
	for _, query := range queries {
		q.batch.Queue(query.text, query.args...)
	}
	if q.batch.Len() == 0 {
		return nil
	}
	q.err = q.conn.Raw(func(driverConn any) error {
		results := driverConn.(*stdlib.Conn).Conn().SendBatch(ctx, &q.batch)
		err := readResults(results, queued, queries)
		return cmp.Or(err, results.Close())
	})
	q.batch = pgx.Batch{}
	if q.err != nil {
		q.err = fmt.Errorf("write: %w", q.err)
	}
	return q.err
}

func readResults(results pgx.BatchResults, queued int, queries []query) error {
	for range queued {
		if _, err := results.Exec(); err != nil {
			return err
		}
	}
	for _, query := range queries {
		rows, err := results.Query()
		if err != nil {
			return err
		}
		for rows.Next() {
			if query.scan == nil {
				continue
			}
			if err := query.scan(rows); err != nil {
				rows.Close()
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Flush sends what is queued. Nobody needs it for what the database does; it is
// for those who look at the clock afterwards.
func (tx *Tx) Flush(ctx context.Context) error {
	for _, write := range []func(context.Context) error{tx.writeCounts, tx.writeGroups, tx.writeActs} {
		if err := write(ctx); err != nil {
			return cmp.Or(tx.queue.failure(), err)
		}
	}
	return tx.queue.flush(ctx)
}

// run executes a statement whose result nobody needs, on Postgres together with
// others and a little later.
func (tx *Tx) run(ctx context.Context, text string, args ...any) error {
	if tx.queue != nil {
		tx.queue.batch.Queue(text, slices.Clone(args)...)
		return nil
	}
	stmt, err := tx.prepared(ctx, text)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(context.WithoutCancel(ctx), args...)
	return err
}

// returning runs a statement and scans what it returns, on Postgres in one round
// trip with what is queued.
func (tx *Tx) returning(ctx context.Context, text string, scan func(row) error, args ...any) error {
	if tx.queue != nil {
		return tx.queue.read(ctx, query{text, args, scan})
	}
	stmt, err := tx.prepared(ctx, text)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(context.WithoutCancel(ctx), args...)
	if err != nil {
		return err
	}
	return scanRows(rows, scan)
}

// all runs queries in order, on Postgres in one round trip.
func (tx *Tx) all(ctx context.Context, queries []query) error {
	if tx.queue != nil {
		return tx.queue.read(ctx, queries...)
	}
	for _, q := range queries {
		if err := tx.returning(ctx, q.text, q.scan, q.args...); err != nil {
			return err
		}
	}
	return nil
}

// ExecContext is that of [sql.Tx], behind what is queued.
func (tx *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := tx.queue.flush(ctx); err != nil {
		return nil, err
	}
	return tx.Tx.ExecContext(ctx, query, args...)
}

// QueryContext is that of [sql.Tx], behind what is queued.
func (tx *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := tx.queue.flush(ctx); err != nil {
		return nil, err
	}
	return tx.Tx.QueryContext(ctx, query, args...)
}

// QueryRowContext is that of [sql.Tx], behind what is queued. An error of the
// queue is the transaction's: the row then fails because it is aborted.
func (tx *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	_ = tx.queue.flush(ctx) // kept as the queue's failure
	return tx.Tx.QueryRowContext(ctx, query, args...)
}
