-- +goose Up

-- What an operator wants applied: 'stored' is the payload, NULL what the route does,
-- 'current' fetches the object from Stripe and applies that.
ALTER TABLE stripe_webhook_events ADD COLUMN IF NOT EXISTS replay_mode TEXT;

ALTER TABLE webhook_dead_letter_queue ADD COLUMN IF NOT EXISTS error_class TEXT;
ALTER TABLE webhook_dead_letter_queue ADD COLUMN IF NOT EXISTS error_message TEXT;
ALTER TABLE webhook_dead_letter_queue ADD COLUMN IF NOT EXISTS automatic_retries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhook_dead_letter_queue ADD COLUMN IF NOT EXISTS next_retry_at TIMESTAMPTZ;
CREATE INDEX IF NOT EXISTS webhook_dead_letter_queue_next_retry_at_idx
  ON webhook_dead_letter_queue (next_retry_at) WHERE next_retry_at IS NOT NULL;

-- Long work in steps: bulk acts on dead letters, reconcile, backfill.
CREATE TABLE IF NOT EXISTS webhook_tasks (
  id UUID NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('previewed', 'pending', 'running', 'completed', 'failed', 'cancelled')),
  arguments JSONB NOT NULL,
  "cursor" TEXT,
  report JSONB,
  total_items INTEGER,
  done_items INTEGER NOT NULL DEFAULT 0,
  step BIGINT NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  actor TEXT NOT NULL,
  actor_user_id TEXT,
  reason TEXT,
  request_id TEXT,
  token_hash TEXT,
  error_message TEXT,
  due_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  started_at TIMESTAMPTZ,
  completed_at TIMESTAMPTZ
);
CREATE INDEX IF NOT EXISTS webhook_tasks_due_at_idx ON webhook_tasks (due_at) WHERE status IN ('pending', 'running');
CREATE INDEX IF NOT EXISTS webhook_tasks_created_at_idx ON webhook_tasks (created_at);
CREATE UNIQUE INDEX IF NOT EXISTS webhook_tasks_token_hash_key ON webhook_tasks (token_hash);
-- Of these, one at a time.
CREATE UNIQUE INDEX IF NOT EXISTS webhook_tasks_one_at_a_time_key
  ON webhook_tasks (kind) WHERE kind IN ('reconcile', 'backfill') AND status IN ('pending', 'running');

-- The dead letters of a bulk act, in the order in which they are taken.
CREATE TABLE IF NOT EXISTS webhook_task_items (
  task_id UUID NOT NULL,
  position INTEGER NOT NULL,
  dead_letter_id UUID NOT NULL,
  stripe_event_id TEXT NOT NULL,
  outcome TEXT,
  round INTEGER,
  note TEXT,
  PRIMARY KEY (task_id, position)
);

-- The audit trail is append-only: nothing changes a row, and only rows that
-- retention may delete can be deleted.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION webhook_audit_trail_is_append_only() RETURNS trigger
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
BEGIN
  IF TG_OP = 'DELETE' AND OLD.at < NOW() - INTERVAL '90 days' THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'webhook_audit_trail is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
DROP TRIGGER IF EXISTS webhook_audit_trail_append_only ON webhook_audit_trail;
CREATE TRIGGER webhook_audit_trail_append_only
  BEFORE UPDATE OR DELETE ON webhook_audit_trail
  FOR EACH ROW EXECUTE FUNCTION webhook_audit_trail_is_append_only();
DROP TRIGGER IF EXISTS webhook_audit_trail_no_truncate ON webhook_audit_trail;
CREATE TRIGGER webhook_audit_trail_no_truncate
  BEFORE TRUNCATE ON webhook_audit_trail
  FOR EACH STATEMENT EXECUTE FUNCTION webhook_audit_trail_is_append_only();
