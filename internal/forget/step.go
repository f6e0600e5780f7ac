package forget

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/fold"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/task"
)

const (
	// objectsPiece and eventsPiece bound one transaction.
	objectsPiece, eventsPiece = 20, 100
	// everything is no bound.
	everything = math.MaxInt32
)

// stage is what is done next, of a customer or of the user.
type stage int

// The stages of a customer. The numbers are in the cursors of tasks, so they do not change.
const (
	mark stage = iota
	itsObjects
	itsEvents
	itself
)

// The stages of a user, behind the last customer.
const (
	ownObjects stage = iota
	ownJobs
	ownSessions
	end
)

// place is where the next step begins.
type place struct {
	Customer int   `json:"customer"`
	Stage    stage `json:"stage"`
	// After is the last event of the stage, or of its piece of objects, that is done.
	After string `json:"after,omitempty"`
}

// work is what a step does in its transaction, and where the next begins.
type work struct {
	do   func(ctx context.Context, tx *store.Tx) (map[string]int64, error)
	next place
}

// Report is what is gone so far, by table.
type Report struct {
	Deleted map[string]int64 `json:"deleted"`
}

// step forgets the next piece. All of it is done in the transaction that writes the
// progress, with the counts.
func (s *Service) step(ctx context.Context, t store.Task) (task.Progress, error) {
	var (
		a  arguments
		at place
		r  = Report{Deleted: map[string]int64{}}
	)
	if err := errors.Join(read(string(t.Arguments), &a), read(t.Cursor, &at), read(string(t.Report), &r)); err != nil {
		return task.Progress{}, quotekit.Permanent(fmt.Errorf("read the task: %w", err))
	}
	w, err := s.next(ctx, a, at)
	if err != nil {
		return task.Progress{}, err
	}
	cursor, err := json.Marshal(w.next)
	if err != nil {
		return task.Progress{}, err
	}
	return task.Progress{
		Cursor: string(cursor), Done: int(total(r.Deleted)), Finished: w.do == nil,
		Effects: func(ctx context.Context, tx *store.Tx) error {
			if w.do == nil {
				return tx.Audit(ctx, []store.AuditEntry{stub(t, a, r)})
			}
			gone, err := w.do(ctx, tx)
			if err != nil {
				return err
			}
			sum(r.Deleted, gone)
			text, err := json.Marshal(r)
			if err != nil {
				return err
			}
			return tx.SetTaskReport(ctx, t.ID, text)
		},
	}, nil
}

// read reads what a step has left behind; there is nothing before the first.
func read(text string, into any) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), into)
}

// stub is what the audit trail says of a person who was forgotten.
func stub(t store.Task, a arguments, r Report) store.AuditEntry {
	type forgotten struct {
		Customers []quotekit.ForgottenCustomer `json:"customers"`
		Deleted   map[string]int64             `json:"deleted"`
	}
	return store.AuditEntry{
		Actor: t.Actor, Action: store.AuditForgotten, Target: a.name(), Reason: t.Reason, After: forgotten{a.Customers, r.Deleted},
		RequestID: t.RequestID,
	}
}

// next finds the next piece of work from a place on. Without any there is nothing left.
func (s *Service) next(ctx context.Context, a arguments, at place) (work, error) {
	for ; at.Customer < len(a.Customers); at = (place{Customer: at.Customer + 1}) {
		w, err := s.ofCustomer(ctx, keyOf(a.Customers[at.Customer]), at)
		if err != nil || w.do != nil {
			return w, err
		}
	}
	if a.UserID == "" {
		return work{next: at}, nil
	}
	return s.ofUser(ctx, a.UserID, at)
}

// ofCustomer finds the next piece of work of a customer.
func (s *Service) ofCustomer(ctx context.Context, customer store.ObjectKey, at place) (work, error) {
	for {
		switch at.Stage {
		case mark:
			return work{entomb(customer), place{Customer: at.Customer, Stage: itsObjects}}, nil
		case itsObjects:
			keys, err := s.store.ObjectsOfCustomer(ctx, customer, objectsPiece)
			if err != nil {
				return work{}, err
			}
			if len(keys) > 0 {
				return s.ofObjects(ctx, pieces(keys)[0], at, place{Customer: at.Customer, Stage: itsObjects})
			}
		case itsEvents:
			events, err := s.store.EventsOfCustomer(ctx, customer, at.After, eventsPiece)
			if err != nil {
				return work{}, err
			}
			if len(events) > 0 {
				at.After = events[len(events)-1]
				return work{forgetEvents(events, nil), at}, nil
			}
		case itself:
			return s.ofObjects(ctx, []store.ObjectKey{customer}, at, place{Customer: at.Customer + 1})
		default:
			return work{}, quotekit.Permanent(fmt.Errorf("there is no stage %d of a customer", at.Stage))
		}
		at.Stage, at.After = at.Stage+1, ""
	}
}

// ofUser finds the next piece of work of a user, whose customers are done.
func (s *Service) ofUser(ctx context.Context, userID string, at place) (work, error) {
	for ; at.Stage < end; at.Stage, at.After = at.Stage+1, "" {
		switch at.Stage {
		case ownObjects:
			keys, err := s.store.ObjectsOfUser(ctx, userID, objectsPiece)
			if err != nil {
				return work{}, err
			}
			if len(keys) > 0 {
				return s.ofObjects(ctx, pieces(keys)[0], at, place{Customer: at.Customer})
			}
		case ownJobs:
			id, status, err := s.store.JobOfUser(ctx, userID)
			switch {
			case err != nil:
				return work{}, err
			case id != "" && !status.Finished():
				return work{}, fmt.Errorf("bulk operation %s of the user has not ended yet", id) // it is looked at again
			case id != "":
				return work{func(ctx context.Context, tx *store.Tx) (map[string]int64, error) { return tx.ForgetJob(ctx, id) }, at}, nil
			}
		case ownSessions:
			at.Stage = end
			return work{func(ctx context.Context, tx *store.Tx) (map[string]int64, error) {
				return tx.ForgetSessions(ctx, userID)
			}, at}, nil
		}
	}
	return work{next: at}, nil
}

// ofObjects forgets a piece of the events of objects, and behind the last the objects.
func (s *Service) ofObjects(ctx context.Context, keys []store.ObjectKey, at, next place) (work, error) {
	events, err := s.store.EventsOfObjects(ctx, keys, at.After, eventsPiece)
	if err != nil {
		return work{}, err
	}
	if len(events) == eventsPiece {
		at.After = events[len(events)-1]
		return work{forgetEvents(events, nil), at}, nil
	}
	return work{forgetEvents(events, keys), next}, nil
}

func entomb(customer store.ObjectKey) func(context.Context, *store.Tx) (map[string]int64, error) {
	return func(ctx context.Context, tx *store.Tx) (map[string]int64, error) {
		return nil, tx.Entomb(ctx, []store.ObjectKey{customer}, fold.Tombstone)
	}
}

// forgetEvents forgets events and then objects, in the order of locking.
func forgetEvents(events []string, keys []store.ObjectKey) func(context.Context, *store.Tx) (map[string]int64, error) {
	return func(ctx context.Context, tx *store.Tx) (map[string]int64, error) {
		gone, err := tx.ForgetEvents(ctx, events, quotekit.EventPending, quotekit.EventDead)
		if err != nil {
			return nil, err
		}
		rows, err := tx.ForgetObjects(ctx, keys, fold.Tombstone)
		sum(gone, rows)
		return gone, err
	}
}

// pieces cuts objects into pieces of one account and mode that one transaction takes.
func pieces(keys []store.ObjectKey) (list [][]store.ObjectKey) {
	for len(keys) > 0 {
		n := 1
		for n < len(keys) && n < objectsPiece && keys[n].Account == keys[0].Account && keys[n].Livemode == keys[0].Livemode {
			n++
		}
		list, keys = append(list, keys[:n]), keys[n:]
	}
	return list
}
