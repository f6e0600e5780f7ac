package store

import (
	"context"
	"time"
)

// Figures deletes the counts and times of buckets of a granularity that began before
// an instant, of one type of events at a time. A bucket goes as a whole.
func (r *Retention) Figures(ctx context.Context, g Granularity, before time.Time, limit int) (deleted int64, done bool, err error) {
	for _, table := range []string{"webhook_event_counts", "webhook_latencies"} {
		types, err := queryAll(ctx, r.store.reader, selectOldFigures(table), []any{string(g), before.UTC()}, scanText)
		if err != nil {
			return 0, true, wrap(err, "look for old figures")
		}
		if len(types) == 0 {
			continue
		}
		deleted, err = r.piece(ctx, retainedFigures, func(tx *Tx) (int64, position, error) {
			n, err := tx.deletes(ctx, dropFigures(table), string(g), types[0], before.UTC(), limit)
			return n, position{}, err
		})
		return deleted, false, err
	}
	return 0, true, nil
}

// selectOldFigures looks for a type that has old buckets.
func selectOldFigures(table string) string {
	return `
SELECT types.event_type
FROM (
  SELECT DISTINCT event_type
  FROM webhook_event_counts
  WHERE granularity = 'ever') AS types
WHERE EXISTS (
  SELECT 1
  FROM ` + table + ` AS f
  WHERE f.granularity = $1 AND f.event_type = types.event_type AND f.bucket < $2)
LIMIT 1`
}

func dropFigures(table string) string {
	return `
DELETE FROM ` + table + `
WHERE granularity = $1 AND event_type = $2 AND bucket < $3 AND bucket <= (
  SELECT MAX(bucket)
  FROM (
    SELECT bucket
    FROM ` + table + `
    WHERE granularity = $1 AND event_type = $2 AND bucket < $3
    ORDER BY bucket
    LIMIT $4) AS oldest)`
}

// Refusals deletes the counts of refused requests of minutes that began before an
// instant.
func (r *Retention) Refusals(ctx context.Context, before time.Time, limit int) (deleted int64, done bool, err error) {
	const old = `SELECT code FROM webhook_refusals WHERE bucket < $1 LIMIT 1`
	some, err := queryAll(ctx, r.store.reader, old, []any{before.UTC()}, scanText)
	if err != nil || len(some) == 0 {
		return 0, true, wrap(err, "look for old counts of refused requests")
	}
	deleted, err = r.piece(ctx, retainedRefusals, func(tx *Tx) (int64, position, error) {
		n, err := tx.deletes(ctx, dropRefusals, before.UTC(), limit)
		return n, position{}, err
	})
	return deleted, deleted < int64(limit), err
}

const dropRefusals = `
DELETE FROM webhook_refusals
WHERE bucket < $1 AND bucket <= (
  SELECT MAX(bucket)
  FROM (
    SELECT bucket
    FROM webhook_refusals
    WHERE bucket < $1
    ORDER BY bucket
    LIMIT $2) AS oldest)`
