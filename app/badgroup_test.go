package app_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/store"
)

// gate counts the events that handlers have seen, so that a test can hold the
// database until a whole group waits for it.
type gate struct{ handled atomic.Int32 }

// routes is the service's table with the gate in every handler, and with time
// enough to wait at it.
func (g *gate) routes() []quotekit.Route {
	routes := handlers.Routes()
	for i, r := range routes {
		routes[i].Timeout = time.Minute
		routes[i].Handle = func(ctx context.Context, e quotekit.Event) (quotekit.Changes, error) {
			g.handled.Add(1)
			return r.Handle(ctx, e)
		}
	}
	return routes
}

// post posts bodies while nobody can write, until all have been handled: the
// first goes ahead, the others wait behind it and form groups.
func (g *gate) post(s *service, bodies [][]byte) []answer {
	s.t.Helper()
	g.handled.Store(0)
	held, release := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	defer running.Wait()
	let := sync.OnceFunc(func() { close(release) })
	defer let()
	running.Go(func() {
		err := s.Store().WithTx(context.Background(), func(tx *store.Tx) error {
			if s.Store().Postgres() { // on SQLite there is one writer
				if _, err := tx.Exec("LOCK TABLE stripe_webhook_events IN EXCLUSIVE MODE"); err != nil {
					return err
				}
			}
			close(held)
			<-release
			return errRelease
		})
		if !errors.Is(err, errRelease) {
			s.t.Errorf("hold the database: %v", err)
		}
	})
	<-held
	answers, errs := make([]answer, len(bodies)), make([]error, len(bodies))
	for i, b := range bodies {
		running.Go(func() { answers[i], errs[i] = s.tryPost(b) })
		if i == 0 {
			eventually(s.t, 20*time.Second, "the first event at its handler", func() bool { return g.handled.Load() == 1 })
		}
	}
	eventually(s.t, 20*time.Second, "all events at their handlers", func() bool { return int(g.handled.Load()) == len(bodies) })
	let()
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		s.t.Fatal(err)
	}
	return answers
}

var errRelease = errors.New("release the database")

// TestBadInput_GoodEventsOfTheGroupSucceed posts good and bad events at once,
// so that they meet in groups.
func TestBadInput_GoodEventsOfTheGroupSucceed(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		const rounds, good, bad = 5, 40, 10
		var g gate
		s := mustStart(t, url, app.Options{Routes: g.routes(), Committers: 1})
		var worst []badInput
		for _, c := range badInputs() {
			if c.want == rejected {
				worst = append(worst, c)
			}
		}
		for round := range rounds {
			var bodies [][]byte
			for n := range good {
				bodies = append(bodies, product(fmt.Sprintf("good_%d_%d", round, n), fmt.Sprintf("prod_%d_%d", round, n)))
			}
			for n := range bad {
				c := worst[(round*bad+n)%len(worst)]
				bodies = append(bodies, []byte(strings.ReplaceAll(c.body, "$ID", fmt.Sprintf("bad_%d_%d", round, n))))
			}
			for _, a := range g.post(s, bodies) {
				want := "dead"
				if strings.HasPrefix(a.EventID, "good_") {
					want = "succeeded"
				}
				if a.HTTP != 200 || a.Duplicate || a.Status != want {
					t.Errorf("got %+v, want %s", a, want)
				}
			}
		}
		for query, want := range map[string]int{
			"SELECT COUNT(*) AS n FROM stripe_products":                                             rounds * good,
			"SELECT COUNT(*) AS n FROM webhook_dead_letter_queue WHERE resolved = false":            rounds * bad,
			"SELECT COUNT(*) AS n FROM stripe_webhook_events WHERE status IN ('succeeded', 'dead')": rounds * (good + bad),
			"SELECT COUNT(*) AS n FROM webhook_audit_trail WHERE action = 'event.delivered'":        rounds * (good + bad),
			"SELECT COUNT(*) AS n FROM river_job WHERE kind = 'webhook_attempt'":                    0,
		} {
			if got := s.value(query); got != fmt.Sprint(want) {
				t.Errorf("%s: got %s, want %d", query, got, want)
			}
		}
		mixed := s.query(`SELECT settle_id FROM stripe_webhook_events GROUP BY settle_id HAVING COUNT(DISTINCT status) > 1`)
		if len(mixed) < rounds {
			t.Errorf("%d groups had good and bad events in %d rounds", len(mixed), rounds)
		}
	})
}

// triggers make the database itself refuse one customer, with a message that
// quotes the row, as a constraint of the application's might.
var triggers = map[string]struct{ create, drop []string }{
	"sqlite": {
		[]string{`CREATE TRIGGER refuse BEFORE INSERT ON stripe_customers WHEN NEW.stripe_customer_id = 'cus_refused'
BEGIN SELECT RAISE(ABORT, 'refused: canary-of-the-database'); END`},
		[]string{"DROP TRIGGER refuse"},
	},
	"postgres": {
		[]string{`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.stripe_customer_id = 'cus_refused' THEN RAISE EXCEPTION 'refused: % %', NEW.email, 'canary-of-the-database'; END IF;
  RETURN NEW;
END $$`, `CREATE TRIGGER refuse BEFORE INSERT ON stripe_customers FOR EACH ROW EXECUTE FUNCTION refuse()`},
		[]string{"DROP TRIGGER refuse ON stripe_customers"},
	},
}

func (s *service) mustExec(statements []string) {
	s.t.Helper()
	for _, statement := range statements {
		if _, err := s.Store().Writer().Exec(statement); err != nil {
			s.t.Fatalf("%s: %v", statement, err)
		}
	}
}

func customer(event, id string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"object":"event","type":"customer.created","created":1775000000,"livemode":false,
"data":{"object":{"id":%q,"object":"customer","email":"canary@example.com"}}}`, event, id)
}

// TestBadInput_ARowTheDatabaseRefusesStandsAlone: of a group with one event
// whose row the database refuses, the others succeed at once, and that one
// later.
func TestBadInput_ARowTheDatabaseRefusesStandsAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		const good = 30
		var g gate
		s := mustStart(t, url, app.Options{Routes: g.routes(), Committers: 1})
		trigger := triggers[s.Store().Dialect().String()]
		s.mustExec(trigger.create)
		var bodies [][]byte
		for n := range good {
			bodies = append(bodies, customer(fmt.Sprintf("evt_%d", n), fmt.Sprintf("cus_%d", n)))
		}
		bodies = append(bodies, customer("evt_refused", "cus_refused"))
		for _, a := range g.post(s, bodies) {
			want := "succeeded"
			if a.EventID == "evt_refused" {
				want = "pending"
			}
			if a.HTTP != 200 || a.Status != want {
				t.Errorf("got %+v, want %s", a, want)
			}
		}
		checkLines(t, s.query("SELECT failure_reason, failure_reasons FROM stripe_webhook_events WHERE stripe_event_id = 'evt_refused'"),
			"failure_reason=DATABASE_ERROR | failure_reasons=DATABASE_ERROR")
		if got := s.value("SELECT error_message FROM stripe_webhook_events WHERE stripe_event_id = 'evt_refused'"); strings.Contains(got, "canary") {
			t.Errorf("got error message %q, which quotes the database", got)
		}
		if got := s.value("SELECT COUNT(*) AS n FROM stripe_customers"); got != fmt.Sprint(good) {
			t.Errorf("got %s customers, want %d", got, good)
		}
		s.mustExec(trigger.drop)
		eventually(t, 30*time.Second, "the retry", func() bool { return s.status("evt_refused") == "succeeded" })
		if got := s.query("SELECT 1 FROM stripe_customers WHERE stripe_customer_id = 'cus_refused'"); len(got) != 1 {
			t.Errorf("got %d rows of the customer that was refused", len(got))
		}
		if got := s.query("SELECT 1 FROM webhook_dead_letter_queue"); len(got) != 0 {
			t.Errorf("got %d dead letters", len(got))
		}
	})
}
