package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/quotekit/quotekit/internal/alert"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// variable is one row of the table of settings.
type variable struct {
	name, fallback string
	// set checks and keeps a value that is not empty. Its error follows the
	// name of the variable and never quotes a secret.
	set func(c *Config, value string) error
	// show is what may be seen of the value; nil shows it as it is.
	show func(value string) string
}

func (v variable) redacted(value string) string {
	if v.show == nil || value == "" {
		return value
	}
	return v.show(value)
}

// variables is the table of everything that can be set.
func variables() []variable {
	return []variable{
		{"DATABASE_URL", "sqlite:quotekit.db", setDatabaseURL, redactURL},
		{"QUOTEKIT_ADDR", "127.0.0.1:8787", setAddr, nil},
		{"QUOTEKIT_SCHEMA", "public", setSchema, nil},
		{"QUOTEKIT_TABLES", "", setTables, nil},
		{"STRIPE_WEBHOOK_SECRET", "", setWebhookSecrets, hideList},
		{"STRIPE_LIVEMODE", "", setLivemode, nil},
		{"STRIPE_SECRET_KEY", "", setSecret(func(c *Config) *string { return &c.StripeSecretKey }), hide},
		{"STRIPE_API_BASE", "", setURL(func(c *Config) *string { return &c.StripeAPIBase }), redactURL},
		{"QUOTEKIT_STRIPE_REQUESTS_PER_SECOND", "10", setNumber(1, 100, func(c *Config) *int { return &c.StripeRequestsPerSecond }), nil},
		{"QUOTEKIT_RECONCILE_MINUTES", "15", setNumber(0, 1440, func(c *Config) *int { return &c.ReconcileMinutes }), nil},
		{"SUPABASE_JWT_SECRET", "", setSecret(func(c *Config) *string { return &c.SupabaseJWTSecret }), hide},
		{"SUPABASE_URL", "", setURL(func(c *Config) *string { return &c.SupabaseURL }), redactURL},
		{"SUPABASE_JWKS_URL", "", setURL(func(c *Config) *string { return &c.SupabaseJWKSURL }), redactURL},
		{"QUOTEKIT_ADMIN_TOKEN", "", setAdminTokens, hideTokens},
		{"QUOTEKIT_CORS_ORIGINS", "", setOrigins, nil},
		{"QUOTEKIT_MAX_IN_FLIGHT", "2000", setNumber(1, 100_000, func(c *Config) *int { return &c.MaxInFlight }), nil},
		{"QUOTEKIT_BATCH_CHUNK_SIZE", "50", setNumber(1, 1000, func(c *Config) *int { return &c.BatchChunkSize }), nil},
		{"QUOTEKIT_BATCH_CONCURRENCY", "5", setNumber(1, 50, func(c *Config) *int { return &c.BatchConcurrency }), nil},
		{"QUOTEKIT_BATCH_KEEP_DAYS", "30", setNumber(1, 3650, func(c *Config) *int { return &c.BatchKeepDays }), nil},
		{"QUOTEKIT_RETENTION_EVENT_DAYS", "45", setDays(45, func(c *Config) *int { return &c.Retention.EventDays }), nil},
		{"QUOTEKIT_RETENTION_PAYLOAD_DAYS", "35", setDays(1, func(c *Config) *int { return &c.Retention.PayloadDays }), nil},
		{"QUOTEKIT_RETENTION_LOG_DAYS", "90", setDays(1, func(c *Config) *int { return &c.Retention.LogDays }), nil},
		{"QUOTEKIT_RETENTION_DELIVERY_DAYS", "365", setDays(91, func(c *Config) *int { return &c.Retention.DeliveryDays }), nil},
		{"QUOTEKIT_RETENTION_ACT_DAYS", "365", setDays(91, func(c *Config) *int { return &c.Retention.ActDays }), nil},
		{"QUOTEKIT_RETENTION_MINUTE_DAYS", "35", setDays(7, func(c *Config) *int { return &c.Retention.MinuteDays }), nil},
		{"QUOTEKIT_RETENTION_HOUR_DAYS", "400", setDays(35, func(c *Config) *int { return &c.Retention.HourDays }), nil},
		{"QUOTEKIT_RETENTION_DEAD_LETTER_DAYS", "365", setDays(1, func(c *Config) *int { return &c.Retention.DeadLetterDays }), nil},
		{"QUOTEKIT_ALERT_WEBHOOK_URL", "", setURL(func(c *Config) *string { return &c.AlertWebhookURL }), hide},
		{"QUOTEKIT_ALERT_WEBHOOK_SECRET", "", setSecret(func(c *Config) *string { return &c.AlertWebhookSecret }), hide},
		{"QUOTEKIT_ALERT_SLACK_URL", "", setURL(func(c *Config) *string { return &c.AlertSlackURL }), hide},
		{"QUOTEKIT_ALERT_EMAIL", "", setEmail, nil},
		{"SMTP_URL", "", setSMTPURL, redactURL},
		{"QUOTEKIT_ALERTMANAGER_URL", "", setURL(func(c *Config) *string { return &c.AlertmanagerURL }), redactURL},
		{"QUOTEKIT_ALERT_RULES", "", setAlertLimits, nil},
		{"QUOTEKIT_STRIPE_API_VERSION", "", setAPIVersion, nil},
		{"QUOTEKIT_PUBLIC_URL", "", setURL(func(c *Config) *string { return &c.PublicURL }), redactURL},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "", setURL(func(c *Config) *string { return &c.OTLPEndpoint }), redactURL},
		{"QUOTEKIT_TRACE_TRUSTED", "", setNetworks, nil},
		{"QUOTEKIT_LOG_LEVEL", "info", setLogLevel, nil},
		{"QUOTEKIT_LOG_FORMAT", "auto", setLogFormat, nil},
	}
}

func setDatabaseURL(c *Config, s string) error {
	scheme, location, _ := strings.Cut(s, ":")
	switch scheme {
	case "sqlite":
		switch {
		case location == "":
			return errors.New("is sqlite: without a path")
		case strings.Contains(location, ":memory:"):
			return errors.New("is in memory, where no acknowledged event would be kept: name a file")
		}
	case "postgres", "postgresql":
		u, err := url.Parse(s)
		if err != nil || !strings.HasPrefix(location, "//") {
			return errors.New("is not a URL of the form postgres://user:password@host:5432/database " +
				"(special characters of the password have to be percent-encoded)")
		}
		if u.Host == "" && u.Query().Get("host") == "" {
			return errors.New("names no host")
		}
	default:
		return errors.New("must be sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE")
	}
	c.DatabaseURL = s
	return nil
}

func setAddr(c *Config, s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("is %q, not host:port", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("has the port %q, not a number from 0 to 65535", port)
	} else if n == 0 && port != "0" {
		return fmt.Errorf("has the port %q", port)
	}
	c.Addr = s
	return nil
}

// isLoopback reports whether only this machine can reach addr. A name other
// than localhost may mean anything, so it counts as reachable.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func setSchema(c *Config, s string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz_"
	if len(s) > 63 || strings.Trim(s, letters+"0123456789") != "" || !strings.ContainsRune(letters, rune(s[0])) {
		return fmt.Errorf("is %q, not a name of lower-case letters, digits and _ (at most 63, no digit first)", s)
	}
	if strings.HasPrefix(s, "pg_") {
		return fmt.Errorf("is %q, but Postgres keeps names with pg_ to itself", s)
	}
	c.Schema = s
	return nil
}

func setTables(c *Config, s string) (err error) {
	c.Tables, err = store.ParseTables(s)
	return err
}

func setWebhookSecrets(c *Config, s string) error {
	secrets := strings.Split(s, ",")
	for i, secret := range secrets {
		if err := checkSecret(secret); err != nil {
			return fmt.Errorf("element %d of %d %w", i+1, len(secrets), err)
		}
	}
	c.WebhookSecrets = secrets
	return nil
}

func setSecret(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, s string) error {
		if err := checkSecret(s); err != nil {
			return err
		}
		*field(c) = s
		return nil
	}
}

// checkSecret refuses what is surely a slip of copying: a secret with a line
// break at its end would fit no signature, and nobody would see why.
func checkSecret(s string) error {
	switch {
	case s == "":
		return errors.New("is empty")
	case strings.TrimSpace(s) != s:
		return errors.New("begins or ends with white space or a line break")
	}
	return nil
}

func setLivemode(c *Config, s string) error {
	live := s == "true"
	if !live && s != "false" {
		return fmt.Errorf("is %q, not true or false (leave it out to take both)", s)
	}
	c.Livemode = &live
	return nil
}

func setAdminTokens(c *Config, s string) error {
	tokens, err := rest.ParseTokens(s)
	c.AdminTokens = tokens
	return err
}

func setURL(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, s string) error {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return errors.New("is not an http:// or https:// URL")
		}
		*field(c) = s
		return nil
	}
}

func setOrigins(c *Config, s string) error {
	for origin := range strings.SplitSeq(s, ",") {
		origin = strings.TrimSpace(origin)
		u, err := url.Parse(origin)
		if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") || u.Scheme+"://"+u.Host != origin || strings.Contains(u.Host, "*") {
			return fmt.Errorf("has %q, not an origin of the form https://app.example.com", origin)
		}
		c.CORSOrigins = append(c.CORSOrigins, origin)
	}
	return nil
}

func setNetworks(c *Config, s string) error {
	for element := range strings.SplitSeq(s, ",") {
		element = strings.TrimSpace(element)
		prefix, err := netip.ParsePrefix(element)
		if err != nil {
			ip, err := netip.ParseAddr(element)
			if err != nil {
				return fmt.Errorf("has %q, not an address or a network of the form 10.0.0.0/8", element)
			}
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		c.TraceTrusted = append(c.TraceTrusted, prefix)
	}
	return nil
}

func setEmail(c *Config, s string) error {
	if _, err := mail.ParseAddressList(s); err != nil {
		return errors.New("is not an e-mail address")
	}
	c.AlertEmail = s
	return nil
}

func setSMTPURL(c *Config, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || (u.Scheme != "smtp" && u.Scheme != "smtps") {
		return errors.New("is not a URL of the form smtp://user:password@host:587")
	}
	if from := u.Query().Get("from"); from != "" {
		if _, err := mail.ParseAddress(from); err != nil {
			return errors.New("has a from that is not an e-mail address")
		}
	}
	c.SMTPURL = s
	return nil
}

func setAlertLimits(c *Config, s string) (err error) {
	c.AlertLimits, err = alert.ParseLimits(s)
	return err
}

func setAPIVersion(c *Config, s string) error {
	if len(s) > 100 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("is %q, not a version like 2025-03-31.basil", s)
	}
	c.StripeAPIVersion = s
	return nil
}

func setLogLevel(c *Config, s string) error {
	if err := c.LogLevel.UnmarshalText([]byte(s)); err != nil {
		return fmt.Errorf("is %q, not debug, info, warn or error", s)
	}
	return nil
}

func setLogFormat(c *Config, s string) error {
	if s != "auto" && s != "json" && s != "text" {
		return fmt.Errorf("is %q, not auto, json or text", s)
	}
	c.LogFormat = s
	return nil
}

func hide(string) string { return "(set)" }

func hideList(s string) string {
	n := strings.Count(s, ",") + 1
	if n == 1 {
		return hide(s)
	}
	return fmt.Sprintf("(%d set)", n)
}

func hideTokens(s string) string {
	tokens, err := rest.ParseTokens(s)
	if err != nil {
		return hide(s)
	}
	names := make([]string, len(tokens))
	for i, t := range tokens {
		names[i] = t.Name
	}
	return "(set for " + strings.Join(names, ", ") + ")"
}

// redactURL hides the password of a URL, and every query parameter: drivers
// take passwords there too.
func redactURL(s string) string {
	if strings.HasPrefix(s, "sqlite:") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil {
		return hide(s)
	}
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	return u.Redacted()
}

// String shows the origin of each value and no secret.
func (c Config) String() string {
	var b strings.Builder
	for _, v := range c.values {
		fmt.Fprintf(&b, "%s=%s (%s)\n", v.Name, v.Value, v.Origin)
	}
	return b.String()
}

// GoString keeps the secrets out of %#v.
func (c Config) GoString() string { return c.String() }

// LogValue keeps the secrets out of logs.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

func setNumber(least, most int, field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return fmt.Errorf("is %q, not a number from %d to %d", s, least, most)
		}
		*field(c) = n
		return nil
	}
}

// setDays takes a number of days, of which there are least and at most ten years, or 0
// for ever.
func setDays(least int, field func(*Config) *int) func(*Config, string) error {
	const most = 3650
	return func(c *Config, s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n != 0 && (n < least || n > most) {
			return fmt.Errorf("is %q, not a number of days from %d to %d, or 0 for ever", s, least, most)
		}
		*field(c) = n
		return nil
	}
}
