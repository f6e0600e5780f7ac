package app_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/webhook"
)

// killSteps are all steps at which a child kills itself.
var killSteps = []string{
	webhook.StepRead, webhook.StepVerified, webhook.StepHandled, webhook.StepInserted,
	webhook.StepApplied, webhook.StepBeforeCommit, webhook.StepCommitted, webhook.StepAnswered,
	webhook.StepAttemptLoaded, webhook.StepAttemptHandled, webhook.StepAttemptUpdated,
	webhook.StepAttemptApplied, webhook.StepAttemptBeforeCommit, webhook.StepAttemptCommitted,
}

// atRandom stands for a kill from outside, at any time.
const atRandom = "at random"

// killAt kills the process, as if from outside, when a step is reached for the n-th
// time; spec is "n step". Nothing of the process runs after it.
func killAt(spec string) func(string) {
	var (
		mu   sync.Mutex
		left int
	)
	number, step, _ := strings.Cut(spec, " ")
	_, _ = fmt.Sscan(number, &left)
	return func(reached string) {
		if reached != step {
			return
		}
		mu.Lock() // and never unlocked by the one who kills
		if left--; left == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		mu.Unlock()
	}
}

// crashRoutes gives the workers something to do: one family is deferred, and some
// events of every type fail when a process sees them for the first time.
func crashRoutes() []quotekit.Route {
	var (
		mu   sync.Mutex
		seen = map[string]bool{}
	)
	routes := handlers.Routes()
	for i, r := range routes {
		routes[i].Deferred = r.Handler == "payment_method" || r.Handler == "product"
		routes[i].Handle = func(ctx context.Context, e quotekit.Event) (quotekit.Changes, error) {
			sum := fnv.New32()
			_, _ = sum.Write([]byte(e.ID))
			mu.Lock()
			first := !seen[e.ID]
			seen[e.ID] = true
			mu.Unlock()
			if first && sum.Sum32()%10 == 0 {
				return quotekit.Changes{}, errors.New("not now")
			}
			return r.Handle(ctx, e)
		}
	}
	return routes
}

// crash is a run of a service that is killed again and again, and of a sender that
// delivers as Stripe does.
type crash struct {
	t        *testing.T
	database string

	mu       sync.Mutex
	todo     [][]byte // not acknowledged
	done     [][]byte // acknowledged
	answered int      // 200s
	kills    map[string]int
}

// TestCrash_NothingAcknowledgedIsLost kills the service at every step and at random,
// in the middle of a load with duplicates. What was not answered is delivered again,
// with a new signature. In the end everything is applied once: the rows are those of
// a run that nobody disturbed.
func TestCrash_NothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	perStep, random, perRound := 3, 10, 24
	if os.Getenv("QUOTEKIT_TEST_LONG") != "" {
		perStep, random = 30, 80
	}
	var plan []string
	for range perStep {
		plan = append(plan, killSteps...)
	}
	for range random {
		plan = append(plan, atRandom)
	}
	var events [][]byte
	for seed := uint64(100); len(events) < perRound*len(plan); seed++ {
		events = append(events, journey(seed)...)
	}
	undisturbed := mustStart(t, storetest.SQLiteURL(t, tables), app.Options{})
	for _, body := range events {
		undisturbed.post(body)
	}
	undisturbed.mustSettle()
	want := undisturbed.mirror()
	undisturbed.stop()

	onBothAtOnce(t, func(t *testing.T, database string) {
		c := &crash{t: t, database: database, kills: map[string]int{}}
		fresh := events
		plan := append([]string(nil), plan...)
		rand.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
		for rounds := 0; len(plan) > 0; rounds++ {
			if rounds > 2*(perStep*len(killSteps)+random) {
				t.Fatalf("steps are not reached: %q", plan)
			}
			n := min(perRound, len(fresh))
			c.todo, fresh = append(c.todo, fresh[:n]...), fresh[n:]
			step := plan[0]
			if plan = plan[1:]; c.round(step) {
				c.kills[step]++
			} else {
				plan = append(plan, step) // it was not reached in time
			}
		}
		c.todo = append(c.todo, fresh...)
		c.converge(len(events), want)

		total := 0
		for _, step := range append(killSteps, atRandom) {
			if total += c.kills[step]; c.kills[step] == 0 {
				t.Errorf("no kill at step %q", step)
			}
		}
		t.Logf("%d kills: %v", total, c.kills)
		if total < perStep*len(killSteps)+random {
			t.Errorf("got %d kills, want %d", total, perStep*len(killSteps)+random)
		}
	})
}

// round runs a service under load until it is dead, and reports whether it died
// where it should.
func (c *crash) round(step string) bool {
	spec, patience := fmt.Sprintf("%d %s", 1+rand.IntN(4), step), 5*time.Second
	if step == atRandom {
		spec, patience = "0 never", time.Duration(10+rand.IntN(400))*time.Millisecond
	}
	service, err := spawn(c.t, c.database, killVariable+"="+spec)
	if err != nil {
		if !strings.Contains(err.Error(), "killed") {
			c.t.Fatal(err)
		}
		return true // by what it found in the database
	}
	dead := make(chan struct{})
	go func() {
		_ = service.command.Wait()
		close(dead)
	}()
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() { c.send(service.url, dead) })
	}
	byItself := true
	select {
	case <-dead:
	case <-time.After(patience):
		byItself = false
		_ = service.command.Process.Kill()
		<-dead
	}
	senders.Wait()
	return byItself || step == atRandom
}

// send delivers what has not been acknowledged and, now and then and when there is
// nothing else, what has.
func (c *crash) send(url string, dead <-chan struct{}) {
	for {
		select {
		case <-dead:
			return
		default:
		}
		body, again := c.next()
		if body == nil {
			continue
		}
		a, err := tryPost(url, body)
		c.mu.Lock()
		if a.HTTP != 0 && a.HTTP != 200 && a.HTTP != 503 {
			c.t.Errorf("got %+v", a)
		}
		switch {
		case err == nil && a.HTTP == 200:
			c.answered++
			if !again {
				c.done = append(c.done, body)
			}
		case !again:
			c.todo = append(c.todo, body)
		}
		c.mu.Unlock()
	}
}

func (c *crash) next() (body []byte, again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.done); n > 0 && (len(c.todo) == 0 || rand.IntN(5) == 0) {
		return c.done[rand.IntN(n)], true
	}
	if len(c.todo) == 0 {
		return nil, false
	}
	i := rand.IntN(len(c.todo)) // Stripe promises no order
	body = c.todo[i]
	c.todo[i] = c.todo[len(c.todo)-1]
	c.todo = c.todo[:len(c.todo)-1]
	return body, false
}

// converge lets a service run undisturbed and compares.
func (c *crash) converge(events int, want []string) {
	s := mustStart(c.t, c.database, app.Options{})
	for _, body := range c.todo {
		if a := s.post(body); a.HTTP != 200 {
			c.t.Fatalf("got %+v of a service that nobody disturbs", a)
		}
		c.answered++
		c.done = append(c.done, body)
	}
	if len(c.done) != events {
		c.t.Errorf("got %d acknowledged events, want %d", len(c.done), events)
	}
	stored := map[string]string{}
	for _, line := range s.query("SELECT stripe_event_id, status FROM stripe_webhook_events") {
		id, status, _ := strings.Cut(strings.TrimPrefix(line, "stripe_event_id="), separator+"status=")
		stored[id] = status
	}
	dead := 0
	for _, body := range c.done {
		switch status := stored[gjson.GetBytes(body, "id").Str]; status {
		case "succeeded", "pending":
		case "dead": // it failed in four processes; somebody resends it
			dead++
			s.post(body)
			c.answered++
		default:
			c.t.Errorf("event %s was acknowledged and is %q", gjson.GetBytes(body, "id").Str, status)
		}
	}
	c.t.Logf("after the last kill: %d events, %d answers, %d dead", len(stored), c.answered, dead)
	s.mustSettle()
	for query, want := range map[string]string{
		"SELECT COUNT(*) FROM stripe_webhook_events":                                fmt.Sprint(events),
		"SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'succeeded'":     fmt.Sprint(events),
		"SELECT COUNT(*) FROM webhook_dead_letter_queue WHERE NOT resolved":         "0",
		"SELECT COUNT(*) FROM webhook_audit_trail WHERE action = 'event.delivered'": s.value("SELECT CAST(SUM(deliveries) AS BIGINT) FROM stripe_webhook_events"),
	} {
		if got := s.value(query); got != want {
			c.t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	if deliveries, err := strconv.Atoi(s.value("SELECT SUM(deliveries) FROM stripe_webhook_events")); err != nil || deliveries < c.answered {
		c.t.Errorf("got %d deliveries, want those that were answered, %d, at least (%v)", deliveries, c.answered, err)
	}
	if d := diff(s.mirror(), want); d != "" {
		c.t.Errorf("the rows differ from those of an undisturbed run:\n%s", d)
	}
}
