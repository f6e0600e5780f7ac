package store_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// TestExplain_Forget: what is of a person is found by indexes, not by looking at what is
// of everybody.
func TestExplain_Forget(t *testing.T) {
	const someone = "0b7a2f3e-1c5d-4e6f-8a9b-0c1d2e3f4a01"
	customer := store.ObjectKey{Kind: quotekit.KindCustomer, ID: "cus_1"}
	keys := []store.ObjectKey{customer, {Kind: quotekit.KindSubscription, ID: "sub_1"}}
	for k := range store.Followers {
		keys = append(keys, store.ObjectKey{Kind: k, ID: "x_1"})
	}
	const found = "found -" // what was found by the index
	explain(t, []explained{
		{"customers of an id", func(ctx context.Context, s *store.Store) error {
			_, err := s.KnownCustomers(ctx, "cus_1")
			return err
		}, []string{
			"stripe_customers pkey", "stripe_customers stripe_customers_connected_idx", "stripe_objects pkey",
			"stripe_webhook_events stripe_webhook_events_object_idx", "stripe_webhook_events stripe_webhook_events_customer_id_idx",
		}},
		{"customers of a user", func(ctx context.Context, s *store.Store) error {
			_, err := s.CustomersOfUser(ctx, someone)
			return err
		}, []string{"stripe_customers stripe_customers_user_id_idx"}},
		{"objects of a customer", func(ctx context.Context, s *store.Store) error {
			_, err := s.ObjectsOfCustomer(ctx, customer, 20)
			return err
		}, []string{
			"subscriptions subscriptions_stripe_customer_id_idx", "stripe_invoices stripe_invoices_stripe_customer_id_idx",
			"payment_methods payment_methods_last_stripe_customer_id_idx", "stripe_checkout_sessions stripe_checkout_sessions_stripe_customer_id_idx",
		}},
		{"objects of a user", func(ctx context.Context, s *store.Store) error {
			_, err := s.ObjectsOfUser(ctx, someone, 20)
			return err
		}, []string{
			"subscriptions subscriptions_user_id_idx", "stripe_invoices stripe_invoices_user_id_idx",
			"payment_methods payment_methods_user_id_idx", "stripe_checkout_sessions stripe_checkout_sessions_user_id_idx",
		}},
		{"events of objects", func(ctx context.Context, s *store.Store) error {
			_, err := s.EventsOfObjects(ctx, keys, "evt_1", 100)
			return err
		}, []string{"stripe_webhook_events stripe_webhook_events_object_idx", "json_each 1:", found}},
		{"events of a customer", func(ctx context.Context, s *store.Store) error {
			_, err := s.EventsOfCustomer(ctx, customer, "evt_1", 100)
			return err
		}, []string{"stripe_webhook_events stripe_webhook_events_customer_id_idx"}},
		{"counts", func(ctx context.Context, s *store.Store) error {
			_, err := s.CountForgotten(ctx, []string{"evt_1"}, keys)
			return err
		}, []string{
			"stripe_webhook_events pkey", "webhook_dead_letter_queue webhook_dead_letter_queue_stripe_event_id_idx",
			"webhook_processing_logs webhook_processing_logs_stripe_event_id_idx", "json_each 1:", "stripe_customers pkey",
			"subscriptions pkey", "subscription_items subscription_items_stripe_subscription_id_idx",
			"subscription_changes subscription_changes_subscription_idx", "stripe_invoices pkey", "payment_methods pkey",
			"stripe_checkout_sessions pkey",
		}},
		{"subscriptions that have not ended", func(ctx context.Context, s *store.Store) error {
			_, err := s.UnendedSubscriptions(ctx, customer)
			return err
		}, []string{"subscriptions subscriptions_stripe_customer_id_idx"}},
		{"counts of a user", func(ctx context.Context, s *store.Store) error {
			_, _, err := s.CountOfUser(ctx, someone)
			return err
		}, []string{
			"batch_jobs batch_jobs_user_id_idx", "j batch_jobs_user_id_idx", "batch_jobs batch_jobs_idempotency_key", "j batch_jobs_idempotency_key",
			"batch_job_inputs pkey", "i pkey", "t pkey", "batch_job_items pkey",
			"dashboard_sessions -", "dashboard_sessions pkey", // of which there are few
			"clients clients_user_id_idx", "t clients_user_id_idx", "items items_user_id_idx", "t items_user_id_idx", "quotes quotes_user_id_idx", "t quotes_user_id_idx",
		}},
		{"a bulk operation of a user", func(ctx context.Context, s *store.Store) error {
			_, _, err := s.JobOfUser(ctx, someone)
			return err
		}, []string{
			"batch_jobs batch_jobs_user_id_idx", "j batch_jobs_user_id_idx", "batch_jobs batch_jobs_idempotency_key", "j batch_jobs_idempotency_key",
			"batch_job_inputs pkey", "i pkey",
		}},
	})
}

// TestExplain_ForgetDeletes: so is what is deleted.
func TestExplain_ForgetDeletes(t *testing.T) {
	indexes := map[string]string{
		"lock":                     "stripe_webhook_events pkey",
		"events":                   "stripe_webhook_events pkey",
		"ignored events":           "stripe_webhook_events pkey",
		"letters":                  "webhook_dead_letter_queue webhook_dead_letter_queue_stripe_event_id_idx",
		"logs":                     "webhook_processing_logs webhook_processing_logs_stripe_event_id_idx",
		"stripe_customers":         "stripe_customers pkey",
		"subscriptions":            "subscriptions pkey",
		"subscription_items":       "subscription_items subscription_items_stripe_subscription_id_idx",
		"subscription_changes":     "subscription_changes subscription_changes_subscription_idx",
		"stripe_invoices":          "stripe_invoices pkey",
		"payment_methods":          "payment_methods pkey",
		"stripe_checkout_sessions": "stripe_checkout_sessions pkey",
	}
	onHistory(t, func(t *testing.T, s *store.Store, _ *store.Recorder) {
		writes := store.ForgetWrites(s.Dialect(), oldBefore)
		if len(writes) != len(indexes) {
			t.Fatalf("got %d statements, want %d", len(writes), len(indexes))
		}
		for name, q := range writes {
			used := slices.DeleteFunc(plan(t, s, q), func(u string) bool { return strings.HasPrefix(u, "json_each ") }) // the ids
			if !slices.Equal(used, []string{indexes[name]}) {
				t.Errorf("%s: uses %q, want %s", name, used, indexes[name])
			}
		}
	})
}
