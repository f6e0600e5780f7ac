package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

const day = 24 * time.Hour

// oldJob is a job of a user that ended, or began, some time ago.
type oldJob struct {
	name, status string
	ended        time.Duration // before now; zero is not yet
	parent       string        // by name
	kept         bool          // after 30 days
}

var oldJobs = []oldJob{
	{"old and completed", "completed", 31 * day, "", false},
	{"old and failed", "failed", 40 * day, "", false},
	{"old and cancelled", "cancelled", 400 * day, "", false},
	{"young", "completed", 29 * day, "", true},
	{"of now", "completed", time.Minute, "", true},
	{"pending for long", "pending", 0, "", true},
	{"at work for long", "processing", 0, "", true},
	{"old, being undone", "completed", 31 * day, "", true},
	{"the undo", "processing", 0, "old, being undone", true},
	{"old, to be retried", "completed", 31 * day, "", true},
	{"the retry", "pending", 0, "old, to be retried", true},
	{"old and undone", "completed", 32 * day, "", false},
	{"the old undo", "completed", 31 * day, "old and undone", false},
	{"undone lately", "completed", 32 * day, "", false},
	{"the undo of yesterday", "completed", day, "undone lately", true},
}

// mustMakeJobs inserts jobs, each with an input and two items.
func mustMakeJobs(t *testing.T, s *store.Store, jobs []oldJob) {
	t.Helper()
	ids := map[string]string{}
	for i, j := range jobs {
		id := quotekit.NewID()
		ids[j.name] = id
		var parent, ended any
		if j.parent != "" {
			parent = ids[j.parent]
		}
		if j.ended > 0 {
			ended = time.Now().Add(-j.ended).UTC()
		}
		mustExec(t, s, `INSERT INTO batch_jobs (id, user_id, operation_type, total_items, processed_items, failed_items, status, request_id, options, created_at, completed_at, parent_id)
			VALUES ($1, $2, 'delete_quotes', 2, 2, 1, $3, $4, '{}', $5, $6, $7)`,
			id, quotekit.NewID(), j.status, j.name, time.Now().Add(-500*day).UTC().Add(time.Duration(i)*time.Second), ended, parent)
		mustExec(t, s, `INSERT INTO batch_job_inputs (job_id, items) VALUES ($1, '[]')`, id)
		mustExec(t, s, `INSERT INTO batch_job_items (job_id, position, outcome) VALUES ($1, 0, 'succeeded')`, id)
		mustExec(t, s, `INSERT INTO batch_job_items (job_id, position, outcome, error_code) VALUES ($1, 1, 'failed', 'not_found')`, id)
	}
}

// keptJobs lists the jobs that are there by name, and checks that what belongs to
// them is there, and nothing else.
func keptJobs(t *testing.T, s *store.Store) []string {
	t.Helper()
	rows, err := s.Reader().QueryContext(t.Context(), `SELECT j.request_id,
		(SELECT COUNT(*) FROM batch_job_inputs AS i WHERE i.job_id = j.id), (SELECT COUNT(*) FROM batch_job_items AS i WHERE i.job_id = j.id)
		FROM batch_jobs AS j ORDER BY j.created_at`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var names []string
	for rows.Next() {
		var name string
		var inputs, items int
		if err := rows.Scan(&name, &inputs, &items); err != nil {
			t.Fatal(err)
		}
		if inputs != 1 || items != 2 {
			t.Errorf("the job %q has %d inputs and %d items", name, inputs, items)
		}
		names = append(names, name)
	}
	for _, table := range []string{"batch_job_inputs", "batch_job_items"} {
		var n int
		err := s.Reader().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM `+table+` WHERE job_id NOT IN (SELECT id FROM batch_jobs)`).Scan(&n)
		if err != nil || n > 0 {
			t.Errorf("%s has %d rows of jobs that are gone, %v", table, n, err)
		}
	}
	return names
}

func wantKept(jobs []oldJob) (names []string) {
	for _, j := range jobs {
		if j.kept {
			names = append(names, j.name)
		}
	}
	return names
}

func TestCleanBatches_DeletesWhatIsOld(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		mustMakeJobs(t, s, oldJobs)
		before := time.Now().Add(-30 * day)
		// In the time zone of somebody else, and in pieces.
		before = before.In(time.FixedZone("", 12*3600))
		var deleted []int
		for n := 2; n == 2; {
			var err error
			if n, err = s.CleanBatches(t.Context(), before, 2); err != nil {
				t.Fatal(err)
			}
			deleted = append(deleted, n)
		}
		if got := fmt.Sprint(deleted); got != "[2 2 2 0]" {
			t.Errorf("deleted %s, want [2 2 2 0]", got)
		}
		if got, want := keptJobs(t, s), wantKept(oldJobs); !slices.Equal(got, want) {
			t.Errorf("kept %q\nwant %q", got, want)
		}
	})
}

// TestInsertBatch_KeyIsThatOfOneUser: and no key is no name at all.
func TestInsertBatch_KeyIsThatOfOneUser(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		a, b := quotekit.NewID(), quotekit.NewID()
		insert := func(user, key string) (inserted bool) {
			t.Helper()
			err := s.WithTx(t.Context(), func(tx *store.Tx) (err error) {
				inserted, err = tx.InsertBatch(t.Context(), store.NewBatch{
					ID: quotekit.NewID(), UserID: user, Operation: "delete_quotes", Options: []byte("{}"), Items: []byte(`["x"]`), Total: 1,
					IdempotencyKey: key, RequestHash: key,
				})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return inserted
		}
		got := fmt.Sprint(insert(a, "k"), insert(a, "k"), insert(b, "k"), insert(a, "K"), insert(a, ""), insert(a, ""))
		if want := "true false true true true true"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// TestEndBatch_CountsWhatItDidNotReach: whether or not the ids of items are known.
func TestEndBatch_CountsWhatItDidNotReach(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		user, id := quotekit.NewID(), quotekit.NewID()
		err := s.WithTx(t.Context(), func(tx *store.Tx) error {
			b := store.NewBatch{ID: id, UserID: user, Operation: "x", Options: []byte("{}"), Items: []byte(`[1,2,3]`), Total: 3, Owner: "o"}
			if _, err := tx.InsertBatch(t.Context(), b); err != nil {
				return err
			}
			ok, err := tx.AdvanceBatch(t.Context(), id, 1, []store.ItemResult{{Position: 1, Outcome: quotekit.Failed, Code: quotekit.ItemInvalid}})
			if err != nil || !ok {
				return fmt.Errorf("advance: %v, %w", ok, err)
			}
			if ok, err := tx.EndBatch(t.Context(), store.BatchWork{ID: id}, quotekit.BatchFailed, "why", nil, 7); ok || err != nil {
				t.Errorf("another attempt ended the job: %v, %v", ok, err)
			}
			ok, err = tx.EndBatch(t.Context(), store.BatchWork{ID: id}, quotekit.BatchFailed, "why", nil, 1)
			if err != nil || !ok {
				return fmt.Errorf("end: %v, %w", ok, err)
			}
			if ok, err := tx.EndBatch(t.Context(), store.BatchWork{ID: id}, quotekit.BatchCancelled, "", nil, 0); ok || err != nil {
				t.Errorf("a finished job was ended: %v, %v", ok, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		items, err := s.BatchItems(t.Context(), user, id, "", 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		var outcomes []string
		for _, it := range items {
			outcomes = append(outcomes, fmt.Sprint(it.Position, it.Outcome))
		}
		if got := strings.Join(outcomes, " "); got != "0unprocessed 1failed 2unprocessed" {
			t.Errorf("got %s", got)
		}
		j, err := s.BatchJob(t.Context(), user, id)
		if err != nil || j.Message != "why" || j.Failures[quotekit.ItemInvalid] != 1 || j.Processed != 1 {
			t.Errorf("got %+v, %v", j, err)
		}
		if _, err := s.BatchJob(t.Context(), quotekit.NewID(), id); quotekit.CodeOf(err) != quotekit.ENotFound {
			t.Errorf("somebody else's job: got %v", err)
		}
	})
}

func TestBatchJobs_RefusesAForgedCursor(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		for _, cursor := range []string{"x", "e30", "eyJhdCI6IjIwMjYtMDEtMDFUMDA6MDA6MDBaIiwiaWQiOiJ4In0", "eyJpZCI6Ilx1MDAwMCJ9"} {
			_, _, err := s.BatchJobs(t.Context(), quotekit.NewID(), store.BatchFilter{}, store.Page{Cursor: cursor})
			if quotekit.CodeOf(err) != quotekit.EInvalid {
				t.Errorf("%s: got %v", cursor, err)
			}
			if _, _, err = s.Events(t.Context(), store.EventFilter{}, store.Page{Cursor: cursor}); err != nil && quotekit.CodeOf(err) != quotekit.EInvalid {
				t.Errorf("%s, of events: got %v", cursor, err)
			}
		}
	})
}
