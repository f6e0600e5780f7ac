-- +goose Up

-- SQLite has no decimals: amounts of money are in cents, a tax rate is in
-- ten-thousandths of a percent.

CREATE TABLE batch_jobs (
  id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL,
  operation_type TEXT NOT NULL,
  total_items INTEGER NOT NULL DEFAULT 0,
  processed_items INTEGER NOT NULL DEFAULT 0,
  failed_items INTEGER NOT NULL DEFAULT 0,
  progress_percent INTEGER NOT NULL DEFAULT 0,
  status TEXT NOT NULL DEFAULT 'pending',
  request_id TEXT NOT NULL,
  options TEXT DEFAULT '{}',
  error_details TEXT DEFAULT NULL,
  execution_time_ms INTEGER DEFAULT NULL,
  created_at TIMESTAMP,
  completed_at TIMESTAMP DEFAULT NULL
);
CREATE INDEX batch_jobs_user_id_idx ON batch_jobs (user_id, created_at);

CREATE TABLE clients (
  id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL,
  name TEXT NOT NULL,
  email TEXT,
  phone TEXT,
  address TEXT,
  notes TEXT,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
CREATE INDEX clients_user_id_idx ON clients (user_id, created_at);

CREATE TABLE items (
  id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL,
  name TEXT NOT NULL,
  unit TEXT,
  unit_price INTEGER NOT NULL,
  category TEXT,
  tags TEXT,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
CREATE INDEX items_user_id_idx ON items (user_id, created_at);

CREATE TABLE quotes (
  id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL,
  client_id TEXT REFERENCES clients (id) ON DELETE SET NULL,
  client_name TEXT,
  client_email TEXT,
  quote_number TEXT,
  status TEXT NOT NULL DEFAULT 'draft',
  line_items TEXT,
  subtotal INTEGER,
  tax_rate INTEGER,
  tax_amount INTEGER,
  total INTEGER NOT NULL,
  notes TEXT,
  valid_until TIMESTAMP,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
CREATE INDEX quotes_user_id_idx ON quotes (user_id, created_at);
CREATE INDEX quotes_client_id_idx ON quotes (client_id);
