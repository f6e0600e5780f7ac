package rest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Scheme is a way to prove who calls, as the document names it.
type Scheme string

// The schemes.
const (
	SchemeOperator Scheme = "operatorToken"
	SchemeUser     Scheme = "userToken"
)

// Access is who may call an endpoint. The zero Access lets everybody in.
type Access struct {
	// Middleware refuses everybody else.
	Middleware Middleware
	// Schemes are the credentials it takes, any one of them.
	Schemes []Scheme
	// Optional says that some callers are let in without any.
	Optional bool
	// Doc is a sentence of the endpoint's description.
	Doc string
}

// Operators is the access of operators of at least the role; see [Require].
func Operators(auth Authenticator, role Role) Access {
	return Access{
		Middleware: Require(auth, role), Schemes: []Scheme{SchemeOperator, SchemeUser},
		Doc: "Needs the role " + role.String() + ".",
	}
}

// Users is the access of users of the application; see [RequireUser].
func Users(auth Authenticator) Access {
	return Access{Middleware: RequireUser(auth), Schemes: []Scheme{SchemeUser}}
}

// Router gives endpoints their URLs and writes them into the document.
type Router struct {
	mux      *http.ServeMux
	schemas  *registry
	document *huma.OpenAPI
	streams  map[string]bool // the patterns whose answer is a stream
	encoded  []byte
	etag     string
}

// NewRouter describes a service of this version, and mounts its endpoints on mux.
func NewRouter(mux *http.ServeMux, version string) *Router {
	schemas := newRegistry()
	if version == "" {
		version = "0"
	}
	return &Router{mux: mux, schemas: schemas, streams: map[string]bool{}, document: &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "QuoteKit", Version: version,
			Description: "Receives Stripe webhooks and works bulk operations. " +
				"Every error is a problem document (RFC 9457); programs look at its `code`.",
		},
		Servers: []*huma.Server{{URL: "/"}},
		Components: &huma.Components{
			Schemas: schemas,
			Headers: map[string]*huma.Header{requestIDHeader: {
				Description: "The id of this request in the service's log: the caller's own, if it sent a usable one.",
				Schema:      &huma.Schema{Type: huma.TypeString},
			}},
			Responses:       map[string]*huma.Response{},
			SecuritySchemes: map[string]*huma.SecurityScheme{},
		},
	}}
}

const requestIDHeader = "X-Request-Id"

// schemes describes every [Scheme].
var schemes = map[Scheme]*huma.SecurityScheme{
	SchemeOperator: {Type: "http", Scheme: "bearer", Description: "An operator's token, one of `QUOTEKIT_ADMIN_TOKEN`."},
	SchemeUser:     {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The access token of a user of the application. Its `app_metadata.role` may make the user an operator."},
}

// wildcard finds the parameters of a pattern of [http.ServeMux].
var wildcard = regexp.MustCompile(`\{(\w+)\}`)

// Add mounts e at a pattern "METHOD /path", for those who have access, and
// describes it. Like [http.ServeMux.Handle] it panics on a pattern that is taken.
func (r *Router) Add(pattern string, who Access, e Endpoint) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok || e.Handler == nil || e.ID == "" || e.Summary == "" || e.Tag == "" || len(e.Answers) == 0 {
		panic("rest: " + pattern + " lacks a method, a handler, an id, a summary, a tag or an answer")
	}
	h := e.Handler
	if who.Middleware != nil {
		h = who.Middleware(h)
	}
	if e.AllMethods {
		pattern = path
	}
	r.mux.Handle(pattern, h)
	r.streams[pattern] = slices.Contains(e.Answers[http.StatusOK].Text, eventStream)
	r.document.AddOperation(r.operation(method, path, who, e))
}

// eventStream is the media type of server-sent events.
const eventStream = "text/event-stream"

// Streams reports whether the endpoint at a pattern answers with server-sent
// events, for as long as its reader stays.
func (r *Router) Streams(pattern string) bool { return r.streams[pattern] }

func (r *Router) operation(method, path string, who Access, e Endpoint) *huma.Operation {
	op := &huma.Operation{
		Method: method, Path: path, OperationID: e.ID, Summary: e.Summary,
		Description: strings.TrimSpace(e.Doc + "\n\n" + who.Doc), Tags: []string{e.Tag},
		Responses: map[string]*huma.Response{},
	}
	for _, m := range wildcard.FindAllStringSubmatch(path, -1) {
		p := Param{Name: m[1]}
		if i := slices.IndexFunc(e.Path, func(p Param) bool { return p.Name == m[1] }); i >= 0 {
			p = e.Path[i]
		}
		p.Required = true
		op.Parameters = append(op.Parameters, r.param("path", p))
	}
	for _, p := range e.Path {
		if !strings.Contains(path, "{"+p.Name+"}") {
			panic("rest: " + path + " has no parameter " + p.Name)
		}
	}
	for _, p := range e.Query {
		op.Parameters = append(op.Parameters, r.param("query", p))
	}
	for _, p := range e.Header {
		op.Parameters = append(op.Parameters, r.param("header", p))
	}
	if e.Body != nil {
		op.RequestBody = r.body(*e.Body)
	}
	problems := append([]int{http.StatusInternalServerError, http.StatusServiceUnavailable}, e.Problems...)
	if who.Optional {
		op.Security = append(op.Security, map[string][]string{})
	}
	for _, s := range who.Schemes {
		problems = append(problems, http.StatusUnauthorized, http.StatusForbidden)
		op.Security = append(op.Security, map[string][]string{string(s): {}})
		r.document.Components.SecuritySchemes[string(s)] = schemes[s]
	}
	for _, status := range problems {
		name := "Problem" + strconv.Itoa(status)
		r.document.Components.Responses[name] = r.answer(status, Answer{JSON: Problem{}, Headers: problemHeaders[status]})
		op.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + name}
	}
	for status, a := range e.Answers {
		op.Responses[strconv.Itoa(status)] = r.answer(status, a)
	}
	return op
}

// problemHeaders are those that problems have whichever endpoint answers.
var problemHeaders = map[int][]Param{
	http.StatusUnauthorized:       {{Name: "WWW-Authenticate", Required: true}},
	http.StatusServiceUnavailable: {{Name: "Retry-After", Doc: "Seconds.", Type: 0}},
}

func (r *Router) param(in string, p Param) *huma.Param {
	return &huma.Param{Name: p.Name, In: in, Description: p.Doc, Required: p.Required, Schema: r.schemas.ofParam(p)}
}

func (r *Router) body(b Body) *huma.RequestBody {
	media := b.Media
	if media == "" {
		media = "application/json"
	}
	return &huma.RequestBody{
		Description: b.Doc, Required: !b.Optional,
		Content: map[string]*huma.MediaType{media: {Schema: r.schemas.ofBody(reflect.TypeOf(b.Type))}},
	}
}

func (r *Router) answer(status int, a Answer) *huma.Response {
	out := &huma.Response{
		Description: a.Doc,
		Headers:     map[string]*huma.Param{requestIDHeader: {Ref: "#/components/headers/" + requestIDHeader}},
	}
	if out.Description == "" {
		out.Description = http.StatusText(status)
	}
	for _, p := range a.Headers {
		out.Headers[p.Name] = &huma.Param{Description: p.Doc, Required: p.Required, Schema: r.schemas.ofParam(p)}
	}
	content := map[string]*huma.MediaType{}
	if a.JSON != nil {
		media := "application/json"
		if _, ok := a.JSON.(Problem); ok {
			media = "application/problem+json"
		}
		content[media] = &huma.MediaType{Schema: r.schemas.Schema(reflect.TypeOf(a.JSON), true, "")}
	}
	for _, media := range a.Text {
		content[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	if len(content) > 0 {
		out.Content = content
	}
	return out
}

// Finish encodes the document of what has been added.
func (r *Router) Finish() error {
	b, err := json.Marshal(r.document)
	if err != nil {
		return fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, b, "", "  "); err != nil {
		return fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	indented.WriteByte('\n')
	r.encoded = indented.Bytes()
	r.etag = fmt.Sprintf(`"%x"`, sha256.Sum256(r.encoded))
	return nil
}

// Document returns the OpenAPI document as JSON. It is valid after [Router.Finish].
func (r *Router) Document() []byte { return r.encoded }

// ServeDocument is the endpoint of the document. It serves after [Router.Finish].
func (r *Router) ServeDocument() Endpoint {
	return Endpoint{
		ID: "getOpenAPI", Summary: "This document", Tag: "service",
		Header: []Param{{Name: "If-None-Match", Doc: "The ETag of the copy that the caller has."}},
		Answers: Answers{
			http.StatusOK:          {JSON: json.RawMessage{}, Headers: []Param{{Name: "ETag", Required: true}}},
			http.StatusNotModified: {Doc: "The copy that the caller has is this document."},
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			h := w.Header()
			h.Set("Content-Type", "application/json")
			h.Set("Cache-Control", "no-cache") // keep it, and ask whether it is still this one
			h.Set("ETag", r.etag)
			http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(r.encoded))
		}),
	}
}
