package app_test

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// ask reads one of the operators' views into a type.
func ask[T any](s *service, path string) (out T) {
	s.t.Helper()
	status, answer := s.call("GET", path, "")
	if status != 200 {
		s.t.Fatalf("GET %s: got %d %v", path, status, answer)
	}
	return mustConvert[T](s.t, answer)
}

type letterList struct {
	Groups []struct {
		ID, State, Owner, Note string
		ErrorClass             string `json:"error_class"`
		Handler                string
		Count                  int
		Regressed              bool
	}
	Items []struct {
		StripeEventID string `json:"stripe_event_id"`
		GroupID       string `json:"group_id"`
		DaysLeft      int    `json:"days_left_at_stripe"`
		AgeSeconds    int    `json:"age_seconds"`
	}
	NextCursor *string `json:"next_cursor"`
}

// TestLists_DeadLettersBeginWithTheirGroups: groups on the first page only, letters
// page by page, filters that fit both, and acts that are audited.
func TestLists_DeadLettersBeginWithTheirGroups(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		mustBury(t, s.Store(), products("list", 5)...)
		first := ask[letterList](s, "/v1/monitor/dead-letter-queue?limit=3&resolved=false")
		if len(first.Groups) != 1 || first.Groups[0].Count != 5 || first.Groups[0].State != "open" || first.Groups[0].Handler != "product" {
			t.Fatalf("got the groups %+v", first.Groups)
		}
		group := first.Groups[0].ID
		if len(first.Items) != 3 || first.Items[0].GroupID != group || first.NextCursor == nil {
			t.Fatalf("got %+v", first)
		}
		second := ask[letterList](s, "/v1/monitor/dead-letter-queue?limit=3&resolved=false&cursor="+*first.NextCursor)
		if len(second.Groups) != 0 || len(second.Items) != 2 || second.NextCursor != nil {
			t.Errorf("got %+v on the second page", second)
		}
		for query, want := range map[string]int{
			"group_id=" + group: 5, "group_id=none": 0, "error_class=test": 5, "error_class=other": 0, "days_back=1": 5, "resolved=true": 0,
			"from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z": 0, "event_type=product.created&reason=HANDLER_REJECTED": 5,
		} {
			if got := ask[letterList](s, "/v1/monitor/dead-letter-queue?"+query); len(got.Items) != want {
				t.Errorf("%s: got %d letters, want %d", query, len(got.Items), want)
			}
		}

		act := func(name, body string, want int) {
			t.Helper()
			if status, answer := s.call("POST", "/v1/monitor/error-groups/"+group+"/"+name, body); status != want {
				t.Errorf("%s %s: got %d %v, want %d", name, body, status, answer, want)
			}
		}
		act("ignore", `{"owner":"ada"}`, 400) // a reason is needed
		act("acknowledge", `{"reason":"looking","who":1}`, 400)
		act("acknowledge", `{"reason":"looking","owner":"grace"}`, 200)
		groups := ask[struct{ Items []map[string]any }](s, "/v1/monitor/error-groups?event_type=product.created").Items
		if len(groups) != 1 || groups[0]["state"] != "acknowledged" || groups[0]["owner"] != "grace" || groups[0]["note"] != "looking" {
			t.Errorf("got %v", groups)
		}
		act("ignore", `{"reason":"known"}`, 200)
		act("reopen", ``, 200)
		p := s.mustPreview(`{"action":"resolve","filter":{"resolved":false}`)
		s.settled(s.mustStartBulk(p, ""), 20*time.Second)
		act("acknowledge", `{"reason":"late"}`, 409)
		if status, _ := s.call("POST", "/v1/monitor/error-groups/none/reopen", ""); status != 404 {
			t.Errorf("got %d for no group", status)
		}
		if got := ask[letterList](s, "/v1/monitor/dead-letter-queue?resolved=true"); len(got.Groups) != 1 || got.Groups[0].State != "resolved" || len(got.Items) != 5 {
			t.Errorf("got %+v of what is resolved", got)
		}
		mustBury(t, s.Store(), products("more", 1)...)
		if got := ask[letterList](s, "/v1/monitor/dead-letter-queue?resolved=false"); len(got.Groups) != 1 || !got.Groups[0].Regressed || got.Groups[0].State != "open" {
			t.Errorf("got %+v after a regression", got.Groups)
		}

		var trail []string
		for _, l := range ask[auditList](s, "/v1/monitor/audit-trail?operators_only=true&target="+group).Items {
			trail = append(trail, l.Action)
		}
		want := []string{store.AuditGroupReopen, store.AuditGroupIgnore, store.AuditGroupAcknowledge}
		if !slices.Equal(trail, want) {
			t.Errorf("got the trail %q, want %q", trail, want)
		}
	})
}

type auditList struct {
	Items []struct {
		ID, Actor, Action, Reason string
		StripeEventID             string `json:"stripe_event_id"`
		ChainSequence             *int64 `json:"chain_sequence"`
	}
	NextCursor *string `json:"next_cursor"`
}

// TestLists_ThePayloadIsMaskedUntilSomebodySaysWhy: views are masked; only an admin
// reveals, with a reason, and the trail tells before the answer does.
func TestLists_ThePayloadIsMaskedUntilSomebodySaysWhy(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		body := fixture(t, "customer.created.dahlia.metadata-user-id")
		event := planted(t, body, "evt_masked")
		event["data"].(map[string]any)["object"].(map[string]any)["id"] = "cus_masked"
		sent := mustJSON(t, event)
		if a := s.post(sent); a.Status != "succeeded" {
			t.Fatalf("got %+v", a)
		}
		rejected := planted(t, body, "evt_rejected")
		rejected["data"].(map[string]any)["object"].(map[string]any)["id"] = 5
		if a := s.post(mustJSON(t, rejected)); a.Status != "dead" {
			t.Fatalf("got %+v", a)
		}
		for _, path := range []string{
			"/v1/monitor/events/evt_masked", "/v1/monitor/objects/cus_masked", "/v1/monitor/dead-letter-queue/evt_rejected",
			"/v1/monitor/events/evt_rejected", "/v1/monitor/dead-letter-queue", "/v1/monitor/audit-trail", "/v1/monitor/search?q=" + canaryEmail,
		} {
			text := string(mustJSON(t, ask[any](s, path)))
			for _, secret := range []string{canaryEmail, canaryCard, "canary of"} {
				if strings.Contains(text, secret) {
					t.Errorf("%s shows %q", path, secret)
				}
			}
		}
		view := ask[map[string]any](s, "/v1/monitor/events/evt_masked")
		if payload := view["payload"].(string); !strings.Contains(payload, `"id": "evt_masked"`) || !strings.Contains(payload, "•••") {
			t.Errorf("got the payload %s", payload)
		}

		reveal := "/v1/monitor/events/evt_masked/reveal"
		for _, role := range []rest.Role{rest.RoleViewer, rest.RoleOperator} {
			if status, _ := s.askAs(mustMint(t, jwtSecret, role), "POST", reveal, `{"reason":"curious"}`); status != 403 {
				t.Errorf("a %s got %d", role, status)
			}
		}
		if status, _ := s.call("POST", reveal, `{}`); status != 400 {
			t.Errorf("got %d without a reason", status)
		}
		if status, _ := s.call("POST", "/v1/monitor/events/evt_none/reveal", `{"reason":"x"}`); status != 404 {
			t.Errorf("got %d for no event", status)
		}
		if got := s.value(`SELECT COUNT(*) FROM webhook_audit_trail WHERE action = 'event.reveal'`); got != "0" {
			t.Errorf("%s reveals are in the trail before one", got)
		}
		status, answer := s.call("POST", reveal, `{"reason":"a complaint"}`)
		if status != 200 || answer["payload"] != string(sent) {
			t.Errorf("got %d %v, want what was sent", status, answer)
		}
		lines := ask[auditList](s, "/v1/monitor/audit-trail?action=event.reveal").Items
		if len(lines) != 1 || lines[0].StripeEventID != "evt_masked" || lines[0].Reason != "a complaint" || lines[0].ChainSequence == nil {
			t.Errorf("got %+v", lines)
		}
	})
}

// TestLists_AnEventTellsItsLife: what changed, what came before, which rows there
// are, and the steps with their times.
func TestLists_AnEventTellsItsLife(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		subscription := func(id string, created int, status string, previous string) []byte {
			return fmt.Appendf(nil, `{"id":%q,"object":"event","type":"customer.subscription.updated","api_version":"2025-03-31.basil","created":%d,"livemode":false,`+
				`"data":{"object":{"id":"sub_life","object":"subscription","status":%q,"customer":"cus_life","created":1700000000,`+
				`"items":{"object":"list","data":[],"has_more":false},"metadata":{"note":"secret of %s"}}%s}}`, id, created, status, id, previous)
		}
		s.post(subscription("evt_life1", 1750000000, "trialing", ""))
		s.post(subscription("evt_life2", 1750000100, "active", `,"previous_attributes":{"status":"trialing"}`))
		s.post(subscription("evt_life2", 1750000100, "active", `,"previous_attributes":{"status":"trialing"}`))
		s.post(subscription("evt_life0", 1740000000, "incomplete", ""))
		eventually(t, 10*time.Second, "the telemetry", func() bool {
			return s.value(`SELECT COUNT(*) FROM webhook_processing_logs WHERE stripe_event_id = 'evt_life2'`) == "1"
		})
		type change struct {
			Path          string
			Before, After any
		}
		type view struct {
			PreviousEventID     *string `json:"previous_event_id"`
			Changes             []change
			Differences         []change
			Rows                []struct{ Table, Key string }
			SubscriptionChanges []struct{ Field string } `json:"subscription_changes"`
			Timeline            []struct {
				Stage, Status, Title string
				At                   time.Time
				Took                 float64 `json:"since_previous_ms"`
			}
			Handler, Curl, Command string
			SupersededBy           *struct {
				ID string `json:"stripe_event_id"`
			} `json:"superseded_by"`
		}
		v := ask[view](s, "/v1/monitor/events/evt_life2")
		if len(v.Changes) != 1 || v.Changes[0] != (change{"status", "trialing", "active"}) {
			t.Errorf("got the changes %+v", v.Changes)
		}
		if v.PreviousEventID == nil || *v.PreviousEventID != "evt_life1" || len(v.Differences) != 2 || v.Differences[1] != (change{"metadata.note", "•••", "•••"}) {
			t.Errorf("got %v, %+v", v.PreviousEventID, v.Differences)
		}
		if len(v.Rows) != 1 || v.Rows[0].Table != "subscriptions" || v.Rows[0].Key != "sub_life" || len(v.SubscriptionChanges) != 1 || v.Handler != "subscription" {
			t.Errorf("got %+v, %+v, %s", v.Rows, v.SubscriptionChanges, v.Handler)
		}
		var stages []string
		for i, e := range v.Timeline {
			stages = append(stages, e.Stage)
			if i > 0 && (e.At.Before(v.Timeline[i-1].At) || e.Took < 0) {
				t.Errorf("%s is told after what came later", e.Stage)
			}
		}
		if got := strings.Join(stages, " "); got != "received handled waited committed received" {
			t.Errorf("got the life %s", got)
		}
		if v.Command != "quotekit events replay evt_life2" || !strings.Contains(v.Curl, "$QUOTEKIT_ADMIN_TOKEN") || strings.Contains(v.Curl, token) {
			t.Errorf("got the commands %s and %s", v.Command, v.Curl)
		}

		type object struct {
			Items []struct {
				StripeEventID string `json:"stripe_event_id"`
				Mark          string
			}
			Rows       []struct{ Table string }
			NextCursor *string `json:"next_cursor"`
		}
		var got []string
		path := "/v1/monitor/objects/sub_life?limit=1"
		for next := path; next != ""; {
			o := ask[object](s, next)
			for _, e := range o.Items {
				got = append(got, e.StripeEventID+" "+e.Mark)
			}
			if next = ""; o.NextCursor != nil {
				next = path + "&cursor=" + *o.NextCursor
			}
		}
		if want := []string{"evt_life2 applied", "evt_life1 applied", "evt_life0 stale"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if status, _ := s.call("GET", "/v1/monitor/objects/sub_none", ""); status != 404 {
			t.Errorf("got %d for no object", status)
		}
	})
}

// TestLists_SearchFindsAnyID that can be pasted, and nothing for what is none.
func TestLists_SearchFindsAnyID(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		customer := planted(t, fixture(t, "customer.created.dahlia.metadata-user-id"), "evt_search")
		object := customer["data"].(map[string]any)["object"].(map[string]any)
		object["id"], object["email"], object["metadata"] = "cus_search", "Ada.Search@Example.com", map[string]any{"user_id": u.id}
		s.post(mustJSON(t, customer))
		mustBury(t, s.Store(), products("search", 1)...)
		items := u.make()
		status, answer := s.call("POST", "/v1/monitor/dead-letter-queue/evt_search00000/resolve", `{"reason":"searched for"}`)
		if status != 200 {
			t.Fatalf("got %d %v", status, answer)
		}
		line := ask[auditList](s, "/v1/monitor/audit-trail?action=dead_letter.resolve").Items[0]
		request := s.value(`SELECT request_id FROM webhook_audit_trail WHERE action = 'dead_letter.resolve'`)
		group := store.GroupID("product.created", "HANDLER_REJECTED", "test")
		const insert = `INSERT INTO stripe_invoices (account, livemode, stripe_invoice_id, stripe_payment_intent_id, stripe_charge_id, created_at, updated_at)
VALUES ('', FALSE, 'in_search', 'pi_search', 'ch_search', '2026-01-01 00:00:00', '2026-01-01 00:00:00')`
		if _, err := s.Store().Writer().ExecContext(t.Context(), insert); err != nil {
			t.Fatal(err)
		}
		for what, want := range map[string]string{
			"evt_search": "event /dashboard/events/evt_search", " cus_search ": "object /dashboard/objects/cus_search",
			"prod_search00000": "object /dashboard/objects/prod_search00000", "in_search": "object /dashboard/objects/in_search",
			"pi_search": "object /dashboard/objects/in_search", "ch_search": "object /dashboard/objects/in_search",
			"ada.search@example.COM":                 "object /dashboard/objects/cus_search",
			quotekit.DeadLetterID("evt_search00000"): "dead_letter /dashboard/events/evt_search00000",
			line.ID:                                  "audit_line /dashboard/audit-trail?stripe_event_id=evt_search00000",
			request:                                  "request /dashboard/audit-trail?request_id=" + request,
			group:                                    "error_group /dashboard/dead-letter-queue/groups/" + group,
			items.job:                                "batch_job /dashboard/batch-jobs/" + items.job,
			items.item:                               "user /dashboard/batch-jobs?user_id=" + u.id,
			u.id:                                     "object /dashboard/objects/cus_search, user /dashboard/batch-jobs?user_id=" + u.id,
			"none":                                   "", "evt_none": "", quotekit.NewID(): "", "none@example.com": "", "'; DROP": "", "%": "", "😀": "",
			strings.Repeat("x", 1000): "",
		} {
			var got []string
			for _, h := range ask[struct{ Items []struct{ Kind, Path string } }](s, "/v1/monitor/search?q="+urlQuery(what)).Items {
				got = append(got, h.Kind+" "+h.Path)
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("%q: got %q, want %q", what, strings.Join(got, ", "), want)
			}
		}
		if status, _ := s.call("GET", "/v1/monitor/search", ""); status != 400 {
			t.Errorf("got %d without a text", status)
		}
	})
}

// TestLists_SearchFindsDeliveriesAndConnectedAccounts: a delivery by the id of its
// request, given or ours, and what a connected account has, with the account.
func TestLists_SearchFindsDeliveriesAndConnectedAccounts(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		deliver := func(body []byte, given string) string {
			req := s.mustDelivery(body)
			req.Header.Set("X-Request-Id", given)
			return s.mustSend(req).header.Get("X-Request-Id")
		}
		own := deliver(product("evt_own", "prod_1"), "")
		deliver(product("evt_proxy", "prod_1"), "0B7A2F3E-1c5d-4e6f-8a9b-0c1d2e3f4a5b")
		deliver(product("evt_mail", "prod_1"), "req@proxy")
		deliver(product("evt_gone", "prod_2"), "of-a-gone-event")
		s.mustExec([]string{"DELETE FROM stripe_webhook_events WHERE stripe_event_id = 'evt_gone'"})
		s.post(set(product("evt_shop", "prod_1"), "account", "acct_shop"))
		s.post(set(product("evt_other", "prod_1"), "account", "acct_other"))
		type hit struct{ Kind, ID, Account, Title, Path string }
		for what, want := range map[string][]hit{
			own:                                    {{"request", own, "", "Request that delivered product.created", "/dashboard/events/evt_own"}},
			"0B7A2F3E-1c5d-4e6f-8a9b-0c1d2e3f4a5b": {{"request", "0B7A2F3E-1c5d-4e6f-8a9b-0c1d2e3f4a5b", "", "Request that delivered product.created", "/dashboard/events/evt_proxy"}},
			"req@proxy":                            {{"request", "req@proxy", "", "Request that delivered product.created", "/dashboard/events/evt_mail"}},
			"of-a-gone-event":                      {{"request", "of-a-gone-event", "", "Request that delivered an event that is not kept any more", "/dashboard/audit-trail?stripe_event_id=evt_gone"}},
			own[:29] + "_":                         nil,
			"prod_1": {
				{"object", "prod_1", "", "Object of events like product", "/dashboard/objects/prod_1"},
				{"object", "prod_1", "acct_other", "Object of events like product of acct_other", "/dashboard/objects/prod_1?account=acct_other"},
				{"object", "prod_1", "acct_shop", "Object of events like product of acct_shop", "/dashboard/objects/prod_1?account=acct_shop"},
			},
		} {
			got := ask[struct{ Items []hit }](s, "/v1/monitor/search?q="+urlQuery(what)).Items
			slices.SortFunc(got, func(a, b hit) int { return strings.Compare(a.Path, b.Path) })
			if !slices.Equal(got, want) && len(got)+len(want) > 0 {
				t.Errorf("%q: got %+v, want %+v", what, got, want)
			}
		}
		s.mustExec([]string{"DELETE FROM stripe_webhook_events"}) // the rows are left
		if got := ask[struct{ Items []hit }](s, "/v1/monitor/search?q=prod_1").Items; len(got) != 3 || got[0].Title != "Object in stripe_products" {
			t.Errorf("without events: got %+v, want three rows", got)
		}
		type object struct {
			Account string
			Rows    []struct{ Key, Account string }
		}
		for query, want := range map[string]int{"": 3, "?account=acct_shop": 1} {
			o := ask[object](s, "/v1/monitor/objects/prod_1"+query)
			if len(o.Rows) != want || query != "" && (o.Account != "acct_shop" || o.Rows[0].Account != "acct_shop") {
				t.Errorf("%s: got %+v, want %d rows", query, o, want)
			}
		}
		if status, _ := s.call("GET", "/v1/monitor/objects/prod_1?account=acct_none", ""); status != 404 {
			t.Errorf("of an account that has none: %d", status)
		}
	})
}

func urlQuery(text string) string { return url.QueryEscape(text) }

// made is what [user.make] has made.
type made struct{ job, item string }

// make makes an item with a bulk operation.
func (u *user) make() (c made) {
	u.t.Helper()
	job := u.run("bulk_create_items", []map[string]string{{"name": "a", "unit_price": "1.00"}, {"name": "", "unit_price": "2.00"}}, nil)
	for _, r := range u.results(job.ID) {
		if r.Outcome == quotekit.Succeeded {
			c.item = *r.ItemID
		}
	}
	c.job = job.ID
	return c
}

// TestLists_BatchJobsOfAllUsers are seen and acted upon by operators, who say why.
func TestLists_BatchJobsOfAllUsers(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		a, b := s.user(), s.user()
		first, second := a.make(), b.make()
		type job struct {
			ID, Status  string
			UserID      string   `json:"user_id"`
			Rate        *float64 `json:"items_per_second"`
			Stalled     bool
			ErrorGroups []struct {
				Code  string `json:"error_code"`
				Items int
			} `json:"error_groups"`
			ParentID *string `json:"parent_id"`
		}
		list := func(query string) (ids []string) {
			for _, j := range ask[struct{ Items []job }](s, "/v1/monitor/batch-jobs?"+query).Items {
				ids = append(ids, j.ID)
			}
			return ids
		}
		for query, want := range map[string][]string{
			"": {second.job, first.job}, "user_id=" + a.id: {first.job}, "running=true": nil, "status=completed&operation=bulk_create_items": {second.job, first.job},
			"status=failed": nil, "to=2001-01-01T00:00:00Z": nil, "days_back=2": {second.job, first.job},
		} {
			if got := list(query); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", query, got, want)
			}
		}
		one := ask[job](s, "/v1/monitor/batch-jobs/"+first.job)
		if one.UserID != a.id || one.Rate == nil || one.Stalled || len(one.ErrorGroups) != 1 || one.ErrorGroups[0].Code != "invalid" {
			t.Errorf("got %+v", one)
		}
		path := "/v1/monitor/batch-jobs/" + first.job
		if status, _ := s.call("POST", path+"/undo", `{}`); status != 400 {
			t.Errorf("got %d without a reason", status)
		}
		status, answer := s.call("POST", path+"/undo", `{"reason":"by mistake"}`)
		if status != 202 || answer["parent_id"] != first.job || answer["user_id"] != a.id {
			t.Fatalf("got %d %v", status, answer)
		}
		if status, answer := s.call("POST", path+"/cancel", `{"reason":"too late"}`); status != 200 || answer["status"] != "completed" {
			t.Errorf("got %d %v", status, answer)
		}
		if status, answer := s.call("POST", path+"/retry-failed", `{"reason":"again"}`); status != 202 || answer["parent_id"] != first.job {
			t.Errorf("got %d %v", status, answer)
		}
		for _, id := range []string{"none", quotekit.NewID()} {
			for _, act := range []string{"cancel", "undo", "retry-failed"} {
				if status, _ := s.call("POST", "/v1/monitor/batch-jobs/"+id+"/"+act, `{"reason":"x"}`); status != 404 {
					t.Errorf("%s of %s: got %d", act, id, status)
				}
			}
		}
		trail := ask[auditList](s, "/v1/monitor/audit-trail?operators_only=true&target="+first.job).Items
		if len(trail) < 2 || trail[0].Reason != "again" || trail[0].Actor != "ada" {
			t.Errorf("got the trail %+v", trail)
		}
	})
}

// TestLists_TheChainTellsWhoRewroteIt changes, deletes and appends lines behind the
// service's back.
func TestLists_TheChainTellsWhoRewroteIt(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		mustBury(t, s.Store(), products("chain", 6)...)
		type check struct {
			Valid    bool
			Lines    int
			Head     string
			BrokenAt *int64 `json:"broken_at"`
			Breakage string
		}
		verify := func() check { return ask[check](s, "/v1/monitor/audit-trail/verify") }
		if got := verify(); !got.Valid || got.Lines != 0 {
			t.Fatalf("got %+v before the first act", got)
		}
		for n := range 6 {
			if status, _ := s.call("POST", fmt.Sprintf("/v1/monitor/dead-letter-queue/evt_chain%05d/resolve", n), fmt.Sprintf(`{"reason":"=%d"}`, n)); status != 200 {
				t.Fatalf("got %d", status)
			}
		}
		whole := verify()
		if !whole.Valid || whole.Lines != 6 || len(whole.Head) != 64 {
			t.Fatalf("got %+v", whole)
		}
		exec := func(text string) {
			t.Helper()
			if _, err := s.Store().Writer().ExecContext(t.Context(), text); err != nil {
				t.Fatal(err)
			}
		}
		if s.Store().Postgres() {
			exec(`ALTER TABLE webhook_audit_trail DISABLE TRIGGER USER`)
		} else {
			exec(`DROP TRIGGER webhook_audit_trail_no_update`)
			exec(`DROP TRIGGER webhook_audit_trail_no_delete`)
		}
		broken := func(at int64, words string) {
			t.Helper()
			if got := verify(); got.Valid || got.BrokenAt == nil || *got.BrokenAt != at || !strings.Contains(got.Breakage, words) {
				t.Errorf("got %+v, want a break at %d: %s", got, at, words)
			}
		}
		exec(`UPDATE webhook_audit_trail SET reason = 'no reason' WHERE chain_sequence = 3`)
		broken(3, "not as it was written")
		exec(`UPDATE webhook_audit_trail SET reason = '=2' WHERE chain_sequence = 3`)
		exec(`UPDATE webhook_audit_trail SET "after" = '{"status": "dead"}' WHERE chain_sequence = 5`)
		broken(5, "not as it was written")
		exec(`UPDATE webhook_audit_trail SET "after" = '{ "status" : "resolved" }' WHERE chain_sequence = 5`)
		if got := verify(); !got.Valid || got.Head != whole.Head {
			t.Fatalf("got %+v when all is as it was", got)
		}
		exec(`UPDATE webhook_audit_trail SET chain_hash = 'x' WHERE chain_sequence = 4`)
		broken(4, "not as it was written")
		exec(`DELETE FROM webhook_audit_trail WHERE chain_sequence = 6`)
		exec(`DELETE FROM webhook_audit_trail WHERE chain_sequence = 4`)
		broken(4, "is missing")
		exec(`DELETE FROM webhook_audit_trail WHERE chain_sequence >= 3`)
		broken(3, "the last lines")
		exec(`DELETE FROM webhook_audit_trail WHERE chain_sequence = 1`)
		broken(1, "is missing")

		file := s.mustGetText("/v1/monitor/audit-trail?operators_only=true", "text/csv")
		rows, err := csv.NewReader(strings.NewReader(file)).ReadAll()
		if err != nil || len(rows) != 2 || rows[0][6] != "reason" || rows[1][6] != "'=1" {
			t.Errorf("got %q, %v", rows, err)
		}
	})
}

// mustGetText reads an answer in a media type.
func (s *service) mustGetText(path, media string) string {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", media)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err = joinClose(err, resp.Body); err != nil || resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), media) {
		s.t.Fatalf("GET %s: got %d %s, %v", path, resp.StatusCode, b, err)
	}
	return string(b)
}
