package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"slices"

	"github.com/quotekit/quotekit/internal/rest"
)

var (
	//go:embed templates
	templateFiles embed.FS
	//go:embed static
	staticFiles embed.FS
)

// liveHeader marks what a page fetches by itself, to stay up to date.
const liveHeader = "X-Quotekit-Live"

// View is what a template sees.
type View struct {
	Title   string
	Nav     string
	Version string
	Dev     bool
	// Data is the page's own.
	Data any
	// Topics are what the page is about.
	Topics string
	// Status is how all is; nil on the pages of strangers.
	Status *Status
	// Actor is who looks.
	Actor rest.Actor
	Flash flash
	// Self is the URL of the page, with its query. Live is whether it can be asked for
	// again: the answer of an act cannot, and Self is then where the act came from.
	Self string
	Live bool
	// NoFetch says why the current object cannot be fetched from Stripe; empty if it can.
	NoFetch string
	// When is the range of time, zero if the page has none; see [When].
	When *When
	// API is the endpoint with the same data, and JSON where it is for the session.
	API, JSON string
	// Theme, Zone, Keys and Rows are preferences.
	Theme, Zone, Keys, Rows string
	Search                  string
	RequestID               string
}

// Can reports whether the one who looks has a role.
func (v View) Can(role string) bool { return v.Actor.Role >= rest.ParseRole(role) }

// NavEntry is an entry of the navigation.
type NavEntry struct {
	Title, Path, Letter string
	Current             bool
	// Count is what is to be looked at there; empty is nothing.
	Count  string
	Urgent bool
}

// Navigation is the entries on the left.
func (v View) Navigation() []NavEntry {
	var out []NavEntry
	for _, n := range navigation {
		e := NavEntry{Title: n.Title, Path: n.Path, Letter: n.Letter, Current: n.Key == v.Nav}
		if v.Status != nil {
			e.Count, e.Urgent = v.Status.count(n.Key)
		}
		out = append(out, e)
	}
	return out
}

// view is what the layout shows around a page.
func (d *Dashboard) view(w http.ResponseWriter, r *http.Request, p Page, a Answer) View {
	v := View{
		Title: p.Title, Nav: p.Nav, Topics: p.Topics, Version: d.Version, Dev: d.Dev, Data: a.Data,
		Actor: rest.ActorFrom(r.Context()), Self: r.URL.RequestURI(), RequestID: rest.RequestIDFrom(r.Context()), NoFetch: d.Reads.NoFetch(),
		Theme: preferenceOf(r, "theme"), Zone: preferenceOf(r, "zone"), Keys: preferenceOf(r, "keys"), Rows: preferenceOf(r, "rows"),
	}
	if v.Live = r.Method != http.MethodPost; !v.Live {
		if v.Self = Path; isLocal(r.PostFormValue("back")) {
			v.Self = r.PostFormValue("back")
		}
	}
	if a.Title != "" {
		v.Title = a.Title
	}
	if v.Actor.Role == rest.RoleNone {
		return v
	}
	v.Flash = takeFlash(w, r)
	v.Status = d.status.get(r.Context())
	if p.JSON {
		v.JSON = jsonURL(r.URL)
		v.API = a.API
	}
	if a.Ranged {
		v.When = d.when(r)
	}
	return v
}

// jsonURL is where the data of a page is as JSON.
func jsonURL(page *url.URL) string {
	u := *page
	u.Path = Path + "/json" + u.Path[len(Path):]
	return u.RequestURI()
}

// parseTemplates reads the template of every page, with the layout around it.
func parseTemplates(pages []Page) (map[string]*template.Template, error) {
	layout, err := template.New("").Funcs(functions).ParseFS(templateFiles, "templates/layout.html", "templates/parts*.html")
	if err != nil {
		return nil, fmt.Errorf("read the layout: %w", err)
	}
	names := []string{"login", "error"}
	for _, p := range pages {
		if p.Template != "" {
			names = append(names, p.Template)
		}
		names = append(names, p.More...)
	}
	slices.Sort(names)
	out := map[string]*template.Template{}
	for _, name := range slices.Compact(names) {
		t, err := layout.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, "templates/"+name+".html")
		}
		if err != nil {
			return nil, fmt.Errorf("read the template %s: %w", name, err)
		}
		out[name] = t
	}
	return out, nil
}

// StaticPath is where the files of the pages are, which anybody may see.
const StaticPath = "/static/dashboard/"

// Static serves the style and the script. Their URLs have a hash of the content,
// so that a browser may keep them.
func Static() http.Handler {
	files, err := fs.Sub(staticFiles, "static")
	if err != nil {
		panic("dashboard: " + err.Error()) // the folder is embedded
	}
	serve := http.StripPrefix(StaticPath, http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cache := "no-cache"
		if r.URL.Query().Get("v") != "" {
			cache = "public, max-age=31536000, immutable"
		}
		w.Header().Set("Cache-Control", cache)
		serve.ServeHTTP(w, r)
	})
}

// asset is the URL of a file of static.
func asset(name string) (string, error) {
	b, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		return "", fmt.Errorf("find asset: %w", err)
	}
	sum := sha256.Sum256(b)
	return StaticPath + name + "?v=" + hex.EncodeToString(sum[:6]), nil
}
