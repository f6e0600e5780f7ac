-- +goose Up

-- The mirror of Stripe. A table's columns are those of the row of the same
-- name in mirror.go, then the computed ones, then the times of the row itself.
-- References between tables are Stripe ids without foreign keys, since nothing
-- waits for what it refers to. The indexes on customers have all three columns of
-- a look-up: with fewer of them SQLite takes the primary key, whose first two are
-- the same in every row.

CREATE TABLE IF NOT EXISTS stripe_customers (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_customer_id TEXT NOT NULL,
  email TEXT,
  name TEXT,
  phone TEXT,
  currency TEXT,
  balance BIGINT,
  delinquent BOOLEAN,
  default_payment_method_id TEXT,
  default_source_id TEXT,
  metadata JSONB,
  stripe_created_at TIMESTAMPTZ,
  user_id UUID,
  deleted BOOLEAN NOT NULL DEFAULT FALSE,
  snapshot_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (account, livemode, stripe_customer_id)
);
CREATE INDEX IF NOT EXISTS stripe_customers_user_id_idx ON stripe_customers (user_id);

CREATE TABLE IF NOT EXISTS stripe_products (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_product_id TEXT NOT NULL,
  active BOOLEAN,
  name TEXT,
  description TEXT,
  image TEXT,
  default_price_id TEXT,
  unit_label TEXT,
  metadata JSONB,
  stripe_updated_at TIMESTAMPTZ,
  stripe_created_at TIMESTAMPTZ,
  deleted BOOLEAN NOT NULL DEFAULT FALSE,
  snapshot_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (account, livemode, stripe_product_id)
);

CREATE TABLE IF NOT EXISTS stripe_prices (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_price_id TEXT NOT NULL,
  stripe_product_id TEXT,
  active BOOLEAN,
  currency TEXT,
  "type" TEXT,
  unit_amount BIGINT,
  unit_amount_decimal TEXT,
  billing_scheme TEXT,
  tiers_mode TEXT,
  "interval" TEXT,
  interval_count BIGINT,
  usage_type TEXT,
  trial_period_days BIGINT,
  aggregate_usage TEXT,
  meter TEXT,
  lookup_key TEXT,
  nickname TEXT,
  metadata JSONB,
  stripe_created_at TIMESTAMPTZ,
  deleted BOOLEAN NOT NULL DEFAULT FALSE,
  snapshot_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (account, livemode, stripe_price_id)
);

CREATE TABLE IF NOT EXISTS subscriptions (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_subscription_id TEXT NOT NULL,
  stripe_customer_id TEXT,
  status TEXT,
  stripe_price_id TEXT,
  quantity BIGINT,
  currency TEXT,
  collection_method TEXT,
  current_period_start TIMESTAMPTZ,
  current_period_end TIMESTAMPTZ,
  cancel_at TIMESTAMPTZ,
  cancel_at_period_end BOOLEAN,
  canceled_at TIMESTAMPTZ,
  ended_at TIMESTAMPTZ,
  cancellation_details JSONB,
  trial_start TIMESTAMPTZ,
  trial_end TIMESTAMPTZ,
  pause_collection JSONB,
  default_payment_method_id TEXT,
  default_source_id TEXT,
  latest_invoice_id TEXT,
  discounts JSONB,
  metadata JSONB,
  start_date TIMESTAMPTZ,
  stripe_created_at TIMESTAMPTZ,
  user_id UUID,
  snapshot_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (account, livemode, stripe_subscription_id)
);
CREATE INDEX IF NOT EXISTS subscriptions_stripe_customer_id_idx
  ON subscriptions (stripe_customer_id, account, livemode);
CREATE INDEX IF NOT EXISTS subscriptions_user_id_idx ON subscriptions (user_id);

CREATE TABLE IF NOT EXISTS subscription_items (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_subscription_item_id TEXT NOT NULL,
  stripe_price_id TEXT,
  stripe_product_id TEXT,
  quantity BIGINT,
  current_period_start TIMESTAMPTZ,
  current_period_end TIMESTAMPTZ,
  metadata JSONB,
  stripe_created_at TIMESTAMPTZ,
  stripe_subscription_id TEXT,
  deleted BOOLEAN NOT NULL DEFAULT FALSE,
  snapshot_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (account, livemode, stripe_subscription_item_id)
);
CREATE INDEX IF NOT EXISTS subscription_items_stripe_subscription_id_idx ON subscription_items (stripe_subscription_id);

CREATE TABLE IF NOT EXISTS stripe_invoices (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_invoice_id TEXT NOT NULL,
  stripe_customer_id TEXT,
  stripe_subscription_id TEXT,
  parent_type TEXT,
  status TEXT,
  number TEXT,
  currency TEXT,
  amount_due BIGINT,
  amount_paid BIGINT,
  amount_remaining BIGINT,
  subtotal BIGINT,
  total BIGINT,
  tax BIGINT,
  paid BOOLEAN,
  billing_reason TEXT,
  attempt_count BIGINT,
  next_payment_attempt TIMESTAMPTZ,
  finalized_at TIMESTAMPTZ,
  marked_uncollectible_at TIMESTAMPTZ,
  paid_at TIMESTAMPTZ,
  voided_at TIMESTAMPTZ,
  hosted_invoice_url TEXT,
  stripe_payment_intent_id TEXT,
  stripe_charge_id TEXT,
  lines JSONB,
  lines_cut BOOLEAN,
  subscription_metadata JSONB,
  metadata JSONB,
  stripe_created_at TIMESTAMPTZ,
  user_id UUID,
  snapshot_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (account, livemode, stripe_invoice_id)
);
CREATE INDEX IF NOT EXISTS stripe_invoices_stripe_customer_id_idx
  ON stripe_invoices (stripe_customer_id, account, livemode);
CREATE INDEX IF NOT EXISTS stripe_invoices_user_id_idx ON stripe_invoices (user_id);

CREATE TABLE IF NOT EXISTS payment_methods (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_payment_method_id TEXT NOT NULL,
  "type" TEXT,
  brand TEXT,
  last4 TEXT,
  exp_month BIGINT,
  exp_year BIGINT,
  fingerprint TEXT,
  wallet TEXT,
  bank_name TEXT,
  bank_code TEXT,
  routing_number TEXT,
  country TEXT,
  email TEXT,
  billing_details JSONB,
  metadata JSONB,
  stripe_created_at TIMESTAMPTZ,
  user_id UUID,
  stripe_customer_id TEXT,
  last_stripe_customer_id TEXT,
  detached_at TIMESTAMPTZ,
  stripe_setup_intent_id TEXT,
  "usage" TEXT,
  stripe_mandate_id TEXT,
  snapshot_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (account, livemode, stripe_payment_method_id)
);
CREATE INDEX IF NOT EXISTS payment_methods_last_stripe_customer_id_idx
  ON payment_methods (last_stripe_customer_id, account, livemode);
CREATE INDEX IF NOT EXISTS payment_methods_user_id_idx ON payment_methods (user_id);

CREATE TABLE IF NOT EXISTS stripe_checkout_sessions (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_checkout_session_id TEXT NOT NULL,
  stripe_customer_id TEXT,
  stripe_subscription_id TEXT,
  stripe_invoice_id TEXT,
  stripe_payment_intent_id TEXT,
  stripe_setup_intent_id TEXT,
  mode TEXT,
  status TEXT,
  payment_status TEXT,
  customer_email TEXT,
  client_reference_id TEXT,
  amount_total BIGINT,
  currency TEXT,
  ui_mode TEXT,
  metadata JSONB,
  stripe_created_at TIMESTAMPTZ,
  user_id UUID,
  snapshot_at TIMESTAMPTZ,
  created_at TIMESTAMPTZ NOT NULL,
  updated_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (account, livemode, stripe_checkout_session_id)
);
CREATE INDEX IF NOT EXISTS stripe_checkout_sessions_stripe_customer_id_idx
  ON stripe_checkout_sessions (stripe_customer_id, account, livemode);
CREATE INDEX IF NOT EXISTS stripe_checkout_sessions_user_id_idx ON stripe_checkout_sessions (user_id);

-- What the events themselves say has changed, each once.
CREATE TABLE IF NOT EXISTS subscription_changes (
  id UUID NOT NULL PRIMARY KEY,
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_subscription_id TEXT NOT NULL,
  stripe_event_id TEXT NOT NULL,
  field TEXT NOT NULL,
  "before" JSONB,
  "after" JSONB,
  changed_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX IF NOT EXISTS subscription_changes_subscription_idx
  ON subscription_changes (stripe_subscription_id, changed_at);

-- The head of every object: its lock, and the evidence that package fold keeps
-- of its events.
CREATE TABLE IF NOT EXISTS stripe_objects (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  kind TEXT NOT NULL,
  object_id TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT '',
  updated_at TIMESTAMPTZ,
  PRIMARY KEY (account, livemode, kind, object_id)
);
