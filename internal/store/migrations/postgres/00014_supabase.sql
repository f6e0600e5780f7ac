-- +goose Up

-- The tables that were in the schema before ours: nobody's rights to them are changed, even
-- if we work on them (rights.sql). They are older than the table of versions, which is
-- older than all that migrations make. Where a table that no application has is older, too,
-- the database was restored, and ages say nothing: then all count as ours, and are guarded.
CREATE TABLE IF NOT EXISTS quotekit_application_tables (
  name TEXT NOT NULL PRIMARY KEY
);
INSERT INTO quotekit_application_tables (name)
SELECT c.relname
FROM pg_class AS c
JOIN pg_class AS v ON v.relnamespace = c.relnamespace AND v.relname = 'quotekit_schema_version'
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND c.oid < v.oid
  AND NOT EXISTS (
    SELECT 1 FROM pg_class AS s
    WHERE s.relnamespace = c.relnamespace AND s.relname = 'dashboard_sessions' AND s.oid < v.oid)
ON CONFLICT (name) DO NOTHING;

-- The user on whose behalf PostgREST asks: the sub of the JWT. Null without one.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION quotekit_user_id() RETURNS UUID
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN j.sub ~ '^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$' THEN j.sub::UUID END
  FROM (SELECT nullif(current_setting('request.jwt.claims', TRUE), '')::JSONB ->> 'sub' AS sub) AS j
$$;
-- +goose StatementEnd

-- Whether that user is an admin, by what only the service role can write.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION quotekit_is_admin() RETURNS BOOLEAN
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT COALESCE(nullif(current_setting('request.jwt.claims', TRUE), '')::JSONB #>> '{app_metadata,role}' = 'admin', FALSE)
$$;
-- +goose StatementEnd

-- The state of a job. Whom row level security binds sees their own jobs only, though
-- the function reads with the rights of its owner.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION get_batch_job_status(p_job_id UUID)
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
  WHERE j.id = p_job_id AND (j.user_id = quotekit_user_id() OR EXISTS (
    -- The role of the caller, which current_user is not within this function.
    SELECT 1
    FROM pg_roles AS r
    JOIN pg_class AS c ON c.oid = j.tableoid
    WHERE r.rolname = CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END
      AND (r.rolsuper OR r.rolbypassrls OR r.rolname = 'service_role' OR pg_has_role(r.oid, c.relowner, 'USAGE'))
  ))
$$;
-- +goose StatementEnd

-- The functions of the user's document run with the rights of their owner, whatever
-- path the caller looks names up in; temporary tables come last in theirs. Who may call
-- them is said in rights.sql. What replaces one of them later has to say this again.
-- +goose StatementBegin
DO $$
DECLARE
  f RECORD;
BEGIN
  FOR f IN
    SELECT p.oid::REGPROCEDURE AS name,
      p.proname NOT IN ('webhook_dead_letter_id', 'webhook_audit_trail_is_append_only') AS called
    FROM pg_proc AS p
    JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = current_schema() AND p.proname IN ('get_batch_job_status', 'cleanup_old_batch_jobs',
      'record_webhook_stage', 'send_to_dead_letter_queue', 'get_webhook_performance_summary',
      'webhook_dead_letter_id', 'webhook_audit_trail_is_append_only')
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, %I, pg_temp', f.name, current_schema());
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f.name);
    IF f.called THEN
      EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER', f.name);
    END IF;
  END LOOP;
END
$$;
-- +goose StatementEnd
