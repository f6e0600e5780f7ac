package app

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"github.com/joho/godotenv"

	"github.com/quotekit/quotekit/internal/alert"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// DefaultConfigFile is read when no other file is named, if it exists.
const DefaultConfigFile = "quotekit.env"

// Config is everything that an operator can set. Make it with [LoadConfig]:
// the fields of a Config that was loaded without an error are valid.
type Config struct {
	DatabaseURL string
	Addr        string
	// Schema is the Postgres schema of our tables.
	Schema string
	// Tables are the names of the application's tables on Postgres, where they are not
	// ours.
	Tables store.Tables
	// WebhookSecrets are the signing secrets of Stripe's endpoints; with none,
	// webhooks are answered 503.
	WebhookSecrets []string
	// Livemode says which events are taken; nil takes both.
	Livemode    *bool
	AdminTokens []rest.Token

	StripeSecretKey string
	// StripeAPIBase is empty for Stripe's own.
	StripeAPIBase string
	// StripeRequestsPerSecond bounds what this process asks of Stripe's API.
	StripeRequestsPerSecond int
	// ReconcileMinutes is the time between two comparisons with Stripe's list of
	// events; zero switches them off.
	ReconcileMinutes int

	// MaxInFlight is how many requests are worked on at once; more are answered 503.
	MaxInFlight int

	SupabaseJWTSecret string
	SupabaseURL       string
	// SupabaseJWKSURL follows from SupabaseURL unless it is set.
	SupabaseJWKSURL string
	// devJWTSecret is taken beside SupabaseJWTSecret.
	devJWTSecret string

	// BatchChunkSize is how many items of a bulk operation one transaction works
	// on, BatchConcurrency how many chunks of one job run at a time, and
	// BatchKeepDays how long finished jobs are kept.
	BatchChunkSize, BatchConcurrency, BatchKeepDays int

	// Retention says how long what is kept.
	Retention Retention

	AlertWebhookURL string
	// AlertWebhookSecret signs what goes there; empty leaves it unsigned.
	AlertWebhookSecret string
	AlertSlackURL      string
	AlertmanagerURL    string
	AlertEmail         string
	SMTPURL            string
	// AlertLimits are those of the rules whose own do not count.
	AlertLimits map[string]alert.Limits
	// StripeAPIVersion is what the events should have; empty takes any.
	StripeAPIVersion string
	// PublicURL is where people reach the service, for links in messages.
	PublicURL string

	// CORSOrigins are those whose pages may call the API from a browser.
	CORSOrigins []string

	// OTLPEndpoint is where traces go; empty for nowhere. The OpenTelemetry library
	// reads other variables of its own, as that of the sampler.
	OTLPEndpoint string
	// TraceTrusted are the callers whose traces are continued.
	TraceTrusted []netip.Prefix

	LogLevel slog.Level
	// LogFormat is "json", "text", or "auto": text on a terminal.
	LogFormat string

	values []Value
}

// Value is one setting as an operator may see it.
type Value struct {
	Name string
	// Value is what was set, a secret redacted.
	Value  string
	Origin Origin
	// From names the file of a value with [OriginFile].
	From string
}

// Origin is where a value comes from. An earlier one overrides a later one.
type Origin string

// The origins, strongest first.
const (
	OriginFlag    Origin = "flag"
	OriginEnv     Origin = "environment"
	OriginFile    Origin = "file"
	OriginDefault Origin = "default"
)

// ConfigError lists everything that is wrong with a configuration. It never
// shows a secret.
type ConfigError struct {
	Problems []string
}

func (e *ConfigError) Error() string {
	return "configuration: " + strings.Join(e.Problems, "; ")
}

// LoadConfig reads every variable of the service: from flags, whose keys are
// the names of the variables, else from the environment, else from file, else
// the default. An empty value counts as not set. An empty file name means
// [DefaultConfigFile], which need not exist. The error is a [ConfigError] and
// names every problem at once.
func LoadConfig(getenv func(string) string, flags map[string]string, file string) (Config, error) {
	var c Config
	var problems []string
	fromFile, fileName, err := readConfigFile(file)
	if err != nil {
		problems = append(problems, err.Error())
	}
	for _, name := range unknownNames(fromFile) {
		problems = append(problems, fileName+" sets "+name+", which does not exist")
	}
	wrong := map[string]bool{}
	for _, v := range variables() {
		value := Value{Name: v.name, Value: v.fallback, Origin: OriginDefault}
		switch {
		case flags[v.name] != "":
			value.Value, value.Origin = flags[v.name], OriginFlag
		case getenv(v.name) != "":
			value.Value, value.Origin = getenv(v.name), OriginEnv
		case fromFile[v.name] != "":
			value.Value, value.Origin, value.From = fromFile[v.name], OriginFile, fileName
		}
		if value.Value != "" {
			if err := v.set(&c, value.Value); err != nil {
				problems = append(problems, v.name+" "+err.Error())
				wrong[v.name] = true
			}
		}
		value.Value = v.redacted(value.Value)
		c.values = append(c.values, value)
	}
	if c.SupabaseJWKSURL == "" && c.SupabaseURL != "" {
		c.SupabaseJWKSURL = c.SupabaseIssuer() + "/.well-known/jwks.json"
	}
	problems = append(problems, c.contradictions(wrong)...)
	if len(problems) > 0 {
		return Config{}, &ConfigError{Problems: problems}
	}
	return c, nil
}

// Values lists every variable with its value and origin, secrets redacted, in
// a fixed order.
func (c Config) Values() []Value { return slices.Clone(c.values) }

// Origin says where the named variable comes from.
func (c Config) Origin(name string) Origin {
	for _, v := range c.values {
		if v.Name == name {
			return v.Origin
		}
	}
	return OriginDefault
}

// contradictions finds what is wrong between values that are each right; the
// variables in wrong are not.
func (c Config) contradictions(wrong map[string]bool) []string {
	var problems []string
	triedAuth := wrong["QUOTEKIT_ADMIN_TOKEN"] || wrong["SUPABASE_JWT_SECRET"] || wrong["SUPABASE_URL"] || wrong["SUPABASE_JWKS_URL"]
	if !wrong["QUOTEKIT_ADDR"] && !isLoopback(c.Addr) && !c.hasAuth() && !triedAuth {
		problems = append(problems, "QUOTEKIT_ADDR "+c.Addr+" can be reached from other machines, but nobody could log in: "+
			"set QUOTEKIT_ADMIN_TOKEN (or SUPABASE_JWT_SECRET, SUPABASE_URL), or listen on 127.0.0.1")
	}
	problems = append(problems, c.Retention.contradictions(wrong)...)
	if len(c.Tables) > 0 && strings.HasPrefix(c.DatabaseURL, "sqlite:") {
		problems = append(problems, "QUOTEKIT_TABLES is for Postgres, and DATABASE_URL names SQLite, where the tables are QuoteKit's own")
	}
	if c.AlertEmail != "" && c.SMTPURL == "" && !wrong["SMTP_URL"] {
		problems = append(problems, "QUOTEKIT_ALERT_EMAIL needs SMTP_URL")
	}
	if c.AlertWebhookSecret != "" && c.AlertWebhookURL == "" && !wrong["QUOTEKIT_ALERT_WEBHOOK_URL"] {
		problems = append(problems, "QUOTEKIT_ALERT_WEBHOOK_SECRET needs QUOTEKIT_ALERT_WEBHOOK_URL")
	}
	return problems
}

// hasAlertChannel reports whether anybody is told of an alert.
func (c Config) hasAlertChannel() bool {
	return c.AlertWebhookURL != "" || c.AlertSlackURL != "" || c.AlertEmail != "" || c.AlertmanagerURL != ""
}

// alertChannels are where alerts go.
func (c Config) alertChannels() alert.Channels {
	return alert.Channels{
		WebhookURL: c.AlertWebhookURL, WebhookSecret: c.AlertWebhookSecret, SlackURL: c.AlertSlackURL,
		AlertmanagerURL: c.AlertmanagerURL, Email: c.AlertEmail, SMTPURL: c.SMTPURL,
	}
}

// SupabaseIssuer is what the claim iss of the users' JWTs has to be; empty if
// SUPABASE_URL is not set.
func (c Config) SupabaseIssuer() string {
	if c.SupabaseURL == "" {
		return ""
	}
	return strings.TrimRight(c.SupabaseURL, "/") + "/auth/v1"
}

// jwtSecrets are the secrets of which any one may sign a user's JWT.
func (c Config) jwtSecrets() []string {
	return slices.DeleteFunc([]string{c.SupabaseJWTSecret, c.devJWTSecret}, func(s string) bool { return s == "" })
}

// hasAuth reports whether anybody could log in: with a token, or with the JWT of
// a user.
func (c Config) hasAuth() bool {
	return len(c.AdminTokens) > 0 || c.SupabaseJWTSecret != "" || c.SupabaseJWKSURL != ""
}

// readConfigFile does not touch the environment of the process. The library's
// own error quotes the file, so it is not passed on.
func readConfigFile(name string) (values map[string]string, used string, err error) {
	explicit := name != ""
	if !explicit {
		name = DefaultConfigFile
	}
	values, err = godotenv.Read(name)
	var pathErr *fs.PathError
	switch {
	case err == nil:
		return values, name, nil
	case errors.Is(err, fs.ErrNotExist) && !explicit:
		return nil, "", nil
	case errors.As(err, &pathErr):
		return nil, name, errors.New("cannot read " + name + ": " + pathErr.Err.Error())
	}
	return nil, name, errors.New(name + " has a line that is not KEY=VALUE")
}

// unknownNames finds misspelt names of our own; a file may hold those of
// other programs.
func unknownNames(values map[string]string) []string {
	var unknown []string
	known := variables()
	for name := range values {
		ours := strings.HasPrefix(name, "QUOTEKIT_")
		if ours && !slices.ContainsFunc(known, func(v variable) bool { return v.name == name }) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}
