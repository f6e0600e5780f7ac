package store

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
)

//go:embed rights.sql
var rights string

// applyRights gives the roles of Supabase's API what they may do, where the database
// has them; see rights.sql.
func (s *Store) applyRights(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, rights); err != nil {
		return fmt.Errorf("apply the rights: %w", err)
	}
	return nil
}
