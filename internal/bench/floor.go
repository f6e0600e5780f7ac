package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/store"
)

// The names of the floors' figures. Rows are those of events, in the table of events
// with its indexes, written by one connection.
const (
	fsyncs     = "fsyncs_per_second"
	singleRows = "single_row_inserts_per_second" // each in a commit of its own
	multiRows  = "multi_row_inserts_per_second"  // rows, in statements of floorGroup
	setRows    = "set_based_inserts_per_second"  // rows, all in one statement
)

const (
	// floorGroup is how many rows one statement inserts: as many as the service settles
	// in one transaction at most.
	floorGroup = 128
	// fsyncBytes are written before each fsync: a page.
	fsyncBytes = 4096
	// maxFloor bounds how long one floor is measured.
	maxFloor = time.Second
)

// measureFloors measures what disk and database do without us.
func measureFloors(ctx context.Context, r *runner) (m Measured, err error) {
	mix, err := r.mix()
	if err != nil {
		return m, err
	}
	events, err := mix.Take(floorGroup)
	if err != nil {
		return m, err
	}
	within := min(r.Duration/5, maxFloor)
	err = inPlace(ctx, r.DatabaseURL, func(p *place) error {
		synced, err := syncFloor(ctx, filepath.Join(p.folder, "fsync"), within)
		if err != nil {
			return err
		}
		return p.prepare(ctx, func(s *store.Store) error {
			f := rowFloor{store: s, events: events}
			single, err := f.insert(ctx, 1, within)
			if err != nil {
				return err
			}
			many, err := f.insert(ctx, floorGroup, within)
			if err != nil {
				return err
			}
			set, err := f.copy(ctx, r.Sizes.SetRows)
			if err != nil {
				return err
			}
			m.Figures = Figures{{fsyncs, synced}, {singleRows, single}, {multiRows, many}, {setRows, set}}
			return nil
		})
	})
	r.floors = m.Figures
	return m, err
}

// syncFloor is how many times in a second a page can be written and is on the disk.
func syncFloor(ctx context.Context, path string, within time.Duration) (perSecond float64, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, fmt.Errorf("measure fsync: %w", err)
	}
	defer func() { _ = f.Close() }()
	page := make([]byte, fsyncBytes)
	return rate(within, func() (int, error) {
		if _, err := f.Write(page); err != nil {
			return 0, fmt.Errorf("measure fsync: %w", err)
		}
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("measure fsync: %w", err)
		}
		return 1, ctx.Err()
	})
}

// rate does something as often as it can within a time, once at least, and returns how
// many that made in a second.
func rate(within time.Duration, do func() (made int, err error)) (perSecond float64, err error) {
	began, total := time.Now(), 0
	for {
		n, err := do()
		if err != nil {
			return 0, err
		}
		total += n
		if took := time.Since(began); took >= within {
			return float64(total) / took.Seconds(), nil
		}
	}
}

// rowFloor writes rows of events by hand.
type rowFloor struct {
	store  *store.Store
	events []sample.Event
	made   int
}

const floorColumns = `stripe_event_id, event_type, livemode, object_id, event_created, status, attempts, deliveries, payload, received_at, processed_at`

// insert is how many rows in a second statements of so many rows insert, each in a
// commit of its own.
func (f *rowFloor) insert(ctx context.Context, rows int, within time.Duration) (perSecond float64, err error) {
	const columns = 8 // those that differ from row to row, or have no literal on both engines
	var values []string
	for i := range rows {
		n := columns * i
		values = append(values, fmt.Sprintf("($%d, $%d, $%d, $%d, $%d, 'succeeded', 1, 1, $%d, $%d, $%d)",
			n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8))
	}
	text := `INSERT INTO stripe_webhook_events (` + floorColumns + `) VALUES ` + strings.Join(values, ", ")
	args := make([]any, 0, columns*rows)
	return rate(within, func() (int, error) {
		args = args[:0]
		now := time.Now().UTC().Truncate(time.Microsecond)
		for range rows {
			e := f.events[f.made%len(f.events)]
			f.made++
			id := fmt.Sprintf("evt_floor_%d", f.made)
			args = append(args, id, e.Type, false, e.ObjectID, time.Unix(e.Created, 0).UTC(), e.Body, now, now)
		}
		if _, err := f.store.Writer().ExecContext(ctx, text, args...); err != nil {
			return 0, fmt.Errorf("insert %d rows: %w", rows, err)
		}
		return rows, nil
	})
}

// copy is how many rows in a second one statement inserts, of at most so many.
func (f *rowFloor) copy(ctx context.Context, rows int) (perSecond float64, err error) {
	const text = `
INSERT INTO stripe_webhook_events (` + floorColumns + `)
SELECT 'copy_' || stripe_event_id, event_type, livemode, object_id, event_created, status, attempts, deliveries, payload, received_at, processed_at
FROM stripe_webhook_events
ORDER BY stripe_event_id
LIMIT $1`
	return rate(0, func() (int, error) {
		result, err := f.store.Writer().ExecContext(ctx, text, rows)
		if err != nil {
			return 0, fmt.Errorf("insert in one statement: %w", err)
		}
		n, err := result.RowsAffected()
		return int(n), err
	})
}
