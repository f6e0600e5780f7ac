package rest

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/quotekit/quotekit"
)

// Problem is an RFC 9457 problem document, and an error that carries one.
type Problem struct {
	// Type names the kind of problem: a reference into our own documentation.
	Type   string `json:"type" doc:"The page that explains the code."`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail is for people and may change; programs look at Code.
	Detail   string             `json:"detail,omitempty" doc:"For people; it may change."`
	Instance string             `json:"instance,omitempty" doc:"The path of the request."`
	Code     quotekit.ErrorCode `json:"code" doc:"For programs; it does not change."`
	// RequestID is filled in by [WriteProblem].
	RequestID string       `json:"request_id,omitempty" doc:"The id of the request in the service's log."`
	Errors    []FieldError `json:"errors,omitempty" doc:"Everything that is wrong with the request, where that can be told."`
}

// FieldError is one of several things wrong with a request.
type FieldError struct {
	// Location is where: "body.items[3]", "query.limit", "header.Idempotency-Key".
	Location string `json:"location" example:"body.items[3]"`
	Message  string `json:"message"`
}

// NewProblem makes a problem with the type and the title that go with its code
// and status.
func NewProblem(status int, code quotekit.ErrorCode, detail string) *Problem {
	return &Problem{
		Type:   "/docs/errors#" + string(code),
		Title:  http.StatusText(status),
		Status: status,
		Code:   code,
		Detail: detail,
	}
}

// Error implements error.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Title
}

// With adds a field error and returns p.
func (p *Problem) With(location, message string) *Problem {
	p.Errors = append(p.Errors, FieldError{Location: location, Message: message})
	return p
}

// WriteProblem answers with p. Request id and instance come from the request;
// p itself is not changed, so one problem may answer many requests.
func WriteProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	out := *p
	out.RequestID = RequestIDFrom(r.Context())
	if out.Instance == "" {
		out.Instance = r.URL.Path
	}
	h := w.Header()
	h.Del("Content-Length")
	h.Set("Content-Type", "application/problem+json")
	writeBody(w, r, out.Status, out)
}

// WriteJSON answers with v. It is for small documents: v is encoded before the
// first byte is sent. Nobody may keep the answer unless the caller has set
// Cache-Control before.
func WriteJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	writeBody(w, r, status, v)
}

func writeBody(w http.ResponseWriter, r *http.Request, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("encode an answer: " + err.Error()) // a bug: our own types all encode
	}
	if h := w.Header(); h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(b, '\n')) // the caller is gone: nobody left to tell
	}
}

// Mux serves mux, with problem documents where [http.ServeMux] would answer
// 404 and 405 in plain text.
func Mux(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			traceRoute(r, pattern)
			mux.ServeHTTP(w, r)
			return
		}
		probe := probeWriter{header: http.Header{}, status: http.StatusOK}
		h.ServeHTTP(&probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			WriteMethodNotAllowed(w, r, probe.header.Get("Allow"))
			return
		}
		WriteNotFound(w, r)
	})
}

// WriteNotFound answers 404 for a path that nothing serves.
func WriteNotFound(w http.ResponseWriter, r *http.Request) {
	WriteProblem(w, r, NewProblem(http.StatusNotFound, quotekit.ENotFound,
		"Nothing is served at this path."))
}

// WriteMethodNotAllowed answers 405; allow lists the methods that are served.
func WriteMethodNotAllowed(w http.ResponseWriter, r *http.Request, allow string) {
	w.Header().Set("Allow", allow)
	WriteProblem(w, r, NewProblem(http.StatusMethodNotAllowed, "method_not_allowed",
		"This path takes "+strings.TrimSpace(allow)+"."))
}

// probeWriter learns what a handler would answer.
type probeWriter struct {
	header http.Header
	status int
}

func (p *probeWriter) Header() http.Header         { return p.header }
func (p *probeWriter) WriteHeader(status int)      { p.status = status }
func (p *probeWriter) Write(b []byte) (int, error) { return len(b), nil }
