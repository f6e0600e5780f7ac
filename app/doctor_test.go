package app_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

// mustExamine lets the doctor look at an installation with these settings.
func mustExamine(t *testing.T, settings map[string]string) map[string]app.Finding {
	t.Helper()
	cfg, err := app.LoadConfig(env(settings), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]app.Finding{}
	d := app.Doctor{
		Config: cfg, Routes: handlers.Routes(), Now: time.Now, BaseURL: "http://127.0.0.1:1", Client: &http.Client{Timeout: 10 * time.Second},
	}
	for _, f := range d.Examine(t.Context()) {
		if _, twice := found[f.Check]; twice {
			t.Errorf("%s was checked twice", f.Check)
		}
		if (f.Fix == "") != (f.Status == app.FindingOK) || f.Found == "" {
			t.Errorf("%+v: what is wrong needs a fix, and what is right none", f)
		}
		if text, err := app.ExplainCheck(f.Check); err != nil || text == "" {
			t.Errorf("%s is not explained: %v", f.Check, err)
		}
		found[f.Check] = f
	}
	return found
}

// wantFindings looks at those of want: a state and a part of what was found.
func wantFindings(t *testing.T, found map[string]app.Finding, want map[string]string) {
	t.Helper()
	for check, w := range want {
		status, part, _ := strings.Cut(w, " ")
		if f := found[check]; string(f.Status) != status || !strings.Contains(f.Found, part) {
			t.Errorf("%s: got %s %q, want %s %q", check, f.Status, f.Found, status, part)
		}
	}
}

func TestDoctor_NothingIsThereYet(t *testing.T) {
	inEmptyFolder(t)
	wantFindings(t, mustExamine(t, nil), map[string]string{
		"database": "warn there is no file", "migrations": "ok not looked at", "durability": "ok not looked at", "disk": "ok free",
		"service": "warn nobody answers", "webhook-secret": "warn 503", "stripe-api": "warn no key", "stripe-endpoint": "ok no key",
		"operators": "warn nobody", "users": "warn nobody", "alerts": "warn no channel",
	})
}

func TestDoctor_Database(t *testing.T) {
	inEmptyFolder(t)
	for engine, url := range map[string]func(testing.TB, storetest.Migrate) string{"sqlite": storetest.SQLiteURL, "postgres": storetest.PostgresURL} {
		t.Run(engine, func(t *testing.T) {
			database := url(t, tables)
			found := mustExamine(t, map[string]string{"DATABASE_URL": database})
			want := map[string]string{"database": "ok ", "migrations": "ok all", "clock": "ok ", "pooler": "ok ", "durability": "ok survive"}
			if engine == "postgres" { // that of the tests keeps nothing it is given
				want["durability"] = "warn "
				if f := found["durability"]; f.Status == app.FindingOK {
					want["durability"] = "ok survive"
				} else if f.Status != app.FindingFail || !strings.Contains(f.Found, "fsync=off") {
					t.Errorf("got %+v of a server without fsync", f)
				} else {
					delete(want, "durability")
				}
			}
			wantFindings(t, found, want)

			s := storetest.Open(t, database)
			if _, err := s.Writer().Exec("DELETE FROM quotekit_schema_version WHERE version_id = (SELECT MAX(version_id) FROM quotekit_schema_version)"); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			wantFindings(t, mustExamine(t, map[string]string{"DATABASE_URL": database}), map[string]string{"migrations": "warn 1 of"})
			s = storetest.Open(t, database)
			if _, err := s.Writer().Exec("INSERT INTO quotekit_schema_version (version_id, is_applied, tstamp) VALUES (99999, TRUE, CURRENT_TIMESTAMP)"); err != nil {
				t.Fatal(err)
			}
			if engine == "sqlite" {
				wantFindings(t, mustExamine(t, map[string]string{"DATABASE_URL": database}), map[string]string{"database": "ok in use", "migrations": "ok the service has"})
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			wantFindings(t, mustExamine(t, map[string]string{"DATABASE_URL": database}), map[string]string{"migrations": "warn migration 99999"})
		})
	}
	wantFindings(t, mustExamine(t, map[string]string{"DATABASE_URL": "postgres://u:planted@127.0.0.1:1/db"}), map[string]string{
		"database": "fail nobody listens", "migrations": "warn not looked at", "pooler": "ok ",
	})
	wantFindings(t, mustExamine(t, map[string]string{"DATABASE_URL": "postgres://u:planted@127.0.0.1:6543/db"}), map[string]string{"pooler": "warn pooler"})
}

func TestDoctor_Stripe(t *testing.T) {
	inEmptyFolder(t)
	fake := stripetest.New(t, time.Now)
	settings := map[string]string{
		"STRIPE_SECRET_KEY": stripetest.Key, "STRIPE_API_BASE": fake.URL, "STRIPE_LIVEMODE": "true",
		"QUOTEKIT_PUBLIC_URL": "https://quotes.example.com", "QUOTEKIT_STRIPE_API_VERSION": "2025-09-30.clover",
	}
	endpoint := func(id, host, status, version string, types ...string) {
		fake.Put(fmt.Appendf(nil, `{"id":%q,"object":"webhook_endpoint","url":"https://%s/webhooks/stripe","status":%q,"api_version":%q,"enabled_events":["%s"]}`,
			id, host, status, version, strings.Join(types, `","`)))
	}
	examine := func(want map[string]string) {
		t.Helper()
		wantFindings(t, mustExamine(t, settings), want)
	}
	examine(map[string]string{"stripe-api": "ok ", "stripe-mode": "fail test mode", "stripe-endpoint": "warn none of Stripe's 0", "api-version": "ok "})

	settings["STRIPE_LIVEMODE"] = "false"
	endpoint("we_other", "other.example.com", "enabled", "2025-09-30.clover", "*")
	examine(map[string]string{"stripe-mode": "ok ", "stripe-endpoint": "warn none of Stripe's 1"})

	var types []string
	for _, r := range handlers.Routes() {
		types = append(types, r.Type)
	}
	endpoint("we_ours", "quotes.example.com", "enabled", "2025-09-30.clover", types[1:]...)
	examine(map[string]string{"stripe-endpoint": "warn " + types[0], "api-version": "ok clover"})
	endpoint("we_ours", "quotes.example.com", "enabled", "2020-08-27", types...)
	examine(map[string]string{"stripe-endpoint": "ok ", "api-version": "warn 2020-08-27"})
	endpoint("we_ours", "quotes.example.com", "disabled", "2020-08-27", "*")
	examine(map[string]string{"stripe-endpoint": "fail disabled"})

	settings["STRIPE_SECRET_KEY"] = "sk_test_wrong"
	examine(map[string]string{"stripe-api": "fail refuses the key", "stripe-endpoint": "warn not looked at"})
}

func TestDoctor_KeySet(t *testing.T) {
	inEmptyFolder(t)
	body, status := `{"keys":[{},{}]}`, http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	defer server.Close()
	settings := map[string]string{"SUPABASE_URL": server.URL}
	wantFindings(t, mustExamine(t, settings), map[string]string{"users": "ok 2 keys", "operators": "ok "})
	body = `{"keys":[]}`
	wantFindings(t, mustExamine(t, settings), map[string]string{"users": "warn empty"})
	body = `<html>`
	wantFindings(t, mustExamine(t, settings), map[string]string{"users": "fail no key set"})
	status = http.StatusNotFound
	wantFindings(t, mustExamine(t, settings), map[string]string{"users": "fail 404"})
	server.Close()
	wantFindings(t, mustExamine(t, settings), map[string]string{"users": "fail nobody answers"})
}

func TestExplainCheck_NamesTheChecks(t *testing.T) {
	_, err := app.ExplainCheck("nothing")
	if quotekit.CodeOf(err) != quotekit.ENotFound || !strings.Contains(err.Error(), "webhook-secret") {
		t.Errorf("got %v", err)
	}
}

// TestDoctor_TellsNoSecret plants secrets in every setting that has one.
func TestDoctor_TellsNoSecret(t *testing.T) {
	inEmptyFolder(t)
	const planted = "pl4nted"
	found := mustExamine(t, map[string]string{
		"DATABASE_URL": "postgres://u:" + planted + "@127.0.0.1:1/db", "STRIPE_WEBHOOK_SECRET": "whsec_" + planted,
		"STRIPE_SECRET_KEY": "sk_test_" + planted, "STRIPE_API_BASE": "http://127.0.0.1:1/" + planted,
		"QUOTEKIT_ADMIN_TOKEN": planted + planted, "SUPABASE_JWT_SECRET": strings.Repeat(planted, 6),
		"QUOTEKIT_ALERT_SLACK_URL": "http://127.0.0.1:1/" + planted,
	})
	if text := fmt.Sprint(slices.Collect(maps.Values(found))); strings.Contains(text, planted) {
		t.Errorf("a secret is told: %s", text)
	}
}
