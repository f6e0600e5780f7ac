package app_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe"
)

const (
	secret = "whsec_test_kit"
	token  = "token-of-the-test-kit"
)

// tables makes all tables of the service, River's too.
func tables(ctx context.Context, s *store.Store) error {
	return s.Migrate(ctx, func(ctx context.Context) error { return jobs.Migrate(ctx, s) })
}

// onBoth runs f with the URL of a fresh database of each engine.
func onBoth(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, storetest.SQLiteURL(t, tables)) })
	t.Run("postgres", func(t *testing.T) { f(t, storetest.PostgresURL(t, tables)) })
}

// onBothAtOnce is onBoth with the engines side by side, for tests that take long and
// do not look at the time. Nothing may come after it in its test.
func onBothAtOnce(t *testing.T, f func(t *testing.T, url string)) {
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		f(t, url)
	})
}

// service is a running service and a client for it.
type service struct {
	*app.App
	t    testing.TB
	stop func()
	// ended has what Run returned.
	ended chan error
	// checked is how many deliveries were checked against the document.
	checked *atomic.Int32
}

// mustStart runs the service until the test ends or stop is called.
func mustStart(t testing.TB, url string, o app.Options) *service {
	t.Helper()
	return mustStartWith(t, plainConfig(url), o)
}

// plainConfig is what a service of a test is configured with.
func plainConfig(url string) app.Config {
	return app.Config{
		DatabaseURL: url, Addr: "127.0.0.1:0", WebhookSecrets: []string{secret},
		AdminTokens: []rest.Token{{Name: "ada", Secret: token}},
	}
}

func mustStartWith(t testing.TB, c app.Config, o app.Options) *service {
	t.Helper()
	s := mustBegin(t, c, o)
	select {
	case <-s.Ready():
	case err := <-s.ended:
		s.ended <- nil // for stop
		t.Fatal(err)
	}
	return s
}

// mustBegin starts a service and waits only until it listens.
func mustBegin(t testing.TB, c app.Config, o app.Options) *service {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	if _, made := t.(*testing.F); !made { // a fuzzer may make up an id that is a secret
		o.Logger = watched(o.Logger)
	}
	if o.KeepAfter == 0 {
		o.KeepAfter = time.Minute // a test of load says how much it means
	}
	a, err := app.New(context.Background(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &service{App: a, t: t, checked: new(atomic.Int32), ended: make(chan error, 1)}
	go func() { s.ended <- a.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-s.ended; err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(s.stop)
	select {
	case <-a.Listening():
	case err := <-s.ended:
		s.ended <- nil
		t.Fatal(err)
	}
	return s
}

// testWriter writes the service's log into the test's, as long as it runs.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimSpace(b))
	return len(b), nil
}

// answer is what the service says to a delivery.
type answer struct {
	HTTP      int
	Received  bool   `json:"received"`
	EventID   string `json:"event_id"`
	Duplicate bool   `json:"duplicate"`
	Status    string `json:"status"`
	Code      string `json:"code"`
}

// post delivers a body as Stripe does.
func (s *service) post(body []byte) answer {
	s.t.Helper()
	a, err := s.tryPost(body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// checkedDeliveries is how many deliveries to a service are checked against the
// document; tests of load and order send thousands.
const checkedDeliveries = 20

func (s *service) tryPost(body []byte) (answer, error) {
	return send(s.URL(), body, func(req *http.Request, resp *http.Response, b []byte) {
		if s.checked.Add(1) <= checkedDeliveries {
			checkExchange(s.t, req, body, resp, b)
		}
	})
}

// tryPost delivers a body to the service at a base URL.
func tryPost(url string, body []byte) (answer, error) {
	return send(url, body, func(*http.Request, *http.Response, []byte) {})
}

func send(url string, body []byte, check func(*http.Request, *http.Response, []byte)) (answer, error) {
	req, err := http.NewRequest(http.MethodPost, url+"/webhooks/stripe", bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("Stripe-Signature", stripe.Sign(body, secret, time.Now()))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	check(req, resp, b)
	a := answer{HTTP: resp.StatusCode}
	if resp.StatusCode == http.StatusOK {
		return a, json.Unmarshal(b, &a)
	}
	var p struct{ Code string }
	err = json.Unmarshal(b, &p)
	a.Code = p.Code
	return a, err
}

// mustSettle waits until nothing is pending.
func (s *service) mustSettle() {
	s.t.Helper()
	eventually(s.t, 5*time.Minute, "nothing is pending", func() bool {
		return s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'pending'") == "0"
	})
}

// call asks the operators' API.
func (s *service) call(method, path, body string) (status int, answer map[string]any) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, b := s.do(req, []byte(body))
	if err := json.Unmarshal(b, &answer); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp.StatusCode, answer
}

// do sends a request, of which body is the body, and reads the answer. Both are
// checked against the document.
func (s *service) do(req *http.Request, body []byte) (*http.Response, []byte) {
	s.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	checkExchange(s.t, req, body, resp, b)
	return resp, b
}

// separator stands between the columns of a line.
const separator = " | "

// statusOf asks with any credential.
func (s *service) statusOf(method, path, authorization string) int {
	s.t.Helper()
	req, err := http.NewRequest(method, s.URL()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, _ := s.do(req, nil)
	return resp.StatusCode
}

// query returns the rows of a query, each as one line of "column=value".
func (s *service) query(query string, args ...any) []string {
	s.t.Helper()
	lines, err := queryLines(s.Store().Reader(), query, args...)
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return lines
}

// value returns the only value of a query as text; NULL is "null".
func (s *service) value(query string, args ...any) string {
	s.t.Helper()
	lines := s.query(query, args...)
	if len(lines) != 1 {
		s.t.Fatalf("%s %v: got %d rows, want one", query, args, len(lines))
	}
	_, v, _ := strings.Cut(lines[0], "=")
	return v
}

func queryLines(db *sql.DB, query string, args ...any) ([]string, error) {
	rows, err := db.Query(query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	var lines []string
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			return nil, err
		}
		parts := make([]string, len(columns))
		for i, v := range values {
			value := *v.(*any)
			if n, ok := value.(int64); ok && strings.HasPrefix(columns[i].DatabaseTypeName(), "BOOL") {
				value = n != 0 // SQLite's
			}
			parts[i] = columns[i].Name() + "=" + show(value)
		}
		lines = append(lines, strings.Join(parts, separator))
	}
	return lines, rows.Err()
}

// show writes a value alike whichever engine it comes from.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []byte:
		return show(string(v))
	case string:
		var parsed any
		if strings.HasPrefix(v, "{") || strings.HasPrefix(v, "[") {
			dec := json.NewDecoder(strings.NewReader(v))
			dec.UseNumber()
			if dec.Decode(&parsed) == nil {
				b, _ := json.Marshal(parsed)
				return string(b)
			}
		}
		return v
	}
	return fmt.Sprint(v)
}

// mirrorTables are all tables whose rows are a function of the events.
var mirrorTables = []string{
	"stripe_customers", "stripe_products", "stripe_prices", "subscriptions", "subscription_items",
	"stripe_invoices", "payment_methods", "stripe_checkout_sessions", "subscription_changes",
}

// mirror returns all rows of the mirror but what tells when and where a row was
// written.
func (s *service) mirror() []string { return s.mirrorWhere("") }

func (s *service) mirrorWhere(where string, args ...any) []string {
	s.t.Helper()
	var all []string
	for _, table := range mirrorTables {
		lines := s.query("SELECT * FROM "+table+" "+where, args...)
		for i, line := range lines {
			var kept []string
			for _, part := range strings.Split(line, separator) {
				name, _, _ := strings.Cut(part, "=")
				if name == "created_at" || name == "updated_at" || (table == "subscription_changes" && name == "id") {
					continue
				}
				kept = append(kept, part)
			}
			lines[i] = table + ": " + strings.Join(kept, separator)
		}
		slices.Sort(lines)
		all = append(all, lines...)
	}
	return all
}

// diff describes the first lines that differ.
func diff(got, want []string) string {
	count := map[string]int{}
	for _, line := range got {
		count[line]++
	}
	for _, line := range want {
		count[line]--
	}
	var out []string
	for line, n := range count {
		switch {
		case n > 0:
			out = append(out, "+ "+line)
		case n < 0:
			out = append(out, "- "+line)
		}
	}
	slices.SortFunc(out, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
	if len(out) > 20 {
		out = append(out[:20], fmt.Sprintf("and %d more", len(out)-20))
	}
	return strings.Join(out, "\n")
}

// fixtures returns all events of testdata by file name.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../testdata/stripe/*.json")
	if err != nil || len(files) < 100 {
		t.Fatalf("got %d fixtures, %v", len(files), err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".json")] = b
	}
	return all
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, ok := fixtures(t)[name]
	if !ok {
		t.Fatalf("no fixture %s", name)
	}
	return b
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	if !comesTrue(within, ok) {
		t.Fatalf("%s: not within %s", what, within)
	}
}

// comesTrue waits for a condition and reports whether it came true in time.
func comesTrue(within time.Duration, ok func() bool) bool {
	deadline := time.After(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			return false
		}
	}
	return true
}
