package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/rest"
)

// badSubmission is a request that must be refused as a whole. $ID stands for a
// quote of the caller's.
type badSubmission struct {
	name, body string
	// wrong are the locations that the answer names, each "location: part of
	// the message"; these and no others.
	wrong []string
}

func badSubmissions() []badSubmission {
	const id = "$ID"
	list := func(n int) string { return strings.TrimSuffix(strings.Repeat(`"`+id+`",`, n), ",") }
	adjust := func(adjustment string) string {
		return `{"operation":"update_item_prices","items":["$ID"],"options":{"price_adjustment":` + adjustment + `}}`
	}
	const value = "body.options.price_adjustment.value: "
	all := []badSubmission{
		{"not JSON", `hello`, []string{"body: not JSON"}},
		{"nothing but spaces", "  \n", []string{"body: not JSON"}},
		{"truncated", `{"operation":"delete_quotes","items":["$ID"`, []string{"body: not JSON"}},
		{"two documents", `{"operation":"delete_quotes","items":["$ID"]} {}`, []string{"body: not JSON"}},
		{"a comment", `{"operation":"delete_quotes","items":["$ID"]/**/}`, []string{"body: not JSON"}},
		{"a byte order mark", "\ufeff" + `{"operation":"delete_quotes","items":["$ID"]}`, []string{"body: not JSON"}},
		{"a trailing comma", `{"operation":"delete_quotes","items":["$ID",]}`, []string{"body: not JSON"}},
		{"a name twice", `{"operation":"delete_quotes","operation":"delete_quotes","items":["$ID"]}`, []string{"body: duplicate"}},
		{"a name twice, written otherwise", `{"operation":"delete_quotes","items":["$ID"],"dry_run":true,"dry\u005frun":false}`, []string{"body: duplicate"}},
		{"an option twice", `{"operation":"update_quote_status","items":["$ID"],"options":{"status":"sent","status":"draft"}}`, []string{"body: duplicate"}},
		{"invalid UTF-8", `{"operation":"delete_quotes","items":["` + "\xff" + `"]}`, []string{"body: UTF-8"}},
		{"UTF-16", "\xff\xfe{\x00}\x00", []string{"body: "}},
		{"null", `null`, []string{"body: want an object; got null", "body.items: missing", "body.operation: missing"}},
		{"an array", `[]`, []string{"body: want an object; got an array"}},
		{"a string", `"delete_quotes"`, []string{"body: want an object; got a string"}},
		{"a number", `7`, []string{"body: want an object; got a number"}},
		{"an empty object", `{}`, []string{"body.items: missing", "body.operation: missing; known are delete_quotes, update_quote_status"}},
		{"an unknown operation", `{"operation":"drop_quotes","items":["$ID"]}`, []string{`body.operation: "drop_quotes" is unknown; known are delete_quotes, update_quote_status, export_quotes`}},
		{"undo by its name", `{"operation":"undo","items":["$ID"],"options":{"operation":"delete_quotes"}}`, []string{"body.operation: "}},
		{"an operation in upper case", `{"operation":"DELETE_QUOTES","items":["$ID"]}`, []string{"body.operation: "}},
		{"a name in upper case", `{"Operation":"delete_quotes","items":["$ID"]}`, []string{"body.Operation: unknown", "body.operation: missing"}},
		{"an unknown field", `{"operation":"delete_quotes","items":["$ID"],"user_id":"x"}`, []string{"body.user_id: unknown; known are"}},
		{"an unknown option", `{"operation":"delete_quotes","items":["$ID"],"options":{"force":true}}`, []string{"body.options.force: delete_quotes has no options"}},
		{"one option too many", `{"operation":"export_quotes","items":["$ID"],"options":{"format":"csv","bom":true}}`, []string{"body.options.bom: known are format"}},
		{"no option", `{"operation":"update_quote_status","items":["$ID"]}`, []string{`body.options.status: missing; like "sent"`}},
		{"an option that is null", `{"operation":"update_quote_status","items":["$ID"],"options":{"status":null}}`, []string{"body.options.status: is required"}},
		{"an option that is no string", `{"operation":"update_quote_status","items":["$ID"],"options":{"status":["sent"]}}`, []string{"body.options.status: an array"}},
		{"an unknown status", `{"operation":"update_quote_status","items":["$ID"],"options":{"status":"Sent"}}`, []string{"body.options.status: draft, sent, accepted"}},
		{"an unknown format", `{"operation":"export_quotes","items":["$ID"],"options":{"format":"xlsx"}}`, []string{"body.options.format: json, csv"}},
		{"options that are an array", `{"operation":"delete_quotes","items":["$ID"],"options":[]}`, []string{"body.options: want an object; got an array"}},
		{"options that are null", `{"operation":"delete_quotes","items":["$ID"],"options":null}`, []string{"body.options: got null"}},
		{"dry_run as a string", `{"operation":"delete_quotes","items":["$ID"],"dry_run":"true"}`, []string{"body.dry_run: a string"}},
		{"dry_run as a number", `{"operation":"delete_quotes","items":["$ID"],"dry_run":1}`, []string{"body.dry_run: a number"}},
		{"dry_run as null", `{"operation":"delete_quotes","items":["$ID"],"dry_run":null}`, []string{"body.dry_run: null"}},
		{"an operation that is a number", `{"operation":7,"items":["$ID"]}`, []string{"body.operation: want a string; got a number"}},
		{"items that are an object", `{"operation":"delete_quotes","items":{"0":"$ID"}}`, []string{"body.items: want an array; got an object"}},
		{"items that are null", `{"operation":"delete_quotes","items":null}`, []string{"body.items: null"}},
		{"no items", `{"operation":"delete_quotes","items":[]}`, []string{"body.items: empty"}},
		{"1,001 items", `{"operation":"delete_quotes","items":[` + list(1001) + `]}`, []string{"body.items: 1001 items; delete_quotes takes at most 1000"}},
		{"501 items to export", `{"operation":"export_quotes","items":[` + list(501) + `]}`, []string{"body.items: at most 500"}},
		{
			"ids that are none", `{"operation":"delete_quotes","items":["$ID","x",7,"$ID",null,{"id":"$ID"},["$ID"],true,"{$ID}","urn:uuid:$ID","","$ID "]}`,
			[]string{
				`body.items[1]: "x" is no UUID`, "body.items[2]: got a number", "body.items[4]: got null", "body.items[5]: got an object",
				"body.items[6]: got an array", "body.items[7]: got a boolean", "body.items[8]: no UUID", "body.items[9]: no UUID", "body.items[10]: no UUID",
				"body.items[11]: no UUID",
			},
		},
		{"a UUID without hyphens", `{"operation":"delete_quotes","items":["0123456789abcdef0123456789abcdef"]}`, []string{"body.items[0]: no UUID"}},
		{"U+0000 in an id", `{"operation":"delete_quotes","items":["\u0000"]}`, []string{"body.items[0]: no UUID"}},
		{"half a surrogate pair in an id", `{"operation":"delete_quotes","items":["\ud800"]}`, []string{"body.items[0]: no UUID"}},
		{"half a surrogate pair in an option", `{"operation":"update_quote_status","items":["$ID"],"options":{"status":"\ud800"}}`, []string{"body.options.status: Unicode"}},
		{"half a surrogate pair as a name", `{"operation":"delete_quotes","items":["$ID"],"\ud800":1}`, []string{"body.\ufffd: unknown"}},
		{"objects where there must be ids", `{"operation":"delete_clients","items":[{"name":"x"}]}`, []string{"body.items[0]: an object"}},
		{"ids where there must be objects", `{"operation":"bulk_create_items","items":["$ID",{"name":"x","unit_price":"1"},7]}`, []string{"body.items[0]: a string", "body.items[2]: a number"}},
		{
			"everything at once", `{"operation":"update_quote_status","items":["x"],"options":{"status":"gone","y":1},"dry_run":0,"z":1}`,
			[]string{"body.dry_run: ", "body.items[0]: ", "body.options.status: ", "body.options.y: ", "body.z: "},
		},
		{"a price as a number", adjust(`{"type":"fixed","value":5}`), []string{value + "must be a string"}},
		{"a price as NaN", adjust(`{"type":"fixed","value":NaN}`), []string{"body: not JSON"}},
		{"a price as 1e309", adjust(`{"type":"fixed","value":1e309}`), []string{value + "must be a string"}},
		{`a price as "NaN"`, adjust(`{"type":"fixed","value":"NaN"}`), []string{value + "plain decimal"}},
		{`a price as "1e309"`, adjust(`{"type":"percentage","value":"1e309"}`), []string{value + "plain decimal"}},
		{`a price as "Infinity"`, adjust(`{"type":"percentage","value":"Infinity"}`), []string{value + "plain decimal"}},
		{"a price with a comma", adjust(`{"type":"fixed","value":"1,50"}`), []string{value + "plain decimal"}},
		{"a price of 13 digits", adjust(`{"type":"fixed","value":"1000000000000"}`), []string{value + "plain decimal"}},
		{"less than nothing", adjust(`{"type":"percentage","value":"-100.01"}`), []string{value + "-100"}},
		{"an unknown type", adjust(`{"type":"factor","value":"2"}`), []string{"body.options.price_adjustment.type: percentage, fixed"}},
		{"half an adjustment", adjust(`{"type":"fixed"}`), []string{value + "is required"}},
		{"an adjustment with more", adjust(`{"type":"fixed","value":"1","currency":"eur"}`), []string{"body.options.price_adjustment.currency: not a known"}},
		{"an adjustment that is a string", adjust(`"5"`), []string{"body.options.price_adjustment: must be an object"}},
		{"nesting", strings.Repeat("[", 100_000), []string{"body: not JSON"}},
		{"nesting in an object", `{"operation":"delete_quotes","items":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}`, []string{"body.items[0]: an array"}},
		{"nesting that ends", `{"operation":"delete_quotes","items":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, []string{"body: not JSON"}},
	}
	return all
}

// checkLocations compares what an answer names with "location: part of message".
func checkLocations(t *testing.T, name string, got []rest.FieldError, want []string) {
	t.Helper()
	left := slices.Clone(got)
	for _, w := range want {
		location, message, _ := strings.Cut(w, ": ")
		i := slices.IndexFunc(left, func(e rest.FieldError) bool { return e.Location == location && strings.Contains(e.Message, message) })
		if i < 0 {
			t.Errorf("%s: nothing says %q, but %q", name, w, left)
			continue
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) > 0 {
		t.Errorf("%s: also got %q", name, left)
	}
}

func TestBatchBadInput_WritesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		id := s.quotes(u, 1, nil)[0]
		before := s.application()
		for i, tt := range badSubmissions() {
			r := u.do("POST", "/v1/batch-jobs", strings.ReplaceAll(tt.body, "$ID", id), "Idempotency-Key", fmt.Sprint("k", i))
			p := r.problem(t)
			if r.status != http.StatusBadRequest || p.Code != "invalid" {
				t.Errorf("%s: got %d %.200s", tt.name, r.status, r.body)
			}
			checkLocations(t, tt.name, p.Errors, tt.wrong)
			for _, e := range p.Errors {
				if len(e.Message) > 500 || strings.Contains(e.Message, "Go ") || strings.Contains(e.Message, "json:") {
					t.Errorf("%s: %q is no message for people", tt.name, e.Message)
				}
			}
		}
		if rows := s.jobRows(); len(rows) > 0 {
			t.Errorf("got %d rows of jobs:\n%.1000s", len(rows), strings.Join(rows, "\n"))
		}
		if d := diff(s.application(), before); d != "" {
			t.Errorf("rows have changed:\n%s", d)
		}
	})
}

func TestBatchBadInput_Requests(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		id := s.quotes(u, 1, nil)[0]
		body := submission("delete_quotes", []string{id}, nil)
		const jobs = "/v1/batch-jobs"
		job := jobs + "/" + quotekit.NewID()
		tests := []struct {
			name, method, path, body string
			headers                  []string
			status                   int
			code, detail             string
		}{
			{"too long", "POST", jobs, body + strings.Repeat(" ", 10<<20), nil, 413, "body_too_large", "8 MiB"},
			{"a form", "POST", jobs, body, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "unsupported_media_type", "application/json"},
			{"a problem", "POST", jobs, body, []string{"Content-Type", "application/problem+json"}, 415, "unsupported_media_type", ""},
			{"no media type at all", "POST", jobs, body, []string{"Content-Type", ";;"}, 415, "unsupported_media_type", ""},
			{"PUT", "PUT", jobs, body, nil, 405, "method_not_allowed", "POST"},
			{"DELETE", "DELETE", jobs, "", nil, 405, "method_not_allowed", "GET"},
			{"POST to a job", "POST", job, body, nil, 405, "method_not_allowed", "GET"},
			{"GET of an undo", "GET", job + "/undo", "", nil, 405, "method_not_allowed", "POST"},
			{"a job that is none", "GET", job, "", nil, 404, "not_found", ""},
			{"a job that is no id", "GET", jobs + "/7", "", nil, 404, "not_found", "no batch job 7"},
			{"a job in braces", "GET", jobs + "/%7B" + quotekit.NewID() + "%7D", "", nil, 404, "not_found", ""},
			{"a job with U+0000", "GET", jobs + "/%00", "", nil, 404, "not_found", ""},
			{"an undo of none", "POST", job + "/undo", "", nil, 404, "not_found", ""},
			{"a strange parameter", "GET", jobs + "?state=failed", "", nil, 400, "invalid", ""},
			{"an unknown status", "GET", jobs + "?status=done", "", nil, 400, "invalid", ""},
			{"a limit of 0", "GET", jobs + "?limit=0", "", nil, 400, "invalid", ""},
			{"a limit of 201", "GET", jobs + "?limit=201", "", nil, 400, "invalid", ""},
			{"a cursor that is none", "GET", jobs + "?cursor=abc", "", nil, 400, "invalid", ""},
			{"a forged cursor", "GET", jobs + "?cursor=eyJhdCI6IjIwMjYtMDEtMDFUMDA6MDA6MDBaIiwiaWQiOiJ4In0", "", nil, 400, "invalid", ""},
			{"an operation with U+0000", "GET", jobs + "?operation=%00", "", nil, 400, "invalid", ""},
			{"an operation that is no text", "GET", jobs + "?operation=%ff", "", nil, 400, "invalid", ""},
			{"an empty key", "POST", jobs, body, []string{"Idempotency-Key", ""}, 400, "invalid", ""},
			{"a long key", "POST", jobs, body, []string{"Idempotency-Key", strings.Repeat("k", 256)}, 400, "invalid", ""},
			{"a key with an umlaut", "POST", jobs, body, []string{"Idempotency-Key", "ü"}, 400, "invalid", ""},
			{"a key with a tab", "POST", jobs, body, []string{"Idempotency-Key", "a\tb"}, 400, "invalid", ""},
			{"no body", "POST", jobs, "", nil, 400, "invalid", ""},
		}
		for _, tt := range tests {
			r := u.do(tt.method, tt.path, tt.body, tt.headers...)
			p := r.problem(t)
			if r.status != tt.status || p.Code != tt.code || !strings.Contains(p.Detail, tt.detail) {
				t.Errorf("%s: got %d %.300s, want %d %s", tt.name, r.status, r.body, tt.status, tt.code)
			}
			if tt.status == 405 && !strings.Contains(r.header.Get("Allow"), tt.detail) {
				t.Errorf("%s: Allow is %q", tt.name, r.header.Get("Allow"))
			}
			if tt.status == 400 && len(p.Errors)+len(p.Detail) == 0 {
				t.Errorf("%s: nothing says what is wrong: %s", tt.name, r.body)
			}
		}
		two, err := u.request("POST", jobs, body)
		if err != nil {
			t.Fatal(err)
		}
		two.Header["Idempotency-Key"] = []string{"a", "b"}
		if resp, b := s.do(two, []byte(body)); resp.StatusCode != 400 {
			t.Errorf("two keys: got %d %s", resp.StatusCode, b)
		}
		if rows := s.jobRows(); len(rows) > 0 {
			t.Errorf("got rows of jobs:\n%s", strings.Join(rows, "\n"))
		}
	})
}

// TestBatchBadInput_OfAnUndo: nobody may take back a job for real who asked for
// less, or for something else.
func TestBatchBadInput_OfAnUndo(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		j := u.run("delete_quotes", append(s.quotes(u, 1, nil), quotekit.NewID()), nil)
		before := s.jobRows()
		for _, act := range []string{"undo", "retry-failed"} {
			bodies := []string{
				`null`, `[]`, `"dry_run"`, `{"dry_run":null}`, `{"dry_run":"true"}`, `{"dry_run":1}`, `{"Dry_Run":true}`, `{"dry":true}`,
				`{"dry_run":true,"dry_run":false}`, `{"dry_run":true} {}`, `{"dry_run":true}]`, `{"dry_run":true`, `{"ids":[]}`,
			}
			if act == "retry-failed" { // which repeats the job, dry run or not
				bodies = append(bodies, `{"dry_run":true}`, `{"dry_run":false}`)
			}
			for _, body := range bodies {
				r := u.do("POST", "/v1/batch-jobs/"+j.ID+"/"+act, body)
				if p := r.problem(t); r.status != 400 || p.Code != "invalid" || len(p.Errors) == 0 {
					t.Errorf("%s %s: got %d %s", act, body, r.status, r.body)
				}
			}
			if r := u.do("POST", "/v1/batch-jobs/"+j.ID+"/"+act, `{}`, "Content-Type", "text/plain"); r.status != 415 {
				t.Errorf("%s as text: got %d", act, r.status)
			}
		}
		if d := diff(s.jobRows(), before); d != "" {
			t.Errorf("got other rows of jobs:\n%s", d)
		}
	})
}

func TestBatchBadInput_Tokens(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		id := s.quotes(u, 1, nil)[0]
		sign := func(secret string, method jwt.SigningMethod, claims jwt.MapClaims) string {
			var key any = []byte(secret)
			if method == jwt.SigningMethodNone {
				key = jwt.UnsafeAllowNoneSignatureType
			}
			token, err := jwt.NewWithClaims(method, claims).SignedString(key)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		claims := func(change map[string]any) jwt.MapClaims {
			c := jwt.MapClaims{"sub": u.id, "role": "authenticated", "aud": "authenticated", "exp": time.Now().Add(time.Hour).Unix()}
			for k, v := range change {
				if c[k] = v; v == nil {
					delete(c, k)
				}
			}
			return c
		}
		hs := jwt.SigningMethodHS256
		good := sign(jwtSecret, hs, claims(nil))
		tests := []struct {
			name, token string
			status      int
		}{
			{"none at all", "", 401},
			{"not a JWT", "abc", 401},
			{"an operator's", token, 401},
			{"expired", sign(jwtSecret, hs, claims(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})), 401},
			{"without an end", sign(jwtSecret, hs, claims(map[string]any{"exp": nil})), 401},
			{"of another secret", sign("another", hs, claims(nil)), 401},
			{"unsigned", sign("", jwt.SigningMethodNone, claims(nil)), 401},
			{"of another algorithm", sign(jwtSecret, jwt.SigningMethodHS512, claims(nil)), 401},
			{"with a changed body", good[:strings.Index(good, ".")+5] + "x" + good[strings.Index(good, ".")+6:], 401},
			{"of nobody", sign(jwtSecret, hs, claims(map[string]any{"sub": nil})), 401},
			{"of no UUID", sign(jwtSecret, hs, claims(map[string]any{"sub": "admin"})), 401},
			{"of the service", sign(jwtSecret, hs, claims(map[string]any{"role": "service_role"})), 403},
			{"of everybody", sign(jwtSecret, hs, claims(map[string]any{"role": "anon", "sub": nil})), 403},
		}
		for _, tt := range tests {
			as := &user{t: t, url: u.url, id: u.id, token: tt.token}
			for _, request := range [][3]string{
				{"POST", "/v1/batch-jobs", submission("delete_quotes", []string{id}, nil)},
				{"GET", "/v1/batch-jobs", ""},
				{"GET", "/v1/operations", ""},
				{"POST", "/v1/batch-jobs/" + id + "/undo", ""},
			} {
				r := as.do(request[0], request[1], request[2])
				challenged := strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer")
				if r.problem(t); r.status != tt.status || challenged != (tt.status == 401) {
					t.Errorf("%s %s with a token %s: got %d %q, want %d", request[0], request[1], tt.name, r.status,
						r.header.Get("WWW-Authenticate"), tt.status)
				}
			}
		}
		if n := s.value("SELECT COUNT(*) AS n FROM quotes"); n != "1" || len(s.jobRows()) > 0 {
			t.Errorf("got %s quotes and %d rows of jobs", n, len(s.jobRows()))
		}
	})
}

// TestBatchBadInput_OfOneObject: what is wrong with an object to create is that
// item's failure; the objects beside it are created.
func TestBatchBadInput_OfOneObject(t *testing.T) {
	// Each: operation, object, what the message names.
	bad := [][3]string{
		{"bulk_create_items", `{"unit_price":"1"}`, "name: "},
		{"bulk_create_items", `{"name":" ","unit_price":"1"}`, "name: "},
		{"bulk_create_items", `{"name":null,"unit_price":"1"}`, "name: "},
		{"bulk_create_items", `{"name":7,"unit_price":"1"}`, "name: "},
		{"bulk_create_items", `{"name":"x"}`, "unit_price: "},
		{"bulk_create_items", `{"name":"x","unit_price":"-0.01"}`, "unit_price: "},
		{"bulk_create_items", `{"name":"x","unit_price":"123456789012.00"}`, "unit_price: "},
		{"bulk_create_items", `{"name":"x","unit_price":"100000000.00"}`, "unit_price: "},
		{"bulk_create_items", `{"name":"x","unit_price":"0.001"}`, "unit_price: "},
		{"bulk_create_items", `{"name":"x","unit_price":12.5}`, "unit_price: "},
		{"bulk_create_items", `{"name":"x","unit_price":1e309}`, "unit_price: "},
		{"bulk_create_items", `{"name":"x","unit_price":"NaN"}`, "unit_price: "},
		{"bulk_create_items", `{"name":"x\u0000y","unit_price":"1"}`, "name: "},
		{"bulk_create_items", `{"name":"x\u001by","unit_price":"1"}`, "name: "},
		{"bulk_create_items", `{"name":"x\u007fy","unit_price":"1"}`, "name: "},
		{"bulk_create_items", `{"name":"x\ud800","unit_price":"1"}`, "name"},
		{"bulk_create_items", `{"name":"\udc00\ud800","unit_price":"1"}`, "name"},
		{"bulk_create_items", `{"name":"` + strings.Repeat("x", 10_000) + `","unit_price":"1"}`, "name: "},
		{"bulk_create_items", `{"name":"x","unit_price":"1","colour":"red"}`, "colour: "},
		{"bulk_create_items", `{"name":"x","unit_price":"1","user_id":"` + quotekit.NewID() + `"}`, "user_id: "},
		{"bulk_create_items", `{"name":"x","unit_price":"1","id":"` + quotekit.NewID() + `"}`, "id: "},
		{"bulk_create_items", `{"name":"x","unit_price":"1","tags":["\u0000"]}`, "tags[0]: "},
		{"bulk_create_items", `{"name":"x","unit_price":"1","\u0000":1}`, `"\x00": `},
		{"bulk_create_items", `{"name":"x","unit_price":"1","a":` + strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000) + `}`, "a: "},
		{"bulk_create_items", `{}`, "unit_price: "},
		{"bulk_create_clients", `{"name":"x","email":"not an address"}`, "email: "},
		{"bulk_create_clients", `{"name":"x","email":"a@b\r\nBcc: c@d"}`, "email: "},
		{"bulk_create_clients", `{"email":"a@example.com"}`, "name: "},
		{"bulk_create_quotes", `{"total":"1"}`, "client_name: "},
		{"bulk_create_quotes", `{"client_name":"x"}`, "total: "},
		{"bulk_create_quotes", `{"client_name":"x","total":"-1"}`, "total: "},
		{"bulk_create_quotes", `{"client_name":"x","total":"1","status":"paid"}`, "status: "},
		{"bulk_create_quotes", `{"client_name":"x","total":"1","client_id":"7"}`, "client_id: "},
		{"bulk_create_quotes", `{"client_name":"x","total":"1","valid_until":"31.12.2026"}`, "valid_until: "},
		{"bulk_create_quotes", `{"client_name":"x","line_items":[{"name":"a","quantity":-1,"unit_price":"1"}]}`, "line_items[0].quantity: "},
		{"bulk_create_quotes", `{"client_name":"x","line_items":[{"name":"a","quantity":100000,"unit_price":"99999999.99"}]}`, "total: "},
		{"bulk_create_quotes", `{"client_name":"x","total":"1","notes":"\ud83d"}`, "notes"},
	}
	goods := map[string]string{
		"bulk_create_items": `{"name":"good 😀","unit_price":"1"}`, "bulk_create_clients": `{"name":"good"}`,
		"bulk_create_quotes": `{"client_name":"good","total":"1"}`,
	}
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		for operation, good := range goods {
			objects := []json.RawMessage{json.RawMessage(good)}
			names := []string{""}
			want := []string{"succeeded"}
			for _, b := range bad {
				if b[0] == operation {
					objects = append(objects, json.RawMessage(b[1]), json.RawMessage(good))
					names = append(names, b[2], "")
					want = append(want, "failed: invalid", "succeeded")
				}
			}
			// Not by way of json.Marshal, which would mend half surrogate pairs.
			var list []string
			for _, o := range objects {
				list = append(list, string(o))
			}
			body := `{"operation":"` + operation + `","items":[` + strings.Join(list, ",") + `]}`
			r, err := u.try("POST", "/v1/batch-jobs", body, "Prefer", "wait=20") // the validator cannot read 1e309
			if err != nil {
				t.Fatal(err)
			}
			j := u.end(u.job(r))
			u.wantOutcomes(j, want...)
			for i, r := range u.results(j.ID) {
				if names[i] != "" && (r.ErrorMessage == nil || !strings.Contains(*r.ErrorMessage, names[i]) || r.ItemID != nil || len(*r.ErrorMessage) > 1000) {
					t.Errorf("%s: got %+v, want a message about %s", objects[i][:min(100, len(objects[i]))], r, names[i])
				}
			}
		}
		for _, table := range []string{"items", "clients"} {
			if n := s.value("SELECT COUNT(*) AS n FROM " + table + " WHERE name NOT LIKE 'good%'"); n != "0" {
				t.Errorf("%s has %s rows of bad objects", table, n)
			}
		}
	})
}
