-- +goose Up

-- What an operator wants applied: 'stored' is the payload, NULL what the route does,
-- 'current' fetches the object from Stripe and applies that.
ALTER TABLE stripe_webhook_events ADD COLUMN replay_mode TEXT;

ALTER TABLE webhook_dead_letter_queue ADD COLUMN error_class TEXT;
ALTER TABLE webhook_dead_letter_queue ADD COLUMN error_message TEXT;
ALTER TABLE webhook_dead_letter_queue ADD COLUMN automatic_retries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhook_dead_letter_queue ADD COLUMN next_retry_at TIMESTAMP;
CREATE INDEX webhook_dead_letter_queue_next_retry_at_idx
  ON webhook_dead_letter_queue (next_retry_at) WHERE next_retry_at IS NOT NULL;

-- Long work in steps: bulk acts on dead letters, reconcile, backfill.
CREATE TABLE webhook_tasks (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('previewed', 'pending', 'running', 'completed', 'failed', 'cancelled')),
  arguments TEXT NOT NULL,
  "cursor" TEXT,
  report TEXT,
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
  due_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL,
  started_at TIMESTAMP,
  completed_at TIMESTAMP
);
CREATE INDEX webhook_tasks_due_at_idx ON webhook_tasks (due_at) WHERE status IN ('pending', 'running');
CREATE INDEX webhook_tasks_created_at_idx ON webhook_tasks (created_at);
CREATE UNIQUE INDEX webhook_tasks_token_hash_key ON webhook_tasks (token_hash);
-- Of these, one at a time.
CREATE UNIQUE INDEX webhook_tasks_one_at_a_time_key
  ON webhook_tasks (kind) WHERE kind IN ('reconcile', 'backfill') AND status IN ('pending', 'running');

-- The dead letters of a bulk act, in the order in which they are taken.
CREATE TABLE webhook_task_items (
  task_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  dead_letter_id TEXT NOT NULL,
  stripe_event_id TEXT NOT NULL,
  outcome TEXT,
  round INTEGER,
  note TEXT,
  PRIMARY KEY (task_id, position)
) WITHOUT ROWID;

-- The audit trail is append-only: nothing changes a row, and only rows that
-- retention may delete can be deleted.
-- +goose StatementBegin
CREATE TRIGGER webhook_audit_trail_no_update BEFORE UPDATE ON webhook_audit_trail
BEGIN
  SELECT RAISE(ABORT, 'webhook_audit_trail is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER webhook_audit_trail_no_delete BEFORE DELETE ON webhook_audit_trail
WHEN OLD.at >= strftime('%Y-%m-%d %H:%M:%f', 'now', '-90 days')
BEGIN
  SELECT RAISE(ABORT, 'webhook_audit_trail is append-only');
END;
-- +goose StatementEnd
-- INSERT OR REPLACE deletes without the triggers of a DELETE.
-- +goose StatementBegin
CREATE TRIGGER webhook_audit_trail_no_replace BEFORE INSERT ON webhook_audit_trail
WHEN EXISTS (SELECT 1 FROM webhook_audit_trail WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'webhook_audit_trail is append-only');
END;
-- +goose StatementEnd
