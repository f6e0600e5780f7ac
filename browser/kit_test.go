package browser_test

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mustServe serves a document with the policy that the pages have.
func mustServe(t *testing.T, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/favicon.ico" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/":
			_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><head><title>Page</title><meta name="viewport" content="width=device-width">%s`, body)
		case "/script.js", "/style.css":
			w.Header().Set("Content-Type", mime.TypeByExtension(filepath.Ext(r.URL.Path)))
			_, _ = io.WriteString(w, r.URL.Query().Get("text"))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

const whole = `<body><main><h1>All is well</h1></main>`

// TestKit_NoticesWhatIsWrong: a check that finds nothing is worth something only
// if it would find something.
func TestKit_NoticesWhatIsWrong(t *testing.T) {
	tests := []struct{ name, body, complaint string }{
		{"nothing", whole, ""},
		{"an inline script", whole + `<script>document.title = "x"</script>`, "script-src"},
		{"an inline style", whole + `<p style="color: red">red</p>`, "style-src"},
		{"a script that throws", whole + `<script src="/script.js?text=throw+new+Error('oh')"></script>`, "exception: "},
		{"a rejected promise", whole + `<script src="/script.js?text=Promise.reject(new+Error('oh'))"></script>`, "exception: "},
		{"a script that complains", whole + `<script src="/script.js?text=console.error('oh')"></script>`, `console: "oh"`},
		{"an image that is not there", whole + `<img alt="" src="/lost.png">`, "404"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustOpenTab(t, mustServe(t, tt.body))
			if status := p.open("/"); status != 200 {
				t.Fatalf("answered %d", status)
			}
			if tt.complaint == "" {
				p.checkQuiet()
				return
			}
			p.until("hear "+tt.complaint, func() (bool, error) {
				return slices.ContainsFunc(p.taken(), func(c string) bool { return strings.Contains(c, tt.complaint) }), nil
			})
		})
	}
}

func TestKit_NoticesWhatCannotBeUsed(t *testing.T) {
	good := mustOpenTab(t, mustServe(t, whole))
	good.open("/")
	if found := good.findings(); len(found) > 0 {
		t.Errorf("found %v in a good page", found)
	}
	if wide := good.wide(); len(wide) > 0 {
		t.Errorf("a good page is too wide: %q", wide)
	}
	bad := mustOpenTab(t, mustServe(t, `<link rel="stylesheet" href="/style.css?text=p{color:%23aaa}p{width:2000px}">`+
		whole+`<img src="data:,"><p>Grey on white</p>`))
	bad.open("/")
	if got := fmt.Sprint(bad.findings()); !strings.Contains(got, "image-alt") || !strings.Contains(got, "color-contrast") {
		t.Errorf("found %s, want the image and the contrast", got)
	}
	if wide := bad.wide(); len(wide) < 2 || !strings.Contains(wide[1], "<p>") {
		t.Errorf("too wide is %q, want the paragraph", wide)
	}
}

// TestKit_HandsWork presses, writes and ticks in a form, with either hand.
func TestKit_HandsWork(t *testing.T) {
	form := whole + `<main><a href="/?a">One</a><form>
		<label>Reason <input name="reason" value="old"></label>
		<label><input type="checkbox" name="sure"> Sure</label>
		<button name="go" value="yes">Go on</button></form></main>`
	for name, of := range map[string]func(*tab) hands{
		"mouse":    func(p *tab) hands { return mouse{p} },
		"keyboard": func(p *tab) hands { return keyboard{p} },
	} {
		t.Run(name, func(t *testing.T) {
			p := mustOpenTab(t, mustServe(t, form))
			p.withoutScripts()
			p.open("/")
			with := of(p)
			with.write("reason", "new words")
			with.tick("sure")
			with.press("button", "go on")
			p.until("the form is sent", func() (bool, error) { return p.path() == "/?reason=new+words&sure=on&go=yes", nil })
			with.press("link", "one")
			p.until("the link is followed", func() (bool, error) { return p.path() == "/?a", nil })
			p.checkQuiet()
		})
	}
}
