package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit"
)

// columnKind is what a column of the application's tables holds. Money is
// NUMERIC(10,2) on Postgres and cents on SQLite, a rate NUMERIC(7,4) and
// ten-thousandths of a percent.
type columnKind int

const (
	textColumn columnKind = iota
	idColumn
	moneyColumn
	rateColumn
	jsonColumn
	timeColumn
)

// appTable describes a table of the application's own.
type appTable struct {
	table   quotekit.ApplicationTable
	name    string   // in SQL
	columns []string // of ours, sorted; Postgres may have more
	kinds   map[string]columnKind
	needed  []string // the columns that bulk operations cannot do without
	// stored are those that the application calls otherwise, see [Tables]; nil if none.
	stored map[string]string
}

// ourTables are the tables of the application as we make them.
var ourTables = map[quotekit.ApplicationTable]*appTable{
	quotekit.Clients: newAppTable(quotekit.Clients, map[string]columnKind{
		"id": idColumn, "user_id": idColumn, "name": textColumn, "email": textColumn, "phone": textColumn,
		"address": textColumn, "notes": textColumn, "created_at": timeColumn, "updated_at": timeColumn,
	}, "name"),
	quotekit.Items: newAppTable(quotekit.Items, map[string]columnKind{
		"id": idColumn, "user_id": idColumn, "name": textColumn, "unit": textColumn, "unit_price": moneyColumn,
		"category": textColumn, "tags": jsonColumn, "created_at": timeColumn, "updated_at": timeColumn,
	}, "name", "unit_price"),
	quotekit.Quotes: newAppTable(quotekit.Quotes, map[string]columnKind{
		"id": idColumn, "user_id": idColumn, "client_id": idColumn, "client_name": textColumn,
		"client_email": textColumn, "quote_number": textColumn, "status": textColumn, "line_items": jsonColumn,
		"subtotal": moneyColumn, "tax_rate": rateColumn, "tax_amount": moneyColumn, "total": moneyColumn,
		"notes": textColumn, "valid_until": timeColumn, "created_at": timeColumn, "updated_at": timeColumn,
	}, "status", "total"),
}

func newAppTable(table quotekit.ApplicationTable, kinds map[string]columnKind, needed ...string) *appTable {
	return &appTable{
		table: table, name: string(table), kinds: kinds, columns: slices.Sorted(maps.Keys(kinds)),
		needed: append([]string{"id", "user_id"}, needed...),
	}
}

// decimalText is SQL that writes an integer column of SQLite as the decimal
// that Postgres' JSON shows, so that an image reads alike on both.
func decimalText(column string, scale int) string {
	unit := "1" + strings.Repeat("0", scale)
	return fmt.Sprintf("iif(%[1]s IS NULL, NULL, printf('%%s%%d.%%0%[3]dd', iif(%[1]s < 0, '-', ''), abs(%[1]s) / %[2]s, abs(%[1]s) %% %[2]s))",
		column, unit, scale)
}

// Image is a row of the application's tables, or some columns of one, as a JSON
// object. It reads alike on both engines. A whole row has the columns of others,
// too.
type Image json.RawMessage

// imageOf is SQL for the image of a row of t, whose alias is t: of the given
// columns, or of all.
func (d Dialect) imageOf(t *appTable, columns ...string) string {
	if d == Postgres && len(columns) == 0 {
		return t.wholeRow()
	}
	if len(columns) == 0 {
		columns = t.columns
	}
	parts := make([]string, len(columns))
	for i, c := range columns {
		switch {
		case d == Postgres:
			parts[i] = "'" + c + "', " + t.at(c)
		case t.kinds[c] == moneyColumn:
			parts[i] = "'" + c + "', " + decimalText(c, 2)
		case t.kinds[c] == rateColumn:
			parts[i] = "'" + c + "', " + decimalText(c, 4)
		case t.kinds[c] == jsonColumn:
			parts[i] = "'" + c + "', json(" + c + ")"
		default: // without alias: SQLite knows none in RETURNING
			parts[i] = "'" + c + "', " + c
		}
	}
	if d == Postgres {
		return "json_build_object(" + strings.Join(parts, ", ") + ")::TEXT"
	}
	return "json_object(" + strings.Join(parts, ", ") + ")"
}

// decode reads an image into v, a [quotekit.Client], [quotekit.Item] or
// [quotekit.Quote], or any struct with some of their fields.
func (i Image) decode(v any) error {
	if err := json.Unmarshal(i, v); err != nil {
		return fmt.Errorf("read a row: %w", err)
	}
	return nil
}

// makeImage writes values as an image, in the form that [appTable.bind] and
// Postgres' json_populate_recordset read.
func (d Dialect) makeImage(values quotekit.Values) (Image, error) {
	image := Image("{")
	for _, column := range slices.Sorted(maps.Keys(values)) {
		var err error
		if image, err = d.appendColumn(image, column, values[column]); err != nil {
			return nil, err
		}
	}
	return append(image, '}'), nil
}

// Overlay returns columns of a row with new values in the place of old ones. The
// new updated_at is the time of the transaction.
func (tx *Tx) Overlay(before Image, columns []string, values quotekit.Values) (Image, error) {
	image := make(Image, 1, len(before)+32)
	image[0] = '{'
	for _, column := range columns {
		v, changed := values[column]
		switch {
		case changed:
		case column == "updated_at":
			v = tx.Now
		default:
			v = json.RawMessage(cmp.Or(gjson.GetBytes(before, column).Raw, "null"))
		}
		var err error
		if image, err = tx.dialect.appendColumn(image, column, v); err != nil {
			return nil, err
		}
	}
	return append(image, '}'), nil
}

func (d Dialect) appendColumn(image Image, column string, value any) (Image, error) {
	if len(image) > 1 {
		image = append(image, ',')
	}
	image = append(append(append(image, '"'), column...), '"', ':')
	switch v := value.(type) {
	case nil:
		image = append(image, "null"...)
	case string:
		text, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		image = append(image, text...)
	case quotekit.Cents:
		image = append(append(append(image, '"'), v.String()...), '"')
	case quotekit.Rate: // with all four digits behind the point
		image = fmt.Appendf(image, `"%d.%04d"`, v/1_0000, v%1_0000)
	case json.RawMessage:
		image = append(image, v...)
	case time.Time:
		layout := time.RFC3339Nano
		if d == SQLite {
			layout = sqliteTime
		}
		image = v.UTC().Truncate(time.Microsecond).AppendFormat(append(image, '"'), layout)
		image = append(image, '"')
	default:
		return nil, fmt.Errorf("column %s has a value of type %T", column, v)
	}
	return image, nil
}

// bind makes arguments of the columns of an image, for SQLite. A column that the
// image lacks is NULL.
func (t *appTable) bind(image Image, columns []string) ([]any, error) {
	args := make([]any, len(columns))
	for i, c := range columns {
		v := gjson.GetBytes(image, c)
		if !v.Exists() || v.Type == gjson.Null {
			continue
		}
		var err error
		switch t.kinds[c] {
		case moneyColumn:
			var n quotekit.Cents
			n, err = quotekit.ParseCents(v.String())
			args[i] = int64(n)
		case rateColumn:
			var n quotekit.Rate
			n, err = quotekit.ParseRate(v.String())
			args[i] = int64(n)
		case jsonColumn:
			args[i] = v.Raw
		default: // a time is the text that the driver writes
			args[i] = v.Str
		}
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c, err)
		}
	}
	return args, nil
}

// InsertApplication adds rows of a user to the application's own tables, all or
// none. Values may have an id; user_id, created_at and updated_at are set where
// they are missing.
func (s *Store) InsertApplication(ctx context.Context, userID string, rows map[quotekit.ApplicationTable][]quotekit.Values) error {
	err := s.WithTx(ctx, func(tx *Tx) error {
		// Quotes refer to clients.
		for _, table := range []quotekit.ApplicationTable{quotekit.Clients, quotekit.Items, quotekit.Quotes} {
			if _, err := tx.InsertRows(ctx, table, userID, rows[table]); err != nil {
				return fmt.Errorf("insert %s: %w", table, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("insert application rows: %w", err)
	}
	return nil
}

// complete adds what every row of the application has.
func (tx *Tx) complete(userID string, values quotekit.Values) quotekit.Values {
	row := quotekit.Values{"id": quotekit.NewID(), "created_at": tx.Now, "updated_at": tx.Now}
	maps.Copy(row, values)
	row["user_id"] = userID
	return row
}

// InsertRows adds rows of a user and returns their images in the same order.
func (tx *Tx) InsertRows(ctx context.Context, table quotekit.ApplicationTable, userID string, rows []quotekit.Values) ([]Image, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	t := tx.tables[table]
	images := make([]Image, len(rows))
	ids := make([]string, len(rows))
	present := map[string]bool{}
	for i, values := range rows {
		row := tx.complete(userID, values)
		for c := range row {
			present[c] = true
		}
		ids[i], _ = row["id"].(string)
		var err error
		if images[i], err = tx.dialect.makeImage(row); err != nil {
			return nil, err
		}
	}
	inserted, err := tx.insertImages(ctx, t, t.storedNames(slices.Sorted(maps.Keys(present))), images, "")
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		images[i] = inserted[id]
	}
	return images, nil
}

// insertImages inserts the given columns of images, by the names that the database
// knows, and returns the rows that came of it, by id. clause is an ON CONFLICT clause.
func (tx *Tx) insertImages(ctx context.Context, t *appTable, columns []string, images []Image, clause string) (map[string]Image, error) {
	names := quoteList(columns)
	into := fmt.Sprintf("INSERT INTO %s AS t (%s)", t.name, names)
	image := tx.dialect.imageOf(t)
	inserted := make(map[string]Image, len(images))
	if tx.dialect == SQLite {
		rows := make([][]any, len(images))
		for i := range images {
			var err error
			if rows[i], err = t.bind(images[i], columns); err != nil {
				return nil, err
			}
		}
		// SQLite does not take the alias in RETURNING of an INSERT.
		return inserted, tx.multiRow(ctx, into, clause+" RETURNING id, "+image, len(columns), rows, scanImages(inserted))
	}
	stored := make([]Image, len(images))
	for i := range images {
		var err error
		if stored[i], err = t.asStored(images[i]); err != nil {
			return nil, err
		}
	}
	// A restored row keeps its number, even one that Postgres has counted up to.
	text := fmt.Sprintf("%s OVERRIDING SYSTEM VALUE SELECT %s FROM json_populate_recordset(NULL::%s, $1::JSON) %s RETURNING %s, %s",
		into, names, t.name, clause, t.at("id"), image)
	return inserted, tx.queue.read(ctx, query{text, []any{imageArray(stored)}, scanImages(inserted)})
}

// imageArray makes one JSON array of images.
func imageArray(images []Image) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, image := range images {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(image)
	}
	b.WriteByte(']')
	return b.String()
}

// scanImages collects rows of (id, image).
func scanImages(into map[string]Image) func(row) error {
	return func(r row) error {
		var id, image string
		if err := r.Scan(&id, &image); err != nil {
			return err
		}
		into[id] = Image(image)
		return nil
	}
}

// record reads a row for an operation.
type record Image

// Text implements [quotekit.Record].
func (r record) Text(column string) string { return gjson.GetBytes(r, column).String() }

// Cents implements [quotekit.Record].
func (r record) Cents(column string) (quotekit.Cents, bool) {
	v := gjson.GetBytes(r, column)
	if !v.Exists() || v.Type == gjson.Null {
		return 0, false
	}
	c, err := quotekit.ParseCents(cmp.Or(v.Str, v.Raw))
	return c, err == nil
}

// Record reads an image column by column.
func (i Image) Record() quotekit.Record { return record(i) }

// shown are the columns that the API shows, in its order.
var shown = map[quotekit.ApplicationTable][]string{
	quotekit.Clients: {"id", "name", "email", "phone", "address", "notes"},
	quotekit.Items:   {"id", "name", "unit", "unit_price", "category", "tags"},
	quotekit.Quotes: {
		"id", "client_id", "client_name", "client_email", "quote_number", "status", "line_items", "subtotal", "tax_rate",
		"tax_amount", "total", "notes", "valid_until", "created_at", "updated_at",
	},
}

// ShownColumns are the columns of a table that the API shows, in its order.
func ShownColumns(table quotekit.ApplicationTable) []string { return slices.Clone(shown[table]) }

// Show writes an image, or one of some columns, as the API shows it: amounts
// and rates as decimal strings, times in RFC 3339, and no column that is not
// the API's.
func (i Image) Show(table quotekit.ApplicationTable) (json.RawMessage, error) {
	var raw map[string]json.RawMessage
	if err := i.decode(&raw); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for _, c := range shown[table] {
		v, ok := raw[c]
		if !ok {
			continue
		}
		v, err := showValue(ourTables[table].kinds[c], v)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c, err)
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", c, v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func showValue(kind columnKind, v json.RawMessage) (json.RawMessage, error) {
	var as any
	switch kind {
	case moneyColumn:
		as = new(quotekit.Cents)
	case rateColumn:
		as = new(quotekit.Rate)
	case timeColumn:
		as = new(quotekit.Timestamp)
	}
	if as == nil || string(v) == "null" {
		return v, nil
	}
	if err := json.Unmarshal(v, as); err != nil {
		return nil, err
	}
	return json.Marshal(as)
}
