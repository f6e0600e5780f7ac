-- +goose Up

ALTER TABLE batch_jobs ADD COLUMN skipped_items INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batch_jobs ADD COLUMN dry_run BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE batch_jobs ADD COLUMN parent_id TEXT;
ALTER TABLE batch_jobs ADD COLUMN idempotency_key TEXT;
ALTER TABLE batch_jobs ADD COLUMN request_hash TEXT;
ALTER TABLE batch_jobs ADD COLUMN started_at TIMESTAMP;
ALTER TABLE batch_jobs ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE batch_jobs ADD COLUMN fence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE batch_jobs ADD COLUMN lease_owner TEXT;
ALTER TABLE batch_jobs ADD COLUMN lease_until TIMESTAMP;
CREATE UNIQUE INDEX batch_jobs_idempotency_key ON batch_jobs (user_id, idempotency_key);
CREATE INDEX batch_jobs_unfinished_idx ON batch_jobs (lease_until) WHERE status IN ('pending', 'processing');
CREATE INDEX batch_jobs_completed_at_idx ON batch_jobs (completed_at);

-- The items as they were sent, an array.
CREATE TABLE batch_job_inputs (
  job_id TEXT NOT NULL PRIMARY KEY,
  items TEXT NOT NULL
);

CREATE TABLE batch_job_items (
  job_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  item_id TEXT,
  outcome TEXT NOT NULL,
  error_code TEXT,
  error_message TEXT,
  before_image TEXT,
  after_image TEXT,
  related TEXT,
  PRIMARY KEY (job_id, position)
) WITHOUT ROWID;
