package rest

import (
	"net/http"
	"strings"

	"github.com/rs/cors"
)

// apiPrefix begins the path of everything that programs call.
const apiPrefix = "/v1/"

// preflightSeconds is how long a browser may remember what it may send.
const preflightSeconds = 600

// CrossOrigin lets the pages of these origins, such as https://app.example.com, call
// the API from a browser. Without origins none may. Cookies are never allowed: who
// calls says so with a token.
func CrossOrigin(origins []string) Middleware {
	if len(origins) == 0 {
		return func(next http.Handler) http.Handler { return next }
	}
	c := cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodPost},
		AllowedHeaders: []string{"Accept", "Authorization", "Content-Type", "Idempotency-Key", "Last-Event-Id", "Prefer", "X-Request-Id"},
		ExposedHeaders: []string{"Content-Disposition", "Idempotency-Replayed", "Link", "Location", "Preference-Applied", "Retry-After", "Www-Authenticate", "X-Request-Id"},
		MaxAge:         preflightSeconds,
	})
	return func(next http.Handler) http.Handler {
		api := c.Handler(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, apiPrefix) {
				api.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
