package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
)

const (
	stripeSecret = "whsec_of_the_example"
	operator     = "a-token-of-the-example"
	userSecret   = "a-secret-of-the-example-with-32-bytes"
	userID       = "7f0c2d5e-0b0c-4d43-9a53-6f2c0e1d7a01"
)

// books is a ledger for tests. It answers with what answer says.
type books struct {
	mu      sync.Mutex
	answer  int
	keys    []string
	entries []string
}

func (b *books) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // what is missing of it is missing in entries
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys, b.entries = append(b.keys, r.Header.Get("Idempotency-Key")), append(b.entries, string(body))
	w.WriteHeader(b.answer)
}

func (b *books) answers(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = status
}

func (b *books) told() (keys, entries []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.keys), slices.Clone(b.entries)
}

// service is the command, running, and its ledger.
type service struct {
	*books
	t   *testing.T
	url string
}

// mustRun runs the command on a SQLite file of its own until the test ends.
func mustRun(t *testing.T) *service {
	t.Helper()
	s := &service{books: &books{answer: http.StatusCreated}, t: t}
	ledger := httptest.NewServer(s.books)
	t.Cleanup(ledger.Close)
	settings := map[string]string{
		"DATABASE_URL": "sqlite:" + filepath.Join(t.TempDir(), "own.db"), "QUOTEKIT_ADDR": "127.0.0.1:0",
		"STRIPE_WEBHOOK_SECRET": stripeSecret, "QUOTEKIT_ADMIN_TOKEN": "ann=" + operator, "SUPABASE_JWT_SECRET": userSecret,
		"LEDGER_URL": ledger.URL,
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- run(ctx, func(name string) string { return settings[name] }, slog.New(slog.DiscardHandler), func(url string) { ready <- url })
	}()
	select {
	case s.url = <-ready:
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask sends a request and reads the answer, which is JSON.
func (s *service) ask(method, path, body string, headers ...string) (status int, answer map[string]any) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		s.t.Fatalf("%s %s: status %d, %v", method, path, resp.StatusCode, err)
	}
	return resp.StatusCode, answer
}

// deliver posts an event as Stripe does, and returns its status.
func (s *service) deliver(body string) string {
	s.t.Helper()
	at := fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, []byte(stripeSecret))
	mac.Write([]byte(at + "." + body))
	status, answer := s.ask("POST", "/webhooks/stripe", body, "Stripe-Signature", "t="+at+",v1="+hex.EncodeToString(mac.Sum(nil)))
	if status != http.StatusOK {
		s.t.Fatalf("got %d %v", status, answer)
	}
	return answer["status"].(string)
}

// becomes waits for the status of an event.
func (s *service) becomes(eventID, want string) {
	s.t.Helper()
	s.eventually("event "+eventID+" is "+want, func() bool {
		_, answer := s.ask("GET", "/v1/monitor/events/"+eventID, "", "Authorization", "Bearer "+operator)
		return answer["status"] == want
	})
}

// eventually waits for a condition that workers bring about.
func (s *service) eventually(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("%s: not within a minute", what)
		}
	}
}

func invoice(eventID, object string) string {
	return fmt.Sprintf(`{"id":%q,"object":"event","type":"invoice.finalized","created":1775000000,"livemode":false,"data":{"object":%s}}`, eventID, object)
}

// TestOwnMain_TheLedgerIsToldAndTheInvoiceMirrored: the ledger is away at first, and is told
// again under the same key.
func TestOwnMain_TheLedgerIsToldAndTheInvoiceMirrored(t *testing.T) {
	s := mustRun(t)
	s.answers(http.StatusServiceUnavailable)
	body := invoice("evt_1", `{"id":"in_1","object":"invoice","status":"open","currency":"eur","total":1250,"amount_due":1250}`)
	if got := s.deliver(body); got != "pending" {
		t.Fatalf("the event is %s when it is acknowledged, want pending", got)
	}
	s.eventually("the ledger is told", func() bool {
		keys, _ := s.told()
		return len(keys) > 0
	})
	s.answers(http.StatusCreated)
	s.becomes("evt_1", "succeeded")
	keys, entries := s.told()
	if len(keys) < 2 || len(slices.Compact(keys)) != 1 || keys[0] != "evt_1" || entries[0] != `{"id":"in_1","total":1250,"currency":"eur"}` {
		t.Errorf("the ledger was told %q under %q, want it at least twice under the id of the event", entries, keys)
	}
	_, object := s.ask("GET", "/v1/monitor/objects/in_1", "", "Authorization", "Bearer "+operator)
	if text, err := json.Marshal(object); err != nil || !bytes.Contains(text, []byte(`"stripe_invoices"`)) || !bytes.Contains(text, []byte("1250")) {
		t.Errorf("got %s, %v, want a row of the invoice", text, err)
	}
	if got := s.deliver(body); got != "succeeded" {
		t.Errorf("delivered again it is %s", got)
	}
	if again, _ := s.told(); len(again) != len(entries) {
		t.Errorf("a duplicate has told the ledger again: %q", again)
	}
}

// TestOwnMain_WhatTheLedgerRefusesIsDead, and so is what has no amount.
func TestOwnMain_WhatTheLedgerRefusesIsDead(t *testing.T) {
	s := mustRun(t)
	s.answers(http.StatusUnprocessableEntity)
	s.deliver(invoice("evt_1", `{"id":"in_1","object":"invoice","currency":"eur","total":1250}`))
	s.becomes("evt_1", "dead")
	s.deliver(invoice("evt_2", `{"id":"in_2","object":"invoice","currency":"eur"}`))
	s.becomes("evt_2", "dead")
	if keys, _ := s.told(); !slices.Equal(keys, []string{"evt_1"}) {
		t.Errorf("the ledger was told under %q", keys)
	}
}

// userToken is a JWT of the user.
func userToken(t *testing.T) string {
	t.Helper()
	part := func(v map[string]any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(map[string]any{"alg": "HS256", "typ": "JWT"}) + "." +
		part(map[string]any{"sub": userID, "aud": "authenticated", "role": "authenticated", "exp": time.Now().Add(time.Hour).Unix()})
	mac := hmac.New(sha256.New, []byte(userSecret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// TestOwnMain_RoundsPrices makes items by an operation of the service, rounds them by the
// one of our own, and takes it back.
func TestOwnMain_RoundsPrices(t *testing.T) {
	s := mustRun(t)
	asUser := []string{"Authorization", "Bearer " + userToken(t), "Prefer", "wait=20"}
	job := func(path, body string) map[string]any {
		t.Helper()
		status, answer := s.ask("POST", path, body, asUser...)
		if status/100 != 2 || answer["status"] != "completed" {
			t.Fatalf("POST %s %s: got %d %v", path, body, status, answer)
		}
		return answer
	}
	created := job("/v1/batch-jobs", `{"operation":"bulk_create_items","items":[{"name":"a","unit_price":"1.01"},{"name":"b","unit_price":"2.50"}]}`)
	_, results := s.ask("GET", "/v1/batch-jobs/"+created["id"].(string)+"/results", "", asUser...)
	var ids []string
	for _, r := range results["items"].([]any) {
		ids = append(ids, r.(map[string]any)["item_id"].(string))
	}
	prices := func() (list []any) {
		t.Helper()
		for _, id := range ids {
			_, item := s.ask("GET", "/v1/items/"+id, "", asUser...)
			list = append(list, item["unit_price"])
		}
		return list
	}
	items, err := json.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	submission := func(to string) string {
		return fmt.Sprintf(`{"operation":"round_item_prices","options":{"to":%s},"items":%s}`, to, items)
	}
	for _, wrong := range []string{`"0"`, `"-1"`, `"1.005"`, `0.5`, `"1000.01"`, `null`} {
		if status, answer := s.ask("POST", "/v1/batch-jobs", submission(wrong), asUser...); status/100 != 4 {
			t.Errorf("to %s: got %d %v", wrong, status, answer)
		}
	}
	rounded := job("/v1/batch-jobs", submission(`"0.50"`))
	if rounded["succeeded_items"] != 1.0 || rounded["skipped_items"] != 1.0 {
		t.Errorf("got %v", rounded)
	}
	if got := prices(); !slices.Equal(got, []any{"1.50", "2.50"}) {
		t.Errorf("got %v", got)
	}
	job("/v1/batch-jobs/"+rounded["id"].(string)+"/undo", "")
	if got := prices(); !slices.Equal(got, []any{"1.01", "2.50"}) {
		t.Errorf("after the undo: got %v", got)
	}
}

func TestRoundUp(t *testing.T) {
	for _, c := range []struct{ price, step, want quotekit.Cents }{
		{101, 50, 150}, {100, 50, 100}, {0, 50, 0}, {1, 1, 1}, {-101, 50, -100}, {-100, 50, -100}, {1, 1000_00, 1000_00},
	} {
		if got := roundUp(c.price, c.step); got != c.want {
			t.Errorf("%s to a multiple of %s: got %s, want %s", c.price, c.step, got, c.want)
		}
	}
}

func TestRun_WantsALedger(t *testing.T) {
	settings := map[string]string{"DATABASE_URL": "sqlite:" + filepath.Join(t.TempDir(), "own.db"), "LEDGER_URL": "ledger"}
	err := run(t.Context(), func(name string) string { return settings[name] }, slog.New(slog.DiscardHandler), func(string) {})
	if err == nil || !strings.Contains(err.Error(), "LEDGER_URL") {
		t.Errorf("got %v", err)
	}
}
