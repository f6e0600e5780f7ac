package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

// What services log in the tests of this package, at debug level, whatever the test
// is about, is searched for secrets and for what is in payloads. The run fails if
// something is found; see TestMain.

// runLogVariable names the folder by which the processes of a run know what to look
// for and tell what they found.
const runLogVariable = "QUOTEKIT_TEST_RUN_LOG"

// runLog is that of this process.
var runLog struct {
	once sync.Once
	slog.Handler
	err error
	// served is how many services this process has had, and spawned how many other
	// processes have begun to serve.
	served, spawned atomic.Int32
}

// watched returns a logger that also writes to where is searched.
func watched(l *slog.Logger) *slog.Logger {
	beginRunLog()
	runLog.served.Add(1)
	if l == nil {
		return slog.New(runLog.Handler)
	}
	return slog.New(slog.NewMultiHandler(l.Handler(), runLog.Handler))
}

// beginRunLog makes the folder, unless this is a child, which has it.
func beginRunLog() {
	runLog.once.Do(func() {
		s := &sieve{process: "child", folder: os.Getenv(runLogVariable)}
		if os.Getenv(childVariable) == "" {
			s.process = "test"
			s.folder, runLog.err = makeRunLogFolder()
			_ = os.Setenv(runLogVariable, s.folder)
		}
		s.tell = s.append
		runLog.err = errors.Join(runLog.err, s.load())
		runLog.Handler = slog.NewJSONHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug})
	})
}

// endRunLog says what is wrong with the log of the run.
func endRunLog() error {
	folder := os.Getenv(runLogVariable)
	if folder == "" {
		return nil // no service
	}
	defer func() { _ = os.RemoveAll(folder) }()
	found, err := os.ReadFile(filepath.Join(folder, foundFile))
	return errors.Join(runLog.err, err, judge(string(found), runLog.served.Load() > 0, runLog.spawned.Load() > 0))
}

// judge reads what the processes of a run have found.
func judge(found string, served, spawned bool) error {
	lines := strings.Split(strings.TrimSpace(found), "\n")
	slices.Sort(lines)
	var errs []error
	for _, line := range slices.Compact(lines) {
		if hit, ok := strings.CutPrefix(line, "hit "); ok {
			errs = append(errs, errors.New(hit))
		}
	}
	if served && !slices.Contains(lines, "log of test") {
		errs = append(errs, errors.New("services ran and none logged a line"))
	}
	if spawned && !slices.Contains(lines, "log of child") {
		errs = append(errs, errors.New("processes ran and none logged a line"))
	}
	return errors.Join(errs...)
}

// The files of the folder.
const (
	plantedFile = "planted.json"
	foundFile   = "found"
)

func makeRunLogFolder() (string, error) {
	folder, err := os.MkdirTemp("", "quotekit-log.")
	if err != nil {
		return "", err
	}
	values, err := plantedValues()
	if err != nil {
		return folder, err
	}
	b, err := json.Marshal(values)
	if err != nil {
		return folder, err
	}
	return folder, errors.Join(
		os.WriteFile(filepath.Join(folder, plantedFile), b, 0o600), os.WriteFile(filepath.Join(folder, foundFile), nil, 0o600))
}

// plantedValues are what must not be logged, and what each is.
func plantedValues() (map[string]string, error) {
	values := map[string]string{
		secret: "the webhook secret", "whsec_": "a webhook secret", stripetest.Key: "the key of Stripe's API", "sk_test_": "a key of Stripe's API",
		token: "an operator's token", "Bearer ": "an Authorization header", "eyJhbGciOi": "a JWT", jwtSecret: "the secret of JWTs",
		"s3cret": "a password", "sb_secret_": "a secret of the application", "_secret_": "a client secret",
		canaryText: "a canary", canaryCard: "the number of a card", "@example.": "an e-mail address", "%40example.": "an e-mail address",
	}
	files, err := filepath.Glob("../testdata/stripe/*.json")
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("got %d fixtures, %w", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := gather(values, b, "fixture"); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	m := sample.New(rand.NewPCG(1, 1), time.Now)
	for range 50 {
		for _, kind := range []string{"customer.created", "payment_method.attached", "invoice.paid", "checkout.session.completed"} {
			b, err := m.Event(kind)
			if err != nil {
				return nil, err
			}
			if err := gather(values, b, "sample event"); err != nil {
				return nil, err
			}
		}
	}
	for _, c := range m.Application(20, 0, 0)[quotekit.Clients] {
		values[c["name"].(string)], values[c["phone"].(string)] = "the name of a client", "the phone of a client"
	}
	return values, nil
}

// personal are the fields of Stripe's objects that are somebody's.
var personal = []string{
	"email", "customer_email", "receipt_email", "name", "customer_name", "phone", "customer_phone", "fingerprint", "last4", "number",
	"line1", "line2", "city", "postal_code", "client_secret", "hosted_invoice_url", "invoice_pdf",
}

// gather adds the personal fields of an event.
func gather(values map[string]string, event []byte, where string) error {
	var v any
	if err := json.Unmarshal(event, &v); err != nil {
		return err
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, element := range v {
				walk(element)
			}
		case map[string]any:
			for key, value := range v {
				if s, ok := value.(string); ok && s != "" && slices.Contains(personal, key) {
					values[s] = key + " of a " + where
				}
				walk(value)
			}
		}
	}
	walk(v)
	return nil
}

// sieve is a log that keeps nothing but what is found in its lines.
type sieve struct {
	process, folder string
	needles         []needle
	began           sync.Once
	tell            func(line string)
}

type needle struct {
	text []byte
	what string
}

// load reads what to look for.
func (s *sieve) load() error {
	b, err := os.ReadFile(filepath.Join(s.folder, plantedFile))
	if err != nil {
		return err
	}
	var values map[string]string
	if err := json.Unmarshal(b, &values); err != nil {
		return err
	}
	s.needles = needles(values)
	return nil
}

// shortest is the length from which a value is looked for anywhere. A shorter one
// is, as the last digits of a card, part of many ids and figures: only where it is
// the whole of an attribute.
const shortest = 6

// needles writes values as a line of the log has them, and leaves out those that
// contain others.
func needles(values map[string]string) []needle {
	var all []needle
	for value, what := range values {
		longer := func(other string) bool {
			return other != value && len(other) >= shortest && strings.Contains(value, other)
		}
		if !slices.ContainsFunc(keys(values), longer) {
			all = append(all, needle{inLog(value), what})
		}
	}
	return all
}

func keys(values map[string]string) []string {
	all := make([]string, 0, len(values))
	for key := range values {
		all = append(all, key)
	}
	return all
}

func inLog(value string) []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	_ = e.Encode(value) // a string always can be
	b := bytes.TrimSpace(text.Bytes())
	if len(value) >= shortest {
		b = b[1 : len(b)-1]
	}
	return b
}

// Write takes a line. Of one that shows something it tells which message it is, and
// no more.
func (s *sieve) Write(line []byte) (int, error) {
	s.began.Do(func() { s.tell("log of " + s.process) })
	for _, n := range s.needles {
		if bytes.Contains(line, n.text) {
			var l struct{ Msg string }
			_ = json.Unmarshal(line, &l)
			s.tell(fmt.Sprintf("hit the log shows %s, in a line %.60q of a %s process", n.what, l.Msg, s.process))
		}
	}
	return len(line), nil
}

// append adds to what was found, at once: most children are killed.
func (s *sieve) append(line string) {
	f, err := os.OpenFile(filepath.Join(s.folder, foundFile), os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(line + "\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the log of the run:", err)
	}
}

// TestRunLog_FindsWhatIsPlanted in messages, attributes, groups and errors, by every
// value, and nothing else.
func TestRunLog_FindsWhatIsPlanted(t *testing.T) {
	values, err := plantedValues()
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"Jörg Müller", "ada@example.com", "fixtureFprint001", "4242", "+15555550100", "Sample Client 001"} {
		if values[value] == "" {
			t.Errorf("%s is not looked for", value)
		}
	}
	ways := map[string]func(*slog.Logger, string){
		"message":   func(l *slog.Logger, v string) { l.Debug(v) },
		"attribute": func(l *slog.Logger, v string) { l.Info("m", "key", v) },
		"error":     func(l *slog.Logger, v string) { l.Error("m", "error", errors.New(v)) },
		"group":     func(l *slog.Logger, v string) { l.WithGroup("g").With("key", v).Warn("m") },
	}
	all := needles(values)
	for value := range values {
		for way, log := range ways {
			if found := foundIn(all, func(l *slog.Logger) { log(l, value) }); judge(found, true, false) == nil {
				t.Errorf("%s in an %s is not found", value, way)
			}
		}
	}
	found := foundIn(all, func(l *slog.Logger) {
		l.Info("request", "method", "POST", "path", "/webhooks/stripe", "status", 4242, "request_id", "req_42424242", "duration", 4242*time.Millisecond)
		l.Warn("event failed", "event_id", "evt_4242", "event_type", "customer.created", "error", "read customer: email is no text")
	})
	if err := judge(found, true, false); err != nil {
		t.Errorf("found in lines that show nothing: %v", err)
	}
}

// foundIn returns what a process tells that logs so.
func foundIn(all []needle, log func(*slog.Logger)) string {
	var found strings.Builder
	s := &sieve{process: "test", needles: all, tell: func(line string) { found.WriteString(line + "\n") }}
	log(slog.New(slog.NewMultiHandler(slog.DiscardHandler, slog.NewJSONHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	return found.String()
}

func TestRunLog_Judge(t *testing.T) {
	for _, c := range []struct {
		found   string
		spawned bool
		want    string
	}{
		{"log of test\n", false, ""},
		{"log of child\nlog of test\nlog of child\n", true, ""},
		{"", false, "services ran and none logged a line"},
		{"log of test\n", true, "processes ran and none logged a line"},
		{"log of test\nhit a\nlog of child\nhit b\nhit a\n", true, "a\nb"},
	} {
		got := ""
		if err := judge(c.found, true, c.spawned); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.found, got, c.want)
		}
	}
}
