package quotekit_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestRelease_TwoBuildsAreTheSame builds a release of the tree as it stands in two folders,
// as two people with other habits do: the same bytes come out, and they are what a release
// has to have.
func TestRelease_TwoBuildsAreTheSame(t *testing.T) {
	first, commit := built(t, t.TempDir(), "022", "UTC")
	second, _ := built(t, filepath.Join(t.TempDir(), "of", "somebody", "else"), "077", "Asia/Tokyo")
	name := "quotekit_0.1.0_" + runtime.GOOS + "_" + runtime.GOARCH
	want := []string{"SHA256SUMS", "THIRD_PARTY_NOTICES", name + ".cdx.json", name + ".tar.gz"}
	if got := slices.Sorted(maps.Keys(first)); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for file, content := range first {
		if !bytes.Equal(second[file], content) {
			t.Errorf("%s differs from build to build", file)
		}
	}

	var sums strings.Builder
	for _, file := range want[1:] {
		sum := sha256.Sum256(first[file])
		sums.WriteString(hex.EncodeToString(sum[:]) + "  " + file + "\n")
	}
	if got := string(first["SHA256SUMS"]); got != sums.String() {
		t.Errorf("got the sums\n%swant\n%s", got, sums.String())
	}

	files := unpacked(t, first[name+".tar.gz"])
	for _, file := range []string{"quotekit", "LICENSE", "NOTICE", "THIRD_PARTY_NOTICES"} {
		if len(files[name+"/"+file]) == 0 {
			t.Errorf("the archive has no %s", file)
		}
	}
	program := filepath.Join(t.TempDir(), "quotekit")
	if err := os.WriteFile(program, files[name+"/quotekit"], 0o700); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(mustRun(t, "", nil, program, "version")); got != "quotekit 0.1.0+"+commit {
		t.Errorf("the program says %q, want the commit %s", got, commit)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(first[name+".cdx.json"], &bill); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, c := range bill.Components {
		listed[c.Name+" "+c.Version] = true
	}
	if len(info.Deps) < 20 {
		t.Errorf("the program has %d modules", len(info.Deps))
	}
	for _, m := range info.Deps {
		if module := m.Path + " " + m.Version; !listed[module] || !bytes.Contains(first["THIRD_PARTY_NOTICES"], []byte("\n== "+module+"\n-- ")) {
			t.Errorf("%s is not in the bill of materials, or its licence not in the notices", module)
		}
	}
}

// TestRelease_RefusesAFolderInUse: what lies there could be taken for a part of the release.
func TestRelease_RefusesAFolderInUse(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "old.tar.gz"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("scripts/release", folder).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is not empty") {
		t.Errorf("got %v: %s", err, out)
	}
}

// built copies the tree to a folder, commits it there and builds a release of it for this
// machine. It returns the files and the commit.
func built(t *testing.T, folder, umask, zone string) (files map[string][]byte, commit string) {
	t.Helper()
	source := filepath.Join(folder, "source")
	listed := mustRun(t, "", nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for file := range strings.SplitSeq(strings.TrimSuffix(listed, "\x00"), "\x00") {
		if err := copyFile(file, filepath.Join(source, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	env := []string{
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z",
		"TZ=" + zone,
	}
	mustRun(t, source, env, "git", "init", "--quiet")
	mustRun(t, source, env, "git", "add", "--all")
	mustRun(t, source, env, "git", "commit", "--quiet", "--message=a release")
	commit = strings.TrimSpace(mustRun(t, source, env, "git", "rev-parse", "--short=12", "HEAD"))
	out := filepath.Join(folder, "out")
	mustRun(t, source, env, "sh", "-c", `umask "$0" && exec scripts/release "$@"`, umask, out, runtime.GOOS+"/"+runtime.GOARCH)

	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(out, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files, commit
}

func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, content, info.Mode().Perm())
}

// unpacked reads an archive, of which every entry says the same of its time and owner.
func unpacked(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for entries := tar.NewReader(unzipped); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || h.ModTime.UTC().Format("2006-01-02T15:04:05") != "2026-01-02T03:04:05" {
			t.Errorf("%s tells who made it, or when: %+v", h.Name, h)
		}
		if files[h.Name], err = io.ReadAll(entries); err != nil {
			t.Fatal(err)
		}
	}
}

// mustRun runs a command and returns what it prints.
func mustRun(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	var problems bytes.Buffer
	c.Stderr = &problems
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, problems.Bytes())
	}
	return string(out)
}
