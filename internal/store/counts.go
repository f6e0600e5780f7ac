package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

// Granularity is how long the buckets of statistics are.
type Granularity string

// The granularities. Ever is one bucket for all time, which begins in 1970.
const (
	Minute Granularity = "minute"
	Hour   Granularity = "hour"
	Day    Granularity = "day"
	Ever   Granularity = "ever"
)

// Bucket is the bucket that an instant lies in.
func (g Granularity) Bucket(at time.Time) time.Time {
	switch g {
	case Minute:
		return at.UTC().Truncate(time.Minute)
	case Hour:
		return at.UTC().Truncate(time.Hour)
	case Day:
		return at.UTC().Truncate(24 * time.Hour)
	}
	return time.Unix(0, 0).UTC()
}

// AllTypes stands in statistics for all event types together.
const AllTypes = ""

// countKey is where an event counts: in the minute it was received in, under its
// type and its present state.
type countKey struct {
	minute    int64 // since 1970
	eventType string
	status    quotekit.EventStatus
}

// countChange is what a transaction changes in a count.
type countChange struct {
	events int64
	// lastAt is when the last of the events was received, in microseconds since 1970.
	lastAt int64
}

// count notes that an event is in a state now, which was not there before if was
// is empty. It is written with the transaction.
func (tx *Tx) count(eventType string, receivedAt time.Time, was, is quotekit.EventStatus) {
	if was == is {
		return
	}
	if tx.counts == nil {
		tx.counts = map[countKey]countChange{}
	}
	at := receivedAt.UnixMicro()
	key := countKey{receivedAt.Unix() / 60, clip(eventType), is}
	add := func(n int64) {
		c := tx.counts[key]
		tx.counts[key] = countChange{c.events + n, max(c.lastAt, at)}
	}
	add(1)
	if was != "" {
		key.status = was
		add(-1)
	}
}

// writeCounts writes what was counted: one row, whatever the transaction did, and
// one that is nobody else's. The counts themselves are a few rows that all
// transactions would wait for.
func (tx *Tx) writeCounts(ctx context.Context) error {
	if len(tx.counts) == 0 {
		return nil
	}
	const insert = `INSERT INTO webhook_count_deltas (id, at, counts) VALUES ($1, $2, $3)`
	list := make([][5]any, 0, len(tx.counts))
	for k, c := range tx.counts {
		if c.events != 0 {
			list = append(list, [5]any{k.minute, k.eventType, k.status, c.events, c.lastAt})
		}
	}
	tx.counts = nil
	if len(list) == 0 {
		return nil
	}
	text, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("encode counts: %w", err)
	}
	return wrap(tx.run(ctx, insert, quotekit.NewID(), tx.Now, string(text)), "write counts")
}

// parseCounts reads what writeCounts has written into changes. Microseconds are exact
// as floating-point numbers until the year 2255.
func parseCounts(text string, changes map[countKey]countChange) error {
	var list [][5]any
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return err
	}
	for _, entry := range list {
		minute, ok1 := entry[0].(float64)
		eventType, ok2 := entry[1].(string)
		status, ok3 := entry[2].(string)
		events, ok4 := entry[3].(float64)
		lastAt, ok5 := entry[4].(float64)
		if !(ok1 && ok2 && ok3 && ok4 && ok5) {
			return fmt.Errorf("read counts %s: they are none", text)
		}
		k := countKey{int64(minute), eventType, quotekit.EventStatus(status)}
		before := changes[k]
		changes[k] = countChange{before.events + int64(events), max(before.lastAt, int64(lastAt))}
	}
	return nil
}

// FoldCounts adds the changes of at most limit transactions to the counts, and
// returns how many there were: fewer than limit if no other is left. Several
// processes may do so at once: each leaves out what another has begun with.
func (s *Store) FoldCounts(ctx context.Context, limit int) (folded int, err error) {
	take := `
DELETE FROM webhook_count_deltas
WHERE id IN (
  SELECT id
  FROM webhook_count_deltas
  ORDER BY id
  LIMIT $1` + s.dialect.skipping() + `)
RETURNING counts`
	err = s.WithTx(ctx, func(tx *Tx) error {
		changes := map[countKey]countChange{}
		folded = 0
		err := tx.returning(ctx, take, func(r row) error {
			var text string
			if err := r.Scan(&text); err != nil {
				return err
			}
			folded++
			return parseCounts(text, changes)
		}, limit)
		if err != nil {
			return err
		}
		return tx.addCounts(ctx, changes)
	})
	if err != nil {
		return 0, fmt.Errorf("fold counts: %w", err)
	}
	return folded, nil
}

// addCounts adds changes to the buckets of every granularity, for their type and
// for all types.
func (tx *Tx) addCounts(ctx context.Context, changes map[countKey]countChange) error {
	type bucketKey struct {
		granularity Granularity
		eventType   string
		at          int64
		status      quotekit.EventStatus
	}
	buckets := map[bucketKey]countChange{}
	for k, c := range changes {
		minute := time.Unix(k.minute*60, 0)
		for _, g := range []Granularity{Minute, Hour, Day, Ever} {
			for _, eventType := range []string{k.eventType, AllTypes} {
				key := bucketKey{g, eventType, g.Bucket(minute).Unix(), k.status}
				before := buckets[key]
				buckets[key] = countChange{before.events + c.events, max(before.lastAt, c.lastAt)}
			}
		}
	}
	keys := make([]bucketKey, 0, len(buckets))
	for k, c := range buckets {
		if c.events != 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b bucketKey) int {
		return cmp.Or(strings.Compare(string(a.granularity), string(b.granularity)), strings.Compare(a.eventType, b.eventType),
			cmp.Compare(a.at, b.at), strings.Compare(string(a.status), string(b.status)))
	})
	rows := make([][]any, len(keys))
	for i, k := range keys {
		c := buckets[k]
		rows[i] = []any{
			string(k.granularity), k.eventType, time.Unix(k.at, 0).UTC(), string(k.status), c.events, time.UnixMicro(c.lastAt).UTC(),
		}
	}
	const prefix = `INSERT INTO webhook_event_counts (granularity, event_type, bucket, status, events, last_at)`
	const suffix = `ON CONFLICT (granularity, event_type, bucket, status) DO UPDATE SET
  events = webhook_event_counts.events + excluded.events,
  last_at = CASE WHEN excluded.last_at > webhook_event_counts.last_at THEN excluded.last_at
    ELSE webhook_event_counts.last_at END`
	return tx.multiRow(ctx, prefix, suffix, 6, rows, nil)
}

// skipping makes a read leave out the rows that others have locked, and lock its
// own. SQLite has one writer, so there are no others.
func (d Dialect) skipping() string {
	if d == Postgres {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}
