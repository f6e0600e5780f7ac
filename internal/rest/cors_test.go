package rest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/quotekit/quotekit/internal/rest"
)

func TestCrossOrigin(t *testing.T) {
	const origin = "https://app.example.com"
	reached := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	tests := []struct {
		name                 string
		allowed              []string
		method, path, origin string
		ask                  map[string]string // of a preflight
		status               int
		allow                string
	}{
		{"off", nil, "GET", "/v1/quotes", origin, nil, 418, ""},
		{"off, preflight", nil, "OPTIONS", "/v1/quotes", origin, map[string]string{"Method": "GET"}, 418, ""},
		{"another origin", []string{origin}, "GET", "/v1/quotes", "https://evil.example.com", nil, 418, ""},
		{"another scheme", []string{origin}, "GET", "/v1/quotes", "http://app.example.com", nil, 418, ""},
		{"no origin", []string{origin}, "GET", "/v1/quotes", "", nil, 418, ""},
		{"allowed", []string{"https://b.example.com", origin}, "GET", "/v1/quotes", origin, nil, 418, origin},
		{"preflight", []string{origin}, "OPTIONS", "/v1/batch-jobs", origin, map[string]string{"Method": "POST", "Headers": "authorization,content-type,idempotency-key,prefer"}, 204, origin},
		{"preflight of another method", []string{origin}, "OPTIONS", "/v1/batch-jobs", origin, map[string]string{"Method": "DELETE"}, 204, ""},
		{"preflight of another header", []string{origin}, "OPTIONS", "/v1/batch-jobs", origin, map[string]string{"Method": "POST", "Headers": "x-anything"}, 204, ""},
		{"a page", []string{origin}, "GET", "/dashboard", origin, nil, 418, ""},
		{"Stripe's endpoint", []string{origin}, "OPTIONS", "/webhooks/stripe", origin, map[string]string{"Method": "POST"}, 418, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(tt.method, tt.path, nil)
			if tt.origin != "" {
				r.Header.Set("Origin", tt.origin)
			}
			for name, value := range tt.ask {
				r.Header.Set("Access-Control-Request-"+name, value)
			}
			rec := httptest.NewRecorder()
			rest.CrossOrigin(tt.allowed)(reached).ServeHTTP(rec, r)
			h := rec.Header()
			if rec.Code != tt.status || h.Get("Access-Control-Allow-Origin") != tt.allow || h.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("got %d, %v, want %d, allowed %q", rec.Code, h, tt.status, tt.allow)
			}
		})
	}
}
