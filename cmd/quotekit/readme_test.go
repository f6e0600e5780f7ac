package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

// readmeStandIns are the lines of README.md that no test can run as they stand, what is
// run in their place, and why.
var readmeStandIns = map[string]struct{ run, why string }{
	"go run ./cmd/quotekit dev": {"quotekit dev", "the tests have built it already"},
	"make build":                {"true", "the tests have built it already"},
	"make test":                 {"true", "this is one of those tests"},
	"export STRIPE_WEBHOOK_SECRET=$(stripe listen --print-secret)": {
		"export STRIPE_WEBHOOK_SECRET=whsec_of_the_stripe_cli", "the Stripe CLI wants an account",
	},
	"stripe listen --forward-to 127.0.0.1:8787/webhooks/stripe": {"true", "quotekit trigger posts in its place"},
	"stripe trigger customer.created":                           {"quotekit trigger customer.created", "the Stripe CLI wants an account"},
	"export DATABASE_URL='postgres://user:password@host:5432/database'": {
		`export DATABASE_URL="$POSTGRES_OF_THE_TEST"`, "there is no such server",
	},
	"quotekit bench --only webhook": {"quotekit bench --only webhook-16 --duration 200ms", "a test has less time"},
}

// readmePromises is what README.md says of its lines, or a pattern of what they are there
// to show. A line that is not here has to end with exit code 0.
var readmePromises = map[string]struct {
	code  int
	shows string
}{
	"quotekit trigger invoice.payment_succeeded":                    {0, `^evt_\w+  invoice.payment_succeeded  200  succeeded  `},
	"quotekit events list --limit 5":                                {0, `^evt_`},
	"quotekit events list --type invoice.payment_succeeded --json":  {0, `"status": "succeeded"`},
	"quotekit trigger customer.created --count 3 --dup 2 --shuffle": {0, `\(duplicate\)(?s:.*)6 of 6 accepted`},
	"quotekit trigger customer.subscription.updated --fail 3":       {0, `200  dead`},
	"quotekit dlq list":                                    {0, `HANDLER_REJECTED`},
	`quotekit dlq show "$id"`:                              {0, `^reason +HANDLER_REJECTED`},
	`quotekit dlq retry "$id"`:                             {exitFailed, `^evt_\w+ +dead`},
	"quotekit dlq retry --all --dry-run":                   {0, `^3 dead letters; nothing was changed`},
	`quotekit dlq retry --all --reason "handler repaired"`: {0, `^3 succeeded`},
	`quotekit events get "$id"`:                            {0, `handler repaired`},
	"quotekit operations":                                  {0, `^update_item_prices `},
	"quotekit batch submit --operation bulk_create_items --csv items.csv --wait":                               {0, `^2 done\.`},
	"quotekit batch submit --operation update_item_prices --csv made.csv --set price_adjustment=+5% --dry-run": {0, `^2 items: 2 would change`},
	"quotekit batch submit --operation update_item_prices --csv made.csv --set price_adjustment=+5% --wait":    {0, `^2 done\.`},
	`quotekit batch results "$id"`:             {0, `unit_price: 10\.00 → 10\.50`},
	`quotekit batch undo "$id" --wait`:         {0, `^2 done\.`},
	"stripe trigger customer.created":          {0, `customer.created  200  succeeded`},
	"quotekit events list":                     {0, `^evt_\w+ +customer.created `},
	"quotekit reconcile --since 30d --dry-run": {0, `^missed +1`},
	"quotekit backfill":                        {0, `^customers `},
	"quotekit migrate up":                      {0, `the tables are up to date`},
	"quotekit bench --only webhook":            {0, `^webhook-16 +[\d.,]+`},
}

// TestReadme_CommandsWork types what README.md says: each chapter in a new folder, as
// somebody would who begins there. What goes on until Ctrl-C goes on until the end of its
// chapter, as in a terminal of its own.
func TestReadme_CommandsWork(t *testing.T) {
	chapters := mustReadChapters(t)
	var all []string
	for _, c := range chapters {
		all = append(all, c.commands...)
	}
	for line := range readmeStandIns {
		if !slices.Contains(all, line) {
			t.Errorf("README.md does not say %q any more: delete it here", line)
		}
	}
	for line := range readmePromises {
		if !slices.Contains(all, line) {
			t.Errorf("README.md does not say %q any more: delete it here", line)
		}
	}
	for _, c := range chapters {
		if len(c.commands) == 0 {
			continue
		}
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			var environment []string
			switch c.title {
			case "Real Stripe events":
				fake := stripetest.New(t, time.Now)
				event, err := sample.New(rand.NewPCG(1, 1), time.Now).Event("product.created")
				if err != nil {
					t.Fatal(err)
				}
				fake.Happen(event)
				environment = []string{"STRIPE_API_BASE=" + fake.URL, "STRIPE_SECRET_KEY=" + stripetest.Key}
			case "Postgres":
				environment = []string{"POSTGRES_OF_THE_TEST=" + storetest.PostgresURL(t, nil)}
			}
			s := mustStartShell(t, environment...)
			for _, line := range c.commands {
				s.follow(line)
			}
			s.interrupt()
		})
	}
}

// TestReadme_CommandsInSentencesAreKnown: a command that README.md names between its
// blocks is one of its table, or a line that is run.
func TestReadme_CommandsInSentencesAreKnown(t *testing.T) {
	known := map[string]bool{}
	for _, c := range mustReadChapters(t) {
		for _, line := range c.commands {
			known[line] = true
		}
		for _, m := range regexp.MustCompile("(?m)^\\| `(quotekit [^`]+)` \\|").FindAllStringSubmatch(c.text, -1) {
			known[m[1]] = true
		}
	}
	found := 0
	for _, c := range mustReadChapters(t) {
		prose := regexp.MustCompile(`(?m)^\|.*$`).ReplaceAllString(c.text, "")
		for _, m := range regexp.MustCompile("`((?:quotekit|stripe)\\s[^`]+)`").FindAllStringSubmatch(prose, -1) {
			found++
			if command := strings.Join(strings.Fields(m[1]), " "); !known[command] {
				t.Errorf("README.md, %s: nobody runs `%s`: put it into a block", c.title, command)
			}
		}
	}
	if found == 0 {
		t.Error("README.md names no command in its sentences: the test does not find them")
	}
}

// chapter is a second-level heading of README.md with what stands below it.
type chapter struct {
	title string
	// text has no blocks, commands are their lines.
	text     string
	commands []string
}

func mustReadChapters(t *testing.T) []chapter {
	t.Helper()
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	chapters := []chapter{{title: "before the first heading"}}
	inBlock := false
	for i, line := range strings.Split(string(page), "\n") {
		c := &chapters[len(chapters)-1]
		title, isTitle := strings.CutPrefix(line, "## ")
		switch {
		case strings.HasPrefix(line, "```"):
			inBlock = !inBlock
			if inBlock && line != "```sh" {
				t.Fatalf("README.md:%d: a block that is not sh: nobody tries it", i+1)
			}
		case inBlock:
			if line, _, _ = strings.Cut(line, "  #"); strings.TrimSpace(line) != "" {
				c.commands = append(c.commands, strings.TrimSpace(line))
			}
		case isTitle:
			chapters = append(chapters, chapter{title: title})
		default:
			c.text += line + "\n"
		}
	}
	return chapters
}

// shell is a bash that is typed into.
type shell struct {
	t         *testing.T
	folder    string // where it is
	addr      string // where a service that is started here listens
	in        io.Writer
	codes     *bufio.Reader // a line with the exit code of each command
	output    string        // file with the output of the last command
	listening bool          // a service was started
}

func mustStartShell(t *testing.T, environment ...string) *shell {
	t.Helper()
	addr, err := findAddr()
	if err != nil {
		t.Fatal(err)
	}
	s := &shell{t: t, folder: t.TempDir(), addr: addr}
	cmd := exec.Command("bash", "--norc")
	cmd.Dir = s.folder
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(),
		"QUOTEKIT_ADDR=" + s.addr, "QUOTEKIT_LOG_FORMAT=text", "GORACE=atexit_sleep_ms=0",
	}, environment...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with what it starts
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start bash, which the README is typed into: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Errorf("end bash and what it started: %v", err)
		}
		_ = cmd.Wait() // killed
	})
	s.in, s.codes = in, bufio.NewReader(out)
	return s
}

// follow types a line of README.md and compares what happens with what is promised.
func (s *shell) follow(line string) {
	s.t.Helper()
	promise := readmePromises[line]
	typed := line
	if instead, ok := readmeStandIns[line]; ok {
		typed = instead.run
		s.t.Logf("%s: typed %s, since %s", line, typed, instead.why)
	}
	if typed == "quotekit dev" || typed == "quotekit serve" {
		s.start(typed)
		return
	}
	code, output := s.run(typed)
	if code != promise.code || !regexp.MustCompile("(?m)"+promise.shows).MatchString(output) {
		s.t.Fatalf("%s\nexit code %d, want %d; the output should match %q:\n%s", line, code, promise.code, promise.shows, output)
	}
}

// start runs a service in the background, and waits until it can be used.
func (s *shell) start(command string) {
	s.t.Helper()
	if s.listening {
		s.t.Fatalf("%s: a service runs already", command)
	}
	s.listening = true
	s.run(command + " &")
	ready := func() bool { return isReady(s.addr) }
	if command == "quotekit dev" {
		ready = func() bool {
			_, err := os.Stat(filepath.Join(s.folder, "quotekit-data/dev.json"))
			return err == nil
		}
	}
	if !until(ready) {
		s.t.Fatalf("%s is not ready:\n%s", command, s.read())
	}
}

// interrupt presses Ctrl-C where the service runs, if there is one.
func (s *shell) interrupt() {
	s.t.Helper()
	if !s.listening {
		return
	}
	if code, output := s.run("kill -INT $! && wait $!"); code != 0 {
		s.t.Errorf("the service ends with exit code %d: %s", code, output)
	}
}

// run types a line, and returns its exit code and all of its output.
func (s *shell) run(line string) (code int, output string) {
	s.t.Helper()
	s.output = filepath.Join(s.t.TempDir(), "output")
	if _, err := fmt.Fprintf(s.in, "{ %s\n} >'%s' 2>&1 </dev/null; echo $?\n", line, s.output); err != nil {
		s.t.Fatalf("type %s: %v", line, err)
	}
	answer, err := s.codes.ReadString('\n')
	if err != nil {
		s.t.Fatalf("bash has ended at %s: %v", line, err)
	}
	if code, err = strconv.Atoi(strings.TrimSpace(answer)); err != nil {
		s.t.Fatalf("exit code of %s: %v", line, err)
	}
	return code, s.read()
}

func (s *shell) read() string {
	s.t.Helper()
	b, err := os.ReadFile(s.output)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}
