package app_test

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/internal/rest"
)

// page reads one page of results.
func (u *user) page(id, query string) rest.Page[batch.JobResult] {
	u.t.Helper()
	r := u.do("GET", jobsURL+"/"+id+"/results"+query, "")
	var p rest.Page[batch.JobResult]
	if err := json.Unmarshal(r.body, &p); err != nil || r.status != 200 {
		u.t.Fatalf("%s: status %d, %v: %.300s", query, r.status, err, r.body)
	}
	link := r.header.Get("Link")
	if (p.NextCursor != nil) != strings.HasSuffix(link, `rel="next"`) {
		u.t.Errorf("%s: next_cursor %v, but Link %q", query, p.NextCursor, link)
	}
	return p
}

func positions(results []batch.JobResult) []int {
	list := make([]int, len(results))
	for i, r := range results {
		list[i] = r.Position
	}
	return list
}

func TestBatchResults_PagesAndFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		ids := s.quotes(u, 100, nil)
		slices.Reverse(ids)
		var items []string
		for i, id := range ids { // every third one is missing, every fifth stands twice
			items = append(items, id)
			if i%3 == 0 {
				items = append(items, quotekit.NewID())
			}
			if i%5 == 0 {
				items = append(items, id)
			}
		}
		j := u.run("update_quote_status", items, status("sent"))
		all := u.page(j.ID, "").Items
		if got := idsOf(all); !slices.Equal(got, items) {
			t.Error("the results are not in the order of the request")
		}
		for _, outcome := range []string{"", "succeeded", "failed", "skipped", "unprocessed"} {
			var want []int
			for _, r := range all {
				if outcome == "" || string(r.Outcome) == outcome {
					want = append(want, r.Position)
				}
			}
			for _, limit := range []int{1, 7, len(want), 1000} {
				if limit == 0 || limit == 1 && len(want) > 50 {
					continue
				}
				var got []int
				cursor, pages := "", 0
				for {
					query := fmt.Sprintf("?limit=%d", limit)
					if outcome != "" {
						query += "&outcome=" + outcome
					}
					if cursor != "" {
						query += "&cursor=" + cursor
					}
					p := u.page(j.ID, query)
					got = append(got, positions(p.Items)...)
					if len(p.Items) > limit {
						t.Fatalf("%d items on a page of %d", len(p.Items), limit)
					}
					if pages++; p.NextCursor == nil {
						break
					}
					cursor = *p.NextCursor
				}
				if !slices.Equal(got, want) || pages != max(1, (len(want)+limit-1)/limit) {
					t.Errorf("%s by %d: got %d pages with %v, want %v", outcome, limit, pages, got, want)
				}
			}
		}
		for _, query := range []string{
			"?outcome=done", "?limit=0", "?limit=1001", "?limit=x", "?cursor=x", "?cursor=-1", "?cursor=9999999999", "?cursor=99999999999999999999", "?page=2", "?outcome=failed&outcome=failed",
		} {
			r := u.do("GET", jobsURL+"/"+j.ID+"/results"+query, "")
			if p := r.problem(t); r.status != 400 || len(p.Errors) == 0 {
				t.Errorf("%s: got %d %s", query, r.status, r.body)
			}
		}
	})
}

func TestBatchResults_WhileTheJobRuns(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		b := newBarrier()
		s := mustStartGated(t, url, b)
		u := s.user()
		ids := s.quotes(u, 35, nil)
		s.decline(ids[10])
		items := append(ids, quotekit.NewID())
		items[3] = quotekit.NewID()
		j := u.submit("update_quote_status", items, status("sent"))
		<-b.reached
		now := u.get(j.ID)
		u.checkSums(now)
		if now.Status != quotekit.BatchProcessing || now.ProcessedItems != 10 || now.UnprocessedItems != 26 || now.ProgressPercent != 27 ||
			now.ErrorSummary["not_found"] != 1 || now.StartedAt == nil || now.CompletedAt != nil || now.ExecutionTimeMS != nil {
			t.Errorf("got %+v", now)
		}
		all := u.page(j.ID, "").Items
		want := append(slices.Repeat([]string{"succeeded"}, 10), slices.Repeat([]string{"unprocessed"}, 26)...)
		want[3] = "failed: not_found"
		if got := u.outcomes(j.ID); !slices.Equal(got, want) || !slices.Equal(idsOf(all), items) {
			t.Errorf("got %q", got)
		}
		if p := u.page(j.ID, "?outcome=unprocessed&limit=20"); len(p.Items) != 20 || p.Items[0].Position != 10 || p.NextCursor == nil ||
			len(u.page(j.ID, "?outcome=unprocessed&limit=20&cursor="+*p.NextCursor).Items) != 6 {
			t.Errorf("pages of what is not reached: %+v", p)
		}
		if p := u.page(j.ID, "?outcome=failed"); len(p.Items) != 1 || p.Items[0].Position != 3 {
			t.Errorf("failed: %+v", p)
		}
		list := u.do("GET", jobsURL+"?status=processing&operation=update_quote_status", "")
		if !bytes.Contains(list.body, []byte(j.ID)) || !bytes.Contains(list.body, []byte(`"error_summary":{"not_found":1}`)) {
			t.Errorf("the list says %s", list.body)
		}
		b.open()
		u.checkSums(u.end(j))
	})
}

func TestBatchResults_MediaTypes(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		items := s.items(u, 1_00, 2_00, 0)
		j := u.run("update_item_prices", append(items, quotekit.NewID(), items[0]), adjustment("fixed", "-1.00"))
		get := func(accept, query string) reply {
			if accept == "" { // Go sends none then
				return u.do("GET", jobsURL+"/"+j.ID+"/results"+query, "")
			}
			r, err := u.try("GET", jobsURL+"/"+j.ID+"/results"+query, "", "Accept", accept) // the validator cannot read NDJSON
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		for accept, want := range map[string]string{
			"": "application/json", "*/*": "application/json", "application/json": "application/json", "text/csv": "text/csv; charset=utf-8",
			"application/x-ndjson": "application/x-ndjson", "text/*": "text/csv; charset=utf-8", "application/*": "application/json",
			"text/html, */*;q=0.1": "application/json", "text/csv;q=0.5, application/x-ndjson;q=0.9": "application/x-ndjson",
			"application/json;q=0.1, text/csv": "text/csv; charset=utf-8", "application/json;q=0, */*": "text/csv; charset=utf-8",
			"TEXT/CSV": "text/csv; charset=utf-8", "text/csv; q=1.0": "text/csv; charset=utf-8",
			"text/html": "", "application/json;q=0": "", "text/csv;q=0, image/png": "", "*/*;q=0": "",
		} {
			r := get(accept, "")
			if want == "" {
				if p := r.problem(t); r.status != 406 || p.Code != "not_acceptable" || !strings.Contains(p.Detail, "text/csv") {
					t.Errorf("%q: got %d %s, want 406", accept, r.status, r.body)
				}
			} else if got := r.header.Get("Content-Type"); r.status != 200 || got != want || !strings.Contains(strings.Join(r.header.Values("Vary"), ","), "Accept") {
				t.Errorf("%q: got %d %q, want %q", accept, r.status, got, want)
			}
		}

		all := u.page(j.ID, "").Items
		lines, err := csv.NewReader(bytes.NewReader(get("text/csv", "").body)).ReadAll()
		if err != nil || len(lines) != 6 || strings.Join(lines[0], ",") != "position,item_id,outcome,error_code,error_message,before,after" {
			t.Fatalf("%v: %q", err, lines)
		}
		scanner := bufio.NewScanner(bytes.NewReader(get("application/x-ndjson", "").body))
		for i, r := range all {
			if !scanner.Scan() {
				t.Fatal("too few lines")
			}
			if b, _ := json.Marshal(r); !bytes.Equal(b, scanner.Bytes()) {
				t.Errorf("line %d is %s, want %s", i, scanner.Bytes(), b)
			}
			text := func(s *string) string {
				if s == nil {
					return ""
				}
				return *s
			}
			cells := []string{fmt.Sprint(r.Position), text(r.ItemID), string(r.Outcome), "", text(r.ErrorMessage), plainJSON(r.Before), plainJSON(r.After)}
			if r.ErrorCode != nil {
				cells[3] = string(*r.ErrorCode)
			}
			if !slices.Equal(lines[i+1], cells) {
				t.Errorf("row %d is %q, want %q", i, lines[i+1], cells)
			}
		}
		if scanner.Scan() {
			t.Errorf("one line too many: %s", scanner.Bytes())
		}
		if r := get("text/csv", "?limit=2"); !strings.Contains(r.header.Get("Link"), "cursor=2") || bytes.Count(r.body, []byte("\n")) != 3 {
			t.Errorf("a page of CSV: %q %s", r.header.Get("Link"), r.body)
		}
	})
}

func plainJSON(v json.RawMessage) string {
	if string(v) == "null" {
		return ""
	}
	return string(v)
}

// TestBatchResults_ShapeOfJSON: amounts are strings, times RFC 3339 in UTC, and
// what there is not is null.
func TestBatchResults_ShapeOfJSON(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		quote := s.quotes(u, 1, nil)[0]
		j := u.run("delete_quotes", []string{quote, quotekit.NewID()}, nil)
		body := u.do("GET", jobsURL+"/"+j.ID+"/results", "").body
		var page struct {
			Items      []map[string]json.RawMessage
			NextCursor json.RawMessage `json:"next_cursor"`
		}
		if err := json.Unmarshal(body, &page); err != nil || string(page.NextCursor) != "null" {
			t.Fatalf("%v: %s", err, body)
		}
		var row map[string]json.RawMessage
		if err := json.Unmarshal(page.Items[0]["before"], &row); err != nil {
			t.Fatal(err)
		}
		moment := regexp.MustCompile(`^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z"$`)
		for field, want := range map[string]string{
			"id": `"` + quote + `"`, "total": `"10.00"`, "tax_rate": `"19.00"`, "subtotal": "null", "client_id": "null", "status": `"draft"`,
			"valid_until": `"2027-01-15T08:00:00.123456Z"`,
		} {
			if got := string(row[field]); got != want {
				t.Errorf("%s is %s, want %s", field, got, want)
			}
		}
		for _, field := range []string{"created_at", "updated_at"} {
			if !moment.Match(row[field]) {
				t.Errorf("%s is %s", field, row[field])
			}
		}
		if _, ok := row["user_id"]; ok || len(row) != 15 {
			t.Errorf("got the columns %v", row)
		}
		for _, field := range []string{"error_code", "error_message", "after"} {
			if got := string(page.Items[0][field]); got != "null" {
				t.Errorf("%s is %q, want null", field, got)
			}
		}
		if got := string(page.Items[1]["before"]); got != "null" {
			t.Errorf("before of a missing row is %q, want null", got)
		}
		var job map[string]json.RawMessage
		if err := json.Unmarshal(u.do("GET", jobsURL+"/"+strings.ToUpper(j.ID), "").body, &job); err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{"created_at", "started_at", "completed_at"} {
			if !moment.Match(job[field]) {
				t.Errorf("%s is %s", field, job[field])
			}
		}
	})
}

func TestBatchList_Pages(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{Role: app.RoleWeb})
		u := s.user()
		ids := s.quotes(u, 1, nil)
		var want []string
		for i := range 7 {
			operation := []string{"delete_quotes", "export_quotes"}[i%2]
			want = append([]string{u.submit(operation, ids, nil).ID}, want...)
		}
		s.user().submit("delete_quotes", ids, nil)
		list := func(query string) (ids []string, next string) {
			var p rest.Page[batch.Job]
			r := u.do("GET", jobsURL+query, "")
			if err := json.Unmarshal(r.body, &p); err != nil || r.status != 200 {
				t.Fatalf("%d %s", r.status, r.body)
			}
			for _, j := range p.Items {
				ids = append(ids, j.ID)
			}
			if p.NextCursor != nil {
				next = *p.NextCursor
			}
			return ids, next
		}
		var got []string
		for cursor, more := "", true; more; {
			page, next := list("?limit=3&cursor=" + cursor)
			got = append(got, page...)
			cursor, more = next, next != ""
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if got, _ := list("?operation=export_quotes"); len(got) != 3 {
			t.Errorf("exports: got %q", got)
		}
		if got, _ := list("?status=completed"); len(got) != 0 {
			t.Errorf("completed: got %q", got)
		}
	})
}
