-- +goose Up

-- Who is logged in to the pages. A cookie has the id, the table only its hash.
CREATE TABLE dashboard_sessions (
  id_hash TEXT NOT NULL PRIMARY KEY,
  actor TEXT NOT NULL,
  user_id TEXT,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  fingerprint TEXT,
  created_at TIMESTAMP NOT NULL,
  last_seen_at TIMESTAMP NOT NULL,
  expires_at TIMESTAMP NOT NULL,
  revoked BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX dashboard_sessions_expires_at_idx ON dashboard_sessions (expires_at);
