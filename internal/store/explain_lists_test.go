package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/bench"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestExplain_Lists says which index each query of the lists uses, once there are
// many rows: none reads a table that grows from beginning to end.
func TestExplain_Lists(t *testing.T) {
	until := time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)
	from, to := until.Add(-2*time.Hour), until
	yes, no := true, false
	const (
		letters = "webhook_dead_letter_queue "
		events  = "stripe_webhook_events "
		trail   = "webhook_audit_trail "
		jobs    = "batch_jobs "
	)
	// What a row of a list is joined with is found by its key, and its object's newer
	// events by theirs.
	joined := []string{
		events + "pkey", events + "stripe_webhook_events_object_idx", letters + "pkey",
		"webhook_error_groups pkey", "webhook_error_groups webhook_error_groups_group_key_key",
	}
	with := func(indexes ...string) []string { return append(slices.Clone(joined), indexes...) }
	dead := func(f store.DeadLetterFilter) func(context.Context, *store.Store) error {
		return func(ctx context.Context, s *store.Store) error {
			_, _, err := s.DeadLetters(ctx, f, store.Page{Limit: 20, Cursor: store.Cursor(until, "0b7a2f3e-1c5d-4e6f-8a9b-0c1d2e3f4a5b")})
			return err
		}
	}
	audit := func(f store.AuditFilter) func(context.Context, *store.Store) error {
		return func(ctx context.Context, s *store.Store) error {
			_, _, err := s.AuditTrail(ctx, f, store.Page{Limit: 20, Cursor: store.Cursor(until, "0b7a2f3e-1c5d-4e6f-8a9b-0c1d2e3f4a5b")})
			return err
		}
	}
	batches := func(f store.AllBatchFilter) func(context.Context, *store.Store) error {
		return func(ctx context.Context, s *store.Store) error {
			_, _, err := s.AllBatchJobs(ctx, f, store.Page{Limit: 20})
			return err
		}
	}
	group := store.GroupID("invoice.paid", string(quotekit.ReasonTimeout), "")
	open := letters + "webhook_dead_letter_queue_open_idx"
	byGroup := letters + "webhook_dead_letter_queue_group_idx"
	explainFilled(t, until, []explained{
		{"dead events", func(ctx context.Context, s *store.Store) error {
			_, _, err := s.Events(ctx, store.EventFilter{Status: "dead"}, store.Page{Limit: 20})
			return err
		}, with("stripe_webhook_events stripe_webhook_events_dead_idx")},
		{"dead letters", dead(store.DeadLetterFilter{}), with(letters + "webhook_dead_letter_queue_last_failed_at_idx")},
		{"open dead letters", dead(store.DeadLetterFilter{Resolved: &no, From: &from, To: &to}), with(open)},
		{"resolved dead letters", dead(store.DeadLetterFilter{Resolved: &yes}), with(letters + "webhook_dead_letter_queue_last_failed_at_idx")},
		{"dead letters of a type", dead(store.DeadLetterFilter{Resolved: &no, EventType: "invoice.paid"}), with(letters+"webhook_dead_letter_queue_event_type_idx", open)},
		{"dead letters with a reason", dead(store.DeadLetterFilter{Resolved: &no, Reason: "RARE"}), with(letters+"webhook_dead_letter_queue_failure_reason_idx", open)},
		{"dead letters with a class", dead(store.DeadLetterFilter{Resolved: &no, ErrorClass: "rare"}), with(letters + "webhook_dead_letter_queue_error_class_idx")},
		{"dead letters of a group", dead(store.DeadLetterFilter{Resolved: &no, GroupID: group}), with(byGroup, open)},
		{"error groups", func(ctx context.Context, s *store.Store) error {
			_, _, err := s.ErrorGroups(ctx, store.GroupFilter{}, "")
			return err
		}, with(byGroup)},
		{"resolved groups", func(ctx context.Context, s *store.Store) error {
			_, err := s.ResolvedGroups(ctx, store.GroupFilter{})
			return err
		}, with(byGroup, "webhook_error_groups webhook_error_groups_resolved_at_idx")},
		{"a group", func(ctx context.Context, s *store.Store) error {
			_, err := s.ErrorGroup(ctx, group)
			return err
		}, with(byGroup)},
		{"audit trail", audit(store.AuditFilter{}), []string{trail + "pkey"}},
		{"audit trail of a time", audit(store.AuditFilter{From: &from, To: &to}), []string{trail + "pkey"}},
		{"operators", audit(store.AuditFilter{OperatorsOnly: true}), []string{trail + "webhook_audit_trail_acts_idx"}},
		{"an actor", audit(store.AuditFilter{Actor: "ada"}), []string{trail + "webhook_audit_trail_actor_idx"}},
		{"an action", audit(store.AuditFilter{Action: store.AuditReveal}), []string{trail + "webhook_audit_trail_action_idx"}},
		{"a target", audit(store.AuditFilter{Target: "letter 7"}), []string{trail + "webhook_audit_trail_target_idx"}},
		{"a request", audit(store.AuditFilter{RequestID: "req_7"}), []string{trail + "webhook_audit_trail_request_id_idx"}},
		{"lines of an event", audit(store.AuditFilter{StripeEventID: "evt_7"}), []string{trail + "webhook_audit_trail_stripe_event_id_idx"}},
		{"the chain", func(ctx context.Context, s *store.Store) error {
			_, err := s.ChainLines(ctx, 7, 100)
			return err
		}, []string{trail + "webhook_audit_trail_chain_key"}},
		{"batch jobs", batches(store.AllBatchFilter{From: &from, To: &to}), []string{jobs + "batch_jobs_created_at_idx", "i pkey", "batch_job_inputs pkey"}},
		{"batch jobs of a user", batches(store.AllBatchFilter{UserID: quotekit.NewID()}), []string{jobs + "batch_jobs_user_id_idx", "i pkey", "batch_job_inputs pkey"}},
		{"failed batch jobs", batches(store.AllBatchFilter{Status: "failed"}), []string{jobs + "batch_jobs_status_idx", "i pkey", "batch_job_inputs pkey"}},
		{"an operation", batches(store.AllBatchFilter{Operation: "export_quotes"}), []string{jobs + "batch_jobs_operation_type_idx", "i pkey", "batch_job_inputs pkey"}},
		{"running batch jobs", batches(store.AllBatchFilter{Unfinished: true}), []string{jobs + "batch_jobs_running_idx", jobs + "batch_jobs_status_idx", "i pkey", "batch_job_inputs pkey"}},
		{"events of an object", func(ctx context.Context, s *store.Store) error {
			_, _, err := s.ObjectEvents(ctx, "", "obj_7", store.Page{Cursor: store.Cursor(until, "evt_x")})
			return err
		}, []string{events + "stripe_webhook_events_object_idx"}},
		{"the event before", func(ctx context.Context, s *store.Store) error {
			object := "obj_7"
			_, _, err := s.PreviousEvent(ctx, store.EventRecord{StripeEventID: "evt_7", ObjectID: &object, EventCreated: &until})
			return err
		}, []string{events + "stripe_webhook_events_object_idx"}},
		{"changes of a subscription", func(ctx context.Context, s *store.Store) error {
			_, err := s.SubscriptionChanges(ctx, "sub_7", "evt_7")
			return err
		}, []string{"subscription_changes subscription_changes_subscription_idx"}},
		{"events of an object of an account", func(ctx context.Context, s *store.Store) error {
			_, _, err := s.ObjectEvents(ctx, "acct_7", "obj_7", store.Page{})
			return err
		}, []string{events + "stripe_webhook_events_object_idx"}},
		{"rows of connected accounts", func(ctx context.Context, s *store.Store) error {
			_, err := s.ConnectedRows(ctx, "cus_7")
			return err
		}, connectedIndexes},
		{"rows of an object", func(ctx context.Context, s *store.Store) error {
			_, err := s.ObjectRows(ctx, "", "cus_7")
			return err
		}, rowIndexes},
		{"a name", func(ctx context.Context, s *store.Store) error {
			_, err := s.FindName(ctx, "cus_7")
			return err
		}, slices.Concat(with(
			letters+"webhook_dead_letter_queue_stripe_event_id_idx",
			"stripe_invoices stripe_invoices_payment_intent_idx", "stripe_invoices stripe_invoices_charge_idx",
		), rowIndexes, connectedIndexes)},
		{"a request", func(ctx context.Context, s *store.Store) error {
			_, err := s.FindRequest(ctx, "of the proxy 7", time.Time{})
			return err
		}, []string{trail + "webhook_audit_trail_request_id_idx", trail + "webhook_audit_trail_delivered_request_idx", events + "pkey"}},
		{"a request of which the time is known", func(ctx context.Context, s *store.Store) error {
			_, err := s.FindRequest(ctx, "req_06DGO79E7TT4N32TDPVO14CIIC", until.Add(-time.Hour))
			return err
		}, []string{trail + "webhook_audit_trail_request_id_idx", trail + "pkey", events + "pkey"}},
		{"a UUID", func(ctx context.Context, s *store.Store) error {
			_, err := s.FindUUID(ctx, quotekit.NewID())
			return err
		}, []string{
			letters + "pkey", events + "pkey", jobs + "pkey", "webhook_tasks pkey", "webhook_alerts pkey", trail + "pkey", "quotes pkey", "clients pkey", "items pkey",
			"stripe_customers stripe_customers_user_id_idx", jobs + "batch_jobs_user_id_idx", jobs + "batch_jobs_idempotency_key",
		}},
		{"an address", func(ctx context.Context, s *store.Store) error {
			_, err := s.FindEmail(ctx, "Ada@example.com")
			return err
		}, []string{"stripe_customers stripe_customers_email_idx"}},
	})
}

// rowIndexes are the keys of the mirror.
var rowIndexes = func() (indexes []string) {
	for _, table := range store.MirrorTables {
		indexes = append(indexes, table.Name()+" pkey")
	}
	return append(indexes, "subscription_items subscription_items_stripe_subscription_id_idx")
}()

// connectedIndexes are those over connected accounts.
var connectedIndexes = func() (indexes []string) {
	for _, table := range store.MirrorTables {
		indexes = append(indexes, table.Name()+" "+table.Name()+"_connected_idx")
	}
	return append(indexes, "subscription_items subscription_items_stripe_subscription_id_idx")
}()

// aliases are what SQLite calls tables that have another name in a query.
var aliases = map[string]string{
	"d": "webhook_dead_letter_queue", "e": "stripe_webhook_events", "n": "stripe_webhook_events", "s": "stripe_webhook_events",
	"g": "webhook_error_groups",
}

// explainFilled is explain with an audit trail and bulk operations.
func explainFilled(t *testing.T, until time.Time, reads []explained) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		events := 8000
		if !s.Postgres() {
			events = 2000 // SQLite decides by the indexes alone
		}
		history := bench.History{Events: events, Days: 3, Until: until, Histogram: "0 0 3:1"}
		if err := history.Fill(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		fillLists(t, s, until)
		recorder, stop, err := store.Record(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}()
		if s.Postgres() {
			mustQuery(t, s, `SELECT set_config('enable_seqscan', 'off', FALSE)`)
			recorder.Take()
		}
		for _, r := range reads {
			if err := r.read(t.Context(), s); err != nil && quotekit.CodeOf(err) != quotekit.ENotFound {
				t.Errorf("%s: %v", r.name, err)
			}
			used := map[string]bool{}
			for _, q := range recorder.Take() {
				for _, u := range plan(t, s, q) {
					used[named(u)] = true
				}
			}
			recorder.Take()
			if len(used) == 0 {
				t.Errorf("%s reads no table", r.name)
			}
			for u := range used {
				if !slices.Contains(r.indexes, u) {
					t.Errorf("%s uses %s, want one of %q", r.name, u, r.indexes)
				}
			}
		}
	})
}

// named is a use of an index under the name of the table.
func named(used string) string {
	var table, index string
	if _, err := fmt.Sscan(used, &table, &index); err == nil && aliases[table] != "" {
		return aliases[table] + " " + index
	}
	return used
}

// fillLists makes a trail of which one line in twenty is no delivery, and bulk
// operations of which a few run.
func fillLists(t *testing.T, s *store.Store, until time.Time) {
	t.Helper()
	mustTx(t, s, func(tx *store.Tx) error {
		for n := range 5000 {
			tx.Now = until.Add(time.Duration(n-5000) * time.Second)
			e := store.AuditEntry{
				Actor: "stripe", Action: store.AuditDelivered, StripeEventID: fmt.Sprintf("evt_%d", n), Target: fmt.Sprintf("obj_%d", n),
				RequestID: fmt.Sprintf("req_0%025d", n),
			}
			if n%3 == 0 {
				e.RequestID = fmt.Sprintf("of the proxy %d", n)
			}
			if n%20 == 0 {
				e.Actor, e.Target, e.RequestID = fmt.Sprintf("actor %d", n%100), fmt.Sprintf("letter %d", n), fmt.Sprintf("req_%d", n)
				e.Action = store.AuditReplay
				if n%1000 == 0 {
					e.Action = store.AuditReveal
				}
			}
			if err := tx.Audit(t.Context(), []store.AuditEntry{e}); err != nil {
				return err
			}
		}
		return nil
	})
	var batches []string
	for n := range 2000 {
		status, operation := "completed", "delete_quotes"
		switch {
		case n%200 == 0:
			status = "processing"
		case n%40 == 0:
			status, operation = "failed", "export_quotes"
		}
		batches = append(batches, fmt.Sprintf(`('%s', '0b7a2f3e-1c5d-4e6f-8a9b-%012d', '%s', 1, '%s', 'r', '%s')`,
			quotekit.NewID(), n%50, operation, status, until.Add(time.Duration(n-2000)*time.Minute).Format(time.DateTime)))
	}
	mustExec(t, s, `INSERT INTO batch_jobs (id, user_id, operation_type, total_items, status, request_id, created_at) VALUES `+strings.Join(batches, ", "))
	for _, table := range store.MirrorTables {
		key := table.Columns()[2]
		var rows []string
		for n := range 2000 {
			account := ""
			if n%2 == 0 {
				account = fmt.Sprintf("acct_%d", n%40)
			}
			rows = append(rows, fmt.Sprintf(`('%s', FALSE, 'x_%d', '2026-01-01 00:00:00', '2026-01-01 00:00:00')`, account, n))
		}
		mustExec(t, s, `INSERT INTO `+table.Name()+` (account, livemode, `+key+`, created_at, updated_at) VALUES `+strings.Join(rows, ", "))
	}
	if s.Postgres() {
		mustExec(t, s, `VACUUM ANALYZE`)
	}
}
