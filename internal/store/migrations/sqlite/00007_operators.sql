-- +goose Up

-- What operators did is chained: each of these lines has the hash of the one before,
-- and its own over all that it says. Other lines have none.
ALTER TABLE webhook_audit_trail ADD COLUMN chain_sequence BIGINT;
ALTER TABLE webhook_audit_trail ADD COLUMN chain_previous TEXT;
ALTER TABLE webhook_audit_trail ADD COLUMN chain_hash TEXT;
CREATE UNIQUE INDEX webhook_audit_trail_chain_key
  ON webhook_audit_trail (chain_sequence) WHERE chain_sequence IS NOT NULL;

-- The end of the chain, one row: whoever appends to it locks it.
CREATE TABLE webhook_audit_chain (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  sequence BIGINT NOT NULL,
  hash TEXT NOT NULL,
  began_at TIMESTAMP,
  updated_at TIMESTAMP
);
INSERT INTO webhook_audit_chain (id, sequence, hash) VALUES (1, 0, '');

-- The audit trail is listed by its ids, which ascend in time. Nearly all of its lines
-- are deliveries; what is looked for by other columns is not.
CREATE INDEX webhook_audit_trail_acts_idx
  ON webhook_audit_trail (id) WHERE action <> 'event.delivered';
CREATE INDEX webhook_audit_trail_actor_idx
  ON webhook_audit_trail (actor, id) WHERE action <> 'event.delivered';
CREATE INDEX webhook_audit_trail_action_idx
  ON webhook_audit_trail (action, id) WHERE action <> 'event.delivered';
CREATE INDEX webhook_audit_trail_target_idx
  ON webhook_audit_trail (target, id) WHERE action <> 'event.delivered';
CREATE INDEX webhook_audit_trail_request_id_idx
  ON webhook_audit_trail (request_id) WHERE action <> 'event.delivered';

-- What people have decided about dead letters that died of the same, and when the
-- last of them was resolved. What else there is to tell is told by the letters.
CREATE TABLE webhook_error_groups (
  id TEXT NOT NULL PRIMARY KEY,
  group_key TEXT NOT NULL,
  event_type TEXT NOT NULL,
  failure_reason TEXT NOT NULL,
  error_class TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'ignored')),
  owner TEXT,
  note TEXT,
  first_failed_at TIMESTAMP NOT NULL,
  last_failed_at TIMESTAMP NOT NULL,
  resolved_at TIMESTAMP,
  updated_at TIMESTAMP,
  updated_by TEXT
);
CREATE UNIQUE INDEX webhook_error_groups_group_key_key ON webhook_error_groups (group_key);
CREATE INDEX webhook_error_groups_resolved_at_idx
  ON webhook_error_groups (resolved_at) WHERE resolved_at IS NOT NULL;

-- Letters of a group, and of what is filtered by. The texts are cut off, since the
-- table may be the application's, and an index takes no long ones.
CREATE INDEX webhook_dead_letter_queue_group_idx
  ON webhook_dead_letter_queue (
    (substr(event_type, 1, 150) || '|' || substr(failure_reason, 1, 150) || '|' || substr(COALESCE(error_class, ''), 1, 150)),
    last_failed_at, id
  ) WHERE resolved IS NOT TRUE;
CREATE INDEX webhook_dead_letter_queue_event_type_idx
  ON webhook_dead_letter_queue (substr(event_type, 1, 150), last_failed_at, id) WHERE resolved IS NOT TRUE;
CREATE INDEX webhook_dead_letter_queue_failure_reason_idx
  ON webhook_dead_letter_queue (substr(failure_reason, 1, 150), last_failed_at, id) WHERE resolved IS NOT TRUE;
CREATE INDEX webhook_dead_letter_queue_error_class_idx
  ON webhook_dead_letter_queue (substr(error_class, 1, 150), last_failed_at, id) WHERE resolved IS NOT TRUE;

-- Bulk operations of all users.
CREATE INDEX batch_jobs_created_at_idx ON batch_jobs (created_at, id);
CREATE INDEX batch_jobs_status_idx ON batch_jobs (status, created_at, id);
CREATE INDEX batch_jobs_operation_type_idx ON batch_jobs (operation_type, created_at, id);
CREATE INDEX batch_jobs_running_idx ON batch_jobs (created_at, id) WHERE status IN ('pending', 'processing');

-- What is searched for. An address is not kept anywhere else for it.
CREATE INDEX stripe_customers_email_idx
  ON stripe_customers (substr(lower(email), 1, 150)) WHERE email IS NOT NULL;
CREATE INDEX stripe_invoices_payment_intent_idx
  ON stripe_invoices (stripe_payment_intent_id) WHERE stripe_payment_intent_id IS NOT NULL;
CREATE INDEX stripe_invoices_charge_idx
  ON stripe_invoices (stripe_charge_id) WHERE stripe_charge_id IS NOT NULL;
