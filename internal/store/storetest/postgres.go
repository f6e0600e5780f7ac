package storetest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"io"
	"net/url"
	"os"
	"reflect"
	"runtime"
	"sync"
	"testing"

	"github.com/peterldowns/pgtestdb"
)

// ServerVariable names the Postgres server of the tests.
const ServerVariable = "QUOTEKIT_TEST_POSTGRES_URL"

// PostgresURL returns the URL of a fresh database: with the tables that migrate
// makes, or empty if it is nil. The database is dropped after the test, with
// whoever is still connected, unless the test failed.
func PostgresURL(t testing.TB, migrate Migrate) string {
	t.Helper()
	server := mustServer(t)
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s is no URL", ServerVariable)
	}
	password, _ := u.User.Password()
	c := pgtestdb.Config{
		DriverName:                "pgx",
		Host:                      u.Hostname(),
		Port:                      u.Port(),
		User:                      u.User.Username(),
		Password:                  password,
		Database:                  u.Path[min(1, len(u.Path)):],
		Options:                   u.RawQuery,
		ForceTerminateConnections: true, // tests kill processes
	}
	if c.Port == "" {
		c.Port = "5432"
	}
	return pgtestdb.Custom(t, c, template{migrate}).URL()
}

// mustServer is the URL of the server that tests have their databases on.
func mustServer(t testing.TB) string {
	t.Helper()
	server := os.Getenv(ServerVariable)
	if server == "" {
		t.Fatalf("%s is not set; run: make test, or: scripts/with-postgres go test ./...", ServerVariable)
	}
	return server
}

// template makes a database that the databases of tests are copied from.
type template struct{ migrate Migrate }

// Hash tells templates apart. It stands for the test binary, and so for all
// migrations in it, on a server that outlives the run of the tests.
func (m template) Hash() (string, error) {
	if m.migrate == nil {
		return "empty", nil
	}
	sum, err := binarySum()
	if err != nil {
		return "", err
	}
	h := sha256.Sum256([]byte(sum + funcName(m.migrate)))
	return hex.EncodeToString(h[:16]), nil
}

// Migrate implements [pgtestdb.Migrator].
func (m template) Migrate(ctx context.Context, _ *sql.DB, c pgtestdb.Config) error {
	if m.migrate == nil {
		return nil
	}
	return makeTables(ctx, c.URL(), m.migrate)
}

var binarySum = sync.OnceValues(func() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return string(h.Sum(nil)), nil
})

func funcName(f Migrate) string { return runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name() }
