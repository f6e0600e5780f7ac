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
	// Mistyped are columns that have a type which does not hold what ours does, with
	// both types.
	Mistyped []string
	// Required are columns that we know nothing of and that must have a value.
	Required []string
}

// Error implements error.
func (e *ErrSchemaTaken) Error() string {
	return fmt.Sprintf("the schema %s has a table %s that is not QuoteKit's: %s; nothing was changed; "+
		"set QUOTEKIT_SCHEMA to the name of a schema for QuoteKit's tables", e.Schema, e.Table, e.Why())
}

// Why says how the table differs from ours.
func (e *ErrSchemaTaken) Why() string {
	var why []string
	if len(e.Missing) > 0 {
		why = append(why, "it lacks the columns "+strings.Join(e.Missing, ", "))
	}
	if len(e.Mistyped) > 0 {
		why = append(why, strings.Join(e.Mistyped, ", "))
	}
	if len(e.Required) > 0 {
		why = append(why, "it requires the columns "+strings.Join(e.Required, ", "))
	}
	return strings.Join(why, ", and ")
}

// shape is what the migrations do to a table. The columns of the statement
// that creates it must be there if the table is; others are added.
type shape struct {
	created, added []string
	types          map[string]string // of the columns in created, as the migration writes them
}

var (
	createTable = regexp.MustCompile(`(?ms)^CREATE TABLE IF NOT EXISTS (\w+) \(\n(.*?)^\);`)
	columnLine  = regexp.MustCompile(`(?m)^  "?([a-z]\w*)"? ([A-Z]+(?: PRECISION|\(\d+,\d+\))?)`) // PRIMARY KEY is upper case
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
			shapes[table] = &shape{types: map[string]string{}}
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
				at(m[1]).types[column[1]] = column[2]
			}
		}
		for _, m := range addColumn.FindAllStringSubmatch(string(text), -1) {
			at(m[1]).added = append(at(m[1]).added, m[2])
		}
	}
	return shapes, nil
}

// checkShape fails with the first of the tables that are taken.
func (s *Store) checkShape(ctx context.Context, conn *sql.Conn) error {
	taken, err := s.takenTables(ctx, conn)
	if err == nil && len(taken) > 0 {
		err = taken[0]
	}
	return err
}

// TakenTables are the tables for which [Store.Migrate] would refuse to begin.
func (s *Store) TakenTables(ctx context.Context) ([]*ErrSchemaTaken, error) {
	if !s.Postgres() {
		return nil, nil
	}
	conn, err := s.reader.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("compare the tables: %w", err)
	}
	defer func() { _ = conn.Close() }()
	taken, err := s.takenTables(ctx, conn)
	return taken, wrap(err, "compare the tables")
}

// takenTables compares the tables that are there, under names that pending
// migrations want, with what these migrations would make.
func (s *Store) takenTables(ctx context.Context, conn *sql.Conn) ([]*ErrSchemaTaken, error) {
	versions, err := s.appliedMigrations(ctx, conn)
	if err != nil {
		return nil, err
	}
	shapes, err := pendingShapes(s.migrationFolder(), func(v int64) bool { _, ok := versions[v]; return ok })
	if err != nil {
		return nil, err
	}
	var taken []*ErrSchemaTaken
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		columns, err := actualColumns(ctx, conn, quote(s.schema)+"."+quote(name))
		if err != nil {
			return nil, err
		}
		if columns == nil {
			continue
		}
		want := shapes[name]
		e := &ErrSchemaTaken{Schema: s.schema, Table: name}
		for _, c := range want.created {
			switch have, ok := find(columns, c); {
			case !ok:
				e.Missing = append(e.Missing, c)
			case !have.fits(want.types[c]):
				e.Mistyped = append(e.Mistyped, have.instead(want.types[c]))
			}
		}
		if len(want.created) > 0 { // else made by an applied migration: ours
			e.Required = without(required(columns), slices.Concat(want.created, want.added))
		}
		if len(e.Missing)+len(e.Mistyped)+len(e.Required) > 0 {
			taken = append(taken, e)
		}
	}
	return taken, nil
}

// actualColumn is a column as Postgres has it.
type actualColumn struct {
	name string
	// sqlType is the type as people write it, base the name of the type below a domain.
	sqlType, base string
	category      string // of base, see pg_type.typcategory
	scale         int    // of a NUMERIC; -1 without a limit
	notNull       bool
	// must means that a row cannot be without a value that it is given.
	must bool
}

// fits reports whether the column can hold what a column of ours does. The tables of
// applications may be a little different: VARCHAR or an enumeration for TEXT, an array for
// JSONB, a date for a time.
func (c actualColumn) fits(want string) bool {
	switch name, _, _ := strings.Cut(want, "("); name {
	case "TEXT":
		return c.category == "S" || c.category == "E"
	case "NUMERIC":
		const decimals = 2
		return c.base == "numeric" && (c.scale < 0 || c.scale >= decimals)
	case "JSONB", "JSON":
		return c.base == "jsonb" || c.base == "json" || c.category == "A"
	case "TIMESTAMPTZ":
		return c.base == "timestamptz" || c.base == "timestamp" || c.base == "date"
	case "INTEGER":
		return c.base == "int4" || c.base == "int8"
	case "BIGINT":
		return c.base == "int8"
	case "BOOLEAN":
		return c.base == "bool"
	case "DOUBLE PRECISION":
		return c.base == "float8"
	default: // UUID, BYTEA
		return c.base == strings.ToLower(name)
	}
}

// instead says which type the column has, and which it should have.
func (c actualColumn) instead(want string) string {
	return fmt.Sprintf("its column %s is %s, not %s", c.name, c.sqlType, strings.ToLower(want))
}

func find(columns []actualColumn, name string) (actualColumn, bool) {
	i := slices.IndexFunc(columns, func(c actualColumn) bool { return c.name == name })
	if i < 0 {
		return actualColumn{}, false
	}
	return columns[i], true
}

// required are the columns that have neither a default nor may be null.
func required(columns []actualColumn) []string {
	var names []string
	for _, c := range columns {
		if c.must {
			names = append(names, c.name)
		}
	}
	return names
}

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// actualColumns returns the columns of a table, view or anything else that takes the
// name, which is SQL, in their order; nil if nothing does.
func actualColumns(ctx context.Context, db querier, name string) ([]actualColumn, error) {
	const list = `
		SELECT COALESCE(a.attname, ''), COALESCE(format_type(a.atttypid, a.atttypmod), ''), COALESCE(b.typname, ''),
			COALESCE(b.typcategory::TEXT, ''),
			CASE WHEN b.typname = 'numeric' AND a.atttypmod >= 0 THEN (((a.atttypmod - 4) & 2047) # 1024) - 1024 ELSE -1 END,
			COALESCE(a.attnotnull, FALSE), COALESCE(a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', FALSE)
		FROM pg_class AS c
		LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_type AS t ON t.oid = a.atttypid
		LEFT JOIN pg_type AS b ON b.oid = COALESCE(nullif(t.typbasetype, 0), t.oid)
		WHERE c.oid = to_regclass($1)
		ORDER BY a.attnum`
	rows, err := db.QueryContext(ctx, list, name)
	if err != nil {
		return nil, err
	}
	var all []actualColumn
	err = scanRows(rows, func(rows row) error {
		var c actualColumn
		if err := rows.Scan(&c.name, &c.sqlType, &c.base, &c.category, &c.scale, &c.notNull, &c.must); err != nil {
			return err
		}
		if all == nil {
			all = []actualColumn{}
		}
		if c.name != "" { // a table may have none
			all = append(all, c)
		}
		return nil
	})
	return all, err
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
