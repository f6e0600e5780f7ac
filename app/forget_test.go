package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

const forgetPath = "/v1/monitor/forget"

// life is what Stripe tells of a person: events of every kind that has something
// personal, each with planted words that begin with "planted-NAME". Ids have the name,
// too, and may stay. The user is that of the customer; a guest's session is hers as well.
func life(name, userID string) map[string][]byte {
	customer := "cus_" + name
	person := func(more string) string {
		return fmt.Sprintf(`"name":"planted-%[1]s name","email":"planted-%[1]s@person.example","phone":"planted-%[1]s-49151",
"address":{"line1":"planted-%[1]s street 1","city":"Bonn"}%[2]s`, name, more)
	}
	card := fmt.Sprintf(`"type":"card","card":{"brand":"visa","last4":"planted-%[1]s-4242","fingerprint":"planted-%[1]s-print"},
"billing_details":{%[2]s}`, name, person(""))
	metadata := fmt.Sprintf(`"metadata":{"nickname":"planted-%s nickname"}`, name)
	objects := map[string]string{ // type and number, and the object
		"customer.created 1":        fmt.Sprintf(`{"id":%q,"object":"customer","metadata":{"user_id":%q},%s}`, customer, userID, person("")),
		"customer.updated 2":        fmt.Sprintf(`{"id":%q,"object":"customer","metadata":{"user_id":%q},%s}`, customer, userID, person(`,"currency":"eur"`)),
		"payment_method.attached 3": fmt.Sprintf(`{"id":"pm_%s1","object":"payment_method","customer":%q,%s}`, name, customer, card),
		"payment_method.attached 4": fmt.Sprintf(`{"id":"pm_%s2","object":"payment_method","customer":%q,%s}`, name, customer, card),
		"payment_method.detached 5": fmt.Sprintf(`{"id":"pm_%s2","object":"payment_method","customer":null,%s}`, name, card),
		"setup_intent.succeeded 6":  fmt.Sprintf(`{"id":"seti_%[1]s","object":"setup_intent","customer":%[2]q,"payment_method":"pm_%[1]s1","status":"succeeded",%[3]s}`, name, customer, metadata),
		"checkout.session.completed 7": fmt.Sprintf(`{"id":"cs_%s1","object":"checkout.session","customer":%q,"mode":"subscription","status":"complete",
"customer_details":{%s},%s}`, name, customer, person(""), metadata),
		"checkout.session.completed 8": fmt.Sprintf(`{"id":"cs_%s2","object":"checkout.session","customer":null,"mode":"payment","status":"complete",
"client_reference_id":%q,"customer_details":{%s},%s}`, name, userID, person(""), metadata),
		"customer.subscription.created 9": subscriptionOf(name, "1", customer, metadata),
		"customer.subscription.updated 10": subscriptionOf(name, "1", customer,
			fmt.Sprintf(`"metadata":{"nickname":"planted-%s other"}`, name)),
		"invoice.paid 11": fmt.Sprintf(`{"id":"in_%[1]s1","object":"invoice","customer":%[2]q,"status":"paid","currency":"eur","amount_due":500,
"amount_paid":500,"customer_name":"planted-%[1]s name","customer_email":"planted-%[1]s@person.example",%[3]s}`, name, customer, metadata),
		// Nobody has a route for these, and the mirror no row.
		"invoice.finalized 12":        fmt.Sprintf(`{"id":"in_%s2","object":"invoice","customer":%q,%s}`, name, customer, metadata),
		"charge.succeeded 13":         fmt.Sprintf(`{"id":"ch_%s","object":"charge","customer":%q,"billing_details":{%s}}`, name, customer, person("")),
		"payment_intent.succeeded 14": fmt.Sprintf(`{"id":"pi_%s","object":"payment_intent","customer":{"id":%q,"object":"customer",%s}}`, name, customer, person("")),
		// This one is rejected, and the route of this one is broken.
		"customer.subscription.updated 15": fmt.Sprintf(`{"id":"sub_%s9","object":"subscription","customer":%q,"status":["planted-%s"]}`, name, customer, name),
		"invoice.payment_failed 16":        fmt.Sprintf(`{"id":"in_%s3","object":"invoice","customer":%q,"status":"open",%s}`, name, customer, metadata),
	}
	events := map[string][]byte{}
	for key, object := range objects {
		eventType, number, _ := strings.Cut(key, " ")
		id := "evt_" + name + number
		body := fmt.Appendf(nil, `{"id":%q,"object":"event","type":%q,"api_version":"2025-03-31.basil","created":17750000%02s,"livemode":false,"data":{"object":%s}}`,
			id, eventType, number, object)
		if eventType == "customer.subscription.updated" {
			body = set(body, "data.previous_attributes", map[string]any{"metadata": map[string]any{"nickname": "planted-" + name + " nickname"}})
		}
		if !json.Valid(body) {
			panic(string(body))
		}
		events[id] = body
	}
	return events
}

func subscriptionOf(name, number, customer, metadata string) string {
	return fmt.Sprintf(`{"id":"sub_%[1]s%[2]s","object":"subscription","customer":%[3]q,"status":"active","currency":"eur",
"items":{"object":"list","data":[{"id":"si_%[1]s%[2]s","object":"subscription_item","quantity":1,
"price":{"id":"price_1","object":"price","product":"prod_1"},"metadata":{"seat":"planted-%[1]s seat"}}],"has_more":false},%[4]s}`,
		name, number, customer, metadata)
}

// deliver posts a person's events, oldest first.
func (s *service) deliver(events map[string][]byte) map[string]answer {
	s.t.Helper()
	answers := map[string]answer{}
	ids := slices.SortedFunc(maps.Keys(events), func(a, b string) int {
		return int(gjson.GetBytes(events[a], "created").Int() - gjson.GetBytes(events[b], "created").Int())
	})
	for _, id := range ids {
		answers[id] = s.post(events[id])
		if answers[id].HTTP != 200 {
			s.t.Fatalf("%s: got %+v", id, answers[id])
		}
	}
	return answers
}

// everything returns all rows of all tables in the database, with the table before each.
func (s *service) everything() []string {
	s.t.Helper()
	list := `SELECT name FROM sqlite_master WHERE type = 'table'`
	if s.Store().Postgres() {
		list = `SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'`
	}
	var all []string
	for _, line := range s.query(list) {
		_, table, _ := strings.Cut(line, "=")
		for _, row := range s.query(`SELECT * FROM "` + table + `"`) {
			all = append(all, table+": "+row)
		}
	}
	slices.Sort(all)
	return all
}

// linesWith are the rows of all tables with a text in them, and in which tables.
func (s *service) linesWith(text string) (lines, tables []string) {
	s.t.Helper()
	for _, line := range s.everything() {
		if strings.Contains(line, text) {
			table, _, _ := strings.Cut(line, ":")
			lines, tables = append(lines, line), append(tables, table)
		}
	}
	return lines, slices.Compact(tables)
}

// forgetAnswer is the answer to a dry run.
type forgetAnswer struct {
	Customers            []quotekit.ForgottenCustomer
	Deletes, Keeps       map[string]int64
	UnendedSubscriptions int `json:"unended_subscriptions"`
	Token                string
	TaskID               string `json:"task_id"`
}

func (s *service) previewForget(request string) forgetAnswer {
	s.t.Helper()
	status, answer := s.call("POST", forgetPath, request)
	if status != 200 {
		s.t.Fatalf("dry run: got %d %v", status, answer)
	}
	return mustConvert[forgetAnswer](s.t, answer)
}

// forget starts what a dry run has shown, and returns what is gone.
func (s *service) forget(p forgetAnswer) map[string]int64 {
	s.t.Helper()
	status, answer := s.call("POST", forgetPath, fmt.Sprintf(`{"token": %q, "reason": "asked for, case 7"}`, p.Token))
	if status != 202 || answer["task_id"] != p.TaskID {
		s.t.Fatalf("start: got %d %v", status, answer)
	}
	task := s.taskEnd(p.TaskID)
	if task.Status != quotekit.TaskCompleted || task.Failures > 0 {
		s.t.Fatalf("the task is %s: %s", task.Status, task.Error)
	}
	var report struct{ Deleted map[string]int64 }
	if err := json.Unmarshal(task.Report, &report); err != nil {
		s.t.Fatal(err)
	}
	return report.Deleted
}

// mustLog waits until the processing logs of events are written, which come late.
func (s *service) mustLog(people ...string) {
	s.t.Helper()
	for _, name := range people {
		eventually(s.t, 30*time.Second, "the processing logs", func() bool {
			return s.value("SELECT COUNT(DISTINCT stripe_event_id) FROM webhook_processing_logs WHERE stripe_event_id LIKE $1", "evt_"+name+"%") ==
				s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE stripe_event_id LIKE $1", "evt_"+name+"%")
		})
	}
}

// TestForget_LeavesNothingOfACustomer: what was planted is in no table and no log, what is
// of others is as it was, and no late delivery brings anything back.
func TestForget_LeavesNothingOfACustomer(t *testing.T) {
	t.Parallel()
	onBothAtOnce(t, func(t *testing.T, url string) {
		log := new(notebook)
		failing := &broken{fail: func(int) error { return quotekit.Permanent(errors.New("never")) }}
		s := mustStartWith(t, plainConfig(url), app.Options{
			Routes: routesWith("invoice.payment_failed", failing.handle),
			Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		mia, noah := life("mia", quotekit.NewID()), life("noah", quotekit.NewID())
		s.deliver(mia)
		s.deliver(noah)
		s.mustSettle()
		s.mustLog("mia", "noah")
		for _, table := range []string{
			"stripe_customers", "payment_methods", "subscriptions", "subscription_items", "subscription_changes", "stripe_invoices",
			"stripe_checkout_sessions", "stripe_objects", "stripe_webhook_events", "webhook_dead_letter_queue",
		} {
			if _, tables := s.linesWith("planted-mia"); !slices.Contains(tables, table) {
				t.Errorf("there is nothing of the customer in %s, so that this test would prove nothing", table)
			}
		}
		others, _ := s.linesWith("noah")
		s.checkRefusals()

		preview := s.previewForget(`{"customer": "cus_mia", "dry_run": true}`)
		if got := s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE payload IS NULL"); got != "0" {
			t.Errorf("the dry run has deleted %s payloads", got)
		}
		// All but the session of a guest, of which nobody knows that it is the customer's.
		want := map[string]int64{
			"stripe_customers": 1, "payment_methods": 2, "subscriptions": 1, "subscription_items": 1, "subscription_changes": 1,
			"stripe_invoices": 1, "stripe_checkout_sessions": 1, "stripe_webhook_events": 15, "webhook_dead_letter_queue": 2,
		}
		logs := preview.Deletes["webhook_processing_logs"]
		delete(preview.Deletes, "webhook_processing_logs")
		if !maps.Equal(preview.Deletes, want) || logs < 15 || preview.UnendedSubscriptions != 1 ||
			!slices.Equal(preview.Customers, []quotekit.ForgottenCustomer{{ID: "cus_mia"}}) {
			t.Errorf("the dry run shows %+v and %d logs, want %v", preview, logs, want)
		}
		// The token of an admin starts nothing where operators may.
		if status, answer := s.call("POST", bulkPath, fmt.Sprintf(`{"token": %q, "reason": "a test"}`, preview.Token)); status != 404 {
			t.Errorf("the token of the dry run at dead letters: got %d %v", status, answer)
		}
		gone := s.forget(preview)
		want["webhook_processing_logs"] = logs
		if !maps.Equal(gone, want) {
			t.Errorf("%v are gone, want %v", gone, want)
		}

		guest := func(line string) bool { return strings.Contains(line, "cs_mia2") }
		if lines, _ := s.linesWith("planted-mia"); !slices.ContainsFunc(lines, guest) || len(slices.DeleteFunc(lines, guest)) > 0 {
			t.Errorf("still there, or the guest's session is not:\n%s", strings.Join(lines, "\n"))
		}
		if now, _ := s.linesWith("noah"); !slices.Equal(now, others) {
			t.Errorf("another customer's rows have changed:\n%s", diff(now, others))
		}
		if got := s.query("SELECT DISTINCT status FROM stripe_webhook_events WHERE stripe_event_id IN ('evt_mia15', 'evt_mia16')"); !slices.Equal(got, []string{"status=ignored"}) {
			t.Errorf("what was dead is %v, want ignored", got)
		}
		if got := s.value("SELECT COUNT(*) FROM webhook_dead_letter_queue WHERE resolved AND stripe_event_id LIKE 'evt_mia%'"); got != "2" {
			t.Errorf("%s letters are resolved, want both", got)
		}
		s.checkStub(preview.TaskID, "cus_mia", gone)

		// Old events, and new ones of the customer, whom Stripe still knows.
		delete(mia, "evt_mia8")
		for id, a := range s.deliver(mia) {
			if !a.Duplicate || a.Status != "succeeded" && a.Status != "ignored" {
				t.Errorf("%s again: got %+v, want a duplicate that is completed", id, a)
			}
		}
		later := map[string][]byte{}
		for id, body := range mia {
			later[id+"b"] = set(set(body, "id", id+"b"), "created", gjson.GetBytes(body, "created").Int()+1000)
		}
		later["evt_mia20"] = set(set(mia["evt_mia9"], "id", "evt_mia20"), "data.object.id", "sub_mia20")
		later["evt_mia21"] = set(set(mia["evt_mia3"], "id", "evt_mia21"), "data.object.id", "pm_mia21")
		later["evt_mia22"] = set(set(set(mia["evt_mia5"], "id", "evt_mia22"), "data.object.id", "pm_mia21"), "created", 1775001000)
		for id, a := range s.deliver(later) {
			if a.Duplicate || a.Status != "ignored" {
				t.Errorf("%s: got %+v, want it ignored", id, a)
			}
		}
		s.mustLog("noah")
		if lines, _ := s.linesWith("planted-mia"); len(slices.DeleteFunc(lines, guest)) > 0 {
			t.Errorf("what was forgotten has come back:\n%s", strings.Join(lines, "\n"))
		}
		for _, table := range mirrorTables {
			for _, line := range s.query("SELECT * FROM " + table) {
				if strings.Contains(line, "cus_mia") || strings.Contains(line, "_mia2") && table != "stripe_checkout_sessions" {
					t.Errorf("the mirror has %s", line)
				}
			}
		}
		if text := log.String(); strings.Contains(text, "planted-") || !strings.Contains(text, forgetPath) {
			t.Errorf("the log has what was planted, or nothing at all:\n%.2000s", text)
		}
		if again := s.previewForget(`{"customer": "cus_mia", "dry_run": true}`); again.Deletes["stripe_customers"] != 0 || again.Deletes["stripe_webhook_events"] != 0 {
			t.Errorf("a second dry run shows %v", again.Deletes)
		}
	})
}

// checkRefusals: what is wrong is refused, and changes nothing.
func (s *service) checkRefusals() {
	s.t.Helper()
	before := s.query("SELECT COUNT(*) FROM webhook_tasks")
	for request, want := range map[string]int{
		`{"customer": "cus_nobody", "dry_run": true}`:                                                 404,
		`{"user_id": "9a0c2d5e-0b0c-4d43-9a53-6f2c0e1d7a01", "dry_run": true}`:                        404,
		`{"customer": "not an id", "dry_run": true}`:                                                  400,
		`{"user_id": "mia", "dry_run": true}`:                                                         400,
		`{"dry_run": true}`:                                                                           400,
		`{"customer": "cus_mia"}`:                                                                     400,
		`{"customer": "cus_mia", "dry_run": true, "token": "x"}`:                                      400,
		`{"customer": "cus_mia", "user_id": "9a0c2d5e-0b0c-4d43-9a53-6f2c0e1d7a01", "dry_run": true}`: 400,
		`{"customer": "cus_mia", "token": "x", "reason": "r"}`:                                        400,
		`{"token": "forget_x"}`:                                                                       400,
		`{"token": "forget_x", "reason": "r"}`:                                                        404,
		`{"customer": "cus_mia", "dry_run": true, "reason": "` + strings.Repeat("x", 2001) + `"}`:     400,
	} {
		if status, answer := s.call("POST", forgetPath, request); status != want {
			s.t.Errorf("%.120s: got %d %v, want %d", request, status, answer, want)
		}
	}
	if after := s.query("SELECT COUNT(*) FROM webhook_tasks"); !slices.Equal(after, before) {
		s.t.Errorf("what was refused has left tasks: %v, before %v", after, before)
	}
}

// checkStub: the audit trail says who forgot whom, why, and how much.
func (s *service) checkStub(taskID, target string, gone map[string]int64) {
	s.t.Helper()
	line := s.value("SELECT reason FROM webhook_audit_trail WHERE action = $1 AND target = $2 AND actor = 'ada'", store.AuditForgotten, target)
	after := s.value(`SELECT "after" FROM webhook_audit_trail WHERE action = $1 AND target = $2`, store.AuditForgotten, target)
	var stub struct{ Deleted map[string]int64 }
	if err := json.Unmarshal([]byte(after), &stub); err != nil || !maps.Equal(stub.Deleted, gone) || line != "asked for, case 7" {
		s.t.Errorf("the audit trail says %q and %s, want %v", line, after, gone)
	}
	if got := s.value("SELECT COUNT(*) FROM webhook_audit_trail WHERE action = 'task.start' AND target = $1", taskID); got != "1" {
		s.t.Errorf("%s lines tell of the start", got)
	}
	if _, answer := s.call("GET", "/v1/monitor/audit-trail/verify", ""); answer["valid"] != true {
		s.t.Errorf("the chain of the audit trail: %v", answer)
	}
}

// TestForget_AUserWithAllCustomers: what is the user's beside the customers goes, too, and
// the rows of the application stay.
func TestForget_AUserWithAllCustomers(t *testing.T) {
	t.Parallel()
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		mia, noah := s.user(), s.user()
		events := life("mia", mia.id)
		delete(events, "evt_mia15") // this one is dead, which is another test's
		s.deliver(events)
		s.deliver(renamed(events, "cus_mia", "cus_twin"))
		s.deliver(map[string][]byte{"evt_noah1": life("noah", noah.id)["evt_noah1"]})
		for _, u := range []*user{mia, noah} {
			name := map[*user]string{mia: "mia", noah: "noah"}[u]
			clients := s.rows(u, quotekit.Clients, quotekit.Values{"name": "planted-" + name + " client", "email": "planted-" + name + "@client.example"})
			u.wantOutcomes(u.run("delete_clients", clients, nil), "succeeded")
			s.quotes(u, 1, nil)
			s.mustSession(u)
		}
		s.mustLog("mia", "noah")
		if _, tables := s.linesWith("planted-mia client"); !slices.Contains(tables, "batch_job_items") {
			t.Fatalf("there is no before-image: %v", tables)
		}
		others, _ := s.linesWith("noah")

		preview := s.previewForget(fmt.Sprintf(`{"user_id": %q, "dry_run": true}`, mia.id))
		if preview.Deletes["stripe_customers"] != 2 || preview.Deletes["stripe_checkout_sessions"] != 3 || preview.Deletes["batch_jobs"] != 1 ||
			preview.Deletes["batch_job_items"] != 1 || preview.Deletes["dashboard_sessions"] != 1 || !maps.Equal(preview.Keeps, map[string]int64{"quotes": 1}) {
			t.Errorf("the dry run shows %+v", preview)
		}
		if gone := s.forget(preview); !maps.Equal(gone, preview.Deletes) {
			t.Errorf("%v are gone, want %v", gone, preview.Deletes)
		}
		if lines, _ := s.linesWith("planted-mia"); len(lines) > 0 {
			t.Errorf("still there:\n%s", strings.Join(lines, "\n"))
		}
		if now, _ := s.linesWith("noah"); !slices.Equal(now, others) {
			t.Errorf("another user's rows have changed:\n%s", diff(now, others))
		}
		if got := s.value("SELECT COUNT(*) FROM quotes WHERE user_id = $1", mia.id); got != "1" {
			t.Errorf("%s quotes, want the one of the application", got)
		}
		s.checkStub(preview.TaskID, mia.id, preview.Deletes)
		guest := set(set(events["evt_mia8"], "id", "evt_mia8b"), "type", "checkout.session.async_payment_succeeded")
		if a := s.post(guest); a.Status != "ignored" {
			t.Errorf("a later event of the guest's session: got %+v", a)
		}
	})
}

// renamed is a copy of events under other ids, of a customer with another id.
func renamed(events map[string][]byte, customer, other string) map[string][]byte {
	all := map[string][]byte{}
	for id, body := range events {
		if strings.HasSuffix(id, "mia8") {
			continue // of a guest
		}
		text := strings.NewReplacer(customer, other, `"`+id+`"`, `"`+id+`twin"`, "pm_mia", "pm_twin", "sub_mia", "sub_twin", "si_mia", "si_twin",
			"in_mia", "in_twin", "cs_mia", "cs_twin", "ch_mia", "ch_twin", "pi_mia", "pi_twin", "seti_mia", "seti_twin").Replace(string(body))
		all[id+"twin"] = []byte(text)
	}
	return all
}

// mustSession gives a user a session of the dashboard.
func (s *service) mustSession(u *user) {
	s.t.Helper()
	err := s.Store().WithTx(s.t.Context(), func(tx *store.Tx) error {
		_, err := tx.ExecContext(s.t.Context(), `INSERT INTO dashboard_sessions (id_hash, actor, user_id, role, created_at, last_seen_at, expires_at, revoked)
VALUES ($1, $2, $3, 'viewer', $4, $4, $5, FALSE)`, "hash of "+u.id, u.id, u.id, tx.Now, tx.Now.Add(time.Hour))
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestForget_HoldsAgainstABackfill: Stripe still lists the customer, and what it lists is
// not kept; an operator who replays an old event with the current object has no more luck.
func TestForget_HoldsAgainstABackfill(t *testing.T) {
	t.Parallel()
	onBothAtOnce(t, func(t *testing.T, url string) {
		events := life("mia", quotekit.NewID())
		fake := stripetest.New(t, time.Now)
		for _, id := range []string{"evt_mia2", "evt_mia3", "evt_mia10", "evt_mia11"} {
			fake.Put([]byte(gjson.GetBytes(events[id], "data.object").Raw))
		}
		fake.Put([]byte(subscriptionOf("mia", "9", "cus_mia", `"metadata":{"nickname":"planted-mia nickname"}`)))
		c := withStripe(url, fake)
		c.ReconcileMinutes = 0
		failing := &broken{fail: func(int) error { return errors.New("not now") }}
		s := mustStartWith(t, c, app.Options{Routes: routesWith("invoice.payment_failed", failing.handle)})
		answers := s.deliver(map[string][]byte{"evt_mia2": events["evt_mia2"], "evt_mia15": events["evt_mia15"], "evt_mia16": events["evt_mia16"]})
		if answers["evt_mia16"].Status != "pending" {
			t.Fatalf("got %+v, want an event that is attempted again", answers["evt_mia16"])
		}
		s.forget(s.previewForget(`{"customer": "cus_mia", "dry_run": true}`))
		failing.mended.Store(true)

		backfill := s.taskEnd(s.start("/v1/monitor/backfill", `{}`))
		if backfill.Status != quotekit.TaskCompleted || backfill.Done < 3 {
			t.Fatalf("got %+v", backfill)
		}
		if status, answer := s.call("POST", "/v1/monitor/events/evt_mia15/replay", `{"mode": "stored"}`); status != 409 {
			t.Errorf("a replay of what was stored: got %d %v", status, answer)
		}
		if status, answer := s.call("POST", "/v1/monitor/events/evt_mia15/replay", `{"mode": "current"}`); status != 202 {
			t.Fatalf("got %d %v", status, answer)
		}
		s.mustSettle()
		if got := s.query("SELECT stripe_event_id FROM stripe_webhook_events WHERE status <> 'ignored'"); !slices.Equal(got, []string{"stripe_event_id=evt_mia2"}) {
			t.Errorf("got %v, want only what had its effects before", got)
		}
		if lines, _ := s.linesWith("planted-mia"); len(lines) > 0 {
			t.Errorf("what was forgotten has come back:\n%s", strings.Join(lines, "\n"))
		}
		if lines := s.mirror(); len(lines) > 0 {
			t.Errorf("the mirror has %v", lines)
		}
	})
}

// TestForget_InPieces: more than one transaction takes, of one id in two accounts and both
// modes.
func TestForget_InPieces(t *testing.T) {
	t.Parallel()
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		events := life("mia", quotekit.NewID())
		many := map[string][]byte{}
		for n := range 130 {
			id := fmt.Sprintf("evt_mia%03d", n)
			many[id+"c"] = set(events["evt_mia2"], "id", id+"c")
			many[id+"u"] = set(set(events["evt_mia13"], "id", id+"u"), "data.object.id", fmt.Sprint("ch_mia", n))
			if n < 45 {
				many[id+"i"] = set(set(events["evt_mia11"], "id", id+"i"), "data.object.id", fmt.Sprint("in_mia", n))
			}
		}
		many["evt_mia_connected"] = set(set(events["evt_mia11"], "id", "evt_mia_connected"), "account", "acct_1")
		many["evt_mia_connected2"] = set(set(events["evt_mia1"], "id", "evt_mia_connected2"), "account", "acct_1")
		many["evt_mia_live"] = set(set(events["evt_mia11"], "id", "evt_mia_live"), "livemode", true)
		s.deliver(many)
		s.mustLog("mia")
		preview := s.previewForget(`{"customer": "cus_mia", "dry_run": true}`)
		want := []quotekit.ForgottenCustomer{{ID: "cus_mia"}, {ID: "cus_mia", Livemode: true}, {ID: "cus_mia", Account: "acct_1"}}
		if !slices.Equal(preview.Customers, want) {
			t.Fatalf("got %+v, want %+v", preview.Customers, want)
		}
		if preview.Deletes["stripe_invoices"] != 47 || preview.Deletes["stripe_webhook_events"] != int64(len(many)) {
			t.Errorf("the dry run shows %v, want 47 invoices and %d payloads", preview.Deletes, len(many))
		}
		if gone := s.forget(preview); !maps.Equal(gone, preview.Deletes) {
			t.Errorf("%v are gone, want %v", gone, preview.Deletes)
		}
		if lines, _ := s.linesWith("planted-mia"); len(lines) > 0 {
			t.Errorf("%d rows are still there, as\n%s", len(lines), lines[0])
		}
	})
}

// TestForget_WhileEventsArrive: what is received at the same time is either found by the
// steps or not kept at all.
func TestForget_WhileEventsArrive(t *testing.T) {
	t.Parallel()
	onBothAtOnce(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		events := life("mia", quotekit.NewID())
		delete(events, "evt_mia8") // of a guest
		s.deliver(events)
		begun, stop := make(chan struct{}), make(chan struct{})
		var senders sync.WaitGroup
		for sender := range 4 {
			senders.Go(func() {
				for n := 0; ; n++ {
					for id, body := range events {
						select {
						case <-stop:
							return
						default:
						}
						body = set(body, "id", fmt.Sprintf("%s-%d-%d", id, sender, n))
						if a, err := tryPost(s.URL(), body); err != nil || a.HTTP != 200 {
							t.Errorf("got %+v, %v", a, err)
							return
						}
					}
					if n == 0 && sender == 0 {
						close(begun)
					}
				}
			})
		}
		mustCome(t, begun)
		s.forget(s.previewForget(`{"customer": "cus_mia", "dry_run": true}`))
		close(stop)
		senders.Wait()
		s.mustSettle()
		if lines, _ := s.linesWith("planted-mia"); len(lines) > 0 {
			t.Errorf("%d rows are still there, as\n%s", len(lines), lines[0])
		}
	})
}
