package dashboard

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// Config is what the pages show and act through.
type Config struct {
	Store    *store.Store
	Reads    *monitor.Reads
	Operator monitor.Operator
	Bulk     monitor.BulkOperator
	Tasks    monitor.Tasker
	Groups   monitor.GroupOperator
	Revealer monitor.Revealer
	Alerts   monitor.AlertActor
	// Tokens may log in as admins, and JWT is asked of everything else; nil is nobody.
	Tokens  []rest.Token
	JWT     JWTVerifier
	Batches monitor.BatchOperator
	// Operations are the names of bulk operations.
	Operations []string
	// Setup lists what should be configured, and Settings everything that can be.
	Setup    []Check
	Settings []Setting
	// TestEvent sends an event to the service; nil where that would be a real one.
	TestEvent func(context.Context) (eventID string, err error)
	// Dev offers what belongs into no production.
	Dev     bool
	Version string
	Now     func() time.Time
	Logger  *slog.Logger
}

// JWTVerifier tells whose a JWT is, and when it expires. It is [rest.JWT].
type JWTVerifier interface {
	Verify(ctx context.Context, token string) (actor rest.Actor, expires time.Time, err error)
}

// Check is a line of the list of what is configured.
type Check struct {
	Name string
	// Variable sets it, and Value is what it is set to, secrets redacted.
	Variable, Value string
	// OK is whether it is as it should be; Fix says what to do if it is not.
	OK  bool
	Fix string
}

// Setting is a variable of the configuration, secrets redacted.
type Setting struct{ Name, Value, Origin string }

// Dashboard answers everything below /dashboard.
type Dashboard struct {
	Config
	mux       *http.ServeMux
	templates map[string]*template.Template
	protect   *http.CrossOriginProtection
	attempts  *attempts
	status    *statusCache
	watch     *watch
}

// Path is where the dashboard is, and StreamPath its event stream.
const (
	Path       = "/dashboard"
	StreamPath = Path + "/stream"
)

// New reads the templates and lays out the pages.
func New(c Config) (*Dashboard, error) {
	d := &Dashboard{Config: c, mux: http.NewServeMux(), protect: http.NewCrossOriginProtection(), attempts: newAttempts(c.Now)}
	d.status = newStatusCache(d)
	d.watch = newWatch(d)
	d.protect.SetDenyHandler(http.HandlerFunc(d.serveForeign))
	var err error
	if d.templates, err = parseTemplates(pages); err != nil {
		return nil, err
	}
	for _, p := range pages {
		d.mux.Handle(p.Pattern, d.page(p))
		if p.JSON {
			d.mux.Handle(p.jsonPattern(), d.json(p))
		}
	}
	d.mux.HandleFunc("GET "+StreamPath, d.serveStream)
	d.mux.HandleFunc("/", d.serveUnknown)
	return d, nil
}

// ServeHTTP answers every request below [Path].
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	d.protect.Handler(http.HandlerFunc(d.serveKnown)).ServeHTTP(w, r)
}

// serveKnown lets in whoever is logged in; everybody else may only log in.
func (d *Dashboard) serveKnown(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == loginPath && r.Method == http.MethodPost {
		d.serveLogin(w, r)
		return
	}
	s, err := d.session(r)
	switch {
	case quotekit.CodeOf(err) == quotekit.ENotFound:
		d.serveStranger(w, r, http.StatusUnauthorized, "")
	case err != nil:
		d.serveError(w, r, err)
	default:
		r = r.WithContext(withSession(rest.WithActor(r.Context(), s.actor()), s))
		d.touch(r, s)
		d.mux.ServeHTTP(w, r)
	}
}

// Stop ends the event streams, so that the service can.
func (d *Dashboard) Stop() { d.watch.stop() }
