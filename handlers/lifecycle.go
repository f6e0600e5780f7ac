package handlers

import (
	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// lifecycle is the change of an object that is created, updated and deleted:
// customer, product or price. Of a deleted object that comes as a stub only
// the deletion is known, so there is no row to take over.
func lifecycle[R any, P row[R]](e quotekit.Event, id string, d stripe.Decoded[R]) quotekit.Change {
	c := quotekit.Change{Kind: P(nil).Kind(), ID: id}
	switch stage := stageOf(e); {
	case stage == quotekit.StageDeleted || d.Deleted:
		c.Facts.DeletedAt = date(e)
	case stage == quotekit.StageCreated:
		c.Facts.CreatedAt = date(e)
	}
	if !d.Deleted {
		c.Snapshot = snapshot[R, P](e, d)
	}
	return c
}
