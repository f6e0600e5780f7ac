package app_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
)

const quoteColumns = "id,client_id,client_name,client_email,quote_number,status,line_items,subtotal,tax_rate,tax_amount,total,notes,valid_until,created_at,updated_at"

// awkward are texts that are hard to write into a file.
var awkward = []string{
	"plain", `"quoted"`, "a,b;c\td", "line\nbreak", "carriage\rreturn", "both\r\nof them", "Ümläut ß 😀 \u2028", "", `back\slash`, " spaces ", "<b>&amp;</b>",
	"=1+1", "+49 30 123", "-cmd", "@SUM(A1)", "\ttab", "\rreturn", "-5", "+5", "-5.25", "1e5", "-1e5", "-", "=", "'", "'=1", "-5 EUR", "--5",
}

// guarded says which of them a spreadsheet might take for a formula.
func guarded(s string) bool {
	return slices.Contains([]string{"=1+1", "+49 30 123", "-cmd", "@SUM(A1)", "\ttab", "\rreturn", "-", "=", "-5 EUR", "--5"}, s)
}

// parseCSV reads CSV as RFC 4180 has it. That of the standard library takes \r\n
// within quotes for \n.
func parseCSV(t *testing.T, text string) [][]string {
	t.Helper()
	var rows [][]string
	var row []string
	for text != "" {
		var cell string
		if strings.HasPrefix(text, `"`) {
			text = text[1:]
			for {
				i := strings.IndexByte(text, '"')
				if i < 0 {
					t.Fatal("a quoted cell does not end")
				}
				cell, text = cell+text[:i], text[i+1:]
				if !strings.HasPrefix(text, `"`) {
					break
				}
				cell, text = cell+`"`, text[1:]
			}
		} else {
			i := strings.IndexAny(text, ",\n")
			cell, text = strings.TrimSuffix(text[:i], "\r"), text[i:]
		}
		row = append(row, cell)
		text = strings.TrimPrefix(text, "\r")
		if strings.HasPrefix(text, "\n") {
			rows, row = append(rows, row), nil
		}
		text = text[1:]
	}
	return rows
}

func TestBatchExport_IsExact(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u, other := s.user(), s.user()
		var rows []quotekit.Values
		for i, text := range awkward {
			rows = append(rows, quotekit.Values{
				"client_name": "A", "total": quotekit.Cents(i), "notes": text, "quote_number": text, "status": "sent",
				"line_items": json.RawMessage(`[{"name":"=1","quantity":1.50}]`),
			})
		}
		// More than a piece of the file.
		for i := range 230 {
			rows = append(rows, quotekit.Values{"status": "draft", "total": quotekit.Cents(1000 + i), "notes": fmt.Sprint(i)})
		}
		ids := s.rows(u, quotekit.Quotes, rows...)
		foreign := s.quotes(other, 1, nil)[0]
		slices.Reverse(ids)
		slices.Reverse(rows)
		items := slices.Insert(slices.Clone(ids), 5, foreign, quotekit.NewID(), ids[0])

		j := u.run("export_quotes", items, nil)
		if j.FailedItems != 2 || j.SkippedItems != 1 || j.SucceededItems != len(ids) || j.Links.Export == nil {
			t.Fatalf("got %+v", j)
		}
		r := u.do("GET", *j.Links.Export, "")
		if got := r.header.Get("Content-Disposition"); r.header.Get("Content-Type") != "application/json" ||
			got != `attachment; filename="quotes-`+j.ID+`.json"` {
			t.Errorf("got %v", r.header)
		}
		var quotes []quotekit.Quote
		if err := json.Unmarshal(r.body, &quotes); err != nil || len(quotes) != len(ids) {
			t.Fatalf("%d quotes, %v", len(quotes), err)
		}
		for i, q := range quotes {
			if q.ID != ids[i] || q.Notes == nil || *q.Notes != rows[i]["notes"] || q.Total != rows[i]["total"] {
				t.Errorf("quote %d is %+v, want %v", i, q, rows[i])
			}
		}

		j = u.run("export_quotes", items, map[string]any{"format": "csv"})
		r = u.do("GET", *j.Links.Export, "", "Accept", "text/csv")
		if got := r.header.Get("Content-Type"); !strings.HasPrefix(got, "text/csv; charset=utf-8") || !strings.Contains(r.header.Get("Content-Disposition"), j.ID+".csv") {
			t.Errorf("got %v", r.header)
		}
		lines := parseCSV(t, string(r.body))
		standard, err := csv.NewReader(bytes.NewReader(r.body)).ReadAll()
		if err != nil || len(standard) != len(ids)+1 || len(lines) != len(ids)+1 || strings.Join(lines[0], ",") != quoteColumns {
			t.Fatalf("%v, %d and %d lines, %q", err, len(standard), len(lines), lines[0])
		}
		for i, line := range lines[1:] {
			want := fmt.Sprint(rows[i]["notes"])
			if guarded(want) {
				want = "'" + want
			}
			if line[0] != ids[i] || line[11] != want || line[10] != fmt.Sprint(rows[i]["total"]) || line[1] != "" || line[7] != "" {
				t.Errorf("line %d is %q, want the notes %q", i, line, want)
			}
			if number := rows[i]["quote_number"]; number != nil && line[4] != want {
				t.Errorf("line %d has the number %q, want %q", i, line[4], want)
			}
			if rows[i]["line_items"] != nil && line[6] != `[{"name":"=1","quantity":1.50}]` && line[6] != `[{"name": "=1", "quantity": 1.50}]` {
				t.Errorf("line %d has the lines %s", i, line[6])
			}
		}
	})
}

func TestBatchExport_OfNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		for format, want := range map[string]string{"json": "[\n]\n", "csv": quoteColumns + "\n"} {
			j := u.run("export_quotes", []string{quotekit.NewID()}, map[string]any{"format": format})
			if r := u.do("GET", *j.Links.Export, ""); r.status != 200 || string(r.body) != want {
				t.Errorf("%s: got %d %q", format, r.status, r.body)
			}
		}
	})
}

// TestBatchExport_IsOneOfItsTime: what the job has seen, whatever comes later.
func TestBatchExport_IsOneOfItsTime(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{})
		u := s.user()
		ids := s.quotes(u, 2, nil)
		j := u.run("export_quotes", ids, nil)
		before := u.do("GET", *j.Links.Export, "").body
		u.run("delete_quotes", ids, nil)
		if after := u.do("GET", *j.Links.Export, "").body; !bytes.Equal(after, before) {
			t.Errorf("got %s, then %s", before, after)
		}
	})
}

func TestBatchExport_IsThereOnceItIsCompleted(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStartBatch(t, url, app.Options{Role: app.RoleWeb})
		u := s.user()
		ids := s.quotes(u, 1, nil)
		refuse := func(id, detail string) {
			t.Helper()
			r := u.do("GET", jobsURL+"/"+id+"/export", "")
			if p := r.problem(t); r.status != 409 || !strings.Contains(p.Detail, detail) {
				t.Errorf("got %d %s, want 409 with %q", r.status, r.body, detail)
			}
		}
		pending := u.submit("export_quotes", ids, nil)
		refuse(pending.ID, "is pending")
		cancelled := u.submit("export_quotes", ids, nil)
		u.do("POST", jobsURL+"/"+cancelled.ID+"/cancel", "")
		refuse(cancelled.ID, "is cancelled")
		refuse(u.submit("delete_clients", ids, nil).ID, "is no export")
		dry := u.job(u.do("POST", jobsURL, strings.Replace(submission("export_quotes", ids, nil), "{", `{"dry_run":true,`, 1)))
		refuse(dry.ID, "dry run")
		if dry.Links.Export != nil {
			t.Error("a dry run has a link to a file")
		}
	})
}
