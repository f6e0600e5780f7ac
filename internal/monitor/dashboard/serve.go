package dashboard

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

// maxForm bounds the body of an act, in bytes: ten thousand ids, and room.
const maxForm = 1 << 20

// page serves a row of the table.
func (d *Dashboard) page(p Page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, err := d.answer(r, p)
		switch {
		case err != nil:
			d.serveError(w, r, err)
		case a.To != "":
			for _, c := range a.Cookies {
				http.SetCookie(w, c)
			}
			d.setFlash(w, r, flash{Text: a.Done, Warned: a.Warned})
			http.Redirect(w, r, a.To, http.StatusSeeOther)
		case a.File != nil:
			d.serveFile(w, r, a.File)
		default:
			d.render(w, r, p, a)
		}
	})
}

// json serves the data of a page.
func (d *Dashboard) json(p Page) http.Handler {
	return rest.Handle(d.Logger, func(w http.ResponseWriter, r *http.Request) error {
		a, err := d.answer(r, p)
		switch {
		case err != nil:
			return err
		case a.JSON == nil && a.To != "": // another page has it
			http.Redirect(w, r, strings.Replace(a.To, Path, Path+"/json", 1), http.StatusSeeOther)
		default:
			rest.WriteJSON(w, r, http.StatusOK, a.JSON)
		}
		return nil
	})
}

// answer asks the function of a row, if the role is enough.
func (d *Dashboard) answer(r *http.Request, p Page) (Answer, error) {
	if role := rest.ActorFrom(r.Context()).Role; role < p.Role {
		return Answer{}, quotekit.Errorf(quotekit.EForbidden, "This needs the role %s; yours is %s.", p.Role, role)
	}
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			return Answer{}, quotekit.Errorf(quotekit.EInvalid, "The form cannot be read.")
		}
	}
	if !isText(r) {
		return Answer{}, quotekit.Errorf(quotekit.EInvalid, "The request says something that is no text in UTF-8, or has U+0000 in it.")
	}
	return p.Handle(d, r)
}

// isText reports whether all that a request says is text that both databases take.
func isText(r *http.Request) bool {
	isText := func(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
	for _, values := range []url.Values{r.URL.Query(), r.PostForm} {
		for _, list := range values {
			if !isText(strings.Join(list, "")) {
				return false
			}
		}
	}
	return isText(r.URL.Path)
}

// render writes a page. The copy that the browser has, if it asks about one, is
// compared with what it would be.
func (d *Dashboard) render(w http.ResponseWriter, r *http.Request, p Page, a Answer) {
	v := d.view(w, r, p, a)
	name := p.Template
	if a.Template != "" {
		name = a.Template
	}
	var out bytes.Buffer
	t, ok := d.templates[name]
	if !ok {
		panic("dashboard: no template " + name) // a bug: the table names it
	}
	if err := t.ExecuteTemplate(&out, "layout", v); err != nil {
		d.Logger.ErrorContext(r.Context(), "page not rendered", "error", err, "path", r.URL.Path, "request_id", rest.RequestIDFrom(r.Context()))
		rest.WriteProblem(w, r, rest.ProblemOf(err))
		return
	}
	status := a.Status
	if status == 0 {
		status = http.StatusOK
	}
	h := w.Header()
	if status == http.StatusOK {
		etag := fmt.Sprintf(`"%x"`, sha256.Sum256(out.Bytes()))
		h.Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(out.Len()))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(out.Bytes()) // the reader is gone: nobody left to tell
	}
}

// serveFile sends a file to be kept.
func (d *Dashboard) serveFile(w http.ResponseWriter, r *http.Request, f *File) {
	h := w.Header()
	h.Set("Content-Type", f.Media)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}))
	if r.Method == http.MethodHead {
		return
	}
	if err := f.Write(w); err != nil {
		d.Logger.ErrorContext(r.Context(), "file not written", "error", err, "path", r.URL.Path, "request_id", rest.RequestIDFrom(r.Context()))
		panic(http.ErrAbortHandler)
	}
}

// failure is the data of the page of an error.
type failure struct {
	*rest.Problem
	Back      string
	RequestID string
	Retry     bool
}

// serveError makes a page of an error, and logs it if it is the service's fault.
func (d *Dashboard) serveError(w http.ResponseWriter, r *http.Request, err error) {
	p := rest.ProblemOf(err)
	if p.Status == http.StatusInternalServerError {
		d.Logger.ErrorContext(r.Context(), "page failed", "error", err, "method", r.Method, "path", r.URL.Path,
			"request_id", rest.RequestIDFrom(r.Context()))
	}
	d.serveProblem(w, r, p)
}

func (d *Dashboard) serveProblem(w http.ResponseWriter, r *http.Request, p *rest.Problem) {
	f := failure{Problem: p, RequestID: rest.RequestIDFrom(r.Context()), Back: Path, Retry: r.Method == http.MethodGet}
	if f.Retry {
		f.Back = r.URL.RequestURI()
	} else if back := r.PostFormValue("back"); isLocal(back) {
		f.Back = back
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	d.render(w, r, Page{Title: p.Title, Template: "error", Topics: "none"}, Answer{Data: f, Status: p.Status})
}

// serveForeign answers a form that another site has sent.
func (d *Dashboard) serveForeign(w http.ResponseWriter, r *http.Request) {
	d.serveProblem(w, r, rest.NewProblem(http.StatusForbidden, quotekit.EForbidden,
		"This request came from another site, so nothing was done. If it came from this page: the dashboard wants https, "+
			"or an address of this machine like 127.0.0.1."))
}

// serveUnknown answers what the table has no row for.
func (d *Dashboard) serveUnknown(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == Path+"/" && r.Method == http.MethodGet {
		http.Redirect(w, r, Path, http.StatusMovedPermanently)
		return
	}
	other := http.MethodPost
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		other = http.MethodGet
	}
	probe := &http.Request{Method: other, URL: r.URL, Host: r.Host}
	if _, pattern := d.mux.Handler(probe); pattern != "" && pattern != "/" {
		w.Header().Set("Allow", other)
		d.serveProblem(w, r, rest.NewProblem(http.StatusMethodNotAllowed, "method_not_allowed", "This path takes "+other+"."))
		return
	}
	d.serveError(w, r, quotekit.Errorf(quotekit.ENotFound, "There is no page at this address."))
}

// isLocal reports whether a URL leads to a page of ours and nowhere else.
func isLocal(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && path.Clean(u.Path) == u.Path &&
		(u.Path == Path || strings.HasPrefix(u.Path, Path+"/")) && !strings.ContainsAny(text, "\\\r\n\x00")
}
