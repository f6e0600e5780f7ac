package storetest

import (
	"database/sql"
	"os"
	"testing"

	"github.com/peterldowns/pgtestdb"
)

// makeRoles makes the roles that Supabase gives to its API, as members of which the
// owner of a test's database may act. They are the server's, and may be made by several
// test binaries at once.
const makeRoles = `
DO $$
DECLARE
  role TEXT;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('quotekit test roles', 0));
  FOREACH role IN ARRAY ARRAY['anon', 'authenticated', 'service_role'] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', role);
    END IF;
    IF NOT pg_has_role('` + pgtestdb.DefaultRoleUsername + `', role, 'MEMBER') THEN
      EXECUTE format('GRANT %I TO ` + pgtestdb.DefaultRoleUsername + `', role);
    END IF;
  END LOOP;
  ALTER ROLE service_role BYPASSRLS;
END
$$`

// SupabaseURL returns the URL of a fresh database on a server that has the roles of
// Supabase's API. The roles stay on the server.
func SupabaseURL(t testing.TB) string {
	t.Helper()
	url := PostgresURL(t, nil) // makes the owner of databases, if need be
	server, err := sql.Open("pgx", os.Getenv(ServerVariable))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	if _, err := server.ExecContext(t.Context(), makeRoles); err != nil {
		t.Fatalf("make the roles of Supabase: %v", err)
	}
	return url
}
