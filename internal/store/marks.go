package store

import "context"

// Marks tells for each topic a text that is another one as soon as something of it
// has changed: events, dead-letters, alerts, batch-jobs, tasks and audit-trail. It
// reads a few rows, by indexes, so that it can be asked every second.
func (s *Store) Marks(ctx context.Context) (map[string]string, error) {
	// The audit trail is that of operators' acts: deliveries are events.
	const query = `
SELECT 'events' AS topic, status || ' ' || CAST(events AS TEXT) || ' ' || CAST(last_at AS TEXT) AS mark
FROM webhook_event_counts
WHERE granularity = 'ever' AND event_type = ''
UNION ALL
SELECT 'dead-letters', CAST(COUNT(*) AS TEXT)
FROM (
  SELECT 1
  FROM webhook_dead_letter_queue
  WHERE resolved IS NOT TRUE
  LIMIT 10000
) AS unresolved
UNION ALL
SELECT 'dead-letters', CAST(last_failed_at AS TEXT)
FROM (
  SELECT last_failed_at
  FROM webhook_dead_letter_queue
  WHERE resolved IS NOT TRUE AND last_failed_at IS NOT NULL
  ORDER BY last_failed_at DESC
  LIMIT 1
) AS newest
UNION ALL
SELECT 'alerts', state || ' ' || CAST(COUNT(*) AS TEXT) || ' ' || CAST(MAX(updated_at) AS TEXT)
FROM webhook_alerts
WHERE resolved_at IS NULL
GROUP BY state
UNION ALL
SELECT 'batch-jobs', CAST(COUNT(*) AS TEXT) || ' ' || CAST(COALESCE(SUM(revision), 0) AS TEXT)
FROM batch_jobs
WHERE status IN ('pending', 'processing')
UNION ALL
SELECT 'batch-jobs', CAST(completed_at AS TEXT)
FROM (
  SELECT completed_at
  FROM batch_jobs
  WHERE completed_at IS NOT NULL
  ORDER BY completed_at DESC
  LIMIT 1
) AS newest
UNION ALL
SELECT 'tasks', CAST(COUNT(*) AS TEXT) || ' ' || CAST(COALESCE(SUM(step), 0) AS TEXT)
FROM webhook_tasks
WHERE status IN ('pending', 'running')
UNION ALL
SELECT 'tasks', CAST(created_at AS TEXT)
FROM (
  SELECT created_at
  FROM webhook_tasks
  ORDER BY created_at DESC
  LIMIT 1
) AS newest
UNION ALL
SELECT 'audit-trail', CAST(sequence AS TEXT)
FROM webhook_audit_chain
ORDER BY topic, mark`
	rows, err := queryAll(ctx, s.reader, query, nil, func(r row) (m [2]string, err error) {
		err = r.Scan(&m[0], &m[1])
		return m, err
	})
	if err != nil {
		return nil, wrap(err, "look for changes")
	}
	marks := map[string]string{}
	for _, m := range rows {
		marks[m[0]] += m[1] + "\n"
	}
	return marks, nil
}
