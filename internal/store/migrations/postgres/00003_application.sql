-- +goose Up

-- This table too may be the application's.
CREATE TABLE IF NOT EXISTS batch_jobs (
  id UUID NOT NULL PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id UUID NOT NULL,
  operation_type TEXT NOT NULL,
  total_items INTEGER NOT NULL DEFAULT 0,
  processed_items INTEGER NOT NULL DEFAULT 0,
  failed_items INTEGER NOT NULL DEFAULT 0,
  progress_percent INTEGER NOT NULL DEFAULT 0,
  status TEXT NOT NULL DEFAULT 'pending',
  request_id TEXT NOT NULL,
  options JSONB DEFAULT '{}',
  error_details JSONB DEFAULT NULL,
  execution_time_ms INTEGER DEFAULT NULL,
  created_at TIMESTAMPTZ DEFAULT NOW(),
  completed_at TIMESTAMPTZ DEFAULT NULL
);
CREATE INDEX IF NOT EXISTS batch_jobs_user_id_idx ON batch_jobs (user_id, created_at);

CREATE TABLE IF NOT EXISTS clients (
  id UUID NOT NULL PRIMARY KEY,
  user_id UUID NOT NULL,
  name TEXT NOT NULL,
  email TEXT,
  phone TEXT,
  address TEXT,
  notes TEXT,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX IF NOT EXISTS clients_user_id_idx ON clients (user_id, created_at);

CREATE TABLE IF NOT EXISTS items (
  id UUID NOT NULL PRIMARY KEY,
  user_id UUID NOT NULL,
  name TEXT NOT NULL,
  unit TEXT,
  unit_price NUMERIC(10,2) NOT NULL,
  category TEXT,
  tags JSONB,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX IF NOT EXISTS items_user_id_idx ON items (user_id, created_at);

CREATE TABLE IF NOT EXISTS quotes (
  id UUID NOT NULL PRIMARY KEY,
  user_id UUID NOT NULL,
  client_id UUID REFERENCES clients (id) ON DELETE SET NULL,
  client_name TEXT,
  client_email TEXT,
  quote_number TEXT,
  status TEXT NOT NULL DEFAULT 'draft',
  line_items JSONB,
  subtotal NUMERIC(10,2),
  tax_rate NUMERIC(7,4),
  tax_amount NUMERIC(10,2),
  total NUMERIC(10,2) NOT NULL,
  notes TEXT,
  valid_until TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX IF NOT EXISTS quotes_user_id_idx ON quotes (user_id, created_at);
CREATE INDEX IF NOT EXISTS quotes_client_id_idx ON quotes (client_id);
