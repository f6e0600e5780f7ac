package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/stripe"
)

// in is the service for a subtest: what fails, fails there.
func (s *service) in(t testing.TB) *service {
	c := *s
	c.t = t
	return &c
}

// response is an answer with everything a sender sees of it.
type response struct {
	status int
	header http.Header
	body   []byte
}

// mustDelivery makes a rightly signed delivery, for tests to spoil.
func (s *service) mustDelivery(body []byte) *http.Request {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.URL()+"/webhooks/stripe", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Stripe-Signature", stripe.Sign(body, secret, time.Now()))
	return req
}

func (s *service) mustSend(req *http.Request) response {
	s.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.mustRead(resp)
}

func (s *service) mustRead(resp *http.Response) response {
	s.t.Helper()
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response{resp.StatusCode, resp.Header, b}
}

// mustSendRaw sends bytes as they are, and no more after them.
func (s *service) mustSendRaw(request string) response {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte(request)); err != nil {
		s.t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.mustRead(resp)
}

// checkProblem checks that r is the problem document of a refusal, complete.
func checkProblem(t *testing.T, r response, status int, code string) {
	t.Helper()
	var p struct {
		Type, Title, Detail, Instance, Code string
		Status                              int
		RequestID                           string `json:"request_id"`
	}
	if err := json.Unmarshal(r.body, &p); err != nil {
		t.Fatalf("got %d %s, which is no problem document: %v", r.status, r.body, err)
	}
	if r.status != status || p.Status != status || p.Code != code {
		t.Errorf("got %d, in the document %d %s, want %d %s", r.status, p.Status, p.Code, status, code)
	}
	if got := r.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("got Content-Type %q", got)
	}
	if p.Type == "" || p.Title == "" || p.Detail == "" || p.Instance == "" {
		t.Errorf("the document is not complete: %s", r.body)
	}
	if p.RequestID == "" || p.RequestID != r.header.Get("X-Request-Id") {
		t.Errorf("got request id %q, in the header %q", p.RequestID, r.header.Get("X-Request-Id"))
	}
	wait, err := strconv.Atoi(r.header.Get("Retry-After"))
	if (status == 503) != (err == nil && wait > 0) {
		t.Errorf("got Retry-After %q with %d", r.header.Get("Retry-After"), status)
	}
	if got := r.header.Get("Allow"); (status == 405) != (got == "POST") {
		t.Errorf("got Allow %q with %d", got, status)
	}
}

// checkAnswer checks that r is the documented answer to a delivery that is
// kept, byte for byte.
func checkAnswer(t *testing.T, r response, event string, duplicate bool, status string) {
	t.Helper()
	want := fmt.Sprintf(`{"received":true,"event_id":%q,"duplicate":%t,"status":%q}`, event, duplicate, status)
	if got := string(bytes.TrimSuffix(r.body, []byte("\n"))); r.status != 200 || got != want {
		t.Errorf("got %d %s, want %s", r.status, got, want)
	}
	if got := r.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("got Content-Type %q", got)
	}
}

func checkLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if d := diff(got, want); d != "" {
		t.Errorf("got other rows than wanted:\n%s", d)
	}
}

// payload returns the bytes that are kept of an event.
func (s *service) payload(event string) []byte {
	s.t.Helper()
	var b []byte
	const query = "SELECT payload FROM stripe_webhook_events WHERE stripe_event_id = $1"
	if err := s.Store().Reader().QueryRow(query, event).Scan(&b); err != nil {
		s.t.Fatalf("payload of %s: %v", event, err)
	}
	return b
}

// postAll posts bodies at the same time and returns the answers in their order.
func (s *service) postAll(bodies ...[]byte) []answer {
	s.t.Helper()
	answers, errs := make([]answer, len(bodies)), make([]error, len(bodies))
	var posts sync.WaitGroup
	for i, b := range bodies {
		posts.Go(func() { answers[i], errs[i] = s.tryPost(b) })
	}
	posts.Wait()
	for _, err := range errs {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return answers
}

func repeated(b []byte, n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = b
	}
	return all
}

// rename gives an event another id.
func rename(t testing.TB, event []byte, id string) []byte {
	t.Helper()
	var envelope struct{ ID string }
	if err := json.Unmarshal(event, &envelope); err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(event, []byte(`"`+envelope.ID+`"`), []byte(`"`+id+`"`), 1)
}
