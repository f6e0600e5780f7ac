package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// batchFloor is what somebody would write who does it to all rows at once, in one
// transaction, with an outcome and the old values for each: nothing that works with
// these tables could do less. {user}, {list} and {job} stand for the arguments.
type batchFloor struct {
	postgres, sqlite []string
}

// images are rows as JSON on SQLite, which has no word for a whole row.
var images = strings.NewReplacer(
	"{quote image}", `json_object('id', id, 'user_id', user_id, 'client_id', client_id, 'client_name', client_name,
  'client_email', client_email, 'quote_number', quote_number, 'status', status, 'line_items', json(line_items),
  'subtotal', subtotal, 'tax_rate', tax_rate, 'tax_amount', tax_amount, 'total', total, 'notes', notes,
  'valid_until', valid_until, 'created_at', created_at, 'updated_at', updated_at)`,
	"{client image}", `json_object('id', id, 'user_id', user_id, 'name', name, 'email', email, 'phone', phone,
  'address', address, 'notes', notes, 'created_at', created_at, 'updated_at', updated_at)`,
	"{item image}", `json_object('id', id, 'user_id', user_id, 'name', name, 'unit', unit, 'unit_price', unit_price,
  'category', category, 'tags', json(tags), 'created_at', created_at, 'updated_at', updated_at)`,
)

var (
	deleteQuotesFloor = batchFloor{
		postgres: []string{`
WITH done AS (DELETE FROM quotes AS t WHERE user_id = {user} AND id = ANY({list}::UUID[]) RETURNING id, to_jsonb(t)::TEXT::JSON AS image)
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image)
SELECT {job}, ROW_NUMBER() OVER (), id, 'succeeded', image FROM done`},
		sqlite: []string{
			`
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image)
SELECT {job}, ROW_NUMBER() OVER (), id, 'succeeded', {quote image}
FROM quotes WHERE +user_id = {user} AND id IN (SELECT value FROM json_each({list}))`,
			`DELETE FROM quotes WHERE +user_id = {user} AND id IN (SELECT value FROM json_each({list}))`,
		},
	}
	updateStatusFloor = batchFloor{
		postgres: []string{`
WITH old AS (SELECT id, status, updated_at FROM quotes WHERE user_id = {user} AND id = ANY({list}::UUID[]) FOR UPDATE),
done AS (
  UPDATE quotes AS t SET status = 'sent', updated_at = now() FROM old WHERE t.id = old.id
  RETURNING t.id, old.status, old.updated_at, t.status AS new_status, t.updated_at AS new_updated_at
)
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image, after_image)
SELECT {job}, ROW_NUMBER() OVER (), id, 'succeeded', json_build_object('status', status, 'updated_at', updated_at),
  json_build_object('status', new_status, 'updated_at', new_updated_at)
FROM done`},
		sqlite: []string{
			`
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image, after_image)
SELECT {job}, ROW_NUMBER() OVER (), id, 'succeeded', json_object('status', status, 'updated_at', updated_at),
  json_object('status', 'sent', 'updated_at', '2026-01-01 00:00:00+00:00')
FROM quotes WHERE +user_id = {user} AND id IN (SELECT value FROM json_each({list}))`,
			`UPDATE quotes SET status = 'sent', updated_at = '2026-01-01 00:00:00+00:00'
WHERE +user_id = {user} AND id IN (SELECT value FROM json_each({list}))`,
		},
	}
	exportQuotesFloor = batchFloor{
		postgres: []string{`
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image)
SELECT {job}, ROW_NUMBER() OVER (), id, 'succeeded', to_jsonb(t)::TEXT::JSON
FROM quotes AS t WHERE user_id = {user} AND id = ANY({list}::UUID[])`},
		sqlite: []string{`
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image)
SELECT {job}, ROW_NUMBER() OVER (), id, 'succeeded', {quote image}
FROM quotes WHERE +user_id = {user} AND id IN (SELECT value FROM json_each({list}))`},
	}
	// The quotes of the clients are unlinked by their foreign key.
	deleteClientsFloor = batchFloor{
		postgres: []string{`
WITH links AS (
  SELECT client_id, json_agg(id) AS quotes FROM quotes
  WHERE user_id = {user} AND client_id = ANY({list}::UUID[]) GROUP BY client_id
),
done AS (DELETE FROM clients AS t WHERE user_id = {user} AND id = ANY({list}::UUID[]) RETURNING id, to_jsonb(t)::TEXT::JSON AS image)
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image, related)
SELECT {job}, ROW_NUMBER() OVER (), done.id, 'succeeded', image, quotes FROM done LEFT JOIN links ON links.client_id = done.id`},
		sqlite: []string{
			`
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image, related)
SELECT {job}, ROW_NUMBER() OVER (), id, 'succeeded', {client image},
  (SELECT json_group_array(q.id) FROM quotes AS q WHERE q.client_id = clients.id)
FROM clients WHERE +user_id = {user} AND id IN (SELECT value FROM json_each({list}))`,
			`DELETE FROM clients WHERE +user_id = {user} AND id IN (SELECT value FROM json_each({list}))`,
		},
	}
	updatePricesFloor = batchFloor{
		postgres: []string{`
WITH old AS (SELECT id, unit_price, updated_at FROM items WHERE user_id = {user} AND id = ANY({list}::UUID[]) FOR UPDATE),
done AS (
  UPDATE items AS t SET unit_price = round(t.unit_price * 1.05, 2), updated_at = now() FROM old WHERE t.id = old.id
  RETURNING t.id, old.unit_price, old.updated_at, t.unit_price AS new_price, t.updated_at AS new_updated_at
)
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image, after_image)
SELECT {job}, ROW_NUMBER() OVER (), id, 'succeeded', json_build_object('unit_price', unit_price, 'updated_at', updated_at),
  json_build_object('unit_price', new_price, 'updated_at', new_updated_at)
FROM done`},
		sqlite: []string{
			`
INSERT INTO batch_job_items (job_id, position, item_id, outcome, before_image, after_image)
SELECT {job}, ROW_NUMBER() OVER (), id, 'succeeded', json_object('unit_price', unit_price, 'updated_at', updated_at),
  json_object('unit_price', (unit_price * 105 + 50) / 100, 'updated_at', '2026-01-01 00:00:00+00:00')
FROM items WHERE +user_id = {user} AND id IN (SELECT value FROM json_each({list}))`,
			`UPDATE items SET unit_price = (unit_price * 105 + 50) / 100, updated_at = '2026-01-01 00:00:00+00:00'
WHERE +user_id = {user} AND id IN (SELECT value FROM json_each({list}))`,
		},
	}
	createItemsFloor   = createFloor("items", "{item image}", "name", "unit", "unit_price", "category", "tags")
	createClientsFloor = createFloor("clients", "{client image}", "name", "email", "phone", "address", "notes")
	createQuotesFloor  = createFloor("quotes", "{quote image}", "client_name", "client_email", "quote_number", "status",
		"line_items", "subtotal", "tax_rate", "tax_amount", "total", "notes", "valid_until")
)

// createFloor inserts rows that are given as JSON, with their ids.
func createFloor(table, image string, columns ...string) batchFloor {
	list := strings.Join(columns, ", ")
	into := `INSERT INTO ` + table + ` (id, user_id, ` + list + `, created_at, updated_at)`
	extracted := make([]string, len(columns))
	for i, c := range columns {
		extracted[i] = `value ->> '` + c + `'`
	}
	return batchFloor{
		postgres: []string{`
WITH done AS (
  ` + into + `
  SELECT id, {user}, ` + list + `, now(), now() FROM json_populate_recordset(NULL::` + table + `, {list}::JSON)
  RETURNING *
)
INSERT INTO batch_job_items (job_id, position, item_id, outcome, after_image)
SELECT {job}, ROW_NUMBER() OVER (), id, 'succeeded', to_jsonb(done)::TEXT::JSON FROM done`},
		sqlite: []string{
			into + `
SELECT value ->> 'id', {user}, ` + strings.Join(extracted, ", ") + `, '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00'
FROM json_each({list})`,
			`
INSERT INTO batch_job_items (job_id, position, item_id, outcome, after_image)
SELECT {job}, ROW_NUMBER() OVER (), id, 'succeeded', ` + image + `
FROM ` + table + ` WHERE +user_id = {user} AND id IN (SELECT value ->> 'id' FROM json_each({list}))`,
		},
	}
}

// run runs the statements in one transaction and returns how long it took. list are
// ids, or rows. It fails unless each statement is about n rows.
func (f batchFloor) run(ctx context.Context, s *store.Store, userID string, list string, n int) (time.Duration, error) {
	statements := f.sqlite
	if s.Postgres() {
		statements = f.postgres
	}
	values := map[string]any{"user": userID, "list": list, "job": quotekit.NewID()}
	texts, args := make([]string, len(statements)), make([][]any, len(statements))
	for i, text := range statements {
		texts[i], args[i] = bind(images.Replace(text), values)
	}
	began := time.Now()
	tx, err := s.Writer().BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("floor: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	for i, text := range texts {
		result, err := tx.ExecContext(ctx, text, args[i]...)
		if err != nil {
			return 0, fmt.Errorf("floor: %w", err)
		}
		if changed, err := result.RowsAffected(); err != nil || int(changed) != n {
			return 0, fmt.Errorf("floor: a statement was about %d rows, want %d (%v)", changed, n, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("floor: %w", err)
	}
	return time.Since(began), nil
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// bind numbers the placeholders of a statement in the order they appear first, which
// is how SQLite binds them.
func bind(text string, values map[string]any) (string, []any) {
	numbers := map[string]int{}
	var args []any
	text = placeholder.ReplaceAllStringFunc(text, func(word string) string {
		name := strings.Trim(word, "{}")
		if numbers[name] == 0 {
			args = append(args, values[name])
			numbers[name] = len(args)
		}
		return fmt.Sprintf("$%d", numbers[name])
	})
	return text, args
}

// idList are ids as the floors take them.
func idList(s *store.Store, ids []string) (string, error) {
	if s.Postgres() {
		return "{" + strings.Join(ids, ",") + "}", nil
	}
	text, err := json.Marshal(ids)
	return string(text), err
}

// rowList are rows as the floors take them: amounts and times as each engine keeps
// them.
func rowList(s *store.Store, rows []quotekit.Values) (string, error) {
	list := make([]map[string]any, len(rows))
	for i, row := range rows {
		list[i] = map[string]any{}
		for column, v := range row {
			switch t := v.(type) {
			case quotekit.Cents:
				v = t.String()
				if !s.Postgres() {
					v = int64(t)
				}
			case quotekit.Rate:
				v = t.String()
				if !s.Postgres() {
					v = int64(t)
				}
			case time.Time:
				v = t.UTC().Format("2006-01-02 15:04:05-07:00")
			}
			list[i][column] = v
		}
	}
	text, err := json.Marshal(list)
	return string(text), err
}
