package storetest

import (
	"context"
	"embed"
	"fmt"

	"github.com/quotekit/quotekit/internal/store"
)

// version10 is described in its README.md.
//
//go:embed version10/*/*.sql
var version10 embed.FS

// Version10Tables makes the tables of the first released schema, with River's, in an empty
// database.
func Version10Tables(ctx context.Context, s *store.Store) error {
	return execVersion10(ctx, s, "tables.sql")
}

// Version10Rows writes rows into these tables, or newer ones, with the statements of the
// first released version. Rows that migrations made must be gone.
func Version10Rows(ctx context.Context, s *store.Store) error {
	return execVersion10(ctx, s, "rows.sql")
}

// Version10 makes a database as the first released version left it.
func Version10(ctx context.Context, s *store.Store) error {
	if err := Version10Tables(ctx, s); err != nil {
		return err
	}
	return Version10Rows(ctx, s)
}

func execVersion10(ctx context.Context, s *store.Store, name string) error {
	text, err := version10.ReadFile("version10/" + s.Dialect().String() + "/" + name)
	if err != nil {
		return err
	}
	if _, err := s.Writer().ExecContext(ctx, string(text)); err != nil {
		return fmt.Errorf("%s of version 10: %w", name, err)
	}
	return nil
}
