package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// TableTrouble is something about a table of the application that bulk operations meet.
type TableTrouble struct {
	// Name is what the database calls the table.
	Name string
	// Lacks are columns of ours that it does not have, by what they would be called.
	Lacks []string
	// Other is what else is wrong, sentence by sentence.
	Other []string
	// Partial are troubles that only some bulk operations meet.
	Partial []string
}

// Fails reports whether bulk operations fail on the table, all of them or most.
func (t TableTrouble) Fails() bool { return len(t.Lacks)+len(t.Other) > 0 }

// Why is all that there is to say of the table.
func (t TableTrouble) Why() string {
	var what []string
	if len(t.Lacks) > 0 {
		what = append(what, "it lacks the columns "+strings.Join(t.Lacks, ", "))
	}
	return strings.Join(slices.Concat(what, t.Other, t.Partial), ", ")
}

// ExamineApplication looks at the tables that bulk operations work on, as they are
// called, and returns those with trouble. A table of ours that is not made yet has none;
// on SQLite all are ours.
func (s *Store) ExamineApplication(ctx context.Context) ([]TableTrouble, error) {
	if !s.Postgres() {
		return nil, nil
	}
	var all []TableTrouble
	for _, name := range slices.Sorted(maps.Keys(s.tables)) {
		t := s.tables[name]
		trouble, err := s.examineTable(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("examine %s: %w", t.name, err)
		}
		if trouble.Fails() || len(trouble.Partial) > 0 {
			all = append(all, trouble)
		}
	}
	return all, nil
}

func (s *Store) examineTable(ctx context.Context, t *appTable) (TableTrouble, error) {
	trouble := TableTrouble{Name: t.plainName()}
	columns, err := actualColumns(ctx, s.reader, t.name)
	if err != nil {
		return trouble, err
	}
	mapped := t.name != ourTables[t.table].name
	switch {
	case columns == nil && mapped:
		trouble.Other = append(trouble.Other, "it does not exist")
		return trouble, nil
	case columns == nil:
		return trouble, nil
	}
	// Every new row has these.
	always := append([]string{"tags", "created_at", "updated_at"}, t.needed...)
	var demanded []string
	for _, c := range t.columns {
		name := t.storedName(c)
		switch have, ok := find(columns, name); {
		case name == "":
		case !ok:
			trouble.Lacks = append(trouble.Lacks, name)
		case !have.fits(t.kinds[c].sqlType()):
			trouble.Other = append(trouble.Other, have.instead(t.kinds[c].sqlType()))
		case have.notNull && !slices.Contains(always, c):
			demanded = append(demanded, c)
		}
	}
	if len(demanded) > 0 {
		trouble.Partial = append(trouble.Partial,
			fmt.Sprintf("bulk_create_%s fails without %s, which may not be null", t.table, strings.Join(demanded, ", ")))
	}
	if unknown := without(required(columns), t.storedNames(t.columns)); len(unknown) > 0 {
		trouble.Partial = append(trouble.Partial,
			fmt.Sprintf("bulk_create_%s cannot give the columns that it requires: %s", t.table, strings.Join(unknown, ", ")))
	}
	rights, err := s.examineRights(ctx, t)
	trouble.Other = append(trouble.Other, rights...)
	if err == nil && !mapped && s.schema != "public" {
		err = s.examineNamesake(ctx, t, &trouble)
	}
	return trouble, err
}

// examineRights says what the service may not do with a table that is there.
func (s *Store) examineRights(ctx context.Context, t *appTable) ([]string, error) {
	const ask = `
SELECT current_user, row_security_active(c.oid),
  (SELECT COALESCE(string_agg(p.name, ', ' ORDER BY p.place), '')
   FROM (VALUES (1, 'SELECT'), (2, 'INSERT'), (3, 'UPDATE'), (4, 'DELETE')) AS p (place, name)
   WHERE NOT has_table_privilege(c.oid, p.name))
FROM pg_class AS c
WHERE c.oid = to_regclass($1)`
	var user, missing string
	var bound bool
	if err := s.reader.QueryRowContext(ctx, ask, t.name).Scan(&user, &bound, &missing); err != nil {
		return nil, err
	}
	var all []string
	if missing != "" {
		all = append(all, fmt.Sprintf("%s has no right to %s", user, missing))
	}
	if bound {
		all = append(all, fmt.Sprintf("row level security hides its rows from %s, who is neither its owner nor has BYPASSRLS", user))
	}
	return all, nil
}

// examineNamesake looks for a table of the application that has the name of one of
// ours, in Supabase's own schema, while bulk operations work on ours.
func (s *Store) examineNamesake(ctx context.Context, t *appTable, trouble *TableTrouble) error {
	namesake := "public." + t.name
	columns, err := actualColumns(ctx, s.reader, namesake)
	if err == nil && columns != nil {
		trouble.Partial = append(trouble.Partial, fmt.Sprintf("bulk operations work on it, and not on %s", namesake))
	}
	return err
}

// OpenTables are the tables of ours that a role of Supabase's API has some right to, and
// that row level security does not guard. On SQLite there are none.
func (s *Store) OpenTables(ctx context.Context) ([]string, error) {
	if !s.Postgres() {
		return nil, nil
	}
	shapes, err := pendingShapes(s.migrationFolder(), func(int64) bool { return false })
	if err != nil {
		return nil, err
	}
	const list = `
SELECT c.relname
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
  AND (c.relname = ANY ($2) OR c.relname = 'quotekit_schema_version' OR c.relname LIKE 'river\_%')
  AND EXISTS (
    SELECT 1
    FROM pg_roles AS r
    WHERE r.rolname IN ('anon', 'authenticated') AND has_schema_privilege(r.oid, n.oid, 'USAGE')
      AND (has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE') OR has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE'))
  )
ORDER BY c.relname`
	names, err := queryAll(ctx, s.reader, list, []any{s.schema, slices.Collect(maps.Keys(shapes))}, func(r row) (name string, err error) {
		err = r.Scan(&name)
		return name, err
	})
	return names, wrap(err, "look for tables without row level security")
}
