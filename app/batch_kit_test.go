package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/operations"
)

// batchConfig is a service that knows users.
func batchConfig(url string) app.Config {
	return app.Config{
		DatabaseURL: url, Addr: "127.0.0.1:0", WebhookSecrets: []string{secret}, SupabaseJWTSecret: jwtSecret,
		AdminTokens: []rest.Token{{Name: "ada", Secret: token}},
	}
}

// mustStartBatch runs a service that knows users.
func mustStartBatch(t testing.TB, url string, o app.Options) *service {
	t.Helper()
	return mustStartWith(t, batchConfig(url), o)
}

// user is somebody with rows of their own and a token.
type user struct {
	t     testing.TB
	url   string
	id    string
	token string
}

// user makes a new user of the service.
func (s *service) user() *user { return mustUser(s.t, s.URL(), quotekit.NewID()) }

func mustUser(t testing.TB, url, id string) *user {
	t.Helper()
	token, err := rest.MintJWT(jwtSecret, rest.UserClaims{UserID: id, IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return &user{t: t, url: url, id: id, token: token}
}

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// problem is the part of a problem document that tests look at.
type problem struct {
	Code   string
	Detail string
	Errors []rest.FieldError
}

func (r reply) problem(t testing.TB) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(r.body, &p); err != nil || r.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("status %d: no problem document but %q %.300s", r.status, r.header.Get("Content-Type"), r.body)
	}
	return p
}

// do asks the API; headers come in pairs. The exchange has to fit the document.
func (u *user) do(method, path, body string, headers ...string) reply {
	u.t.Helper()
	r, err := u.try(method, path, body, headers...)
	if err != nil {
		u.t.Fatal(err)
	}
	req, err := u.request(method, path, body, headers...)
	if err != nil {
		u.t.Fatal(err)
	}
	checkExchange(u.t, req, []byte(body), &http.Response{StatusCode: r.status, Header: r.header}, r.body)
	return r
}

// try is do without a look at the document, for other goroutines than the test's.
func (u *user) try(method, path, body string, headers ...string) (reply, error) {
	req, err := u.request(method, path, body, headers...)
	if err != nil {
		return reply{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, b}, err
}

func (u *user) request(method, path, body string, headers ...string) (*http.Request, error) {
	var content io.Reader
	if body != "" {
		content = bytes.NewReader([]byte(body))
	}
	req, err := http.NewRequest(method, u.url+path, content)
	if err != nil {
		return nil, err
	}
	if u.token != "" {
		req.Header.Set("Authorization", "Bearer "+u.token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req, nil
}

// submission makes the body of a job.
func submission(operation string, items any, options map[string]any) string {
	body := map[string]any{"operation": operation, "items": items}
	if options != nil {
		body["options"] = options
	}
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// adjustment are the options of a price adjustment.
func adjustment(kind, value string) map[string]any {
	return map[string]any{"price_adjustment": map[string]any{"type": kind, "value": value}}
}

// job reads a job out of an answer.
func (u *user) job(r reply) batch.Job {
	u.t.Helper()
	var j batch.Job
	if r.status/100 != 2 {
		u.t.Fatalf("status %d: %s", r.status, r.body)
	}
	if err := json.Unmarshal(r.body, &j); err != nil {
		u.t.Fatal(err)
	}
	return j
}

// submit submits a job, and run waits for its end as well.
func (u *user) submit(operation string, items any, options map[string]any) batch.Job {
	u.t.Helper()
	return u.job(u.do("POST", "/v1/batch-jobs", submission(operation, items, options)))
}

func (u *user) run(operation string, items any, options map[string]any) batch.Job {
	u.t.Helper()
	return u.end(u.job(u.do("POST", "/v1/batch-jobs", submission(operation, items, options), "Prefer", "wait=20")))
}

// end waits for the end of a job.
func (u *user) end(j batch.Job) batch.Job {
	u.t.Helper()
	eventually(u.t, 60*time.Second, "the end of job "+j.ID, func() bool {
		if !j.Status.Finished() {
			j = u.get(j.ID)
		}
		return j.Status.Finished()
	})
	return j
}

func (u *user) get(id string) batch.Job {
	u.t.Helper()
	return u.job(u.do("GET", "/v1/batch-jobs/"+id, ""))
}

// act cancels, undoes or retries a job.
func (u *user) act(id, act string) batch.Job {
	u.t.Helper()
	return u.end(u.job(u.do("POST", "/v1/batch-jobs/"+id+"/"+act, "", "Prefer", "wait=20")))
}

// results are those of all items of a job.
func (u *user) results(id string) []batch.JobResult {
	u.t.Helper()
	r := u.do("GET", "/v1/batch-jobs/"+id+"/results", "")
	var page rest.Page[batch.JobResult]
	if err := json.Unmarshal(r.body, &page); err != nil || r.status != 200 {
		u.t.Fatalf("status %d, %v: %.300s", r.status, err, r.body)
	}
	return page.Items
}

// outcomes are results in short: "succeeded", "failed: not_found", …
func (u *user) outcomes(id string) []string {
	u.t.Helper()
	var list []string
	for _, r := range u.results(id) {
		text := string(r.Outcome)
		if r.ErrorCode != nil {
			text += ": " + string(*r.ErrorCode)
		}
		list = append(list, text)
	}
	return list
}

// checkSums checks that the counters of a job add up, and are those of its results.
func (u *user) checkSums(j batch.Job) {
	u.t.Helper()
	if j.ProcessedItems != j.SucceededItems+j.FailedItems+j.SkippedItems || j.ProcessedItems+j.UnprocessedItems != j.TotalItems {
		u.t.Errorf("the counters do not add up: %+v", j)
	}
	if !j.Status.Finished() {
		return
	}
	n := map[quotekit.Outcome]int{}
	positions := map[int]bool{}
	for _, r := range u.results(j.ID) {
		n[r.Outcome]++
		positions[r.Position] = true
	}
	got := fmt.Sprint(n[quotekit.Succeeded], n[quotekit.Failed], n[quotekit.Skipped], n[quotekit.Unprocessed], len(positions))
	want := fmt.Sprint(j.SucceededItems, j.FailedItems, j.SkippedItems, j.UnprocessedItems, j.TotalItems)
	if got != want {
		u.t.Errorf("job %s: the results are %s, the counters say %s", j.ID, got, want)
	}
}

// rows inserts rows of the user and returns their ids.
func (s *service) rows(u *user, table quotekit.ApplicationTable, rows ...quotekit.Values) []string {
	s.t.Helper()
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = quotekit.NewID()
		rows[i]["id"] = ids[i]
	}
	if err := s.Store().InsertApplication(context.Background(), u.id, map[quotekit.ApplicationTable][]quotekit.Values{table: rows}); err != nil {
		s.t.Fatal(err)
	}
	return ids
}

// items inserts items with these prices, in cents.
func (s *service) items(u *user, prices ...quotekit.Cents) []string {
	s.t.Helper()
	rows := make([]quotekit.Values, len(prices))
	for i, p := range prices {
		rows[i] = quotekit.Values{"name": fmt.Sprintf("Item %d", i), "unit_price": p, "tags": json.RawMessage(`["a", "b"]`)}
	}
	return s.rows(u, quotekit.Items, rows...)
}

// quotes inserts n draft quotes.
func (s *service) quotes(u *user, n int, clientID any) []string {
	s.t.Helper()
	rows := make([]quotekit.Values, n)
	for i := range rows {
		rows[i] = quotekit.Values{
			"client_id": clientID, "client_name": "Ada & Söhne", "status": "draft", "total": quotekit.Cents(10_00 + i),
			"quote_number": fmt.Sprintf("Q-%04d", i), "tax_rate": quotekit.Rate(19_0000), "notes": "a\n\"b\", ü",
			"line_items": json.RawMessage(`[{"name":"Design <b>","quantity":1.50}]`), "valid_until": time.Unix(1_800_000_000, 123_456_000),
		}
	}
	return s.rows(u, quotekit.Quotes, rows...)
}

// application returns all rows of the application, updated_at included.
func (s *service) application() []string {
	s.t.Helper()
	var all []string
	for _, table := range []string{"clients", "items", "quotes"} {
		for _, line := range s.query("SELECT * FROM " + table + " ORDER BY id") {
			all = append(all, table+": "+line)
		}
	}
	return all
}

// listen calls each with every server-sent event of a job as it comes.
func (u *user) listen(jobID string, each func(event), headers ...string) error {
	req, err := http.NewRequest("GET", u.url+"/v1/batch-jobs/"+jobID+"/events", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+u.token)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	var e event
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if lines.Text() == "" && e.name != "" {
				e.at = time.Now()
				each(e)
				e = event{}
			}
		}
	}
	return lines.Err()
}

// wantOutcomes checks what became of the items of a job, in short, and its counters.
func (u *user) wantOutcomes(j batch.Job, want ...string) {
	u.t.Helper()
	u.checkSums(j)
	if got := u.outcomes(j.ID); !slices.Equal(got, want) {
		u.t.Errorf("%s: got %q, want %q", j.Operation, got, want)
	}
}

// idsOf are the ids of a job's rows, "" where there is none.
func idsOf(results []batch.JobResult) []string {
	ids := make([]string, len(results))
	for i, r := range results {
		if r.ItemID != nil {
			ids[i] = *r.ItemID
		}
	}
	return ids
}

// clients inserts n clients.
func (s *service) clients(u *user, n int) []string {
	s.t.Helper()
	rows := make([]quotekit.Values, n)
	for i := range rows {
		rows[i] = quotekit.Values{"name": fmt.Sprintf("Client %d", i), "email": fmt.Sprintf("c%d@example.com", i), "notes": "n"}
	}
	return s.rows(u, quotekit.Clients, rows...)
}

// jobRows are all rows that jobs have left.
func (s *service) jobRows() []string {
	s.t.Helper()
	var all []string
	for _, table := range []string{"batch_jobs", "batch_job_inputs", "batch_job_items"} {
		for _, line := range s.query("SELECT * FROM " + table) {
			all = append(all, table+": "+line)
		}
	}
	slices.Sort(all)
	return all
}

// barrier makes update_quote_status wait at declined quotes, in the middle of a chunk.
type barrier struct {
	reached chan struct{} // has one for each quote that waits
	opened  chan struct{}
	once    sync.Once
}

// newBarrier stands until it is opened, or the test ends.
func newBarrier() *barrier {
	return &barrier{reached: make(chan struct{}, 100), opened: make(chan struct{})}
}

func (b *barrier) open() { b.once.Do(func() { close(b.opened) }) }

func (b *barrier) operations() []quotekit.Operation {
	list := operations.Operations()
	for i, o := range list {
		if o.Name != "update_quote_status" {
			continue
		}
		list[i].Prepare = func(options map[string]json.RawMessage) (quotekit.Step, []quotekit.FieldError) {
			step, problems := o.Prepare(options)
			update := step.Update
			step.Update = func(r quotekit.Record) (quotekit.Values, *quotekit.ItemError) {
				if r.Text("status") == "declined" {
					b.reached <- struct{}{}
					<-b.opened
				}
				return update(r)
			}
			return step, problems
		}
	}
	return list
}

// decline makes quotes those that the barrier stands at.
func (s *service) decline(ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		mustWrite(s.t, s, "UPDATE quotes SET status = 'declined' WHERE id = '"+id+"'")
	}
}

// mustStartGated runs a service that works on one chunk of ten at a time.
func mustStartGated(t testing.TB, url string, b *barrier) *service {
	t.Helper()
	c := batchConfig(url)
	c.BatchChunkSize, c.BatchConcurrency = 10, 1
	s := mustStartWith(t, c, app.Options{Operations: b.operations()})
	t.Cleanup(b.open) // before the service stops
	return s
}

// status are the options of update_quote_status.
func status(s string) map[string]any { return map[string]any{"status": s} }

// mustWrite runs statements as the application would.
func mustWrite(t testing.TB, s *service, statements ...string) {
	t.Helper()
	err := s.Store().WithTx(t.Context(), func(tx *store.Tx) error {
		for _, text := range statements {
			if _, err := tx.ExecContext(t.Context(), text); err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
