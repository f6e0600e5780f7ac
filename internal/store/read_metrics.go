package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"time"
)

// Pool is how a pool of connections stands.
type Pool struct {
	// Name is writer or reader on SQLite, and postgres.
	Name               string
	InUse, Idle, Limit int
	// Waits is how often somebody waited for a connection, and Waited how long in all.
	Waits  int64
	Waited time.Duration
}

// Pools lists how the pools of connections stand.
func (s *Store) Pools() []Pool {
	if s.Postgres() {
		p := s.pool.Stat()
		return []Pool{{
			Name: "postgres", InUse: int(p.AcquiredConns()), Idle: int(p.IdleConns()), Limit: int(p.MaxConns()),
			Waits: p.EmptyAcquireCount(), Waited: p.EmptyAcquireWaitTime(),
		}}
	}
	pool := func(name string, db *sql.DB) Pool {
		p := db.Stats()
		return Pool{name, p.InUse, p.Idle, p.MaxOpenConnections, p.WaitCount, p.WaitDuration}
	}
	return []Pool{pool("writer", s.writer), pool("reader", s.reader)}
}

// Files is what the files of SQLite are like.
type Files struct {
	// Database and WAL are sizes in bytes. The WAL keeps its size when it starts over.
	Database, WAL int64
	// PendingPages are in the WAL and were not in the database file after the last
	// checkpoint.
	PendingPages                   int64
	Checkpoints, FailedCheckpoints int64
}

// Files looks at the files of SQLite. ok is false on Postgres. A file that is not
// there, like the WAL before the first commit, has no size.
func (s *Store) Files() (f Files, ok bool) {
	if s.Postgres() {
		return f, false
	}
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	path := strings.TrimSuffix(s.lock.Name(), ".lock")
	c := s.checkpoints
	return Files{size(path), size(path + "-wal"), c.pending.Load(), c.done.Load(), c.failed.Load()}, true
}

// OldestByType returns when the oldest pending event of each type was received, of the
// events that [Store.OldestUnprocessed] is about. It looks at those that were received
// first, at most limit; all reports that there are no others.
func (s *Store) OldestByType(ctx context.Context, limit int) (oldest map[string]time.Time, all bool, err error) {
	const query = `
SELECT event_type, received_at, events
FROM (
  SELECT event_type, received_at, ROW_NUMBER() OVER (PARTITION BY event_type ORDER BY received_at) AS position,
    COUNT(*) OVER () AS events
  FROM (
    SELECT e.event_type, e.received_at
    FROM stripe_webhook_events AS e
    WHERE e.status = 'pending' AND NOT EXISTS (
      SELECT 1 FROM webhook_dead_letter_queue AS d WHERE d.stripe_event_id = e.stripe_event_id AND d.resolved IS NOT TRUE
    )
    ORDER BY e.received_at
    LIMIT $1
  ) AS waiting
) AS numbered
WHERE position = 1`
	oldest, all = map[string]time.Time{}, true
	_, err = queryAll(ctx, s.reader, query, []any{limit}, func(r row) (struct{}, error) {
		var (
			eventType string
			at        time.Time
			events    int
		)
		err := r.Scan(&eventType, &at, &events)
		oldest[eventType], all = at, events < limit
		return struct{}{}, err
	})
	return oldest, all, wrap(err, "read the oldest pending events")
}

// LastCompleted returns when the last task of a kind was completed, of those that were
// created since an instant; zero if none was. Unlike [Store.LastTask] it reads few rows.
func (s *Store) LastCompleted(ctx context.Context, kind string, since time.Time) (at time.Time, err error) {
	const query = `
SELECT completed_at
FROM webhook_tasks
WHERE kind = $1 AND status = 'completed' AND created_at >= $2
ORDER BY created_at DESC
LIMIT 1`
	err = s.reader.QueryRowContext(ctx, query, kind, since.UTC()).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return at, wrap(err, "read the last task")
}
