package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestOpen_NamesTheFileThatCannotBeWritten opens a database in a process that may
// only read it. Root may write everything, so for root it is somebody else's.
func TestOpen_NamesTheFileThatCannotBeWritten(t *testing.T) {
	const variable = "QUOTEKIT_TEST_OPEN_URL"
	if url := os.Getenv(variable); url != "" { // in a child
		s, err := store.Open(t.Context(), store.Config{URL: url})
		if err == nil {
			err = s.Close()
		}
		fmt.Printf("opened: %v\n", err)
		return
	}
	folder, err := os.MkdirTemp("/tmp", "quotekit-readonly.")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.Chmod(filepath.Join(folder, "data"), 0o700)
		_ = os.RemoveAll(folder)
	})
	binary := filepath.Join(folder, "child")
	data := filepath.Join(folder, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	mustCopy(t, os.Args[0], binary)
	path := filepath.Join(data, "quotekit.db")
	s := mustOpen(t, store.Config{URL: "sqlite:" + path})
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	mustChmod := func(name string, mode os.FileMode) {
		t.Helper()
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	mustChmod(folder, 0o755)
	for name, test := range map[string]struct {
		folder, file, lock os.FileMode
		want               string
	}{
		"file":                  {0o777, 0o444, 0o666, path},
		"folder":                {0o555, 0o666, 0o666, "the folder " + data},
		"folder, not even lock": {0o555, 0o444, 0o444, path + ".lock"},
	} {
		t.Run(name, func(t *testing.T) {
			mustChmod(path, test.file)
			mustChmod(path+".lock", test.lock)
			mustChmod(data, test.folder)
			cmd := exec.Command(binary, "-test.run=^TestOpen_NamesTheFileThatCannotBeWritten$")
			cmd.Dir = folder
			cmd.Env = append(os.Environ(), variable+"=sqlite:"+path)
			if os.Geteuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			}
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), test.want) || !strings.Contains(string(out), "permission denied") {
				t.Errorf("%v\n%s\nwant an error that names %s", err, out, test.want)
			}
			mustChmod(data, 0o755)
		})
	}
}

// TestCheck_LockThatOutlastsTheCaller: who may wait less than SQLite itself does
// learns of the lock by his own deadline; that counts like the refusal.
func TestCheck_LockThatOutlastsTheCaller(t *testing.T) {
	url := storetest.SQLiteURL(t, storetest.Tables)
	s := storetest.Open(t, url)
	other, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	write := func(ctx context.Context) error {
		return s.WithTx(ctx, func(tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE webhook_performance_benchmarks SET updated_at = updated_at")
			return err
		})
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := write(short); err == nil {
		t.Error("wrote under another program's lock")
	}
	if err := s.Check(t.Context()); err == nil {
		t.Error("ready under another program's lock")
	}
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := write(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("%v after a write", err)
	}
}

func mustCopy(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
