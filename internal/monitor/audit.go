package monitor

import (
	"context"
	"fmt"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// AuditTrail lists who did what, the newest first.
func (r *Reads) AuditTrail(ctx context.Context, f AuditQuery, p store.Page) (AuditTrail, error) {
	lines, cursor, err := r.Store.AuditTrail(ctx, store.AuditFilter{
		Actor: f.Actor, Action: f.Action, Target: f.Target, StripeEventID: f.StripeEventID, RequestID: f.RequestID,
		OperatorsOnly: f.OperatorsOnly, From: f.From, To: f.To,
	}, p)
	return AuditTrail{Items: lines, NextCursor: given(cursor)}, err
}

// chainPiece is how many lines of the chain are in memory at a time.
const chainPiece = 1000

// VerifyAudit walks the hash chain of what operators did, from the line behind the last
// cut to the end that was written last when it began, and says where it breaks.
func (r *Reads) VerifyAudit(ctx context.Context) (ChainCheck, error) {
	for {
		check, cut, err := r.walkChain(ctx)
		if err != nil || check.Valid {
			return check, err
		}
		head, err := r.Store.ChainHead(ctx)
		switch {
		case quotekit.CodeOf(err) == quotekit.ENotFound:
			return check, nil // that is what is wrong
		case err != nil || head.Cut == cut:
			return check, err
		}
		// Retention has cut it off under the walk: again.
	}
}

func (r *Reads) walkChain(ctx context.Context) (check ChainCheck, cut store.ChainCut, err error) {
	check.CheckedAt = r.Now().UTC()
	head, err := r.Store.ChainHead(ctx)
	if quotekit.CodeOf(err) == quotekit.ENotFound {
		check.breaks(1, "", "the end of the chain is gone from webhook_audit_chain")
		return check, cut, nil
	}
	if err != nil {
		return check, cut, err
	}
	cut = head.Cut
	check.Head, check.Missing = head.Hash, cut.Sequence
	previous, next := cut.Hash, cut.Sequence+1
	told := cut.Sequence == 0 // whether a line tells of the cut
	for next <= head.Sequence {
		lines, err := r.Store.ChainLines(ctx, next-1, chainPiece)
		if err != nil {
			return check, cut, err
		}
		if len(lines) == 0 {
			check.breaks(next, "", fmt.Sprintf("the last lines, from number %d to %d, are missing", next, head.Sequence))
			return check, cut, nil
		}
		for _, line := range lines {
			if line.Sequence > head.Sequence {
				break // it was written meanwhile
			}
			if what := wrongWith(line, next, previous); what != "" {
				check.breaks(next, line.ID, what)
				return check, cut, nil
			}
			if check.Lines++; check.From == nil {
				check.From = &line.At
			}
			check.To = &line.At
			told = told || line.Cut != nil && *line.Cut == cut
			previous, next = line.Hash, line.Sequence+1
		}
	}
	switch {
	case previous != head.Hash:
		check.breaks(head.Sequence, "", "the hash of the last line is not that of webhook_audit_chain")
	case !told:
		check.breaks(cut.Sequence, "", fmt.Sprintf("the lines up to number %d are gone, and none tells that they were deleted", cut.Sequence))
	default:
		check.Valid = true
	}
	return check, cut, nil
}

func wrongWith(line store.ChainLine, next int64, previous string) string {
	switch {
	case line.Sequence != next:
		return fmt.Sprintf("line %d is missing; the next one that is there is %d", next, line.Sequence)
	case line.Previous != previous:
		return "it does not follow the line before"
	case line.Hash != line.Want:
		return "it is not as it was written"
	}
	return ""
}

func (c *ChainCheck) breaks(at int64, id, what string) {
	c.Valid, c.BrokenAt, c.BrokenID, c.Breakage = false, &at, given(id), what
}
