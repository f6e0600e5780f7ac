package store

import "context"

// Found is something that has an id or an address that was looked for.
type Found struct {
	// Kind is event, object, dead_letter, batch_job, task, audit_line, request,
	// user, alert, or the table of the application's that a row is in.
	Kind string
	ID   string
	// Is says more: the type of an event, the table of an object, the operation of a
	// job, the kind of a task, the user of a row.
	Is string
	// Event is that of a dead letter or of a line of the audit trail.
	Event string
}

// maxFound bounds how much is found of a kind.
const maxFound = 10

// probe is one look into one index.
type probe struct {
	kind  string
	query string
	// events: its third column is an event.
	events bool
}

// probesOfName look for what is not a UUID: ids of Stripe's, and of requests.
var probesOfName = []probe{
	{"event", `SELECT stripe_event_id, event_type FROM stripe_webhook_events WHERE stripe_event_id = $1`, false},
	{"dead_letter", `
SELECT d.id, d.event_type, d.stripe_event_id
FROM webhook_dead_letter_queue AS d
WHERE d.stripe_event_id = $1 AND NOT EXISTS (SELECT 1 FROM stripe_webhook_events AS e WHERE e.stripe_event_id = d.stripe_event_id)`, true},
	{"object", `
SELECT object_id, event_type
FROM stripe_webhook_events
WHERE object_id = $1
ORDER BY event_created DESC
LIMIT 1`, false},
	{"object", `SELECT stripe_invoice_id, 'stripe_invoices' FROM stripe_invoices WHERE stripe_payment_intent_id = $1 LIMIT 10`, false},
	{"object", `SELECT stripe_invoice_id, 'stripe_invoices' FROM stripe_invoices WHERE stripe_charge_id = $1 LIMIT 10`, false},
	{"object", `
SELECT stripe_subscription_id, 'subscription_items'
FROM subscription_items
WHERE account = '' AND livemode IN (FALSE, TRUE) AND stripe_subscription_item_id = $1 AND stripe_subscription_id IS NOT NULL`, false},
	{"error_group", `SELECT id, event_type FROM webhook_error_groups WHERE id = $1`, false},
	{"request", `SELECT request_id, action FROM webhook_audit_trail WHERE ` + notDelivered + ` AND request_id = $1 LIMIT 1`, false},
}

// probesOfUUID look for what is one.
var probesOfUUID = []probe{
	{"dead_letter", `SELECT id, event_type, stripe_event_id FROM webhook_dead_letter_queue WHERE id = $1`, true},
	{"batch_job", `SELECT id, operation_type FROM batch_jobs WHERE id = $1`, false},
	{"task", `SELECT id, kind FROM webhook_tasks WHERE id = $1`, false},
	{"alert", `SELECT id, rule FROM webhook_alerts WHERE id = $1`, false},
	{"audit_line", `SELECT id, action, COALESCE(stripe_event_id, '') FROM webhook_audit_trail WHERE id = $1`, true},
	{"quotes", `SELECT id, CAST(user_id AS TEXT) FROM quotes WHERE id = $1`, false},
	{"clients", `SELECT id, CAST(user_id AS TEXT) FROM clients WHERE id = $1`, false},
	{"items", `SELECT id, CAST(user_id AS TEXT) FROM items WHERE id = $1`, false},
	{"object", `SELECT stripe_customer_id, 'stripe_customers' FROM stripe_customers WHERE user_id = $1 LIMIT 10`, false},
	{"user", `SELECT user_id, 'batch_jobs' FROM batch_jobs WHERE user_id = $1 LIMIT 1`, false},
}

// FindName looks for an id that is no UUID.
func (s *Store) FindName(ctx context.Context, name string) ([]Found, error) {
	found, err := s.find(ctx, probesOfName, name)
	if err != nil {
		return nil, err
	}
	for _, t := range viewedTables {
		if t == itemsTable {
			continue // found with its subscription
		}
		query := `SELECT ` + quote(t.key) + `, '` + t.name + `' FROM ` + quote(t.name) +
			` WHERE account = '' AND livemode IN (FALSE, TRUE) AND ` + quote(t.key) + ` = $1 LIMIT 1`
		more, err := s.find(ctx, []probe{{"object", query, false}}, name)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return once(found), nil
}

// FindUUID looks for a UUID of any kind.
func (s *Store) FindUUID(ctx context.Context, id string) ([]Found, error) {
	found, err := s.find(ctx, probesOfUUID, id)
	return once(found), err
}

// FindEmail looks for customers with an address, whatever its case.
func (s *Store) FindEmail(ctx context.Context, email string) ([]Found, error) {
	const query = `
SELECT stripe_customer_id, 'stripe_customers'
FROM stripe_customers
WHERE email IS NOT NULL AND substr(lower(email), 1, 150) = substr(lower($1), 1, 150) AND lower(email) = lower($1)
LIMIT 10`
	return s.find(ctx, []probe{{"object", query, false}}, email)
}

func (s *Store) find(ctx context.Context, probes []probe, what string) ([]Found, error) {
	var all []Found
	for _, p := range probes {
		found, err := queryAll(ctx, s.reader, p.query, []any{what}, func(r row) (Found, error) {
			f := Found{Kind: p.kind}
			into := []any{&f.ID, &f.Is}
			if p.events {
				into = append(into, &f.Event)
			}
			err := r.Scan(into...)
			return f, err
		})
		if err != nil {
			return nil, wrap(err, "search")
		}
		all = append(all, found[:min(len(found), maxFound)]...)
	}
	return all, nil
}

// once leaves out what was found before.
func once(found []Found) []Found {
	seen := map[[2]string]bool{}
	list := []Found{}
	for _, f := range found {
		if key := [2]string{f.Kind, f.ID}; !seen[key] {
			seen[key] = true
			list = append(list, f)
		}
	}
	return list
}
