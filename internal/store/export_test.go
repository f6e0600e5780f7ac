package store

import (
	"context"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

// The tests are in package store_test, since storetest imports store. These
// are the insides they look at.

// Shape is a table as the pending migrations describe it. Types are those of the columns
// in Created.
type Shape struct {
	Created, Added []string
	Types          map[string]string
}

// PendingShapes exports pendingShapes for the migrations of Postgres.
func PendingShapes(applied func(version int64) bool) (map[string]Shape, error) {
	shapes, err := pendingShapes("migrations/postgres", applied)
	all := map[string]Shape{}
	for name, s := range shapes {
		all[name] = Shape{s.created, s.added, s.types}
	}
	return all, err
}

// ActualColumns exports actualColumns. Beside the names it returns those whose type does not
// fit.
func (s *Store) ActualColumns(ctx context.Context, table string, types map[string]string) (names, unfit []string, err error) {
	all, err := actualColumns(ctx, s.reader, quote(table))
	for _, c := range all {
		names = append(names, c.name)
		if want := types[c.name]; want != "" && !c.fits(want) {
			unfit = append(unfit, c.instead(want))
		}
	}
	return names, unfit, err
}

// MirrorTables are all tables of the mirror.
var MirrorTables = []*table{
	customersTable, productsTable, pricesTable, subscriptionsTable, itemsTable,
	invoicesTable, paymentMethodsTable, checkoutSessionsTable,
}

// Name, Columns and Values export what a table consists of.
func (t *table) Name() string         { return t.name }
func (t *table) Columns() []string    { return t.columns }
func (t *table) Values(row any) []any { return t.values(row) }

// CustomersTable is the table the tests of upsert write to.
var CustomersTable = customersTable

// Upsert exports upsert.
func (tx *Tx) Upsert(ctx context.Context, t *table, rows [][]any) error {
	return tx.upsert(ctx, t, rows)
}

// MultiRow exports multiRow.
func (tx *Tx) MultiRow(ctx context.Context, prefix, suffix string, columns int, rows [][]any, scan func(row) error) error {
	return tx.multiRow(ctx, prefix, suffix, columns, rows, scan)
}

// KeptStatements says how many statements are prepared for keeps.
func (s *Store) KeptStatements() int {
	s.stmts.mu.Lock()
	defer s.stmts.mu.Unlock()
	return len(s.stmts.kept)
}

// Row exports row.
type Row = row

// Cursor is the cursor of a page that ends at a row.
func Cursor(at time.Time, id string) string { return position{at, id}.cursor() }

// RetentionWrites are the statements that retention deletes with, and arguments of them.
func RetentionWrites(d Dialect, before time.Time) map[string]Recorded {
	id := "0b7a2f3e-1c5d-7e6f-8a9b-0c1d2e3f4a01"
	ids, texts := d.idsArgument([]string{id}), d.textsArgument([]string{"evt_1"})
	return map[string]Recorded{
		"payloads":            {dropPayloads(d), []any{before, texts, before}},
		"payloads of letters": {dropLetterPayloads + d.among("id", "$2"), []any{before, ids}},
		"events":              {dropEvents(d), []any{texts, before}},
		"letters":             {dropLetters + d.among("id", "$2"), []any{before, ids}},
		"error groups":        {dropGroups + d.amongTexts("g.id", "$2"), []any{before, texts}},
		"logs":                {dropLogs + d.among("id", "$1"), []any{ids}},
		"deliveries":          {dropDeliveries + d.among("id", "$1"), []any{ids}},
		"acts":                {dropActs, []any{1, 10}},
		"counts":              {dropFigures("webhook_event_counts"), []any{"minute", "a.b", before, 10}},
		"times":               {dropFigures("webhook_latencies"), []any{"minute", "a.b", before, 10}},
		"refusals":            {dropRefusals, []any{before, 10}},
	}
}

// Followers are the kinds of objects that belong to a customer.
var Followers = followers

// ForgetWrites are the statements that a person is forgotten with, and arguments of them.
func ForgetWrites(d Dialect, at time.Time) map[string]Recorded {
	texts := d.textsArgument([]string{"evt_1"})
	writes := map[string]Recorded{
		"lock":           {strings.TrimSuffix(lockForgotten(d), d.locking()), []any{texts}},
		"events":         {forgetEvents(d), []any{at, texts}},
		"ignored events": {ignoreEvents(d, 1), []any{at, texts, "dead"}},
		"letters":        {forgetLetters(d), []any{forgottenNote, texts}},
		"logs":           {forgetLogs(d), []any{texts}},
	}
	for kind := range mirrorTables {
		if _, follows := followers[kind]; follows || kind == quotekit.KindCustomer {
			for _, t := range tablesOf(kind) {
				writes[t.name] = Recorded{forgetRows(t), []any{"", false, "x_1"}}
			}
		}
	}
	return writes
}

// MigrateTo applies the migrations up to a version.
func (s *Store) MigrateTo(ctx context.Context, version int64) error {
	p, err := s.migrations(s.writer)
	if err != nil {
		return err
	}
	_, err = p.UpTo(ctx, version)
	return err
}
