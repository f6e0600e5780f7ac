package monitor

import (
	"context"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// Object reads everything about an object of Stripe's. It fails with
// [quotekit.ENotFound] if neither an event nor a row knows it.
func (r *Reads) Object(ctx context.Context, id string, p store.Page) (ObjectView, error) {
	v := ObjectView{ID: id, Rows: []RowView{}, Items: []ObjectEvent{}}
	events, cursor, err := r.Store.ObjectEvents(ctx, id, p)
	if err != nil {
		return v, err
	}
	v.NextCursor = given(cursor)
	accounts := []string{""}
	for i, e := range events {
		v.Items = append(v.Items, ObjectEvent{e.EventRecord, markOf(e)})
		if i == 0 && e.Account != "" {
			accounts = append(accounts, e.Account)
		}
	}
	for _, account := range accounts {
		rows, err := r.rows(ctx, account, id)
		if err != nil {
			return v, err
		}
		v.Rows = append(v.Rows, rows...)
	}
	if len(v.Items) == 0 && len(v.Rows) == 0 && p.Cursor == "" {
		return v, quotekit.Errorf(quotekit.ENotFound, "nothing is known of an object %s", clip(id))
	}
	return v, nil
}

// markOf says what became of an event. One that fetched the object is of the
// instant it was fetched, so it is like any other.
func markOf(e store.ObjectEvent) Mark {
	switch {
	case e.Stale:
		return MarkStale
	case e.Status == quotekit.EventSucceeded:
		return MarkApplied
	}
	return Mark(e.Status)
}
