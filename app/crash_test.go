package app_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

const (
	// childVariable makes the test binary serve a database until it is killed.
	childVariable = "QUOTEKIT_TEST_CHILD"
	// chunkVariable is the child's BatchChunkSize.
	chunkVariable = "QUOTEKIT_TEST_CHUNK"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(childVariable); url != "" {
		if err := serveChild(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0) // after a SIGTERM; most children are killed
	}
	os.Exit(m.Run())
}

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
	a, err := app.New(ctx, c, app.Options{})
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
		t.Fatalf("the child said nothing: %v", err)
	}
	return &child{command: command, url: strings.TrimSpace(line)}
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

// TestCrash_NothingAcknowledgedIsLost kills the service in the middle of a load
// again and again. What was not answered is delivered again, as Stripe does.
// Everything that was answered is there, and the rows are those of a run that
// nobody disturbed.
func TestCrash_NothingAcknowledgedIsLost(t *testing.T) {
	kills := 6
	if os.Getenv("QUOTEKIT_TEST_LONG") != "" {
		kills = 100
	}
	var events [][]byte
	for seed := range uint64(8 * kills) {
		events = append(events, journey(100+seed)...)
	}
	undisturbed := mustStart(t, storetest.SQLiteURL(t, tables), app.Options{})
	for _, body := range events {
		undisturbed.post(body)
	}
	want := undisturbed.mirror()

	onBoth(t, func(t *testing.T, database string) {
		var (
			mu           sync.Mutex
			acknowledged = map[string]bool{}
			todo         = slices.Clone(events)
		)
		rand.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
		interrupted := 0 // rounds that the kill came in the middle of
		for round := 0; len(todo) > 0; round++ {
			c := mustSpawn(t, database)
			stop := time.AfterFunc(time.Hour, func() {})
			if round < kills {
				stop = time.AfterFunc(time.Duration(30+rand.IntN(120))*time.Millisecond, c.kill)
			}
			queue := make(chan []byte, len(todo))
			for _, body := range todo {
				queue <- body
			}
			close(queue)
			todo = nil
			var senders sync.WaitGroup
			for range 16 {
				senders.Go(func() {
					for body := range queue {
						a, err := tryPost(c.url, body)
						mu.Lock()
						if err == nil && a.HTTP == 200 {
							acknowledged[gjson.GetBytes(body, "id").Str] = true
						} else {
							todo = append(todo, body)
						}
						mu.Unlock()
						if a.HTTP != 0 && a.HTTP != 200 && a.HTTP != 503 {
							t.Errorf("got %+v", a)
						}
					}
				})
			}
			senders.Wait()
			stop.Stop()
			c.kill()
			if len(todo) > 0 {
				interrupted++
			}
			if round > kills+3 {
				t.Fatalf("%d events are never answered", len(todo))
			}
		}
		t.Logf("%d kills came in the middle of the load", interrupted)
		if interrupted == 0 {
			t.Error("no kill came in the middle of the load")
		}
		s := mustStart(t, database, app.Options{})
		if got := len(s.query("SELECT 1 FROM stripe_webhook_events WHERE status = 'succeeded'")); got != len(acknowledged) || got != len(events) {
			t.Errorf("got %d succeeded events, want %d acknowledged ones of %d", got, len(acknowledged), len(events))
		}
		if d := diff(s.mirror(), want); d != "" {
			t.Errorf("the rows differ from those of an undisturbed run:\n%s", d)
		}
	})
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
