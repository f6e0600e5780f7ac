package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
)

// Found is something that has an id or an address that was looked for.
type Found struct {
	// Kind is event, object, dead_letter, batch_job, task, audit_line, request,
	// delivery, user, alert, or the table of the application's that a row is in.
	Kind string
	ID   string
	// Is says more: the type of an event, the table of an object, the operation of a
	// job, the kind of a task, the user of a row. Of a delivery it is the type of the
	// event, empty if that is not kept any more.
	Is string
	// Event is that of a delivery or of a line of the audit trail; of a dead letter only
	// if it is shown with its event, see [DeadLetterRecord.WithEvent].
	Event string
	// Account is the connected account of an object; empty for one's own.
	Account string
}

// maxFound bounds how much is found of a kind.
const maxFound = 10

// probe is one look into one index.
type probe struct {
	kind  string
	query string
	// third is what its third column is; nil if it has two.
	third func(*Found) *string
}

func itsEvent(f *Found) *string   { return &f.Event }
func itsAccount(f *Found) *string { return &f.Account }

// selectFoundLetters has the event only if it was received here.
const selectFoundLetters = `
SELECT d.id, d.event_type, COALESCE((SELECT e.stripe_event_id FROM stripe_webhook_events AS e WHERE e.stripe_event_id = d.stripe_event_id), '')
FROM webhook_dead_letter_queue AS d`

// probesOfName look for what is not a UUID: ids of Stripe's, and of requests.
var probesOfName = []probe{
	{"event", `SELECT stripe_event_id, event_type FROM stripe_webhook_events WHERE stripe_event_id = $1`, nil},
	{"dead_letter", selectFoundLetters + ` WHERE d.stripe_event_id = $1 ORDER BY d.id LIMIT 20`, itsEvent},
	{"object", `
SELECT object_id, event_type, account
FROM stripe_webhook_events
WHERE object_id = $1
ORDER BY event_created DESC
LIMIT 100`, itsAccount},
	{"object", `SELECT stripe_invoice_id, 'stripe_invoices', account FROM stripe_invoices WHERE stripe_payment_intent_id = $1 LIMIT 10`, itsAccount},
	{"object", `SELECT stripe_invoice_id, 'stripe_invoices', account FROM stripe_invoices WHERE stripe_charge_id = $1 LIMIT 10`, itsAccount},
	{"object", `
SELECT stripe_subscription_id, 'subscription_items', account
FROM subscription_items
WHERE account = '' AND livemode IN (FALSE, TRUE) AND stripe_subscription_item_id = $1 AND stripe_subscription_id IS NOT NULL`, itsAccount},
	{"object", `
SELECT stripe_subscription_id, 'subscription_items', account
FROM subscription_items
WHERE account <> '' AND stripe_subscription_item_id = $1 AND stripe_subscription_id IS NOT NULL
LIMIT 10`, itsAccount},
	{"error_group", `SELECT id, event_type FROM webhook_error_groups WHERE id = $1`, nil},
}

// probesOfUUID look for what is one, but for the rows of the application.
var probesOfUUID = []probe{
	{"dead_letter", selectFoundLetters + ` WHERE d.id = $1`, itsEvent},
	{"batch_job", `SELECT id, operation_type FROM batch_jobs WHERE id = $1`, nil},
	{"task", `SELECT id, kind FROM webhook_tasks WHERE id = $1`, nil},
	{"alert", `SELECT id, rule FROM webhook_alerts WHERE id = $1`, nil},
	{"audit_line", `SELECT id, action, COALESCE(stripe_event_id, '') FROM webhook_audit_trail WHERE id = $1`, itsEvent},
	{"object", `SELECT stripe_customer_id, 'stripe_customers', account FROM stripe_customers WHERE user_id = $1 LIMIT 10`, itsAccount},
	{"user", `SELECT user_id, 'batch_jobs' FROM batch_jobs WHERE user_id = $1 LIMIT 1`, nil},
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
		one := `SELECT ` + quote(t.key) + `, '` + t.name + `', account FROM ` + quote(t.name) + ` WHERE ` + quote(t.key) + ` = $1 AND `
		more, err := s.find(ctx, []probe{
			{"object", one + `account = '' AND livemode IN (FALSE, TRUE) LIMIT 1`, itsAccount},
			{"object", one + connected + ` LIMIT 20`, itsAccount},
		}, name)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	found = slices.DeleteFunc(found, func(f Found) bool { return f.Kind == "dead_letter" && f.Event != "" }) // the event is found
	return once(found), nil
}

// FindUUID looks for a UUID of any kind.
func (s *Store) FindUUID(ctx context.Context, id string) ([]Found, error) {
	probes := slices.Clone(probesOfUUID)
	for _, table := range []quotekit.ApplicationTable{quotekit.Quotes, quotekit.Clients, quotekit.Items} {
		t := s.tables[table]
		probes = append(probes, probe{string(table), fmt.Sprintf("SELECT %[1]s, CAST(%[2]s AS TEXT) FROM %[3]s WHERE %[1]s = $1",
			t.bare("id"), t.bare("user_id"), t.name), nil})
	}
	found, err := s.find(ctx, probes, id)
	return once(found), err
}

// FindRequest looks for a request by its id: one that acted, and one that delivered
// an event. If the id tells when it was made, only what was delivered from that time
// on is looked at.
func (s *Store) FindRequest(ctx context.Context, id string, made time.Time) ([]Found, error) {
	acted := probe{"request", `SELECT request_id, action FROM webhook_audit_trail WHERE ` + notDelivered + ` AND request_id = $1 LIMIT 1`, nil}
	found, err := s.find(ctx, []probe{acted}, id)
	if err != nil {
		return nil, err
	}
	const selectDelivered = `
SELECT request_id, COALESCE((SELECT e.event_type FROM stripe_webhook_events AS e WHERE e.stripe_event_id = webhook_audit_trail.stripe_event_id), ''),
  COALESCE(stripe_event_id, '')
FROM webhook_audit_trail
WHERE action = '` + AuditDelivered + `' AND request_id = $1 AND `
	delivered := probe{"delivery", selectDelivered + notOwnRequest + ` LIMIT 10`, itsEvent}
	args := []any{id}
	if !made.IsZero() {
		delivered.query = selectDelivered + `id >= $2 AND id < $3 ORDER BY id LIMIT 1`
		args = append(args, firstAuditID(made.Add(-time.Second)).String(), firstAuditID(made.Add(longestDelivery)).String())
	}
	more, err := s.find(ctx, []probe{delivered}, args...)
	return once(append(found, more...)), err
}

// longestDelivery is more than it can take from the id of a request to the line of
// its delivery: its body, waiting and the transaction have their limits. A clock may
// be set back by a second meanwhile.
const longestDelivery = time.Minute

// Conditions of indexes.
const (
	// notOwnRequest leaves out ids of requests that say when they were made.
	notOwnRequest = `NOT (length(request_id) = 30 AND substr(request_id, 1, 5) = 'req_0')`
	// connected are rows of connected accounts.
	connected = `account <> ''`
)

// FindEmail looks for customers with an address, whatever its case.
func (s *Store) FindEmail(ctx context.Context, email string) ([]Found, error) {
	const query = `
SELECT stripe_customer_id, 'stripe_customers', account
FROM stripe_customers
WHERE email IS NOT NULL AND substr(lower(email), 1, 150) = substr(lower($1), 1, 150) AND lower(email) = lower($1)
LIMIT 10`
	return s.find(ctx, []probe{{"object", query, itsAccount}}, email)
}

func (s *Store) find(ctx context.Context, probes []probe, args ...any) ([]Found, error) {
	var all []Found
	for _, p := range probes {
		found, err := queryAll(ctx, s.reader, p.query, args, func(r row) (Found, error) {
			f := Found{Kind: p.kind}
			into := []any{&f.ID, &f.Is}
			if p.third != nil {
				into = append(into, p.third(&f))
			}
			err := r.Scan(into...)
			if f.Kind == "dead_letter" && f.ID != quotekit.DeadLetterID(f.Event) {
				f.Event = ""
			}
			return f, err
		})
		if err != nil {
			return nil, wrap(err, "search")
		}
		found = once(found)
		all = append(all, found[:min(len(found), maxFound)]...)
	}
	return all, nil
}

// once leaves out what was found before.
func once(found []Found) []Found {
	seen := map[Found]bool{}
	list := []Found{}
	for _, f := range found {
		key := f
		key.Is = "" // an object is found by its events, and in its table
		if !seen[key] {
			seen[key] = true
			list = append(list, f)
		}
	}
	return list
}
