package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/quotekit/quotekit"
)

// RowFilter selects rows of the application; what is empty does not restrict.
type RowFilter struct {
	// Equal are columns and the values they have to have.
	Equal map[string]string
	// Search is a text that one of the columns has to contain. ASCII letters
	// match in either case; of other letters the case matters on SQLite.
	Search        string
	SearchColumns []string
}

// listed is a row of a list with its place in it.
type listed[T any] struct {
	row T
	position
}

// ListRows lists the rows of a user in a table of the application, newest first,
// as T, which is [quotekit.Quote], [quotekit.Client] or [quotekit.Item]. Rows of
// an application's own table have to have created_at.
func ListRows[T any](ctx context.Context, s *Store, table quotekit.ApplicationTable, userID string, f RowFilter, p Page) (rows []T, cursor string, err error) {
	t := appTables[table]
	var q filter
	q.add("t.user_id = %s", userID)
	for _, c := range t.columns {
		q.equal("t."+c, f.Equal[c])
	}
	if f.Search != "" {
		pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(f.Search)) + "%"
		conditions := make([]string, len(f.SearchColumns))
		args := make([]any, len(f.SearchColumns))
		for i, c := range f.SearchColumns {
			conditions[i], args[i] = "LOWER(t."+c+") LIKE %s ESCAPE '\\'", pattern
		}
		q.add("("+strings.Join(conditions, " OR ")+")", args...)
	}
	end, limit, err := q.page(p, "t.created_at", "t.id")
	if err != nil {
		return nil, "", err
	}
	text := `SELECT t.id, t.created_at, ` + s.imageOf(t) + ` FROM ` + t.name + ` AS t` + end
	list, err := queryAll(ctx, s.reader, text, q.args, func(r row) (listed[T], error) {
		var l listed[T]
		var image string
		if err := r.Scan(&l.ID, &l.At, &image); err != nil {
			return l, err
		}
		if err := Image(image).decode(&l.row); err != nil {
			return l, fmt.Errorf("row %s: %w", l.ID, err)
		}
		return l, nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("list %s: %w", table, err)
	}
	list, cursor = next(list, limit, func(l listed[T]) position { return l.position })
	rows = make([]T, len(list))
	for i, l := range list {
		rows[i] = l.row
	}
	return rows, cursor, nil
}

// ReadRow reads one row of a user. It fails with [quotekit.ENotFound], also for
// a row of somebody else.
func ReadRow[T any](ctx context.Context, s *Store, table quotekit.ApplicationTable, userID, id string) (T, error) {
	t := appTables[table]
	var v T
	var image string
	text := `SELECT ` + s.imageOf(t) + ` FROM ` + t.name + ` AS t WHERE t.id = $1 AND ` + owned("t.user_id", "$2")
	err := s.reader.QueryRowContext(ctx, text, id, userID).Scan(&image)
	if errors.Is(err, sql.ErrNoRows) {
		return v, quotekit.Errorf(quotekit.ENotFound, "you have no row %s in %s", id, table)
	}
	if err == nil {
		err = Image(image).decode(&v)
	}
	return v, wrap(err, "read a row of "+t.name)
}
