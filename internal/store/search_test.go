package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

func showFound(found []store.Found) string {
	var lines []string
	for _, f := range found {
		line := f.Kind + " " + f.ID
		for _, more := range []string{f.Is, f.Event, f.Account} {
			if more != "" {
				line += " " + more
			}
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ", ")
}

// TestFindRequest_FindsDeliveries by the id that came with the request, and by one of
// ours, which says when it was made.
func TestFindRequest_FindsDeliveries(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		mustReceive(t, s, "a.b", quotekit.EventSucceeded, "evt_1")
		const own, other = "req_06DGO79E7TT4N32TDPVO14CIIC", "req_06DGO79E7TT4N32TDPVO14CIIG"
		made := time.UnixMilli(0x019b0c1d2e3f).UTC()
		deliver := func(at time.Time, event, request string) {
			mustTx(t, s, func(tx *store.Tx) error {
				tx.Now = at
				return tx.Audit(t.Context(), []store.AuditEntry{{Actor: "stripe", Action: store.AuditDelivered, StripeEventID: event, RequestID: request}})
			})
		}
		deliver(made.Add(17*time.Millisecond), "evt_1", own)
		deliver(made.Add(50*time.Second), "evt_gone", other)
		deliver(made, "evt_1", "of-the-proxy")
		deliver(made.Add(-time.Hour), "evt_gone", "of-the-proxy")
		deliver(made, "evt_1", "0b7a2f3e-1c5d-4e6f-8a9b-0c1d2e3f4a5b")
		mustTx(t, s, func(tx *store.Tx) error {
			return tx.Audit(t.Context(), []store.AuditEntry{{Actor: "ada", Action: store.AuditReplay, StripeEventID: "evt_1", RequestID: "acted"}})
		})
		for _, tt := range []struct {
			id   string
			made time.Time
			want string
		}{
			{own, made, "delivery " + own + " a.b evt_1"},
			{other, made, "delivery " + other + " evt_gone"},
			{own, made.Add(time.Hour), ""},
			{own, made.Add(-time.Hour), ""},
			{"of-the-proxy", time.Time{}, "delivery of-the-proxy a.b evt_1, delivery of-the-proxy evt_gone"},
			{"0b7a2f3e-1c5d-4e6f-8a9b-0c1d2e3f4a5b", time.Time{}, "delivery 0b7a2f3e-1c5d-4e6f-8a9b-0c1d2e3f4a5b a.b evt_1"},
			{"acted", time.Time{}, "request acted event.replay"},
			{"of-nobody", time.Time{}, ""},
		} {
			found, err := s.FindRequest(t.Context(), tt.id, tt.made)
			if err != nil {
				t.Fatal(err)
			}
			if got := showFound(found); got != tt.want && got != swapped(tt.want) {
				t.Errorf("%s, made %s: got %q, want %q", tt.id, tt.made, got, tt.want)
			}
		}
	})
}

// swapped has the two things that were found in the other order.
func swapped(found string) string {
	first, second, ok := strings.Cut(found, ", ")
	if !ok {
		return found
	}
	return second + ", " + first
}

// TestFindName_FindsWhatConnectedAccountsHave beside one's own, with the account.
func TestFindName_FindsWhatConnectedAccountsHave(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		for _, table := range store.MirrorTables {
			for _, row := range [][3]string{{"acct_1", "FALSE", "x_1"}, {"acct_1", "TRUE", "x_1"}, {"acct_2", "FALSE", "x_1"}, {"", "FALSE", "x_2"}, {"acct_2", "TRUE", "x_2"}} {
				mustExec(t, s, fmt.Sprintf(`INSERT INTO %s (account, livemode, %s, created_at, updated_at) VALUES ('%s', %s, '%s', '2026-01-01 00:00:00', '2026-01-01 00:00:00')`,
					table.Name(), table.Columns()[2], row[0], row[1], row[2]))
			}
		}
		mustExec(t, s, `UPDATE subscription_items SET stripe_subscription_id = 'sub_of ' || account, stripe_subscription_item_id = 'si_1' WHERE stripe_subscription_item_id = 'x_1'`)
		mustExec(t, s, `UPDATE stripe_customers SET email = 'ada@example.com', user_id = '0b7a2f3e-1c5d-4e6f-8a9b-0c1d2e3f4a5b' WHERE account = 'acct_2' AND livemode = FALSE`)
		mustExec(t, s, `UPDATE stripe_invoices SET stripe_charge_id = 'ch_1', stripe_payment_intent_id = 'pi_1' WHERE account = 'acct_1' AND livemode = TRUE`)
		find := map[string]string{
			"x_1": "object x_1 stripe_customers acct_1, object x_1 stripe_customers acct_2", "x_2": "object x_2 stripe_customers, object x_2 stripe_customers acct_2",
			"si_1": "object sub_of acct_1 subscription_items acct_1, object sub_of acct_2 subscription_items acct_2",
			"ch_1": "object x_1 stripe_invoices acct_1", "pi_1": "object x_1 stripe_invoices acct_1", "x_3": "",
		}
		for name, want := range find {
			found, err := s.FindName(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if got := showFound(found); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		byEmail, err := s.FindEmail(t.Context(), "Ada@example.com")
		if err != nil {
			t.Fatal(err)
		}
		byUser, err := s.FindUUID(t.Context(), "0b7a2f3e-1c5d-4e6f-8a9b-0c1d2e3f4a5b")
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range [][]store.Found{byEmail, byUser} {
			if got, want := showFound(found), "object x_1 stripe_customers acct_2"; got != want {
				t.Errorf("of the customer: got %q, want %q", got, want)
			}
		}

		for account, want := range map[string]int{"acct_1": 14, "acct_2": 7, "": 0} { // in both modes, or in one
			rows, err := s.ObjectRows(t.Context(), account, "x_1")
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != want {
				t.Errorf("%q has %d rows of x_1, want %d", account, len(rows), want)
			}
			for _, row := range rows {
				if row.Account != account || row.Key != "x_1" {
					t.Errorf("a row of %q is %s of %q", account, row.Key, row.Account)
				}
			}
		}
		rows, err := s.ConnectedRows(t.Context(), "x_1")
		if err != nil || len(rows) != 21 {
			t.Errorf("connected accounts have %d rows of x_1, %v, want 21", len(rows), err)
		}
	})
}

// TestFind_LettersWithoutAnEvent have no event, those of the service do.
func TestFind_LettersWithoutAnEvent(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		mustReceive(t, s, "a.b", quotekit.EventDead, "evt_1")
		mustBury(t, s, "class", "evt_1", "evt_theirs")
		own := quotekit.NewID()
		mustExec(t, s, `INSERT INTO webhook_dead_letter_queue (id, stripe_event_id, event_type, event_data, failure_reason, first_failed_at, last_failed_at)
			VALUES ($1, 'evt_1', 'a.b', '{}', 'X', '2026-01-01 00:00:00', '2026-01-01 00:00:00')`, own)
		ours, theirs := quotekit.DeadLetterID("evt_1"), quotekit.DeadLetterID("evt_theirs")
		for name, want := range map[string]string{
			"evt_1": "event evt_1 a.b, dead_letter " + own + " a.b", "evt_theirs": "dead_letter " + theirs + " price.created",
		} {
			found, err := s.FindName(t.Context(), name)
			if got := showFound(found); err != nil || got != want {
				t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
			}
		}
		for id, want := range map[string]string{
			ours: "dead_letter " + ours + " price.created evt_1", theirs: "dead_letter " + theirs + " price.created", own: "dead_letter " + own + " a.b",
		} {
			found, err := s.FindUUID(t.Context(), id)
			if got := showFound(found); err != nil || got != want {
				t.Errorf("%s: got %q, %v, want %q", id, got, err, want)
			}
			letter, err := s.DeadLetter(t.Context(), id)
			if err != nil || letter.WithEvent() != (id == ours) {
				t.Errorf("%s is shown with its event: %t, %v", id, letter.WithEvent(), err)
			}
		}
	})
}
