-- +goose Up

ALTER TABLE batch_jobs ADD COLUMN IF NOT EXISTS skipped_items INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batch_jobs ADD COLUMN IF NOT EXISTS dry_run BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE batch_jobs ADD COLUMN IF NOT EXISTS parent_id UUID;
ALTER TABLE batch_jobs ADD COLUMN IF NOT EXISTS idempotency_key TEXT;
ALTER TABLE batch_jobs ADD COLUMN IF NOT EXISTS request_hash TEXT;
ALTER TABLE batch_jobs ADD COLUMN IF NOT EXISTS started_at TIMESTAMPTZ;
ALTER TABLE batch_jobs ADD COLUMN IF NOT EXISTS revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE batch_jobs ADD COLUMN IF NOT EXISTS fence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE batch_jobs ADD COLUMN IF NOT EXISTS lease_owner TEXT;
ALTER TABLE batch_jobs ADD COLUMN IF NOT EXISTS lease_until TIMESTAMPTZ;
CREATE UNIQUE INDEX IF NOT EXISTS batch_jobs_idempotency_key ON batch_jobs (user_id, idempotency_key);
CREATE INDEX IF NOT EXISTS batch_jobs_unfinished_idx ON batch_jobs (lease_until) WHERE status IN ('pending', 'processing');
CREATE INDEX IF NOT EXISTS batch_jobs_completed_at_idx ON batch_jobs (completed_at);

-- The items as they were sent, an array. Text, since nobody searches in it.
CREATE TABLE IF NOT EXISTS batch_job_inputs (
  job_id UUID NOT NULL PRIMARY KEY,
  items TEXT NOT NULL
);

-- Without a foreign key to batch_jobs: a check for each of a thousand rows
-- would cost more than the row. before_image and after_image are kept as they
-- were read, and nobody searches in them, so they are not JSONB.
CREATE TABLE IF NOT EXISTS batch_job_items (
  job_id UUID NOT NULL,
  position INTEGER NOT NULL,
  item_id UUID,
  outcome TEXT NOT NULL,
  error_code TEXT,
  error_message TEXT,
  before_image JSON,
  after_image JSON,
  related JSON,
  PRIMARY KEY (job_id, position)
);

-- The functions of the user's document. An older version of one may be there,
-- with other columns, which CREATE OR REPLACE refuses.
DROP FUNCTION IF EXISTS get_batch_job_status(UUID);
DROP FUNCTION IF EXISTS cleanup_old_batch_jobs(INTEGER);

-- +goose StatementBegin
CREATE FUNCTION get_batch_job_status(p_job_id UUID)
RETURNS TABLE (
  id UUID,
  operation_type TEXT,
  status TEXT,
  total_items INTEGER,
  processed_items INTEGER,
  failed_items INTEGER,
  skipped_items INTEGER,
  progress_percent INTEGER,
  error_summary JSONB,
  execution_time_ms INTEGER,
  created_at TIMESTAMPTZ,
  completed_at TIMESTAMPTZ
)
LANGUAGE sql STABLE
SET search_path FROM CURRENT
AS $$
  SELECT j.id, j.operation_type, j.status, j.total_items, j.processed_items, j.failed_items, j.skipped_items,
    j.progress_percent,
    CASE WHEN j.failed_items = 0 THEN NULL ELSE COALESCE((
      SELECT jsonb_object_agg(e.error_code, e.items)
      FROM (
        SELECT i.error_code, COUNT(*) AS items
        FROM batch_job_items AS i
        WHERE i.job_id = j.id AND i.outcome = 'failed'
        GROUP BY i.error_code
      ) AS e
    ), j.error_details) END,
    j.execution_time_ms, j.created_at, j.completed_at
  FROM batch_jobs AS j
  WHERE j.id = p_job_id
$$;
-- +goose StatementEnd

-- Deletes jobs that ended more than p_days_old days ago, and returns how many.
-- +goose StatementBegin
CREATE FUNCTION cleanup_old_batch_jobs(p_days_old INTEGER DEFAULT 30)
RETURNS INTEGER
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
DECLARE
  old UUID[];
BEGIN
  IF p_days_old IS NULL OR p_days_old < 0 THEN
    RAISE EXCEPTION 'p_days_old is %, want 0 or more', p_days_old USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT array_agg(j.id) INTO old
  FROM batch_jobs AS j
  WHERE j.status IN ('completed', 'failed', 'cancelled')
    AND COALESCE(j.completed_at, j.created_at) < now() - make_interval(days => p_days_old)
    AND NOT EXISTS (
      SELECT 1 FROM batch_jobs AS c WHERE c.parent_id = j.id AND c.status IN ('pending', 'processing')
    );
  DELETE FROM batch_job_items WHERE job_id = ANY(old);
  DELETE FROM batch_job_inputs WHERE job_id = ANY(old);
  DELETE FROM batch_jobs AS j WHERE j.id = ANY(old);
  RETURN COALESCE(array_length(old, 1), 0);
END
$$;
-- +goose StatementEnd
