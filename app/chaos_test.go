package app_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

const (
	// calm is the time between two faults.
	calm = 3 * time.Second
	// recovery is how long after the end of a fault a delivery has to be
	// acknowledged at the latest.
	recovery = 15 * time.Second
	// chaosRate is how many new events come in a second.
	chaosRate = 40
)

// fault is something that goes wrong for a while.
type fault struct {
	name       string
	lasts      time.Duration
	begin, end func()
	// during is called again and again while the fault lasts.
	during func()
}

// chaos is a service under load to which faults happen.
type chaos struct {
	t      *testing.T
	name   string
	sender *stripeSender
}

// suffer lets the faults happen one after the other, notes how long each lasted
// and how long after its end the first delivery was acknowledged.
func (c *chaos) suffer(faults ...fault) {
	for _, f := range faults {
		<-time.After(calm)
		began := time.Now()
		f.begin()
		over := time.After(f.lasts)
		tick := time.NewTicker(150 * time.Millisecond)
		for lasting := true; lasting; {
			select {
			case <-tick.C:
				if f.during != nil {
					f.during()
				}
			case <-over:
				lasting = false
			}
		}
		tick.Stop()
		f.end()
		ended := time.Now()
		recovered := comesTrue(time.Minute, func() bool { return c.sender.okSince(ended) })
		took := time.Since(ended)
		note("%s, %s: lasted %.1f s, first 200 %.1f s after its end", c.name, f.name, ended.Sub(began).Seconds(), took.Seconds())
		switch {
		case !recovered:
			c.t.Fatalf("%s: nothing is acknowledged a minute after its end", f.name)
		case took > recovery:
			c.t.Errorf("%s: the first 200 came %s after its end, want %s at most", f.name, took, recovery)
		}
	}
}

// mustConverge waits until everything that was sent is acknowledged and decided,
// and compares with a run that nobody disturbed: acknowledged, stored and applied
// once.
func (c *chaos) mustConverge(s *service) {
	c.t.Helper()
	c.sender.setRate(0)
	eventually(c.t, 3*time.Minute, "everything is acknowledged", func() bool { return c.sender.left() == 0 })
	note("%s: %s", c.name, c.sender.summary())
	s.mustSettle()
	for answer, event := range c.sender.wrong {
		c.t.Errorf("%s was answered %s", event, answer)
	}
	if got := c.sender.answers["503 unavailable"]; got == 0 {
		c.t.Error("no fault came in the middle of the load")
	}

	succeeded := map[string]bool{}
	deliveries := 0
	for _, line := range s.query("SELECT stripe_event_id AS e, status AS s, deliveries AS d FROM stripe_webhook_events") {
		var id, status string
		var n int
		if _, err := fmt.Sscanf(strings.ReplaceAll(line, separator, " "), "e=%s s=%s d=%d", &id, &status, &n); err != nil {
			c.t.Fatalf("%s: %v", line, err)
		}
		succeeded[id] = status == "succeeded"
		deliveries += n
		if n < c.sender.acked[id] {
			c.t.Errorf("%s has %d deliveries, of which %d were acknowledged", id, n, c.sender.acked[id])
		}
	}
	for id := range c.sender.acked {
		if !succeeded[id] {
			c.t.Errorf("%s was acknowledged and has not succeeded", id)
		}
	}
	if got, want := len(succeeded), len(c.sender.sent); got != want || len(c.sender.acked) != want {
		c.t.Errorf("got %d events, %d of them acknowledged, want %d", got, len(c.sender.acked), want)
	}
	if got := s.value("SELECT COUNT(*) AS n FROM webhook_audit_trail WHERE action = 'event.delivered'"); got != fmt.Sprint(deliveries) {
		c.t.Errorf("got %s lines of the audit trail for %d deliveries", got, deliveries)
	}
	if got := s.query("SELECT * FROM webhook_dead_letter_queue"); len(got) != 0 {
		c.t.Errorf("got %d dead letters, such as %s", len(got), got[0])
	}
	undisturbed := mustStart(c.t, storetest.SQLiteURL(c.t, tables), app.Options{})
	var posts sync.WaitGroup
	queue := make(chan []byte)
	for range 16 {
		posts.Go(func() {
			for body := range queue {
				// A slow machine may have it settled by a worker.
				if a, err := undisturbed.tryPost(body); err != nil || (a.Status != "succeeded" && a.Status != "pending") {
					c.t.Errorf("undisturbed: got %+v, %v", a, err)
				}
			}
		})
	}
	for _, body := range c.sender.sent {
		queue <- body
	}
	close(queue)
	posts.Wait()
	undisturbed.mustSettle()
	if d := diff(s.mirror(), undisturbed.mirror()); d != "" {
		c.t.Errorf("the rows differ from those of an undisturbed run:\n%s", d)
	}
}

// unwell makes the handlers fail twice with every sixteenth event, once by a
// panic, so that it takes the workers to apply it.
func unwell() []quotekit.Route {
	var (
		mu       sync.Mutex
		attempts = map[string]int{}
		routes   = handlers.Routes()
	)
	for i, r := range routes {
		routes[i].Handle = func(ctx context.Context, e quotekit.Event) (quotekit.Changes, error) {
			h := fnv.New32a()
			_, _ = h.Write([]byte(e.ID))
			if h.Sum32()%16 == 0 || strings.HasPrefix(e.ID, "evt_unwell") {
				mu.Lock()
				attempts[e.ID]++
				n := attempts[e.ID]
				mu.Unlock()
				switch n {
				case 1:
					return quotekit.Changes{}, errors.New("not now")
				case 2:
					panic("not now")
				}
			}
			return r.Handle(ctx, e)
		}
	}
	return routes
}

func chaosRounds() int {
	if os.Getenv("QUOTEKIT_TEST_LONG") != "" {
		return 5
	}
	return 1
}

// TestChaos_Postgres lets everything go wrong with a server that two services
// use under load: they recover without a restart, nothing that they acknowledged
// is lost, and nothing is applied twice.
func TestChaos_Postgres(t *testing.T) {
	t.Parallel()
	dir, missing := storetest.MountDisk(t, int64(chaosRounds())<<29)
	server := storetest.StartServer(t, dir)
	admin, err := sql.Open("pgx", server.URL()+"&application_name=chaos&default_transaction_read_only=off")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	exec := func(text string) {
		t.Helper()
		if _, err := admin.Exec(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	const sessions = ` FROM pg_stat_activity WHERE application_name = 'quotekit' `
	terminateAll := func() { exec("SELECT pg_terminate_backend(pid)" + sessions) }
	terminateOne := func() {
		exec("SELECT pg_terminate_backend(pid) FROM (SELECT pid" + sessions + "ORDER BY random() LIMIT 1) AS one")
	}
	nothing := func() {}

	routes := unwell()
	first := mustStart(t, server.URL(), app.Options{Routes: routes})
	second := mustStart(t, server.URL(), app.Options{Routes: routes})
	sender := newStripeSender(t, stories(chaosRounds()*16_000), first.URL(), second.URL())
	c := &chaos{t, "Postgres", sender}
	sender.setRate(chaosRate)
	stop := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() { sender.run(stop) })
	t.Cleanup(sync.OnceFunc(func() { close(stop); sending.Wait() }))

	filler := filepath.Join(dir, "filler")
	began := time.Now()
	for range chaosRounds() {
		c.suffer(
			fault{"stopped and started", 15 * time.Second, func() { server.Stop(storetest.Fast) }, server.Start, nil},
			fault{"sessions terminated one by one", 10 * time.Second, nothing, nothing, terminateOne},
			fault{"killed and started", 0, func() { server.Stop(storetest.Killed) }, server.Start, nil},
			fault{"read-only", 10 * time.Second, func() {
				exec("ALTER DATABASE postgres SET default_transaction_read_only = on")
				terminateAll()
			}, func() { exec("ALTER DATABASE postgres RESET default_transaction_read_only") }, nil},
			fault{"restarted", 0, func() { server.Stop(storetest.Fast) }, server.Start, nil},
			fault{"all sessions terminated at once", 6 * time.Second, terminateAll, terminateAll, nil},
			fault{"away for a minute", time.Minute, func() { server.Stop(storetest.Immediate) }, server.Start, nil},
		)
		if missing != nil {
			note("disk full on Postgres: not run, because %v", missing)
			continue
		}
		c.suffer(fault{"disk full", 12 * time.Second, func() { fill(t, filler) }, func() {
			if err := os.Remove(filler); err != nil {
				t.Error(err)
			}
			server.Start() // it may have died of it
		}, func() { fill(t, filler) }})
	}
	if left := 3*time.Minute - time.Since(began); left > 0 {
		c.suffer(fault{"sessions terminated one by one again", left, nothing, nothing, terminateOne})
	}
	c.mustConverge(first)
	if n := sender.answers["0 no answer"]; n > 0 {
		t.Errorf("%d deliveries were not answered", n)
	}

	// The workers are awake: it takes ten seconds for the sweeper to find what
	// they do not.
	posted := time.Now()
	if a := second.post(product("evt_unwell_1", "prod_unwell")); a.Status != "pending" {
		t.Fatalf("got %+v, want pending", a)
	}
	eventually(t, 30*time.Second, "the retry", func() bool { return first.status("evt_unwell_1") == "succeeded" })
	note("Postgres, afterwards: two retries took %.1f s", time.Since(posted).Seconds())
}

// fill takes what is left of a disk.
func fill(t *testing.T, path string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = f.Close() }()
	for _, size := range []int{1 << 20, 4 << 10} {
		for block := make([]byte, size); err == nil; {
			_, err = f.Write(block)
		}
		err = nil
	}
}

// TestChaos_SQLite lets the disk be full and another program hold the file, and
// then kills the process again and again.
func TestChaos_SQLite(t *testing.T) {
	t.Parallel()
	url := storetest.SQLiteURL(t, tables)
	s := mustStart(t, url, app.Options{Routes: unwell()})
	sender := newStripeSender(t, stories(chaosRounds()*8_000), s.URL())
	c := &chaos{t, "SQLite", sender}
	sender.setRate(chaosRate)
	stop := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() { sender.run(stop) })
	t.Cleanup(sync.OnceFunc(func() { close(stop); sending.Wait() }))

	other, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	holder, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hold := func(text string) func() {
		return func() {
			eventually(t, 30*time.Second, text, func() bool {
				_, err := holder.ExecContext(t.Context(), text)
				return err == nil
			})
		}
	}
	pages := func(n string) func() { return func() { s.mustExec([]string{"PRAGMA max_page_count = " + n}) } }
	for range chaosRounds() {
		c.suffer(
			fault{"disk full", 10 * time.Second, pages("1"), pages("4294967294"), nil}, // 1: no more than there are
			fault{"locked by another program", 8 * time.Second, hold("BEGIN IMMEDIATE"), hold("ROLLBACK"), nil},
			fault{"disk full again", 5 * time.Second, pages("1"), pages("4294967294"), nil},
		)
	}
	if err := errors.Join(holder.Close(), other.Close()); err != nil {
		t.Fatal(err)
	}
	s.stop()
	process := mustSpawn(t, url)
	sender.setURLs(process.url)
	for range 4 * chaosRounds() {
		c.suffer(fault{"process killed and started", 0, process.kill, func() {
			process = mustSpawn(t, url)
			sender.setURLs(process.url)
		}, nil})
	}
	sender.setRate(0)
	eventually(t, 5*time.Minute, "everything is acknowledged", func() bool { return sender.left() == 0 })
	process.terminate(t)
	c.mustConverge(mustStart(t, url, app.Options{}))
}
