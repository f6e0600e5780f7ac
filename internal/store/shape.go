package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrSchemaTaken means that somebody else's table has the name of one of ours.
type ErrSchemaTaken struct {
	Schema, Table string
	// Missing are the columns of ours that the table lacks.
	Missing []string
	// Required are columns that we know nothing of and that must have a value.
	Required []string
}

// Error implements error.
func (e *ErrSchemaTaken) Error() string {
	var why []string
	if len(e.Missing) > 0 {
		why = append(why, "it lacks the columns "+strings.Join(e.Missing, ", "))
	}
	if len(e.Required) > 0 {
		why = append(why, "it requires the columns "+strings.Join(e.Required, ", "))
	}
	return fmt.Sprintf("the schema %s has a table %s that is not QuoteKit's: %s; nothing was changed; "+
		"set QUOTEKIT_SCHEMA to the name of a schema for QuoteKit's tables",
		e.Schema, e.Table, strings.Join(why, ", and "))
}

// shape is what the migrations do to a table. The columns of the statement
// that creates it must be there if the table is; others are added.
type shape struct {
	created, added []string
}

var (
	createTable = regexp.MustCompile(`(?ms)^CREATE TABLE IF NOT EXISTS (\w+) \(\n(.*?)^\);`)
	columnLine  = regexp.MustCompile(`(?m)^  "?([a-z]\w*)"? `) // PRIMARY KEY is upper case
	addColumn   = regexp.MustCompile(`(?m)^ALTER TABLE (\w+) ADD COLUMN IF NOT EXISTS "?(\w+)"? `)
)

// pendingShapes reads the migrations that are not applied yet: what they say
// is the only description of the tables. It relies on how the files of Postgres
// are written, one column a line; a test compares it with the database.
func pendingShapes(folder string, applied func(version int64) bool) (map[string]*shape, error) {
	files, err := migrationFiles.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	shapes := map[string]*shape{}
	at := func(table string) *shape {
		if shapes[table] == nil {
			shapes[table] = &shape{}
		}
		return shapes[table]
	}
	for _, file := range files {
		number, _, _ := strings.Cut(file.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, err
		}
		if applied(version) {
			continue
		}
		text, err := migrationFiles.ReadFile(path.Join(folder, file.Name()))
		if err != nil {
			return nil, err
		}
		for _, m := range createTable.FindAllStringSubmatch(string(text), -1) {
			for _, column := range columnLine.FindAllStringSubmatch(m[2], -1) {
				at(m[1]).created = append(at(m[1]).created, column[1])
			}
		}
		for _, m := range addColumn.FindAllStringSubmatch(string(text), -1) {
			at(m[1]).added = append(at(m[1]).added, m[2])
		}
	}
	return shapes, nil
}

// checkShape compares the tables that are there, under names that pending
// migrations want, with what these migrations would make.
func (s *Store) checkShape(ctx context.Context, conn *sql.Conn) error {
	versions, err := s.appliedMigrations(ctx, conn)
	if err != nil {
		return err
	}
	shapes, err := pendingShapes(s.migrationFolder(), func(v int64) bool { _, ok := versions[v]; return ok })
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		columns, required, err := s.actualColumns(ctx, conn, name)
		if err != nil {
			return err
		}
		if columns == nil {
			continue
		}
		want := shapes[name]
		ours := slices.Concat(want.created, want.added)
		missing := without(want.created, columns)
		if len(want.created) == 0 {
			required = nil // made by an applied migration: ours
		}
		if required = without(required, ours); len(missing)+len(required) > 0 {
			return &ErrSchemaTaken{Schema: s.schema, Table: name, Missing: missing, Required: required}
		}
	}
	return nil
}

// actualColumns returns the columns of a table, view or anything else that
// takes the name, nil if nothing does, and those of them that have neither a
// default nor may be null.
func (s *Store) actualColumns(ctx context.Context, conn *sql.Conn, name string) (all, required []string, err error) {
	const list = `
		SELECT COALESCE(a.attname, ''),
			COALESCE(a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', FALSE)
		FROM pg_class AS c
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
		LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE n.nspname = $1 AND c.relname = $2
		ORDER BY a.attnum`
	rows, err := conn.QueryContext(ctx, list, s.schema, name)
	if err != nil {
		return nil, nil, err
	}
	err = scanRows(rows, func(rows row) error {
		var column string
		var must bool
		if err := rows.Scan(&column, &must); err != nil {
			return err
		}
		all = append(all, column)
		if must {
			required = append(required, column)
		}
		return nil
	})
	return all, required, err
}

// without returns the names that are not among others.
func without(names, others []string) []string {
	var rest []string
	for _, n := range names {
		if !slices.Contains(others, n) {
			rest = append(rest, n)
		}
	}
	return rest
}
