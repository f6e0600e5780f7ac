package rest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

func mustProblem(t *testing.T, rec *httptest.ResponseRecorder) rest.Problem {
	t.Helper()
	if got := rec.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Fatalf("Content-Type = %q, want a problem document; body %s", got, rec.Body)
	}
	var p rest.Problem
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		t.Fatalf("decode problem: %v", err)
	}
	if p.Status != rec.Code {
		t.Errorf("status in the document = %d, of the answer = %d", p.Status, rec.Code)
	}
	return p
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestHandle_AnswersErrorsAsProblems(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
		code   quotekit.ErrorCode
		detail string
	}{
		{"invalid", quotekit.Errorf(quotekit.EInvalid, "limit is too large"), 400, quotekit.EInvalid, "limit is too large"},
		{"unauthorized", quotekit.Errorf(quotekit.EUnauthorized, "x"), 401, quotekit.EUnauthorized, "x"},
		{"forbidden", quotekit.Errorf(quotekit.EForbidden, "x"), 403, quotekit.EForbidden, "x"},
		{"not found, wrapped", fmt.Errorf("load: %w", quotekit.Errorf(quotekit.ENotFound, "no event evt_1")), 404, quotekit.ENotFound, "no event evt_1"},
		{"conflict", quotekit.Errorf(quotekit.EConflict, "x"), 409, quotekit.EConflict, "x"},
		{"unavailable", quotekit.Errorf(quotekit.EUnavailable, "x"), 503, quotekit.EUnavailable, "x"},
		{"a problem of its own", rest.NewProblem(413, "body_too_large", "at most 1 MiB"), 413, "body_too_large", "at most 1 MiB"},
		{"internal", errors.New("SELECT secret FROM t"), 500, quotekit.EInternal, ""},
		{"internal with code", quotekit.Errorf(quotekit.EInternal, "SELECT secret"), 500, quotekit.EInternal, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := rest.RequestID(rest.Handle(discard(), func(http.ResponseWriter, *http.Request) error { return tt.err }))
			rec := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, "/v1/x", nil)
			r.Header.Set("X-Request-Id", "abc")

			h.ServeHTTP(rec, r)

			p := mustProblem(t, rec)
			if rec.Code != tt.status || p.Code != tt.code {
				t.Errorf("got %d %s, want %d %s", rec.Code, p.Code, tt.status, tt.code)
			}
			if tt.detail != "" && p.Detail != tt.detail {
				t.Errorf("detail = %q, want %q", p.Detail, tt.detail)
			}
			if strings.Contains(rec.Body.String(), "SELECT") {
				t.Errorf("the answer shows an internal text: %s", rec.Body)
			}
			if p.RequestID != "abc" || p.Instance != "/v1/x" || p.Type == "" || p.Title == "" {
				t.Errorf("document is not complete: %+v", p)
			}
		})
	}
}

func TestHandle_LogsInternalErrorsOnce(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for _, err := range []error{errors.New("disk on fire"), quotekit.Errorf(quotekit.ENotFound, "quiet")} {
		h := rest.Handle(logger, func(http.ResponseWriter, *http.Request) error { return err })
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	}
	if got := strings.Count(log.String(), "\n"); got != 1 || !strings.Contains(log.String(), "disk on fire") {
		t.Errorf("log has %d lines, want one about the fire:\n%s", got, log.String())
	}
}

func TestMux_AnswersStrangersAsProblems(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/things/{id}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.PathValue("id")) })
	h := rest.Mux(mux)

	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/v1/things/7", nil))
	if rec.Code != 200 || rec.Body.String() != "7" {
		t.Errorf("got %d %q, want 200 with the path value", rec.Code, rec.Body)
	}

	rec = httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/v1/things/7", nil))
	if p := mustProblem(t, rec); p.Status != 405 || p.Code != "method_not_allowed" || rec.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("got %+v with Allow %q", p, rec.Header().Get("Allow"))
	}

	rec = httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/nowhere", nil))
	if p := mustProblem(t, rec); p.Status != 404 || p.Code != quotekit.ENotFound {
		t.Errorf("got %+v", p)
	}
}

func TestRequestID_KeepsHarmlessIDsOnly(t *testing.T) {
	for id, kept := range map[string]bool{
		"req-1": true, "00-4bf92f3577b34da6a3ce929d0e0e4736-00": true,
		"": false, "two words": false, "line\nbreak": false, "ümlaut": false, `"q"`: false,
		strings.Repeat("x", 64): true, strings.Repeat("x", 65): false,
		"req_of_the_proxy": true, "req_06DGO79E7TT4N32TDPVO14CIIC": false, "req_0" + strings.Repeat("x", 25): false,
	} {
		var inside string
		h := rest.RequestID(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = rest.RequestIDFrom(r.Context()) }))
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Request-Id", id)
		rec := httptest.NewRecorder()

		h.ServeHTTP(rec, r)

		if got := rec.Header().Get("X-Request-Id"); got != inside || inside == "" || (inside == id) != kept {
			t.Errorf("id %q: context has %q, header %q, kept want %v", id, inside, got, kept)
		}
	}
}

func TestRequestMade_IsWhenAnIDOfOursWasMade(t *testing.T) {
	before := time.Now().Truncate(time.Millisecond)
	rec := httptest.NewRecorder()
	rest.RequestID(http.NotFoundHandler()).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	id := rec.Header().Get("X-Request-Id")
	if at, ok := rest.RequestMade(id); !ok || at.Before(before) || at.After(time.Now()) {
		t.Errorf("%s was made at %s, %t, want since %s", id, at, ok, before)
	}
	for _, other := range []string{
		"", "req_1", "abc", strings.ToLower(id), id + "0", "req_0" + strings.Repeat("x", 25), "req_06DGO79E7T54N32TDPVO14CIIC",
		"0" + id[1:], "req-" + id[4:],
	} {
		if at, ok := rest.RequestMade(other); ok {
			t.Errorf("%q was made at %s, want nothing of an id that is not ours", other, at)
		}
	}
}

func TestRecover_AnswersAndLogsOnce(t *testing.T) {
	var log bytes.Buffer
	h := rest.Recover(slog.New(slog.NewTextHandler(&log, nil)))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic("kaboom")
	}))
	rec := httptest.NewRecorder()

	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))

	if p := mustProblem(t, rec); p.Status != 500 || strings.Contains(rec.Body.String(), "kaboom") {
		t.Errorf("got %s", rec.Body)
	}
	if strings.Count(log.String(), "kaboom") != 1 {
		t.Errorf("log = %s", log.String())
	}
}

func TestRecover_CutsAnAnswerThatHasBegun(t *testing.T) {
	server := httptest.NewServer(rest.Recover(discard())(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic("kaboom")
	})))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	defer server.Close()

	resp, err := http.Get(server.URL)
	if err == nil {
		_, err = resp.Body.Read(make([]byte, 100))
		_ = resp.Body.Close()
	}
	if err == nil {
		t.Error("the half answer looks whole")
	}
}

func TestAccessLog_LevelsAndSilence(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	now := func() time.Time { return time.Unix(0, 0) }
	h := rest.AccessLog(logger, now)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = w.Write([]byte("ok"))
	}))
	for _, path := range []string{"/good", "/bad", "/livez", "/readyz"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 ||
		!strings.Contains(lines[0], "level=DEBUG") || !strings.Contains(lines[0], "path=/good status=200 bytes=2") ||
		!strings.Contains(lines[1], "level=INFO") || !strings.Contains(lines[1], "path=/bad status=400") {
		t.Errorf("log:\n%s", log.String())
	}
}

func TestSecurityHeaders_AreOnEveryAnswer(t *testing.T) {
	rec := httptest.NewRecorder()
	rest.Chain(http.NotFoundHandler(), rest.RequestID, rest.SecurityHeaders).
		ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	for _, name := range []string{
		"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy",
		"Cross-Origin-Opener-Policy", "Permissions-Policy", "X-Request-Id",
	} {
		if rec.Header().Get(name) == "" {
			t.Errorf("%s is missing", name)
		}
	}
	if rec.Header().Get("Strict-Transport-Security") != "" {
		t.Error("HSTS without TLS")
	}
}
