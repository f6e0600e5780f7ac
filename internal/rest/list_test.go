package rest_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

func TestReadList(t *testing.T) {
	filters := []rest.Param{
		{Name: "name"},
		{Name: "status", Type: quotekit.EventStatus("")},
		{Name: "format", Enum: []string{"json", "csv"}},
		{Name: "resolved", Type: false},
		{Name: "from", Type: time.Time{}},
		{Name: "job", Type: uuid.UUID{}},
		{Name: "days", Type: 0, Min: 1},
	}
	tests := []struct {
		query string
		want  string // the places of what is wrong
	}{
		{"", ""},
		{"limit=200&cursor=abc&name=x%20y&status=dead&format=csv&resolved=false&days=9", ""},
		{"from=2026-11-24T10:00:00Z&job=0192f4a0-0000-7000-8000-000000000000", ""},
		{"name=&status=&limit=", ""},
		{"limit=201", "query.limit"},
		{"limit=0", "query.limit"},
		{"limit=ten", "query.limit"},
		{"nmae=x", "query.nmae"},
		{"name=x&name=y", "query.name"},
		{"status=done", "query.status"},
		{"format=xml", "query.format"},
		{"resolved=1", "query.resolved"},
		{"from=yesterday", "query.from"},
		{"job=7", "query.job"},
		{"job=0192f4a0000070008000000000000000", "query.job"},
		{"days=0", "query.days"},
		{"status=done&limit=x&zzz=1", "query.limit query.status query.zzz"},
	}
	for _, tt := range tests {
		_, err := rest.ReadList(httptest.NewRequest(http.MethodGet, "/v1/x?"+tt.query, nil), filters...)

		if got := places(err); got != tt.want {
			t.Errorf("%s: wrong are %q, want %q", tt.query, got, tt.want)
		}
	}
}

// places joins the locations of a problem.
func places(err error) string {
	var p *rest.Problem
	if !errors.As(err, &p) {
		return ""
	}
	text := ""
	for i, e := range p.Errors {
		if i > 0 {
			text += " "
		}
		text += e.Location
	}
	return text
}

func TestReadQuery_RequiredParameters(t *testing.T) {
	params := []rest.Param{{Name: "year", Type: 0, Required: true}}
	for query, want := range map[string]string{"year=2026": "", "": "query.year", "year=": "query.year", "year=1&year=2": "query.year"} {
		_, err := rest.ReadQuery(httptest.NewRequest(http.MethodGet, "/v1/x?"+query, nil), params...)
		if got := places(err); got != want {
			t.Errorf("%q: wrong are %q, want %q", query, got, want)
		}
	}
}

func TestWritePage_NeverWritesNoList(t *testing.T) {
	rec := httptest.NewRecorder()
	rest.WritePage[string](rec, httptest.NewRequest(http.MethodGet, "/", nil), nil, "")
	if got := rec.Body.String(); got != `{"items":[],"next_cursor":null}`+"\n" {
		t.Errorf("got %s", got)
	}
}
