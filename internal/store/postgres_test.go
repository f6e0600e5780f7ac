package store_test

import (
	"database/sql"
	neturl "net/url"
	"strings"
	"testing"

	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestPostgres_ReadOnlySessionsAreGivenUp makes the database read-only for a
// while. Sessions that began in that time stay read-only, so they must not stay
// in the pool.
func TestPostgres_ReadOnlySessionsAreGivenUp(t *testing.T) {
	database := storetest.PostgresURL(t, storetest.Tables)
	admin, err := sql.Open("pgx", database+"&default_transaction_read_only=off")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	u, err := neturl.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	makeReadOnly := func(value string) {
		if _, err := admin.Exec(`ALTER DATABASE "` + name + `" SET default_transaction_read_only = ` + value); err != nil {
			t.Fatal(err)
		}
	}
	write := func(s *store.Store) error {
		return s.WithTx(t.Context(), func(tx *store.Tx) error {
			return execTx(tx.Tx, `INSERT INTO stripe_objects (livemode, kind, object_id) VALUES (true, 'a', '1')`)
		})
	}

	makeReadOnly("on")
	s := storetest.Open(t, database)
	if err := write(s); store.Classify(err) != store.Unavailable {
		t.Fatalf("got %v of %v, want unavailable", store.Classify(err), err)
	}
	makeReadOnly("off")
	if err := write(s); err != nil {
		t.Errorf("got %v from a database that is no longer read-only", err)
	}
}
