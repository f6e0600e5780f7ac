package quotekit_test

import (
	"fmt"
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

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
)

// The documents repeat what the code says, for people. These tests hold the two
// together.

func TestREADME_RoutesAreThoseOfTheCode(t *testing.T) {
	var want []string
	for _, r := range handlers.Routes() {
		want = append(want, fmt.Sprintf("| `%s` | %s | %d | %s s |", r.Type, r.Handler, r.Priority,
			strconv.FormatFloat(r.Timeout.Seconds(), 'f', -1, 64)))
	}
	_, after, ok := strings.Cut(mustReadPage(t, "README.md"), "<!-- routes -->\n")
	if !ok {
		t.Fatal("README.md has lost its mark <!-- routes -->")
	}
	table, _, _ := strings.Cut(after, "\n\n")
	got := strings.Split(strings.TrimSpace(table), "\n")[2:] // without the header
	compareLists(t, "routes of README.md", got, want)
}

func TestREADME_CommandsAreThoseOfTheCode(t *testing.T) {
	got := []string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(quotekit [^`]+)` \\|").FindAllStringSubmatch(mustReadPage(t, "README.md"), -1) {
		got = append(got, m[1])
	}
	// The library adds completion by itself.
	compareLists(t, "commands of README.md", got, append(commands(t), "quotekit completion"))
}

func TestScripts_ShowEveryCommand(t *testing.T) {
	files, err := filepath.Glob("cmd/quotekit/testdata/*/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var scripts strings.Builder
	for _, file := range files {
		scripts.WriteString(mustReadPage(t, file) + "\n")
	}
	for _, command := range append(commands(t), "quotekit completion") {
		if !regexp.MustCompile(`(?m)^(exec|exits 0) (sh -c '.*)?` + command + `( |$)`).MatchString(scripts.String()) {
			t.Errorf("no script of cmd/quotekit/testdata has a %s that succeeds", command)
		}
	}
}

func TestConfigurationPage_HasEveryVariable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "empty.env")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := app.LoadConfig(func(string) string { return "" }, nil, file)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, v := range c.Values() {
		fallback := " "
		if v.Value != "" {
			fallback = " `" + v.Value + "` "
		}
		want = append(want, "| `"+v.Name+"` |"+fallback+"|")
	}
	page, _, _ := strings.Cut(mustReadPage(t, "docs/configuration.md"), "\n## ")
	got := regexp.MustCompile("(?m)^\\| `[A-Z_]+` \\|[^|]*\\|").FindAllString(page, -1)
	compareLists(t, "variables of docs/configuration.md, with their defaults", got, want)
}

func TestErrorsPage_HasEveryCode(t *testing.T) {
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(mustReadPage(t, "docs/errors.md"), -1) {
		got = append(got, m[1])
	}
	compareLists(t, "codes of docs/errors.md", got, problemCodes(t))
}

func TestTablesPage_HasEveryColumn(t *testing.T) {
	page := mustReadPage(t, "docs/tables.md")
	_, mirror, _ := strings.Cut(page, "\n## The mirror of Stripe\n")
	mirror, _, _ = strings.Cut(mirror, "\n## ")
	common, _, _ := strings.Cut(mirror, "\n### ") // the columns that all tables of the mirror have
	sections := map[string]string{}
	for _, section := range strings.Split(page, "\n### ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		text, _, _ = strings.Cut(text, "\n## ")
		if strings.Contains(mirror, "\n### "+name+"\n") {
			text += common
		}
		sections[name] = text
	}
	for _, column := range tableColumns(t) {
		table, name, _ := strings.Cut(column, ".")
		if !strings.Contains(sections[table], "`"+name+"`") {
			t.Errorf("docs/tables.md does not tell of %s", column)
		}
	}
}

// pageLink is a relative link of a page, with the text between its parentheses.
var pageLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestDocuments_LinksLeadSomewhere(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range pageLink.FindAllStringSubmatch(mustReadPage(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			name, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if name != "" {
				target = filepath.Join(filepath.Dir(page), name)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(t, target), anchor) {
				t.Errorf("%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
}

// sourcePath is the path of a file or folder of ours between backticks.
var sourcePath = regexp.MustCompile("`((?:app|cmd|docs|handlers|internal|scripts|testdata)/[\\w./-]+)`")

func TestDocuments_PathsExist(t *testing.T) {
	for _, page := range pages(t) {
		for _, m := range sourcePath.FindAllStringSubmatch(mustReadPage(t, page), -1) {
			if _, err := os.Stat(m[1]); err != nil {
				t.Errorf("%s names %s: %v", page, m[1], err)
			}
		}
	}
}

// pages lists the documents.
func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"}
	err := filepath.WalkDir("docs", func(path string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".md" && !d.IsDir() {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// anchors lists the headings of a page as links name them.
func anchors(t *testing.T, page string) []string {
	t.Helper()
	var list []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(mustReadPage(t, page), -1) {
		anchor := regexp.MustCompile(`[^a-z0-9_ -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		list = append(list, strings.ReplaceAll(anchor, " ", "-"))
	}
	return list
}

// commands reads off the source of the program what can be typed: every command
// that has no other below it and is not hidden.
func commands(t *testing.T) []string {
	t.Helper()
	var list []string
	var visit func(c *ast.CompositeLit, path string)
	visit = func(c *ast.CompositeLit, path string) {
		var below []*ast.CompositeLit
		for _, e := range c.Elts {
			field, ok := e.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			switch field.Key.(*ast.Ident).Name {
			case "Name":
				if name := literal(field.Value); name != "quotekit" {
					path += " " + name
				}
			case "Hidden":
				return
			case "Commands":
				if l, ok := field.Value.(*ast.CompositeLit); ok {
					for _, e := range l.Elts {
						if c, ok := e.(*ast.CompositeLit); ok {
							below = append(below, c)
						}
					}
				}
			}
		}
		for _, c := range below {
			visit(c, path)
		}
		if len(below) == 0 && path != "quotekit" {
			list = append(list, path)
		}
	}
	eachNode(t, "cmd/quotekit", func(n ast.Node) bool {
		c, ok := n.(*ast.CompositeLit)
		if ok && isSelector(c.Type, "cli", "Command") {
			visit(c, "quotekit")
			return false
		}
		return true
	})
	return list
}

// problemCodes reads off the source every code that a problem can have: the
// constants of quotekit.ErrorCode, conversions to it, what NewProblem is given,
// and what is put into a variable named code on the way there.
func problemCodes(t *testing.T) []string {
	t.Helper()
	seen := map[string]bool{}
	add := func(e ast.Expr) {
		if s := literal(e); s != "" {
			seen[s] = true
		}
	}
	eachNode(t, ".", func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			if id, ok := n.Type.(*ast.Ident); ok && id.Name == "ErrorCode" {
				for _, v := range n.Values {
					add(v)
				}
			}
		case *ast.CallExpr:
			if (isSelector(n.Fun, "rest", "NewProblem") || isIdent(n.Fun, "NewProblem")) && len(n.Args) > 1 {
				add(n.Args[1])
			}
			if isSelector(n.Fun, "quotekit", "ErrorCode") && len(n.Args) == 1 {
				add(n.Args[0])
			}
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if isIdent(left, "code") && len(n.Rhs) == len(n.Lhs) {
					add(n.Rhs[i])
				}
			}
		}
		return true
	})
	list := make([]string, 0, len(seen))
	for code := range seen {
		list = append(list, code)
	}
	return list
}

// tableColumns lists table.column of all that the migrations of Postgres make.
func tableColumns(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("internal/store/migrations/postgres/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d migrations: %v", len(files), err)
	}
	table := regexp.MustCompile(`(?ms)^CREATE TABLE IF NOT EXISTS (\w+) \(\n(.*?)^\);`)
	column := regexp.MustCompile(`(?m)^  "?([a-z]\w*)"? `)
	added := regexp.MustCompile(`(?m)^ALTER TABLE (\w+) ADD COLUMN IF NOT EXISTS "?(\w+)"? `)
	var list []string
	for _, file := range files {
		sql := mustReadPage(t, file)
		for _, m := range table.FindAllStringSubmatch(sql, -1) {
			for _, c := range column.FindAllStringSubmatch(m[2], -1) {
				list = append(list, m[1]+"."+c[1])
			}
		}
		for _, m := range added.FindAllStringSubmatch(sql, -1) {
			list = append(list, m[1]+"."+m[2])
		}
	}
	return list
}

// eachNode walks the Go files below dir, without tests.
func eachNode(t *testing.T, dir string, visit func(ast.Node) bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err == nil {
			ast.Inspect(f, visit)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// literal returns the value of a string literal, empty for anything else.
func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return ""
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return s
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

func isSelector(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	return ok && isIdent(s.X, pkg) && s.Sel.Name == name
}

func compareLists(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("the %s lack %s", what, w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("the %s have %s, which the code has not", what, g)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the %s are %d, want %d", what, len(got), len(want))
	}
}

func mustReadPage(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
