package app_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

const (
	// chunkVariable is the child's BatchChunkSize.
	chunkVariable = "QUOTEKIT_TEST_CHUNK"
	// killVariable makes the child kill itself: "3 committed" when it comes by that
	// step for the third time. See kill_test.go.
	killVariable = "QUOTEKIT_TEST_KILL"
	// slowVariable makes the child's handlers of priority 5 take so long, like "20ms",
	// and leaves KeepAfter at the product's bound. See flood_test.go.
	slowVariable = "QUOTEKIT_TEST_SLOW"
	// retentionVariable makes the child delete what is old, if it is set.
	retentionVariable = "QUOTEKIT_TEST_RETENTION"
)

func serveChild(url string) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	c := batchConfig(url)
	if size := os.Getenv(chunkVariable); size != "" {
		var err error
		if c.BatchChunkSize, err = strconv.Atoi(size); err != nil {
			return err
		}
	}
	if os.Getenv(retentionVariable) != "" {
		c.Retention = shortRetention
	}
	o := app.Options{KeepAfter: time.Minute}
	if spec, ok := os.LookupEnv(killVariable); ok {
		o = app.Options{Observe: killAt(spec), Routes: crashRoutes()}
	}
	if takes, ok := os.LookupEnv(slowVariable); ok {
		slow, err := time.ParseDuration(takes)
		if err != nil {
			return err
		}
		o = app.Options{Routes: slowCustomers(slow)}
	}
	o.Logger = watched(nil)
	a, err := app.New(ctx, c, o)
	if err != nil {
		return err
	}
	go func() {
		<-a.Ready()
		fmt.Println(a.URL())
	}()
	return errors.Join(a.Run(ctx), a.Close())
}

// child is a service in a process of its own.
type child struct {
	command *exec.Cmd
	url     string
}

// mustSpawn starts a service for a database; environment is added to the test's.
func mustSpawn(t testing.TB, database string, environment ...string) *child {
	t.Helper()
	c, err := spawn(t, database, environment...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// spawn is mustSpawn for a service that may end before it listens.
func spawn(t testing.TB, database string, environment ...string) (*child, error) {
	t.Helper()
	beginRunLog()
	command := exec.Command(os.Args[0])
	command.Env = append(append(os.Environ(), environment...), childVariable+"="+database)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = command.Wait()
		return nil, fmt.Errorf("the child said nothing and ended: %s", command.ProcessState)
	}
	runLog.spawned.Add(1)
	return &child{command: command, url: strings.TrimSpace(line)}, nil
}

// kill is SIGKILL: nothing of the process runs after it.
func (c *child) kill() {
	_ = c.command.Process.Kill()
	_ = c.command.Wait()
}

// terminate is what a supervisor does to stop a process.
func (c *child) terminate(t testing.TB) {
	t.Helper()
	if err := c.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.command.Wait(); err != nil {
		t.Errorf("a stopped process says %v", err)
	}
}

// TestCopies_OfOneEventHaveOneEffect delivers one event fifty times at once to
// two processes on one Postgres.
func TestCopies_OfOneEventHaveOneEffect(t *testing.T) {
	database := storetest.PostgresURL(t, tables)
	children := []*child{mustSpawn(t, database), mustSpawn(t, database)}
	body := fixture(t, "customer.subscription.updated.dahlia.plan-change")
	var (
		copies sync.WaitGroup
		mu     sync.Mutex
		firsts int
	)
	for i := range 50 {
		copies.Go(func() {
			a, err := tryPost(children[i%2].url, body)
			if err != nil || a.HTTP != 200 || a.Status != "succeeded" {
				t.Errorf("got %+v, %v", a, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if !a.Duplicate {
				firsts++
			}
		})
	}
	copies.Wait()
	if firsts != 1 {
		t.Errorf("got %d answers that are no duplicate, want 1", firsts)
	}
	s := mustStart(t, database, app.Options{})
	for query, want := range map[string]string{
		"SELECT deliveries FROM stripe_webhook_events":                                        "50",
		"SELECT COUNT(*) FROM webhook_audit_trail WHERE action = 'event.delivered'":           "50",
		"SELECT COUNT(*) FROM subscriptions":                                                  "1",
		"SELECT COUNT(*) - COUNT(DISTINCT field) FROM subscription_changes":                   "0",
		"SELECT COUNT(*) FROM subscription_changes WHERE field = 'items' AND after <> before": "1",
	} {
		if got := s.value(query); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}

// TestStop_AnswersWhatIsUnderWay stops the service while deliveries wait: each
// is answered, and what was answered is there.
func TestStop_AnswersWhatIsUnderWay(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{})
		var (
			senders  sync.WaitGroup
			mu       sync.Mutex
			answered = map[string]bool{}
			first    = make(chan struct{})
			once     sync.Once
		)
		for i := range 16 {
			senders.Go(func() {
				for n := range 10_000 {
					id := fmt.Sprintf("evt_%d_%d", i, n)
					a, err := s.tryPost(product(id, "prod_"+id))
					if err != nil || a.HTTP != 200 {
						return // no longer listening
					}
					mu.Lock()
					answered[id] = true
					mu.Unlock()
					once.Do(func() { close(first) })
				}
			})
		}
		<-first
		started := time.Now()
		s.stop()
		if took := time.Since(started); took > 10*time.Second {
			t.Errorf("the stop took %s, want 10 s at most", took)
		}
		senders.Wait()
		s = mustStart(t, url, app.Options{})
		for id := range answered {
			if got := s.query("SELECT status FROM stripe_webhook_events WHERE stripe_event_id = $1", id); len(got) != 1 || got[0] != "status=succeeded" {
				t.Fatalf("%s: got %v", id, got)
			}
		}
	})
}
