package dashboard_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/rest"
)

func TestLogin_AStrangerIsLedToWhereHeWantedToGo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		b := s.browser()
		wanted := "/dashboard/alerts?range=7d"
		got := b.get(wanted)
		if got.Code != http.StatusUnauthorized {
			t.Errorf("status = %d, want 401", got.Code)
		}
		if !strings.Contains(got.Body.String(), `name="next" value="`+wanted+`"`) {
			t.Errorf("the page to log in does not remember %s: %s", wanted, got.Body)
		}
		got = b.post("/dashboard/login", "token", token, "next", wanted)
		if got.Code != http.StatusSeeOther || got.Header().Get("Location") != wanted {
			t.Fatalf("the login is answered %d to %q, want 303 to %s", got.Code, got.Header().Get("Location"), wanted)
		}
		if got := b.get(wanted); got.Code != http.StatusOK {
			t.Errorf("status after the login = %d, want 200", got.Code)
		}
		if got := b.post("/dashboard/logout"); got.Code != http.StatusSeeOther {
			t.Errorf("the logout is answered %d, want 303", got.Code)
		}
		if got, want := s.audited(), []string{"ada dashboard.login", "ada dashboard.logout"}; !slices.Equal(got, want) {
			t.Errorf("audit trail = %v, want %v", got, want)
		}
	})
}

func TestLogin_TheLogoutEndsTheSessionAtTheServer(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		b := s.loggedIn(token)
		stolen := b.cookies["quotekit"]
		b.post("/dashboard/logout")
		if len(b.cookies) != 0 {
			t.Errorf("cookies after the logout: %v", b.cookies)
		}
		b.cookies["quotekit"] = stolen
		if got := b.get("/dashboard"); got.Code != http.StatusUnauthorized {
			t.Errorf("status with the cookie of before = %d, want 401", got.Code)
		}
	})
}

func TestLogin_AnotherLoginHasAnotherID(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		b := s.loggedIn(token)
		first := b.cookies["quotekit"]
		b.post("/dashboard/login", "token", operatorToken)
		if b.cookies["quotekit"] == first {
			t.Error("the id was kept")
		}
		b.cookies["quotekit"] = first
		if got := b.get("/dashboard"); got.Code != http.StatusUnauthorized {
			t.Errorf("status with the cookie of before = %d, want 401", got.Code)
		}
	})
}

func TestLogin_WhoIsRefused(t *testing.T) {
	s := onSQLite(t)
	tests := []struct {
		name, token string
		status      int
		words       string
	}{
		{"nothing", "", 401, "Paste a token."},
		{"unknown", "x", 401, "This token is not known here."},
		{"the beginning", token[:5], 401, "This token is not known here."},
		{"a user without a role", userToken, 403, "This user is no operator"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := s.browser()
			got := b.post("/dashboard/login", "token", tt.token)
			if got.Code != tt.status || !strings.Contains(got.Body.String(), tt.words) {
				t.Errorf("answered %d %s, want %d with %q", got.Code, got.Body, tt.status, tt.words)
			}
			if len(b.cookies) != 0 {
				t.Errorf("cookies: %v", b.cookies)
			}
		})
	}
	if got := s.audited(); got != nil {
		t.Errorf("audit trail = %v, want nothing that a stranger has chosen", got)
	}
}

func TestLogin_LeadsNowhereElse(t *testing.T) {
	s := onSQLite(t)
	for i, next := range []string{
		"https://evil.example/dashboard", "//evil.example/dashboard", `/\evil.example`, "/dashboard/../../evil", "/openapi.json",
		"javascript:alert(1)", "/dashboardx", "/dashboard/\r\nX-Evil: 1", "",
	} {
		b := s.browser()
		b.address = "10.0.0." + strconv.Itoa(i) + ":1" // each with its own patience
		got := b.post("/dashboard/login", "token", token, "next", next)
		if to := got.Header().Get("Location"); got.Code != http.StatusSeeOther || to != "/dashboard" {
			t.Errorf("next %q leads to %q (%d), want /dashboard", next, to, got.Code)
		}
	}
}

func TestLogin_TooManyAttemptsFromAnAddress(t *testing.T) {
	s := onSQLite(t)
	b := s.browser()
	tries := 0
	for ; tries < 100; tries++ {
		if got := b.post("/dashboard/login", "token", "guess"); got.Code == http.StatusTooManyRequests {
			if got.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			break
		}
	}
	if tries != 10 {
		t.Errorf("%d guesses were looked at, want 10", tries)
	}
	if got := b.post("/dashboard/login", "token", token); got.Code != http.StatusTooManyRequests {
		t.Errorf("the right token is answered %d, want 429 like the others", got.Code)
	}
	other := s.browser()
	other.address = "192.0.2.7:5000"
	if got := other.post("/dashboard/login", "token", token); got.Code != http.StatusSeeOther {
		t.Errorf("another address is answered %d, want 303", got.Code)
	}
	s.clock.forward(time.Minute)
	if got := b.post("/dashboard/login", "token", token); got.Code != http.StatusSeeOther {
		t.Errorf("a minute later it is answered %d, want 303", got.Code)
	}
}

func TestSession_EndsAfterTwelveHoursWithoutUse(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		b := s.loggedIn(token)
		for range 3 { // use keeps it
			s.clock.forward(11 * time.Hour)
			if got := b.get("/dashboard/setup"); got.Code != http.StatusOK {
				t.Fatalf("status = %d, want 200 within twelve hours of the last use", got.Code)
			}
		}
		s.clock.forward(11 * time.Hour)
		b.header.Set("X-Quotekit-Live", "1") // what a page does by itself is no use
		if got := b.get("/dashboard/setup"); got.Code != http.StatusOK {
			t.Fatalf("status = %d, want 200", got.Code)
		}
		s.clock.forward(61 * time.Minute)
		if got := b.get("/dashboard/setup"); got.Code != http.StatusUnauthorized {
			t.Errorf("status = %d, want 401 after twelve hours", got.Code)
		}
	})
}

func TestSession_EndsAfterSevenDays(t *testing.T) {
	onBoth(t, func(t *testing.T, s *scene) {
		b := s.loggedIn(token)
		for range 7 * 4 {
			if got := b.get("/dashboard/setup"); got.Code != http.StatusOK {
				t.Fatalf("status = %d, want 200 within seven days", got.Code)
			}
			s.clock.forward(6 * time.Hour)
		}
		if got := b.get("/dashboard/setup"); got.Code != http.StatusUnauthorized {
			t.Errorf("status = %d, want 401 after seven days", got.Code)
		}
		if deleted, err := s.store.CleanSessions(t.Context(), s.clock.Now().Add(-12*time.Hour)); err != nil || deleted != 1 {
			t.Errorf("cleaned %d sessions, %v; want the one", deleted, err)
		}
	})
}

func TestSession_OfAJWTEndsWithIt(t *testing.T) {
	s := onSQLite(t)
	b := s.loggedIn(viewerToken)
	s.clock.forward(59 * time.Minute)
	if got := b.get("/dashboard/setup"); got.Code != http.StatusOK {
		t.Fatalf("status = %d, want 200 before the JWT expires", got.Code)
	}
	s.clock.forward(time.Minute)
	if got := b.get("/dashboard/setup"); got.Code != http.StatusUnauthorized {
		t.Errorf("status = %d, want 401 when the JWT has expired", got.Code)
	}
}

func TestSession_EndsWithTheTokenItWasOpenedWith(t *testing.T) {
	tests := []struct {
		name   string
		change func(*scene)
		want   int
	}{
		{"nothing changes", func(*scene) {}, 200},
		{"another token beside it", func(s *scene) {
			s.config.Tokens = append(s.config.Tokens, rest.Token{Name: "ada", Secret: "second"})
		}, 200},
		{"the token is changed", func(s *scene) { s.config.Tokens = []rest.Token{{Name: "ada", Secret: "other"}} }, 401},
		{"the name is changed", func(s *scene) { s.config.Tokens = []rest.Token{{Name: "bob", Secret: token}} }, 401},
		{"no token is left", func(s *scene) { s.config.Tokens = nil }, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := onSQLite(t)
			b := s.loggedIn(token)
			tt.change(s)
			s.remake()
			if got := b.get("/dashboard/setup"); got.Code != tt.want {
				t.Errorf("status = %d, want %d", got.Code, tt.want)
			}
		})
	}
	t.Run("JWTs are no longer taken", func(t *testing.T) {
		s := onSQLite(t)
		b := s.loggedIn(viewerToken)
		s.config.JWT = nil
		s.remake()
		if got := b.get("/dashboard/setup"); got.Code != http.StatusUnauthorized {
			t.Errorf("status = %d, want 401", got.Code)
		}
	})
}

func TestSession_TheTableDoesNotHaveWhatTheCookieHas(t *testing.T) {
	s := onSQLite(t)
	b := s.loggedIn(token)
	var row string
	err := s.store.Reader().QueryRow(`SELECT id_hash || ' ' || actor || ' ' || fingerprint FROM dashboard_sessions`).Scan(&row)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{b.cookies["quotekit"], token} {
		if strings.Contains(row, secret) {
			t.Errorf("the row %q has a secret", row)
		}
	}
}

func TestSession_TheCookie(t *testing.T) {
	tests := []struct {
		name, host string
		want       http.Cookie
	}{
		{"http on this machine", "http://127.0.0.1:8787", http.Cookie{Name: "quotekit"}},
		{"http on this machine, by name", "http://localhost:8787", http.Cookie{Name: "quotekit"}},
		{"http on this machine, IPv6", "http://[::1]:8787", http.Cookie{Name: "quotekit"}},
		{"https", "https://quotekit.example", http.Cookie{Name: "__Host-quotekit", Secure: true}},
		{"behind a proxy that ends TLS", "http://quotekit.example", http.Cookie{Name: "__Host-quotekit", Secure: true}},
	}
	s := onSQLite(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := s.browser()
			b.host = tt.host
			got := b.post("/dashboard/login", "token", token).Result().Cookies()
			if len(got) != 1 {
				t.Fatalf("%d cookies, want one", len(got))
			}
			c := got[0]
			if c.Name != tt.want.Name || c.Secure != tt.want.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("cookie = %s", c)
			}
			if len(c.Value) != 64 {
				t.Errorf("the id has %d digits, want 64: 256 bits", len(c.Value))
			}
		})
	}
}

// TestSession_APlainCookieDoesNotCountElsewhere: over http another host of the
// domain could plant one.
func TestSession_APlainCookieDoesNotCountElsewhere(t *testing.T) {
	s := onSQLite(t)
	b := s.loggedIn(token)
	b.host = "https://quotekit.example"
	if got := b.get("/dashboard"); got.Code != http.StatusUnauthorized {
		t.Errorf("status = %d, want 401", got.Code)
	}
}
