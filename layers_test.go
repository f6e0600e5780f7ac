package quotekit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/quotekit/quotekit"

// floors has every package of the module: each may import what stands on the
// floors below it, and nothing of its own floor. To add a package, add it here.
var floors = [][]string{
	{".", "docs"}, // the nouns and contracts, and the manual
	{ // the tools
		"internal/fold", "internal/histogram", "internal/jobs", "internal/manual", "internal/metrics", "internal/rest", "internal/sample", "internal/store",
		"internal/store/storetest", "internal/stripe", "internal/stripe/stripetest", "internal/task", "internal/tracing",
	},
	{"handlers", "internal/alert", "internal/application", "internal/batch", "internal/forget", "internal/monitor", "internal/monitor/dashboard", "internal/reconcile", "internal/retention", "internal/webhook", "operations"}, // the features
	{"internal/bench"}, // measures them from outside
	{"app"},
	{"cmd/quotekit", "examples/own-main", "examples/prices"}, // programs
}

// sideways are the imports within a floor, and why.
var sideways = map[string]string{
	"internal/monitor/dashboard internal/monitor": "pages show what the JSON says, by asking the same reads",
	"internal/jobs internal/store":                "River works on the store's pools",
	"internal/metrics internal/store":             "what stands in the tables is read by the same reads as the overview",
	"internal/store/storetest internal/store":     "it opens stores for tests",
	"internal/task internal/jobs":                 "a job wakes up the next step",
	"internal/task internal/store":                "the row of a task is the truth",
}

// reserved are the packages of others that only some of ours may import. The
// first line whose prefix fits decides.
var reserved = []struct {
	prefix string
	by     []string
	reason string
}{
	{"database/sql/driver", []string{".", "internal/store"}, "rows implement driver.Valuer"},
	{"database/sql", []string{"internal/store", "internal/store/storetest", "internal/jobs"}, "only the store holds SQL; River's client is typed by the transaction"},
	{"github.com/jackc/", []string{"internal/store"}, "a database driver"},
	{"modernc.org/", []string{"internal/store"}, "a database driver"},
	{"github.com/pressly/goose", []string{"internal/store"}, "migrations are the store's"},
	{"github.com/peterldowns/pgtestdb", []string{"internal/store/storetest"}, "databases for tests"},
	{"testing", []string{"internal/store/storetest", "internal/stripe/stripetest"}, "helpers of tests stay out of the program"},
	{"github.com/golang-jwt/", []string{"internal/rest"}, "who a caller is, is decided in one place"},
	{"github.com/MicahParks/", []string{"internal/rest"}, "who a caller is, is decided in one place"},
	{"github.com/riverqueue/river/", []string{"internal/jobs"}, "River's drivers and migrations"},
	{"github.com/riverqueue/river", []string{"app", "internal/alert", "internal/batch", "internal/jobs", "internal/reconcile", "internal/retention", "internal/task", "internal/webhook"}, "who works jobs or wires them"},
	{"github.com/prometheus/", []string{"internal/metrics"}, "features count in the words of metrics"},
	{"github.com/wneessen/go-mail", []string{"internal/alert"}, "only alerts are sent as mail"},
	{"github.com/yuin/goldmark", []string{"internal/manual"}, "only the manual is written in Markdown"},
	{"go.opentelemetry.io/otel/sdk", []string{"internal/tracing"}, "others know spans, not where they go"},
	{"go.opentelemetry.io/otel/exporters", []string{"internal/tracing"}, "others know spans, not where they go"},
	{"go.opentelemetry.io/contrib", []string{"internal/tracing"}, "others know spans, not where they go"},
	{"github.com/rs/cors", []string{"internal/rest"}, "only the middleware speaks of origins"},
	{"github.com/danielgtaylor/huma", []string{"internal/rest"}, "features describe endpoints in the words of rest"},
	{"os/signal", []string{"cmd/quotekit", "examples/own-main", "examples/prices"}, "only programs know the process"},
	{"flag", nil, "flags are the command's, and its library reads them"},
}

// processOnly is what only the command touches of package os.
var processOnly = []string{"Args", "Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Exit", "Stdin", "Stdout", "Stderr"}

// exceptions allow a file what its package may not, and say why.
var exceptions = map[string]string{
	"internal/store/storetest/postgres.go os.Getenv": "the server of the tests is named by the environment",
	"internal/store/sqlite.go modernc.org/sqlite":    "database/sql finds a driver by its name",
	"internal/store/store.go time.Now":               "the default of a clock that its config injects",
}

// sourceFile is a file that is part of the program.
type sourceFile struct {
	path, pkg string // from the root, slashes
	*ast.File
}

// mustParseModule reads all files of the module but tests and nested modules.
func mustParseModule(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			if path != "." && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || err == nil) {
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		files = append(files, sourceFile{filepath.ToSlash(path), filepath.ToSlash(filepath.Dir(path)), f})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 100 {
		t.Fatalf("found %d files, which is not the module", len(files))
	}
	return files
}

// imports yields the paths a file imports.
func (f sourceFile) imports() []string {
	var paths []string
	for _, spec := range f.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, path)
	}
	return paths
}

// uses returns the names that a file uses of a package of the standard library.
func (f sourceFile) uses(pkg string) []string {
	if !slices.Contains(f.imports(), pkg) {
		return nil
	}
	var names []string
	ast.Inspect(f.File, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == pkg {
				names = append(names, s.Sel.Name)
			}
		}
		return true
	})
	return names
}

func floorOf(pkg string) int {
	return slices.IndexFunc(floors, func(floor []string) bool { return slices.Contains(floor, pkg) })
}

// ours returns the package of the module that path names.
func ours(path string) (pkg string, ok bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

func TestLayers_TheTableHasEveryPackage(t *testing.T) {
	var got []string
	for _, f := range mustParseModule(t) {
		got = append(got, f.pkg)
	}
	slices.Sort(got)
	got = slices.Compact(got)
	want := slices.Concat(floors...)
	for _, pkg := range got {
		if !slices.Contains(want, pkg) {
			t.Errorf("package %s has no floor; give it one in floors, in layers_test.go", pkg)
		}
	}
	for _, pkg := range want {
		if !slices.Contains(got, pkg) {
			t.Errorf("package %s has a floor and no files", pkg)
		}
	}
}

func TestLayers_ImportsGoDown(t *testing.T) {
	unused := map[string]bool{}
	for pair := range sideways {
		unused[pair] = true
	}
	for _, f := range mustParseModule(t) {
		for _, path := range f.imports() {
			imported, ok := ours(path)
			if !ok || floorOf(imported) < floorOf(f.pkg) {
				continue
			}
			pair := f.pkg + " " + imported
			if _, ok := sideways[pair]; !ok {
				t.Errorf("%s imports %s, which is not on a floor below", f.path, imported)
			}
			delete(unused, pair)
		}
	}
	for pair := range unused {
		t.Errorf("nobody needs the import sideways of %s any more", pair)
	}
}

func TestLayers_ReservedImportsStayInTheirRooms(t *testing.T) {
	used := map[string]bool{}
	for _, f := range mustParseModule(t) {
		for _, path := range f.imports() {
			for _, r := range reserved {
				if path != r.prefix && !strings.HasPrefix(path, strings.TrimSuffix(r.prefix, "/")+"/") {
					continue
				}
				used[r.prefix+f.pkg] = true
				if !slices.Contains(r.by, f.pkg) {
					t.Errorf("%s imports %s, which is for %v: %s", f.path, path, r.by, r.reason)
				}
				break
			}
		}
	}
	for _, r := range reserved {
		for _, pkg := range r.by {
			if !used[r.prefix+pkg] {
				t.Errorf("%s is allowed to import %s and does not", pkg, r.prefix)
			}
		}
	}
}

// checkUses checks that of the files, only those in the given packages and in
// exceptions use pkg.names.
func checkUses(t *testing.T, pkg string, names, rooms []string) {
	t.Helper()
	excepted := map[string]bool{}
	for _, f := range mustParseModule(t) {
		for _, name := range f.uses(pkg) {
			if !slices.Contains(names, name) || slices.Contains(rooms, f.pkg) {
				continue
			}
			use := f.path + " " + pkg + "." + name
			excepted[use] = true
			if exceptions[use] == "" {
				t.Errorf("%s.%s in %s, which is for %v", pkg, name, f.path, rooms)
			}
		}
	}
	for use := range exceptions {
		if strings.Contains(use, " "+pkg+".") && !excepted[use] {
			t.Errorf("nobody needs the exception of %s any more", use)
		}
	}
}

func TestLayers_OnlyTheCommandTouchesTheProcess(t *testing.T) {
	checkUses(t, "os", processOnly, []string{"cmd/quotekit", "examples/own-main", "examples/prices"})
}

func TestLayers_TheClockIsInjected(t *testing.T) {
	rooms := []string{"app", "cmd/quotekit", "internal/bench"} // which is a stopwatch
	checkUses(t, "time", []string{"Now", "Since", "Until"}, rooms)
}

// TestLayers_TheExampleNeedsNothingInternal: whoever copies it into a module of their own
// can build it there.
func TestLayers_TheExampleNeedsNothingInternal(t *testing.T) {
	found := 0
	for _, f := range mustParseModule(t) {
		if f.pkg != "examples/own-main" {
			continue
		}
		for _, path := range f.imports() {
			if pkg, ok := ours(path); ok {
				found++
				if strings.HasPrefix(pkg, "internal/") {
					t.Errorf("%s imports %s", f.path, path)
				}
			}
		}
	}
	if found == 0 {
		t.Error("the example imports nothing of ours")
	}
}

// statement finds SQL in a string.
var statement = regexp.MustCompile(`(?is)\b(select\s.+\sfrom\s|insert\s+into\s|delete\s+from\s|update\s+\S+\s+set\s|(create|alter|drop|lock)\s+(table|index|trigger|function|schema)\b)`)

func TestLayers_OnlyTheStoreHoldsSQL(t *testing.T) {
	inStore := 0
	for _, f := range mustParseModule(t) {
		ast.Inspect(f.File, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING || !statement.MatchString(literal.Value) {
				return true
			}
			if f.pkg == "internal/store" {
				inStore++
			} else if f.pkg != "internal/bench" { // what one would write without the store
				t.Errorf("%s holds SQL: %.80s", f.path, literal.Value)
			}
			return true
		})
	}
	if inStore < 20 {
		t.Errorf("found %d statements in the store, so this test would not find others", inStore)
	}
}

func TestLayers_EveryPackageSaysWhatItIs(t *testing.T) {
	docs, last := map[string]string{}, map[string]string{}
	for _, f := range mustParseModule(t) {
		if f.Doc != nil {
			docs[f.pkg] += f.Doc.Text()
		}
		last[f.pkg] = f.Name.Name
	}
	for pkg, name := range last {
		want := "Package " + name + " "
		if name == "main" {
			want = "Command " + filepath.Base(pkg) + " "
		}
		if !strings.HasPrefix(docs[pkg], want) {
			t.Errorf("the comment of package %s does not begin with %q", pkg, want)
		}
		if strings.Count("\n"+docs[pkg], "\n"+want) > 1 {
			t.Errorf("package %s has several comments", pkg)
		}
	}
}

// TestLayers_NothingRegistersItself: the tables of routes and operations are
// plain lists, not filled by what happens to be imported.
func TestLayers_NothingRegistersItself(t *testing.T) {
	for _, f := range mustParseModule(t) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s has an init function", f.path)
			}
		}
		for _, spec := range f.Imports {
			if path, _ := strconv.Unquote(spec.Path.Value); spec.Name != nil && spec.Name.Name == "_" && path != "embed" {
				if use := f.path + " " + path; exceptions[use] == "" {
					t.Errorf("%s imports %s for its effects", f.path, path)
				}
			}
		}
	}
}
