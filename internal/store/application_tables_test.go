package store_test

import (
	"slices"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestTables_WithoutTimes: rows of a table that has no times are listed and found, changed,
// deleted and put back.
func TestTables_WithoutTimes(t *testing.T) {
	url := storetest.PostgresURL(t, storetest.Tables)
	mapping, err := store.ParseTables("items=Line Items,items.unit_price=$Cost,items.created_at=,items.updated_at=,items.tags=,items.unit=")
	if err != nil {
		t.Fatal(err)
	}
	s := storetest.OpenWith(t, store.Config{URL: url, Tables: mapping})
	mustExec(t, s, `CREATE TABLE "Line Items" (id UUID PRIMARY KEY, user_id UUID NOT NULL, name TEXT, "$Cost" NUMERIC, category TEXT, tags INTEGER DEFAULT 7)`)
	if found, err := s.ExamineApplication(t.Context()); err != nil || len(found) > 0 {
		t.Fatalf("got %+v, %v", found, err)
	}
	user, ids := quotekit.NewID(), []string{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		id := quotekit.NewID()
		ids = append(ids, id)
		mustInsert(t, s, user, quotekit.Items, quotekit.Values{"id": id, "name": name, "unit_price": quotekit.Cents(12_50), "unit": "h"})
	}
	mustInsert(t, s, quotekit.NewID(), quotekit.Items, quotekit.Values{"name": "other", "unit_price": quotekit.Cents(1)})
	if got := itemNames(t, s, user, store.RowFilter{}, 2); got != "e d c b a" {
		t.Errorf("got %s", got)
	}
	if got := itemNames(t, s, user, store.RowFilter{Equal: map[string]string{"unit": "h"}}, 2); got != "" {
		t.Errorf("by a column that is not there: got %s", got)
	}
	if got := itemNames(t, s, user, store.RowFilter{Search: "C", SearchColumns: []string{"name", "unit"}}, 2); got != "c" {
		t.Errorf("got %s", got)
	}
	item, err := store.ReadRow[quotekit.Item](t.Context(), s, quotekit.Items, user, ids[0])
	if err != nil || item.UnitPrice.String() != "12.50" || item.Unit != nil {
		t.Errorf("got %+v, %v", item, err)
	}
	found, err := s.FindUUID(t.Context(), ids[0])
	if err != nil || !slices.ContainsFunc(found, func(f store.Found) bool { return f.Kind == "items" && f.Is == user }) {
		t.Errorf("found %+v, %v", found, err)
	}

	rows := func() []string { return lines(t, s, `SELECT t::TEXT FROM "Line Items" AS t ORDER BY name`) }
	before := rows()
	work := func(f func(*store.Tx) error) {
		t.Helper()
		if err := s.WithTx(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	work(func(tx *store.Tx) error {
		update := store.Update{ID: ids[1], Image: store.Image(`{"unit_price":"3.00","updated_at":"2026-01-01T00:00:00Z"}`)}
		changed, err := tx.UpdateRows(t.Context(), quotekit.Items, user, []string{"unit_price", "updated_at"}, []store.Update{update})
		if got := string(changed[ids[1]]); err == nil && got != `{"unit_price" : 3.00, "updated_at" : null}` {
			t.Errorf("updated to %s", got)
		}
		return err
	})
	mustExec(t, s, `UPDATE "Line Items" SET "$Cost" = 12.50, tags = 8 WHERE id = $1`, ids[1])
	before[1] = rows()[1]
	work(func(tx *store.Tx) error {
		deleted, err := tx.DeleteRows(t.Context(), quotekit.Items, user, ids[:2])
		if err != nil {
			return err
		}
		restored, err := tx.RestoreRows(t.Context(), quotekit.Items, user, []store.Image{deleted[ids[0]], deleted[ids[1]]})
		if err == nil && (len(restored) != 2 || !restored[ids[0]].Same(deleted[ids[0]])) {
			t.Errorf("restored %s", restored)
		}
		return err
	})
	if got := rows(); !slices.Equal(got, before) {
		t.Errorf("got %q\nwant %q", got, before)
	}
}
