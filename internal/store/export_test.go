package store

import (
	"context"
)

// The tests are in package store_test, since storetest imports store. These
// are the insides they look at.

// Shape is a table as the pending migrations describe it.
type Shape struct{ Created, Added []string }

// PendingShapes exports pendingShapes for the migrations of Postgres.
func PendingShapes(applied func(version int64) bool) (map[string]Shape, error) {
	shapes, err := pendingShapes("migrations/postgres", applied)
	all := map[string]Shape{}
	for name, s := range shapes {
		all[name] = Shape{s.created, s.added}
	}
	return all, err
}

// ActualColumns exports actualColumns.
func (s *Store) ActualColumns(ctx context.Context, table string) ([]string, error) {
	conn, err := s.reader.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	all, _, err := s.actualColumns(ctx, conn, table)
	return all, err
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
