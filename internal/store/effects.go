package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit"
)

// The effects of bulk operations on the application's tables: each is one
// statement for a whole chunk, on SQLite some are a loop, and each touches rows
// of one user only.

// Same reports whether i and j have the same columns with the same values.
func (i Image) Same(j Image) bool {
	return maps.EqualFunc(i.values(), j.values(), func(a, b gjson.Result) bool {
		if a.Type != gjson.String || b.Type != gjson.String {
			return a.Raw == b.Raw // a number has more digits than a float
		}
		return a.Str == b.Str // however it is escaped
	})
}

// values are those of all columns. They are not looked up by name, since gjson
// takes a name for a path, and the columns of others may be called anything.
func (i Image) values() map[string]gjson.Result {
	all := map[string]gjson.Result{}
	gjson.ParseBytes(i).ForEach(func(key, value gjson.Result) bool {
		all[key.Str] = value
		return true
	})
	return all
}

// among is SQL for "column is one of the ids of this argument": one text
// however many ids there are.
func (d Dialect) among(column, placeholder string) string {
	if d == Postgres {
		return column + " = ANY(" + placeholder + "::UUID[])"
	}
	return column + " IN (SELECT value FROM json_each(" + placeholder + "))"
}

// owned is SQL for "the row is this user's", of a query that names its rows. It
// is written so that no index serves it: a planner that takes a user for one of
// many with few rows would else look through all rows of the user.
func owned(column, placeholder string) string {
	return "(" + column + " = " + placeholder + ") IS TRUE"
}

// idsArgument is the argument of among.
func (d Dialect) idsArgument(ids []string) string {
	if d == Postgres {
		return "{" + strings.Join(ids, ",") + "}"
	}
	b, err := json.Marshal(ids)
	if err != nil {
		panic("encode ids: " + err.Error()) // strings
	}
	return string(b)
}

// locking makes a read keep its rows as they are until the transaction ends.
// SQLite has one writer and needs no lock. It is the only FOR UPDATE of the
// store: where a row's old values are to be known exactly, which Postgres before
// 18 does not return, and where an update of many rows has to lock them in order.
func (d Dialect) locking() string {
	if d == Postgres {
		return " FOR UPDATE"
	}
	return ""
}

// images runs a statement that returns (id, image).
func (tx *Tx) images(ctx context.Context, text string, args ...any) (map[string]Image, error) {
	found := map[string]Image{}
	return found, tx.returning(ctx, text, scanImages(found), args...)
}

// LockRows reads the rows of a user that have one of the ids, whole or only some
// columns, and keeps others from changing them until the transaction ends.
func (tx *Tx) LockRows(ctx context.Context, table quotekit.ApplicationTable, userID string, ids []string, columns ...string) (map[string]Image, error) {
	return tx.readRows(ctx, table, userID, ids, columns, tx.dialect.locking())
}

// ReadRows is [Tx.LockRows] without the lock.
func (tx *Tx) ReadRows(ctx context.Context, table quotekit.ApplicationTable, userID string, ids []string, columns ...string) (map[string]Image, error) {
	return tx.readRows(ctx, table, userID, ids, columns, "")
}

func (tx *Tx) readRows(ctx context.Context, table quotekit.ApplicationTable, userID string, ids, columns []string, locking string) (map[string]Image, error) {
	t, d := tx.tables[table], tx.dialect
	from := t.name + " AS t WHERE " + d.among(t.at("id"), "$1")
	if d == SQLite { // a third faster than IN
		from = "(SELECT value AS wanted FROM json_each($1)) CROSS JOIN " + t.name + " AS t WHERE t.id = wanted"
	}
	text := fmt.Sprintf("SELECT %s, %s FROM %s AND %s%s", t.at("id"), d.imageOf(t, columns...), from, owned(t.at("user_id"), "$2"), locking)
	return tx.images(ctx, text, d.idsArgument(ids), userID)
}

// DeleteRows deletes the rows of a user that have one of the ids, and returns
// what they were.
func (tx *Tx) DeleteRows(ctx context.Context, table quotekit.ApplicationTable, userID string, ids []string) (map[string]Image, error) {
	t, d := tx.tables[table], tx.dialect
	text := fmt.Sprintf("DELETE FROM %s AS t WHERE %s AND %s RETURNING %s, %s",
		t.name, owned(t.bare("user_id"), "$1"), d.among(t.bare("id"), "$2"), t.bare("id"), d.imageOf(t))
	return tx.images(ctx, text, userID, d.idsArgument(ids))
}

// Update is a change of a row: the new values of columns, as an image.
type Update struct {
	ID    string
	Image Image
}

// UpdateRows sets columns of rows of a user, each to its own values, and returns
// these columns as they are afterwards. The rows are locked; every update has a
// value for each of the columns.
func (tx *Tx) UpdateRows(ctx context.Context, table quotekit.ApplicationTable, userID string, columns []string, updates []Update) (map[string]Image, error) {
	t, d := tx.tables[table], tx.dialect
	same := !slices.ContainsFunc(updates, func(u Update) bool { return !bytes.Equal(u.Image, updates[0].Image) })
	if d == SQLite {
		return tx.updateSQLite(ctx, t, userID, columns, updates)
	}
	var rows []Image
	ids := make([]string, len(updates))
	for i, u := range updates {
		ids[i] = u.ID
		if !same || i == 0 {
			row, err := t.asStored(fmt.Appendf(nil, `{"id":%q,%s`, u.ID, u.Image[1:]))
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
	}
	join := t.at("id") + " = v." + t.bare("id")
	if same {
		join = "TRUE"
	}
	set := t.storedNames(columns)
	for i, c := range set {
		set[i] = quote(c) + " = v." + quote(c)
	}
	// What a trigger of the application has made of a row comes back. The list of
	// ids is there for the planner, which takes the rows of a function for a
	// thousand, and would read the whole table for them.
	text := fmt.Sprintf("UPDATE %[1]s AS t SET %[2]s FROM json_populate_recordset(NULL::%[1]s, $1::JSON) AS v "+
		"WHERE %[3]s AND %[4]s AND %[5]s RETURNING %[6]s, %[7]s",
		t.name, strings.Join(set, ", "), join, owned(t.at("user_id"), "$2"), d.among(t.at("id"), "$3"), t.at("id"), d.imageOf(t, columns...))
	return tx.images(ctx, text, imageArray(rows), userID, d.idsArgument(ids))
}

// updateSQLite is [Tx.UpdateRows] on SQLite, where the tables are our own, so
// that a row becomes what it is set to.
func (tx *Tx) updateSQLite(ctx context.Context, t *appTable, userID string, columns []string, updates []Update) (map[string]Image, error) {
	var differing []string
	for _, c := range columns {
		first := gjson.GetBytes(updates[0].Image, c).Raw
		if slices.ContainsFunc(updates, func(u Update) bool { return gjson.GetBytes(u.Image, c).Raw != first }) {
			differing = append(differing, c)
		}
	}
	if len(differing) > 1 {
		return tx.updateEach(ctx, t, userID, columns, updates)
	}
	done, err := tx.updateTogether(ctx, t, userID, columns, differing, updates)
	if err != nil || !done {
		return nil, err
	}
	updated := make(map[string]Image, len(updates))
	for _, u := range updates {
		updated[u.ID] = u.Image
	}
	return updated, nil
}

// updateTogether is one statement for rows whose values differ in one column at
// most. It fails if a row is not there, or not the user's.
func (tx *Tx) updateTogether(ctx context.Context, t *appTable, userID string, columns, differing []string, updates []Update) (bool, error) {
	values := make(map[string]any, len(updates))
	for _, u := range updates {
		args, err := t.bind(u.Image, differing)
		if err != nil {
			return false, err
		}
		values[u.ID] = nil
		if len(args) > 0 {
			values[u.ID] = args[0]
		}
	}
	wanted, err := json.Marshal(values)
	if err != nil {
		return false, err
	}
	same := slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return slices.Contains(differing, c) })
	args, err := t.bind(updates[0].Image, same)
	if err != nil {
		return false, err
	}
	set := assignments(same)
	for _, c := range differing {
		set = strings.TrimPrefix(set+", "+quote(c)+" = wanted_value", ", ")
	}
	n := len(same)
	text := fmt.Sprintf("UPDATE %s AS t SET %s FROM (SELECT key AS wanted, value AS wanted_value FROM json_each($%d)) "+
		"WHERE t.id = wanted AND %s", t.name, set, n+1, owned("t.user_id", fmt.Sprintf("$%d", n+2)))
	stmt, err := tx.prepared(ctx, text)
	if err != nil {
		return false, err
	}
	result, err := stmt.ExecContext(context.WithoutCancel(ctx), append(args, string(wanted), userID)...)
	if err != nil {
		return false, err
	}
	changed, err := result.RowsAffected()
	if err == nil && changed != int64(len(updates)) {
		err = fmt.Errorf("%d of %d rows of %s were there to be updated", changed, len(updates), t.name)
	}
	return err == nil, err
}

// updateEach is a loop over a prepared statement, which takes half the time of
// one statement with several values a row.
func (tx *Tx) updateEach(ctx context.Context, t *appTable, userID string, columns []string, updates []Update) (map[string]Image, error) {
	text := fmt.Sprintf("UPDATE %s SET %s WHERE id = $%d AND %s", t.name, assignments(columns),
		len(columns)+1, owned("user_id", fmt.Sprintf("$%d", len(columns)+2)))
	stmt, err := tx.prepared(ctx, text)
	if err != nil {
		return nil, err
	}
	updated := make(map[string]Image, len(updates))
	for _, u := range updates {
		args, err := t.bind(u.Image, columns)
		if err != nil {
			return nil, err
		}
		result, err := stmt.ExecContext(context.WithoutCancel(ctx), append(args, u.ID, userID)...)
		changed, err := changedOne(result, err, "update row "+u.ID)
		if err != nil {
			return nil, err
		}
		if changed {
			updated[u.ID] = u.Image
		}
	}
	return updated, nil
}

// assignments sets columns to the first arguments.
func assignments(columns []string) string {
	set := make([]string, len(columns))
	for i, c := range columns {
		set[i] = fmt.Sprintf("%s = $%d", quote(c), i+1)
	}
	return strings.Join(set, ", ")
}

// RestoreRows puts deleted rows of a user back as they were, columns of others
// included, and returns those that it put back. A row whose place is taken, by
// its id or by anything else that is unique, stays away.
func (tx *Tx) RestoreRows(ctx context.Context, table quotekit.ApplicationTable, userID string, images []Image) (map[string]Image, error) {
	t := tx.tables[table]
	columns := t.columns
	if tx.dialect == Postgres {
		var err error
		if columns, err = tx.insertableColumns(ctx, t.name); err != nil {
			return nil, err
		}
	}
	own := slices.DeleteFunc(slices.Clone(images), func(i Image) bool { return i.Record().Text("user_id") != userID })
	return tx.insertImages(ctx, t, columns, own, "ON CONFLICT DO NOTHING")
}

// insertableColumns lists the columns that a row may be given: not those that
// Postgres computes itself.
func (tx *Tx) insertableColumns(ctx context.Context, table string) ([]string, error) {
	const text = `
SELECT attname
FROM pg_attribute
WHERE attrelid = $1::REGCLASS AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum`
	var columns []string
	err := tx.queue.read(ctx, query{text, []any{table}, func(r row) error {
		var c string
		err := r.Scan(&c)
		columns = append(columns, c)
		return err
	}})
	return columns, err
}

// UnlinkQuotes takes the quotes of clients that are about to be deleted off
// them, and returns the ids of the quotes of each. The clients are locked.
func (tx *Tx) UnlinkQuotes(ctx context.Context, userID string, clientIDs []string) (map[string][]string, error) {
	t, d := tx.tables[quotekit.Quotes], tx.dialect
	links := map[string][]string{}
	if t.lacks("client_id") {
		return links, nil
	}
	var quotes []string
	text := fmt.Sprintf("SELECT %s, %s FROM %s AS t WHERE %s AND %s ORDER BY %[2]s%[6]s",
		t.at("client_id"), t.at("id"), t.name, owned(t.at("user_id"), "$1"), d.among(t.at("client_id"), "$2"), d.locking())
	err := tx.pairs(ctx, text, func(client, quote string) {
		links[client] = append(links[client], quote)
		quotes = append(quotes, quote)
	}, userID, d.idsArgument(clientIDs))
	if err != nil || len(quotes) == 0 {
		return nil, err
	}
	unlink := fmt.Sprintf("UPDATE %s SET %s = NULL WHERE %s AND %s",
		t.name, t.bare("client_id"), owned(t.bare("user_id"), "$1"), d.among(t.bare("id"), "$2"))
	return links, tx.run(ctx, unlink, userID, d.idsArgument(quotes))
}

// LinkQuotes is the inverse of [Tx.UnlinkQuotes]. Quotes that are gone, or have
// another client by now, are left alone.
func (tx *Tx) LinkQuotes(ctx context.Context, userID, clientID string, quoteIDs []string) error {
	t, d := tx.tables[quotekit.Quotes], tx.dialect
	if t.lacks("client_id") {
		return nil
	}
	text := fmt.Sprintf("UPDATE %s SET %s = $1 WHERE %s AND %[2]s IS NULL AND %[4]s",
		t.name, t.bare("client_id"), owned(t.bare("user_id"), "$2"), d.among(t.bare("id"), "$3"))
	return tx.run(ctx, text, clientID, userID, d.idsArgument(quoteIDs))
}

// UsedClients returns which of the clients have quotes.
func (tx *Tx) UsedClients(ctx context.Context, userID string, clientIDs []string) (map[string]bool, error) {
	t, d := tx.tables[quotekit.Quotes], tx.dialect
	used := map[string]bool{}
	text := fmt.Sprintf("SELECT DISTINCT %[1]s, %[1]s FROM %[2]s AS t WHERE %[3]s AND %[4]s",
		t.at("client_id"), t.name, owned(t.at("user_id"), "$1"), d.among(t.at("client_id"), "$2"))
	err := tx.pairs(ctx, text, func(client, _ string) { used[client] = true }, userID, tx.dialect.idsArgument(clientIDs))
	return used, err
}

// pairs runs a query of two texts.
func (tx *Tx) pairs(ctx context.Context, text string, each func(a, b string), args ...any) error {
	return tx.returning(ctx, text, func(r row) error {
		var a, b string
		err := r.Scan(&a, &b)
		each(a, b)
		return err
	}, args...)
}

// Tentatively runs f and then takes back what it did to the database.
func (tx *Tx) Tentatively(ctx context.Context, f func() error) error {
	if _, err := tx.ExecContext(ctx, "SAVEPOINT dry_run"); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	if tx.dialect == Postgres {
		// What would fail at the commit only, fails now.
		if _, err := tx.ExecContext(ctx, "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT dry_run")
	return err
}
