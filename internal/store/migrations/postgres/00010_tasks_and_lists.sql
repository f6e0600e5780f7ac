-- +goose Up

-- An operator holds a task up: no step of it is made until it is resumed.
ALTER TABLE webhook_tasks ADD COLUMN IF NOT EXISTS paused BOOLEAN NOT NULL DEFAULT FALSE;

-- Dead events are few among many, and are listed by the time they were received.
CREATE INDEX IF NOT EXISTS stripe_webhook_events_dead_idx
  ON stripe_webhook_events (received_at, stripe_event_id) WHERE status = 'dead';
