package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit"
)

// Tables says what an application calls its tables of quotes, clients and items, and
// their columns, where we call them otherwise: by "items", the name of the table, with
// that of its schema if it is another, and by "items.unit_price" that of the column,
// empty if it has none. They are for Postgres.
type Tables map[string]string

// ParseTables reads names like "items=public.line_items,items.unit_price=price,items.tags=".
// Its error goes on after "the setting".
func ParseTables(text string) (Tables, error) {
	tables := Tables{}
	for _, entry := range strings.Split(text, ",") {
		ours, theirs, ok := strings.Cut(entry, "=")
		ours, theirs = strings.TrimSpace(ours), strings.TrimSpace(theirs)
		if !ok {
			return nil, fmt.Errorf("has %q, not of the form TABLE=NAME or TABLE.COLUMN=NAME", entry)
		}
		if _, twice := tables[ours]; twice {
			return nil, fmt.Errorf("names %s twice", ours)
		}
		if err := checkMapped(ours, theirs); err != nil {
			return nil, err
		}
		tables[ours] = theirs
	}
	return tables, tables.contradiction()
}

// checkMapped refuses a name of ours that there is none of, and one of the
// application's that can be none.
func checkMapped(ours, theirs string) error {
	table, column, isColumn := strings.Cut(ours, ".")
	t, ok := ourTables[quotekit.ApplicationTable(table)]
	if !ok {
		return fmt.Errorf("names the table %q; there are clients, items and quotes", table)
	}
	if !isColumn {
		schema, name, qualified := strings.Cut(theirs, ".")
		if qualified {
			return errors.Join(checkName(ours, schema), checkName(ours, name))
		}
		return checkName(ours, theirs)
	}
	if _, ok := t.kinds[column]; !ok {
		return fmt.Errorf("names the column %q; %s has %s", ours, table, strings.Join(t.columns, ", "))
	}
	if theirs == "" {
		if slices.Contains(t.needed, column) {
			return fmt.Errorf("leaves out %s, which bulk operations need", ours)
		}
		return nil
	}
	return checkName(ours, theirs)
}

// checkName refuses what Postgres would cut off, and what is more likely a slip than a
// name.
func checkName(ours, name string) error {
	const longest = 63
	odd := func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-$ ", r)
	}
	switch {
	case name == "":
		return fmt.Errorf("gives %s an empty name", ours)
	case len(name) > longest:
		return fmt.Errorf("gives %s a name of more than %d bytes", ours, longest)
	case strings.ContainsFunc(name, odd):
		return fmt.Errorf("gives %s the name %q: a name has letters, digits, and of other characters _ - $ and spaces", ours, name)
	}
	return nil
}

// contradiction finds two tables, or two columns of a table, that have one name.
func (m Tables) contradiction() error {
	taken := map[string]bool{}
	for _, t := range m.tables() {
		if taken[t.plainName()] {
			return fmt.Errorf("gives two tables the name %s", t.plainName())
		}
		taken[t.plainName()] = true
		columns := map[string]bool{}
		for _, c := range t.columns {
			name := t.storedName(c)
			if name != "" && columns[name] {
				return fmt.Errorf("gives two columns of %s the name %q", t.table, name)
			}
			columns[name] = true
		}
	}
	return nil
}

// tables are the application's with the names of m.
func (m Tables) tables() map[quotekit.ApplicationTable]*appTable {
	all := map[quotekit.ApplicationTable]*appTable{}
	for table, ours := range ourTables {
		t := *ours
		if name, ok := m[string(table)]; ok {
			parts := strings.Split(name, ".")
			for i, part := range parts {
				parts[i] = quote(part)
			}
			t.name = strings.Join(parts, ".")
		}
		for _, c := range t.columns {
			if theirs, ok := m[string(table)+"."+c]; ok && theirs != c {
				if t.stored == nil {
					t.stored = map[string]string{}
				}
				t.stored[c] = theirs
			}
		}
		all[table] = &t
	}
	return all
}

// plainName is the table's name as people write it.
func (t *appTable) plainName() string { return strings.ReplaceAll(t.name, `"`, "") }

// storedName is what the database calls a column of ours; empty if it has none.
func (t *appTable) storedName(column string) string {
	if name, ok := t.stored[column]; ok {
		return name
	}
	return column
}

// storedNames are those of the columns that the table has.
func (t *appTable) storedNames(columns []string) []string {
	var names []string
	for _, c := range columns {
		if name := t.storedName(c); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// lacks reports whether the application has said that its table has no such column.
func (t *appTable) lacks(column string) bool { return t.storedName(column) == "" }

// bare is SQL for a column where no alias may stand. The table has the column.
func (t *appTable) bare(column string) string { return quote(t.storedName(column)) }

// at is SQL for a column of the row t, NULL if the table does not have it.
func (t *appTable) at(column string) string {
	if t.lacks(column) {
		return "NULL::" + t.kinds[column].sqlType()
	}
	return "t." + t.bare(column)
}

func (k columnKind) sqlType() string {
	return [...]string{"TEXT", "UUID", "NUMERIC(10,2)", "NUMERIC(7,4)", "JSONB", "TIMESTAMPTZ"}[k]
}

// foreign are the names of ours that are, if the table has columns of these names,
// columns that we know nothing of.
func (t *appTable) foreign() []string {
	theirs := slices.Collect(maps.Values(t.stored))
	return slices.DeleteFunc(slices.Sorted(maps.Keys(t.stored)), func(c string) bool { return slices.Contains(theirs, c) })
}

// hidden begins the key of a column in an image that would else be taken for one of
// ours, or for one with such a key.
const hidden = "."

// wholeRow is SQL of Postgres for the image of a whole row t, with our names.
func (t *appTable) wholeRow() string {
	if t.stored == nil {
		return "to_jsonb(t)::TEXT"
	}
	var when strings.Builder
	for _, c := range slices.Sorted(maps.Keys(t.stored)) {
		if !t.lacks(c) {
			fmt.Fprintf(&when, " WHEN e.key = %s THEN %s", literal(t.stored[c]), literal(c))
		}
	}
	fmt.Fprintf(&when, " WHEN left(e.key, 1) = %s", literal(hidden))
	for _, c := range t.foreign() {
		fmt.Fprintf(&when, " OR e.key = %s", literal(c))
	}
	var absent []string
	for _, c := range t.columns {
		if t.lacks(c) {
			absent = append(absent, literal(c)+", NULL")
		}
	}
	return fmt.Sprintf("((SELECT jsonb_object_agg(CASE%s THEN %s || e.key ELSE e.key END, e.value) FROM jsonb_each(to_jsonb(t)) AS e)"+
		" || jsonb_build_object(%s))::TEXT", when.String(), literal(hidden), strings.Join(absent, ", "))
}

// literal is SQL for a text.
func literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }

// asStored is an image with the names that the database knows.
func (t *appTable) asStored(image Image) (Image, error) {
	if t.stored == nil {
		return image, nil
	}
	renamed := Image("{")
	var failure error
	gjson.ParseBytes(image).ForEach(func(key, value gjson.Result) bool {
		name, known := t.stored[key.Str]
		switch {
		case !known:
			name = strings.TrimPrefix(key.Str, hidden)
		case name == "":
			return true
		}
		text, err := json.Marshal(name)
		if err != nil {
			failure = err
			return false
		}
		if len(renamed) > 1 {
			renamed = append(renamed, ',')
		}
		renamed = append(append(append(renamed, text...), ':'), value.Raw...)
		return true
	})
	return append(renamed, '}'), failure
}

// Unkept finds the fields of an object for which the application's table has no column.
func (tx *Tx) Unkept(table quotekit.ApplicationTable, object []byte) []quotekit.FieldError {
	var problems []quotekit.FieldError
	t := tx.tables[table]
	for _, c := range slices.Sorted(maps.Keys(t.stored)) {
		if v := gjson.GetBytes(object, c); t.lacks(c) && v.Exists() && v.Type != gjson.Null {
			problems = append(problems, quotekit.FieldError{Field: c, Message: "the table of the application has no column for it"})
		}
	}
	return problems
}
