package batch

import (
	"context"
	"fmt"
	"slices"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// effect does to the rows of some items what the job asks for, and returns what
// became of each. An error is one of the database; the items are told nothing.
func (p *plan) effect(ctx context.Context, tx *store.Tx, items []item) ([]store.ItemResult, error) {
	results := make([]store.ItemResult, 0, len(items))
	var open []item
	for _, it := range items {
		if it.verdict != nil {
			results = append(results, *it.verdict)
		} else {
			open = append(open, it)
		}
	}
	if len(open) == 0 {
		return results, nil
	}
	var work func(context.Context, *store.Tx, []item) ([]store.ItemResult, error)
	switch {
	case p.undo:
		work = p.takeBack
	case p.operation.Kind == quotekit.OperationDelete:
		work = p.remove
	case p.operation.Kind == quotekit.OperationUpdate:
		work = p.update
	case p.operation.Kind == quotekit.OperationCreate:
		work = p.create
	default:
		work = p.export
	}
	done, err := work(ctx, tx, open)
	return append(results, done...), err
}

func succeeded(it item) store.ItemResult {
	return store.ItemResult{Position: it.position, ItemID: it.id, Outcome: quotekit.Succeeded}
}

func failed(it item, code quotekit.ItemCode, message string) store.ItemResult {
	return store.ItemResult{Position: it.position, ItemID: it.id, Outcome: quotekit.Failed, Code: code, Message: message}
}

// notFound is the failure of an id that is no row of the caller's, whether it is
// somebody else's or nobody's.
func (p *plan) notFound(it item) store.ItemResult {
	return failed(it, quotekit.ItemNotFound, fmt.Sprintf("you have no row %s in %s", it.id, p.operation.Table))
}

func idsOf(items []item) []string {
	ids := make([]string, len(items))
	for i, it := range items {
		ids[i] = it.id
	}
	return ids
}

func (p *plan) remove(ctx context.Context, tx *store.Tx, items []item) ([]store.ItemResult, error) {
	table, user, ids := p.operation.Table, p.work.UserID, idsOf(items)
	var links map[string][]string
	if table == quotekit.Clients {
		// Locked, so that no quote is linked to them after the look at the links.
		if _, err := tx.LockRows(ctx, table, user, ids); err != nil {
			return nil, err
		}
		var err error
		if links, err = tx.UnlinkQuotes(ctx, user, ids); err != nil {
			return nil, err
		}
	}
	deleted, err := tx.DeleteRows(ctx, table, user, ids)
	if err != nil {
		return nil, err
	}
	results := make([]store.ItemResult, len(items))
	var missing []string
	for i, it := range items {
		before, ok := deleted[it.id]
		if !ok {
			missing = append(missing, it.id)
			results[i] = p.notFound(it)
			continue
		}
		results[i] = succeeded(it)
		results[i].Before, results[i].Related = before, links[it.id]
	}
	if missing == nil {
		return results, nil
	}
	kept, err := tx.ReadRows(ctx, table, user, missing, "id")
	for i, it := range items {
		if _, ok := kept[it.id]; ok {
			results[i] = refusedByDatabase(it)
		}
	}
	return results, err
}

func (p *plan) export(ctx context.Context, tx *store.Tx, items []item) ([]store.ItemResult, error) {
	rows, err := tx.ReadRows(ctx, p.operation.Table, p.work.UserID, idsOf(items))
	if err != nil {
		return nil, err
	}
	results := make([]store.ItemResult, len(items))
	for i, it := range items {
		row, ok := rows[it.id]
		if !ok {
			results[i] = p.notFound(it)
			continue
		}
		results[i] = succeeded(it)
		results[i].Before = row
	}
	return results, nil
}

// change is an update of one row.
type change struct {
	item
	update store.Update
	before store.Image
}

// columns are those that an update is about.
func (p *plan) columns() []string { return append(slices.Clone(p.operation.Columns), "updated_at") }

func (p *plan) update(ctx context.Context, tx *store.Tx, items []item) ([]store.ItemResult, error) {
	// All columns of the operation are set, those that stay as they are as well, so
	// that one statement serves all rows.
	columns := p.columns()
	rows, err := tx.LockRows(ctx, p.operation.Table, p.work.UserID, idsOf(items), columns...)
	if err != nil {
		return nil, err
	}
	var results []store.ItemResult
	var changes []change
	for _, it := range items {
		image, ok := rows[it.id]
		if !ok {
			results = append(results, p.notFound(it))
			continue
		}
		values, refusal := p.step.Update(image.Record())
		switch {
		case refusal != nil:
			results = append(results, failed(it, refusal.Code, refusal.Message))
		case len(values) == 0:
			r := succeeded(it)
			r.Outcome, r.Code, r.Message = quotekit.Skipped, quotekit.ItemUnchanged, "it is so already"
			results = append(results, r)
		default:
			after, err := tx.Overlay(image, columns, values)
			if err != nil {
				return nil, err
			}
			changes = append(changes, change{it, store.Update{ID: it.id, Image: after}, image})
		}
	}
	done, err := p.applyChanges(ctx, tx, changes)
	return append(results, done...), err
}

func (p *plan) applyChanges(ctx context.Context, tx *store.Tx, changes []change) ([]store.ItemResult, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	updates := make([]store.Update, len(changes))
	for i, c := range changes {
		updates[i] = c.update
	}
	rows, err := tx.UpdateRows(ctx, p.operation.Table, p.work.UserID, p.columns(), updates)
	if err != nil {
		return nil, err
	}
	results := make([]store.ItemResult, len(changes))
	for i, c := range changes {
		after, ok := rows[c.id]
		if !ok {
			results[i] = refusedByDatabase(c.item)
			continue
		}
		results[i] = succeeded(c.item)
		results[i].Before, results[i].After = c.before, after
	}
	return results, nil
}

// refusedByDatabase is the failure of an item that a trigger of the application
// left out in silence.
func refusedByDatabase(it item) store.ItemResult {
	return failed(it, quotekit.ItemConflict, "the database did not make the change")
}

func (p *plan) create(ctx context.Context, tx *store.Tx, items []item) ([]store.ItemResult, error) {
	results := make([]store.ItemResult, 0, len(items))
	var made []item
	var rows []quotekit.Values
	for _, it := range items {
		values, problems := p.step.Create(it.object)
		problems = append(problems, tx.Unkept(p.operation.Table, it.object)...)
		if len(problems) > 0 {
			results = append(results, failed(it, quotekit.ItemInvalid, describe(problems)))
			continue
		}
		it.id = quotekit.NewID()
		values["id"] = it.id
		made, rows = append(made, it), append(rows, values)
	}
	if p.operation.Table == quotekit.Quotes {
		var refused []store.ItemResult
		var err error
		if made, rows, refused, err = p.linkClients(ctx, tx, made, rows); err != nil {
			return nil, err
		}
		results = append(results, refused...)
	}
	images, err := tx.InsertRows(ctx, p.operation.Table, p.work.UserID, rows)
	if err != nil {
		return nil, err
	}
	for i, it := range made {
		if images[i] == nil {
			it.id = ""
			results = append(results, refusedByDatabase(it))
			continue
		}
		r := succeeded(it)
		r.After = images[i]
		if p.work.DryRun {
			r.ItemID = "" // there will be no such row
		}
		results = append(results, r)
	}
	return results, nil
}

// linkClients checks that quotes name clients of the caller's own, and gives
// them the name and the address of these where they have none.
func (p *plan) linkClients(ctx context.Context, tx *store.Tx, items []item, rows []quotekit.Values) ([]item, []quotekit.Values, []store.ItemResult, error) {
	var ids []string
	for _, values := range rows {
		if id, ok := values["client_id"].(string); ok {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return items, rows, nil, nil
	}
	clients, err := tx.ReadRows(ctx, quotekit.Clients, p.work.UserID, ids)
	if err != nil {
		return nil, nil, nil, err
	}
	var (
		linked  []item
		kept    []quotekit.Values
		refused []store.ItemResult
	)
	for i, values := range rows {
		if id, ok := values["client_id"].(string); ok {
			client, own := clients[id]
			if !own {
				items[i].id = ""
				refused = append(refused, failed(items[i], quotekit.ItemInvalid, "client_id: you have no such client"))
				continue
			}
			record := client.Record()
			for column, of := range map[string]string{"client_name": "name", "client_email": "email"} {
				if text := record.Text(of); values[column] == nil && text != "" {
					values[column] = text
				}
			}
		}
		linked, kept = append(linked, items[i]), append(kept, values)
	}
	return linked, kept, refused, nil
}

// describe makes one message of everything that is wrong with an object.
func describe(problems []quotekit.FieldError) string {
	text := ""
	for i, p := range problems {
		if i > 0 {
			text += "; "
		}
		text += p.Field + ": " + p.Message
	}
	return text
}
