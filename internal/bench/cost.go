package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/quotekit/quotekit/internal/store"
)

// counted are the tables whose rows an event adds to, and what the rows are called.
var counted = []struct{ table, figure string }{
	{"stripe_webhook_events", "event_rows_per_event"},
	{"webhook_audit_trail", "audit_rows_per_event"},
	{"webhook_processing_logs", "log_rows_per_event"},
	{"stripe_objects", "object_rows_per_event"},
}

// measureCost looks what so many events leave behind: rows, bytes in the database with
// its indexes, and bytes that were written on the way. Figures of time are no part of
// it, so it can be measured on a machine that does other things as well.
func measureCost(ctx context.Context, r *runner) (m Measured, err error) {
	err = r.underLoad(ctx, crowdConnections, func(b *bed) error {
		events, err := b.mix.Take(r.Sizes.Burst)
		if err != nil {
			return err
		}
		// The service has been warmed up, so the tables are not empty any more.
		if err := b.drained(ctx, r.Sizes.Patience); err != nil {
			return err
		}
		payload := 0
		for _, e := range events {
			payload += len(e.Body)
		}
		before, err := b.written(ctx)
		if err != nil {
			return err
		}
		used := b.usage()
		if _, err := b.whole(ctx, events, crowdConnections); err != nil {
			return err
		}
		if err := b.drained(ctx, r.Sizes.Patience); err != nil {
			return err
		}
		processor := b.usage().since(used, len(events))
		after, err := b.written(ctx)
		if err != nil {
			return err
		}
		if err := b.check(ctx, events, len(events)); err != nil {
			return err
		}
		n := float64(len(events))
		m.Figures = append(Figures{{"payload_bytes_per_event", float64(payload) / n}}, processor...)
		for i := range after {
			m.Figures = append(m.Figures, Figure{after[i].Name, (after[i].Value - before[i].Value) / n})
		}
		all := float64(len(b.warm) + len(events))
		stored, err := b.stored(ctx)
		for _, f := range stored {
			m.Figures = append(m.Figures, Figure{f.Name, f.Value / all})
		}
		if err != nil {
			return err
		}
		m.Parts, err = b.tables(ctx, all)
		return err
	})
	return m, err
}

// written is how many bytes were written so far: on Postgres to its write-ahead log, by
// everybody; on SQLite by the service, to log and file, where the system tells.
func (b *bed) written(ctx context.Context) (f Figures, err error) {
	if b.schema == "" {
		n, err := writtenBytes(b.command.Process.Pid)
		if err != nil {
			return nil, nil // no /proc, no figure
		}
		return Figures{{"written_bytes_per_event", float64(n)}}, nil
	}
	err = b.look(ctx, func(db *store.Store) error {
		var n float64
		const ask = `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')`
		if err := db.Reader().QueryRowContext(ctx, ask).Scan(&n); err != nil {
			return fmt.Errorf("ask for the write-ahead log: %w", err)
		}
		f = Figures{{"wal_bytes_per_event", n}}
		return nil
	})
	return f, err
}

// writtenBytes is what a process has caused to be written to disks, so far.
func writtenBytes(pid int) (n int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if found, _ := fmt.Sscanf(string(line), "write_bytes: %d", &n); found == 1 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("/proc/%d/io has no write_bytes", pid)
}

// smallTable is how many bytes an event a table has to have to be told of.
const smallTable = 20

// tables are the bytes of the larger tables with their indexes, of so many events. On
// SQLite nobody knows without a scan, so there are none.
func (p *place) tables(ctx context.Context, events float64) (parts []Part, err error) {
	if p.schema == "" {
		return nil, nil
	}
	err = p.look(ctx, func(db *store.Store) error {
		const sizes = `
SELECT c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind = 'r'
ORDER BY pg_total_relation_size(c.oid) DESC`
		rows, err := db.Reader().QueryContext(ctx, sizes, p.schema)
		if err != nil {
			return fmt.Errorf("ask for the sizes of the tables: %w", err)
		}
		for rows.Next() {
			var name string
			var table, indexes float64
			if err := rows.Scan(&name, &table, &indexes); err != nil {
				return errors.Join(err, rows.Close())
			}
			if (table+indexes)/events >= smallTable {
				parts = append(parts, Part{name, Figures{{"table_bytes_per_event", table / events}, {"index_bytes_per_event", indexes / events}}})
			}
		}
		return errors.Join(rows.Err(), rows.Close())
	})
	return parts, err
}

// stored are the rows of all tables that grow with events, and the size of everything.
// The service has ended.
func (p *place) stored(ctx context.Context) (f Figures, err error) {
	err = p.look(ctx, func(db *store.Store) error {
		number := func(name, query string, args ...any) error {
			var n float64
			if err := db.Reader().QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
				return fmt.Errorf("ask for %s: %w", strings.ReplaceAll(name, "_", " "), err)
			}
			f = append(f, Figure{name, n})
			return nil
		}
		for _, c := range counted {
			if err := number(c.figure, `SELECT COUNT(*) FROM `+c.table); err != nil {
				return err
			}
		}
		if !db.Postgres() {
			return number("stored_bytes_per_event", `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`)
		}
		const size = `
SELECT SUM(pg_total_relation_size(c.oid))
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind = 'r'`
		return number("stored_bytes_per_event", size, p.schema)
	})
	return f, err
}
