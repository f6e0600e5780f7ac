package app_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// The users of testdata/supabase.sql.
const (
	ada = "11111111-1111-4111-8111-111111111111"
	bob = "22222222-2222-4222-8222-222222222222"
)

// supabase is a Supabase project with an application of its own.
type supabase struct {
	t   *testing.T
	url string
	db  *sql.DB
}

func mustMakeSupabase(t *testing.T) supabase {
	t.Helper()
	p := supabase{t: t, url: storetest.SupabaseURL(t)}
	var err error
	if p.db, err = sql.Open("pgx", p.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.db.Close() })
	script, err := os.ReadFile("testdata/supabase.sql")
	if err != nil {
		t.Fatal(err)
	}
	p.exec(string(script))
	return p
}

func (p supabase) exec(text string) {
	p.t.Helper()
	if _, err := p.db.ExecContext(p.t.Context(), text); err != nil {
		p.t.Fatalf("%.200s: %v", text, err)
	}
}

func (p supabase) query(text string) []string {
	p.t.Helper()
	lines, err := queryLines(p.db, text)
	if err != nil {
		p.t.Fatalf("%.200s: %v", text, err)
	}
	return lines
}

// photograph is all that is in some schemas: rows, definitions and rights.
func (p supabase) photograph(schemas ...string) []string {
	p.t.Helper()
	in := "IN ('" + strings.Join(schemas, "', '") + "')"
	all := p.query(`
		SELECT format('column %s.%s %s %s %s', a.attrelid::REGCLASS, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
			pg_get_expr(d.adbin, d.adrelid)) AS it
		FROM pg_attribute AS a
		JOIN pg_class AS c ON c.oid = a.attrelid
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
		LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE n.nspname ` + in + ` AND NOT a.attisdropped
		UNION ALL
		SELECT format('relation %s %s %s %s %s', c.oid::REGCLASS, c.relkind, c.relrowsecurity, c.relacl, CASE WHEN c.relkind = 'i' THEN pg_get_indexdef(c.oid) END)
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname ` + in + `
		UNION ALL
		SELECT format('constraint %s %s %s', conrelid::REGCLASS, conname, pg_get_constraintdef(oid))
		FROM pg_constraint WHERE connamespace::REGNAMESPACE::TEXT ` + in + `
		UNION ALL
		SELECT format('policy %s.%s %s %s %s %s', schemaname, tablename, policyname, roles, qual, with_check) FROM pg_policies WHERE schemaname ` + in + `
		UNION ALL
		SELECT format('function %s %s', pg_get_functiondef(p.oid), p.proacl) FROM pg_proc AS p WHERE p.pronamespace::REGNAMESPACE::TEXT ` + in + `
		UNION ALL
		SELECT format('trigger %s', pg_get_triggerdef(t.oid)) FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
		WHERE NOT t.tgisinternal AND c.relnamespace::REGNAMESPACE::TEXT ` + in + `
		UNION ALL
		SELECT format('schema %s %s', nspname, nspacl) FROM pg_namespace WHERE nspname ` + in + `
		ORDER BY 1`)
	for _, table := range p.query(`SELECT c.oid::REGCLASS AS t FROM pg_class AS c WHERE c.relkind IN ('r', 'S') AND c.relnamespace::REGNAMESPACE::TEXT ` + in + ` ORDER BY 1`) {
		name := strings.TrimPrefix(table, "t=")
		for _, row := range p.query(`SELECT ROW(t.*)::TEXT AS row FROM ` + name + ` AS t ORDER BY 1`) {
			all = append(all, name+" "+row)
		}
	}
	return all
}

// as asks as PostgREST does for somebody with a JWT, and keeps what is done. What is to be
// done before comes first.
func (p supabase) as(role, claims, text string, first ...string) ([]string, error) {
	p.t.Helper()
	ctx := p.t.Context()
	conn, err := p.db.Conn(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	begin := []string{`BEGIN`, `SET LOCAL ROLE ` + role, `SELECT set_config('request.jwt.claims', '` + claims + `', TRUE)`}
	for _, text := range append(begin, first...) {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			p.t.Fatal(err)
		}
	}
	lines, err := linesOf(ctx, conn, text)
	end := "COMMIT"
	if err != nil {
		end = "ROLLBACK"
	}
	if _, e := conn.ExecContext(ctx, end); e != nil {
		p.t.Fatal(e)
	}
	return lines, err
}

// linesOf returns the first column of a query.
func linesOf(ctx context.Context, conn *sql.Conn, text string) (lines []string, err error) {
	rows, err := conn.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, rows.Err()
}

// sees checks what somebody sees of a query of one column. An error of missing rights
// counts as "denied".
func (p supabase) sees(role, claims, text string, want ...string) {
	p.t.Helper()
	got, err := p.as(role, claims, text)
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && pg.Code == "42501":
		got = []string{"denied"}
	case err != nil:
		p.t.Errorf("%s asks %s: %v", role, text, err)
		return
	}
	if !slices.Equal(got, want) {
		p.t.Errorf("%s with %s asks %s:\ngot %q, want %q", role, claims, text, got, want)
	}
}

// supabasePage is docs/supabase.md, whose settings and statements are tried here.
func supabasePage(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../docs/supabase.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// pageSetting is the value of a setting on the page.
func pageSetting(t *testing.T, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + `=(.+)$`).FindStringSubmatch(supabasePage(t))
	if m == nil {
		t.Fatalf("docs/supabase.md does not set %s", name)
	}
	return m[1]
}

// pageSQL is the statement of the page that begins with a comment.
func pageSQL(t *testing.T, comment string) string {
	t.Helper()
	_, text, ok := strings.Cut(supabasePage(t), "-- "+comment+"\n")
	text, _, ends := strings.Cut(text, "```")
	if !ok || !ends {
		t.Fatalf("docs/supabase.md has no statement that begins with %q", comment)
	}
	return text
}

// claimsOf are those of the JWT of a user.
func claimsOf(userID string) string { return `{"sub": "` + userID + `", "role": "authenticated"}` }

const adminClaims = `{"sub": "` + bob + `", "role": "authenticated", "app_metadata": {"role": "admin"}}`

// settings are those of the page, for a service that knows users.
func (p supabase) settings() map[string]string {
	return map[string]string{
		"DATABASE_URL": p.url, "QUOTEKIT_ADDR": "127.0.0.1:0", "STRIPE_WEBHOOK_SECRET": secret, "SUPABASE_JWT_SECRET": jwtSecret,
		"QUOTEKIT_ADMIN_TOKEN": "ada=" + token, "QUOTEKIT_SCHEMA": pageSetting(p.t, "QUOTEKIT_SCHEMA"), "QUOTEKIT_TABLES": pageSetting(p.t, "QUOTEKIT_TABLES"),
	}
}

func (p supabase) start(settings map[string]string) *service {
	p.t.Helper()
	cfg, err := app.LoadConfig(env(settings), nil, "")
	if err != nil {
		p.t.Fatal(err)
	}
	return mustStartWith(p.t, cfg, app.Options{})
}

// subscriptionEvent is an event about a subscription, in live mode.
func subscriptionEvent(event, subscription, customer, user, status string, created int) []byte {
	metadata := map[string]any{}
	if user != "" {
		metadata["user_id"] = user
	}
	object := map[string]any{
		"id": subscription, "object": "subscription", "livemode": true, "customer": customer, "status": status, "metadata": metadata,
		"created": 1_740_787_200, "cancel_at_period_end": false, "currency": "eur",
		"items": map[string]any{"object": "list", "has_more": false, "data": []any{map[string]any{
			"id": "si_" + subscription, "object": "subscription_item", "quantity": 1, "current_period_start": 1_740_787_200, "current_period_end": 1_743_465_600,
			"price": map[string]any{"id": "price_basic", "object": "price", "product": "prod_basic"}, "subscription": subscription,
		}}},
	}
	return liveEvent(event, "customer.subscription.created", object, created)
}

func liveEvent(id, eventType string, object map[string]any, created int) []byte {
	b, err := json.Marshal(map[string]any{
		"id": id, "object": "event", "type": eventType, "livemode": true, "api_version": "2025-04-30.basil", "created": created,
		"data": map[string]any{"object": object},
	})
	if err != nil {
		panic(err)
	}
	return b
}

func (s *service) mustSucceed(bodies ...[]byte) {
	s.t.Helper()
	for _, b := range bodies {
		if a := s.post(b); a.Status != "succeeded" {
			s.t.Fatalf("got %+v of %.100s", a, b)
		}
	}
}

func TestSupabase_WhatTheApplicationHasStaysWhole(t *testing.T) {
	p := mustMakeSupabase(t)
	before := p.photograph("public", "auth")
	s := p.start(p.settings())
	s.mustSucceed(subscriptionEvent("evt_1", "sub_ada", "cus_ada", ada, "active", 1_740_787_200))
	u := mustUser(t, s.URL(), ada)
	for _, path := range []string{"/v1/quotes", "/v1/clients", "/v1/items"} {
		if r := u.do("GET", path, ""); r.status != 200 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	if got := s.value("SELECT user_id FROM quotekit.subscriptions"); got != ada {
		t.Errorf("the subscription is of %s", got)
	}
	s.stop()
	if d := diff(p.photograph("public", "auth"), before); d != "" {
		t.Errorf("changed:\n%s", d)
	}
}

func TestSupabase_EverybodySeesWhatIsTheirs(t *testing.T) {
	p := mustMakeSupabase(t)
	s := p.start(p.settings())
	s.mustSucceed(
		subscriptionEvent("evt_1", "sub_ada", "cus_ada", ada, "active", 1_740_787_200),
		subscriptionEvent("evt_2", "sub_bob", "cus_bob", bob, "active", 1_740_787_201),
		liveEvent("evt_3", "invoice.paid", map[string]any{"id": "in_ada", "object": "invoice", "livemode": true, "customer": "cus_ada", "status": "paid", "created": 1_740_787_200}, 1_740_787_202),
		liveEvent("evt_4", "payment_method.attached", map[string]any{"id": "pm_ada", "object": "payment_method", "livemode": true, "customer": "cus_ada", "type": "card", "created": 1_740_787_200}, 1_740_787_203),
	)
	if a := s.post(liveEvent("evt_5", "customer.subscription.updated", map[string]any{"id": 5}, 1_740_787_204)); a.Status != "dead" {
		t.Fatalf("got %+v", a)
	}
	mine := mustUser(t, s.URL(), ada).run("update_item_prices", []string{"b1111111-0000-4000-8000-000000000001"}, adjustment("percentage", "5"))
	theirs := mustUser(t, s.URL(), bob).run("update_item_prices", []string{"b2222222-0000-4000-8000-000000000001"}, adjustment("percentage", "5"))

	own := map[string][]string{
		`SELECT stripe_subscription_id FROM quotekit.subscriptions ORDER BY 1`:      {"sub_ada"},
		`SELECT stripe_subscription_id FROM quotekit.subscription_items ORDER BY 1`: {"sub_ada"},
		`SELECT stripe_customer_id FROM quotekit.stripe_customers ORDER BY 1`:       {"cus_ada"},
		`SELECT stripe_invoice_id FROM quotekit.stripe_invoices`:                    {"in_ada"},
		`SELECT stripe_payment_method_id FROM quotekit.payment_methods`:             {"pm_ada"},
		`SELECT id FROM quotekit.batch_jobs`:                                        {mine.ID},
		`SELECT job_id FROM quotekit.batch_job_items`:                               {mine.ID},
		`SELECT job_id FROM quotekit.batch_job_inputs`:                              {mine.ID},
	}
	for text, want := range own {
		p.sees("authenticated", claimsOf(ada), text, want...)
		p.sees("authenticated", `{"role": "authenticated"}`, text)
		p.sees("authenticated", `{"sub": "nobody"}`, text)
		p.sees("authenticated", ``, text)
		p.sees("anon", ``, text, "denied")
		p.sees("anon", claimsOf(ada), text, "denied")
	}
	status := func(id string) string { return `SELECT status FROM quotekit.get_batch_job_status('` + id + `')` }
	p.sees("authenticated", claimsOf(ada), status(mine.ID), "completed")
	p.sees("authenticated", claimsOf(ada), status(theirs.ID))
	p.sees("authenticated", adminClaims, status(mine.ID))
	p.sees("authenticated", ``, status(mine.ID))
	p.sees("anon", ``, status(mine.ID), "denied")
	p.sees("service_role", ``, status(theirs.ID), "completed")

	for _, table := range []string{
		"stripe_webhook_events", "webhook_dead_letter_queue", "webhook_audit_trail", "webhook_audit_chain",
		"webhook_performance_benchmarks", "webhook_retention", "webhook_alert_evaluations",
	} {
		text := `SELECT (COUNT(*) > 0)::TEXT FROM quotekit.` + table
		p.sees("authenticated", adminClaims, text, "true")
		p.sees("authenticated", claimsOf(ada), text, "false")
		// What users write of themselves gives no rights.
		p.sees("authenticated", `{"sub": "`+ada+`", "user_metadata": {"role": "admin"}, "app_metadata": {"role": "operator"}}`, text, "false")
		p.sees("anon", ``, text, "denied")
		p.sees("service_role", ``, text, "true")
	}
	for _, table := range []string{"dashboard_sessions", "river_job", "quotekit_schema_version", "quotekit_application_tables"} {
		for _, role := range []string{"anon", "authenticated", "service_role"} {
			p.sees(role, adminClaims, `SELECT 'x' FROM quotekit.`+table+` LIMIT 1`, "denied")
		}
	}

	// Users write only what is their own, and of the mirror and the jobs nothing.
	for _, text := range []string{
		`UPDATE quotekit.subscriptions SET status = 'active' RETURNING '1'`,
		`DELETE FROM quotekit.batch_jobs RETURNING '1'`,
		`INSERT INTO quotekit.batch_jobs (user_id, operation_type, request_id) VALUES ('` + ada + `', 'x', 'x') RETURNING '1'`,
		`UPDATE quotekit.webhook_dead_letter_queue SET resolved = TRUE RETURNING '1'`,
		`SELECT quotekit.cleanup_old_batch_jobs()::TEXT`,
		`SELECT quotekit.record_webhook_stage('evt_1', 'x', 'x', 'failed')::TEXT`,
		`SELECT quotekit.send_to_dead_letter_queue('evt_9', 'x', '{}', 'x')::TEXT`,
		`SELECT event_type FROM quotekit.get_webhook_performance_summary()`,
		`INSERT INTO quotekit.items (id, user_id, name, unit_price, created_at, updated_at) VALUES (gen_random_uuid(), '` + bob + `', 'x', 1, now(), now()) RETURNING '1'`,
	} {
		p.sees("authenticated", claimsOf(ada), text, "denied")
		p.sees("anon", claimsOf(ada), text, "denied")
	}
	p.sees("authenticated", claimsOf(ada), `INSERT INTO quotekit.items (id, user_id, name, unit_price, created_at, updated_at) VALUES (gen_random_uuid(), '`+ada+`', 'x', 1, now(), now()) RETURNING name`, "x")
	p.sees("authenticated", claimsOf(bob), `UPDATE quotekit.items SET name = 'y' RETURNING name`)
	p.sees("authenticated", claimsOf(ada), `UPDATE quotekit.items SET name = 'y' RETURNING name`, "y")

	// The service role writes, and calls the functions.
	p.sees("service_role", ``, `UPDATE quotekit.subscriptions SET metadata = '{"by": "hand"}' RETURNING metadata ->> 'by'`, "hand", "hand")
	p.sees("service_role", ``, `INSERT INTO quotekit.webhook_processing_logs (stripe_event_id, event_type, processing_stage, status) VALUES ('evt_x', 'x', 'x', 'failed') RETURNING status`, "failed")
	p.sees("service_role", ``, `SELECT (quotekit.record_webhook_stage('evt_1', 'x', 'x', 'failed') IS NOT NULL)::TEXT`, "true")
	p.sees("service_role", ``, `SELECT (quotekit.send_to_dead_letter_queue('evt_9', 'x', '{}', 'x') IS NOT NULL)::TEXT`, "true")
	p.sees("service_role", ``, `DELETE FROM quotekit.webhook_audit_trail RETURNING '1'`, "denied")
	// A function reads the table, and no temporary one of the caller's.
	got, err := p.as("authenticated", claimsOf(ada), status(theirs.ID),
		`CREATE TEMPORARY TABLE batch_jobs ON COMMIT DROP AS SELECT '`+theirs.ID+`'::UUID AS id, '`+ada+`'::UUID AS user_id, 'forged' AS status`,
		`SET LOCAL search_path = pg_temp`)
	if err != nil || len(got) > 0 {
		t.Errorf("got %q, %v", got, err)
	}
	p.sees("service_role", ``, `SELECT quotekit.cleanup_old_batch_jobs(0)::TEXT`, "2")
	for _, f := range p.query(`
		SELECT p.proname AS f, p.prosecdef, p.proconfig::TEXT
		FROM pg_proc AS p
		WHERE p.pronamespace = 'quotekit'::REGNAMESPACE AND p.proname IN ('get_batch_job_status', 'cleanup_old_batch_jobs',
			'record_webhook_stage', 'send_to_dead_letter_queue', 'get_webhook_performance_summary')`) {
		if !strings.Contains(f, "prosecdef=true | proconfig={\"search_path=pg_catalog, quotekit, pg_temp\"}") {
			t.Errorf("%s", f)
		}
	}
	// And the service goes on.
	s.mustSucceed(subscriptionEvent("evt_6", "sub_ada", "cus_ada", ada, "canceled", 1_740_787_300))
	p.sees("authenticated", claimsOf(ada), `SELECT status FROM quotekit.subscriptions`, "canceled")
}

func TestSupabase_RightsAreGivenAgainAndOnce(t *testing.T) {
	p := mustMakeSupabase(t)
	s := storetest.OpenWith(t, store.Config{URL: p.url, Schema: "quotekit"})
	if err := tables(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	rights := func() []string {
		return p.query(`
			SELECT c.relname AS name, c.relrowsecurity, c.relacl::TEXT, c.xmin::TEXT, (SELECT string_agg(p.polname || p.xmin::TEXT, ' ' ORDER BY p.polname) FROM pg_policy AS p WHERE p.polrelid = c.oid) AS policies
			FROM pg_class AS c WHERE c.relnamespace = 'quotekit'::REGNAMESPACE AND c.relkind = 'r'
			UNION ALL
			SELECT p.proname, p.prosecdef, p.proacl::TEXT, p.xmin::TEXT, '' FROM pg_proc AS p WHERE p.pronamespace = 'quotekit'::REGNAMESPACE
			ORDER BY 1`)
	}
	before := rights()
	for _, line := range before {
		if strings.Contains(line, "relrowsecurity=false") && strings.Contains(line, "policies=quotekit") {
			t.Errorf("not guarded: %s", line)
		}
	}
	if got := p.query(`SELECT relname FROM pg_class WHERE relnamespace = 'quotekit'::REGNAMESPACE AND relkind = 'r' AND NOT relrowsecurity`); len(got) > 0 {
		t.Errorf("without row level security: %q", got)
	}
	if err := tables(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if d := diff(rights(), before); d != "" {
		t.Errorf("what was so already was done again:\n%s", d)
	}

	// As if the roles were made after the tables.
	want := withoutColumns(before, "xmin", "policies")
	p.exec(`
		DROP POLICY quotekit_users ON quotekit.subscriptions;
		DROP POLICY quotekit_service_role ON quotekit.subscriptions;
		DROP POLICY quotekit_service_role ON quotekit.batch_jobs;
		ALTER TABLE quotekit.subscriptions DISABLE ROW LEVEL SECURITY;
		REVOKE ALL ON ALL TABLES IN SCHEMA quotekit FROM authenticated, service_role;
		REVOKE ALL ON FUNCTION quotekit.get_batch_job_status FROM authenticated, service_role;
		REVOKE ALL ON FUNCTION quotekit.record_webhook_stage FROM service_role;
		REVOKE ALL ON SCHEMA quotekit FROM authenticated, service_role;
		GRANT EXECUTE ON FUNCTION quotekit.cleanup_old_batch_jobs TO anon`)
	p.sees("authenticated", claimsOf(ada), `SELECT status FROM quotekit.subscriptions`, "denied")
	if err := tables(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if d := diff(withoutColumns(rights(), "xmin", "policies"), want); d != "" {
		t.Errorf("not given again:\n%s", d)
	}
	p.sees("authenticated", claimsOf(ada), `SELECT status FROM quotekit.subscriptions`)
}

// TestSupabase_TablesOfTheApplicationAreLeftAlone: in the application's own schema, where
// it has a table of the user's document.
func TestSupabase_TablesOfTheApplicationAreLeftAlone(t *testing.T) {
	p := supabase{t: t, url: storetest.SupabaseURL(t)}
	var err error
	if p.db, err = sql.Open("pgx", p.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.db.Close() })
	p.exec(`
		ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
		ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
		CREATE TABLE batch_jobs (
			id UUID PRIMARY KEY DEFAULT gen_random_uuid(), user_id UUID NOT NULL, operation_type TEXT NOT NULL,
			total_items INTEGER NOT NULL DEFAULT 0, processed_items INTEGER NOT NULL DEFAULT 0, failed_items INTEGER NOT NULL DEFAULT 0,
			progress_percent INTEGER NOT NULL DEFAULT 0, status TEXT NOT NULL DEFAULT 'pending', request_id TEXT NOT NULL,
			options JSONB DEFAULT '{}', error_details JSONB, execution_time_ms INTEGER, created_at TIMESTAMPTZ DEFAULT now(), completed_at TIMESTAMPTZ
		);
		INSERT INTO batch_jobs (user_id, operation_type, request_id) VALUES ('` + ada + `', 'theirs', 'r');
		CREATE TABLE posts (id INTEGER)`)
	was := p.query(`SELECT relname, relacl::TEXT, relrowsecurity FROM pg_class WHERE relname IN ('batch_jobs', 'posts')`)
	s := storetest.OpenWith(t, store.Config{URL: p.url})
	if err := tables(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if d := diff(p.query(`SELECT relname, relacl::TEXT, relrowsecurity FROM pg_class WHERE relname IN ('batch_jobs', 'posts')`), was); d != "" {
		t.Errorf("changed:\n%s", d)
	}
	if got := p.query(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::REGNAMESPACE AND relkind = 'r' AND NOT relrowsecurity ORDER BY 1`); !slices.Equal(got, []string{"relname=batch_jobs", "relname=posts"}) {
		t.Errorf("without row level security are %q", got)
	}
	if got := p.query(`SELECT name FROM quotekit_application_tables ORDER BY 1`); !slices.Equal(got, []string{"name=batch_jobs", "name=posts"}) {
		t.Errorf("the tables of the application are %q", got)
	}
	// A table that Supabase gives to everybody, with TRUNCATE, is nobody's.
	p.sees("anon", ``, `SELECT 'x' FROM stripe_webhook_events`, "denied")
	p.sees("authenticated", adminClaims, `SELECT 'x' FROM stripe_webhook_events`)
	p.sees("anon", ``, `SELECT cleanup_old_batch_jobs()::TEXT`, "denied")
	wantFindings(t, mustExamine(t, map[string]string{"DATABASE_URL": p.url}), map[string]string{
		"schema": "ok ", "application-tables": "ok ", "row-level-security": "fail off, while anon or authenticated have rights to batch_jobs",
	})
	p.exec(`ALTER TABLE batch_jobs ENABLE ROW LEVEL SECURITY`)
	wantFindings(t, mustExamine(t, map[string]string{"DATABASE_URL": p.url}), map[string]string{"row-level-security": "ok "})
}

func TestSupabase_TheDoctorSaysWhatIsMissing(t *testing.T) {
	p := mustMakeSupabase(t)
	settings := func(changes ...string) map[string]string {
		all := map[string]string{"DATABASE_URL": p.url}
		for i := 0; i < len(changes); i += 2 {
			all[changes[i]] = changes[i+1]
		}
		return all
	}
	before := p.photograph("public", "auth")
	found := mustExamine(t, settings())
	if f, want := found["schema"], "public has tables that are not QuoteKit's: "+
		"quotes: it lacks the columns client_id, client_email, tax_amount, valid_until, and its column line_items is integer, not jsonb; "+
		"subscriptions: it lacks the columns account, livemode, stripe_subscription_id, stripe_customer_id, stripe_price_id, currency, "+
		"collection_method, current_period_start, cancel_at, canceled_at, ended_at, cancellation_details, trial_start, trial_end, "+
		"pause_collection, default_payment_method_id, default_source_id, latest_invoice_id, discounts, metadata, start_date, "+
		"stripe_created_at, snapshot_at, created_at, updated_at, and its column quantity is integer, not bigint, and it requires the columns id"; f.Status != app.FindingFail || f.Found != want {
		t.Errorf("got %s %q\nwant %q", f.Status, f.Found, want)
	}
	wantFindings(t, found, map[string]string{
		"application-tables": "fail quotes: it lacks the columns client_email, client_id, tax_amount, valid_until, its column line_items is integer, not jsonb",
	})
	if d := diff(p.photograph("public", "auth"), before); d != "" {
		t.Errorf("the doctor changed:\n%s", d)
	}

	apart := settings("QUOTEKIT_SCHEMA", "quotekit")
	wantFindings(t, mustExamine(t, apart), map[string]string{"schema": "ok ", "application-tables": "ok ", "migrations": "warn pending"})
	s := storetest.OpenWith(t, store.Config{URL: p.url, Schema: "quotekit"})
	if err := tables(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	wantFindings(t, mustExamine(t, apart), map[string]string{
		"schema": "ok ", "application-tables": "warn clients: bulk operations work on it, and not on public.clients; quotes: bulk operations work on it, and not on public.quotes",
		"row-level-security": "ok ",
	})
	const typed = "public.line_items: it lacks the columns tags, price, its column name is integer, not text, " +
		"bulk_create_items cannot give the columns that it requires: cost"
	p.exec(`ALTER TABLE line_items ALTER COLUMN name TYPE INTEGER USING 1, ADD COLUMN company_id UUID`)
	mapped := "items=public.line_items,items.unit_price=price,clients=public.clients,quotes=public.nothing"
	wantFindings(t, mustExamine(t, settings("QUOTEKIT_SCHEMA", "quotekit", "QUOTEKIT_TABLES", mapped)), map[string]string{
		"application-tables": "fail " + typed + "; public.nothing: it does not exist",
	})
	p.exec(`DELETE FROM line_items; ALTER TABLE line_items ALTER COLUMN name TYPE TEXT, ALTER COLUMN company_id SET NOT NULL, ALTER COLUMN cost TYPE NUMERIC(10,1)`)
	wantFindings(t, mustExamine(t, settings("QUOTEKIT_SCHEMA", "quotekit", "QUOTEKIT_TABLES", pageSetting(t, "QUOTEKIT_TABLES"))), map[string]string{
		"application-tables": "fail public.line_items: its column cost is numeric(10,1), not numeric(10,2), bulk_create_items cannot give the columns that it requires: company_id",
	})
	p.exec(`ALTER TABLE line_items ALTER COLUMN company_id DROP NOT NULL, ALTER COLUMN cost TYPE NUMERIC`)
	wantFindings(t, mustExamine(t, settings("QUOTEKIT_SCHEMA", "quotekit", "QUOTEKIT_TABLES", pageSetting(t, "QUOTEKIT_TABLES"))), map[string]string{
		"application-tables": "ok ",
	})
	p.exec(`ALTER TABLE quotes ALTER COLUMN quote_data SET NOT NULL`)
	wantFindings(t, mustExamine(t, settings("QUOTEKIT_SCHEMA", "quotekit", "QUOTEKIT_TABLES", pageSetting(t, "QUOTEKIT_TABLES"))), map[string]string{
		"application-tables": "warn public.quotes: bulk_create_quotes fails without line_items, which may not be null",
	})
	// A role that is neither the owner nor free of row level security.
	p.exec(`ALTER TABLE line_items FORCE ROW LEVEL SECURITY; REVOKE DELETE ON line_items FROM CURRENT_USER, service_role, anon, authenticated`)
	wantFindings(t, mustExamine(t, settings("QUOTEKIT_SCHEMA", "quotekit", "QUOTEKIT_TABLES", pageSetting(t, "QUOTEKIT_TABLES"))), map[string]string{
		"application-tables": "fail public.line_items: pgtdbuser has no right to DELETE, row level security hides its rows",
	})
}

func TestSupabase_BulkOperationsOnTheApplicationsTables(t *testing.T) {
	p := mustMakeSupabase(t)
	s := p.start(p.settings())
	u := mustUser(t, s.URL(), ada)
	names := []string{"b1111111-0000-4000-8000-000000000001", "b1111111-0000-4000-8000-000000000002", "b2222222-0000-4000-8000-000000000001"}
	prices := func() []string { return p.query(`SELECT name, cost::TEXT FROM line_items ORDER BY id`) }
	before := p.photograph("public")
	costs := prices()

	var items rest.Page[map[string]any]
	r := u.do("GET", "/v1/items?category=lawn&search=GING", "")
	if err := json.Unmarshal(r.body, &items); err != nil || len(items.Items) != 1 || items.Items[0]["unit_price"] != "19.99" || items.Items[0]["tags"] != nil {
		t.Errorf("got %d %s, %v", r.status, r.body, err)
	}
	if r := u.do("GET", "/v1/items?limit=2", ""); r.status != 200 || strings.Contains(string(r.body), "per hour") || !strings.Contains(string(r.body), `"unit_price":"7.00"`) {
		t.Errorf("got %d %s", r.status, r.body)
	} else if err := json.Unmarshal(r.body, &items); err != nil || items.NextCursor == nil {
		t.Errorf("got %s, %v", r.body, err)
	} else if r := u.do("GET", "/v1/items?limit=2&cursor="+*items.NextCursor, ""); !strings.Contains(string(r.body), names[0]) {
		t.Errorf("the second page is %s", r.body)
	}
	if r := u.do("GET", "/v1/quotes/a1111111-0000-4000-8000-000000000001", ""); !strings.Contains(string(r.body), `"client_id":"c1111111-0000-4000-8000-000000000001"`) ||
		!strings.Contains(string(r.body), `"valid_until":"2025-12-31T00:00:00Z"`) || !strings.Contains(string(r.body), `Mowing`) {
		t.Errorf("got %d %s", r.status, r.body)
	}
	if r := u.do("GET", "/v1/items/"+names[2], ""); r.status != 404 {
		t.Errorf("somebody else's item: %d %s", r.status, r.body)
	}
	if status, found := s.call("GET", "/v1/monitor/search?q="+names[2], ""); status != 200 || !strings.Contains(fmt.Sprint(found), bob) {
		t.Errorf("the search: %d %v", status, found)
	}

	// Prices, and back.
	j := u.run("update_item_prices", names, adjustment("percentage", "10"))
	u.wantOutcomes(j, "succeeded", "succeeded", "failed: not_found")
	if got, want := prices(), []string{"name=Mowing | cost=55.00", "name=Edging | cost=21.99", "name=Seeds | cost=7.00", "name=Mowing | cost=40.00"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if r := u.results(j.ID)[1]; string(r.Before) == "" || !strings.Contains(string(r.Before), `"unit_price":"19.99"`) || !strings.Contains(string(r.After), `"unit_price":"21.99"`) {
		t.Errorf("got %s, %s", r.Before, r.After)
	}
	u.wantOutcomes(u.act(j.ID, "undo"), "succeeded", "succeeded")
	if got := prices(); !slices.Equal(got, costs) {
		t.Errorf("after the undo: %q", got)
	}

	// What is made has what the table has.
	j = u.run("bulk_create_items", []map[string]any{
		{"name": "Hedge", "unit_price": "12.50", "category": "lawn"}, {"name": "Tagged", "unit_price": "1", "tags": []string{"a"}}, {"name": "None", "unit_price": "1", "tags": nil},
	}, nil)
	u.wantOutcomes(j, "succeeded", "failed: invalid", "succeeded")
	if m := u.results(j.ID)[1].ErrorMessage; m == nil || !strings.Contains(*m, "tags") {
		t.Errorf("got the message %v", m)
	}
	if got := p.query(`SELECT cost::TEXT, unit_price, category FROM line_items WHERE name = 'Hedge'`); !slices.Equal(got, []string{"cost=12.50 | unit_price=null | category=lawn"}) &&
		!slices.Equal(got, []string{"cost=12.50 | unit_price=per hour | category=lawn"}) {
		t.Errorf("got %q", got)
	}
	u.wantOutcomes(u.act(j.ID, "undo"), "succeeded", "succeeded")

	// Deletions, and back: every column, whatever it is called.
	quotes := []string{"a1111111-0000-4000-8000-000000000001", "a1111111-0000-4000-8000-000000000002", "a2222222-0000-4000-8000-000000000001"}
	j = u.run("delete_quotes", quotes, nil)
	u.wantOutcomes(j, "succeeded", "succeeded", "failed: not_found")
	if r := u.results(j.ID)[0]; !strings.Contains(string(r.Before), "Mowing") || strings.Contains(string(r.Before), "dotted") {
		t.Errorf("got %s", r.Before)
	}
	u.wantOutcomes(u.act(j.ID, "undo"), "succeeded", "succeeded")
	if d := diff(p.photograph("public"), before); d != "" {
		t.Errorf("after the undo of the deletion:\n%s", d)
	}
	j = u.run("update_quote_status", quotes, status("accepted"))
	u.wantOutcomes(j, "succeeded", "succeeded", "failed: not_found")
	u.wantOutcomes(u.act(j.ID, "undo"), "succeeded", "succeeded")
	clients := []string{"c1111111-0000-4000-8000-000000000001", "c2222222-0000-4000-8000-000000000001"}
	j = u.run("delete_clients", clients, nil)
	u.wantOutcomes(j, "succeeded", "failed: not_found")
	if got := p.query(`SELECT COUNT(*) AS n FROM quotes WHERE customer_id IS NULL`); got[0] != "n=2" {
		t.Errorf("got %q quotes without a client", got)
	}
	u.wantOutcomes(u.act(j.ID, "undo"), "succeeded")

	// An export has the names of the API.
	j = u.run("export_quotes", quotes[:1], map[string]any{"format": "csv"})
	if r := u.do("GET", "/v1/batch-jobs/"+j.ID+"/export", ""); !strings.Contains(string(r.body), "client_id") || !strings.Contains(string(r.body), "c1111111-") || strings.Contains(string(r.body), "customer_id") {
		t.Errorf("got %s", r.body)
	}
	j = u.run("export_quotes", quotes[:1], nil)
	if r := u.do("GET", "/v1/batch-jobs/"+j.ID+"/export", ""); !strings.Contains(string(r.body), `"client_email":null`) || !strings.Contains(string(r.body), `"valid_until":"2025-12-31T00:00:00Z"`) {
		t.Errorf("got %s", r.body)
	}
	j = u.run("bulk_create_quotes", []map[string]any{
		{"client_id": clients[0], "total": "5.00"}, {"client_id": clients[1], "total": "5.00"}, {"client_name": "x", "client_email": "x@example.com", "total": "1"},
	}, nil)
	u.wantOutcomes(j, "succeeded", "failed: invalid", "failed: invalid")
	u.wantOutcomes(u.act(j.ID, "undo"), "succeeded")
	s.stop()
	// The trigger of the application has touched the quotes that were unlinked and linked.
	clean := func(lines []string) []string {
		return slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
			return strings.HasPrefix(l, "quotes ") || strings.HasPrefix(l, "quotes_number_seq")
		})
	}
	if d := diff(clean(p.photograph("public")), clean(before)); d != "" {
		t.Errorf("after all was undone:\n%s", d)
	}
	if got := p.query(`SELECT id FROM quotes WHERE customer_id IS NOT NULL`); len(got) != 3 {
		t.Errorf("quotes with a client: %q", got)
	}
}

// TestSupabase_AWrongNameHurtsBulkOperationsOnly: the service starts, takes webhooks and says
// what is wrong.
func TestSupabase_AWrongNameHurtsBulkOperationsOnly(t *testing.T) {
	p := mustMakeSupabase(t)
	settings := p.settings()
	settings["QUOTEKIT_TABLES"] = "items=public.line_items,items.unit_price=price,items.tags="
	cfg, err := app.LoadConfig(env(settings), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	var log notebook
	s := mustStartWith(t, cfg, app.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "bulk operations fail on a table of the application") || !strings.Contains(log.String(), "public.line_items") || !strings.Contains(log.String(), "it lacks the columns price") {
		t.Errorf("the log is silent:\n%s", log.String())
	}
	s.mustSucceed(subscriptionEvent("evt_1", "sub_ada", "cus_ada", ada, "active", 1_740_787_200))
	before := p.photograph("public")
	u := mustUser(t, s.URL(), ada)
	j := u.run("update_item_prices", []string{"b1111111-0000-4000-8000-000000000001"}, adjustment("percentage", "5"))
	if j.Status != "failed" || j.SucceededItems != 0 {
		t.Errorf("got %+v", j)
	}
	if d := diff(p.photograph("public"), before); d != "" {
		t.Errorf("changed:\n%s", d)
	}
}

func TestSupabase_FromARouteOfOnesOwn(t *testing.T) {
	p := mustMakeSupabase(t)
	s := p.start(p.settings())
	compare := func(want ...string) {
		t.Helper()
		var got []string
		for _, line := range p.query(pageSQL(t, "Subscriptions that the old route and QuoteKit tell differently.")) {
			id, rest, _ := strings.Cut(strings.TrimPrefix(line, "subscription="), separator)
			old, rest, _ := strings.Cut(strings.TrimPrefix(rest, "old_status="), separator)
			mirror, _, _ := strings.Cut(strings.TrimPrefix(rest, "new_status="), separator)
			got = append(got, id+": "+old+", "+mirror)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the comparison finds %q, want %q", got, want)
		}
	}
	// theOldRoute is what the application's own route does with an event.
	theOldRoute := func(subscription, user, status string) {
		p.exec(fmt.Sprintf(`INSERT INTO public.subscriptions (id, user_id, status, price_id, quantity, cancel_at_period_end, current_period_end, created)
			VALUES ('%s', '%s', '%s', 'price_basic', 1, FALSE, '2025-04-01Z', '2025-03-01Z') ON CONFLICT (id) DO UPDATE SET status = excluded.status`, subscription, user, status))
	}
	compare("sub_old: active, null") // from before, and not yet filled in

	// Both endpoints are told; QuoteKit is not told whose sub_old is.
	s.mustSucceed(subscriptionEvent("evt_1", "sub_old", "cus_bob", "", "active", 1_740_787_200),
		subscriptionEvent("evt_2", "sub_ada", "cus_ada", ada, "active", 1_740_787_201))
	theOldRoute("sub_ada", ada, "active")
	compare("sub_old: active, active")
	unknown := p.query(pageSQL(t, "Customers whose user only the application knows."))
	if !slices.Equal(unknown, []string{"stripe_customer_id=cus_bob | user_id=" + bob}) {
		t.Fatalf("customers without a user: %q", unknown)
	}
	s.mustSucceed(liveEvent("evt_3", "customer.updated", map[string]any{
		"id": "cus_bob", "object": "customer", "livemode": true, "created": 1_740_000_000, "metadata": map[string]any{"user_id": bob},
	}, 1_740_787_300))
	compare()
	p.sees("authenticated", claimsOf(bob), `SELECT stripe_subscription_id FROM quotekit.subscriptions`, "sub_old")

	// After the cut only QuoteKit is told; the old route's secret and path serve as well.
	s.mustSucceed(subscriptionEvent("evt_4", "sub_ada", "cus_ada", ada, "past_due", 1_740_787_400),
		subscriptionEvent("evt_5", "sub_new", "cus_ada", ada, "trialing", 1_740_787_401))
	compare("sub_ada: active, past_due", "sub_new: null, trialing")

	back := pageSQL(t, "What QuoteKit knows better, into the table of the old route.")
	p.exec(back)
	compare()
	rows := p.query(`SELECT id, xmin::TEXT FROM public.subscriptions ORDER BY id`)
	p.exec(back)
	if d := diff(p.query(`SELECT id, xmin::TEXT FROM public.subscriptions ORDER BY id`), rows); d != "" {
		t.Errorf("going back twice has written again:\n%s", d)
	}
	theOldRoute("sub_ada", ada, "canceled")
	compare("sub_ada: canceled, past_due")
}
