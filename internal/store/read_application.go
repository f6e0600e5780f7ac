package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
)

// RowFilter selects rows of the application; what is empty does not restrict.
type RowFilter struct {
	// Equal are columns and the values they have to have.
	Equal map[string]string
	// Search is a text that one of the columns has to contain. ASCII letters
	// match in either case; whether others do is a matter of Postgres' locale,
	// and on SQLite they do not.
	Search        string
	SearchColumns []string
}

// where makes the conditions of f for the rows of a user.
func (f RowFilter) where(t *appTable, userID string) *filter {
	q := new(filter)
	q.add(t.at("user_id")+" = %s", userID)
	for _, c := range t.columns {
		q.equal(t.at(c), f.Equal[c])
	}
	if f.Search != "" {
		pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(f.Search) + "%"
		conditions := make([]string, len(f.SearchColumns))
		args := make([]any, len(f.SearchColumns))
		for i, c := range f.SearchColumns {
			// The engine folds both sides, so that a letter it cannot fold equals itself.
			conditions[i], args[i] = "LOWER("+t.at(c)+") LIKE LOWER(%s) ESCAPE '\\'", pattern
		}
		q.add("("+strings.Join(conditions, " OR ")+")", args...)
	}
	return q
}

// listed is a row of a list with its place in it. The time of a row without
// created_at is zero.
type listed[T any] struct {
	row T
	position
}

// ListRows lists the rows of a user in a table of the application, newest first,
// as T, which is [quotekit.Quote], [quotekit.Client] or [quotekit.Item]. A table
// that is an existing application's may have rows without created_at; they come
// last. Its other NULLs, where our own table has none, read as the zero of T.
func ListRows[T any](ctx context.Context, s *Store, table quotekit.ApplicationTable, userID string, f RowFilter, p Page) (rows []T, cursor string, err error) {
	t := s.tables[table]
	limit, err := p.limit()
	if err != nil {
		return nil, "", err
	}
	after, err := p.position()
	if err != nil {
		return nil, "", err
	}
	if after != nil && (uuid.Validate(after.ID) != nil || len(after.ID) != 36) {
		return nil, "", errCursor
	}
	var list []listed[T]
	if after == nil || !after.At.IsZero() {
		q := f.where(t, userID)
		q.add(t.at("created_at") + " IS NOT NULL")
		if after != nil {
			// As a row value it bounds the scan of the index.
			q.add("("+t.at("created_at")+", "+t.at("id")+") < (%s, %s)", after.At, after.ID)
		}
		if list, err = readPage[T](ctx, s, t, q, limit+1); err != nil {
			return nil, "", err
		}
	}
	// Two statements, since no index has the rows without a time at its end.
	if missing := limit + 1 - len(list); missing > 0 {
		q := f.where(t, userID)
		q.add(t.at("created_at") + " IS NULL")
		if after != nil && after.At.IsZero() {
			q.add(t.at("id")+" < %s", after.ID)
		}
		undated, err := readPage[T](ctx, s, t, q, missing)
		if err != nil {
			return nil, "", err
		}
		list = append(list, undated...)
	}
	list, cursor = next(list, limit, func(l listed[T]) position { return l.position })
	rows = make([]T, len(list))
	for i, l := range list {
		rows[i] = l.row
	}
	return rows, cursor, nil
}

// readPage reads the first rows that the conditions select. The page is cut
// inside, so that Postgres makes images of its rows only, also where it has to
// sort many rows of one time.
func readPage[T any](ctx context.Context, s *Store, t *appTable, q *filter, limit int) ([]listed[T], error) {
	order := " ORDER BY " + t.at("created_at") + " DESC, " + t.at("id") + " DESC"
	page := `SELECT ` + quoteList(t.storedNames(t.columns)) + ` FROM ` + t.name + ` AS t` + q.where() + order + ` LIMIT ` + q.mark(limit)
	text := `SELECT ` + t.at("id") + `, ` + s.dialect.imageOf(t, t.columns...) + ` FROM (` + page + `) AS t` + order
	list, err := queryAll(ctx, s.reader, text, q.args, func(r row) (listed[T], error) {
		var l listed[T]
		var image string
		if err := r.Scan(&l.ID, &image); err != nil {
			return l, err
		}
		var key struct {
			CreatedAt quotekit.Timestamp `json:"created_at"`
		}
		err := Image(image).decode(&key)
		if err == nil {
			err = Image(image).decode(&l.row)
		}
		l.At = key.CreatedAt.Time
		return l, wrap(err, "row "+l.ID)
	})
	return list, wrap(err, "list "+t.name)
}

// ReadRow reads one row of a user. It fails with [quotekit.ENotFound], also for
// a row of somebody else.
func ReadRow[T any](ctx context.Context, s *Store, table quotekit.ApplicationTable, userID, id string) (T, error) {
	t := s.tables[table]
	var v T
	var image string
	text := `SELECT ` + s.dialect.imageOf(t, t.columns...) + ` FROM ` + t.name + ` AS t WHERE ` + t.at("id") + ` = $1 AND ` + owned(t.at("user_id"), "$2")
	err := s.reader.QueryRowContext(ctx, text, id, userID).Scan(&image)
	if errors.Is(err, sql.ErrNoRows) {
		return v, quotekit.Errorf(quotekit.ENotFound, "you have no row %s in %s", id, table)
	}
	if err == nil {
		err = Image(image).decode(&v)
	}
	return v, wrap(err, "read row "+id+" of "+t.name)
}
