package store_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// catalog lists everything that a database has: columns, indexes, constraints
// and the other relations, a line each.
func catalog(t *testing.T, s *store.Store) []string {
	t.Helper()
	if !s.Postgres() {
		return lines(t, s, `SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master ORDER BY 1`)
	}
	return lines(t, s, `
		SELECT format('column %s.%s.%s %s %s %s', n.nspname, c.relname, a.attname,
			format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
		FROM pg_class AS c
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
		JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
		UNION ALL
		SELECT format('relation %s.%s %s %s', n.nspname, c.relname, c.relkind,
			CASE WHEN c.relkind = 'i' THEN pg_get_indexdef(c.oid) END)
		FROM pg_class AS c
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
		UNION ALL
		SELECT format('constraint %s %s %s', conrelid::REGCLASS, conname, pg_get_constraintdef(oid))
		FROM pg_constraint
		WHERE connamespace::REGNAMESPACE::TEXT NOT IN ('pg_catalog', 'information_schema')
		ORDER BY 1`)
}

func lines(t *testing.T, s *store.Store, query string, args ...any) []string {
	t.Helper()
	rows, err := s.Reader().QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		all = append(all, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func diff(before, after []string) string {
	var b strings.Builder
	for _, l := range before {
		if !slices.Contains(after, l) {
			b.WriteString("- " + l + "\n")
		}
	}
	for _, l := range after {
		if !slices.Contains(before, l) {
			b.WriteString("+ " + l + "\n")
		}
	}
	return b.String()
}

// columns returns the columns of all tables, sorted, but goose's.
func columns(t *testing.T, s *store.Store) map[string][]string {
	t.Helper()
	query := `
		SELECT m.name || ' ' || c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1`
	if s.Postgres() {
		query = `
			SELECT table_name || ' ' || column_name FROM information_schema.columns
			WHERE table_schema = 'public' ORDER BY 1`
	}
	all := map[string][]string{}
	for _, line := range lines(t, s, query) {
		table, column, _ := strings.Cut(line, " ")
		all[table] = append(all[table], column)
	}
	delete(all, "quotekit_schema_version")
	for _, c := range all {
		slices.Sort(c)
	}
	return all
}

func TestMigrations_MakeTheSameTablesOnBothEngines(t *testing.T) {
	lite := columns(t, storetest.Open(t, storetest.SQLiteURL(t, storetest.Tables)))
	pg := columns(t, storetest.Open(t, storetest.PostgresURL(t, storetest.Tables)))
	for _, name := range slices.Sorted(maps.Keys(pg)) {
		if !slices.Equal(lite[name], pg[name]) {
			t.Errorf("%s: got %q on sqlite, %q on postgres", name, lite[name], pg[name])
		}
		delete(lite, name)
	}
	if len(lite) > 0 {
		t.Errorf("only on sqlite: %v", lite)
	}
}

func TestMigrations_HaveTheColumnsOfTheRows(t *testing.T) {
	computed := map[string]string{
		"stripe_customers":         "user_id deleted",
		"stripe_products":          "deleted",
		"stripe_prices":            "deleted",
		"subscriptions":            "user_id",
		"subscription_items":       "stripe_subscription_id deleted",
		"stripe_invoices":          "user_id",
		"payment_methods":          "user_id stripe_customer_id last_stripe_customer_id detached_at stripe_setup_intent_id usage stripe_mandate_id",
		"stripe_checkout_sessions": "user_id",
	}
	rows := map[string]any{
		"stripe_customers":         quotekit.Customer{},
		"stripe_products":          quotekit.Product{},
		"stripe_prices":            quotekit.Price{},
		"subscriptions":            quotekit.Subscription{},
		"subscription_items":       quotekit.SubscriptionItem{},
		"stripe_invoices":          quotekit.Invoice{},
		"payment_methods":          quotekit.PaymentMethod{},
		"stripe_checkout_sessions": quotekit.CheckoutSession{},
	}
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		actual := columns(t, s)
		for name, row := range rows {
			want := append(strings.Fields(computed[name]),
				"account", "livemode", "snapshot_at", "created_at", "updated_at")
			for _, f := range reflect.VisibleFields(reflect.TypeOf(row)) {
				if tag, _, _ := strings.Cut(f.Tag.Get("db"), ","); tag != "" {
					want = append(want, tag)
				}
			}
			slices.Sort(want)
			if got := actual[name]; !slices.Equal(got, want) {
				t.Errorf("%s: got columns %q\nwant %q", name, got, want)
			}
		}
	})
}
