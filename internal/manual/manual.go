package manual

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/quotekit/quotekit/docs"
)

const (
	// root is where the manual is.
	root = "/docs"
	// source is where the folder docs is kept.
	source = "https://github.com/quotekit/quotekit/blob/main/docs/"
)

//go:embed *.html
var templates embed.FS

// page is one page of the manual.
type page struct {
	Name, Title string
	// render makes the content, once.
	render func() (template.HTML, error)
}

// Path is the address of the page.
func (p page) Path() string {
	if p.Name == "" {
		return root
	}
	return root + "/" + p.Name
}

// manual is all pages: the description of the API first.
type manual struct {
	layout  *template.Template
	version string
	pages   []page
}

// New makes the manual of a service of this version. Document returns its OpenAPI
// document.
func New(version string, document func() []byte) (http.Handler, error) {
	functions := template.FuncMap{"md": func(text string) (template.HTML, error) { return markdown([]byte(text)) }}
	layout, err := template.New("manual").Funcs(functions).ParseFS(templates, "*.html")
	if err != nil {
		return nil, fmt.Errorf("manual: %w", err)
	}
	m := &manual{layout: layout, version: version}
	m.pages = append(m.pages, page{
		Title:  "API",
		render: sync.OnceValues(func() (template.HTML, error) { return m.reference(document()) }),
	})
	names, err := fs.Glob(docs.Files, "*.md")
	if err != nil {
		return nil, fmt.Errorf("manual: %w", err)
	}
	slices.Sort(names)
	for _, name := range names {
		content, err := docs.Files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("manual: %w", err)
		}
		m.pages = append(m.pages, page{
			Name: strings.TrimSuffix(name, ".md"), Title: titleOf(content),
			render: sync.OnceValues(func() (template.HTML, error) { return markdown(content) }),
		})
	}
	return m, nil
}

// titleOf is the first line of a page without its mark.
func titleOf(content []byte) string {
	first, _, _ := bytes.Cut(content, []byte("\n"))
	return strings.TrimSpace(strings.TrimLeft(string(first), "# "))
}

// ServeHTTP implements [http.Handler].
func (m *manual) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, root), "/")
	i := slices.IndexFunc(m.pages, func(p page) bool { return p.Name == name })
	if i < 0 {
		http.Error(w, "The manual has no such page; see "+root, http.StatusNotFound)
		return
	}
	p := m.pages[i]
	content, err := p.render()
	var out bytes.Buffer
	if err == nil {
		err = m.layout.ExecuteTemplate(&out, "layout.html", struct {
			Title, Version, Path string
			Pages                []page
			Content              template.HTML
		}{p.Title, m.version, p.Path(), m.pages, content})
	}
	if err != nil {
		panic("manual: " + err.Error()) // a bug: every page is rendered by a test
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(out.Bytes()) // the reader is gone: nobody left to tell
}

// comment finds what tests look for in a page, and readers need not see.
var comment = regexp.MustCompile(`(?s)<!--.*?-->\n?`)

// markdown renders a page of the folder docs.
func markdown(content []byte) (template.HTML, error) {
	md := goldmark.New(
		goldmark.WithExtensions(extension.Table),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(links{}, 100))),
	)
	content = comment.ReplaceAll(content, nil)
	var out bytes.Buffer
	if err := md.Convert(content, &out, parser.WithContext(parser.NewContext(parser.WithIDs(anchors{})))); err != nil {
		return "", err
	}
	return template.HTML(out.String()), nil //nolint:gosec // it is our own page, and raw HTML in it is left out
}

// anchors names headings as GitHub does, so that links are right in both places. (What
// goldmark makes by itself has no underscores.)
type anchors map[string]int

// Generate implements [parser.IDs].
func (a anchors) Generate(heading []byte, _ ast.NodeKind) []byte {
	id := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '_', r == '-':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		}
		return -1
	}, string(heading))
	n := a[id]
	a[id]++
	if n > 0 {
		id += "-" + strconv.Itoa(n)
	}
	return []byte(id)
}

// Put implements [parser.IDs].
func (a anchors) Put(id []byte) { a[string(id)]++ }

// links lets the links of a page lead to where their target is in the service.
type links struct{}

// Transform implements [parser.ASTTransformer].
func (links) Transform(document *ast.Document, _ text.Reader, _ parser.Context) {
	_ = ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			n.Destination = []byte(target(string(n.Destination)))
		case *ast.Image: // not in the binary
			n.Destination = []byte(source + string(n.Destination))
		}
		return ast.WalkContinue, nil
	})
}

// target is where a link of a page of the folder docs leads.
func target(link string) string {
	if link == "" || link[0] == '#' || strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return link
	}
	file, anchor, found := strings.Cut(link, "#")
	if found {
		anchor = "#" + anchor
	}
	name, isPage := strings.CutSuffix(file, ".md")
	if _, err := fs.Stat(docs.Files, file); isPage && err == nil {
		return root + "/" + name + anchor
	}
	tree, _ := strings.CutSuffix(source, "docs/")
	return tree + path.Join("docs", file) + anchor
}
