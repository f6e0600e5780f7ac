package batch

import (
	"context"
	"slices"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// takeBack undoes what the parent job did to the rows of some items.
func (p *plan) takeBack(ctx context.Context, tx *store.Tx, items []item) ([]store.ItemResult, error) {
	first, last := items[0].parent, items[0].parent
	for _, it := range items {
		first, last = min(first, it.parent), max(last, it.parent)
	}
	parents, err := tx.ParentItems(ctx, p.work.UserID, p.work.ParentID, first, last)
	if err != nil {
		return nil, err
	}
	var results []store.ItemResult
	var open []item
	for _, it := range items {
		if parents[it.parent].Outcome == quotekit.Succeeded {
			open = append(open, it)
		} else {
			results = append(results, failed(it, quotekit.ItemNotFound, "the record of what was done to it is gone"))
		}
	}
	var done []store.ItemResult
	switch p.operation.Kind {
	case quotekit.OperationDelete:
		done, err = p.restore(ctx, tx, open, parents)
	case quotekit.OperationUpdate:
		done, err = p.revert(ctx, tx, open, parents)
	case quotekit.OperationCreate:
		done, err = p.uncreate(ctx, tx, open, parents)
	}
	return append(results, done...), err
}

func changedSince(it item, what string) store.ItemResult {
	return failed(it, quotekit.ItemChangedSince, what)
}

// restore puts deleted rows back.
func (p *plan) restore(ctx context.Context, tx *store.Tx, items []item, parents map[int]store.ItemResult) ([]store.ItemResult, error) {
	table, user := p.operation.Table, p.work.UserID
	var results []store.ItemResult
	if table == quotekit.Quotes {
		var err error
		if items, results, err = p.withClients(ctx, tx, items, parents); err != nil {
			return nil, err
		}
	}
	images := make([]store.Image, len(items))
	for i, it := range items {
		images[i] = parents[it.parent].Before
	}
	restored, err := tx.RestoreRows(ctx, table, user, images)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		after, ok := restored[it.id]
		if !ok {
			results = append(results, changedSince(it, "its place has been taken by another row since"))
			continue
		}
		if quotes := parents[it.parent].Related; len(quotes) > 0 {
			if err := tx.LinkQuotes(ctx, user, it.id, quotes); err != nil {
				return nil, err
			}
		}
		r := succeeded(it)
		r.After = after
		results = append(results, r)
	}
	return results, nil
}

// withClients sorts out deleted quotes whose client is gone by now: to put them
// back without it would not be what they were.
func (p *plan) withClients(ctx context.Context, tx *store.Tx, items []item, parents map[int]store.ItemResult) ([]item, []store.ItemResult, error) {
	client := make([]string, len(items))
	var ids []string
	for i, it := range items {
		if client[i] = parents[it.parent].Before.Record().Text("client_id"); client[i] != "" {
			ids = append(ids, client[i])
		}
	}
	there, err := tx.ReadRows(ctx, quotekit.Clients, p.work.UserID, ids)
	if err != nil {
		return nil, nil, err
	}
	var kept []item
	var results []store.ItemResult
	for i, it := range items {
		if _, ok := there[client[i]]; client[i] != "" && !ok {
			results = append(results, failed(it, quotekit.ItemConflict, "its client has been deleted since; undo that first"))
			continue
		}
		kept = append(kept, it)
	}
	return kept, results, nil
}

// unchanged locks the rows of items, and sorts out those that are gone or are
// not what the parent job made of them.
func (p *plan) unchanged(ctx context.Context, tx *store.Tx, items []item, parents map[int]store.ItemResult, columns ...string) (kept []item, rows map[string]store.Image, results []store.ItemResult, err error) {
	rows, err = tx.LockRows(ctx, p.operation.Table, p.work.UserID, idsOf(items), columns...)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, it := range items {
		row, ok := rows[it.id]
		switch {
		case !ok:
			results = append(results, changedSince(it, "it has been deleted since"))
		case !row.Same(parents[it.parent].After):
			results = append(results, changedSince(it, "it has been changed since"))
		default:
			kept = append(kept, it)
		}
	}
	return kept, rows, results, nil
}

// revert gives updated columns their old values back.
func (p *plan) revert(ctx context.Context, tx *store.Tx, items []item, parents map[int]store.ItemResult) ([]store.ItemResult, error) {
	kept, rows, results, err := p.unchanged(ctx, tx, items, parents, p.columns()...)
	if err != nil || len(kept) == 0 {
		return results, err
	}
	updates := make([]store.Update, len(kept))
	for i, it := range kept {
		updates[i] = store.Update{ID: it.id, Image: parents[it.parent].Before}
	}
	after, err := tx.UpdateRows(ctx, p.operation.Table, p.work.UserID, p.columns(), updates)
	if err != nil {
		return nil, err
	}
	for _, it := range kept {
		row, ok := after[it.id]
		if !ok {
			results = append(results, refusedByDatabase(it))
			continue
		}
		r := succeeded(it)
		r.Before, r.After = rows[it.id], row
		results = append(results, r)
	}
	return results, nil
}

// uncreate deletes what was made.
func (p *plan) uncreate(ctx context.Context, tx *store.Tx, items []item, parents map[int]store.ItemResult) ([]store.ItemResult, error) {
	kept, _, results, err := p.unchanged(ctx, tx, items, parents)
	if err != nil {
		return nil, err
	}
	if p.operation.Table == quotekit.Clients {
		used, err := tx.UsedClients(ctx, p.work.UserID, idsOf(kept))
		if err != nil {
			return nil, err
		}
		kept = slices.DeleteFunc(kept, func(it item) bool {
			if used[it.id] {
				results = append(results, changedSince(it, "quotes refer to it since"))
			}
			return used[it.id]
		})
	}
	deleted, err := tx.DeleteRows(ctx, p.operation.Table, p.work.UserID, idsOf(kept))
	if err != nil {
		return nil, err
	}
	for _, it := range kept {
		before, ok := deleted[it.id]
		if !ok {
			results = append(results, refusedByDatabase(it))
			continue
		}
		r := succeeded(it)
		r.Before = before
		results = append(results, r)
	}
	return results, nil
}
