package store

import (
	"context"
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
)

// BulkItem is a dead letter of a piece of a bulk act: how it is found, and what
// the act does with it.
type BulkItem struct {
	TaskItem
	EventType string
	// Status is the event's; empty if it was never received here.
	Status quotekit.EventStatus
	// Gone: there is no such letter any more.
	Gone, Resolved bool

	Outcome ItemOutcome
	Round   int    // of a retry
	Note    string // why it is skipped
}

// ItemOutcome is what a bulk act did with a letter.
type ItemOutcome string

// What a bulk act does with a letter.
const (
	ItemRetried  ItemOutcome = "retried"
	ItemResolved ItemOutcome = "resolved"
	ItemSkipped  ItemOutcome = "skipped"
)

// Piece is a range of the items of a task.
type Piece struct {
	TaskID   string
	From, To int // positions; To is not in it
}

// withPiece begins a statement about a piece. Its arguments come first.
const withPiece = `
WITH piece AS (
  SELECT position, dead_letter_id, stripe_event_id, outcome
  FROM webhook_task_items
  WHERE task_id = $1 AND position >= $2 AND position < $3)`

func (p Piece) args(more ...any) []any { return append([]any{p.TaskID, p.From, p.To}, more...) }

// lockPiece locks what a piece is about, in the order in which everybody locks:
// by the bytes of the id. SQLite has one writer and needs no lock.
func (tx *Tx) lockPiece(ctx context.Context, p Piece, text string) error {
	if tx.dialect == SQLite {
		return nil
	}
	return tx.returning(ctx, withPiece+text+tx.dialect.locking(), nil, p.args()...)
}

// RetryPiece makes the events of a piece pending whose letters are dead and not
// resolved, in a new round, and returns all items of the piece.
func (tx *Tx) RetryPiece(ctx context.Context, p Piece, mode quotekit.ReplayMode) ([]BulkItem, error) {
	const lock = `
SELECT stripe_event_id
FROM stripe_webhook_events
WHERE stripe_event_id IN (SELECT stripe_event_id FROM piece)
ORDER BY stripe_event_id COLLATE "C"`
	const update = withPiece + `
UPDATE stripe_webhook_events
SET status = 'pending', attempts = 0, round = round + 1, processed_at = NULL, failure_reasons = NULL,
  next_attempt_at = $4, replay_mode = $5
WHERE status = 'dead' AND stripe_event_id IN (
  SELECT piece.stripe_event_id
  FROM piece
  JOIN webhook_dead_letter_queue AS d ON d.id = piece.dead_letter_id
  WHERE COALESCE(d.resolved, FALSE) = FALSE)
RETURNING stripe_event_id, round, event_type, received_at`
	if err := tx.lockPiece(ctx, p, lock); err != nil {
		return nil, fmt.Errorf("lock events: %w", err)
	}
	items, err := tx.readPiece(ctx, p)
	if err != nil {
		return nil, err
	}
	rounds := map[string]int{}
	err = tx.returning(ctx, update, func(r row) error {
		var (
			id, eventType string
			round         int
			receivedAt    time.Time
		)
		err := r.Scan(&id, &round, &eventType, &receivedAt)
		rounds[id] = round
		tx.count(eventType, receivedAt, quotekit.EventDead, quotekit.EventPending)
		return err
	}, p.args(tx.Now, null(string(mode)))...)
	for i := range items {
		if round, ok := rounds[items[i].StripeEventID]; ok && !items[i].Resolved {
			items[i].Outcome, items[i].Round = ItemRetried, round
		} else {
			items[i].skip()
		}
	}
	return items, wrap(err, "retry dead letters")
}

// ResolvePiece closes the letters of a piece that are not resolved and whose event
// is not being attempted, and returns all items of the piece.
func (tx *Tx) ResolvePiece(ctx context.Context, p Piece, note, resolvedBy string) ([]BulkItem, error) {
	const lock = `
SELECT id
FROM webhook_dead_letter_queue
WHERE id IN (SELECT dead_letter_id FROM piece)
ORDER BY id`
	const update = withPiece + `
UPDATE webhook_dead_letter_queue
SET resolved_at = $4, resolution_notes = $5, resolved_by = $6, resolved = $7, requires_manual_review = $8, next_retry_at = NULL
WHERE COALESCE(resolved, FALSE) = $8 AND id IN (
  SELECT piece.dead_letter_id
  FROM piece
  LEFT JOIN stripe_webhook_events AS e ON e.stripe_event_id = piece.stripe_event_id
  WHERE e.status IS NULL OR e.status = 'dead')
RETURNING id`
	if err := tx.lockPiece(ctx, p, lock); err != nil {
		return nil, fmt.Errorf("lock dead letters: %w", err)
	}
	items, err := tx.readPiece(ctx, p)
	if err != nil {
		return nil, err
	}
	resolved := map[string]bool{}
	err = tx.returning(ctx, update, func(r row) error {
		var id string
		err := r.Scan(&id)
		resolved[id] = true
		return err
	}, p.args(tx.Now, null(note), null(resolvedBy), true, false)...)
	for i := range items {
		if resolved[items[i].LetterID] {
			items[i].Outcome = ItemResolved
			tx.groups.settled = append(tx.groups.settled, items[i].StripeEventID)
		} else {
			items[i].skip()
		}
	}
	return items, wrap(err, "resolve dead letters")
}

func (tx *Tx) readPiece(ctx context.Context, p Piece) (items []BulkItem, err error) {
	const read = withPiece + `
SELECT piece.position, piece.dead_letter_id, piece.stripe_event_id, COALESCE(e.event_type, ''), COALESCE(e.status, ''),
  d.id IS NULL, COALESCE(d.resolved, FALSE)
FROM piece
LEFT JOIN webhook_dead_letter_queue AS d ON d.id = piece.dead_letter_id
LEFT JOIN stripe_webhook_events AS e ON e.stripe_event_id = piece.stripe_event_id
ORDER BY piece.position`
	err = tx.returning(ctx, read, func(r row) error {
		var i BulkItem
		err := r.Scan(&i.Position, &i.LetterID, &i.StripeEventID, &i.EventType, &i.Status, &i.Gone, &i.Resolved)
		items = append(items, i)
		return err
	}, p.args()...)
	return items, wrap(err, "read dead letters")
}

// skip notes why nothing was done.
func (i *BulkItem) skip() {
	i.Outcome = ItemSkipped
	switch {
	case i.Gone:
		i.Note = "there is no such dead letter any more"
	case i.Resolved:
		i.Note = "resolved already"
	case i.Status == "":
		i.Note = "the event was never received here"
	case i.Status != quotekit.EventDead:
		i.Note = "the event is " + string(i.Status)
	default:
		i.Note = "somebody else has just decided it"
	}
}

// FinishPiece writes what was done with the items of a piece, and, for those that
// were retried, the operator's reason to their letters.
func (tx *Tx) FinishPiece(ctx context.Context, p Piece, items []BulkItem, reason string) error {
	const prefix = `INSERT INTO webhook_task_items (task_id, position, dead_letter_id, stripe_event_id, outcome, round, note)`
	const suffix = `ON CONFLICT (task_id, position) DO UPDATE SET
  outcome = excluded.outcome,
  round = excluded.round,
  note = excluded.note`
	const update = withPiece + `
UPDATE webhook_dead_letter_queue
SET resolution_notes = $4, automatic_retries = 0, next_retry_at = NULL
WHERE id IN (SELECT dead_letter_id FROM piece WHERE outcome = 'retried')`
	rows := make([][]any, len(items))
	for i, item := range items {
		var round any
		if item.Outcome == ItemRetried {
			round = item.Round
		}
		rows[i] = []any{
			p.TaskID, item.Position, item.LetterID, item.StripeEventID, string(item.Outcome), round, null(item.Note),
		}
	}
	if err := tx.multiRow(ctx, prefix, suffix, 7, rows, nil); err != nil {
		return fmt.Errorf("write the outcomes of dead letters: %w", err)
	}
	return wrap(tx.run(ctx, update, p.args(null(reason))...), "note dead letters")
}
