package main

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"quotekit": main})
}

// TestScript runs the files of testdata/script, which show the commands as a
// user types them. Beside testscript's own commands they use:
//
//	exits CODE quotekit ARGS…   run it and compare the exit code
//	waitfor FILE [TEXT]         wait until FILE exists and contains TEXT
//	jsonenv NAME FILE PATH      set $NAME to a value of a JSON file (stdout is one)
//	answers HOST:PORT           wait until a service is ready there
//	freeport NAME               set $NAME to host:port where nobody listens
//	happens TYPE [N]            let N events of the type happen at the fake of Stripe, whose
//	                            address and key are $FAKE_STRIPE and $FAKE_STRIPE_KEY
//	waitalert RULE [PATTERN]    wait until an alert of the rule fires, and its line fits
//
// $RECEIVER takes whatever is posted to it.
func TestScript(t *testing.T) { runScripts(t, "testdata/script", "") }

func TestScript_Postgres(t *testing.T) {
	url := storetest.PostgresURL(t, nil)
	takeName(t, url)
	runScripts(t, "testdata/postgres", url)
}

// TestScript_Clients runs the examples of how to use the HTTP API, in every language:
// $PROJECT is the folder of the project, $PRICES the example in Go.
func TestScript_Clients(t *testing.T) {
	if os.Getenv("QUOTEKIT_TEST_NODE") == "" {
		t.Fatal("QUOTEKIT_TEST_NODE is not set: run the tests with make test, or with scripts/with-node")
	}
	project, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	prices := filepath.Join(t.TempDir(), "prices")
	if out, err := exec.Command("go", "build", "-o", prices, "../../examples/prices").CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	runScripts(t, "testdata/clients", "", "PROJECT="+project, "PRICES="+prices)
}

func runScripts(t *testing.T, dir, databaseURL string, environment ...string) {
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "waitfor": waitFor, "jsonenv": jsonEnv, "answers": answers, "freeport": freePort, "happens": happens, "waitalert": waitAlert,
		},
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, environment...)
			e.Setenv("QUOTEKIT_LOG_FORMAT", "text")
			e.Setenv("DATABASE_URL", databaseURL)
			e.Setenv("GORACE", "atexit_sleep_ms=0") // a second for each command otherwise
			fake := stripetest.New(t, time.Now)
			e.Values[fakeStripe] = fake
			e.Setenv("FAKE_STRIPE", fake.URL)
			e.Setenv("FAKE_STRIPE_KEY", stripetest.Key)
			receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			e.Defer(receiver.Close)
			e.Setenv("RECEIVER", receiver.URL)
			return nil
		},
	})
}

// takeName makes a schema with a table of somebody else's.
func takeName(t *testing.T, url string) {
	t.Helper()
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(t.Context(), "CREATE SCHEMA taken; CREATE TABLE taken.subscriptions (their_own INTEGER)")
	if err := errors.Join(err, db.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: waitfor FILE [TEXT]")
	}
	text := ""
	if len(args) == 2 {
		text = args[1]
	}
	came := until(func() bool {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && strings.Contains(string(b), text)
	})
	if !came {
		ts.Fatalf("%s did not come", strings.Join(args, " with "))
	}
}

func waitAlert(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: waitalert RULE [PATTERN]")
	}
	pattern := regexp.MustCompile(regexp.QuoteMeta(args[0]) + " .*" + strings.Join(args[1:], ""))
	fires := func() bool {
		ts.Check(ts.Exec("quotekit", "alerts", "list"))
		return pattern.MatchString(ts.ReadFile("stdout"))
	}
	for range 3 { // whoever evaluates looks every ten seconds
		if until(fires) {
			return
		}
	}
	ts.Fatalf("no alert %s fires", strings.Join(args, ": "))
}

func answers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: answers HOST:PORT")
	}
	if !until(func() bool { return isReady(args[0]) }) {
		ts.Fatalf("nobody answers at %s", args[0])
	}
}

// isReady reports whether a service is ready at an address.
func isReady(addr string) bool {
	resp, err := http.Get("http://" + addr + "/readyz")
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// until waits for a condition and reports whether it came true.
func until(ok func() bool) bool {
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
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

func jsonEnv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: jsonenv NAME FILE PATH")
	}
	value := gjson.Get(ts.ReadFile(args[1]), args[2])
	if !value.Exists() {
		ts.Fatalf("%s has no %s", args[1], args[2])
	}
	ts.Setenv(args[0], value.String())
}

func freePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport NAME")
	}
	addr, err := findAddr()
	ts.Check(err)
	ts.Setenv(args[0], addr)
}

// findAddr finds a host:port where nobody listens.
func findAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// fakeStripe is where a script has its fake of Stripe.
const fakeStripe = "fake stripe"

func happens(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: happens TYPE [N]")
	}
	n := 1
	if len(args) == 2 {
		var err error
		n, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	maker := sample.New(rand.NewPCG(rand.Uint64(), 1), time.Now)
	for range n {
		event, err := maker.Event(args[0])
		ts.Check(err)
		ts.Value(fakeStripe).(*stripetest.Server).Happen(event)
	}
}
