package store_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/quotekit/quotekit/internal/store"
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
