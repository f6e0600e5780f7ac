package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// FindingStatus says how bad a finding is.
type FindingStatus string

// The states of a finding. With a warning the service works, but not all of it or
// not as it should; a failure is something that does not work.
const (
	FindingOK   FindingStatus = "ok"
	FindingWarn FindingStatus = "warn"
	FindingFail FindingStatus = "fail"
)

// Finding is what a check of an installation has found. It quotes no secret.
type Finding struct {
	Check  string        `json:"check"`
	Status FindingStatus `json:"status"`
	Found  string        `json:"found"`
	// Fix is what to do; empty if all is well.
	Fix string `json:"fix"`
}

// Doctor examines an installation: what is configured, the database, and the
// others it depends upon. It changes nothing.
type Doctor struct {
	Config Config
	Routes []quotekit.Route
	Now    func() time.Time
	// BaseURL is where the service is reached.
	BaseURL string
	// Client asks the service and the key set. It needs a timeout.
	Client *http.Client
}

// check is one line of the doctor's report.
type check struct {
	name string
	// explain says why it matters, for people.
	explain string
	run     func(context.Context, *examination) Finding
}

// examination is a run of the doctor.
type examination struct {
	Doctor
	// store is nil if the database cannot be opened, which storeErr says.
	store    *store.Store
	storeErr error
}

const (
	// leastSpace is how much should be free on the disk of SQLite, in bytes: a day of
	// one event of 1 kB a second takes about a fifth of it.
	leastSpace = 1 << 30
	// answersWithin is how long the database may take for its first answer.
	answersWithin = 10 * time.Second
	// maxKeySet bounds what is read of a key set.
	maxKeySet = 1 << 20
)

func ok(format string, args ...any) Finding {
	return Finding{Status: FindingOK, Found: fmt.Sprintf(format, args...)}
}

func warn(fix, format string, args ...any) Finding {
	return Finding{Status: FindingWarn, Fix: fix, Found: fmt.Sprintf(format, args...)}
}

func fail(fix, format string, args ...any) Finding {
	return Finding{Status: FindingFail, Fix: fix, Found: fmt.Sprintf(format, args...)}
}

// Examine makes every check, in a fixed order.
func (d Doctor) Examine(ctx context.Context) []Finding {
	e := &examination{Doctor: d}
	if path, is := d.sqlitePath(); !is || store.Exists(path) {
		e.store, e.storeErr = d.open(ctx)
	}
	var found []Finding
	for _, c := range checks() {
		f := c.run(ctx, e)
		f.Check = c.name
		found = append(found, f)
	}
	if e.store != nil {
		if err := e.store.Close(); err != nil {
			found = append(found, Finding{"database", FindingFail, "closing it: " + store.Describe(err), "look at the disk of the database"})
		}
	}
	return found
}

// open opens a database that answers.
func (d Doctor) open(ctx context.Context) (*store.Store, error) {
	s, err := store.Open(ctx, store.Config{URL: d.Config.DatabaseURL, Schema: d.Config.Schema, Tables: d.Config.Tables, Now: d.Now})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	if err := s.Ping(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// ExplainCheck says why a check matters. It fails with [quotekit.ENotFound].
func ExplainCheck(name string) (string, error) {
	var names []string
	for _, c := range checks() {
		if c.name == name {
			return c.explain, nil
		}
		names = append(names, c.name)
	}
	return "", quotekit.Errorf(quotekit.ENotFound, "there is no check %q; there are %s", name, strings.Join(names, ", "))
}

func checks() []check {
	return []check{
		{"database", "Everything is kept in the database of DATABASE_URL. A SQLite file belongs to one process at a time.", checkDatabase},
		{"migrations", "The tables must be those that this program expects. serve brings them up to date when it starts, unless it is told not to; older tables are never used.", checkMigrations},
		{"schema", "QuoteKit makes its tables in the schema QUOTEKIT_SCHEMA. If a name there is taken by a table of another shape, migrations change nothing and the service does not start.", checkSchema},
		{"application-tables", "Bulk operations work on the application's quotes, clients and items. QUOTEKIT_TABLES says what these tables and their columns are called, if it is not as QuoteKit calls them.", checkApplicationTables},
		{"row-level-security", "Whoever has the anon key of a Supabase project can read the tables in the schemas of its API that row level security does not guard.", checkRowLevelSecurity},
		{"durability", "An event is acknowledged to Stripe once it is committed, and Stripe does not send it again. If commits can be lost when the power fails, so can acknowledged events.", checkDurability},
		{"pooler", "Jobs and prepared statements need sessions. A pooler that gives each transaction another connection (Supabase's port 6543) breaks them; its session mode and the direct connection do not.", checkPooler},
		{"clock", "Signatures are refused when they are more than five minutes old; retries and leases compare clocks, too.", checkClock},
		{"disk", "Without room nothing can be written, so Stripe is answered 503 until there is.", checkDisk},
		{"service", "Whether the service at QUOTEKIT_ADDR takes requests now.", checkService},
		{"webhook-secret", "Without a signing secret webhooks are answered 503, since nothing unsigned is ever taken. Stripe shows the secret with the endpoint; `stripe listen --print-secret` prints that of its command line.", checkWebhookSecret},
		{"stripe-api", "With a secret or restricted key missed events are found and imported, and a replay can fetch the current object. Without it Stripe's own retries are all there is.", checkStripeAPI},
		{"stripe-mode", "A key of test mode sees nothing of live mode, and the other way round. STRIPE_LIVEMODE says which events are taken.", checkStripeMode},
		{"stripe-endpoint", "Stripe sends an endpoint only the types that it is enabled for, in the API version that it was made with. What is not sent here is not kept here.", checkStripeEndpoint},
		{"api-version", "Events have the shape of their endpoint's API version. All shapes since 2017 are read; QUOTEKIT_STRIPE_API_VERSION says which one is expected, so that a change is noticed.", checkAPIVersion},
		{"operators", "Operators log in with a token of QUOTEKIT_ADMIN_TOKEN, or with a JWT whose app_metadata.role is viewer, operator or admin.", checkOperators},
		{"users", "Users of the application submit bulk operations with the JWT that Supabase gave them: HS256 with SUPABASE_JWT_SECRET, others with the key set of SUPABASE_URL.", checkUsers},
		{"alerts", "Alerts that nobody is told of are seen when somebody looks. The links in messages need QUOTEKIT_PUBLIC_URL.", checkAlerts},
	}
}

func (d Doctor) sqlitePath() (path string, is bool) {
	return strings.CutPrefix(d.Config.DatabaseURL, "sqlite:")
}

// inUse reports whether another process has the SQLite file, so that only the
// service itself can look into it.
func (e *examination) inUse() bool {
	var locked *store.ErrLocked
	return errors.As(e.storeErr, &locked)
}

// unseen is the finding of a check that needs the database; ok if there is one.
func (e *examination) unseen() (Finding, bool) {
	switch {
	case e.store != nil:
		return Finding{}, true
	case e.inUse():
		return ok("not looked at: the service has the database"), false
	case e.storeErr == nil:
		return ok("not looked at: there is no database yet"), false
	}
	return warn("see database", "not looked at"), false
}

func checkService(ctx context.Context, e *examination) Finding {
	status, _, err := e.fetch(ctx, e.BaseURL+"/readyz")
	switch {
	case err != nil:
		return warn("quotekit serve", "nobody answers at %s", e.BaseURL)
	case status != http.StatusOK:
		return fail("look at its log", "%s answers, but is not ready (%d)", e.BaseURL, status)
	}
	return ok("%s is ready", e.BaseURL)
}

// fetch gets a page of at most maxKeySet bytes.
func (e *examination) fetch(ctx context.Context, address string) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := e.Client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxKeySet))
	return resp.StatusCode, body, err
}

func checkOperators(_ context.Context, e *examination) Finding {
	if n := len(e.Config.AdminTokens); n > 0 {
		return ok("%d with a token", n)
	}
	if e.Config.SupabaseJWKSURL != "" || len(e.Config.jwtSecrets()) > 0 {
		return ok("those with a role in their JWT")
	}
	return warn("set QUOTEKIT_ADMIN_TOKEN", "none: nobody can look at the dashboard")
}

func checkUsers(ctx context.Context, e *examination) Finding {
	if e.Config.SupabaseJWKSURL == "" {
		if len(e.Config.jwtSecrets()) > 0 {
			return ok("HS256 with a secret")
		}
		return warn("set SUPABASE_URL or SUPABASE_JWT_SECRET", "none: nobody can submit bulk operations")
	}
	const look = "check SUPABASE_URL or SUPABASE_JWKS_URL"
	status, body, err := e.fetch(ctx, e.Config.SupabaseJWKSURL)
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	switch {
	case err != nil:
		return fail(look, "nobody answers where the key set should be")
	case status != http.StatusOK:
		return fail(look, "the key set is answered %d", status)
	case json.Unmarshal(body, &set) != nil:
		return fail(look, "what is there is no key set")
	case len(set.Keys) == 0 && len(e.Config.jwtSecrets()) == 0:
		return warn("make a signing key at Supabase, or set SUPABASE_JWT_SECRET", "the key set is empty")
	}
	return ok("%d keys", len(set.Keys))
}

func checkAlerts(_ context.Context, e *examination) Finding {
	if !e.Config.hasAlertChannel() {
		return warn("set QUOTEKIT_ALERT_SLACK_URL, QUOTEKIT_ALERT_WEBHOOK_URL, QUOTEKIT_ALERT_EMAIL or QUOTEKIT_ALERTMANAGER_URL", "no channel is configured")
	}
	if e.Config.PublicURL == "" {
		return warn("set QUOTEKIT_PUBLIC_URL", "messages have no links")
	}
	return ok("somebody is told; quotekit alerts test tries it")
}
