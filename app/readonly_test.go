package app_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// mustRefuseAndRecover takes deliveries while the database cannot be written:
// they are refused, none is answered falsely, readiness says it, and when the
// database is mended everything goes on by itself.
func (s *service) mustRefuseAndRecover(spoil, mend func()) {
	s.t.Helper()
	kept := map[string]bool{}
	number := 0
	deliver := func() answer {
		number++
		id := fmt.Sprintf("evt_rw_%d", number)
		body := set(product(id, "prod_"+id), "data.object.description", strings.Repeat("long ", 2000))
		a, err := s.tryPost(body)
		if err != nil {
			s.t.Fatal(err)
		}
		if a.HTTP == 200 {
			kept[id] = true
		}
		return a
	}
	ready := func() bool { return s.statusOf("GET", "/readyz", "") == 200 }
	if a := deliver(); a.HTTP != 200 || !ready() {
		s.t.Fatalf("got %+v before anything is wrong", a)
	}
	spoil()
	eventually(s.t, 60*time.Second, "a refusal", func() bool { return deliver().HTTP == 503 })
	eventually(s.t, 30*time.Second, "that it is not ready", func() bool { return !ready() })
	if a := deliver(); a.HTTP != 503 {
		s.t.Errorf("got %+v while nothing can be written", a)
	}
	if ready() {
		s.t.Error("it is ready while nothing can be written")
	}
	if got := s.statusOf("GET", "/livez", ""); got != 200 {
		s.t.Errorf("/livez: got %d", got)
	}
	mend()
	eventually(s.t, 60*time.Second, "a delivery is kept again", func() bool { return deliver().HTTP == 200 })
	eventually(s.t, 30*time.Second, "readiness", ready)
	for _, line := range s.query("SELECT stripe_event_id FROM stripe_webhook_events WHERE stripe_event_id LIKE 'evt_rw_%'") {
		_, id, _ := strings.Cut(line, "=")
		if !kept[id] {
			s.t.Errorf("%s is there and was answered 503", id)
		}
		delete(kept, id)
	}
	if len(kept) > 0 {
		s.t.Errorf("answered 200 and not there: %v", kept)
	}
}

// TestReadOnly_Postgres: the database is made read-only, as by an administrator or
// a failover, for sessions that begin from then on.
func TestReadOnly_Postgres(t *testing.T) {
	t.Parallel()
	database := storetest.PostgresURL(t, tables)
	b := &broken{fail: func(int) error { return errors.New("not now") }}
	s := mustStart(t, database, app.Options{Routes: routesWith("customer.created", b.handle)})
	s.post(fixture(t, customerFixture))
	admin := storetest.Open(t, os.Getenv(storetest.ServerVariable))
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	order := func(statement string) {
		if _, err := admin.Writer().Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	s.mustRefuseAndRecover(func() {
		order("ALTER DATABASE " + name + " SET default_transaction_read_only = on")
		order("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'")
	}, func() {
		b.mended.Store(true)
		// No session is ended: those that began meanwhile are read-only for their life.
		order("ALTER DATABASE " + name + " SET default_transaction_read_only = off")
	})
	eventually(t, 60*time.Second, "the retry of an event from before", func() bool {
		return s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'pending'") == "0"
	})
}

const customerFixture = "customer.created.dahlia.journey-a"

func TestReadOnly_FullDiskOnSQLite(t *testing.T) {
	t.Parallel()
	b := &broken{fail: func(int) error { return errors.New("not now") }}
	s := mustStart(t, storetest.SQLiteURL(t, tables), app.Options{Routes: routesWith("customer.created", b.handle)})
	s.post(fixture(t, customerFixture))
	limit := func(pages string) { // of the one connection that writes
		if _, err := s.Store().Writer().Exec("PRAGMA max_page_count = " + pages); err != nil {
			t.Fatal(err)
		}
	}
	s.mustRefuseAndRecover(func() { limit(s.value("PRAGMA page_count")) }, func() {
		b.mended.Store(true)
		limit("1000000")
	})
	eventually(t, 60*time.Second, "the retry of an event from before", func() bool {
		return s.value("SELECT COUNT(*) FROM stripe_webhook_events WHERE status = 'pending'") == "0"
	})
}

// TestReadOnly_SQLiteLockedByAnotherProgram: while somebody else writes, a
// delivery waits a little, and is refused if that takes too long.
func TestReadOnly_SQLiteLockedByAnotherProgram(t *testing.T) {
	t.Parallel()
	database := storetest.SQLiteURL(t, tables)
	s := mustStart(t, database, app.Options{Role: app.RoleWeb})
	other, err := sql.Open("sqlite", strings.TrimPrefix(database, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	order := func(statement string) {
		if _, err := conn.ExecContext(context.Background(), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}

	order("BEGIN IMMEDIATE")
	release := time.AfterFunc(500*time.Millisecond, func() { order("ROLLBACK") })
	if a := s.post(product("evt_waits", "prod_waits")); a.Status != "succeeded" {
		t.Errorf("got %+v for a delivery that has to wait", a)
	}
	if release.Stop() {
		t.Error("the delivery did not wait for the lock")
	}
	s.mustRefuseAndRecover(func() { order("BEGIN IMMEDIATE") }, func() { order("ROLLBACK") })
}
