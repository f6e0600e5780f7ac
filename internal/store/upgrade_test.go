package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestUpgrade_TheFirstMigrationsAreAsTheyWere: a migration that was released is not
// changed, or databases out there differ from those that are made today.
func TestUpgrade_TheFirstMigrationsAreAsTheyWere(t *testing.T) {
	storetest.RunWith(t, nil, func(t *testing.T, s *store.Store) {
		if err := s.MigrateTo(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		then := storetest.SQLiteURL
		if s.Postgres() {
			then = storetest.PostgresURL
		}
		got, want := ours(catalog(t, s)), ours(catalog(t, storetest.Open(t, then(t, storetest.Version10Tables))))
		if len(want) < 100 || !slices.Equal(got, want) {
			t.Errorf("%d lines of the catalog then; it differs:\n%s", len(want), diff(want, got))
		}
	})
}

// ours are the lines of a catalog that are not about River's tables.
func ours(catalog []string) []string {
	return slices.DeleteFunc(catalog, func(line string) bool { return strings.Contains(line, "river_") })
}

// TestUpgrade_AnOlderVersionFindsAllItUses: during a rollout processes of version 10 go on
// beside the newest, so its columns, defaults, keys and functions are there, and nothing
// refuses or fills in what it writes.
func TestUpgrade_AnOlderVersionFindsAllItUses(t *testing.T) {
	storetest.RunWith(t, storetest.Version10Tables, func(t *testing.T, s *store.Store) {
		columns, rules := columnsQuery(s), rulesQuery(s)
		thenColumns, thenRules := lines(t, s, columns), lines(t, s, rules)
		var thenFunctions []string
		if s.Postgres() {
			thenFunctions = lines(t, s, functionsQuery)
		}
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		nowColumns := lines(t, s, columns)
		tables := map[string]bool{}
		for _, c := range thenColumns {
			tables[tableOf(c)] = true
			if !slices.Contains(nowColumns, c) {
				t.Errorf("this column of version 10 is gone or another: %s", c)
			}
		}
		if len(tables) < 30 {
			t.Errorf("version 10 had %d tables, want more", len(tables))
		}
		for _, c := range nowColumns {
			if tables[tableOf(c)] && !slices.Contains(thenColumns, c) && strings.HasSuffix(c, " required") {
				t.Errorf("version 10 does not know this column, and has to: %s", c)
			}
		}
		nowRules := slices.DeleteFunc(lines(t, s, rules), func(r string) bool { return !tables[tableOf(r)] })
		if len(thenRules) < 30 || !slices.Equal(nowRules, thenRules) {
			t.Errorf("what rows of version 10's tables have to fulfil has changed:\n%s", diff(thenRules, nowRules))
		}
		if !s.Postgres() {
			return
		}
		nowFunctions := lines(t, s, functionsQuery)
		if len(thenFunctions) < 6 {
			t.Errorf("version 10 had %q", thenFunctions)
		}
		for _, f := range thenFunctions {
			if !slices.Contains(nowFunctions, f) {
				t.Errorf("this function of version 10 is gone or another: %s", f)
			}
		}
	})
}

// TestUpgrade_ARestoredDatabaseIsGuarded: a restore makes tables in the order of their
// names, so that most of ours are older than the table of versions.
func TestUpgrade_ARestoredDatabaseIsGuarded(t *testing.T) {
	s := storetest.Open(t, storetest.PostgresURL(t, storetest.Version10Tables))
	mustExec(t, s, `ALTER TABLE quotekit_schema_version RENAME TO before`)
	mustExec(t, s, `CREATE TABLE quotekit_schema_version (LIKE before INCLUDING ALL)`)
	mustExec(t, s, `INSERT INTO quotekit_schema_version (version_id, is_applied, tstamp) SELECT version_id, is_applied, tstamp FROM before ORDER BY id`)
	mustExec(t, s, `DROP TABLE before CASCADE`)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, s, `SELECT name FROM quotekit_application_tables`); len(got) != 0 {
		t.Errorf("these tables of ours count as the application's: %q", got)
	}
}

// tableOf is the first word of a line.
func tableOf(line string) string {
	name, _, _ := strings.Cut(line, " ")
	return name
}

// columnsQuery lists the columns with all that a statement depends on; the line of one
// that an INSERT has to name ends in " required".
func columnsQuery(s *store.Store) string {
	if !s.Postgres() {
		return `
			SELECT m.name || ' ' || c.name || ' ' || c.type || ' ' || COALESCE('default ' || c.dflt_value, '')
				|| CASE WHEN c."notnull" AND c.dflt_value IS NULL THEN ' required' WHEN c."notnull" THEN ' not null' ELSE '' END
			FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS c
			WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'
			ORDER BY 1`
	}
	return `
		SELECT c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
			|| COALESCE(' default ' || pg_get_expr(d.adbin, d.adrelid), '') || a.attidentity::TEXT || a.attgenerated::TEXT
			|| CASE WHEN a.attnotnull AND d.oid IS NULL AND a.attidentity = '' THEN ' required' WHEN a.attnotnull THEN ' not null' ELSE '' END
		FROM pg_class AS c
		JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE c.relnamespace = 'public'::REGNAMESPACE AND c.relkind IN ('r', 'p')
		ORDER BY 1`
}

// rulesQuery lists what can refuse a row, or take its place: constraints, unique indexes
// and triggers. SQLite tells CHECKs only with the text of the table.
func rulesQuery(s *store.Store) string {
	if !s.Postgres() {
		return `
			SELECT m.name || ' key ' || i.origin || ' ' || i.partial || ' ' || (SELECT group_concat(c.name) FROM pragma_index_info(i.name) AS c)
			FROM sqlite_master AS m, pragma_index_list(m.name) AS i
			WHERE m.type = 'table' AND i."unique"
			UNION ALL
			SELECT tbl_name || ' trigger ' || name FROM sqlite_master WHERE type = 'trigger'
			UNION ALL
			SELECT m.name || ' reference ' || f."from" || ' ' || f."table" || ' ' || f.on_delete
			FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f
			WHERE m.type = 'table'
			ORDER BY 1`
	}
	return `
		SELECT conrelid::REGCLASS || ' constraint ' || conname || ' ' || pg_get_constraintdef(oid)
		FROM pg_constraint
		WHERE connamespace = 'public'::REGNAMESPACE AND conrelid <> 0
		UNION ALL
		SELECT indrelid::REGCLASS || ' key ' || pg_get_indexdef(indexrelid)
		FROM pg_index AS i
		JOIN pg_class AS c ON c.oid = i.indexrelid
		WHERE i.indisunique AND c.relnamespace = 'public'::REGNAMESPACE
		UNION ALL
		SELECT tgrelid::REGCLASS || ' trigger ' || pg_get_triggerdef(oid)
		FROM pg_trigger
		WHERE NOT tgisinternal
		UNION ALL
		SELECT oid::REGCLASS || ' row security'
		FROM pg_class
		WHERE relnamespace = 'public'::REGNAMESPACE AND relforcerowsecurity
		ORDER BY 1`
}

// functionsQuery lists Postgres's functions as a call sees them.
const functionsQuery = `
	SELECT proname || '(' || pg_get_function_arguments(oid) || ') ' || pg_get_function_result(oid)
	FROM pg_proc
	WHERE pronamespace = 'public'::REGNAMESPACE
	ORDER BY 1`
