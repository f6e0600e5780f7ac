package monitor

import (
	"context"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// Object reads everything about an object of Stripe's: what a connected account has of
// it, or, without one, what any has. It fails with [quotekit.ENotFound] if neither an
// event nor a row knows it.
func (r *Reads) Object(ctx context.Context, account, id string, p store.Page) (ObjectView, error) {
	v := ObjectView{ID: id, Account: account, Rows: []RowView{}, Items: []ObjectEvent{}}
	events, cursor, err := r.Store.ObjectEvents(ctx, account, id, p)
	if err != nil {
		return v, err
	}
	v.NextCursor = given(cursor)
	for _, e := range events {
		v.Items = append(v.Items, ObjectEvent{e.EventRecord, markOf(e)})
	}
	if v.Rows, err = r.rows(ctx, account, id); err != nil {
		return v, err
	}
	if account == "" {
		others, err := r.Store.ConnectedRows(ctx, id)
		if err != nil {
			return v, err
		}
		v.Rows = append(v.Rows, showRows(others)...)
	}
	if len(v.Items) == 0 && len(v.Rows) == 0 && p.Cursor == "" {
		return v, quotekit.Errorf(quotekit.ENotFound, "nothing is known of an object %s%s", clip(id), ofAccount(account))
	}
	return v, nil
}

// ofAccount says in words that something is of a connected account.
func ofAccount(account string) string {
	if account == "" {
		return ""
	}
	return " of " + clip(account)
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
