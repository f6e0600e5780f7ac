package monitor

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"

	"github.com/quotekit/quotekit"
)

//go:embed static
var static embed.FS

// Static serves the files of the pages.
func Static() http.Handler { return http.FileServerFS(static) }

// Home is the first page: what this is, whether it is set up, and where to go.
func Home(version string, webhookReady bool, routes []quotekit.Route) (http.Handler, error) {
	page, err := template.ParseFS(static, "static/home.html")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = page.Execute(&out, struct {
		Version      string
		WebhookReady bool
		Routes       []quotekit.Route
	}{version, webhookReady, routes})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(out.Bytes()) // the reader is gone: nobody left to tell
	}), nil
}
