package storetest

import (
	"database/sql"
	_ "embed"
	"testing"
)

//go:embed supabase.sql
var supabaseRoles string

// SupabaseURL returns the URL of a fresh database on a server that has the roles of
// Supabase's API. The roles stay on the server.
func SupabaseURL(t testing.TB) string {
	t.Helper()
	url := PostgresURL(t, nil) // makes the owner of databases, if need be
	server, err := sql.Open("pgx", mustServer(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	if _, err := server.ExecContext(t.Context(), supabaseRoles); err != nil {
		t.Fatalf("make the roles of Supabase: %v", err)
	}
	return url
}
