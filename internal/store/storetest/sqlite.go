package storetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// SQLiteURL returns the URL of a database that nobody has open: with the
// tables that migrate makes, or of a file that is not there yet if it is nil.
func SQLiteURL(t testing.TB, migrate Migrate) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "quotekit.db")
	if migrate != nil {
		content, err := sqliteTemplate(migrate)
		if err != nil {
			t.Fatalf("make the tables: %v", err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "sqlite:" + path
}

// sqliteTemplates holds a func() ([]byte, error) per name of a [Migrate].
var sqliteTemplates sync.Map

func sqliteTemplate(migrate Migrate) ([]byte, error) {
	once, _ := sqliteTemplates.LoadOrStore(funcName(migrate), sync.OnceValues(func() ([]byte, error) {
		dir, err := os.MkdirTemp("", "quotekit-template")
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		path := filepath.Join(dir, "template.db")
		// Closing the last connection moves the WAL into the file.
		if err := makeTables(context.Background(), "sqlite:"+path, migrate); err != nil {
			return nil, err
		}
		return os.ReadFile(path)
	}))
	return once.(func() ([]byte, error))()
}
