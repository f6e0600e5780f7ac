package app_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/rest"
)

// list reads a page of a list.
func (u *user) list(path string) rest.Page[map[string]any] {
	u.t.Helper()
	r := u.do("GET", path, "")
	var p rest.Page[map[string]any]
	if err := json.Unmarshal(r.body, &p); err != nil || r.status != 200 {
		u.t.Fatalf("%s: status %d, %v: %.300s", path, r.status, err, r.body)
	}
	return p
}

// names lists one field of all items of a page.
func names(p rest.Page[map[string]any], field string) string {
	var list []string
	for _, item := range p.Items {
		list = append(list, fmt.Sprint(item[field]))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func TestRows_AreTheCallersOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		ada, bob := s.user(), s.user()
		client := s.rows(ada, quotekit.Clients, quotekit.Values{"name": "Söhne & Co", "email": "a@example.com"})[0]
		quote := s.quotes(ada, 1, client)[0]
		item := s.items(ada, 5)[0]
		for path, id := range map[string]string{"/v1/clients": client, "/v1/quotes": quote, "/v1/items": item} {
			if got := names(ada.list(path), "id"); got != id {
				t.Errorf("%s: got %s, want %s", path, got, id)
			}
			if got := bob.list(path); len(got.Items) != 0 || got.NextCursor != nil {
				t.Errorf("%s: another user sees %v", path, got)
			}
			if r := ada.do("GET", path+"/"+strings.ToUpper(id), ""); r.status != 200 || !strings.Contains(string(r.body), id) {
				t.Errorf("%s/%s: status %d: %s", path, id, r.status, r.body)
			}
			foreign, missing := bob.do("GET", path+"/"+id, ""), bob.do("GET", path+"/"+quotekit.NewID(), "")
			if foreign.status != 404 || missing.status != 404 || foreign.problem(t).Code != missing.problem(t).Code {
				t.Errorf("%s: got %d for a foreign and %d for a missing row", path, foreign.status, missing.status)
			}
			if r := ada.do("GET", path+"/nonsense", ""); r.status != 404 {
				t.Errorf("%s/nonsense: status %d", path, r.status)
			}
			nobody := &user{t: t, url: s.URL()}
			if r := nobody.do("GET", path, ""); r.status != 401 || r.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: status %d without a token", path, r.status)
			}
		}
	})
}

func TestRows_HaveTheShapeOfTheAPI(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		s.items(u, 12345678_90)
		s.rows(u, quotekit.Clients, quotekit.Values{"name": "Ada"})
		s.quotes(u, 1, nil)
		item := u.list("/v1/items").Items[0]
		delete(item, "id")
		want := map[string]any{
			"name": "Item 0", "unit": nil, "unit_price": "12345678.90", "category": nil, "tags": []any{"a", "b"},
		}
		if fmt.Sprint(item) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", item, want)
		}
		client := u.list("/v1/clients").Items[0]
		delete(client, "id")
		want = map[string]any{"name": "Ada", "email": nil, "phone": nil, "address": nil, "notes": nil}
		if fmt.Sprint(client) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", client, want)
		}
		quote := u.list("/v1/quotes").Items[0]
		for field, want := range map[string]any{
			"client_id": nil, "total": "10.00", "subtotal": nil, "tax_rate": "19.00", "status": "draft", "notes": "a\n\"b\", ü",
			"valid_until": "2027-01-15T08:00:00.123456Z", "line_items": []any{map[string]any{"name": "Design <b>", "quantity": 1.5}},
		} {
			if fmt.Sprint(quote[field]) != fmt.Sprint(want) {
				t.Errorf("%s: got %v, want %v", field, quote[field], want)
			}
		}
	})
}

func TestRows_AreFiltered(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s := mustStartBatch(t, address, app.Options{})
		u := s.user()
		s.rows(u, quotekit.Items,
			quotekit.Values{"name": "50% off", "unit_price": quotekit.Cents(1), "category": "sale"},
			quotekit.Values{"name": `back\slash`, "unit_price": quotekit.Cents(1), "category": "Sale"},
			quotekit.Values{"name": "under_score", "unit_price": quotekit.Cents(1)},
			quotekit.Values{"name": "Plain", "unit_price": quotekit.Cents(1), "category": "it's"},
		)
		for query, want := range map[string]string{
			"search=" + url.QueryEscape("50%"):    "50% off",
			"search=" + url.QueryEscape("%"):      "50% off",
			"search=_":                            "under_score",
			"search=" + url.QueryEscape(`\`):      `back\slash`,
			"search=pLAIN":                        "Plain",
			"search=sale":                         `50% off, back\slash`,
			"category=sale":                       "50% off",
			"category=" + url.QueryEscape("it's"): "Plain",
			"category=sale&search=off":            "50% off",
			"category=none":                       "",
			"search=" + strings.Repeat("x", 200):  "",
			"search=" + url.QueryEscape("' OR 1"): "",
		} {
			if got := names(u.list("/v1/items?"+query), "name"); got != want {
				t.Errorf("%s: got %q, want %q", query, got, want)
			}
		}
		client := s.rows(u, quotekit.Clients, quotekit.Values{"name": "Ada", "phone": "+49 123"})[0]
		s.quotes(u, 2, client)
		s.rows(u, quotekit.Quotes, quotekit.Values{"client_name": "Bob", "status": "sent", "total": quotekit.Cents(1), "quote_number": "X-1"})
		for query, want := range map[string]string{
			"quotes?status=sent":                          "X-1",
			"quotes?client_id=" + client:                  "Q-0000, Q-0001",
			"quotes?client_id=" + strings.ToUpper(client): "Q-0000, Q-0001",
			"quotes?search=x-1":                           "X-1",
			"quotes?search=0001":                          "Q-0001",
			"quotes?client_id=" + client + "&status=sent": "",
		} {
			if got := names(u.list("/v1/"+query), "quote_number"); got != want {
				t.Errorf("%s: got %q, want %q", query, got, want)
			}
		}
		if got := names(u.list("/v1/clients?search="+url.QueryEscape("+49")), "name"); got != "Ada" {
			t.Errorf("got %q", got)
		}
		for query, location := range map[string]string{
			"quotes?status=lost": "query.status", "quotes?client_id=7": "query.client_id", "items?status=sent": "query.status",
			"items?search=" + strings.Repeat("x", 201): "query.search", "clients?limit=0": "query.limit", "clients?limit=201": "query.limit",
			"clients?cursor=x": "", "items?search=%00": "query.search", "items?search=%ff": "query.search",
			"items?category=a&category=b": "query.category",
		} {
			r := u.do("GET", "/v1/"+query, "")
			p := r.problem(t)
			if r.status != 400 || (location != "" && (len(p.Errors) != 1 || p.Errors[0].Location != location)) {
				t.Errorf("%s: got %d %+v, want %s", query, r.status, p, location)
			}
		}
	})
}

// TestRows_PagesHaveEachRowOnce reads pages while rows are added.
func TestRows_PagesHaveEachRowOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s := mustStartBatch(t, address, app.Options{})
		u := s.user()
		want := append(s.items(u, make([]quotekit.Cents, 300)...), s.items(u, make([]quotekit.Cents, 205)...)...)
		var got []string
		path := "/v1/items?limit=50"
		for pages := 0; path != "" && pages < 20; pages++ {
			p := u.list(path)
			for _, item := range p.Items {
				got = append(got, item["id"].(string))
			}
			s.items(u, 1) // newer than every page
			path = ""
			if p.NextCursor != nil {
				path = "/v1/items?limit=50&cursor=" + url.QueryEscape(*p.NextCursor)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got %d rows, want the %d that were there", len(got), len(want))
		}
	})
}
