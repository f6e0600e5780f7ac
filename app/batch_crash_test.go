package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/batch"
	"github.com/quotekit/quotekit/internal/rest"
)

// TestBatchCrash_EveryItemHasOneOutcome kills processes that run jobs of every
// kind, again and again: on SQLite the only one, on Postgres one of two. Requests
// that were not answered are sent again with the same Idempotency-Key. In the end
// each item has one outcome, and each row was changed as often as that says.
func TestBatchCrash_EveryItemHasOneOutcome(t *testing.T) {
	t.Parallel()
	kills := 26
	if os.Getenv("QUOTEKIT_TEST_LONG") != "" {
		kills = 260
	}
	onBoth(t, func(t *testing.T, database string) {
		s := mustStartBatch(t, database, app.Options{Role: app.RoleWeb}) // works on no jobs
		perKill := 6                                                     // what a process may do before it is killed, and more
		if s.Store().Postgres() {
			perKill = 10
		}
		w := newCrashWorld(s, perKill*kills)
		before := s.application()
		c := &cluster{t: t, database: database, web: s, jobs: map[*child][]string{}}
		processes := 2
		if !s.Store().Postgres() {
			s.stop() // the file is the child's
			processes, c.web = 1, nil
		}
		for range processes {
			c.children = append(c.children, c.spawn())
		}
		stop := make(chan struct{})
		var submitting sync.WaitGroup
		submitting.Go(func() { w.submitAll(c, stop) })
		for range kills {
			c.killOne()
		}
		close(stop)
		submitting.Wait()
		for _, task := range w.open {
			t.Fatalf("a job does not end: %s: %+v", task.name, task.job)
		}
		for _, child := range c.children {
			child.kill()
		}
		c.report(kills)
		t.Logf("%d jobs, %d answers were lost", len(w.done), w.replays)
		if c.web == nil {
			s = mustStartBatch(t, database, app.Options{Role: app.RoleWeb})
		}
		w.check(s, before)
	})
}

// cluster is a number of processes on one database.
type cluster struct {
	t        testing.TB
	database string
	web      *service // looks at the database; nil on SQLite

	following sync.WaitGroup
	mu        sync.Mutex
	children  []*child
	jobs      map[*child][]string // that a process took in
	middle    int                 // kills that came while a job of the process was unfinished
	resumed   []time.Duration
}

func (c *cluster) spawn() *child { return mustSpawn(c.t, c.database, chunkVariable+"=3") }

// one is any of the processes. It may be dead.
func (c *cluster) one() *child {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.children[rand.IntN(len(c.children))]
}

func (c *cluster) took(child *child, jobID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs[child] = append(c.jobs[child], jobID)
}

// killOne kills a process after a short time, and starts another one.
func (c *cluster) killOne() {
	c.t.Helper()
	i := rand.IntN(len(c.children))
	// Some are killed while they start, most when they work on something, however
	// long this machine takes for a start.
	if c.web == nil && rand.IntN(4) > 0 {
		comesTrue(10*time.Second, func() bool {
			jobs, err := c.processing(c.children[i])
			return err != nil || len(jobs) > 0
		})
	}
	// The moment is random, since it is the moment that is tried out.
	<-time.After(time.Duration(5+rand.IntN(145)) * time.Millisecond)
	// Of two processes one may have nothing to do.
	for started := time.Now(); c.web != nil && len(c.unfinished(c.children[i])) == 0 && time.Since(started) < 200*time.Millisecond; {
		i = (i + 1) % len(c.children)
	}
	victim := c.children[i]
	victim.kill()
	started := time.Now()
	if c.web != nil {
		c.followTakeovers(victim, started)
	}
	next := c.spawn()
	c.mu.Lock()
	c.children[i] = next
	c.mu.Unlock()
	if c.web == nil {
		c.following.Go(func() { c.followRestart(next, started) })
	}
}

// unfinished are the jobs that a process took in and works on since, with the
// number of items that are processed.
func (c *cluster) unfinished(child *child) map[string]int {
	c.mu.Lock()
	ids := slices.Clone(c.jobs[child])
	c.mu.Unlock()
	found := map[string]int{}
	for _, id := range ids {
		if fence, processed, finished := c.state(id); fence == 1 && !finished {
			found[id] = processed
		}
	}
	return found
}

func (c *cluster) state(id string) (fence int64, processed int, finished bool) {
	row := c.web.Store().Reader().QueryRow("SELECT fence, processed_items, status = 'completed' FROM batch_jobs WHERE id = $1", id)
	if err := row.Scan(&fence, &processed, &finished); err != nil {
		c.t.Error(err)
	}
	return fence, processed, finished
}

// followTakeovers measures how long the jobs that the killed process had taken in
// stand still. A job whose next process is killed as well does not count.
func (c *cluster) followTakeovers(victim *child, killed time.Time) {
	left := c.unfinished(victim)
	if len(left) > 0 {
		c.noteMiddle()
	}
	for id, was := range left {
		c.following.Go(func() {
			moves := comesTrue(time.Minute, func() bool {
				fence, is, _ := c.state(id)
				if fence <= 2 && is > was {
					c.noteResumed(time.Since(killed))
				}
				return fence > 2 || is > was
			})
			if !moves {
				c.t.Errorf("job %s stands still", id)
			}
		})
	}
}

// followRestart measures how long it takes from the start of a process to the next
// commit for jobs that it has found.
func (c *cluster) followRestart(next *child, started time.Time) {
	first, err := c.processing(next)
	if err != nil || len(first) == 0 {
		return // killed at once, or nothing to do
	}
	c.noteMiddle()
	for {
		is, err := c.processing(next)
		if err != nil {
			return // killed
		}
		for id, processed := range first {
			if is[id] != processed { // it has gone on, or is not in the list any more
				c.noteResumed(time.Since(started))
				return
			}
		}
	}
}

// processing asks a process which jobs are under way, and how far they are.
func (c *cluster) processing(child *child) (map[string]int, error) {
	found := map[string]int{}
	for _, id := range crashUsers {
		r, err := mustUser(c.t, child.url, id).try("GET", "/v1/batch-jobs?status=processing&limit=100", "")
		if err != nil {
			return nil, err
		}
		var page rest.Page[batch.Job]
		if err := json.Unmarshal(r.body, &page); err != nil || r.status != 200 {
			return nil, fmt.Errorf("status %d: %s", r.status, r.body)
		}
		for _, j := range page.Items {
			found[j.ID] = j.ProcessedItems
		}
	}
	return found, nil
}

func (c *cluster) noteMiddle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.middle++
}

func (c *cluster) noteResumed(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resumed = append(c.resumed, after)
}

func (c *cluster) report(kills int) {
	c.t.Helper()
	c.following.Wait()
	if len(c.resumed) == 0 {
		c.t.Fatal("no job was seen to go on")
	}
	longest := slices.Max(c.resumed)
	c.t.Logf("%d kills, %d in the middle of a job; %d times seen to go on: after %s in the median, %s at most",
		kills, c.middle, len(c.resumed), median(c.resumed).Round(time.Millisecond), longest.Round(time.Millisecond))
	if c.middle < kills/3 { // of those that are known
		c.t.Errorf("only %d of %d kills came in the middle of a job", c.middle, kills)
	}
	if longest > 10*time.Second {
		c.t.Errorf("a job stood still for %s, want 10 s at most", longest)
	}
}

// crashUsers have the rows of a crashWorld.
var crashUsers = []string{"aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"}

// crashTask is a job that is to be done once, however often it has to be asked for.
type crashTask struct {
	name       string
	user       *user
	path, body string
	key        string
	tried      bool
	// want are the items that succeed, fail and are skipped.
	want [3]int
	// next is asked for when this is done; its path is one below this job's.
	next *crashTask
	job  batch.Job
	// moved is when it was last seen to go on.
	moved time.Time
}

// rowFate is what becomes of a row: nil is nothing.
type rowFate struct {
	gone bool
	// columns are those that change, beside updated_at.
	columns map[string]string
}

// crashWorld is what there is to do, and what has to come of it.
type crashWorld struct {
	s                *service
	todo, open, done []*crashTask
	replays          int
	fateOf           map[*crashTask]map[string]*rowFate
	made             map[*crashTask]string // the names of the rows it creates begin so
}

const crashRows = 120

func newCrashWorld(s *service, tasks int) *crashWorld {
	w := &crashWorld{s: s, fateOf: map[*crashTask]map[string]*rowFate{}, made: map[*crashTask]string{}}
	var users []*user
	for _, id := range crashUsers {
		users = append(users, mustUser(s.t, s.URL(), id))
	}
	kinds := []func(*user) *crashTask{
		w.prices, w.pricesWithFailures, w.statuses, w.statusesTakenBack, w.deletedQuotes, w.deletedQuotesTakenBack,
		w.deletedClients, w.deletedClientsTakenBack, w.export, w.createdItems, w.createdClients, w.createdQuotes,
		w.createdItemsTakenBack, w.dryPrices, w.dryDelete, w.dryCreate,
	}
	for len(w.todo) < tasks {
		for _, i := range rand.Perm(len(kinds)) {
			w.todo = append(w.todo, kinds[i](users[rand.IntN(len(users))]))
		}
	}
	return w
}

// task makes a task whose items all succeed.
func (w *crashWorld) task(u *user, name, operation string, items any, options map[string]any, count int) *crashTask {
	task := &crashTask{
		name: name, user: u, path: "/v1/batch-jobs", body: submission(operation, items, options), key: quotekit.NewID(),
		want: [3]int{count, 0, 0},
	}
	w.fateOf[task] = map[string]*rowFate{}
	return task
}

func (task *crashTask) takenBack() *crashTask {
	task.next = &crashTask{name: task.name + ", undo", user: task.user, path: "/undo", key: quotekit.NewID(), want: [3]int{task.want[0], 0, 0}}
	return task
}

func (task *crashTask) dry() *crashTask {
	task.body = strings.Replace(task.body, "{", `{"dry_run": true, `, 1)
	return task
}

func (w *crashWorld) pricedItems(u *user) (ids []string, prices []quotekit.Cents) {
	for range crashRows {
		prices = append(prices, quotekit.Cents(rand.IntN(1_000_00)+20))
	}
	return w.s.items(u, prices...), prices
}

// raised is a price that was raised by 5 % once, as the database shows it.
func (w *crashWorld) raised(p quotekit.Cents) string { return w.s.shown((p*105 + 50) / 100) }

func (w *crashWorld) prices(u *user) *crashTask {
	ids, prices := w.pricedItems(u)
	task := w.task(u, "prices", "update_item_prices", ids, adjustment("percentage", "5"), len(ids))
	for i, id := range ids {
		w.fateOf[task][id] = &rowFate{columns: map[string]string{"unit_price": w.raised(prices[i])}}
	}
	return task
}

// pricesWithFailures has items that are missing, named twice, and cannot cost
// more. Those that failed are tried again, and fail again.
func (w *crashWorld) pricesWithFailures(u *user) *crashTask {
	ids, prices := w.pricedItems(u)
	list := append(slices.Clone(ids), w.s.items(u, quotekit.MaxCents, quotekit.MaxCents)...)
	list = append(list, quotekit.NewID(), quotekit.NewID(), quotekit.NewID(), ids[0], ids[1])
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	task := w.task(u, "prices with failures", "update_item_prices", list, adjustment("percentage", "5"), 0)
	task.want = [3]int{len(ids), 5, 2}
	for i, id := range ids {
		w.fateOf[task][id] = &rowFate{columns: map[string]string{"unit_price": w.raised(prices[i])}}
	}
	task.next = &crashTask{name: "prices, failed again", user: u, path: "/retry-failed", key: quotekit.NewID(), want: [3]int{0, 5, 0}}
	return task
}

func (w *crashWorld) statuses(u *user) *crashTask {
	ids := w.s.quotes(u, crashRows, nil)
	task := w.task(u, "statuses", "update_quote_status", ids, status("sent"), len(ids))
	for _, id := range ids {
		w.fateOf[task][id] = &rowFate{columns: map[string]string{"status": "sent"}}
	}
	return task
}

func (w *crashWorld) statusesTakenBack(u *user) *crashTask {
	ids := w.s.quotes(u, crashRows, nil)
	return w.task(u, "statuses", "update_quote_status", ids, status("sent"), len(ids)).takenBack()
}

func (w *crashWorld) deletedQuotes(u *user) *crashTask {
	ids := w.s.quotes(u, crashRows, nil)
	task := w.task(u, "deleted quotes", "delete_quotes", ids, nil, len(ids))
	for _, id := range ids {
		w.fateOf[task][id] = &rowFate{gone: true}
	}
	return task
}

func (w *crashWorld) deletedQuotesTakenBack(u *user) *crashTask {
	ids := w.s.quotes(u, crashRows, nil)
	return w.task(u, "deleted quotes", "delete_quotes", ids, nil, len(ids)).takenBack()
}

// clientsWithQuotes makes clients of which the first have three quotes each.
func (w *crashWorld) clientsWithQuotes(u *user) (clients, quotes []string) {
	clients = w.s.clients(u, crashRows)
	for _, id := range clients[:10] {
		quotes = append(quotes, w.s.quotes(u, 3, id)...)
	}
	return clients, quotes
}

func (w *crashWorld) deletedClients(u *user) *crashTask {
	clients, quotes := w.clientsWithQuotes(u)
	task := w.task(u, "deleted clients", "delete_clients", clients, nil, len(clients))
	for _, id := range clients {
		w.fateOf[task][id] = &rowFate{gone: true}
	}
	for _, id := range quotes {
		w.fateOf[task][id] = &rowFate{columns: map[string]string{"client_id": "null"}}
	}
	return task
}

func (w *crashWorld) deletedClientsTakenBack(u *user) *crashTask {
	clients, _ := w.clientsWithQuotes(u)
	return w.task(u, "deleted clients", "delete_clients", clients, nil, len(clients)).takenBack()
}

func (w *crashWorld) export(u *user) *crashTask {
	ids := w.s.quotes(u, crashRows, nil)
	return w.task(u, "export", "export_quotes", ids, nil, len(ids))
}

// creates makes rows whose names begin with a mark of the task's own. Every
// twelfth object is wrong.
func (w *crashWorld) creates(u *user, operation, name string, others map[string]any) *crashTask {
	mark := "made " + quotekit.NewID()
	var objects []map[string]any
	for i := range crashRows {
		object := maps.Clone(others)
		object[name] = fmt.Sprint(mark, " ", i)
		if i%12 == 0 {
			object["nonsense"] = true
		}
		objects = append(objects, object)
	}
	task := w.task(u, operation, operation, objects, nil, 0)
	task.want = [3]int{crashRows - crashRows/12, crashRows / 12, 0}
	w.made[task] = mark
	return task
}

func (w *crashWorld) createdItems(u *user) *crashTask {
	return w.creates(u, "bulk_create_items", "name", map[string]any{"unit_price": "12.50"})
}

func (w *crashWorld) createdClients(u *user) *crashTask {
	return w.creates(u, "bulk_create_clients", "name", map[string]any{"email": "a@example.com"})
}

func (w *crashWorld) createdQuotes(u *user) *crashTask {
	return w.creates(u, "bulk_create_quotes", "client_name", map[string]any{"total": "12.50"})
}

func (w *crashWorld) createdItemsTakenBack(u *user) *crashTask { return w.createdItems(u).takenBack() }

func (w *crashWorld) dryPrices(u *user) *crashTask {
	ids, _ := w.pricedItems(u)
	return w.task(u, "dry prices", "update_item_prices", ids, adjustment("percentage", "5"), len(ids)).dry()
}

func (w *crashWorld) dryDelete(u *user) *crashTask {
	clients, _ := w.clientsWithQuotes(u)
	return w.task(u, "dry delete", "delete_clients", clients, nil, len(clients)).dry()
}

func (w *crashWorld) dryCreate(u *user) *crashTask {
	task := w.createdQuotes(u).dry()
	delete(w.made, task)
	return task
}

// submitAll asks for one task after the other, so that there is always something
// under way, until stop is closed, and then until all that were asked for are done.
func (w *crashWorld) submitAll(c *cluster, stop <-chan struct{}) {
	var deadline time.Time
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			if deadline.IsZero() {
				deadline = time.Now().Add(time.Minute)
			}
			w.todo = slices.DeleteFunc(w.todo, func(task *crashTask) bool { return !task.tried })
			if (len(w.todo) == 0 && len(w.open) == 0) || time.Now().After(deadline) {
				w.open = append(w.open, w.todo...)
				return
			}
		default:
		}
		moving := 0
		for _, task := range w.open {
			if time.Since(task.moved) < 300*time.Millisecond { // else its process is dead
				moving++
			}
		}
		for moving < 6 && len(w.todo) > 0 && w.submit(c, w.todo[0]) {
			w.open = append(w.open, w.todo[0])
			w.todo = w.todo[1:]
			moving++
		}
		if processing, err := c.processing(c.one()); err == nil {
			w.open = slices.DeleteFunc(w.open, func(task *crashTask) bool {
				processed, is := processing[task.job.ID]
				if is && processed != task.job.ProcessedItems {
					task.job.ProcessedItems, task.moved = processed, time.Now()
				}
				return !is && w.look(c, task)
			})
		}
		<-tick.C // polling is not the test
	}
}

// at is a user of the service of a process.
func (u *user) at(child *child) *user {
	other := *u
	other.url = child.url
	return &other
}

// submit asks for a task, and reports whether it was answered.
func (w *crashWorld) submit(c *cluster, task *crashTask) bool {
	child := c.one()
	again := task.tried
	task.tried, task.moved = true, time.Now()
	r, err := task.user.at(child).try("POST", task.path, task.body, "Idempotency-Key", task.key)
	if err != nil || r.status == 503 {
		return false
	}
	if err := json.Unmarshal(r.body, &task.job); err != nil || r.status != 202 {
		w.s.t.Errorf("%s: status %d, %v: %s", task.name, r.status, err, r.body)
		return true
	}
	if r.header.Get("Idempotency-Replayed") == "true" {
		w.replays++
		if !again {
			w.s.t.Errorf("%s: replayed, but asked for once", task.name)
		}
	} else {
		c.took(child, task.job.ID)
	}
	return true
}

// look asks what a task has come to, and reports whether it is done.
func (w *crashWorld) look(c *cluster, task *crashTask) bool {
	r, err := task.user.at(c.one()).try("GET", "/v1/batch-jobs/"+task.job.ID, "")
	if err != nil || r.status == 503 {
		return false
	}
	var j batch.Job
	if err := json.Unmarshal(r.body, &j); err != nil || r.status != 200 {
		w.s.t.Errorf("%s: status %d, %v: %s", task.name, r.status, err, r.body)
		return true
	}
	task.job = j
	if !j.Status.Finished() {
		return false
	}
	w.done = append(w.done, task)
	if next := task.next; next != nil {
		next.path, next.tried = "/v1/batch-jobs/"+j.ID+next.path, true
		w.todo = slices.Insert(w.todo, 0, next)
	}
	return true
}

// check compares what there is with what has to be there.
func (w *crashWorld) check(s *service, before []string) {
	s.t.Helper()
	fates := map[string]*rowFate{}
	made := 0
	for _, task := range w.done {
		j := task.job
		if got := [3]int{j.SucceededItems, j.FailedItems, j.SkippedItems}; j.Status != quotekit.BatchCompleted || got != task.want {
			s.t.Errorf("%s: %s, got %v, want %v", task.name, j.Status, got, task.want)
		}
		maps.Copy(fates, w.fateOf[task])
		if mark := w.made[task]; mark != "" && task.next == nil {
			made += task.want[0]
			s.checkMade(task, mark)
		}
		mustUser(s.t, s.URL(), task.user.id).checkSums(j)
	}
	s.checkJobs(len(w.done))

	after := map[string]string{}
	for _, line := range s.application() {
		after[columnsOf(line)["id"]] = line
	}
	kept := 0
	for _, line := range before {
		want := columnsOf(line)
		id := want["id"]
		fate := fates[id]
		if fate == nil && after[id] != line {
			s.t.Errorf("a row is not what it was:\n- %s\n+ %s", line, after[id])
		}
		if fate != nil && fate.gone {
			if after[id] != "" {
				s.t.Errorf("a deleted row is there: %s", after[id])
			}
			continue
		}
		kept++
		if fate == nil {
			continue
		}
		got := columnsOf(after[id])
		maps.Copy(want, fate.columns)
		want["updated_at"] = got["updated_at"]
		if !maps.Equal(got, want) {
			s.t.Errorf("a row was not changed once:\n- %s\n+ %s", line, after[id])
		}
	}
	if len(after) != kept+made {
		s.t.Errorf("there are %d rows, want %d that were there and %d that were made", len(after), kept, made)
	}
}

// columnsOf reads a line of [service.application].
func columnsOf(line string) map[string]string {
	_, line, _ = strings.Cut(line, ": ")
	columns := map[string]string{}
	for _, part := range strings.Split(line, separator) {
		name, value, _ := strings.Cut(part, "=")
		columns[name] = value
	}
	return columns
}

// checkMade checks that every object that was right has one row, and no other.
func (s *service) checkMade(task *crashTask, mark string) {
	s.t.Helper()
	text := map[string]string{
		"bulk_create_items":   "SELECT COUNT(*) AS n, COUNT(DISTINCT name) AS names FROM items WHERE name LIKE $1",
		"bulk_create_clients": "SELECT COUNT(*) AS n, COUNT(DISTINCT name) AS names FROM clients WHERE name LIKE $1",
		"bulk_create_quotes":  "SELECT COUNT(*) AS n, COUNT(DISTINCT client_name) AS names FROM quotes WHERE client_name LIKE $1",
	}[task.name]
	want := fmt.Sprintf("n=%[1]d | names=%[1]d", task.want[0])
	if got := s.query(text, mark+" %"); got[0] != want {
		s.t.Errorf("%s: made %s, want %s", task.name, got[0], want)
	}
}

// checkJobs checks in the tables that each of n jobs is completed, has one outcome
// for each item, and counts them right.
func (s *service) checkJobs(n int) {
	s.t.Helper()
	if got := s.value("SELECT COUNT(*) AS n FROM batch_jobs"); got != fmt.Sprint(n) {
		s.t.Errorf("got %s jobs, want %d", got, n)
	}
	const wrong = `
SELECT j.id, j.operation_type, j.status, j.total_items, j.processed_items, j.failed_items, j.skipped_items, i.items, i.failed, i.skipped
FROM batch_jobs AS j
LEFT JOIN (
  SELECT job_id, COUNT(*) AS items, COUNT(DISTINCT position) AS positions, MIN(position) AS first, MAX(position) AS last,
    SUM(CASE WHEN outcome = 'failed' THEN 1 ELSE 0 END) AS failed,
    SUM(CASE WHEN outcome = 'skipped' THEN 1 ELSE 0 END) AS skipped,
    SUM(CASE WHEN outcome = 'succeeded' THEN 1 ELSE 0 END) AS succeeded
  FROM batch_job_items
  GROUP BY job_id
) AS i ON i.job_id = j.id
WHERE i.job_id IS NULL OR j.status <> 'completed' OR j.progress_percent <> 100 OR j.lease_owner IS NOT NULL
  OR j.completed_at IS NULL OR j.processed_items <> j.total_items
  OR i.items <> j.total_items OR i.positions <> j.total_items OR i.first <> 0 OR i.last <> j.total_items - 1
  OR i.failed <> j.failed_items OR i.skipped <> j.skipped_items
  OR i.succeeded <> j.total_items - j.failed_items - j.skipped_items`
	for _, line := range s.query(wrong) {
		s.t.Errorf("the counters are not those of the outcomes: %s", line)
	}
	if got := s.value("SELECT COUNT(*) AS n FROM batch_job_items WHERE job_id NOT IN (SELECT id FROM batch_jobs)"); got != "0" {
		s.t.Errorf("%s outcomes have no job", got)
	}
}
