package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
)

// RetriedLetter is a dead letter that was taken up again by itself.
type RetriedLetter struct {
	ID        string
	EventID   string
	EventType string
	// Round is the new one of the event; zero if the event was not dead.
	Round int
	// Retry counts the automatic retries, this one included.
	Retry int
}

// errLetterMoved means that an operator acted on a dead letter while it was
// taken up by itself.
var errLetterMoved = quotekit.Errorf(quotekit.EConflict, "a dead letter was acted upon at the same time")

// RetryDueLetters makes the events of at most limit dead letters pending whose
// time has come, and returns them. It also reports how many letters were due:
// one whose event has been taken up otherwise is only struck off the schedule.
// It fails with [quotekit.EConflict] when an operator resolves one of them at
// the same time; the next time, that one is not due any more.
func (tx *Tx) RetryDueLetters(ctx context.Context, limit int) (taken []RetriedLetter, due int, err error) {
	letters, err := tx.dueLetters(ctx, limit)
	if err != nil {
		return nil, 0, err
	}
	// In the order of locking: events, then letters, each sorted.
	slices.SortFunc(letters, func(a, b RetriedLetter) int { return cmp.Compare(a.EventID, b.EventID) })
	for i := range letters {
		if err := tx.rearmDead(ctx, &letters[i]); err != nil {
			return nil, 0, err
		}
	}
	slices.SortFunc(letters, func(a, b RetriedLetter) int { return cmp.Compare(a.ID, b.ID) })
	for i := range letters {
		if err := tx.strikeOff(ctx, &letters[i]); err != nil {
			return nil, 0, err
		}
	}
	due = len(letters)
	return slices.DeleteFunc(letters, func(l RetriedLetter) bool { return l.Round == 0 }), due, nil
}

func (tx *Tx) dueLetters(ctx context.Context, limit int) ([]RetriedLetter, error) {
	const query = `
SELECT id, stripe_event_id
FROM webhook_dead_letter_queue
WHERE next_retry_at <= $1
ORDER BY next_retry_at
LIMIT $2`
	rows, err := tx.QueryContext(ctx, query, tx.Now, limit)
	if err != nil {
		return nil, fmt.Errorf("read due dead letters: %w", err)
	}
	var letters []RetriedLetter
	err = scanRows(rows, func(r row) error {
		var l RetriedLetter
		err := r.Scan(&l.ID, &l.EventID)
		letters = append(letters, l)
		return err
	})
	return letters, wrap(err, "read due dead letters")
}

// rearmDead makes the event pending if it is dead. What an operator wanted
// applied stays.
func (tx *Tx) rearmDead(ctx context.Context, l *RetriedLetter) error {
	const update = rearm + `
WHERE stripe_event_id = $2 AND status = 'dead'
RETURNING round, event_type, received_at`
	var receivedAt time.Time
	err := tx.QueryRowContext(ctx, update, tx.Now, l.EventID).Scan(&l.Round, &l.EventType, &receivedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("rearm event %s: %w", l.EventID, err)
	}
	tx.count(l.EventType, receivedAt, quotekit.EventDead, quotekit.EventPending)
	return nil
}

// strikeOff takes a letter off the schedule, and counts if its event was rearmed.
// A letter that is buried again in the meantime has a time in the future.
func (tx *Tx) strikeOff(ctx context.Context, l *RetriedLetter) error {
	const update = `
UPDATE webhook_dead_letter_queue
SET next_retry_at = NULL, automatic_retries = automatic_retries + $1
WHERE id = $2 AND next_retry_at <= $3
RETURNING automatic_retries`
	counts := min(l.Round, 1)
	err := tx.QueryRowContext(ctx, update, counts, l.ID, tx.Now).Scan(&l.Retry)
	switch {
	case errors.Is(err, sql.ErrNoRows) && counts > 0:
		return errLetterMoved
	case errors.Is(err, sql.ErrNoRows):
		return nil
	}
	return wrap(err, "take up dead letter "+l.ID)
}
