package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestCleanTasks deletes what is old, piece by piece, and keeps the last
// completed task of each kind.
func TestCleanTasks(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		now := time.Now().UTC()
		for _, row := range []struct {
			name, kind, status string
			created            time.Duration // before now
		}{
			{"old preview", "bulk", "previewed", 61 * time.Minute},
			{"young preview", "bulk", "previewed", 59 * time.Minute},
			{"old completed", "bulk", "completed", 92 * day},
			{"last completed", "bulk", "completed", 91 * day},
			{"other kind", "reconcile", "completed", 400 * day},
			{"old failed", "bulk", "failed", 91 * day},
			{"old cancelled", "bulk", "cancelled", 91 * day},
			{"young failed", "bulk", "failed", 89 * day},
			{"old and running", "bulk", "running", 400 * day},
		} {
			var ended any
			if quotekit.TaskStatus(row.status).Finished() {
				ended = now.Add(-row.created)
			}
			id := quotekit.NewID()
			mustExec(t, s, `INSERT INTO webhook_tasks (id, kind, status, arguments, actor, created_at, completed_at) VALUES ($1, $2, $3, '{}', $4, $5, $6)`,
				id, row.kind, row.status, row.name, now.Add(-row.created), ended)
			for i := range 5 {
				mustExec(t, s, `INSERT INTO webhook_task_items (task_id, position, dead_letter_id, stripe_event_id) VALUES ($1, $2, $3, 'evt_1')`,
					id, i, quotekit.NewID())
			}
		}
		pieces, deleted := 0, 0
		for left := true; left; pieces++ {
			var gone bool
			var err error
			if left, gone, err = s.CleanTasks(t.Context(), now.Add(-time.Hour), now.Add(-90*day), 2); err != nil {
				t.Fatal(err)
			}
			if gone {
				deleted++
			}
		}
		if deleted != 4 || pieces != 4*3+1 {
			t.Errorf("%d tasks were deleted in %d pieces, want 4 in 13", deleted, pieces)
		}
		got := mustRead(t, s, `SELECT actor FROM webhook_tasks`)
		want := []string{"last completed", "old and running", "other kind", "young failed", "young preview"}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("kept are %v, want %v", got, want)
		}
		if got := mustRead(t, s, `SELECT CAST(COUNT(*) AS TEXT) FROM webhook_task_items`); strings.Join(got, "") != "25" {
			t.Errorf("%v items are left, want 25", got)
		}
	})
}

// mustRead reads a column of text.
func mustRead(t *testing.T, s *store.Store, query string) []string {
	t.Helper()
	rows, err := s.Reader().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var list []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}
