package app_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/internal/store"
)

// TestBatchProperty_OutcomesAddUpAndUndoRestores runs random jobs over random rows:
// own, foreign, missing, repeated, locked and wrong ones. They are cancelled or not,
// rows are changed or not, and then the job is taken back, at once or in two goes.
//
//   - At every instant each item has one outcome, and the counters are those of the
//     outcomes.
//   - Each item has the outcome that a model in Go says, or is unprocessed after a
//     cancel; the rows are those that the outcomes say.
//   - After the undo each row is what it was before the job, or what somebody made
//     of it after the job; column for column, with updated_at.
func TestBatchProperty_OutcomesAddUpAndUndoRestores(t *testing.T) {
	t.Parallel()
	rounds, chunks := 10, []int{1, 2, 7} // rounds of a hundred jobs
	if os.Getenv("QUOTEKIT_TEST_LONG") == "" {
		rounds, chunks = 1, []int{2}
		if err := flag.Set("rapid.checks", "40"); err != nil { // no other test of the package has any
			t.Fatal(err)
		}
	}
	for _, chunk := range chunks {
		t.Run(fmt.Sprint("chunk=", chunk), func(t *testing.T) {
			onBothAtOnce(t, func(t *testing.T, url string) {
				c := batchConfig(url)
				c.BatchChunkSize = chunk
				s := mustStartWith(t, c, app.Options{})
				seen := map[string]int{}
				for range rounds {
					rapid.Check(t, func(rt *rapid.T) {
						m := newBatchModel(s, rt, seen)
						m.job()
						m.undo()
					})
				}
				for _, what := range slices.Sorted(maps.Keys(seen)) {
					t.Logf("%6d %s", seen[what], what)
				}
			})
		})
	}
}

// batchModel is what one job should do.
type batchModel struct {
	*rapid.T
	s        *service
	u, other *user
	seen     map[string]int // how often what happened, in all

	operation string
	table     string
	options   map[string]any
	ids       []string // rows of u that the operation is about
	items     []any    // of the request
	// want is the outcome of each item, if it is processed.
	want []string
	// effect is what becomes of the row of each item that succeeds.
	effect map[string]*rowFate
	// names of the rows that a create makes, by position.
	names  map[int]string
	links  map[string][]string // quotes by client
	locked []string

	before, after map[string]string // rows by id
	done          batch.Job
}

func newBatchModel(s *service, rt *rapid.T, seen map[string]int) *batchModel {
	m := &batchModel{
		T: rt, s: s, u: s.user(), other: s.user(), seen: seen,
		effect: map[string]*rowFate{}, names: map[int]string{}, links: map[string][]string{},
	}
	m.operation = rapid.SampledFrom([]string{
		"delete_quotes", "update_quote_status", "export_quotes", "delete_clients", "update_item_prices", "bulk_create_items",
	}).Draw(rt, "operation")
	m.seen[m.operation]++
	n := rapid.IntRange(1, 40).Draw(rt, "rows")
	switch m.operation {
	case "bulk_create_items":
		m.drawObjects(n)
	case "update_item_prices":
		m.drawPrices(n)
	case "delete_clients":
		m.drawClients(n)
	default:
		m.drawQuotes(n)
	}
	m.before = m.rows()
	return m
}

// chance is true once in 2^halvings times.
func (m *batchModel) chance(label string, halvings int) bool {
	for range halvings {
		if !rapid.Bool().Draw(m.T, label) { // numbers are drawn small rather than evenly
			return false
		}
	}
	return true
}

// list makes the items of the request of the rows that there are. of says what is
// to become of one of them.
func (m *batchModel) list(foreign []string, of func(i int) (outcome string, fate *rowFate)) {
	first := map[string]bool{}
	for range rapid.IntRange(1, 100).Draw(m.T, "items") {
		var id, outcome string
		var fate *rowFate
		switch kind := rapid.IntRange(0, 9).Draw(m.T, "kind"); kind {
		case 0:
			id, outcome = quotekit.NewID(), "failed: not_found"
		case 1:
			id, outcome = rapid.SampledFrom(foreign).Draw(m.T, "foreign"), "failed: not_found"
		default:
			i := rapid.IntRange(0, len(m.ids)-1).Draw(m.T, "row")
			id = m.ids[i]
			outcome, fate = of(i)
		}
		if first[id] {
			outcome, fate = "skipped: duplicate", nil
		}
		first[id] = true
		m.want = append(m.want, outcome)
		if outcome == "succeeded" && fate != nil {
			m.effect[id] = fate
		}
		if m.chance("upper case", 3) {
			id = strings.ToUpper(id)
		}
		m.items = append(m.items, id)
	}
	if m.s.Store().Postgres() && m.operation != "export_quotes" && m.chance("locks", 4) {
		for _, id := range m.ids[:min(2, len(m.ids))] {
			if first[id] {
				m.locked = append(m.locked, id)
			}
		}
	}
}

func (m *batchModel) drawQuotes(n int) {
	m.table = "quotes"
	statuses := rapid.SliceOfN(rapid.SampledFrom(quotekit.QuoteStatuses), n, n).Draw(m.T, "statuses")
	rows := make([]quotekit.Values, n)
	for i := range rows {
		rows[i] = quotekit.Values{"client_name": "ü", "status": statuses[i], "total": quotekit.Cents(i), "updated_at": time.Unix(int64(i), 1000)}
	}
	m.ids = m.s.rows(m.u, quotekit.Quotes, rows...)
	to := "sent"
	if m.operation == "update_quote_status" {
		m.options = status(to)
	}
	m.list(m.s.quotes(m.other, 2, nil), func(i int) (string, *rowFate) {
		switch {
		case m.operation == "delete_quotes":
			return "succeeded", &rowFate{gone: true}
		case m.operation == "export_quotes":
			return "succeeded", nil
		case statuses[i] == to:
			return "skipped: unchanged", nil
		}
		return "succeeded", &rowFate{columns: map[string]string{"status": to}}
	})
}

func (m *batchModel) drawClients(n int) {
	m.table = "clients"
	m.ids = m.s.clients(m.u, n)
	for _, id := range m.ids[:min(3, n)] {
		m.links[id] = m.s.quotes(m.u, rapid.IntRange(1, 3).Draw(m.T, "quotes"), id)
	}
	m.list(m.s.clients(m.other, 2), func(int) (string, *rowFate) { return "succeeded", &rowFate{gone: true} })
}

func (m *batchModel) drawPrices(n int) {
	m.table = "items"
	price := rapid.OneOf(rapid.Int64Range(0, 30), rapid.Int64Range(0, 1_000_00), rapid.Int64Range(99_999_990_00, 99_999_999_99))
	prices := rapid.SliceOfN(price, n, n).Draw(m.T, "prices")
	cents := make([]quotekit.Cents, n)
	for i, p := range prices {
		cents[i] = quotekit.Cents(p)
	}
	m.ids = m.s.items(m.u, cents...)
	value := rapid.Int64Range(-100_00, 100_00).Draw(m.T, "value") // hundredths
	kind := rapid.SampledFrom([]string{"percentage", "fixed"}).Draw(m.T, "type")
	m.options = adjustment(kind, quotekit.Cents(value).String())
	m.list(m.s.items(m.other, 1_00, 2_00), func(i int) (string, *rowFate) {
		old := prices[i]
		changed := old + value
		if kind == "percentage" {
			changed = (2*old*(100_00+value) + 100_00) / 200_00 // half up; nothing is negative
		}
		switch {
		case changed < 0 || changed > int64(quotekit.MaxCents):
			return "failed: out_of_range", nil
		case changed == old:
			return "skipped: unchanged", nil
		}
		return "succeeded", &rowFate{columns: map[string]string{"unit_price": m.s.shown(quotekit.Cents(changed))}}
	})
}

// shown is an amount as the database shows it.
func (s *service) shown(c quotekit.Cents) string {
	if s.Store().Postgres() {
		return c.String()
	}
	return fmt.Sprint(int64(c))
}

func (m *batchModel) drawObjects(n int) {
	m.table = "items"
	for i := range n {
		name := fmt.Sprint("made ", i)
		object := map[string]any{"name": name, "unit_price": "1.50"}
		outcome := "succeeded"
		if m.chance("invalid", 2) {
			object["unit_price"] = rapid.SampledFrom([]any{"-1", 1.5, "x", nil, "100000000"}).Draw(m.T, "price")
			outcome = "failed: invalid"
		} else {
			m.names[i] = name
		}
		m.items, m.want = append(m.items, object), append(m.want, outcome)
	}
}

// rows are those of both users by id.
func (m *batchModel) rows() map[string]string {
	all := map[string]string{}
	for _, table := range []string{"clients", "items", "quotes"} {
		for _, line := range m.s.query("SELECT * FROM "+table+" WHERE user_id = $1 OR user_id = $2", m.u.id, m.other.id) {
			line = table + ": " + line
			all[columnsOf(line)["id"]] = line
		}
	}
	return all
}

// job runs the job, and checks what it did.
func (m *batchModel) job() {
	dry := m.chance("dry run", 3)
	body := submission(m.operation, m.items, m.options)
	if dry {
		m.seen["dry run"]++
		body = strings.Replace(body, "{", `{"dry_run": true, `, 1)
	}
	release := func() {}
	if len(m.locked) > 0 {
		m.seen["locked rows"]++
		release = m.s.lock(m.table, m.locked...)
	}
	j := m.follow(m.u.job(m.u.do("POST", "/v1/batch-jobs", body)), func(j batch.Job) batch.Job {
		defer release()
		return m.maybeCancelled(j, len(m.locked))
	})
	if got := m.u.outcomes(j.ID); !matches(got, m.want, j.Status) {
		m.Fatalf("%s is %s\ngot  %q\nwant %q", m.operation, j.Status, got, m.want)
	}
	m.done = j
	m.checkRows(dry)
}

// maybeCancelled waits until at most so many items are left, or cancels the job
// before.
func (m *batchModel) maybeCancelled(j batch.Job, left int) batch.Job {
	if !m.chance("cancel", 1) {
		eventually(m.s.t, time.Minute, "what is not locked", func() bool {
			j = m.u.get(j.ID)
			return j.Status.Finished() || j.UnprocessedItems <= left
		})
		return j
	}
	at := rapid.IntRange(0, j.TotalItems).Draw(m.T, "cancel at")
	for started := time.Now(); j.ProcessedItems < at && !j.Status.Finished() && time.Since(started) < time.Second; {
		j = m.u.get(j.ID)
	}
	j = m.u.job(m.u.do("POST", "/v1/batch-jobs/"+j.ID+"/cancel", ""))
	if !j.Status.Finished() {
		m.Fatalf("cancelled, and %s", j.Status)
	}
	if j.Status == quotekit.BatchCancelled {
		m.seen["cancelled"]++
		if j.ProcessedItems > 0 {
			m.seen["cancelled in the middle"]++
		}
	}
	return j
}

// matches compares outcomes; after a cancel any item may be unprocessed.
func matches(got, want []string, status quotekit.BatchStatus) bool {
	return slices.EqualFunc(got, want, func(got, want string) bool {
		return got == want || (status == quotekit.BatchCancelled && got == "unprocessed")
	})
}

// follow looks at a job all the time while work lets it go on, and returns it as it
// ends.
func (m *batchModel) follow(j batch.Job, work func(batch.Job) batch.Job) batch.Job {
	stop := make(chan struct{})
	var looking sync.WaitGroup
	var wrong string
	looks := 0
	looking.Go(func() {
		last := 0
		for wrong == "" {
			last, wrong = m.look(j, last)
			looks++
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	ended := m.u.end(work(j))
	close(stop)
	looking.Wait()
	m.seen["looks at a job"] += looks
	if wrong != "" {
		m.Fatalf("job %s: %s", j.ID, wrong)
	}
	m.u.checkSums(ended)
	return ended
}

// look compares the counters of a job with its outcomes at one instant. It returns
// how many items are processed, which was last before, and what is wrong.
func (m *batchModel) look(j batch.Job, last int) (processed int, wrong string) {
	const text = `
SELECT j.status, j.processed_items, j.failed_items, j.skipped_items,
  (SELECT COUNT(*) FROM batch_job_items AS i WHERE i.job_id = j.id AND i.outcome <> 'unprocessed'),
  (SELECT COUNT(*) FROM batch_job_items AS i WHERE i.job_id = j.id AND i.outcome = 'failed'),
  (SELECT COUNT(*) FROM batch_job_items AS i WHERE i.job_id = j.id AND i.outcome = 'skipped'),
  (SELECT COUNT(*) FROM batch_job_items AS i WHERE i.job_id = j.id AND i.outcome = 'unprocessed')
FROM batch_jobs AS j
WHERE j.id = $1`
	var status quotekit.BatchStatus
	var failed, skipped, rows, failedRows, skippedRows, unprocessed int
	err := m.s.Store().Reader().QueryRow(text, j.ID).Scan(&status, &processed, &failed, &skipped, &rows, &failedRows, &skippedRows, &unprocessed)
	if err != nil {
		return 0, err.Error()
	}
	left := j.TotalItems - processed
	if !status.Finished() {
		left = 0 // these have no rows yet
	}
	if rows != processed || failedRows != failed || skippedRows != skipped || unprocessed != left || processed < last {
		return 0, fmt.Sprintf("%s: %d processed (%d before), %d failed, %d skipped; outcomes %d, %d, %d, and %d unprocessed",
			status, processed, last, failed, skipped, rows, failedRows, skippedRows, unprocessed)
	}
	r, err := m.u.try("GET", "/v1/batch-jobs/"+j.ID+"/results", "")
	if err != nil {
		return 0, err.Error()
	}
	var page struct{ Items []batch.JobResult }
	if err := json.Unmarshal(r.body, &page); err != nil || len(page.Items) != j.TotalItems {
		return 0, fmt.Sprintf("%d results of %d items, %v", len(page.Items), j.TotalItems, err)
	}
	for i, item := range page.Items {
		if item.Position != i {
			return 0, fmt.Sprintf("result %d is of position %d", i, item.Position)
		}
	}
	return processed, ""
}

// checkRows compares the rows after the job with what the outcomes say.
func (m *batchModel) checkRows(dry bool) {
	want := maps.Clone(m.before)
	m.after = m.rows()
	for _, r := range m.u.results(m.done.ID) {
		if r.Outcome != quotekit.Succeeded || dry {
			continue
		}
		id := *r.ItemID
		if name := m.names[r.Position]; name != "" {
			made := columnsOf(m.after[id])
			if made["name"] != name || made["unit_price"] != m.s.shown(1_50) || made["user_id"] != m.u.id {
				m.Fatalf("position %d made %q", r.Position, m.after[id])
			}
			want[id] = m.after[id]
			continue
		}
		switch fate := m.effect[id]; {
		case fate == nil: // an export
		case fate.gone:
			delete(want, id)
			for _, quote := range m.links[id] {
				want[quote] = strings.Replace(want[quote], "client_id="+id, "client_id=null", 1)
			}
		default:
			columns := columnsOf(m.after[id])
			was := columnsOf(want[id])
			maps.Copy(was, fate.columns)
			if columns["updated_at"] <= was["updated_at"] {
				m.Fatalf("updated_at has not moved: %s", m.after[id])
			}
			was["updated_at"] = columns["updated_at"]
			if maps.Equal(columns, was) {
				want[id] = m.after[id]
			}
		}
	}
	m.wantRows(m.after, want, "after the job")
}

func (m *batchModel) wantRows(got, want map[string]string, when string) {
	if d := diff(slices.Collect(maps.Values(got)), slices.Collect(maps.Values(want))); d != "" {
		m.Fatalf("%s, %s:\n%s", m.operation, when, d)
	}
}

// undo takes the job back, after somebody may have changed rows, and checks that
// all others are what they were.
func (m *batchModel) undo() {
	if m.done.DryRun || m.operation == "export_quotes" || m.done.SucceededItems == 0 {
		if r := m.u.do("POST", "/v1/batch-jobs/"+m.done.ID+"/undo", ""); r.status != 409 {
			m.Fatalf("undo of what changed nothing: status %d", r.status)
		}
		return
	}
	touched := m.touch()
	// What somebody touched stays as they left it; all else is to be as it was.
	end, now := maps.Clone(m.before), m.rows()
	for id := range touched {
		if delete(end, id); now[id] != "" {
			end[id] = now[id]
		}
	}
	var want []string
	for _, r := range m.u.results(m.done.ID) {
		if r.Outcome == quotekit.Succeeded {
			want = append(want, "succeeded")
			if touched[*r.ItemID] {
				want[len(want)-1] = "failed: changed_since"
			}
		}
	}
	for {
		m.seen["undo"]++
		j := m.u.job(m.u.do("POST", "/v1/batch-jobs/"+m.done.ID+"/undo", ""))
		j = m.follow(j, func(j batch.Job) batch.Job { return m.maybeCancelled(j, 0) })
		got := m.u.outcomes(j.ID)
		if !matches(got, want, j.Status) {
			m.Fatalf("undo of %s is %s\ngot  %q\nwant %q", m.operation, j.Status, got, want)
		}
		if j.Status == quotekit.BatchCompleted {
			break
		}
		for i := range got { // what is back is not what the job made of it any more
			if got[i] == "succeeded" {
				want[i] = "failed: changed_since"
			}
		}
	}
	m.wantRows(m.rows(), end, "after the undo")
}

// touch changes some of the rows that the job worked on, and returns which.
func (m *batchModel) touch() map[string]bool {
	touched := map[string]bool{}
	if !m.chance("touch", 1) {
		return touched
	}
	var statements []string
	for _, r := range m.u.results(m.done.ID) {
		if r.Outcome != quotekit.Succeeded || !m.chance("this", 2) {
			continue
		}
		id := *r.ItemID
		if quotes := m.links[id]; len(quotes) > 0 && m.operation == "delete_clients" {
			// Somebody has linked the quote to another client meanwhile.
			client := m.s.clients(m.u, 1)[0]
			touched[client], touched[quotes[0]] = true, true
			statements = append(statements, fmt.Sprintf("UPDATE quotes SET client_id = '%s' WHERE id = '%s'", client, quotes[0]))
			continue
		}
		touched[id] = true
		fate := m.effect[id]
		switch {
		case fate != nil && fate.gone: // its place is taken
			m.takePlace(id)
		case m.chance("deleted", 2):
			statements = append(statements, fmt.Sprintf("DELETE FROM %s WHERE id = '%s'", m.table, id))
		case m.table == "quotes":
			statements = append(statements, fmt.Sprintf("UPDATE quotes SET status = 'declined' WHERE id = '%s'", id))
		default:
			statements = append(statements, fmt.Sprintf("UPDATE items SET unit_price = CASE WHEN unit_price = 3 THEN 4 ELSE 3 END WHERE id = '%s'", id))
		}
		m.seen["touched rows"]++
	}
	mustWrite(m.s.t, m.s, statements...)
	return touched
}

// takePlace inserts a row with the id of a deleted one.
func (m *batchModel) takePlace(id string) {
	values := quotekit.Values{"id": id, "name": "another"}
	if m.table == "quotes" {
		values = quotekit.Values{"id": id, "client_name": "another", "status": "draft", "total": quotekit.Cents(1)}
	}
	err := m.s.Store().WithTx(context.Background(), func(tx *store.Tx) error {
		_, err := tx.InsertRows(context.Background(), quotekit.ApplicationTable(m.table), m.u.id, []quotekit.Values{values})
		return err
	})
	if err != nil {
		m.Fatal(err)
	}
}
