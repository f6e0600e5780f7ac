-- +goose Up

-- When retention deleted the payload, which is null since.
ALTER TABLE stripe_webhook_events ADD COLUMN payload_deleted_at TIMESTAMP;

-- What became of a letter long ago is found by when it was resolved.
CREATE INDEX webhook_dead_letter_queue_resolved_at_idx
  ON webhook_dead_letter_queue (resolved_at) WHERE resolved_at IS NOT NULL;

-- One row: who deletes what is old, until when, and how far each deletion has come.
CREATE TABLE webhook_retention (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  lease_owner TEXT,
  lease_until TIMESTAMP,
  progress TEXT NOT NULL,
  updated_at TIMESTAMP
);
INSERT INTO webhook_retention (id, progress) VALUES (1, '{}');

-- The last line of the chain of the audit trail that retention has cut off: the first
-- one that is kept has its hash. A line of the chain itself says so, too.
ALTER TABLE webhook_audit_chain ADD COLUMN cut_sequence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhook_audit_chain ADD COLUMN cut_hash TEXT NOT NULL DEFAULT '';

-- The audit trail is append-only: nothing changes a row, only rows of more than 90 days
-- can be deleted, and of the chain only what is cut off.
DROP TRIGGER webhook_audit_trail_no_delete;
-- +goose StatementBegin
CREATE TRIGGER webhook_audit_trail_no_delete BEFORE DELETE ON webhook_audit_trail
WHEN OLD.at >= strftime('%Y-%m-%d %H:%M:%f', 'now', '-90 days')
  OR OLD.chain_sequence > COALESCE((SELECT cut_sequence FROM webhook_audit_chain WHERE id = 1), 0)
BEGIN
  SELECT RAISE(ABORT, 'webhook_audit_trail is append-only');
END;
-- +goose StatementEnd
