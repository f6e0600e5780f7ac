package dashboard_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/monitor/dashboard"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

const (
	token = "a token of ada"
	// userToken, viewerToken and operatorToken are what the JWTs of the tests look like.
	userToken, viewerToken, operatorToken = "jwt.of.user", "jwt.of.viewer", "jwt.of.operator"
)

// clock is one that goes when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// scene is a dashboard on a database of its own.
type scene struct {
	*dashboard.Dashboard
	t      *testing.T
	clock  *clock
	store  *store.Store
	config dashboard.Config
}

// onBoth runs a test with a dashboard on each engine.
func onBoth(t *testing.T, f func(*testing.T, *scene)) {
	t.Run("sqlite", func(t *testing.T) { f(t, newScene(t, storetest.SQLiteURL(t, storetest.Tables))) })
	t.Run("postgres", func(t *testing.T) { f(t, newScene(t, storetest.PostgresURL(t, storetest.Tables))) })
}

func onSQLite(t *testing.T) *scene { return newScene(t, storetest.SQLiteURL(t, storetest.Tables)) }

func newScene(t *testing.T, databaseURL string) *scene {
	t.Helper()
	// Ahead of the real time, since the deadlines of connections are real.
	c := &clock{at: time.Now().Add(time.Hour).UTC().Truncate(time.Second)}
	s, err := store.Open(context.Background(), store.Config{URL: databaseURL, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	quiet := &alerts{}
	sc := &scene{t: t, clock: c, store: s, config: dashboard.Config{
		Store: s, Reads: &monitor.Reads{Store: s, Alerts: quiet, Now: c.Now}, Alerts: quiet,
		Tokens: []rest.Token{{Name: "ada", Secret: token}}, JWT: &jwts{c, time.Hour}, Version: "1.2.3", Now: c.Now,
		Logger: slog.New(slog.DiscardHandler),
	}}
	sc.remake()
	return sc
}

// remake starts the dashboard anew with the configuration as it is now.
func (s *scene) remake() {
	s.t.Helper()
	var err error
	if s.Dashboard, err = dashboard.New(s.config); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.Stop)
}

// jwts knows three users by their tokens.
type jwts struct {
	clock *clock
	valid time.Duration
}

func (j *jwts) Verify(_ context.Context, text string) (rest.Actor, time.Time, error) {
	roles := map[string]rest.Role{userToken: rest.RoleNone, viewerToken: rest.RoleViewer, operatorToken: rest.RoleOperator}
	role, ok := roles[text]
	if !ok {
		return rest.Actor{}, time.Time{}, rest.ErrUnknownCredential
	}
	const user = "7a5c9f3e-0000-4000-8000-00000000000a"
	return rest.Actor{Name: user, UserID: user, Role: role}, j.clock.Now().Add(j.valid), nil
}

// alerts is package alert for a test.
type alerts struct {
	list   []quotekit.Alert
	acts   []string
	broken bool
}

func (a *alerts) ListAlerts(context.Context, time.Time) ([]quotekit.Alert, error) {
	if a.broken {
		return nil, errors.New("the disk is on fire")
	}
	return a.list, nil
}

func (*alerts) AlertDeliveries(context.Context, int) ([]quotekit.AlertDelivery, error) {
	return nil, nil
}

func (a *alerts) Acknowledge(_ context.Context, id string, act quotekit.Act) (quotekit.Alert, error) {
	a.acts = append(a.acts, "acknowledge "+id+" by "+act.Actor+": "+act.Reason)
	return quotekit.Alert{}, nil
}

func (a *alerts) Silence(_ context.Context, id string, until time.Time, act quotekit.Act) (quotekit.Alert, error) {
	a.acts = append(a.acts, "silence "+id+" until "+until.Format(time.RFC3339)+" by "+act.Actor+": "+act.Reason)
	return quotekit.Alert{}, nil
}

func (*alerts) Unsilence(context.Context, string, quotekit.Act) (quotekit.Alert, error) {
	return quotekit.Alert{}, quotekit.Errorf(quotekit.EConflict, "alert is not silenced")
}

func (*alerts) Test(context.Context, quotekit.Act) ([]quotekit.AlertDelivery, error) {
	return make([]quotekit.AlertDelivery, 2), nil
}

func (*alerts) AlertRules() []quotekit.AlertRule { return nil }

// browser keeps cookies, and follows no redirects.
type browser struct {
	s       *scene
	host    string // with its scheme
	address string
	cookies map[string]string
	header  http.Header
}

func (s *scene) browser() *browser {
	return &browser{s: s, host: "http://127.0.0.1:8787", address: "127.0.0.1:4000", cookies: map[string]string{}, header: http.Header{}}
}

// loggedIn is a browser with a session.
func (s *scene) loggedIn(token string) *browser {
	s.t.Helper()
	b := s.browser()
	if got := b.post("/dashboard/login", "token", token); got.Code != http.StatusSeeOther {
		s.t.Fatalf("login is answered %d: %s", got.Code, got.Body)
	}
	return b
}

func (b *browser) get(path string) *httptest.ResponseRecorder {
	return b.send(http.MethodGet, path, nil)
}

// post sends a form: names and values in turn.
func (b *browser) post(path string, form ...string) *httptest.ResponseRecorder {
	values := url.Values{}
	for i := 0; i+1 < len(form); i += 2 {
		values.Add(form[i], form[i+1])
	}
	return b.send(http.MethodPost, path, strings.NewReader(values.Encode()))
}

func (b *browser) send(method, path string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, b.host+path, body)
	r.RemoteAddr = b.address
	if body != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, values := range b.header {
		r.Header[name] = values
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	rest.RequestID(b.s).ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return w
}

// audited lists what people did, in its order: actor, action.
func (s *scene) audited() []string {
	s.t.Helper()
	rows, err := s.store.Reader().Query(`SELECT actor, action FROM webhook_audit_trail ORDER BY chain_sequence`)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var lines []string
	for rows.Next() {
		var actor, action string
		if err := rows.Scan(&actor, &action); err != nil {
			s.t.Fatal(err)
		}
		lines = append(lines, actor+" "+action)
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return lines
}
