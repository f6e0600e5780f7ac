package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/operations"
)

// childVariable makes the test binary the service that is measured, of one of the kinds
// below but honest.
const childVariable = "QUOTEKIT_TEST_BENCH_SERVICE"

const (
	honest = "honest" // the command itself
	idle   = "idle"   // the service, whose handlers change nothing and whose prices rise too little
	liar   = "liar"   // says that all is well, and does nothing
	dead   = "dead"   // ends at once
)

// command builds the command as it is released, without the race detector, which its own
// tests have. The file stays until the tests end.
var command = sync.OnceValues(func() (string, error) {
	path := filepath.Join(folder, "quotekit")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "../../cmd/quotekit")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", build, err, out)
	}
	return path, nil
})

// folder is removed when the tests end.
var folder string

func TestMain(m *testing.M) {
	kind := os.Getenv(childVariable)
	if kind == "" {
		var err error
		if folder, err = os.MkdirTemp("", "quotekit-bench"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		code := m.Run()
		_ = os.RemoveAll(folder)
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	var err error
	switch kind {
	case liar:
		err = lie(ctx)
	case dead:
		err = errors.New("this is the end")
	case idle:
		err = idleAway(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// testConfig is a bench of small sizes beside a database, by a service of some kind.
func testConfig(t *testing.T, databaseURL, kind string, only ...string) Config {
	t.Helper()
	scenarios, err := Select(only)
	if err != nil {
		t.Fatal(err)
	}
	service := []string{os.Args[0]}
	if kind == honest {
		path, err := command()
		if err != nil {
			t.Fatal(err)
		}
		service = []string{path, "bench-service"}
	}
	return Config{
		DatabaseURL: databaseURL, Service: service, Environment: append(os.Environ(), childVariable+"="+kind),
		Routes: handlers.Routes(), Version: "0.0.0-test", Scenarios: scenarios, Runs: 1, Duration: 200 * time.Millisecond, Events: 1000,
		Sizes: Sizes{
			Stories: 20, Warm: 200, Burst: 300, Lane: 150, Copied: 40, Copies: 4, BatchItems: 60, ExportItems: 30, BatchRounds: 1,
			Reads: 3, SetRows: 100, Patience: 2 * time.Minute,
		},
		Progress: func(text string) { t.Log(text) },
	}
}

// argument is the value of a flag of the child.
func argument(name string) string {
	if i := slices.Index(os.Args, name); i >= 0 && i+1 < len(os.Args) {
		return os.Args[i+1]
	}
	return ""
}

// idleAway serves, but nothing comes of it.
func idleAway(ctx context.Context) error {
	cfg, err := app.LoadConfig(os.Getenv, nil, argument("--config"))
	if err != nil {
		return err
	}
	o := app.Options{Routes: handlers.Routes(), Operations: operations.Operations()}
	for i := range o.Routes {
		o.Routes[i].Deferred = slices.Contains(os.Args, "--deferred")
		o.Routes[i].Handle = func(context.Context, quotekit.Event) (quotekit.Changes, error) { return quotekit.Changes{}, nil }
	}
	for i, operation := range o.Operations {
		if operation.Name == "update_item_prices" {
			o.Operations[i].Prepare = func(map[string]json.RawMessage) (quotekit.Step, []quotekit.FieldError) {
				return operation.Prepare(map[string]json.RawMessage{"price_adjustment": json.RawMessage(`{"type":"percentage","value":"4"}`)})
			}
		}
	}
	a, err := app.New(ctx, cfg, o)
	if err != nil {
		return err
	}
	go func() {
		<-a.Listening()
		fmt.Println(a.URL())
	}()
	return errors.Join(a.Run(ctx), a.Close())
}

// lie answers as a service does that has done everything. It makes the tables, so that
// whoever looks into them finds what is missing.
func lie(ctx context.Context) error {
	s, err := store.Open(ctx, store.Config{URL: os.Getenv("DATABASE_URL"), Schema: os.Getenv("QUOTEKIT_SCHEMA")})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	server := &http.Server{Handler: &lies{seen: map[string]bool{}}}
	go func() { _ = server.Serve(listener) }()
	<-ctx.Done()
	return server.Close()
}

// lies are the answers of a liar.
type lies struct {
	mu    sync.Mutex
	seen  map[string]bool
	items int64 // of the last job
}

func (l *lies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	l.mu.Lock()
	defer l.mu.Unlock()
	text := ""
	switch path := r.URL.Path; {
	case path == "/readyz":
	case path == "/webhooks/stripe":
		id, status := gjson.GetBytes(body, "id").Str, "succeeded"
		if slices.Contains(os.Args, "--deferred") {
			status = "pending"
		}
		text = fmt.Sprintf(`{"received":true,"event_id":%q,"duplicate":%t,"status":%q}`, id, l.seen[id], status)
		l.seen[id] = true
	case path == "/v1/monitor/events":
		text = `{"items":[],"next_cursor":null}`
	case path == "/v1/monitor/overview":
		text = fmt.Sprintf(`{"total_events":%d,"counts":{"succeeded":%[1]d}}`, len(l.seen))
	case path == "/v1/batch-jobs":
		l.items = gjson.GetBytes(body, "items.#").Int()
		text = fmt.Sprintf(`{"id":"a","status":"completed","succeeded_items":%d}`, l.items)
	case strings.HasSuffix(path, "/export"):
		text = "[" + strings.TrimSuffix(strings.Repeat("{},", int(l.items)), ",") + "]"
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = io.WriteString(w, text)
}
