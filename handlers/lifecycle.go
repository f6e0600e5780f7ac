package handlers

import (
	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// mirrored is the change of an object that is created, updated and deleted:
// customer, product or price. Of a deleted object that comes as a stub only
// the deletion is known, so there is no row to take over.
func mirrored[T any, R interface {
	*T
	quotekit.Row
}](e quotekit.Event, decode func([]byte) (R, error)) (row R, c quotekit.Change, err error) {
	if e.Object == nil {
		return nil, c, rejected(e, errNoObject)
	}
	id, stub, err := stripe.ReadStub(e.Object)
	if err != nil {
		return nil, c, rejected(e, err)
	}
	c = quotekit.Change{Kind: R(nil).Kind(), ID: id, Facts: lifecycle(e, stub)}
	if stub {
		return nil, c, nil
	}
	row, c.Snapshot, err = snapshot(e, decode)
	return row, c, err
}

// lifecycle are the facts that the event's type and a stub state.
func lifecycle(e quotekit.Event, stub bool) (f quotekit.Facts) {
	stage := stageOf(e)
	if stage == quotekit.StageCreated {
		f.CreatedAt = date(e)
	}
	if stage == quotekit.StageDeleted || stub {
		f.DeletedAt = date(e)
	}
	return f
}
