-- +goose Up

-- Every event that was ever received, by Stripe's id. It is the hottest table
-- of all: think twice before adding an index.
CREATE TABLE stripe_webhook_events (
  stripe_event_id TEXT NOT NULL PRIMARY KEY,
  event_type TEXT NOT NULL,
  account TEXT NOT NULL DEFAULT '',
  api_version TEXT,
  livemode BOOLEAN NOT NULL DEFAULT FALSE,
  object_id TEXT,
  event_created TIMESTAMP,
  status TEXT NOT NULL CHECK (status IN ('pending', 'succeeded', 'ignored', 'dead')),
  attempts INTEGER NOT NULL DEFAULT 0,
  deliveries INTEGER NOT NULL DEFAULT 0,
  payload BLOB,
  received_at TIMESTAMP NOT NULL,
  processed_at TIMESTAMP,
  error_message TEXT,
  failure_reason TEXT,
  failure_reasons TEXT,
  round INTEGER NOT NULL DEFAULT 0,
  next_attempt_at TIMESTAMP,
  settle_id TEXT
);
CREATE INDEX stripe_webhook_events_received_at_idx
  ON stripe_webhook_events (received_at);
CREATE INDEX stripe_webhook_events_next_attempt_at_idx
  ON stripe_webhook_events (next_attempt_at) WHERE status = 'pending';
CREATE INDEX stripe_webhook_events_object_idx
  ON stripe_webhook_events (object_id, event_created);

-- One row per delivery and per action of an operator. Ids are UUIDv7, so their
-- order is that of time, and a range of time is a range of ids.
CREATE TABLE webhook_audit_trail (
  id TEXT NOT NULL PRIMARY KEY,
  at TIMESTAMP NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  stripe_event_id TEXT,
  target TEXT,
  reason TEXT,
  "before" TEXT,
  "after" TEXT,
  request_id TEXT
) WITHOUT ROWID;
CREATE INDEX webhook_audit_trail_stripe_event_id_idx ON webhook_audit_trail (stripe_event_id);

-- Only this program writes here, so that ids are UUIDv7 and stand for the time.
CREATE TABLE webhook_processing_logs (
  id TEXT NOT NULL PRIMARY KEY,
  stripe_event_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  processing_stage TEXT NOT NULL,
  status TEXT NOT NULL,
  handler_name TEXT,
  execution_time_ms INTEGER,
  database_queries INTEGER DEFAULT 0,
  api_calls_made INTEGER DEFAULT 0,
  error_message TEXT DEFAULT NULL,
  retry_attempt INTEGER DEFAULT 0,
  metadata TEXT DEFAULT '{}',
  created_at TIMESTAMP
) WITHOUT ROWID;
CREATE INDEX webhook_processing_logs_stripe_event_id_idx ON webhook_processing_logs (stripe_event_id);

CREATE TABLE webhook_dead_letter_queue (
  id TEXT NOT NULL PRIMARY KEY,
  stripe_event_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  event_data TEXT NOT NULL,
  failure_reason TEXT NOT NULL,
  failure_count INTEGER NOT NULL DEFAULT 1,
  first_failed_at TIMESTAMP,
  last_failed_at TIMESTAMP,
  requires_manual_review BOOLEAN DEFAULT FALSE,
  resolved BOOLEAN DEFAULT FALSE,
  resolved_at TIMESTAMP DEFAULT NULL,
  resolved_by TEXT,
  resolution_notes TEXT DEFAULT NULL
);
CREATE INDEX webhook_dead_letter_queue_stripe_event_id_idx ON webhook_dead_letter_queue (stripe_event_id);
CREATE INDEX webhook_dead_letter_queue_last_failed_at_idx ON webhook_dead_letter_queue (last_failed_at);

CREATE TABLE webhook_performance_benchmarks (
  event_type TEXT NOT NULL PRIMARY KEY,
  baseline_time_ms INTEGER,
  target_time_ms INTEGER,
  id TEXT,
  current_avg_time_ms REAL,
  improvement_percent REAL,
  sample_count INTEGER,
  updated_at TIMESTAMP
);
INSERT INTO webhook_performance_benchmarks (event_type, baseline_time_ms, target_time_ms)
SELECT seed.event_type, seed.baseline_time_ms, seed.target_time_ms
FROM (
  SELECT 'customer.subscription.created' AS event_type, 500 AS baseline_time_ms, 200 AS target_time_ms
  UNION ALL SELECT 'customer.subscription.updated', 500, 200
  UNION ALL SELECT 'checkout.session.completed', 600, 250
  UNION ALL SELECT 'invoice.payment_succeeded', 300, 120
) AS seed
WHERE NOT EXISTS (
  SELECT 1 FROM webhook_performance_benchmarks AS b WHERE b.event_type = seed.event_type
);
