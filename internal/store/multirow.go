package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"sync"
)

// maxRows is the most rows of one statement. At 40 columns it stays well below
// the 65,535 arguments that Postgres takes.
const maxRows = 128

// multiRow runs "prefix VALUES (…), (…) suffix" for rows that all have the same
// number of columns. Rows must be sorted and unique by key; see the package's
// rules. A suffix has no placeholders: it speaks of excluded. If scan is not
// nil, it is called once for every row that comes back (RETURNING), in no
// certain order.
//
// On Postgres the rows are cut into powers of two, so that a table has eight
// texts in all and every connection keeps them prepared. On SQLite a loop over
// a prepared statement of one row is faster.
func (tx *Tx) multiRow(ctx context.Context, prefix, suffix string, columns int, rows [][]any, scan func(row) error) error {
	if tx.dialect == SQLite {
		return tx.eachRow(ctx, prefix, suffix, columns, rows, scan)
	}
	var queries []query
	for len(rows) > 0 {
		n := maxRows
		for n > len(rows) {
			n /= 2
		}
		args := make([]any, 0, n*columns)
		for _, row := range rows[:n] {
			args = append(args, row...)
		}
		queries = append(queries, query{rowsText(prefix, suffix, columns, n), args, scan})
		rows = rows[n:]
	}
	if scan != nil {
		return tx.queue.read(ctx, queries...)
	}
	for _, q := range queries {
		tx.queue.batch.Queue(q.text, q.args...)
	}
	return nil
}

func (tx *Tx) eachRow(ctx context.Context, prefix, suffix string, columns int, rows [][]any, scan func(row) error) error {
	if len(rows) == 0 {
		return nil
	}
	stmt, err := tx.prepared(ctx, rowsText(prefix, suffix, columns, 1))
	if err != nil {
		return err
	}
	// The driver starts a goroutine per statement to watch a context that can
	// end. These statements are short: look at it between them instead.
	quiet := context.WithoutCancel(ctx)
	for _, row := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		if scan == nil {
			if _, err := stmt.ExecContext(quiet, row...); err != nil {
				return err
			}
			continue
		}
		returned, err := stmt.QueryContext(quiet, row...)
		if err != nil {
			return err
		}
		if err := scanRows(returned, scan); err != nil {
			return err
		}
	}
	return nil
}

func scanRows(rows *sql.Rows, scan func(row) error) error {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// rowsKey is what a text of rowsText depends on.
type rowsKey struct {
	prefix, suffix string
	columns, rows  int
}

// rowsTexts caches the texts: an upsert of 128 rows is 30 kB.
var rowsTexts sync.Map // of rowsKey to string

func rowsText(prefix, suffix string, columns, rows int) string {
	key := rowsKey{prefix, suffix, columns, rows}
	if text, ok := rowsTexts.Load(key); ok {
		return text.(string)
	}
	var b strings.Builder
	b.WriteString(prefix)
	b.WriteString(" VALUES ")
	for n := range rows * columns {
		switch {
		case n == 0:
			b.WriteString("(")
		case n%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteString("$")
		b.WriteString(strconv.Itoa(n + 1))
	}
	b.WriteString(") ")
	b.WriteString(suffix)
	text, _ := rowsTexts.LoadOrStore(key, b.String())
	return text.(string)
}
