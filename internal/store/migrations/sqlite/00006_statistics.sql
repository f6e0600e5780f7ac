-- +goose Up

-- What the event was before the statement that changed it last, so that this
-- statement can return it: it is what counts are changed by.
ALTER TABLE stripe_webhook_events ADD COLUMN previous_status TEXT;

CREATE INDEX stripe_webhook_events_pending_idx
  ON stripe_webhook_events (received_at) WHERE status = 'pending';
CREATE INDEX webhook_dead_letter_queue_open_idx
  ON webhook_dead_letter_queue (last_failed_at, id) WHERE resolved IS NOT TRUE;

-- What transactions have changed in how events stand, until it is folded into the
-- counts. A row a transaction: two of them never meet here.
CREATE TABLE webhook_count_deltas (
  id TEXT NOT NULL PRIMARY KEY,
  at TIMESTAMP NOT NULL,
  counts TEXT NOT NULL
) WITHOUT ROWID;

-- Events by the time they were received and by their present state. An empty
-- event_type is all types together; 'ever' is one bucket for all time.
CREATE TABLE webhook_event_counts (
  granularity TEXT NOT NULL CHECK (granularity IN ('minute', 'hour', 'day', 'ever')),
  event_type TEXT NOT NULL,
  bucket TIMESTAMP NOT NULL,
  status TEXT NOT NULL,
  events BIGINT NOT NULL,
  last_at TIMESTAMP NOT NULL,
  PRIMARY KEY (granularity, event_type, bucket, status)
) WITHOUT ROWID;

INSERT INTO webhook_event_counts (granularity, event_type, bucket, status, events, last_at)
WITH minutes AS (
  SELECT substr(event_type, 1, 255) AS event_type, substr(received_at, 1, 16) || ':00+00:00' AS bucket, status,
    COUNT(*) AS events, MAX(received_at) AS last_at
  FROM stripe_webhook_events
  GROUP BY 1, 2, 3
), types AS (
  SELECT event_type, bucket, status, events, last_at FROM minutes
  UNION ALL
  SELECT '', bucket, status, events, last_at FROM minutes
), buckets AS (
  SELECT 'minute' AS granularity, event_type, bucket, status, events, last_at FROM types
  UNION ALL
  SELECT 'hour', event_type, substr(bucket, 1, 13) || ':00:00+00:00', status, events, last_at FROM types
  UNION ALL
  SELECT 'day', event_type, substr(bucket, 1, 10) || ' 00:00:00+00:00', status, events, last_at FROM types
  UNION ALL
  SELECT 'ever', event_type, '1970-01-01 00:00:00+00:00', status, events, last_at FROM types
)
SELECT granularity, event_type, bucket, status, SUM(events), MAX(last_at)
FROM buckets
GROUP BY granularity, event_type, bucket, status;

-- How long events took, by the time they were completed. Each run of a process
-- has rows of its own (writer); whoever reads adds them up.
CREATE TABLE webhook_latencies (
  granularity TEXT NOT NULL CHECK (granularity IN ('minute', 'hour', 'day')),
  event_type TEXT NOT NULL,
  bucket TIMESTAMP NOT NULL,
  writer TEXT NOT NULL,
  samples BIGINT NOT NULL,
  sum_us BIGINT NOT NULL,
  max_us BIGINT NOT NULL,
  total_histogram TEXT NOT NULL,
  handle_histogram TEXT NOT NULL,
  wait_histogram TEXT NOT NULL,
  commit_histogram TEXT NOT NULL,
  slowest TEXT NOT NULL,
  PRIMARY KEY (granularity, event_type, bucket, writer)
) WITHOUT ROWID;

-- Requests to the webhook that were refused, by minute and code.
CREATE TABLE webhook_refusals (
  bucket TIMESTAMP NOT NULL,
  code TEXT NOT NULL,
  writer TEXT NOT NULL,
  requests BIGINT NOT NULL,
  PRIMARY KEY (bucket, code, writer)
) WITHOUT ROWID;

-- Who wrote a row, if it was not the service.
ALTER TABLE webhook_processing_logs ADD COLUMN source TEXT;
