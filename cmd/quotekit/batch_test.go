package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/internal/rest"
)

// fakeBatches has one job, whose states are played one after the other: each look
// shows the next, and the last for ever.
type fakeBatches struct {
	mu     sync.Mutex
	states []batch.Job
	// stream answers the request for events; nil answers 404.
	stream func(w http.ResponseWriter, r *http.Request)
	// submit answers what makes a job; nil takes it in.
	submit func(w http.ResponseWriter, r *http.Request)
	calls  []string
	keys   []string
	bodies []string
}

const aJob = "01890000-0000-7000-8000-000000000001"

func job(status quotekit.BatchStatus, succeeded, failed, skipped, total int) batch.Job {
	j := batch.Job{
		ID: aJob, Operation: "update_quote_status", Status: status, TotalItems: total,
		ProcessedItems: succeeded + failed + skipped, SucceededItems: succeeded, FailedItems: failed, SkippedItems: skipped,
	}
	j.UnprocessedItems = total - j.ProcessedItems
	if failed > 0 {
		j.ErrorSummary = map[quotekit.ItemCode]int{quotekit.ItemNotFound: failed}
	}
	return j
}

func (f *fakeBatches) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.RequestURI(), batchPath), "/"+aJob)
	f.calls = append(f.calls, strings.TrimSuffix(r.Method+" "+path, " "))
	state := f.states[0]
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		f.keys, f.bodies = append(f.keys, r.Header.Get("Idempotency-Key")), append(f.bodies, string(body))
	} else if path == "" && len(f.states) > 1 {
		f.states = f.states[1:]
		state = f.states[0]
	}
	f.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && f.submit != nil:
		f.submit(w, r)
	case r.Method == http.MethodPost:
		rest.WriteJSON(w, r, 202, state)
	case path == "/events" && f.stream != nil:
		f.stream(w, r)
	case path == "/results":
		notFound := quotekit.ItemNotFound
		results := page[batch.JobResult]{}
		for _, position := range []int{17, 80, 233} {
			results.Items = append(results.Items, batch.JobResult{Position: position, Outcome: quotekit.Failed, ErrorCode: &notFound})
		}
		rest.WriteJSON(w, r, 200, results)
	case path == "":
		rest.WriteJSON(w, r, 200, state)
	default:
		rest.WriteNotFound(w, r)
	}
}

func (f *fakeBatches) counted(call string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if c == call {
			n++
		}
	}
	return n
}

// sendEvent writes a server-sent event with a job.
func sendEvent(w http.ResponseWriter, id int, name string, j batch.Job) {
	w.Header().Set("Content-Type", "text/event-stream")
	b, _ := json.Marshal(j)
	fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", id, name, b)
	_ = http.NewResponseController(w).Flush()
}

func TestWatch_ExitCodes(t *testing.T) {
	const done, failed, cancelled = quotekit.BatchCompleted, quotekit.BatchFailed, quotekit.BatchCancelled
	message := "no such column"
	broken := job(failed, 0, 0, 0, 5)
	broken.ErrorMessage = &message
	dry := job(done, 409, 3, 0, 412)
	dry.DryRun = true
	tests := []struct {
		name           string
		end            batch.Job
		code           int
		stdout, stderr string
	}{
		{"all", job(done, 5, 0, 0, 5), exitDone, "5 done.  job " + aJob + "\n", ""},
		{"all skipped", job(done, 0, 0, 5, 5), exitDone, "0 done, 5 skipped.  job " + aJob + "\n", ""},
		{
			"some", job(done, 409, 3, 0, 412), exitPartly, "409 done, 3 failed.  job " + aJob + "\n",
			"quotekit: 3 of 412 items failed: 3 not_found\ntry: quotekit batch results " + aJob + " --outcome failed",
		},
		{"skipped and failed", job(done, 0, 1, 4, 5), exitPartly, "0 done, 1 failed, 4 skipped.", "1 of 5 items failed"},
		{"none", job(done, 0, 5, 0, 5), exitFailed, "0 done, 5 failed.", "5 of 5 items failed"},
		{"cancelled", job(cancelled, 2, 0, 0, 5), exitPartly, "2 done, 3 not reached.", "was cancelled before it reached 3 of 5 items"},
		{"cancelled at once", job(cancelled, 0, 0, 0, 5), exitFailed, "0 done, 5 not reached.", "was cancelled"},
		{"could not run", broken, exitFailed, "0 done, 5 not reached.", "could not run: no such column\ntry: quotekit batch get " + aJob},
		{
			"dry run", dry, exitPartly,
			"412 items: 409 would change, 3 not found (positions 17, 80, 233). Nothing was changed.\n", "3 of 412 items would have failed",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := &fakeBatches{states: []batch.Job{tt.end}}
			code, stdout, stderr := runAgainst(t, service, "batch", "watch", aJob)
			if code != tt.code || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit code %d, want %d\n%s%s", code, tt.code, stdout, stderr)
			}
		})
	}
}

func TestWatch_JSONIsTheJob(t *testing.T) {
	service := &fakeBatches{states: []batch.Job{job(quotekit.BatchProcessing, 0, 0, 0, 5), job(quotekit.BatchCompleted, 5, 0, 0, 5)}}
	code, stdout, _ := runAgainst(t, service, "batch", "watch", aJob, "--json")
	var j batch.Job
	if err := json.Unmarshal([]byte(stdout), &j); code != exitDone || err != nil || j.SucceededItems != 5 {
		t.Errorf("exit code %d, %v\n%s", code, err, stdout)
	}
}

// TestWatch_GoesOnWhereTheStreamWasCut: the second stream begins behind the last
// event of the first.
func TestWatch_GoesOnWhereTheStreamWasCut(t *testing.T) {
	var seen []string
	service := &fakeBatches{states: []batch.Job{job(quotekit.BatchProcessing, 1, 0, 0, 5)}}
	service.stream = func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Last-Event-ID"))
		if len(seen) == 1 {
			sendEvent(w, 7, "progress", job(quotekit.BatchProcessing, 2, 0, 0, 5))
			panic(http.ErrAbortHandler)
		}
		sendEvent(w, 8, "end", job(quotekit.BatchCompleted, 5, 0, 0, 5))
	}
	code, stdout, stderr := runAgainst(t, service, "batch", "watch", aJob)
	if code != exitDone || !slices.Equal(seen, []string{"", "7"}) || !strings.Contains(stdout, "5 done") {
		t.Errorf("exit code %d, Last-Event-IDs %q\n%s%s", code, seen, stdout, stderr)
	}
}

func TestWatch_LooksWhereThereIsNoStream(t *testing.T) {
	states := []batch.Job{
		job(quotekit.BatchPending, 0, 0, 0, 5), job(quotekit.BatchProcessing, 1, 0, 0, 5),
		job(quotekit.BatchProcessing, 3, 0, 0, 5), job(quotekit.BatchCompleted, 5, 0, 0, 5),
	}
	service := &fakeBatches{states: states, stream: func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "<html>a proxy</html>")
	}}
	code, _, stderr := runAgainst(t, service, "batch", "watch", aJob)
	if code != exitDone || service.counted("GET") != 3 || service.counted("GET /events") != 1 {
		t.Errorf("exit code %d, calls %q\n%s", code, service.calls, stderr)
	}
}

func TestWatch_OutlivesARestart(t *testing.T) {
	service := &fakeBatches{states: []batch.Job{job(quotekit.BatchProcessing, 0, 0, 0, 5), job(quotekit.BatchProcessing, 0, 0, 0, 5), job(quotekit.BatchCompleted, 5, 0, 0, 5)}}
	var looks atomic.Int32 // a request that was cut may be sent again before its handler is gone
	restarting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := looks.Add(1); n > 1 && n < 5 {
			panic(http.ErrAbortHandler)
		}
		service.ServeHTTP(w, r)
	})
	if code, stdout, stderr := runAgainst(t, restarting, "batch", "watch", aJob); code != exitDone || looks.Load() < 5 {
		t.Errorf("exit code %d after %d requests\n%s%s", code, looks.Load(), stdout, stderr)
	}
}

func TestWatch_TimesOut(t *testing.T) {
	service := &fakeBatches{states: []batch.Job{job(quotekit.BatchProcessing, 2, 0, 0, 5)}}
	service.stream = func(w http.ResponseWriter, r *http.Request) {
		sendEvent(w, 1, "progress", job(quotekit.BatchProcessing, 3, 0, 0, 5))
		<-r.Context().Done()
	}
	code, stdout, stderr := runAgainst(t, service, "batch", "watch", aJob, "--timeout", "200ms")
	want := "quotekit: job " + aJob + " is still processing after 200ms (3 of 5 items); it goes on\ntry: quotekit batch watch " + aJob + " --url http://"
	if code != exitTimedOut || stdout != "" || !strings.HasPrefix(stderr, want) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestWatch_Interrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	service := &fakeBatches{states: []batch.Job{job(quotekit.BatchProcessing, 2, 0, 0, 5)}}
	service.stream = func(w http.ResponseWriter, r *http.Request) {
		sendEvent(w, 1, "progress", job(quotekit.BatchProcessing, 3, 0, 0, 5))
		interrupt()
		<-r.Context().Done()
	}
	server := httptest.NewServer(service)
	defer server.Close()
	var out, talk bytes.Buffer
	args := []string{"quotekit", "batch", "watch", aJob, "--token", "t", "--url", server.URL}
	code := run(ctx, args, func(string) string { return "" }, nil, &out, &talk)
	if code != exitFailed || !strings.Contains(talk.String(), "stopped waiting for job "+aJob+", which is processing") ||
		!strings.Contains(talk.String(), "it goes on\ntry: quotekit batch watch "+aJob) {
		t.Errorf("exit code %d\n%s%s", code, &out, &talk)
	}
}

func TestSubmit_SendsWhatIsAskedFor(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{
			"ids and a text",
			[]string{"--operation", "update_quote_status", "--ids", "a,b", "--ids", "c", "--set", "status=sent", "--dry-run", "--wait=false"},
			`{"operation":"update_quote_status","items":["a","b","c"],"options":{"status":"sent"},"dry_run":true}`,
		},
		{
			"a change of prices",
			[]string{"--operation", "update_item_prices", "--ids", "a", "--set", "price_adjustment=-5%"},
			`{"operation":"update_item_prices","items":["a"],"options":{"price_adjustment":{"type":"percentage","value":"-5"}}}`,
		},
		{
			"JSON",
			[]string{"--operation", "x", "--ids", "a", "--option", `y={"z":[1.50,"="]}`},
			`{"operation":"x","items":["a"],"options":{"y":{"z":[1.50,"="]}}}`,
		},
		{"nothing in it", []string{"--operation", "delete_quotes", "--ids", ","}, `{"operation":"delete_quotes","items":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := &fakeBatches{states: []batch.Job{job(quotekit.BatchPending, 0, 0, 0, 1)}}
			code, stdout, stderr := runAgainst(t, service, append([]string{"batch", "submit"}, tt.args...)...)
			if code != exitDone || len(service.bodies) != 1 || service.bodies[0] != tt.want || service.keys[0] == "" {
				t.Errorf("exit code %d, body %q, want %q\n%s", code, service.bodies, tt.want, stderr)
			}
			if !strings.Contains(stdout, aJob) || !strings.Contains(stderr, "try: quotekit batch watch "+aJob) {
				t.Errorf("%s%s", stdout, stderr)
			}
		})
	}
}

// TestSubmit_LostConnectionMakesNoSecondJob: all attempts have one key.
func TestSubmit_LostConnectionMakesNoSecondJob(t *testing.T) {
	service := &fakeBatches{states: []batch.Job{job(quotekit.BatchPending, 0, 0, 0, 1)}}
	attempts := 0
	service.submit = func(w http.ResponseWriter, r *http.Request) {
		switch attempts++; attempts {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			rest.WriteProblem(w, r, rest.NewProblem(503, quotekit.EUnavailable, "the database is away"))
		default:
			rest.WriteJSON(w, r, 202, service.states[0])
		}
	}
	code, _, stderr := runAgainst(t, service, "batch", "submit", "--operation", "delete_quotes", "--ids", "a")
	if code != exitDone || len(service.keys) != 3 || service.keys[0] == "" || service.keys[0] != service.keys[1] || service.keys[0] != service.keys[2] {
		t.Errorf("exit code %d, keys %q\n%s", code, service.keys, stderr)
	}

	service.submit = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	code, _, stderr = runAgainst(t, service, "batch", "undo", aJob, "--idempotency-key", "k1")
	if code != exitFailed || !strings.Contains(stderr, "not known whether the job was taken in") ||
		!strings.Contains(stderr, "try: the same command with --idempotency-key k1") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

func TestSubmit_TellsEverythingThatIsWrong(t *testing.T) {
	service := &fakeBatches{states: []batch.Job{job(quotekit.BatchPending, 0, 0, 0, 1)}}
	service.submit = func(w http.ResponseWriter, r *http.Request) {
		rest.WriteProblem(w, r, rest.Invalid(
			rest.FieldError{Location: "body.options.status", Message: "missing"},
			rest.FieldError{Location: "body.items[1]", Message: `"x" is no UUID`},
		))
	}
	file := t.TempDir() + "/quotes.csv"
	if err := os.WriteFile(file, []byte("id\n\na\nx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runAgainst(t, service, "batch", "submit", "--operation", "update_quote_status", "--csv", file)
	want := "quotekit: The request cannot be understood.\n  - options.status: missing\n" +
		"  - items[1] (" + file + " line 4): \"x\" is no UUID\ntry: quotekit operations\n"
	if code != exitUsage || stdout != "" || stderr != want {
		t.Errorf("exit code %d\n%s%s\nwant\n%s", code, stdout, stderr, want)
	}
}

func TestSubmit_SendsNothingThatIsTooLong(t *testing.T) {
	service := &fakeBatches{states: []batch.Job{job(quotekit.BatchPending, 0, 0, 0, 1)}}
	file := t.TempDir() + "/long.jsonl"
	if err := os.WriteFile(file, fmt.Appendf(nil, "%q\n", strings.Repeat("x", maxRequest)), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := runAgainst(t, service, "batch", "submit", "--operation", "bulk_create_items", "--jsonl", file)
	if code != exitUsage || len(service.calls) > 0 || !strings.Contains(stderr, "at most 8") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

func TestPreview(t *testing.T) {
	dry := job(quotekit.BatchCompleted, 1, 12, 1, 14)
	dry.Operation = "delete_clients"
	var results []batch.JobResult
	notFound, duplicate := quotekit.ItemNotFound, quotekit.ItemDuplicate
	results = append(results, batch.JobResult{Position: 1, Outcome: quotekit.Skipped, ErrorCode: &duplicate})
	for i := range 12 {
		results = append(results, batch.JobResult{Position: 2 + i, Outcome: quotekit.Failed, ErrorCode: &notFound})
	}
	want := "14 items: 1 would be deleted, 12 not found (positions 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …), 1 duplicate (position 1). Nothing was changed."
	if got := preview(dry, results); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestChange(t *testing.T) {
	tests := []struct{ before, after, want string }{
		{`{"status":"draft"}`, `{"status":"sent"}`, "status: draft → sent"},
		{`{"unit_price":null,"tags":["a"]}`, `{"unit_price":"10.50","tags":[]}`, `tags: ["a"] → [], unit_price: null → 10.50`},
		{`{"id":"x","name":"Design","unit":"h","unit_price":"10.00"}`, ``, "- Design 10.00"},
		{`null`, `{"quote_number":"Q-1","client_name":"Ada","total":"5.00","client_id":null}`, "+ Q-1 Ada 5.00"},
		{``, `null`, "-"},
		{`[]`, ``, "?"},
	}
	for _, tt := range tests {
		var r batch.JobResult
		if tt.before != "" {
			r.Before = json.RawMessage(tt.before)
		}
		if tt.after != "" {
			r.After = json.RawMessage(tt.after)
		}
		if got := change(r); got != tt.want {
			t.Errorf("%s → %s: got %q, want %q", tt.before, tt.after, got, tt.want)
		}
	}
}

func TestHandlerTransport(t *testing.T) {
	ended := make(chan struct{}, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			fmt.Fprint(w, "half")
			panic(http.ErrAbortHandler)
		case "/stream":
			defer func() { ended <- struct{}{} }()
			for i := range 3 {
				fmt.Fprintf(w, "data: %d\n\n", i)
			}
			<-r.Context().Done()
		case "/silent":
			w.Header().Set("X-Late", "no")
		}
	})
	get := func(path string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://in-process"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: handlerTransport{handler}, Timeout: time.Minute}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}

	stream := get("/stream")
	events := newEventReader(stream.Body)
	for i := range 3 {
		if e, err := events.next(); err != nil || e.data != fmt.Sprint(i) {
			t.Errorf("event %d: %+v, %v", i, e, err)
		}
	}
	_ = stream.Body.Close()
	select {
	case <-ended:
	default:
		t.Error("the body is closed, and the handler still runs")
	}

	cut := get("/cut")
	if b, err := io.ReadAll(cut.Body); err == nil || string(b) != "half" {
		t.Errorf("half an answer is taken for a whole one: %q, %v", b, err)
	}
	_ = cut.Body.Close()

	silent := get("/silent")
	if b, err := io.ReadAll(silent.Body); err != nil || len(b) > 0 || silent.StatusCode != 200 || silent.Header.Get("X-Late") != "no" {
		t.Errorf("%d %q %v", silent.StatusCode, b, err)
	}
	_ = silent.Body.Close()
}
