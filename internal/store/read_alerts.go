package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"syscall"
	"time"

	"github.com/quotekit/quotekit"
)

// What the rules of package alert look at, every ten seconds: each read is bounded,
// or goes by an index over the few rows that matter.

// WaitingEvent is an event that is not processed yet.
type WaitingEvent struct {
	ID, EventType string
	ReceivedAt    time.Time
}

// OldestUnprocessed returns the pending event that was received first, and nil if there
// is none. Events with a dead letter do not count: they were known to have failed
// before somebody took them up again.
func (s *Store) OldestUnprocessed(ctx context.Context) (*WaitingEvent, error) {
	const query = `
SELECT e.stripe_event_id, e.event_type, e.received_at
FROM stripe_webhook_events AS e
WHERE e.status = 'pending' AND NOT EXISTS (
  SELECT 1 FROM webhook_dead_letter_queue AS d WHERE d.stripe_event_id = e.stripe_event_id AND d.resolved IS NOT TRUE
)
ORDER BY e.received_at
LIMIT 1`
	var e WaitingEvent
	err := s.reader.QueryRowContext(ctx, query).Scan(&e.ID, &e.EventType, &e.ReceivedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap(err, "read the oldest pending event")
	}
	return &e, nil
}

// Decided is how many events of a type were decided, and how many of them are dead.
type Decided struct {
	EventType     string
	Decided, Dead int64
}

// DecidedSince counts the decided events of each type by the minutes they were
// received in, from the one of an instant on.
func (s *Store) DecidedSince(ctx context.Context, since time.Time) ([]Decided, error) {
	const query = typesOf + `
SELECT types.event_type, CAST(SUM(events) AS BIGINT), CAST(SUM(CASE WHEN status = 'dead' THEN events ELSE 0 END) AS BIGINT)
FROM types
CROSS JOIN webhook_event_counts
WHERE webhook_event_counts.event_type = types.event_type AND granularity = 'minute' AND bucket >= $1 AND status <> 'pending'
GROUP BY types.event_type
ORDER BY types.event_type`
	counts, err := queryAll(ctx, s.reader, query, []any{Minute.Bucket(since)}, func(r row) (d Decided, err error) {
		err = r.Scan(&d.EventType, &d.Decided, &d.Dead)
		return d, err
	})
	return counts, wrap(err, "count decided events")
}

// BusyHours returns the hours since an instant in which events were received.
func (s *Store) BusyHours(ctx context.Context, since time.Time) ([]time.Time, error) {
	const query = `
SELECT bucket
FROM webhook_event_counts
WHERE granularity = 'hour' AND event_type = '' AND bucket >= $1 AND events > 0
ORDER BY bucket`
	hours, err := queryAll(ctx, s.reader, query, []any{since.UTC()}, func(r row) (at time.Time, err error) {
		err = r.Scan(&at)
		return at, err
	})
	return hours, wrap(err, "read busy hours")
}

// VersionSeen is an API version of Stripe and when an event of it was received.
type VersionSeen struct {
	Version string
	At      time.Time
}

// NewestVersions returns the API versions of the last events that were received
// since an instant, of limit events at most: a look, not a scan.
func (s *Store) NewestVersions(ctx context.Context, since time.Time, limit int) ([]VersionSeen, error) {
	const query = `
SELECT api_version, received_at
FROM stripe_webhook_events
WHERE received_at >= $1
ORDER BY received_at DESC
LIMIT $2`
	seen := map[string]bool{}
	var versions []VersionSeen
	_, err := queryAll(ctx, s.reader, query, []any{since.UTC(), limit}, func(r row) (struct{}, error) {
		var version sql.NullString // null of events of our own
		var at time.Time
		err := r.Scan(&version, &at)
		if version.String != "" && !seen[version.String] {
			seen[version.String] = true
			versions = append(versions, VersionSeen{version.String, at})
		}
		return struct{}{}, err
	})
	return versions, wrap(err, "read API versions")
}

// UnfinishedBatch is a batch job that is not finished.
type UnfinishedBatch struct {
	ID, Operation string
	Status        quotekit.BatchStatus
	// Revision changes with everything that happens to the job.
	Revision  int64
	CreatedAt time.Time
}

// BatchProgress lists the batch jobs that are not finished, the oldest first. Jobs
// that another program made, in the table of the user's document, are not ours.
func (s *Store) BatchProgress(ctx context.Context, limit int) ([]UnfinishedBatch, error) {
	const query = `
SELECT j.id, j.operation_type, j.status, j.revision, j.created_at
FROM batch_jobs AS j
WHERE j.status IN ('pending', 'processing') AND EXISTS (SELECT 1 FROM batch_job_inputs AS i WHERE i.job_id = j.id)
ORDER BY j.created_at, j.id
LIMIT $1`
	batches, err := queryAll(ctx, s.reader, query, []any{limit}, func(r row) (b UnfinishedBatch, err error) {
		err = r.Scan(&b.ID, &b.Operation, &b.Status, &b.Revision, &b.CreatedAt)
		return b, err
	})
	return batches, wrap(err, "list unfinished batch jobs")
}

// TaskReports returns the reports of the tasks of a kind that were created since an
// instant, the newest first.
func (s *Store) TaskReports(ctx context.Context, kind string, since time.Time, limit int) ([]json.RawMessage, error) {
	const query = `
SELECT report
FROM webhook_tasks
WHERE kind = $1 AND created_at >= $2 AND report IS NOT NULL
ORDER BY created_at DESC, id DESC
LIMIT $3`
	reports, err := queryAll(ctx, s.reader, query, []any{kind, since.UTC(), limit}, func(r row) (json.RawMessage, error) {
		text, err := scanText(r)
		return json.RawMessage(text), err
	})
	return reports, wrap(err, "read reports of tasks")
}

// DiskSpace is the size of the file system of the SQLite file, and what is free of it
// for us. ok is false on Postgres, whose disk is not ours to see.
func (s *Store) DiskSpace() (free, total uint64, ok bool, err error) {
	if s.Postgres() {
		return 0, 0, false, nil
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(s.lock.Name()), &fs); err != nil {
		return 0, 0, false, wrap(err, "look at the disk")
	}
	block := uint64(fs.Bsize) // of another type on other systems
	return fs.Bavail * block, fs.Blocks * block, true, nil
}
