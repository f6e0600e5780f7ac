-- +goose Up

-- One row per alert: a rule and what it is about. There is one at a time that is
-- not resolved.
CREATE TABLE webhook_alerts (
  id TEXT NOT NULL PRIMARY KEY,
  rule TEXT NOT NULL,
  subject TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'firing', 'acknowledged', 'resolved')),
  severity TEXT NOT NULL CHECK (severity IN ('warning', 'critical')),
  summary TEXT NOT NULL,
  value REAL NOT NULL,
  threshold REAL NOT NULL,
  unit TEXT NOT NULL,
  since TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  pending_since TIMESTAMP,
  clear_since TIMESTAMP,
  resolved_at TIMESTAMP,
  silenced_until TIMESTAMP,
  acknowledged_by TEXT,
  note TEXT,
  flapping BOOLEAN NOT NULL DEFAULT FALSE,
  notified_state TEXT,
  notified_severity TEXT,
  last_notified_at TIMESTAMP
);
CREATE UNIQUE INDEX webhook_alerts_unresolved_key
  ON webhook_alerts (rule, subject) WHERE resolved_at IS NULL;
CREATE INDEX webhook_alerts_resolved_at_idx ON webhook_alerts (resolved_at);

-- What was told, of which alert and through which channel. Rows with the same
-- message_id are one message.
CREATE TABLE webhook_alert_deliveries (
  id TEXT NOT NULL PRIMARY KEY,
  message_id TEXT NOT NULL,
  alert_id TEXT,
  rule TEXT NOT NULL,
  subject TEXT NOT NULL,
  event TEXT NOT NULL CHECK (event IN ('firing', 'worse', 'reminder', 'resolved', 'test')),
  channel TEXT NOT NULL CHECK (channel IN ('webhook', 'slack', 'email', 'alertmanager')),
  status TEXT NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
  attempts INTEGER NOT NULL DEFAULT 0,
  error_message TEXT,
  alert TEXT NOT NULL,
  due_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL,
  done_at TIMESTAMP
);
CREATE INDEX webhook_alert_deliveries_message_id_idx ON webhook_alert_deliveries (message_id);
CREATE INDEX webhook_alert_deliveries_created_at_idx ON webhook_alert_deliveries (created_at);
CREATE INDEX webhook_alert_deliveries_due_at_idx
  ON webhook_alert_deliveries (due_at) WHERE status = 'pending';

-- One row: the last evaluation. Whoever evaluates changes it first.
CREATE TABLE webhook_alert_evaluations (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  revision BIGINT NOT NULL,
  evaluated_at TIMESTAMP,
  memory TEXT
);
INSERT INTO webhook_alert_evaluations (id, revision) VALUES (1, 0);
