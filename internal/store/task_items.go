package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

// LetterSelection says which dead letters a bulk act is about: those that are
// named, or, if none is, those that are not resolved and fit the rest.
type LetterSelection struct {
	LetterIDs, EventIDs           []string
	EventType, Reason, ErrorClass string
	FailedBefore, FailedSince     time.Time
	RequiresManualReview          *bool
	Livemode                      *bool
	// Retry leaves out those whose event is not dead, or was never received here.
	Retry bool
	Limit int
}

func (l LetterSelection) filter(d Dialect, q *filter) {
	if len(l.LetterIDs)+len(l.EventIDs) > 0 {
		ids := q.mark(d.idsArgument(append([]string{}, l.LetterIDs...)))
		q.conditions = append(q.conditions, "("+d.among("d.id", ids)+" OR "+
			d.amongTexts("d.stripe_event_id", q.mark(d.textsArgument(l.EventIDs)))+")")
		return
	}
	q.add("COALESCE(d.resolved, FALSE) = %s", false)
	if l.Retry {
		q.equal("e.status", string(quotekit.EventDead))
	} else {
		q.add("(e.status IS NULL OR e.status = %s)", string(quotekit.EventDead))
	}
	q.equal("d.event_type", l.EventType)
	q.equal("d.failure_reason", l.Reason)
	q.equal("d.error_class", l.ErrorClass)
	if !l.FailedBefore.IsZero() {
		q.add("d.last_failed_at < %s", l.FailedBefore.UTC())
	}
	if !l.FailedSince.IsZero() {
		q.add("d.last_failed_at >= %s", l.FailedSince.UTC())
	}
	if l.RequiresManualReview != nil {
		q.add("COALESCE(d.requires_manual_review, FALSE) = %s", *l.RequiresManualReview)
	}
	if l.Livemode != nil {
		q.add("e.livemode = %s", *l.Livemode)
	}
}

// InsertTaskItems gives a task the dead letters that are selected now, those that
// failed longest ago first. It returns how many, and whether there are more than
// the limit.
func (tx *Tx) InsertTaskItems(ctx context.Context, taskID string, l LetterSelection) (count int, more bool, err error) {
	// The id of the task comes from its row, since a placeholder in this place has
	// no type that both engines know.
	const insert = `
INSERT INTO webhook_task_items (task_id, position, dead_letter_id, stripe_event_id)
SELECT t.id, ROW_NUMBER() OVER (ORDER BY d.last_failed_at NULLS FIRST, d.id) - 1, d.id, d.stripe_event_id
FROM webhook_tasks AS t
CROSS JOIN webhook_dead_letter_queue AS d
LEFT JOIN stripe_webhook_events AS e ON e.stripe_event_id = d.stripe_event_id`
	var q filter
	q.add("t.id = %s", taskID)
	l.filter(tx.dialect, &q)
	text := insert + q.where() + `
ORDER BY d.last_failed_at NULLS FIRST, d.id
LIMIT ` + q.mark(l.Limit+1)
	result, err := tx.ExecContext(ctx, text, q.args...)
	if err != nil {
		return 0, false, fmt.Errorf("select dead letters: %w", err)
	}
	n, err := result.RowsAffected()
	if err == nil && n > int64(l.Limit) {
		n, more = int64(l.Limit), true
		_, err = tx.ExecContext(ctx, `DELETE FROM webhook_task_items WHERE task_id = $1 AND position = $2`, taskID, l.Limit)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE webhook_tasks SET total_items = $1 WHERE id = $2`, n, taskID)
	}
	return int(n), more, wrap(err, "select dead letters")
}

// TaskItem is a dead letter of a bulk act.
type TaskItem struct {
	Position      int
	LetterID      string
	StripeEventID string
}

const selectTaskItems = `
SELECT position, dead_letter_id, stripe_event_id
FROM webhook_task_items
WHERE task_id = $1
ORDER BY position`

func scanTaskItem(r row) (TaskItem, error) {
	var i TaskItem
	err := r.Scan(&i.Position, &i.LetterID, &i.StripeEventID)
	return i, err
}

// TaskItems reads all dead letters of a task.
func (s *Store) TaskItems(ctx context.Context, taskID string) ([]TaskItem, error) {
	items, err := queryAll(ctx, s.reader, selectTaskItems, []any{taskID}, scanTaskItem)
	return items, wrap(err, "read the dead letters of task "+taskID)
}

// TaskItems is [Store.TaskItems] within the transaction.
func (tx *Tx) TaskItems(ctx context.Context, taskID string) (items []TaskItem, err error) {
	err = tx.returning(ctx, selectTaskItems, func(r row) error {
		i, err := scanTaskItem(r)
		items = append(items, i)
		return err
	}, taskID)
	return items, wrap(err, "read the dead letters of task "+taskID)
}

// TaskSample reads the first dead letters of a task as they are now, without
// their events.
func (s *Store) TaskSample(ctx context.Context, taskID string, n int) ([]DeadLetterRecord, error) {
	const items = `
JOIN webhook_task_items AS i ON i.dead_letter_id = d.id
WHERE i.task_id = $1 AND i.position < $2
ORDER BY i.position`
	letters, err := queryAll(ctx, s.reader, selectDeadLetters+fromDeadLetters+items, []any{taskID, n}, func(r row) (DeadLetterRecord, error) { return scanDeadLetter(r) })
	return letters, wrap(err, "read a sample of task "+taskID)
}

// BulkResult is what became of a dead letter in a bulk act.
type BulkResult struct {
	Position      int                  `json:"position"`
	DeadLetterID  string               `json:"dead_letter_id" format:"uuid"`
	StripeEventID string               `json:"stripe_event_id"`
	Outcome       quotekit.BulkOutcome `json:"outcome"`
	FailureReason *string              `json:"failure_reason" doc:"Why its event is dead again; null for other outcomes."`
	Error         *string              `json:"error" doc:"The message of the failure, or why the letter was skipped."`
}

// resultOfItem is what became of an item i whose event is e. What the act did
// stands in the item; what came of a retry is the state of the event. An event
// that is not there any more was completed: others are never deleted.
const resultOfItem = `CASE
    WHEN i.outcome IS NULL THEN 'unprocessed'
    WHEN i.outcome <> 'retried' THEN i.outcome
    WHEN e.status = 'dead' THEN 'failed'
    WHEN e.status IN ('pending', 'ignored') THEN e.status
    ELSE 'succeeded'
  END`

// BulkResults lists what became of the dead letters of a bulk act, in its order.
func (s *Store) BulkResults(ctx context.Context, taskID, outcome string, p Page) (results []BulkResult, cursor string, err error) {
	limit, err := p.limit()
	if err != nil {
		return nil, "", err
	}
	from := 0
	if p.Cursor != "" {
		if from, err = strconv.Atoi(p.Cursor); err != nil || from < 0 || from > 1<<31-1 {
			return nil, "", errCursor
		}
	}
	var q filter
	q.add("i.task_id = %s", taskID)
	q.add("i.position >= %s", from)
	q.equal(resultOfItem, outcome)
	text := `
SELECT i.position, i.dead_letter_id, i.stripe_event_id, ` + resultOfItem + `,
  CASE WHEN i.outcome = 'retried' AND e.status = 'dead' THEN e.failure_reason END,
  CASE WHEN i.outcome = 'retried' AND e.status = 'dead' THEN e.error_message ELSE i.note END
FROM webhook_task_items AS i
LEFT JOIN stripe_webhook_events AS e ON e.stripe_event_id = i.stripe_event_id` + q.where() + `
ORDER BY i.position
LIMIT ` + q.mark(limit+1)
	results, err = queryAll(ctx, s.reader, text, q.args, func(r row) (BulkResult, error) {
		var b BulkResult
		err := r.Scan(&b.Position, &b.DeadLetterID, &b.StripeEventID, &b.Outcome, &b.FailureReason, &b.Error)
		return b, err
	})
	if err != nil {
		return nil, "", fmt.Errorf("read the results of task %s: %w", taskID, err)
	}
	if len(results) > limit {
		results = results[:limit]
		cursor = strconv.Itoa(results[limit-1].Position + 1)
	}
	return results, cursor, nil
}

// BulkCounts counts the dead letters of a bulk act by what became of them.
func (s *Store) BulkCounts(ctx context.Context, taskID string) (c quotekit.BulkCounts, err error) {
	const text = `
SELECT ` + resultOfItem + ` AS result, COUNT(*)
FROM webhook_task_items AS i
LEFT JOIN stripe_webhook_events AS e ON e.stripe_event_id = i.stripe_event_id AND i.outcome = 'retried'
WHERE i.task_id = $1
GROUP BY result`
	into := map[quotekit.BulkOutcome]*int{
		quotekit.BulkSucceeded: &c.Succeeded, quotekit.BulkFailed: &c.Failed, quotekit.BulkPending: &c.Pending,
		quotekit.BulkIgnored: &c.Ignored, quotekit.BulkResolved: &c.Resolved, quotekit.BulkSkipped: &c.Skipped,
		quotekit.BulkUnprocessed: &c.Unprocessed,
	}
	type count struct {
		outcome quotekit.BulkOutcome
		n       int
	}
	counts, err := queryAll(ctx, s.reader, text, []any{taskID}, func(r row) (count, error) {
		var c count
		err := r.Scan(&c.outcome, &c.n)
		return c, err
	})
	for _, n := range counts {
		*into[n.outcome] = n.n
	}
	return c, wrap(err, "count the results of task "+taskID)
}

// amongTexts is [Dialect.among] for a column of text.
func (d Dialect) amongTexts(column, placeholder string) string {
	if d == Postgres {
		return column + " = ANY(" + placeholder + "::TEXT[])"
	}
	return d.among(column, placeholder)
}

// textsArgument is the argument of amongTexts.
func (d Dialect) textsArgument(texts []string) string {
	if d == SQLite {
		return d.idsArgument(append([]string{}, texts...))
	}
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(t) + `"`
	}
	return "{" + strings.Join(quoted, ",") + "}"
}
