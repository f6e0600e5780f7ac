package app_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// onVersion10 runs f with the URL of a database of each engine as the first released
// version left it.
func onVersion10(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, storetest.SQLiteURL(t, storetest.Version10)) })
	t.Run("postgres", func(t *testing.T) { f(t, storetest.PostgresURL(t, storetest.Version10)) })
}

// keepingAll is a service that deletes nothing for its age: the rows of version 10 get older.
func keepingAll(t *testing.T, url string) *service {
	c := batchConfig(url)
	c.BatchKeepDays = 100_000
	return mustStartWith(t, c, app.Options{})
}

// TestUpgrade_KeepsEveryRow migrates a database of the first released version: all its rows
// are there, as they were. Then the newest service works with them.
func TestUpgrade_KeepsEveryRow(t *testing.T) {
	onVersion10(t, func(t *testing.T, url string) {
		old := storetest.Open(t, url)
		columns := columnsThen(t, old)
		before := rowsOf(t, old, columns)
		for table, rows := range before {
			if len(rows) == 0 && !slices.Contains([]string{"river_leader", "river_notification"}, table) {
				t.Errorf("version 10 left no row in %s", table)
			}
		}
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}

		a, err := app.New(t.Context(), batchConfig(url), app.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = a.Migrate(t.Context())
		after := rowsOf(t, a.Store(), columns)
		named, err2 := queryLines(a.Store().Reader(), "SELECT name FROM quotekit_application_tables")
		if err3 := a.Close(); err != nil || err2 != nil || err3 != nil {
			t.Fatal(err, err2, err3)
		}
		for _, table := range []string{"quotekit_schema_version", "river_migration"} {
			after[table] = after[table][:min(len(after[table]), len(before[table]))] // there are more
		}
		for table, rows := range before {
			if d := diff(after[table], rows); d != "" {
				t.Errorf("the migration changed %s:\n%s", table, d)
			}
		}
		if len(named) > 0 {
			t.Errorf("tables of our own are taken for the application's: %v", named)
		}

		s := keepingAll(t, url)
		s.goesOn()
		still := rowsOf(t, s.Store(), columns)
		for _, table := range append(slices.Clone(mirrorTables),
			"stripe_objects", "stripe_webhook_events", "webhook_audit_trail", "webhook_dead_letter_queue", "webhook_error_groups",
			"webhook_processing_logs", "batch_jobs", "batch_job_inputs", "batch_job_items", "quotes", "clients", "items") {
			for _, row := range before[table] {
				if !slices.Contains(still[table], row) && !slices.ContainsFunc(touched, func(id string) bool { return strings.Contains(row, id) }) {
					t.Errorf("%s: nothing was to happen to the row %.300s", table, row)
				}
			}
		}
		s.worksOn()
	})
}

// TestVersions_AnOlderVersionWritesIntoNewerTables: while processes of the first released
// version go on beside the newest, what they write is accepted, and the newest does what
// they have begun.
func TestVersions_AnOlderVersionWritesIntoNewerTables(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		older := storetest.Open(t, url)
		for _, table := range []string{"webhook_performance_benchmarks", "webhook_audit_chain", "webhook_alert_evaluations"} {
			if _, err := older.Writer().ExecContext(t.Context(), "DELETE FROM "+table); err != nil {
				t.Fatal(err)
			}
		}
		if err := storetest.Version10Rows(t.Context(), older); err != nil {
			t.Fatal(err)
		}
		if err := older.Close(); err != nil {
			t.Fatal(err)
		}
		s := keepingAll(t, url)
		s.goesOn()
		s.worksOn()
	})
}

// touched says which rows of version 10 the newest version changes by itself: of what was
// not finished.
var touched = []string{"evt_upgrade_pending", "status=pending", "quote_number=Q-0001"}

// goesOn waits until what version 10 had not finished is done.
func (s *service) goesOn() {
	s.t.Helper()
	s.mustSettle()
	if got := s.status("evt_upgrade_pending"); got != "succeeded" {
		s.t.Errorf("the event that was pending is %s", got)
	}
	if got := s.value("SELECT name FROM stripe_products WHERE stripe_product_id = 'prod_upgrade_pending'"); got != "Plan" {
		s.t.Errorf("it made the product %q", got)
	}
	eventually(s.t, time.Minute, "the bulk operation that was pending", func() bool {
		return s.value("SELECT COUNT(*) FROM batch_jobs WHERE status <> 'completed'") == "0"
	})
	if got := s.value("SELECT status FROM quotes WHERE quote_number = 'Q-0001'"); got != "declined" {
		s.t.Errorf("its quote is %s", got)
	}
	if got := s.value("SELECT COUNT(*) FROM webhook_tasks WHERE paused AND status = 'pending'"); got != "1" {
		s.t.Errorf("%s tasks are held up, want the one that was", got)
	}
}

// worksOn acts on what version 10 has left.
func (s *service) worksOn() {
	s.t.Helper()
	// Deliveries: of an event that is known, and of the next one of an object whose evidence
	// is old.
	if got := s.post(fixture(s.t, "customer.created.dahlia.journey-a")); !got.Duplicate || got.Status != "succeeded" {
		s.t.Errorf("an event of then again: got %+v", got)
	}
	const subscription = "SELECT status FROM subscriptions WHERE stripe_subscription_id = 'sub_1QKpS5r67VA0pTApuQBOQ4Tk'"
	if got := s.value(subscription); got != "active" {
		s.t.Fatalf("the subscription of then is %s", got)
	}
	if got := s.post(fixture(s.t, "customer.subscription.deleted.dahlia.journey-a")); got.Duplicate || got.Status != "succeeded" {
		s.t.Errorf("the next event: got %+v", got)
	}
	if got := s.value(subscription); got != "canceled" {
		s.t.Errorf("after its end the subscription is %s", got)
	}

	// Dead letters and tasks.
	if status, answer := s.call("POST", "/v1/monitor/dead-letter-queue/evt_upgrade_dead4/retry", `{"reason":"the new version can"}`); status != 202 {
		s.t.Errorf("retry: got %d %v", status, answer)
	}
	eventually(s.t, time.Minute, "the retry", func() bool { return s.status("evt_upgrade_dead4") == "succeeded" })
	task := s.value("SELECT id FROM webhook_tasks WHERE paused")
	if status, answer := s.call("POST", "/v1/monitor/tasks/"+task+"/resume", `{"reason":"now"}`); status != 200 {
		s.t.Errorf("resume: got %d %v", status, answer)
	}
	if got := s.settled(task, time.Minute); got.Status != quotekit.TaskCompleted || got.Report.Resolved != 1 {
		s.t.Errorf("the task that was held up: got %+v", got)
	}
	groups := ask[struct{ Items []map[string]any }](s, "/v1/monitor/error-groups?resolved=true")
	if !strings.Contains(fmt.Sprint(groups.Items), "with the sender") {
		s.t.Errorf("what was noted of a group is not among %v", groups.Items)
	}

	// Bulk operations.
	u := mustUser(s.t, s.URL(), s.value("SELECT DISTINCT user_id FROM batch_jobs"))
	deletion := s.value("SELECT id FROM batch_jobs WHERE operation_type = 'delete_quotes'")
	if undo := u.act(deletion, "undo"); undo.Status != quotekit.BatchCompleted || undo.SucceededItems != 1 {
		s.t.Errorf("undo: got %+v", undo)
	}
	if got := s.query("SELECT status, total FROM quotes WHERE quote_number = 'Q-0003'"); len(got) != 1 || !strings.HasPrefix(got[0], "status=sent") {
		s.t.Errorf("the quote that was deleted: got %v", got)
	}

	// The trail of then and of now is one chain.
	verdict := ask[struct {
		Valid bool
		Lines int
	}](s, "/v1/monitor/audit-trail/verify")
	acts := s.value("SELECT COUNT(*) FROM webhook_audit_trail WHERE chain_sequence IS NOT NULL")
	if !verdict.Valid || fmt.Sprint(verdict.Lines) != acts || verdict.Lines < 6 {
		s.t.Errorf("the chain: got %+v of %s lines", verdict, acts)
	}

	s.listsAll(u, deletion, task)
}

// listsAll reads every list and page, and finds something of version 10 there.
func (s *service) listsAll(u *user, job, task string) {
	s.t.Helper()
	const then = "from=2026-11-29T00:00:00Z&to=2026-11-30T00:00:00Z"
	for path, want := range map[string]string{
		"/v1/monitor/overview?" + then:                                  "total_events",
		"/v1/monitor/performance?" + then:                               "customer.created",
		"/v1/monitor/events?limit=200":                                  "evt_upgrade_dead1",
		"/v1/monitor/events/evt_upgrade_dead1":                          "HANDLER_REJECTED",
		"/v1/monitor/objects/cus_Grb74qhck0v8Uf":                        "customer.updated",
		"/v1/monitor/search?q=evt_upgrade_dead1":                        "evt_upgrade_dead1",
		"/v1/monitor/dead-letter-queue?limit=200&" + then:               "evt_upgrade_dead1",
		"/v1/monitor/dead-letter-queue/evt_upgrade_dead1":               "evt_upgrade_dead1",
		"/v1/monitor/audit-trail?operators_only=true&limit=200&" + then: "look at the payload",
		"/v1/monitor/batch-jobs?limit=200&" + then:                      job,
		"/v1/monitor/batch-jobs/" + job:                                 "delete_quotes",
		"/v1/monitor/tasks?limit=200":                                   task,
		"/v1/monitor/alerts":                                            "dead_letters_present",
	} {
		status, answer := s.call("GET", path, "")
		if status != 200 || !strings.Contains(fmt.Sprint(answer), want) {
			s.t.Errorf("%s: got %d without %q: %.500s", path, status, want, fmt.Sprint(answer))
		}
	}
	for path, want := range map[string]string{
		"/v1/batch-jobs": job, "/v1/quotes": "Q-0002", "/v1/clients": "ann@example.com", "/v1/items": "Chair",
	} {
		if r := u.do("GET", path, ""); r.status != 200 || !strings.Contains(string(r.body), want) {
			s.t.Errorf("%s: got %d without %q: %.500s", path, r.status, want, r.body)
		}
	}
	p := s.person(token)
	for _, path := range []string{
		"/dashboard", "/dashboard/performance", "/dashboard/alerts", "/dashboard/audit-trail", "/dashboard/audit-trail/chain",
		"/dashboard/batch-jobs", "/dashboard/batch-jobs/" + job, "/dashboard/dead-letter-queue",
		"/dashboard/dead-letter-queue/letters/evt_upgrade_dead1", "/dashboard/events", "/dashboard/events/evt_upgrade_dead1",
		"/dashboard/objects/cus_Grb74qhck0v8Uf", "/dashboard/tasks", "/dashboard/tasks/" + task, "/dashboard/setup",
	} {
		p.must(path)
	}
}

// columnsThen returns the columns of every table, as a SELECT lists them.
func columnsThen(t *testing.T, s *store.Store) map[string]string {
	t.Helper()
	list := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	if s.Postgres() {
		list = "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
	}
	tables, err := queryLines(s.Reader(), list)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, line := range tables {
		table := strings.TrimPrefix(line, "name=")
		names, err := columnNames(s.Reader(), table)
		if err != nil {
			t.Fatal(err)
		}
		all[table] = `"` + strings.Join(names, `", "`) + `"`
	}
	return all
}

func columnNames(db *sql.DB, table string) (names []string, err error) {
	rows, err := db.Query("SELECT * FROM " + table + " LIMIT 0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	if names, err = rows.Columns(); err != nil {
		return nil, err
	}
	return names, rows.Err()
}

// rowsOf returns the rows of tables, each as a line of these columns.
func rowsOf(t *testing.T, s *store.Store, columns map[string]string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for table, list := range columns {
		rows, err := queryLines(s.Reader(), "SELECT "+list+" FROM "+table+" ORDER BY 1")
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		all[table] = rows
	}
	return all
}
