package manual_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/quotekit/quotekit/docs"
	"github.com/quotekit/quotekit/internal/manual"
)

const document = `{
  "info": {"description": "What it is."},
  "paths": {"/v1/things/{id}": {"post": {
    "operationId": "makeThing", "summary": "Make a thing", "tags": ["things"], "security": [{"token": []}],
    "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}}],
    "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
    "responses": {"200": {"description": "made", "content": {"application/json": {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}}}}},
      "404": {"$ref": "#/components/responses/Problem404"}}}}},
  "components": {
    "schemas": {"Thing": {"type": "object", "required": ["size"], "properties": {
      "size": {"type": "integer", "minimum": 1, "maximum": 9, "description": "In metres."},
      "colour": {"type": ["string", "null"], "enum": ["red", "blue", null]}}}},
    "responses": {"Problem404": {"description": "Not Found"}},
    "securitySchemes": {"token": {"description": "A token."}}}
}`

func mustGet(t *testing.T, h http.Handler, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("GET %s: got %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

func mustMake(t *testing.T) http.Handler {
	t.Helper()
	m, err := manual.New("1.2.3", func() []byte { return []byte(document) })
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestManual_DescribesTheAPI(t *testing.T) {
	page := mustGet(t, mustMake(t), "/docs")
	for _, want := range []string{
		"What it is.", "1.2.3", `id="makeThing"`, "POST /v1/things/{id}", "A token.", "string (uuid)", "path, required", "made",
		`list of <a href="#schema-Thing">Thing</a>`, "Not Found", "integer, from 1 to 9", "string or null: red, blue", "In metres.",
		"<code>colour</code>, optional",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("there is no %q in\n%s", want, page)
		}
	}
}

// TestManual_HasEveryPage renders every page, and follows every link within the
// manual to its anchor.
func TestManual_HasEveryPage(t *testing.T) {
	m := mustMake(t)
	files, err := fs.Glob(docs.Files, "*.md")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	pages := map[string]string{"/docs": mustGet(t, m, "/docs")}
	for _, file := range files {
		path := "/docs/" + strings.TrimSuffix(file, ".md")
		pages[path] = mustGet(t, m, path)
	}
	links := regexp.MustCompile(`href="([^"#]*)(?:#([^"]*))?"`)
	for from, page := range pages {
		if strings.Contains(page, "raw HTML omitted") {
			t.Errorf("%s has HTML in it, which is left out", from)
		}
		for _, link := range links.FindAllStringSubmatch(page, -1) {
			path, anchor := link[1], link[2]
			if path == "" {
				path = from
			}
			if !strings.HasPrefix(path, "/docs") {
				continue
			}
			to, ok := pages[path]
			if !ok || (anchor != "" && !strings.Contains(to, `id="`+anchor+`"`)) {
				t.Errorf("%s: the link to %s#%s leads nowhere", from, path, anchor)
			}
		}
	}
	if errors := pages["/docs/errors"]; !strings.Contains(errors, `id="signature_expired"`) {
		t.Error("the codes of errors have no anchors")
	}
}

func TestManual_WhatIsNotThere(t *testing.T) {
	w := httptest.NewRecorder()
	mustMake(t).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/docs/nothing", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("got %d", w.Code)
	}
}
