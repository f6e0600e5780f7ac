package storetest

import (
	"bytes"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Backup copies the database at url, which may be in use, the way that
// docs/operations.md tells people to, and returns the URL of the restored copy.
func Backup(t testing.TB, url string) string {
	t.Helper()
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		copied := filepath.Join(t.TempDir(), "restored.db")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		if _, err := db.Exec("VACUUM INTO $1", copied); err != nil {
			t.Fatalf("back up: %v", err)
		}
		return "sqlite:" + copied
	}
	bin := postgresBinaries(t)
	dump, err := os.Create(filepath.Join(t.TempDir(), "quotekit.dump"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dump.Close() }()
	var said bytes.Buffer
	backup := exec.Command(filepath.Join(bin, "pg_dump"), "--format=custom", url)
	backup.Stdout, backup.Stderr = dump, &said
	if err := backup.Run(); err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, &said)
	}
	restored := PostgresURL(t, nil)
	restore := exec.Command(filepath.Join(bin, "pg_restore"), "--no-owner", "--exit-on-error", "--dbname="+restored, dump.Name())
	if out, err := restore.CombinedOutput(); err != nil {
		t.Fatalf("pg_restore: %v\n%s", err, out)
	}
	return restored
}
