package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/task"
)

const (
	// piecesASecond is how often a bulk act does something, so that it is smooth
	// and can be stopped.
	piecesASecond = 5
	// maxPiece bounds the letters of one transaction.
	maxPiece = 100
)

// kind is the kind of the tasks that are bulk acts.
func (b *Bulk) kind() task.Kind {
	return task.Kind{Name: quotekit.BulkKind, Step: b.step, MaxRate: quotekit.MaxBulkRate}
}

// step acts on the next piece of the letters. Everything happens in the
// transaction that writes the progress, so that each letter is acted upon once.
func (b *Bulk) step(_ context.Context, t store.Task) (task.Progress, error) {
	var a bulkArguments
	if err := json.Unmarshal(t.Arguments, &a); err != nil {
		return task.Progress{}, quotekit.Permanent(fmt.Errorf("read the arguments: %w", err))
	}
	if t.Total == nil {
		return task.Progress{}, quotekit.Permanent(fmt.Errorf("the task has no letters"))
	}
	rate := max(a.Rate, 1)
	n := min(max(rate/piecesASecond, 1), maxPiece)
	piece := store.Piece{TaskID: t.ID, From: t.Done, To: min(t.Done+n, *t.Total)}
	return task.Progress{
		Done:     piece.To,
		Finished: piece.To == *t.Total,
		Wait:     time.Duration(n) * time.Second / time.Duration(rate),
		Effects: func(ctx context.Context, tx *store.Tx) error {
			act := quotekit.Act{Actor: t.Actor, UserID: t.ActorUserID, Reason: t.Reason, RequestID: t.RequestID}
			if a.Action == quotekit.BulkResolve {
				return b.resolve(ctx, tx, piece, act)
			}
			return b.retry(ctx, tx, piece, a.Mode, act)
		},
	}, nil
}

// retry does for a piece what [Operator.Retry] does for a letter.
func (b *Bulk) retry(ctx context.Context, tx *store.Tx, piece store.Piece, mode quotekit.ReplayMode, act quotekit.Act) error {
	items, err := tx.RetryPiece(ctx, piece, mode)
	if err != nil {
		return err
	}
	var attempts []attemptJob
	var trail []store.AuditEntry
	taken := map[string]bool{} // an event may have two letters
	for _, i := range items {
		if i.Outcome != store.ItemRetried {
			continue
		}
		if !taken[i.StripeEventID] {
			taken[i.StripeEventID] = true
			attempts = append(attempts, attemptJob{eventID: i.StripeEventID, round: i.Round, priority: priority(b.operator.routes[i.EventType])})
		}
		trail = append(trail, auditAct(act, store.AuditRetry, i.StripeEventID, i.LetterID,
			state{Status: quotekit.EventDead}, state{quotekit.EventPending, mode}))
	}
	if err := tx.FinishPiece(ctx, piece, items, act.Reason); err != nil {
		return err
	}
	if err := insertAttempts(ctx, b.operator.jobs, tx, attempts); err != nil {
		return err
	}
	return tx.Audit(ctx, trail)
}

// resolve does for a piece what [Operator.Resolve] does for a letter.
func (b *Bulk) resolve(ctx context.Context, tx *store.Tx, piece store.Piece, act quotekit.Act) error {
	items, err := tx.ResolvePiece(ctx, piece, act.Reason, act.UserID)
	if err != nil {
		return err
	}
	var trail []store.AuditEntry
	for _, i := range items {
		if i.Outcome == store.ItemResolved {
			trail = append(trail, auditAct(act, store.AuditResolve, i.StripeEventID, i.LetterID,
				state{Status: "unresolved"}, state{Status: "resolved"}))
		}
	}
	if err := tx.FinishPiece(ctx, piece, items, act.Reason); err != nil {
		return err
	}
	return tx.Audit(ctx, trail)
}
