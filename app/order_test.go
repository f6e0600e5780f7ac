package app_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestOrder_EveryArrivalEndsInTheSameRows delivers streams of events in many
// orders, with duplicates, cut into groups at random, on Postgres to two
// processes at once. Every order is delivered as another connected account, so
// that all of them meet in one database; the rows must not differ.
func TestOrder_EveryArrivalEndsInTheSameRows(t *testing.T) {
	t.Parallel()
	streams := map[string][][]byte{
		"journey-a": journeyA(t),
		"chains":    chains(t),
		"conflicts": conflicts(t),
		"sample-1":  journey(1),
		"sample-2":  journey(2),
		"sample-3":  journey(3),
	}
	orders := 10
	if os.Getenv("QUOTEKIT_TEST_LONG") != "" {
		orders = 1000
	}
	rows := map[string]map[string]string{}
	onBoth(t, func(t *testing.T, url string) {
		services := []*service{mustStart(t, url, app.Options{})}
		if strings.HasPrefix(url, "postgres") {
			services = append(services, mustStart(t, url, app.Options{}))
		}
		rows[t.Name()] = map[string]string{}
		for name, events := range streams {
			t.Run(name, func(t *testing.T) {
				seed := rand.Uint64()
				var work sync.WaitGroup
				next := make(chan int, orders)
				for i := range orders {
					next <- i
				}
				close(next)
				for range 6 {
					work.Go(func() {
						for i := range next {
							deliver(t, services, rand.New(rand.NewPCG(seed, uint64(i))), events, fmt.Sprintf("acct_%s_%d", name, i), i == 0)
						}
					})
				}
				work.Wait()
				want := accountRows(services[0], fmt.Sprintf("acct_%s_0", name))
				for i := 1; i < orders; i++ {
					got := accountRows(services[0], fmt.Sprintf("acct_%s_%d", name, i))
					if d := diff(got, want); d != "" {
						t.Fatalf("order %d of seed %d:\n%s", i, seed, d)
					}
				}
				if len(want) < 3 {
					t.Errorf("got only %d rows", len(want))
				}
				rows[strings.TrimSuffix(t.Name(), "/"+name)][name] = strings.Join(want, "\n")
			})
		}
	})
	var first map[string]string
	for _, byStream := range rows {
		for name, text := range byStream {
			if first != nil && first[name] != text {
				t.Errorf("the engines differ in %s:\n%s", name, diff(strings.Split(text, "\n"), strings.Split(first[name], "\n")))
			}
		}
		first = byStream
	}
}

// deliver posts events as those of an account, in order or shuffled and with
// some of them twice. What is posted at the same time may share a group.
func deliver(t *testing.T, services []*service, r *rand.Rand, events [][]byte, account string, inOrder bool) {
	events = slices.Clone(events)
	if !inOrder {
		for range len(events) / 4 {
			events = append(events, events[r.IntN(len(events))])
		}
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	}
	for len(events) > 0 {
		n := 1
		if !inOrder {
			n = min(1+r.IntN(8), len(events))
		}
		var together sync.WaitGroup
		for _, body := range events[:n] {
			s := services[r.IntN(len(services))]
			body := withAccount(body, account)
			together.Go(func() {
				if a, err := s.tryPost(body); err != nil || a.HTTP != 200 || a.Status == "dead" || a.Status == "pending" {
					t.Errorf("%s: got %+v, %v", gjson.GetBytes(body, "type"), a, err)
				}
			})
		}
		together.Wait()
		events = events[n:]
	}
}

func withAccount(body []byte, account string) []byte {
	body = set(body, "account", account)
	return set(body, "id", gjson.GetBytes(body, "id").Str+"_"+account)
}

func set(body []byte, path string, value any) []byte {
	body, err := sjson.SetBytes(body, path, value)
	if err != nil {
		panic(err)
	}
	return body
}

// accountRows are the rows of the mirror of one account, without its name.
func accountRows(s *service, account string) []string {
	var lines []string
	for _, line := range s.mirrorWhere("WHERE account = $1", account) {
		lines = append(lines, strings.ReplaceAll(line, account, "ACCT"))
	}
	return lines
}

func journeyA(t *testing.T) [][]byte {
	var events [][]byte
	for name, body := range fixtures(t) {
		if strings.HasSuffix(name, "journey-a") {
			events = append(events, body)
		}
	}
	return inTime(events)
}

func journey(seed uint64) [][]byte {
	var events [][]byte
	for _, e := range sample.New(rand.NewPCG(seed, 7), func() time.Time { return time.Unix(1_790_000_000, 0) }).Journey() {
		events = append(events, e.Body)
	}
	return events
}

func inTime(events [][]byte) [][]byte {
	slices.SortFunc(events, func(a, b []byte) int {
		if d := gjson.GetBytes(a, "created").Int() - gjson.GetBytes(b, "created").Int(); d != 0 {
			return int(d)
		}
		return strings.Compare(gjson.GetBytes(a, "type").Str, gjson.GetBytes(b, "type").Str)
	})
	return events
}

// chains are updates that share a second: a subscription that goes through four
// states, a customer that goes there and back, a deleted and re-announced
// product, duplicates under another id, and stale events.
func chains(t *testing.T) [][]byte {
	var events [][]byte
	n := 0
	event := func(body []byte, created int64) []byte {
		n++
		body = set(set(body, "id", fmt.Sprintf("evt_chain_%02d", n)), "created", created)
		events = append(events, body)
		return body
	}
	sub := fixture(t, "customer.subscription.created.dahlia.journey-a")
	step := func(k int, from, to string, created int64) []byte {
		body := set(sub, "type", "customer.subscription.updated")
		body = set(set(body, "data.object.status", to), "data.object.metadata.step", fmt.Sprint(k))
		body = set(set(body, "data.previous_attributes.status", from), "data.previous_attributes.metadata.step", fmt.Sprint(k-1))
		return event(body, created)
	}
	event(set(sub, "data.object.metadata.step", "0"), 100)
	step(1, "incomplete", "active", 100)
	step(2, "active", "past_due", 100)
	same := step(3, "past_due", "unpaid", 100)
	event(same, 100) // the same change told twice
	step(4, "unpaid", "active", 100)
	step(5, "active", "past_due", 101)
	step(6, "past_due", "active", 101)
	other := set(set(sub, "data.object.id", "sub_canceled"), "data.object.items.data.0.id", "si_canceled")
	event(other, 100)
	event(set(set(other, "type", "customer.subscription.deleted"), "data.object.status", "canceled"), 103)
	event(set(set(other, "type", "customer.subscription.updated"), "data.object.status", "active"), 104) // stale, or wrong

	customer := fixture(t, "customer.updated.dahlia.journey-a")
	customer = set(set(customer, "data.object.id", "cus_there_and_back"), "data.object.metadata", map[string]string{})
	rename := func(from, to string, created int64) {
		body := set(set(customer, "data.object.name", to), "data.previous_attributes", map[string]string{"name": from})
		event(body, created)
	}
	rename("A", "B", 100)
	rename("B", "C", 101)
	rename("C", "B", 101)

	product := fixture(t, "product.created.dahlia.full")
	event(product, 100)
	event(set(product, "type", "product.deleted"), 102)
	event(set(set(product, "data.object.id", "prod_again"), "type", "product.deleted"), 102)
	event(set(product, "data.object.id", "prod_again"), 103)
	event(set(set(product, "data.object.id", "prod_stub"), "type", "product.updated"), 105)
	event(set(set(product, "data.object", map[string]any{"id": "prod_stub", "object": "product", "deleted": true}), "type", "product.deleted"), 104)

	pm := fixture(t, "payment_method.attached.dahlia.card")
	event(pm, 100)
	event(set(set(pm, "type", "payment_method.detached"), "data.object.customer", nil), 101)
	event(pm, 102) // an attachment told late: detached is final
	return events
}

// conflicts are two users claimed for one customer, from several sources, with
// everything that follows the customer, some of it before the customer.
func conflicts(t *testing.T) [][]byte {
	const one, two = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	var events [][]byte
	for _, body := range journeyA(t) {
		switch gjson.GetBytes(body, "type").Str {
		case "customer.created":
			body = set(body, "data.object.metadata", map[string]string{"userId": one})
		case "customer.updated", "checkout.session.completed":
			body = set(body, "data.object.metadata", map[string]string{"supabase_user_id": two})
		default:
			if gjson.GetBytes(body, "data.object.metadata.user_id").Exists() {
				body = set(body, "data.object.metadata", map[string]string{"user_id": two})
			}
		}
		events = append(events, body)
	}
	detached := set(set(fixture(t, "payment_method.attached.dahlia.journey-a"), "type", "payment_method.detached"), "data.object.customer", nil)
	events = append(events, set(set(detached, "created", 1_776_729_100), "id", "evt_detached"))
	setup := fixture(t, "setup_intent.succeeded.dahlia.card-metadata")
	setup = set(setup, "data.object.customer", gjson.GetBytes(events[0], "data.object.id").Str)
	setup = set(set(setup, "created", 1_776_000_000), "data.object.metadata", map[string]string{"user_id": two})
	return append(events, set(setup, "data.object.payment_method", "pm_only_set_up"))
}

// TestOrder_TheTrueState checks the end of the chains against what happened.
func TestOrder_TheTrueState(t *testing.T) {
	url := storetest.SQLiteURL(t, tables)
	s := mustStart(t, url, app.Options{})
	r := rand.New(rand.NewPCG(rand.Uint64(), 1))
	deliver(t, []*service{s}, r, chains(t), "acct_chains", false)
	deliver(t, []*service{s}, r, conflicts(t), "acct_conflicts", false)
	for _, c := range []struct{ query, want string }{
		{"SELECT status FROM subscriptions WHERE stripe_subscription_id LIKE 'sub_1Q%' AND account = 'acct_chains'", "active"},
		{"SELECT json_extract(metadata, '$.step') AS step FROM subscriptions WHERE stripe_subscription_id LIKE 'sub_1Q%' AND account = 'acct_chains'", "6"},
		{"SELECT status FROM subscriptions WHERE stripe_subscription_id = 'sub_canceled'", "canceled"},
		{"SELECT name FROM stripe_customers WHERE stripe_customer_id = 'cus_there_and_back'", "B"},
		{"SELECT COUNT(*) FROM stripe_products WHERE deleted AND stripe_product_id NOT IN ('prod_again', 'prod_stub')", "1"},
		{"SELECT deleted FROM stripe_products WHERE stripe_product_id = 'prod_again'", "false"},
		{"SELECT deleted FROM stripe_products WHERE stripe_product_id = 'prod_stub'", "true"},
		{"SELECT name IS NOT NULL FROM stripe_products WHERE stripe_product_id = 'prod_stub'", "1"},
		{"SELECT stripe_customer_id FROM payment_methods WHERE account = 'acct_chains'", "null"},
		{"SELECT CAST(detached_at AS TEXT) LIKE '1970-01-01 00:01:41%' FROM payment_methods WHERE account = 'acct_chains'", "1"},
		{"SELECT COUNT(DISTINCT user_id) FROM stripe_customers WHERE account = 'acct_conflicts'", "1"},
		{"SELECT user_id FROM stripe_customers WHERE account = 'acct_conflicts'", "11111111-1111-4111-8111-111111111111"},
		{"SELECT user_id FROM subscriptions WHERE account = 'acct_conflicts'", "11111111-1111-4111-8111-111111111111"},
		{"SELECT user_id FROM stripe_invoices WHERE account = 'acct_conflicts'", "11111111-1111-4111-8111-111111111111"},
		{"SELECT user_id FROM stripe_checkout_sessions WHERE account = 'acct_conflicts'", "11111111-1111-4111-8111-111111111111"},
		{"SELECT COUNT(*) FROM payment_methods WHERE account = 'acct_conflicts' AND user_id = '11111111-1111-4111-8111-111111111111'", "2"},
	} {
		if got := s.value(c.query); got != c.want {
			t.Errorf("%s: got %s, want %s", c.query, got, c.want)
		}
	}
	// Two users, the second from customer, session and subscription metadata.
	if got := s.query("SELECT 1 FROM webhook_audit_trail WHERE action = 'user_link.conflict'"); len(got) < 2 {
		t.Errorf("got %d conflicts in the audit trail", len(got))
	}
}
