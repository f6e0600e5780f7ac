package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// description checks against the document of this version. It is another
// library than the one that helps to write the document, so that each finds the
// other's mistakes. What an answer has and the document does not tell of is a
// mistake here, though the schemas leave room for it: parameters and headers are
// found by the strict mode, fields by closing all objects that have any.
var description = sync.OnceValues(func() (validator.Validator, error) {
	b, err := app.OpenAPI("test")
	if err != nil {
		return nil, err
	}
	var document map[string]any
	if err := json.Unmarshal(b, &document); err != nil {
		return nil, err
	}
	closeObjects(document["components"])
	if b, err = json.Marshal(document); err != nil {
		return nil, err
	}
	return newValidator(b, config.WithFormatAssertions(), config.WithRejectUndeclaredRequestBody(),
		config.WithStrictMode(), config.WithStrictIgnoredHeadersExtra(everywhere...))
})

func newValidator(document []byte, options ...config.Option) (validator.Validator, error) {
	d, err := libopenapi.NewDocument(document)
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(d, options...)
	if errs != nil {
		return nil, fmt.Errorf("read the document: %v", errs)
	}
	return v, nil
}

// closeObjects allows no other fields in schemas that have some.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		_, object := v["properties"].(map[string]any)
		if _, decided := v["additionalProperties"]; object && !decided {
			v["additionalProperties"] = false
		}
		for _, child := range v {
			closeObjects(child)
		}
	case []any:
		for _, child := range v {
			closeObjects(child)
		}
	}
}

// everywhere are the headers that every answer may have and no endpoint tells of.
var everywhere = []string{
	"Accept-Ranges", "Cache-Control", "Content-Security-Policy", "Cross-Origin-Opener-Policy", "Last-Modified",
	"Permissions-Policy", "Referrer-Policy", "X-Content-Type-Options", "X-Request-Id",
}

// undescribed are the URLs that the document leaves out, and why.
var undescribed = map[string]string{
	"GET /docs": "pages for people", "GET /docs/": "pages for people",
	"GET /{$}":               "a page for people",
	"GET /static/":           "the files of the pages",
	"/dashboard":             "pages for people",
	"/dashboard/":            "pages for people",
	"GET /static/dashboard/": "the files of the pages",
	"POST /dev/fault":        "a switch that only dev mode has",
}

func mustDescription(t testing.TB) validator.Validator {
	t.Helper()
	v, err := description()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// checkExchange checks a request and its answer against /openapi.json: the
// answer always, the request if it was successful. Requests to URLs that the
// document does not have must have been answered with 404 or 405. The bodies
// are what was sent and what was read, since those of req and resp are used up.
func checkExchange(t testing.TB, req *http.Request, requestBody []byte, resp *http.Response, responseBody []byte) {
	t.Helper()
	for _, problem := range exchangeProblems(mustDescription(t), req, requestBody, resp, responseBody) {
		t.Errorf("%s %s, answered with %d, is not as /openapi.json says: %s", req.Method, req.URL.RequestURI(), resp.StatusCode, problem)
	}
}

func exchangeProblems(v validator.Validator, req *http.Request, requestBody []byte, resp *http.Response, responseBody []byte) []string {
	request := req.Clone(req.Context())
	request.Body = io.NopCloser(bytes.NewReader(requestBody))
	response := *resp
	response.Body = io.NopCloser(bytes.NewReader(responseBody))
	_, errs := v.ValidateHttpResponse(request, &response)
	for _, e := range errs {
		if e.IsPathMissingError() || e.IsOperationMissingError() {
			if resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed {
				return nil
			}
			return []string{"there is no such operation"}
		}
	}
	if resp.StatusCode/100 == 2 {
		request.Body = io.NopCloser(bytes.NewReader(requestBody))
		_, more := v.ValidateHttpRequestSync(request)
		errs = append(errs, more...)
	}
	var problems []string
	for _, e := range errs {
		if strings.HasPrefix(e.Reason, "Strict mode: found property") {
			continue // it does not let even maps have any key
		}
		problem := e.Message + ": " + e.Reason
		for _, f := range e.SchemaValidationErrors {
			problem += "; " + f.Error()
		}
		problems = append(problems, problem)
	}
	return problems
}

func TestOpenAPI_IsValid(t *testing.T) {
	b, err := app.OpenAPI("test")
	if err != nil {
		t.Fatal(err)
	}
	v, err := newValidator(b)
	if err != nil {
		t.Fatal(err)
	}
	_, errs := v.ValidateDocument()
	for _, e := range errs {
		t.Error(e)
	}
}

// TestCheckExchange_FindsMistakes keeps the check of all other tests honest.
func TestCheckExchange_FindsMistakes(t *testing.T) {
	const (
		events  = "/v1/monitor/events"
		replay  = "/v1/monitor/events/evt_1/replay"
		page    = `{"items":[],"next_cursor":null}`
		pending = `{"stripe_event_id":"evt_1","status":"pending","superseded_by":null}`
		problem = `{"type":"/x","title":"x","status":400,"code":"invalid"}`
	)
	tests := []struct {
		name, method, path, body string
		status                   int
		media, answer            string
		want                     string // part of the problem; empty is none
	}{
		{"a page", "GET", events + "?limit=3&status=dead", "", 200, "application/json", page, ""},
		{"a field more", "GET", events, "", 200, "application/json", `{"items":[],"next_cursor":null,"total":1}`, "'total'"},
		{"a field less", "GET", events, "", 200, "application/json", `{"items":[]}`, "'next_cursor'"},
		{"a wrong type", "GET", events, "", 200, "application/json", `{"items":[],"next_cursor":7}`, "next_cursor"},
		{"another status", "GET", events, "", 201, "application/json", page, "'201' does not exist"},
		{"another media type", "GET", events, "", 200, "text/html", "<p>", "'text/html' does not exist"},
		{"a query that should have been refused", "GET", events + "?limit=201", "", 200, "application/json", page, "limit"},
		{"a query that was refused", "GET", events + "?limit=x", "", 400, "application/problem+json", problem, ""},
		{"half a problem", "GET", events, "", 400, "application/problem+json", `{"type":"x"}`, "'code'"},
		{"a strange URL", "GET", "/v1/nowhere", "", 404, "application/problem+json", problem, ""},
		{"a strange URL that answers", "GET", "/v1/nowhere", "", 200, "application/json", page, "no such operation"},
		{"a strange method", "PUT", events, "", 405, "application/problem+json", problem, ""},
		{"a body", "POST", replay, `{"reason":"x"}`, 202, "application/json", pending, ""},
		{"no body", "POST", replay, "", 202, "application/json", pending, ""},
		{"a body with a strange field", "POST", replay, `{"why":"x"}`, 202, "application/json", pending, "'why'"},
		{"a strange value", "POST", replay, "", 202, "application/json", `{"stripe_event_id":"evt_1","status":"done","superseded_by":null}`, "status"},
		{
			"any event", "POST", "/webhooks/stripe", `{"id":"evt_1","type":"x.y","data":{"object":{}}}`, 200, "application/json",
			`{"received":true,"event_id":"evt_1","duplicate":false,"status":"ignored"}`, "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequest(tt.method, "http://127.0.0.1"+tt.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer x")
			if tt.body != "" {
				req.Header.Set("Content-Type", "application/json; charset=utf-8")
			}
			if tt.path == "/webhooks/stripe" {
				req.Header.Set("Stripe-Signature", "t=1,v1=0")
			}
			resp := &http.Response{StatusCode: tt.status, Header: http.Header{"Content-Type": {tt.media}}}

			got := strings.Join(exchangeProblems(mustDescription(t), req, []byte(tt.body), resp, []byte(tt.answer)), "\n")

			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestOpenAPI_HasEveryURL: what is mounted past the router is known and explained.
func TestOpenAPI_HasEveryURL(t *testing.T) {
	past := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if s, ok := call.Fun.(*ast.SelectorExpr); ok && (s.Sel.Name == "Handle" || s.Sel.Name == "HandleFunc") {
				if first, ok := call.Args[0].(*ast.Ident); ok && first.Name == "ctx" {
					return true // of a log
				}
				if pattern, ok := call.Args[0].(*ast.BasicLit); ok {
					text, _ := strconv.Unquote(pattern.Value)
					past[text] = true
				} else if x, ok := s.X.(*ast.Ident); !ok || x.Name != "rest" {
					t.Errorf("%s mounts a pattern that cannot be read off the source", name)
				}
			}
			return true
		})
	}
	for pattern := range past {
		if undescribed[pattern] == "" {
			t.Errorf("%s is mounted past the router, so /openapi.json does not have it", pattern)
		}
	}
	for pattern := range undescribed {
		if !past[pattern] {
			t.Errorf("nobody needs the exception of %s any more", pattern)
		}
	}
}

func TestOpenAPI_IsServed(t *testing.T) {
	s := mustStart(t, storetest.SQLiteURL(t, tables), app.Options{Version: "test"})
	want, err := app.OpenAPI("test")
	if err != nil {
		t.Fatal(err)
	}
	get := func(etag string) (*http.Response, []byte) {
		req, err := http.NewRequest(http.MethodGet, s.URL()+"/openapi.json", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if etag != "" {
			req.Header.Set("If-None-Match", etag)
		}
		return s.do(req, nil)
	}

	first, body := get("")
	etag := first.Header.Get("ETag")
	if first.StatusCode != 200 || !bytes.Equal(body, want) || !strings.HasPrefix(etag, `"`) || first.Header.Get("Cache-Control") == "" {
		t.Errorf("got %d with %d bytes and %v, want the document of app.OpenAPI", first.StatusCode, len(body), first.Header)
	}
	if again, body := get(etag); again.StatusCode != 304 || len(body) != 0 {
		t.Errorf("with the ETag: got %d with %d bytes, want 304", again.StatusCode, len(body))
	}
	if other, _ := get(`"other"`); other.StatusCode != 200 {
		t.Errorf("with another ETag: got %d, want 200", other.StatusCode)
	}
	if info := gjson.GetBytes(want, "info.version").Str; info != "test" {
		t.Errorf("version = %q", info)
	}
}

// TestPage_IsThatOfTheStore: the API takes as many items as the store gives.
func TestPage_IsThatOfTheStore(t *testing.T) {
	if rest.MaxPage != store.MaxPage {
		t.Errorf("rest has %d, the store %d", rest.MaxPage, store.MaxPage)
	}
}
