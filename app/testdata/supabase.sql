-- A Supabase project with an application that has had quotes, clients, items and
-- subscriptions of its own before QuoteKit came.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;

CREATE SCHEMA auth;
GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;
CREATE TABLE auth.users (id UUID PRIMARY KEY, email TEXT UNIQUE, raw_app_meta_data JSONB DEFAULT '{}', created_at TIMESTAMPTZ DEFAULT now());
CREATE FUNCTION auth.uid() RETURNS UUID LANGUAGE sql STABLE AS $$
  SELECT COALESCE(
    nullif(current_setting('request.jwt.claim.sub', TRUE), ''),
    nullif(current_setting('request.jwt.claims', TRUE), '')::JSONB ->> 'sub'
  )::UUID
$$;
INSERT INTO auth.users (id, email, created_at) VALUES
  ('11111111-1111-4111-8111-111111111111', 'ada@example.com', '2025-01-01 10:00Z'),
  ('22222222-2222-4222-8222-222222222222', 'bob@example.com', '2025-01-02 10:00Z');

CREATE TABLE clients (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), user_id UUID NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  name TEXT NOT NULL, email TEXT, phone TEXT, address TEXT, notes TEXT, vip BOOLEAN DEFAULT FALSE,
  created_at TIMESTAMPTZ DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now()
);
INSERT INTO clients (id, user_id, name, vip, created_at, updated_at) VALUES
  ('c1111111-0000-4000-8000-000000000001', '11111111-1111-4111-8111-111111111111', 'Meier & Söhne', TRUE, '2025-02-01Z', '2025-02-01Z'),
  ('c2222222-0000-4000-8000-000000000001', '22222222-2222-4222-8222-222222222222', 'Bob''s', FALSE, '2025-02-01Z', '2025-02-01Z');

-- Their lines are in quote_data, and line_items is how many there are.
CREATE TYPE quote_status AS ENUM ('draft', 'sent', 'accepted', 'declined', 'expired', 'converted');
CREATE TABLE quotes (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), user_id UUID NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  customer_id UUID REFERENCES clients (id), client_name VARCHAR(200), quote_number TEXT, status quote_status NOT NULL DEFAULT 'draft',
  quote_data JSONB DEFAULT '[]', subtotal NUMERIC(12,2), tax_rate NUMERIC(5,2), total NUMERIC(12,2) NOT NULL,
  notes TEXT, expires_at DATE, is_template BOOLEAN DEFAULT FALSE,
  number BIGINT GENERATED ALWAYS AS IDENTITY, line_items INTEGER DEFAULT 1, ".line_items" TEXT, "It's odd" TEXT,
  created_at TIMESTAMPTZ DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now()
);
INSERT INTO quotes (id, user_id, customer_id, client_name, quote_number, status, quote_data, subtotal, tax_rate, total, expires_at, line_items, ".line_items", "It's odd", created_at, updated_at) VALUES
  ('a1111111-0000-4000-8000-000000000001', '11111111-1111-4111-8111-111111111111', 'c1111111-0000-4000-8000-000000000001', 'Meier & Söhne', 'Q-1', 'draft', '[{"name": "Mowing", "quantity": 2}]', 100, 7.75, 107.75, '2025-12-31', 7, 'dotted', 'a"b', '2025-03-01Z', '2025-03-01Z'),
  ('a1111111-0000-4000-8000-000000000002', '11111111-1111-4111-8111-111111111111', 'c1111111-0000-4000-8000-000000000001', 'Meier & Söhne', 'Q-2', 'sent', '[]', 10, NULL, 10, NULL, NULL, NULL, NULL, '2025-03-02Z', '2025-03-02Z'),
  ('a2222222-0000-4000-8000-000000000001', '22222222-2222-4222-8222-222222222222', 'c2222222-0000-4000-8000-000000000001', 'Bob''s', 'Q-1', 'draft', '[]', 5, NULL, 5, NULL, 1, NULL, NULL, '2025-03-01Z', '2025-03-01Z');

-- What it calls unit_price is a label, and the price is called cost.
CREATE TABLE line_items (
  id UUID PRIMARY KEY DEFAULT gen_random_uuid(), user_id UUID NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  name TEXT NOT NULL, unit TEXT, cost NUMERIC(10,2) NOT NULL, unit_price TEXT DEFAULT 'per hour', category TEXT, is_favorite BOOLEAN DEFAULT FALSE,
  created_at TIMESTAMPTZ DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now()
);
INSERT INTO line_items (id, user_id, name, unit, cost, category, is_favorite, created_at, updated_at) VALUES
  ('b1111111-0000-4000-8000-000000000001', '11111111-1111-4111-8111-111111111111', 'Mowing', 'h', 50.00, 'lawn', TRUE, '2025-03-01Z', '2025-03-01Z'),
  ('b1111111-0000-4000-8000-000000000002', '11111111-1111-4111-8111-111111111111', 'Edging', 'h', 19.99, 'lawn', FALSE, '2025-03-02Z', '2025-03-02Z'),
  ('b1111111-0000-4000-8000-000000000003', '11111111-1111-4111-8111-111111111111', 'Seeds', 'kg', 7.00, NULL, FALSE, '2025-03-03Z', '2025-03-03Z'),
  ('b2222222-0000-4000-8000-000000000001', '22222222-2222-4222-8222-222222222222', 'Mowing', 'h', 40.00, 'lawn', FALSE, '2025-03-01Z', '2025-03-01Z');

CREATE TABLE subscriptions (
  id TEXT PRIMARY KEY, user_id UUID NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  status TEXT NOT NULL, price_id TEXT, quantity INTEGER, cancel_at_period_end BOOLEAN, current_period_end TIMESTAMPTZ,
  created TIMESTAMPTZ NOT NULL DEFAULT now()
);
INSERT INTO subscriptions (id, user_id, status, price_id, quantity, cancel_at_period_end, current_period_end, created) VALUES
  ('sub_old', '22222222-2222-4222-8222-222222222222', 'active', 'price_basic', 1, FALSE, '2025-04-01Z', '2025-03-01Z');

ALTER TABLE clients ENABLE ROW LEVEL SECURITY;
ALTER TABLE quotes ENABLE ROW LEVEL SECURITY;
ALTER TABLE line_items ENABLE ROW LEVEL SECURITY;
ALTER TABLE subscriptions ENABLE ROW LEVEL SECURITY;
CREATE POLICY "Own clients" ON clients USING (auth.uid() = user_id);
CREATE POLICY "Own quotes" ON quotes USING (auth.uid() = user_id);
CREATE POLICY "Own items" ON line_items USING (auth.uid() = user_id);
CREATE POLICY "Own subscriptions" ON subscriptions FOR SELECT USING (auth.uid() = user_id);

CREATE FUNCTION touch() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON quotes FOR EACH ROW EXECUTE FUNCTION touch();
