package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/quotekit/quotekit"
)

// InsertApplication adds rows of the application's own tables, all or none.
func (s *Store) InsertApplication(ctx context.Context, clients []quotekit.Client, items []quotekit.Item, quotes []quotekit.Quote) error {
	err := s.WithTx(ctx, func(tx *Tx) error {
		if err := tx.insertClients(ctx, clients); err != nil {
			return err
		}
		if err := tx.insertItems(ctx, items); err != nil {
			return err
		}
		return tx.insertQuotes(ctx, quotes)
	})
	if err != nil {
		return fmt.Errorf("insert clients, items and quotes: %w", err)
	}
	return nil
}

func (tx *Tx) insertClients(ctx context.Context, clients []quotekit.Client) error {
	rows := make([][]any, len(clients))
	for i, c := range clients {
		rows[i] = []any{c.ID, c.UserID, c.Name, null(c.Email), null(c.Phone), null(c.Address), null(c.Notes), tx.Now, tx.Now}
	}
	const prefix = `INSERT INTO clients (id, user_id, name, email, phone, address, notes, created_at, updated_at)`
	return tx.multiRow(ctx, prefix, "", 9, rows, nil)
}

func (tx *Tx) insertItems(ctx context.Context, items []quotekit.Item) error {
	rows := make([][]any, len(items))
	for i, item := range items {
		tags, err := json.Marshal(item.Tags)
		if err != nil {
			return err
		}
		rows[i] = []any{
			item.ID, item.UserID, item.Name, null(item.Unit), tx.money(item.UnitPrice), null(item.Category), string(tags), tx.Now, tx.Now,
		}
	}
	const prefix = `INSERT INTO items (id, user_id, name, unit, unit_price, category, tags, created_at, updated_at)`
	return tx.multiRow(ctx, prefix, "", 9, rows, nil)
}

func (tx *Tx) insertQuotes(ctx context.Context, quotes []quotekit.Quote) error {
	type line struct {
		ItemID    string `json:"item_id"`
		Name      string `json:"name"`
		Quantity  int64  `json:"quantity"`
		UnitPrice string `json:"unit_price"`
	}
	rows := make([][]any, len(quotes))
	for i, q := range quotes {
		lines := make([]line, len(q.Lines))
		for j, l := range q.Lines {
			lines[j] = line{l.ItemID, l.Name, l.Quantity, l.UnitPrice.String()}
		}
		text, err := json.Marshal(lines)
		if err != nil {
			return err
		}
		rows[i] = []any{
			q.ID, q.UserID, null(q.ClientID), null(q.ClientName), null(q.ClientEmail), null(q.Number), q.Status, string(text),
			tx.money(q.Subtotal), tx.taxRate(q.TaxRate), tx.money(q.TaxAmount), tx.money(q.Total), instant(q.ValidUntil),
			q.CreatedAt.UTC(), tx.Now,
		}
	}
	const prefix = `INSERT INTO quotes (id, user_id, client_id, client_name, client_email, quote_number, status, line_items,
  subtotal, tax_rate, tax_amount, total, valid_until, created_at, updated_at)`
	return tx.multiRow(ctx, prefix, "", 15, rows, nil)
}

// money is NUMERIC(10,2) on Postgres and cents on SQLite, which has no decimals.
func (tx *Tx) money(c quotekit.Cents) any {
	if tx.dialect == SQLite {
		return int64(c)
	}
	return c.String()
}

// taxRate is a percentage, NUMERIC(7,4) on Postgres and ten-thousandths of a
// percent on SQLite.
func (tx *Tx) taxRate(hundredths int64) any {
	if tx.dialect == SQLite {
		return hundredths * 100
	}
	return quotekit.Cents(hundredths).String()
}
