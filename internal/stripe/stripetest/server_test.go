package stripetest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

// fake is a server with a clock that stands still.
type fake struct {
	*stripetest.Server
	t   *testing.T
	now time.Time
}

func mustFake(t *testing.T) *fake {
	f := &fake{t: t, now: time.Unix(1_775_000_000, 0)}
	f.Server = stripetest.New(t, func() time.Time { return f.now })
	return f
}

func event(id, kind string, created int64) []byte {
	return fmt.Appendf(nil, `{"id":%q,"object":"event","type":%q,"created":%d,"data":{"object":{"id":"o_%s","object":"product","created":%d}}}`, id, kind, created, id, created)
}

// ids asks for a list, and returns its ids, with + at the end if there are more.
func (f *fake) ids(path string, query ...string) string {
	f.t.Helper()
	status, body := f.get(path, query...)
	var list struct {
		Data    []struct{ ID string }
		HasMore bool `json:"has_more"`
	}
	if err := json.Unmarshal(body, &list); err != nil || status != http.StatusOK {
		return fmt.Sprint(status)
	}
	var all []string
	for _, o := range list.Data {
		all = append(all, strings.TrimPrefix(o.ID, "evt_"))
	}
	if list.HasMore {
		all = append(all, "+")
	}
	return strings.Join(all, " ")
}

func (f *fake) get(path string, query ...string) (status int, body []byte) {
	f.t.Helper()
	q := url.Values{}
	for _, part := range query {
		name, value, _ := strings.Cut(part, "=")
		q.Add(name, value)
	}
	req, err := http.NewRequest(http.MethodGet, f.URL+path+"?"+q.Encode(), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+stripetest.Key)
	req.Header.Set("Stripe-Version", "2026-03-25.dahlia")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got := resp.Header.Get("Date"); got != f.now.UTC().Format(http.TimeFormat) {
		f.t.Errorf("got the date %s", got)
	}
	if body, err = io.ReadAll(resp.Body); err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, body
}

func TestServer_ListsEventsAsStripeDoes(t *testing.T) {
	f := mustFake(t)
	start := f.now.Unix() - 100
	for i := range 12 { // three in a second
		f.Happen(event(fmt.Sprintf("evt_%02d", i), []string{"product.created", "product.updated"}[i%2], start+int64(i/3)))
	}
	f.HappenLate(f.now.Add(time.Minute), event("evt_late", "price.created", start+1))
	types21 := make([]string, 21)
	for i := range types21 {
		types21[i] = fmt.Sprintf("types[]=type_%d.created", i)
	}
	for _, c := range []struct {
		query []string
		want  string
	}{
		{nil, "11 10 09 08 07 06 05 04 03 02 +"},
		{[]string{"limit=100"}, "11 10 09 08 07 06 05 04 03 02 01 00"},
		{[]string{"limit=3"}, "11 10 09 +"},
		{[]string{"limit=3", "starting_after=evt_09"}, "08 07 06 +"},
		{[]string{"limit=3", "starting_after=evt_02"}, "01 00"},
		{[]string{"limit=3", "ending_before=evt_06"}, "09 08 07 +"},
		{[]string{"limit=3", "ending_before=evt_09"}, "11 10"},
		{[]string{"types[]=product.created", "types[]=price.created", "limit=4"}, "10 08 06 04 +"},
		{[]string{"types[]=product.created", "limit=2", "starting_after=evt_09"}, "08 06 +"},
		{[]string{"type=*.updated", "limit=2"}, "11 09 +"},
		{[]string{fmt.Sprintf("created[gte]=%d", start+3)}, "11 10 09"},
		{[]string{fmt.Sprintf("created[gt]=%d", start+2)}, "11 10 09"},
		{[]string{fmt.Sprintf("created[lte]=%d", start)}, "02 01 00"},
		{[]string{fmt.Sprintf("created[lt]=%d", start+1)}, "02 01 00"},
		{[]string{"starting_after=evt_unknown"}, "400"},
		{[]string{"starting_after=evt_late"}, "400"},
		{[]string{"starting_after=evt_01", "ending_before=evt_02"}, "400"},
		{[]string{"limit=101"}, "400"},
		{[]string{"limit=0"}, "400"},
		{[]string{"created[gte]=yesterday"}, "400"},
		{types21, "400"},
		{types21[:20], ""},
	} {
		if got := f.ids("/v1/events", c.query...); got != c.want {
			t.Errorf("%v: got %s, want %s", c.query, got, c.want)
		}
	}
	f.now = f.now.Add(time.Minute)
	if got := f.ids("/v1/events", "types[]=price.created"); got != "late" {
		t.Errorf("got %s when the late event can be seen", got)
	}
	f.now = time.Unix(start+2, 0).Add(30 * 24 * time.Hour)
	if got := f.ids("/v1/events"); got != "11 10 09 08 07 06" {
		t.Errorf("got %s after 30 days", got)
	}
	f.Forget("evt_11")
	if got := f.ids("/v1/events", "limit=1"); got != "10 +" {
		t.Errorf("got %s after one was forgotten", got)
	}
}

func TestServer_ShowsTheStateThatTheEventsLeave(t *testing.T) {
	f := mustFake(t)
	tell := func(n int, kind, object string) {
		f.Happen(fmt.Appendf(nil, `{"id":"evt_%d","type":%q,"created":%d,"data":{"object":%s}}`, n, kind, f.now.Unix()-100+int64(n), object))
	}
	tell(1, "customer.created", `{"id":"cus_1","object":"customer","created":1}`)
	tell(2, "customer.created", `{"id":"cus_2","object":"customer","created":2}`)
	tell(3, "payment_method.attached", `{"id":"pm_1","object":"payment_method","created":3,"customer":"cus_2"}`)
	tell(4, "payment_method.attached", `{"id":"pm_2","object":"payment_method","created":4,"customer":"cus_2"}`)
	tell(5, "payment_method.detached", `{"id":"pm_1","object":"payment_method","created":3,"customer":null}`)
	tell(6, "customer.subscription.deleted", `{"id":"sub_1","object":"subscription","created":5,"status":"canceled"}`)
	tell(7, "customer.subscription.created", `{"id":"sub_2","object":"subscription","created":6,"status":"active"}`)
	tell(8, "customer.deleted", `{"id":"cus_1","object":"customer","created":1}`)
	tell(9, "product.deleted", `{"id":"prod_1","object":"product","created":1}`)
	for path, want := range map[string]string{
		"/v1/customers":                       "cus_2",
		"/v1/customers/cus_2/payment_methods": "pm_2",
		"/v1/customers/cus_1/payment_methods": "404",
		"/v1/subscriptions":                   "sub_2",
		"/v1/products":                        "",
		"/v1/charges":                         "404",
	} {
		if got := f.ids(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if got := f.ids("/v1/subscriptions", "status=all"); got != "sub_2 sub_1" {
		t.Errorf("got %s", got)
	}
	for path, want := range map[string]string{
		"/v1/customers/cus_1":      `200 {"id":"cus_1","object":"customer","deleted":true}`,
		"/v1/payment_methods/pm_1": `200 {"id":"pm_1","object":"payment_method","created":3,"customer":null}`,
		"/v1/subscriptions/sub_1":  `200 {"id":"sub_1","object":"subscription","created":5,"status":"canceled"}`,
		"/v1/customers/sub_1":      `404`,
		"/v1/products/prod_1":      `404`,
	} {
		if status, body := f.get(path); !strings.HasPrefix(fmt.Sprintf("%d %s", status, body), want) {
			t.Errorf("%s: got %d %s, want %s", path, status, body, want)
		}
	}
}

func TestServer_FailsAsItIsTold(t *testing.T) {
	f := mustFake(t)
	f.Fail(stripetest.Fault{Status: 429, Code: "rate_limit"}, stripetest.Fault{}, stripetest.Fault{Status: 500})
	got := []string{f.ids("/v1/events"), f.ids("/v1/events"), f.ids("/v1/events"), f.ids("/v1/events")}
	if fmt.Sprint(got) != "[429  500 ]" {
		t.Errorf("got %v", got)
	}
	f.Fail(stripetest.Fault{Cut: true})
	req, err := http.NewRequest(http.MethodGet, f.URL+"/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil {
			t.Error("an answer that is cut can be read")
		}
	}
	resp, err := http.Get(f.URL + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("got %d without a key", resp.StatusCode)
	}
	if got := len(f.Requests("/v1/events")); got != 6 {
		t.Errorf("got %d requests in the log, want 6", got)
	}
}
