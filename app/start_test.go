package app_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// mustBeWaiting checks what a service answers that has no database yet.
func (s *service) mustBeWaiting() {
	s.t.Helper()
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 503, "/openapi.json": 503, "/v1/monitor/events": 503, "/v1/quotes": 503,
	} {
		if got := s.statusOf("GET", path, "Bearer "+token); got != want {
			s.t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
	_, _ = send(s.URL(), product("evt_early", "prod_early"), func(req *http.Request, resp *http.Response, body []byte) {
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			s.t.Errorf("a delivery: got %d, Retry-After %q, want 503 and seconds", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	})
}

// withNotebook is a logger and what it writes.
func withNotebook() (*slog.Logger, *notebook) {
	n := new(notebook)
	return slog.New(slog.NewTextHandler(n, nil)), n
}

func isReady(s *service) func() bool {
	return func() bool {
		select {
		case <-s.Ready():
			return s.statusOf("GET", "/readyz", "") == 200
		default:
			return false
		}
	}
}

func TestStart_WaitsForPostgres(t *testing.T) {
	for _, role := range []app.Role{app.RoleAll, app.RoleWeb, app.RoleWorker} {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			p, behind := mustProxy(t, withPassword(t, storetest.PostgresURL(t, nil)))
			p.refuse()
			logger, log := withNotebook()
			s := mustBegin(t, plainConfig(behind), app.Options{Role: role, Logger: logger})
			eventually(t, 20*time.Second, "it says that it waits", func() bool {
				return strings.Contains(log.String(), `reason="nobody listens`)
			})
			s.mustBeWaiting()

			p.stall()
			p.admit()
			eventually(t, 30*time.Second, "it says that the server is silent", func() bool {
				return strings.Contains(log.String(), `reason="the server does not answer in time"`)
			})
			s.mustBeWaiting()

			p.flow()
			eventually(t, 60*time.Second, "readiness", isReady(s))
			if text := log.String(); strings.Contains(text, plantedPassword) || !strings.Contains(text, p.address) {
				t.Errorf("the log has the password, or lacks the address:\n%s", text)
			}
			if role != app.RoleWorker {
				if a := s.post(product("evt_1", "prod_1")); a.Status != "succeeded" || a.Duplicate {
					t.Errorf("got %+v for the first delivery", a)
				}
			}
		})
	}
}

const plantedPassword = "password-that-nobody-may-see"

// withPassword adds a password, which the server of the tests does not ask for.
func withPassword(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), plantedPassword)
	return u.String()
}

// TestStart_SaysWhatAPersonHasToMend: waiting may help, as somebody may mend it.
func TestStart_SaysWhatAPersonHasToMend(t *testing.T) {
	u, err := url.Parse(storetest.PostgresURL(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	later := strings.TrimPrefix(u.Path, "/") + "_later"
	for name, test := range map[string]struct {
		spoil            func(*url.URL)
		says, mend, undo string
	}{
		"no database": {
			func(u *url.URL) { u.Path = "/" + later }, "no database of the name",
			"CREATE DATABASE " + later + " OWNER " + u.User.Username(), "DROP DATABASE " + later,
		},
		"no user": {
			func(u *url.URL) { u.User = url.User(later) }, "refuses the user or the password",
			"CREATE ROLE " + later + " SUPERUSER LOGIN", "ALTER ROLE " + later + " NOLOGIN", // it owns tables
		},
	} {
		t.Run(name, func(t *testing.T) {
			spoilt := *u
			test.spoil(&spoilt)
			logger, log := withNotebook()
			s := mustBegin(t, plainConfig(spoilt.String()), app.Options{Logger: logger})
			eventually(t, 20*time.Second, "it says what is wrong", func() bool { return strings.Contains(log.String(), test.says) })
			s.mustBeWaiting()
			admin := storetest.Open(t, os.Getenv(storetest.ServerVariable))
			if _, err := admin.Writer().Exec(test.mend); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				s.stop()
				if _, err := admin.Writer().Exec(test.undo); err != nil {
					t.Errorf("%s: %v", test.undo, err)
				}
			})
			eventually(t, 60*time.Second, "readiness", isReady(s))
		})
	}
}

func TestStart_StopsAtOnceWhileItWaits(t *testing.T) {
	p, behind := mustProxy(t, storetest.PostgresURL(t, nil))
	for name, away := range map[string]func(){"refused": p.refuse, "silent": func() { p.stall(); p.admit() }} {
		t.Run(name, func(t *testing.T) {
			away()
			s := mustBegin(t, plainConfig(behind), app.Options{})
			s.mustBeWaiting()
			began := time.Now()
			s.stop() // fails the test on an error
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the stop took %s", took)
			}
		})
	}
}

// TestStart_EndsWhereWaitingDoesNotHelp: a table of somebody else's is found when
// the database is there, and ends the service as before.
func TestStart_EndsWhereWaitingDoesNotHelp(t *testing.T) {
	database := storetest.PostgresURL(t, nil)
	if _, err := storetest.Open(t, database).Writer().Exec("CREATE TABLE subscriptions (their_own INTEGER)"); err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), plainConfig(database), app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = a.Run(t.Context())
	if taken := new(store.ErrSchemaTaken); !errors.As(err, &taken) {
		t.Errorf("got %v, want that the schema is taken", err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
