-- +goose Up

-- When retention deleted the payload, which is null since.
ALTER TABLE stripe_webhook_events ADD COLUMN IF NOT EXISTS payload_deleted_at TIMESTAMPTZ;

-- What became of a letter long ago is found by when it was resolved.
CREATE INDEX IF NOT EXISTS webhook_dead_letter_queue_resolved_at_idx
  ON webhook_dead_letter_queue (resolved_at) WHERE resolved_at IS NOT NULL;

-- One row: who deletes what is old, until when, and how far each deletion has come.
CREATE TABLE IF NOT EXISTS webhook_retention (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  lease_owner TEXT,
  lease_until TIMESTAMPTZ,
  progress JSONB NOT NULL,
  updated_at TIMESTAMPTZ
);
INSERT INTO webhook_retention (id, progress) VALUES (1, '{}') ON CONFLICT (id) DO NOTHING;

-- The last line of the chain of the audit trail that retention has cut off: the first
-- one that is kept has its hash. A line of the chain itself says so, too.
ALTER TABLE webhook_audit_chain ADD COLUMN IF NOT EXISTS cut_sequence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhook_audit_chain ADD COLUMN IF NOT EXISTS cut_hash TEXT NOT NULL DEFAULT '';

-- The audit trail is append-only: nothing changes a row, only rows of more than 90 days
-- can be deleted, and of the chain only what is cut off.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION webhook_audit_trail_is_append_only() RETURNS trigger
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
BEGIN
  IF TG_OP = 'DELETE' AND OLD.at < NOW() - INTERVAL '90 days' AND (OLD.chain_sequence IS NULL
      OR OLD.chain_sequence <= (SELECT c.cut_sequence FROM webhook_audit_chain AS c WHERE c.id = 1)) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'webhook_audit_trail is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
