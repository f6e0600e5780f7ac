package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

// fakeService answers like the API, with states that are hard to bring about
// in the real one. Keys of status are event ids.
type fakeService struct {
	mu     sync.Mutex
	status map[string]string
	// after is what a pending event becomes once it was looked at.
	after map[string]string
	calls []string
}

func (f *fakeService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, r.Method+" "+r.URL.RequestURI())
	id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, eventsPath+"/"), "/replay")
	status, known := f.status[id]
	switch {
	case r.Header.Get("Authorization") != "Bearer t0ken":
		rest.WriteProblem(w, r, rest.NewProblem(401, quotekit.EUnauthorized, "who are you"))
	case !known:
		rest.WriteProblem(w, r, rest.NewProblem(404, quotekit.ENotFound, "no event "+id))
	case r.Method == http.MethodPost && status == "busy":
		rest.WriteProblem(w, r, rest.NewProblem(409, quotekit.EConflict, id+" is being attempted"))
	case r.Method == http.MethodPost:
		rest.WriteJSON(w, r, 202, map[string]string{"stripe_event_id": id, "status": "pending"})
	default:
		if next := f.after[id]; next != "" {
			f.status[id] = next
		}
		rest.WriteJSON(w, r, 200, map[string]any{"stripe_event_id": id, "status": status, "error_message": "because"})
	}
}

// runAgainst runs a command against a service, without any environment.
func runAgainst(t *testing.T, service http.Handler, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	server := httptest.NewServer(service)
	defer server.Close()
	args = append([]string{"quotekit"}, append(args, "--url", server.URL, "--token", "t0ken")...)
	var out, talk bytes.Buffer
	code = run(context.Background(), args, func(string) string { return "" }, strings.NewReader(""), &out, &talk)
	return code, out.String(), talk.String()
}

func TestReplay_ExitCodes(t *testing.T) {
	tests := []struct {
		name   string
		ids    []string
		code   int
		stderr string
	}{
		{"settles after a while", []string{"evt_slow"}, exitDone, ""},
		{"dies again", []string{"evt_dead"}, exitFailed, "evt_dead: because\ntry: quotekit events get evt_dead"},
		{"unknown", []string{"evt_none"}, exitNotFound, "no event evt_none"},
		{"conflict", []string{"evt_busy"}, exitConflict, "is being attempted"},
		{"never settles", []string{"evt_stuck"}, exitTimedOut, "evt_stuck is still pending"},
		{"some of them", []string{"evt_ok", "evt_dead"}, exitPartly, "1 of 2 did not succeed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := &fakeService{
				status: map[string]string{"evt_ok": "succeeded", "evt_slow": "pending", "evt_dead": "dead", "evt_busy": "busy", "evt_stuck": "pending"},
				after:  map[string]string{"evt_slow": "succeeded"},
			}
			args := append([]string{"events", "replay", "--timeout", "200ms"}, tt.ids...)
			code, stdout, stderr := runAgainst(t, service, args...)
			if code != tt.code || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit code %d, want %d; stderr:\n%s", code, tt.code, stderr)
			}
			if !strings.Contains(stdout, tt.ids[0]) {
				t.Errorf("stdout says nothing of %s:\n%s", tt.ids[0], stdout)
			}
		})
	}
}

func TestReplay_JSON(t *testing.T) {
	service := &fakeService{status: map[string]string{"evt_ok": "succeeded", "evt_dead": "dead"}}
	code, stdout, _ := runAgainst(t, service, "events", "replay", "--json", "evt_ok", "evt_dead", "evt_none")
	var list page[outcome]
	if err := json.Unmarshal([]byte(stdout), &list); err != nil {
		t.Fatalf("stdout is not JSON: %v\n%s", err, stdout)
	}
	if code != exitPartly || len(list.Items) != 3 || list.Items[0].Error != nil || list.Items[1].Status != "dead" || *list.Items[2].Error != "no event evt_none" {
		t.Errorf("exit code %d, %s", code, stdout)
	}
}

func TestDeadLetters_FilterGoesToTheService(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"list"}, "limit=50&resolved=false"},
		{[]string{"list", "--resolved"}, "limit=50&resolved=true"},
		{[]string{"list", "--all", "--limit", "3"}, "limit=3"},
		{[]string{"list", "--reason", "HANDLER_PANIC"}, "limit=50&reason=HANDLER_PANIC&resolved=false"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			var queries []string
			service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				queries = append(queries, r.URL.RawQuery)
				fmt.Fprint(w, `{"items":[],"next_cursor":null}`)
			})
			code, _, stderr := runAgainst(t, service, append([]string{"dlq"}, tt.args...)...)
			if code != exitDone || len(queries) != 1 || queries[0] != tt.want {
				t.Errorf("exit code %d, queries %q, want %q; stderr:\n%s", code, queries, tt.want, stderr)
			}
		})
	}
}

// fakeBulk answers a preview and its start, and shows the task with the counts it
// is given, one after the other.
type fakeBulk struct {
	t      *testing.T
	counts []string
	bodies []string
}

func (f *fakeBulk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.t.Error(err)
	}
	switch {
	case r.Method == http.MethodPost:
		f.bodies = append(f.bodies, string(body))
		fmt.Fprint(w, `{"count": 2, "more": false, "sample": [], "token": "bulk_t", "task_id": "01"}`)
	case strings.HasSuffix(r.URL.Path, "/results"):
		fmt.Fprint(w, `{"items": [{"dead_letter_id": "a", "stripe_event_id": "evt_1", "outcome": "failed", "error": "no use"}], "next_cursor": null}`)
	default:
		status := "completed"
		if strings.Contains(f.counts[0], "unprocessed") {
			status = "cancelled"
		}
		fmt.Fprintf(w, `{"id": "01", "kind": "dead_letter_bulk", "status": %q, "total_items": 2, "report": {%s}}`, status, f.counts[0])
		if len(f.counts) > 1 {
			f.counts = f.counts[1:]
		}
	}
}

func TestDeadLetters_BulkByFilter(t *testing.T) {
	const preview = `"dry_run":true,"filter":{"reason":"HANDLER_PANIC","resolved":false}`
	tests := []struct {
		name   string
		args   []string
		counts []string
		code   int
		bodies string
	}{
		{
			"all",
			[]string{"retry", "--all"},
			[]string{`"succeeded": 2`},
			exitDone,
			`{"action":"retry","dry_run":true,"filter":{"resolved":false}} {"reason":"retried from the command line","token":"bulk_t"}`,
		},
		{
			"after a while",
			[]string{"retry", "--reason", "HANDLER_PANIC"},
			[]string{`"pending": 2`, `"pending": 2`, `"succeeded": 2`},
			exitDone,
			`{"action":"retry",` + preview + `} {"reason":"HANDLER_PANIC","token":"bulk_t"}`,
		},
		{
			"resolve",
			[]string{"resolve", "--failure-reason", "HANDLER_PANIC", "--reason", "given up", "--rate", "7", "--limit", "9"},
			[]string{`"resolved": 2`},
			exitDone,
			`{"action":"resolve",` + preview + `,"limit":9,"rate":7} {"reason":"given up","token":"bulk_t"}`,
		},
		{
			"current",
			[]string{"retry", "--event-type", "x", "--current"},
			[]string{`"succeeded": 1, "failed": 1`},
			exitPartly,
			`{"action":"retry","dry_run":true,"filter":{"event_type":"x","resolved":false},"mode":"current"} {"reason":"retried from the command line","token":"bulk_t"}`,
		},
		{"all fail", []string{"retry", "--all"}, []string{`"failed": 2`}, exitFailed, ""},
		{"cancelled", []string{"retry", "--all"}, []string{`"succeeded": 1, "unprocessed": 1`}, exitPartly, ""},
		{"never settles", []string{"retry", "--all", "--timeout", "200ms"}, []string{`"pending": 2`}, exitTimedOut, ""},
		{"only looks", []string{"retry", "--all", "--dry-run"}, nil, exitDone, `{"action":"retry","dry_run":true,"filter":{"resolved":false}}`},
		{"does not wait", []string{"retry", "--all", "--no-wait"}, []string{`"pending": 2`}, exitDone, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := &fakeBulk{t: t, counts: tt.counts}
			code, _, stderr := runAgainst(t, service, append([]string{"dlq"}, tt.args...)...)
			if got := strings.Join(service.bodies, " "); code != tt.code || (tt.bodies != "" && got != tt.bodies) {
				t.Errorf("exit code %d, want %d; requests\n%s\nwant\n%s\nstderr:\n%s", code, tt.code, got, tt.bodies, stderr)
			}
		})
	}
}

func TestList_IsSafeToPrint(t *testing.T) {
	service := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"items":[{"stripe_event_id":"evt_1","error_message":"\u001b[2Jgone\nnext"}],"next_cursor":null}`)
	})
	code, stdout, _ := runAgainst(t, service, "events", "list")
	if code != exitDone || strings.Contains(stdout, "\x1b") || strings.Count(stdout, "\n") != 2 {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
}

func TestClient_TellsStrangersApart(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		code   int
	}{
		{"another program", 200, "<html>", exitFailed},
		{"a proxy", 502, "Bad Gateway", exitFailed},
		{"forbidden", 403, `{"detail":"needs operator"}`, exitNotAllowed},
		{"invalid", 400, `{"detail":"bad","errors":[{"location":"query.limit","message":"too large"}]}`, exitUsage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			})
			if code, _, stderr := runAgainst(t, service, "events", "list"); code != tt.code {
				t.Errorf("exit code %d, want %d; stderr:\n%s", code, tt.code, stderr)
			}
		})
	}
}
