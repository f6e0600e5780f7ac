package app_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit/app"
)

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

// inEmptyFolder keeps a quotekit.env of the source folder out of the test.
func inEmptyFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	return dir
}

func TestLoadConfig_Defaults(t *testing.T) {
	inEmptyFolder(t)
	c, err := app.LoadConfig(env(nil), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if c.DatabaseURL != "sqlite:quotekit.db" || c.Addr != "127.0.0.1:8787" || c.Schema != "public" ||
		c.Retention != (app.Retention{45, 35, 90, 365, 365, 35, 400, 365}) || c.WebhookSecrets != nil || c.Livemode != nil || c.AdminTokens != nil || c.LogLevel != slog.LevelInfo || c.LogFormat != "auto" {
		t.Errorf("defaults = %#v", c)
	}
	for _, v := range c.Values() {
		if v.Origin != app.OriginDefault {
			t.Errorf("%s comes from %s", v.Name, v.Origin)
		}
	}
}

func TestLoadConfig_FlagOverEnvironmentOverFileOverDefault(t *testing.T) {
	dir := inEmptyFolder(t)
	file := filepath.Join(dir, app.DefaultConfigFile)
	text := "QUOTEKIT_ADDR=127.0.0.1:1\nQUOTEKIT_SCHEMA=from_file\n# a comment\nexport QUOTEKIT_LOG_LEVEL=debug\nOTHER=x\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := app.LoadConfig(
		env(map[string]string{"QUOTEKIT_ADDR": "127.0.0.1:2", "QUOTEKIT_SCHEMA": "from_env"}),
		map[string]string{"QUOTEKIT_ADDR": "127.0.0.1:3"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if c.Addr != "127.0.0.1:3" || c.Schema != "from_env" || c.LogLevel != slog.LevelDebug {
		t.Errorf("addr %s, schema %s, level %s", c.Addr, c.Schema, c.LogLevel)
	}
	for name, want := range map[string]app.Origin{
		"QUOTEKIT_ADDR": app.OriginFlag, "QUOTEKIT_SCHEMA": app.OriginEnv,
		"QUOTEKIT_LOG_LEVEL": app.OriginFile, "DATABASE_URL": app.OriginDefault,
	} {
		if got := c.Origin(name); got != want {
			t.Errorf("origin of %s = %s, want %s", name, got, want)
		}
	}
	if os.Getenv("OTHER") != "" {
		t.Error("the file leaked into the environment of the process")
	}
}

func TestLoadConfig_Values(t *testing.T) {
	tests := []struct {
		name, value string
		wrong       string // part of the message; empty if the value is right
	}{
		{"DATABASE_URL", "sqlite:/var/lib/q.db", ""},
		{"DATABASE_URL", "postgres://u:p@localhost:5432/db?sslmode=disable", ""},
		{"DATABASE_URL", "postgresql:///db?host=/run/postgresql", ""},
		{"DATABASE_URL", "postgres:///db", "names no host"},
		{"DATABASE_URL", "sqlite:", "without a path"},
		{"DATABASE_URL", "sqlite::memory:", "is in memory"},
		{"DATABASE_URL", "mysql://x", "must be sqlite:PATH or postgres://"},
		{"DATABASE_URL", "quotekit.db", "must be sqlite:PATH or postgres://"},
		{"DATABASE_URL", "postgres://u:s3cr%et@host/db", "percent-encoded"},
		{"QUOTEKIT_ADDR", "127.0.0.1:0", ""},
		{"QUOTEKIT_ADDR", "[::1]:80", ""},
		{"QUOTEKIT_ADDR", "localhost:80", ""},
		{"QUOTEKIT_ADDR", "8787", "not host:port"},
		{"QUOTEKIT_ADDR", "127.0.0.1:http", "not a number"},
		{"QUOTEKIT_ADDR", "127.0.0.1:65536", "not a number"},
		{"QUOTEKIT_ADDR", "127.0.0.1:", "not a number"},
		{"QUOTEKIT_ADDR", ":8787", "nobody could log in"},
		{"QUOTEKIT_ADDR", "0.0.0.0:8787", "nobody could log in"},
		{"QUOTEKIT_ADDR", "[::]:8787", "nobody could log in"},
		{"QUOTEKIT_ADDR", "quotes.example.com:8787", "nobody could log in"},
		{"QUOTEKIT_SCHEMA", "quotekit_2", ""},
		{"QUOTEKIT_SCHEMA", "_q", ""},
		{"QUOTEKIT_SCHEMA", "2q", "not a name"},
		{"QUOTEKIT_SCHEMA", "Public", "not a name"},
		{"QUOTEKIT_SCHEMA", "a-b", "not a name"},
		{"QUOTEKIT_SCHEMA", "pg_quotes", "to itself"},
		{"QUOTEKIT_SCHEMA", `x"; drop`, "not a name"},
		{"QUOTEKIT_SCHEMA", strings.Repeat("a", 63), ""},
		{"QUOTEKIT_SCHEMA", strings.Repeat("a", 64), "not a name"},
		{"QUOTEKIT_TABLES", "items=line_items", "is for Postgres"},
		{"STRIPE_WEBHOOK_SECRET", "whsec_1", ""},
		{"STRIPE_WEBHOOK_SECRET", "whsec_1,whsec_2", ""},
		{"STRIPE_WEBHOOK_SECRET", "a,,b", "element 2 of 3 is empty"},
		{"STRIPE_WEBHOOK_SECRET", "a,", "element 2 of 2 is empty"},
		{"STRIPE_WEBHOOK_SECRET", ",a", "element 1 of 2 is empty"},
		{"STRIPE_WEBHOOK_SECRET", ",", "element 1 of 2 is empty"},
		{"STRIPE_WEBHOOK_SECRET", "a, b", "element 2 of 2 begins or ends with white space"},
		{"STRIPE_WEBHOOK_SECRET", "a\n", "white space or a line break"},
		{"STRIPE_WEBHOOK_SECRET", " ", "white space"},
		{"STRIPE_LIVEMODE", "true", ""},
		{"STRIPE_LIVEMODE", "false", ""},
		{"STRIPE_LIVEMODE", "1", "not true or false"},
		{"STRIPE_LIVEMODE", "TRUE", "not true or false"},
		{"STRIPE_API_BASE", "http://127.0.0.1:12111", ""},
		{"STRIPE_API_BASE", "api.stripe.com", "http:// or https://"},
		{"QUOTEKIT_ADMIN_TOKEN", "ann=a,bob=b", ""},
		{"QUOTEKIT_ADMIN_TOKEN", "a,,b", "element 2 is empty"},
		{"QUOTEKIT_RETENTION_EVENT_DAYS", "45", ""},
		{"QUOTEKIT_RETENTION_EVENT_DAYS", "0", ""},
		{"QUOTEKIT_RETENTION_EVENT_DAYS", "44", "not a number of days from 45 to 3650, or 0 for ever"},
		{"QUOTEKIT_RETENTION_EVENT_DAYS", "-1", "not a number of days"},
		{"QUOTEKIT_RETENTION_EVENT_DAYS", "45d", "not a number of days"},
		{"QUOTEKIT_RETENTION_PAYLOAD_DAYS", "45", ""},
		{"QUOTEKIT_RETENTION_PAYLOAD_DAYS", "46", "is longer than QUOTEKIT_RETENTION_EVENT_DAYS"},
		{"QUOTEKIT_RETENTION_PAYLOAD_DAYS", "0", "is longer than QUOTEKIT_RETENTION_EVENT_DAYS"},
		{"QUOTEKIT_RETENTION_LOG_DAYS", "3651", "not a number of days"},
		{"QUOTEKIT_RETENTION_DELIVERY_DAYS", "90", "from 91"},
		{"QUOTEKIT_RETENTION_ACT_DAYS", "90", "from 91"},
		{"QUOTEKIT_RETENTION_ACT_DAYS", "0", ""},
		{"QUOTEKIT_RETENTION_MINUTE_DAYS", "6", "from 7"},
		{"QUOTEKIT_RETENTION_MINUTE_DAYS", "401", "is longer than QUOTEKIT_RETENTION_HOUR_DAYS"},
		{"QUOTEKIT_RETENTION_HOUR_DAYS", "34", "from 35"},
		{"QUOTEKIT_RETENTION_DEAD_LETTER_DAYS", "1", ""},
		{"QUOTEKIT_TRACE_TRUSTED", "10.0.0.0/8, ::1,192.0.2.7", ""},
		{"QUOTEKIT_TRACE_TRUSTED", "10.0.0.0/33", "not an address or a network"},
		{"QUOTEKIT_TRACE_TRUSTED", "gateway", `has "gateway", not an address`},
		{"QUOTEKIT_TRACE_TRUSTED", "10.0.0.1,", `has "", not an address`},
		{"QUOTEKIT_CORS_ORIGINS", "https://app.example.com, http://localhost:3000", ""},
		{"QUOTEKIT_CORS_ORIGINS", "*", `has "*", not an origin`},
		{"QUOTEKIT_CORS_ORIGINS", "https://*.example.com", "not an origin"},
		{"QUOTEKIT_CORS_ORIGINS", "https://app.example.com/", "not an origin"},
		{"QUOTEKIT_CORS_ORIGINS", "https://app.example.com,", `has "", not an origin`},
		{"QUOTEKIT_CORS_ORIGINS", "app.example.com", "not an origin"},
		{"QUOTEKIT_ALERT_SLACK_URL", "https://hooks.slack.com/x", ""},
		{"QUOTEKIT_ALERT_EMAIL", "ops", "not an e-mail address"},
		{"QUOTEKIT_ALERT_EMAIL", "ops@example.com", "needs SMTP_URL"},
		{"SMTP_URL", "smtp://u:p@mail:587", ""},
		{"SMTP_URL", "mail:587", "not a URL of the form smtp://"},
		{"SMTP_URL", "smtp://:587", "not a URL of the form smtp://"},
		{"SMTP_URL", "smtps://mail?from=kit@example.com", ""},
		{"SMTP_URL", "smtps://mail?from=kit", "from that is not an e-mail address"},
		{"QUOTEKIT_ALERT_WEBHOOK_URL", "https://example.com/hook", ""},
		{"QUOTEKIT_ALERT_WEBHOOK_SECRET", "s", "needs QUOTEKIT_ALERT_WEBHOOK_URL"},
		{"QUOTEKIT_ALERTMANAGER_URL", "alertmanager:9093", "http:// or https://"},
		{"QUOTEKIT_ALERT_RULES", "oldest_unprocessed=120s/600s,p95=off", ""},
		{"QUOTEKIT_ALERT_RULES", "oldest_unprocessed=120s/600s,p59=off", `the element "p59=off", whose rule does not exist`},
		{"QUOTEKIT_ALERT_RULES", "oldest_unprocessed=soon", `the element "oldest_unprocessed=soon": "soon" is not a time`},
		{"QUOTEKIT_STRIPE_API_VERSION", "2025-03-31.basil", ""},
		{"QUOTEKIT_STRIPE_API_VERSION", "the last", "not a version"},
		{"QUOTEKIT_PUBLIC_URL", "quotekit.example.com", "http:// or https://"},
		{"QUOTEKIT_LOG_LEVEL", "warn", ""},
		{"QUOTEKIT_LOG_LEVEL", "loud", "not debug, info, warn or error"},
		{"QUOTEKIT_LOG_FORMAT", "xml", "not auto, json or text"},
	}
	inEmptyFolder(t)
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			_, err := app.LoadConfig(env(map[string]string{tt.name: tt.value}), nil, "")
			if tt.wrong == "" {
				if err != nil {
					t.Errorf("err = %v, want none", err)
				}
				return
			}
			var bad *app.ConfigError
			if !errors.As(err, &bad) || len(bad.Problems) != 1 {
				t.Fatalf("err = %v, want one problem", err)
			}
			if !strings.Contains(bad.Problems[0], tt.name) || !strings.Contains(bad.Problems[0], tt.wrong) {
				t.Errorf("problem = %q, want %q", bad.Problems[0], tt.wrong)
			}
		})
	}
}

func TestLoadConfig_Tables(t *testing.T) {
	tests := []struct{ value, wrong string }{
		{"items=public.line_items,items.unit_price=price,items.tags=", ""},
		{"items = public.Line Items , quotes.client_id = customerId", ""},
		{"items.name=category,items.category=name", ""},
		{"clients=öffentlich.kunden", ""},
		{"quotes.client_id=" + strings.Repeat("a", 63), ""},
		{"items", "not of the form TABLE=NAME or TABLE.COLUMN=NAME"},
		{"items=a,", "not of the form"},
		{"subscriptions=subs", `the table "subscriptions"; there are clients, items and quotes`},
		{"=a", `the table ""`},
		{"items.price=cost", `the column "items.price"; items has category, created_at, id, name, tags, unit`},
		{"items.unit.price=cost", `the column "items.unit.price"`},
		{"items=a,items=b", "names items twice"},
		{"items=", "gives items an empty name"},
		{"items=public.", "gives items an empty name"},
		{"items=a.b.c", `gives items the name "b.c"`},
		{`items=a"; DROP TABLE quotes; --`, "a name has letters"},
		{"items.unit_price=a'b", "a name has letters"},
		{"items.name=a\x00b", "a name has letters"},
		{"items.name=a\xff", "a name has letters"},
		{"items.name=" + strings.Repeat("ä", 32), "of more than 63 bytes"},
		{"items.unit_price=", "leaves out items.unit_price, which bulk operations need"},
		{"quotes.user_id=", "leaves out quotes.user_id"},
		{"items.name=unit", `gives two columns of items the name "unit"`},
		{"items.name=a,items.unit=a", `gives two columns of items the name "a"`},
		{"items=clients", "gives two tables the name"},
		{"items=public.a,quotes=public.a", "gives two tables the name"},
	}
	inEmptyFolder(t)
	for _, tt := range tests {
		t.Run(tt.value, func(t *testing.T) {
			_, err := app.LoadConfig(env(map[string]string{"DATABASE_URL": "postgres://u@host/db", "QUOTEKIT_TABLES": tt.value}), nil, "")
			if tt.wrong == "" && err != nil || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), "QUOTEKIT_TABLES") || !strings.Contains(err.Error(), tt.wrong)) {
				t.Errorf("got %v, want %q", err, tt.wrong)
			}
		})
	}
}

func TestLoadConfig_OpenAddressNeedsALogin(t *testing.T) {
	inEmptyFolder(t)
	for _, auth := range []string{"QUOTEKIT_ADMIN_TOKEN", "SUPABASE_JWT_SECRET", "SUPABASE_URL", "SUPABASE_JWKS_URL"} {
		value := "s3cret"
		if strings.HasSuffix(auth, "URL") {
			value = "https://p.supabase.co"
		}
		if _, err := app.LoadConfig(env(map[string]string{"QUOTEKIT_ADDR": "0.0.0.0:8787", auth: value}), nil, ""); err != nil {
			t.Errorf("with %s: %v", auth, err)
		}
	}
}

func TestLoadConfig_NamesEveryProblemAtOnce(t *testing.T) {
	inEmptyFolder(t)
	_, err := app.LoadConfig(env(map[string]string{
		"DATABASE_URL": "x", "STRIPE_LIVEMODE": "x", "STRIPE_WEBHOOK_SECRET": ",", "QUOTEKIT_ADDR": "0.0.0.0:1",
	}), nil, "")
	var bad *app.ConfigError
	if !errors.As(err, &bad) || len(bad.Problems) != 4 {
		t.Errorf("err = %v, want four problems", err)
	}
}

func TestLoadConfig_File(t *testing.T) {
	dir := inEmptyFolder(t)
	write := func(text string) string {
		name := filepath.Join(dir, "my.env")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	tests := []struct{ name, file, wrong string }{
		{"missing", filepath.Join(dir, "none.env"), "none.env: no such file"},
		{"misspelt name", write("QUOTEKIT_ADRR=x\n"), "sets QUOTEKIT_ADRR, which does not exist"},
	}
	for _, tt := range tests {
		if _, err := app.LoadConfig(env(nil), nil, tt.file); err == nil || !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%s: err = %v, want %q", tt.name, err, tt.wrong)
		}
	}
	_, err := app.LoadConfig(env(nil), nil, write("STRIPE_WEBHOOK_SECRET whsec_s3cret\n!!\n"))
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("err = %v, want one that does not quote the file", err)
	}
}

func TestConfig_ShowsNoSecret(t *testing.T) {
	inEmptyFolder(t)
	c, err := app.LoadConfig(env(map[string]string{
		"DATABASE_URL":               "postgres://u:s3cret@h/db?password=s3cret",
		"STRIPE_WEBHOOK_SECRET":      "s3cret1,s3cret2",
		"STRIPE_SECRET_KEY":          "s3cret",
		"SUPABASE_JWT_SECRET":        "s3cret",
		"QUOTEKIT_ADMIN_TOKEN":       "ann=s3cret",
		"QUOTEKIT_ALERT_SLACK_URL":   "https://hooks.slack.com/s3cret",
		"QUOTEKIT_ALERT_WEBHOOK_URL": "https://example.com/s3cret",

		"QUOTEKIT_ALERT_WEBHOOK_SECRET": "s3cret",
		"QUOTEKIT_ALERTMANAGER_URL":     "https://u:s3cret@example.com",
		"SMTP_URL":                      "smtp://u:s3cret@mail:587",
		"SUPABASE_URL":                  "https://p.supabase.co/",
	}), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, c); strings.Contains(got, "s3cret") {
			t.Errorf("%s shows a secret: %s", format, got)
		}
	}
	if got := fmt.Sprint(c.Values()); strings.Contains(got, "s3cret") {
		t.Errorf("Values shows a secret: %s", got)
	}
	token := slices.IndexFunc(c.Values(), func(v app.Value) bool { return v.Name == "QUOTEKIT_ADMIN_TOKEN" })
	if got := c.Values()[token].Value; got != "(set for ann)" {
		t.Errorf("admin token shown as %q", got)
	}
	if want := "https://p.supabase.co/auth/v1/.well-known/jwks.json"; c.SupabaseJWKSURL != want {
		t.Errorf("key set = %q, want %q", c.SupabaseJWKSURL, want)
	}
}
