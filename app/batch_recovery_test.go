package app_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// tenEach inserts n items that cost 10.00.
func (s *service) tenEach(u *user, n int) []string {
	return s.items(u, slices.Repeat([]quotekit.Cents{10_00}, n)...)
}

// raise submits a job that adds 1.00 to the prices of items.
func (u *user) raise(ids []string) batch.Job {
	return u.submit("update_item_prices", ids, adjustment("fixed", "1"))
}

// wantRaisedOnce checks that a job is completed, and that it raised all prices once.
func (s *service) wantRaisedOnce(u *user, j batch.Job, ids []string) {
	s.t.Helper()
	at := mustUser(s.t, s.URL(), u.id)
	j = at.get(j.ID)
	at.checkSums(j)
	if j.Status != quotekit.BatchCompleted || j.SucceededItems != len(ids) {
		s.t.Errorf("got %+v", j)
	}
	if got := s.pricesOf(u); len(got) != 1 || got["11.00"] != len(ids) {
		s.t.Errorf("got prices %v, want each 11.00", got)
	}
}

// pricesOf counts the prices of a user's items.
func (s *service) pricesOf(u *user) map[string]int {
	s.t.Helper()
	counts := map[string]int{}
	for _, line := range s.query("SELECT unit_price FROM items WHERE user_id = $1", u.id) {
		_, price, _ := strings.Cut(line, "=")
		if !s.Store().Postgres() && len(price) > 2 {
			price = price[:len(price)-2] + "." + price[len(price)-2:]
		}
		counts[price]++
	}
	return counts
}

// middle waits until a job is under way, and returns it; it fails if it has ended
// by then.
func (u *user) middle(j batch.Job) batch.Job {
	u.t.Helper()
	for started := time.Now(); time.Since(started) < 10*time.Second; {
		if j = u.get(j.ID); j.ProcessedItems > 0 {
			break
		}
	}
	if j.ProcessedItems == 0 || j.Status.Finished() {
		u.t.Fatalf("not in the middle: %+v", j)
	}
	return j
}

// goesOn waits until more of a job is done than was, or all of it, and returns how
// long it takes.
func (u *user) goesOn(j batch.Job, since time.Time) time.Duration {
	u.t.Helper()
	eventually(u.t, 20*time.Second, "the job goes on", func() bool {
		is := u.get(j.ID)
		return is.Status.Finished() || is.ProcessedItems > j.ProcessedItems
	})
	return time.Since(since)
}

// standstill watches a job until it ends. The returned function waits for that, and
// returns the longest time in which nothing was done.
func (u *user) standstill(j batch.Job) func() time.Duration {
	done := make(chan time.Duration, 1)
	go func() {
		var longest time.Duration
		moved := time.Now()
		for !j.Status.Finished() && time.Since(moved) < 30*time.Second {
			r, err := u.try("GET", "/v1/batch-jobs/"+j.ID, "")
			var is batch.Job
			if err != nil || json.Unmarshal(r.body, &is) != nil || r.status != http.StatusOK {
				u.t.Errorf("status %d, %v: %s", r.status, err, r.body)
				break
			}
			longest = max(longest, time.Since(moved))
			if is.ProcessedItems != j.ProcessedItems {
				moved = time.Now()
			}
			j = is
		}
		done <- longest
	}()
	return func() time.Duration { return <-done }
}

// TestBatchRecovery_AnotherProcessGoesOn ends a process in the middle of a job.
// Another one, which is there already, goes on with it.
func TestBatchRecovery_AnotherProcessGoesOn(t *testing.T) {
	for _, test := range []struct {
		name   string
		end    func(*child)
		within time.Duration
	}{
		{"killed", (*child).kill, 10 * time.Second},
		{"stopped", func(c *child) { c.terminate(t) }, 5 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			database := storetest.PostgresURL(t, tables)
			s := mustStartBatch(t, database, app.Options{Role: app.RoleWeb})
			u := s.user()
			ids := s.tenEach(u, 1000)
			first := mustSpawn(t, database, chunkVariable+"=1")
			mustSpawn(t, database)
			j := u.at(first).raise(ids)
			u.middle(j)
			longest := u.standstill(j)
			test.end(first)
			took := longest()
			t.Logf("stood still for %s", took.Round(time.Millisecond))
			if took > test.within {
				t.Errorf("the job stood still for %s, want %s at most", took, test.within)
			}
			s.wantRaisedOnce(u, u.end(j), ids)
			if got := s.value("SELECT fence FROM batch_jobs WHERE id = $1", j.ID); got != "2" {
				t.Errorf("fence = %s, want 2", got)
			}
		})
	}
}

// TestBatchRecovery_NextStartGoesOn ends the only process in the middle of a job.
func TestBatchRecovery_NextStartGoesOn(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*child)
		// within is the time on Postgres, where a new process cannot know that the old
		// one is dead. On SQLite the job goes on at once.
		within time.Duration
	}{
		{"killed", (*child).kill, 10 * time.Second},
		{"stopped", func(c *child) { c.terminate(t) }, 5 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, database string) {
				s := mustStartBatch(t, database, app.Options{Role: app.RoleWeb})
				u := s.user()
				ids := s.tenEach(u, 1000)
				within := test.within
				if !s.Store().Postgres() {
					within = 5 * time.Second
				}
				s.stop()
				first := mustSpawn(t, database, chunkVariable+"=1")
				u = u.at(first)
				j := u.middle(u.raise(ids))
				test.end(first)
				started := time.Now()
				second := mustSpawn(t, database, chunkVariable+"=1")
				u = u.at(second)
				j = u.get(j.ID)
				if j.Status.Finished() {
					t.Fatalf("not in the middle: %+v", j)
				}
				took := u.goesOn(j, started)
				t.Logf("goes on after %s", took.Round(time.Millisecond))
				if took > within {
					t.Errorf("the job stood still for %s, want %s at most", took, within)
				}
				u.end(j)
				second.terminate(t)
				s = mustStartBatch(t, database, app.Options{Role: app.RoleWeb})
				s.wantRaisedOnce(u, j, ids)
			})
		})
	}
}

// lock locks rows of a table until the returned function is called.
func (s *service) lock(table string, ids ...string) (release func()) {
	s.t.Helper()
	tx, err := s.Store().Writer().Begin()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, id := range ids {
		if _, err := tx.Exec("SELECT 1 FROM "+table+" WHERE id = $1 FOR UPDATE", id); err != nil {
			s.t.Fatal(err)
		}
	}
	var once sync.Once
	release = func() {
		once.Do(func() {
			if err := tx.Rollback(); err != nil {
				s.t.Error(err)
			}
		})
	}
	s.t.Cleanup(release)
	return release
}

// TestBatchRecovery_LockedRows has another program hold rows: everything else is
// done meanwhile, and these as soon as they are free.
func TestBatchRecovery_LockedRows(t *testing.T) {
	s := mustStartBatch(t, storetest.PostgresURL(t, tables), app.Options{})
	u, other := s.user(), s.user()
	ids := s.tenEach(u, 300)
	locked := []int{0, 3, 4, 149, 150, 299}
	var lockedIDs []string
	for _, i := range locked {
		lockedIDs = append(lockedIDs, ids[i])
	}
	release := s.lock("items", lockedIDs...)
	j := u.raise(ids)
	eventually(t, 20*time.Second, "all but the locked items", func() bool { return u.get(j.ID).UnprocessedItems <= len(locked) })
	if j = u.get(j.ID); j.Status != quotekit.BatchProcessing || j.UnprocessedItems != len(locked) {
		t.Errorf("got %+v", j)
	}
	for _, r := range u.results(j.ID) {
		want := quotekit.Succeeded
		if slices.Contains(locked, r.Position) {
			want = quotekit.Unprocessed
		}
		if r.Outcome != want {
			t.Errorf("item %d is %s, want %s", r.Position, r.Outcome, want)
		}
	}
	// Nobody else has to wait for them.
	for _, v := range []*user{u, other} {
		started := time.Now()
		if got := v.run("delete_quotes", s.quotes(v, 100, nil), nil); got.SucceededItems != 100 {
			t.Errorf("got %+v", got)
		}
		if took := time.Since(started); took > 3*time.Second {
			t.Errorf("a job without locked rows took %s", took)
		}
	}
	release()
	started := time.Now()
	j = u.end(j)
	t.Logf("ends %s after the release", time.Since(started).Round(time.Millisecond))
	s.wantRaisedOnce(u, j, ids)
}

// TestBatchRecovery_CancelWhileLocked cancels a job that waits for locks.
func TestBatchRecovery_CancelWhileLocked(t *testing.T) {
	database := storetest.PostgresURL(t, tables)
	s := mustStartBatch(t, database, app.Options{})
	u := s.user()
	ids := s.tenEach(u, 60)
	release := s.lock("items", ids[:30]...)
	j := u.raise(ids)
	eventually(t, 20*time.Second, "the other items", func() bool { return u.get(j.ID).UnprocessedItems <= 30 })
	started := time.Now()
	j = u.job(u.do("POST", "/v1/batch-jobs/"+j.ID+"/cancel", ""))
	took := time.Since(started)
	t.Logf("cancelled within %s", took.Round(time.Millisecond))
	if j.Status != quotekit.BatchCancelled || j.UnprocessedItems != 30 || j.SucceededItems != 30 {
		t.Errorf("got %+v", j)
	}
	if took > 2*time.Second {
		t.Errorf("the cancel took %s", took)
	}
	release()
	u.checkSums(j)
	if got := s.pricesOf(u); got["10.00"] != 30 || got["11.00"] != 30 {
		t.Errorf("got %v", got)
	}
	// And no late chunk touches them.
	s.stop()
	s = mustStartBatch(t, database, app.Options{Role: app.RoleWeb})
	if got := s.pricesOf(u); got["10.00"] != 30 || got["11.00"] != 30 {
		t.Errorf("got %v after the stop", got)
	}
}

// poisons make the database refuse what is done to a row called poison.
var poisons = map[string]func(*service, string) []string{
	"trigger": func(s *service, table string) []string {
		if s.Store().Postgres() {
			return []string{
				`CREATE FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  IF COALESCE(NEW.name, OLD.name) = 'poison' THEN RAISE EXCEPTION 'not this one'; END IF;
  RETURN COALESCE(NEW, OLD);
END $$`,
				"CREATE TRIGGER poison BEFORE INSERT OR UPDATE OR DELETE ON " + table + " FOR EACH ROW EXECUTE FUNCTION refuse()",
			}
		}
		var all []string
		for event, row := range map[string]string{"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"} {
			all = append(all, fmt.Sprintf("CREATE TRIGGER poison_%s BEFORE %[1]s ON %s WHEN %s.name = 'poison' "+
				"BEGIN SELECT RAISE(ABORT, 'not this one'); END", event, table, row))
		}
		return all
	},
	"check": func(s *service, table string) []string {
		if s.Store().Postgres() {
			// Rows that are there already need not fit.
			return []string{"ALTER TABLE " + table + " ADD CONSTRAINT poison CHECK (name <> 'poison') NOT VALID"}
		}
		return nil // SQLite cannot add one
	},
}

// TestBatchRecovery_PoisonIsThatOfOneItem has the database refuse some rows of a
// job. Exactly these fail, also where a chunk begins with an item that needs no
// database.
func TestBatchRecovery_PoisonIsThatOfOneItem(t *testing.T) {
	poisoned := []int{7, 52, 53, 99}
	for name, poison := range poisons {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, url string) {
				s := mustStartBatch(t, url, app.Options{})
				u := s.user()
				rows := make([]quotekit.Values, 100)
				var objects []map[string]any
				for i := range rows {
					name := fmt.Sprint("good ", i)
					if slices.Contains(poisoned, i) {
						name = "poison"
					}
					rows[i] = quotekit.Values{"name": name, "unit_price": quotekit.Cents(10_00), "tags": json.RawMessage("[]")}
					objects = append(objects, map[string]any{"name": name, "unit_price": "10"})
				}
				ids := s.rows(u, quotekit.Items, rows...)
				statements := poison(s, "items")
				if statements == nil {
					return
				}
				mustWrite(t, s, statements...)
				ids[50] = ids[0] // the second chunk begins with a duplicate
				before := s.application()

				dry := u.job(u.do("POST", "/v1/batch-jobs", strings.Replace(
					submission("update_item_prices", ids, adjustment("fixed", "1")), "{", `{"dry_run": true, `, 1), "Prefer", "wait=20"))
				wantPoisoned(u, dry, poisoned, 50)
				if d := diff(s.application(), before); d != "" {
					t.Errorf("a dry run changed rows:\n%s", d)
				}
				j := u.run("update_item_prices", ids, adjustment("fixed", "1"))
				wantPoisoned(u, j, poisoned, 50)
				if got := s.pricesOf(u); got["11.00"] != 95 || got["10.00"] != 5 {
					t.Errorf("got prices %v", got)
				}
				wantPoisoned(u, u.run("bulk_create_items", objects, nil), poisoned, -1)
				if got := s.value("SELECT COUNT(*) AS n FROM items"); got != "196" {
					t.Errorf("got %s items, want 196", got)
				}
				// What failed can be tried again when the rule is gone.
				if s.Store().Postgres() {
					mustWrite(t, s, "DROP TRIGGER IF EXISTS poison ON items", "ALTER TABLE items DROP CONSTRAINT IF EXISTS poison")
				} else {
					mustWrite(t, s, "DROP TRIGGER poison_UPDATE")
				}
				if again := u.act(j.ID, "retry-failed"); again.SucceededItems != 4 || again.TotalItems != 4 {
					t.Errorf("got %+v", again)
				}
			})
		})
	}
}

func wantPoisoned(u *user, j batch.Job, poisoned []int, duplicate int) {
	u.t.Helper()
	u.checkSums(j)
	if j.Status != quotekit.BatchCompleted {
		u.t.Errorf("got %+v", j)
	}
	want := slices.Repeat([]string{"succeeded"}, 100)
	for _, i := range poisoned {
		want[i] = "failed: conflict"
	}
	if duplicate >= 0 {
		want[duplicate] = "skipped: duplicate"
	}
	if got := u.outcomes(j.ID); !slices.Equal(got, want) {
		u.t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestBatchRecovery_LostConnections has Postgres end all connections again and
// again, as it does when it restarts: requests that were not answered are sent
// again, and nothing is lost or done twice.
func TestBatchRecovery_LostConnections(t *testing.T) {
	database := storetest.PostgresURL(t, tables)
	c := batchConfig(database)
	c.BatchChunkSize = 1
	s := mustStartWith(t, c, app.Options{Logger: slog.New(slog.DiscardHandler)}) // it has a lot to complain about
	u := s.user()
	const each = 600
	priced, quotes := s.tenEach(u, each), s.quotes(u, each, nil)
	var objects []map[string]any
	for i := range each {
		objects = append(objects, map[string]any{"name": fmt.Sprint("made ", i)})
	}
	killer, err := sql.Open("pgx", database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = killer.Close() }()
	killer.SetMaxOpenConns(1)
	stop := make(chan struct{})
	var killing sync.WaitGroup
	var rounds, ended atomic.Int64
	killing.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			const terminate = `
SELECT COUNT(pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`
			var n int64
			if err := killer.QueryRowContext(context.Background(), terminate).Scan(&n); err != nil {
				t.Error(err)
				return
			}
			rounds.Add(1)
			ended.Add(n)
		}
	})
	lost := 0
	persist := func(method, path, body string, headers ...string) batch.Job {
		t.Helper()
		var job batch.Job
		eventually(t, time.Minute, method+" "+path, func() bool {
			r, err := u.try(method, path, body, headers...)
			if err != nil {
				t.Fatal(err) // the service itself is there
			}
			if r.status == http.StatusServiceUnavailable {
				lost++
				return false
			}
			job = u.job(r)
			return true
		})
		return job
	}
	var open []batch.Job
	for i, body := range []string{
		submission("update_item_prices", priced, adjustment("fixed", "1")),
		submission("update_quote_status", quotes, status("sent")),
		submission("bulk_create_clients", objects, nil),
	} {
		open = append(open, persist("POST", "/v1/batch-jobs", body, "Idempotency-Key", fmt.Sprint("job ", i)))
	}
	finished := 0
	for _, j := range open {
		eventually(t, time.Minute, "the end of "+j.Operation, func() bool {
			j = persist("GET", "/v1/batch-jobs/"+j.ID, "")
			return j.Status.Finished() || rounds.Load() > 100 // then in peace
		})
		if j.Status.Finished() {
			finished++
		}
	}
	close(stop)
	killing.Wait()
	t.Logf("%d connections ended in %d rounds, %d requests answered 503, %d of 3 jobs finished meanwhile", ended.Load(), rounds.Load(), lost, finished)
	if rounds.Load() < 5 || ended.Load() < 20 {
		t.Error("that is too few to tell")
	}
	answered := 0 // in a row; each dead connection of the pool is noticed once
	eventually(t, 10*time.Second, "peace", func() bool {
		for answered < 30 {
			if r, err := u.try("GET", "/v1/batch-jobs/"+open[0].ID, ""); err != nil || r.status != http.StatusOK {
				answered = 0
				return false
			}
			answered++
		}
		return true
	})
	for i, j := range open {
		if j = u.end(j); j.SucceededItems != each || j.Status != quotekit.BatchCompleted {
			t.Errorf("%s: got %+v", j.Operation, j)
		}
		u.checkSums(j)
		open[i] = j
	}
	s.checkJobs(3)
	s.wantRaisedOnce(u, open[0], priced)
	for query, want := range map[string]string{
		"SELECT COUNT(*) AS n FROM quotes WHERE status = 'sent'": fmt.Sprint(each),
		"SELECT COUNT(*) AS n FROM clients":                      fmt.Sprint(each),
		"SELECT COUNT(DISTINCT name) AS n FROM clients":          fmt.Sprint(each),
	} {
		if got := s.value(query); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}
