package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
)

// NewTask is a task to be inserted.
type NewTask struct {
	ID, Kind  string
	Arguments json.RawMessage
	// Total is the number of items, nil if it is not known yet.
	Total *int
	Act   quotekit.Act
	// TokenHash makes it a preview: it waits for [Tx.StartTask] with what hashes
	// to this.
	TokenHash string
}

// Task is a task as its steps see it.
type Task struct {
	ID        string
	Kind      string
	Status    quotekit.TaskStatus
	Arguments json.RawMessage
	// Cursor is where the next step begins, as the last step has left it; empty
	// before the first.
	Cursor string
	// Report is what the steps have found so far; nil before the first.
	Report      json.RawMessage
	Total       *int
	Done        int
	Step        int64 // fences: a step counts only if no other came between
	Failures    int   // steps that have failed since the last that did not
	Actor       string
	ActorUserID string
	Reason      string
	RequestID   string
	Error       string
	DueAt       time.Time // when the next step is due; zero if none is
	Paused      bool      // no step is made until it is resumed
	CreatedAt   time.Time
	StartedAt   time.Time
	CompletedAt time.Time
}

// InsertTask inserts a task, which is due at once unless it is a preview.
func (tx *Tx) InsertTask(ctx context.Context, t NewTask) error {
	const insert = `
INSERT INTO webhook_tasks (id, kind, status, arguments, total_items, actor, actor_user_id, reason, request_id, token_hash, due_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	status, due := quotekit.TaskPending, any(tx.Now)
	if t.TokenHash != "" {
		status, due = quotekit.TaskPreviewed, nil
	}
	err := tx.run(ctx, insert, t.ID, t.Kind, string(status), string(t.Arguments), number(t.Total), t.Act.Actor,
		null(t.Act.UserID), null(t.Act.Reason), null(t.Act.RequestID), null(t.TokenHash), due, tx.Now)
	return wrap(err, "insert task")
}

func number(n *int) any {
	if n == nil {
		return nil
	}
	return *n
}

const selectTasks = `
SELECT id, kind, status, arguments, COALESCE("cursor", ''), report, total_items, done_items, step, failures, actor,
  COALESCE(actor_user_id, ''), COALESCE(reason, ''), COALESCE(request_id, ''), COALESCE(error_message, ''),
  paused, due_at, created_at, started_at, completed_at
FROM webhook_tasks`

func scanTask(r row) (Task, error) {
	var (
		t                       Task
		arguments               string
		report                  sql.NullString
		due, started, completed sql.NullTime
	)
	err := r.Scan(&t.ID, &t.Kind, &t.Status, &arguments, &t.Cursor, &report, &t.Total, &t.Done, &t.Step, &t.Failures, &t.Actor,
		&t.ActorUserID, &t.Reason, &t.RequestID, &t.Error, &t.Paused, &due, &t.CreatedAt, &started, &completed)
	t.Arguments = json.RawMessage(arguments)
	if report.Valid {
		t.Report = json.RawMessage(report.String)
	}
	t.DueAt, t.StartedAt, t.CompletedAt = due.Time, started.Time, completed.Time
	return t, err
}

// Task reads a task. It fails with [quotekit.ENotFound].
func (s *Store) Task(ctx context.Context, id string) (Task, error) {
	return oneTask(s.reader.QueryRowContext(ctx, selectTasks+` WHERE id = $1`, id), "task "+id)
}

// HashToken is what is kept of the token of a preview.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// TaskByToken reads the task whose preview was given a token with this hash. It
// fails with [quotekit.ENotFound].
func (s *Store) TaskByToken(ctx context.Context, hash string) (Task, error) {
	return oneTask(s.reader.QueryRowContext(ctx, selectTasks+` WHERE token_hash = $1`, hash), "preview with this token")
}

// LastTask reads the task of a kind and status that was created last. It fails
// with [quotekit.ENotFound].
func (s *Store) LastTask(ctx context.Context, kind string, status quotekit.TaskStatus) (Task, error) {
	r := s.reader.QueryRowContext(ctx, selectTasks+`
WHERE kind = $1 AND status = $2
ORDER BY created_at DESC, id DESC
LIMIT 1`, kind, string(status))
	return oneTask(r, fmt.Sprintf("%s task that is %s", kind, status))
}

func oneTask(r row, what string) (Task, error) {
	t, err := scanTask(r)
	if errors.Is(err, sql.ErrNoRows) {
		return Task{}, quotekit.Errorf(quotekit.ENotFound, "there is no %s", what)
	}
	return t, wrap(err, "read "+what)
}

// TaskFilter selects tasks; what is empty does not restrict.
type TaskFilter struct {
	Kind, Status string
}

// Tasks lists tasks that were started, the newest first.
func (s *Store) Tasks(ctx context.Context, f TaskFilter, p Page) (tasks []Task, cursor string, err error) {
	var q filter
	q.equal("kind", f.Kind)
	q.equal("status", f.Status)
	if f.Status == "" {
		q.add("status <> %s", string(quotekit.TaskPreviewed))
	}
	end, limit, err := q.page(p, "created_at", "id")
	if err != nil {
		return nil, "", err
	}
	tasks, err = queryAll(ctx, s.reader, selectTasks+end, q.args, scanTask)
	if err != nil {
		return nil, "", fmt.Errorf("list tasks: %w", err)
	}
	tasks, cursor = next(tasks, limit, func(t Task) position { return position{t.CreatedAt, t.ID} })
	return tasks, cursor, nil
}

// StartTask makes a preview pending, on behalf of whoever confirms it and with
// these arguments. It reports false if it is no preview any more, or was made
// before the given instant.
func (tx *Tx) StartTask(ctx context.Context, id string, arguments json.RawMessage, act quotekit.Act, madeAfter time.Time) (bool, error) {
	const update = `
UPDATE webhook_tasks
SET status = 'pending', arguments = $1, due_at = $2, actor = $3, actor_user_id = $4, reason = $5, request_id = $6
WHERE id = $7 AND status = 'previewed' AND created_at >= $8`
	result, err := tx.ExecContext(ctx, update, string(arguments), tx.Now, act.Actor, null(act.UserID), null(act.Reason),
		null(act.RequestID), id, madeAfter.UTC())
	return changedOne(result, err, "start task "+id)
}

// TaskStep is what a step of a task leaves behind.
type TaskStep struct {
	Status quotekit.TaskStatus // running, or how it ended
	Cursor string
	Report json.RawMessage
	Total  *int
	Done   int // in all
	// DueAt is when the next step is due.
	DueAt time.Time
}

// AdvanceTask writes a step of the task as it was read. It is the first statement
// of the step's transaction, and reports false, having changed nothing, when
// another process has made the step, or the task was cancelled.
func (tx *Tx) AdvanceTask(ctx context.Context, t Task, s TaskStep) (bool, error) {
	const update = `
UPDATE webhook_tasks
SET status = $1, "cursor" = $2, report = $3, total_items = $4, done_items = $5, due_at = $6, completed_at = $7,
  started_at = COALESCE(started_at, $8), step = step + 1, failures = 0, error_message = NULL
WHERE id = $9 AND step = $10 AND status IN ('pending', 'running')`
	var due, completed any = s.DueAt.UTC(), nil
	if s.Status.Finished() {
		due, completed = nil, tx.Now
	}
	var report any
	if s.Report != nil {
		report = string(s.Report)
	}
	result, err := tx.ExecContext(ctx, update, string(s.Status), null(s.Cursor), report, number(s.Total), s.Done, due, completed,
		tx.Now, t.ID, t.Step)
	return changedOne(result, err, "advance task "+t.ID)
}

// BeatTask notes that the step of the task as it was read is being made, so that
// it is not overdue. It reports false when another process has made the step, or
// the task was cancelled.
func (tx *Tx) BeatTask(ctx context.Context, t Task) (bool, error) {
	const update = `
UPDATE webhook_tasks
SET due_at = $1
WHERE id = $2 AND step = $3 AND status IN ('pending', 'running')`
	result, err := tx.ExecContext(ctx, update, tx.Now, t.ID, t.Step)
	return changedOne(result, err, "beat for task "+t.ID)
}

// FailStep notes that a step of the task as it was read has failed: the task is
// due again at the given time, or, if that is zero, has failed as a whole.
func (tx *Tx) FailStep(ctx context.Context, t Task, message string, again time.Time) (bool, error) {
	const update = `
UPDATE webhook_tasks
SET status = $1, error_message = $2, due_at = $3, completed_at = $4, started_at = COALESCE(started_at, $5),
  step = step + 1, failures = failures + 1
WHERE id = $6 AND step = $7 AND status IN ('pending', 'running')`
	status, completed := quotekit.TaskRunning, any(nil)
	if again.IsZero() {
		status, completed = quotekit.TaskFailed, tx.Now
	}
	result, err := tx.ExecContext(ctx, update, string(status), null(message), instant(again), completed, tx.Now, t.ID, t.Step)
	return changedOne(result, err, "note the failure of task "+t.ID)
}

// CancelTask stops a task between two steps. It reports false if it is finished.
func (tx *Tx) CancelTask(ctx context.Context, id string) (bool, error) {
	const update = `
UPDATE webhook_tasks
SET status = 'cancelled', completed_at = $1, due_at = NULL
WHERE id = $2 AND status IN ('previewed', 'pending', 'running')`
	result, err := tx.ExecContext(ctx, update, tx.Now, id)
	return changedOne(result, err, "cancel task "+id)
}

// PauseTask holds a task up between two steps, or, if paused is false, lets it go on
// at once. It reports false if it is so already, or is not under way.
func (tx *Tx) PauseTask(ctx context.Context, id string, paused bool) (bool, error) {
	const update = `
UPDATE webhook_tasks
SET paused = $1, due_at = $2
WHERE id = $3 AND status IN ('pending', 'running') AND paused <> $4`
	result, err := tx.ExecContext(ctx, update, paused, tx.Now, id, paused)
	return changedOne(result, err, "pause or resume task "+id)
}

// SetTaskArguments changes what a task was asked for, from its next step on. It
// reports false if it is not under way.
func (tx *Tx) SetTaskArguments(ctx context.Context, id string, arguments json.RawMessage) (bool, error) {
	const update = `
UPDATE webhook_tasks
SET arguments = $1
WHERE id = $2 AND status IN ('pending', 'running')`
	result, err := tx.ExecContext(ctx, update, string(arguments), id)
	return changedOne(result, err, "change task "+id)
}

// TakeOverdueTasks returns tasks of the given kinds that are not paused and whose step
// was due before the given instant, and makes them due now, so that nobody else takes them until
// they are overdue again.
func (tx *Tx) TakeOverdueTasks(ctx context.Context, before time.Time, kinds []string) (ids []string, err error) {
	if len(kinds) == 0 {
		return nil, nil
	}
	update := `
UPDATE webhook_tasks
SET due_at = $1
WHERE status IN ('pending', 'running') AND NOT paused AND due_at < $2 AND kind IN (` + list(3, len(kinds)) + `)
RETURNING id`
	args := []any{tx.Now, before.UTC()}
	for _, k := range kinds {
		args = append(args, k)
	}
	rows, err := tx.QueryContext(ctx, update, args...)
	if err != nil {
		return nil, fmt.Errorf("take overdue tasks: %w", err)
	}
	err = scanRows(rows, func(r row) error {
		var id string
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, wrap(err, "take overdue tasks")
}

// CleanTasks deletes a piece of what is old: at most limit items of one task, and
// the task with the last of them. Old are previews that were made before the
// first instant, and tasks that ended before the second, but for the last
// completed one of each kind. It reports whether there may be more, and whether
// a task is gone.
func (s *Store) CleanTasks(ctx context.Context, previews, ended time.Time, limit int) (left, gone bool, err error) {
	const old = `
SELECT t.id
FROM webhook_tasks AS t
WHERE (t.status = 'previewed' AND t.created_at < $1)
  OR (t.status IN ('failed', 'cancelled') AND t.completed_at < $2)
  OR (t.status = 'completed' AND t.completed_at < $2 AND EXISTS (
    SELECT 1
    FROM webhook_tasks AS n
    WHERE n.kind = t.kind AND n.status = 'completed'
      AND (n.created_at > t.created_at OR (n.created_at = t.created_at AND n.id > t.id))))
LIMIT 1`
	const items = `
DELETE FROM webhook_task_items
WHERE task_id = $1 AND position IN (
  SELECT position
  FROM webhook_task_items
  WHERE task_id = $1
  ORDER BY position
  LIMIT $2)`
	err = s.WithTx(ctx, func(tx *Tx) error {
		var id string
		err := tx.QueryRowContext(ctx, old, previews.UTC(), ended.UTC()).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		left = true
		result, err := tx.ExecContext(ctx, items, id, limit)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == int64(limit) {
			return err
		}
		gone = true
		return tx.run(ctx, `DELETE FROM webhook_tasks WHERE id = $1`, id)
	})
	return left, gone, wrap(err, "delete old tasks")
}
