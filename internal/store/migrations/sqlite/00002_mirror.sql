-- +goose Up

-- The mirror of Stripe. A table's columns are those of the row of the same
-- name in mirror.go, then the computed ones, then the times of the row itself.
-- References between tables are Stripe ids without foreign keys, since nothing
-- waits for what it refers to. The indexes on customers have all three columns of
-- a look-up: with fewer of them SQLite takes the primary key, whose first two are
-- the same in every row.

CREATE TABLE stripe_customers (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_customer_id TEXT NOT NULL,
  email TEXT,
  name TEXT,
  phone TEXT,
  currency TEXT,
  balance INTEGER,
  delinquent BOOLEAN,
  default_payment_method_id TEXT,
  default_source_id TEXT,
  metadata TEXT,
  stripe_created_at TIMESTAMP,
  user_id TEXT,
  deleted BOOLEAN NOT NULL DEFAULT FALSE,
  snapshot_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (account, livemode, stripe_customer_id)
);
CREATE INDEX stripe_customers_user_id_idx ON stripe_customers (user_id);

CREATE TABLE stripe_products (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_product_id TEXT NOT NULL,
  active BOOLEAN,
  name TEXT,
  description TEXT,
  image TEXT,
  default_price_id TEXT,
  unit_label TEXT,
  metadata TEXT,
  stripe_updated_at TIMESTAMP,
  stripe_created_at TIMESTAMP,
  deleted BOOLEAN NOT NULL DEFAULT FALSE,
  snapshot_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (account, livemode, stripe_product_id)
);

CREATE TABLE stripe_prices (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_price_id TEXT NOT NULL,
  stripe_product_id TEXT,
  active BOOLEAN,
  currency TEXT,
  "type" TEXT,
  unit_amount INTEGER,
  unit_amount_decimal TEXT,
  billing_scheme TEXT,
  tiers_mode TEXT,
  "interval" TEXT,
  interval_count INTEGER,
  usage_type TEXT,
  trial_period_days INTEGER,
  aggregate_usage TEXT,
  meter TEXT,
  lookup_key TEXT,
  nickname TEXT,
  metadata TEXT,
  stripe_created_at TIMESTAMP,
  deleted BOOLEAN NOT NULL DEFAULT FALSE,
  snapshot_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (account, livemode, stripe_price_id)
);

CREATE TABLE subscriptions (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_subscription_id TEXT NOT NULL,
  stripe_customer_id TEXT,
  status TEXT,
  stripe_price_id TEXT,
  quantity INTEGER,
  currency TEXT,
  collection_method TEXT,
  current_period_start TIMESTAMP,
  current_period_end TIMESTAMP,
  cancel_at TIMESTAMP,
  cancel_at_period_end BOOLEAN,
  canceled_at TIMESTAMP,
  ended_at TIMESTAMP,
  cancellation_details TEXT,
  trial_start TIMESTAMP,
  trial_end TIMESTAMP,
  pause_collection TEXT,
  default_payment_method_id TEXT,
  default_source_id TEXT,
  latest_invoice_id TEXT,
  discounts TEXT,
  metadata TEXT,
  start_date TIMESTAMP,
  stripe_created_at TIMESTAMP,
  user_id TEXT,
  snapshot_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (account, livemode, stripe_subscription_id)
);
CREATE INDEX subscriptions_stripe_customer_id_idx
  ON subscriptions (stripe_customer_id, account, livemode);
CREATE INDEX subscriptions_user_id_idx ON subscriptions (user_id);

CREATE TABLE subscription_items (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_subscription_item_id TEXT NOT NULL,
  stripe_price_id TEXT,
  stripe_product_id TEXT,
  quantity INTEGER,
  current_period_start TIMESTAMP,
  current_period_end TIMESTAMP,
  metadata TEXT,
  stripe_created_at TIMESTAMP,
  stripe_subscription_id TEXT,
  deleted BOOLEAN NOT NULL DEFAULT FALSE,
  snapshot_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (account, livemode, stripe_subscription_item_id)
);
CREATE INDEX subscription_items_stripe_subscription_id_idx ON subscription_items (stripe_subscription_id);

CREATE TABLE stripe_invoices (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_invoice_id TEXT NOT NULL,
  stripe_customer_id TEXT,
  stripe_subscription_id TEXT,
  parent_type TEXT,
  status TEXT,
  number TEXT,
  currency TEXT,
  amount_due INTEGER,
  amount_paid INTEGER,
  amount_remaining INTEGER,
  subtotal INTEGER,
  total INTEGER,
  tax INTEGER,
  paid BOOLEAN,
  billing_reason TEXT,
  attempt_count INTEGER,
  next_payment_attempt TIMESTAMP,
  finalized_at TIMESTAMP,
  marked_uncollectible_at TIMESTAMP,
  paid_at TIMESTAMP,
  voided_at TIMESTAMP,
  hosted_invoice_url TEXT,
  stripe_payment_intent_id TEXT,
  stripe_charge_id TEXT,
  lines TEXT,
  lines_cut BOOLEAN,
  subscription_metadata TEXT,
  metadata TEXT,
  stripe_created_at TIMESTAMP,
  user_id TEXT,
  snapshot_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (account, livemode, stripe_invoice_id)
);
CREATE INDEX stripe_invoices_stripe_customer_id_idx
  ON stripe_invoices (stripe_customer_id, account, livemode);
CREATE INDEX stripe_invoices_user_id_idx ON stripe_invoices (user_id);

CREATE TABLE payment_methods (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_payment_method_id TEXT NOT NULL,
  "type" TEXT,
  brand TEXT,
  last4 TEXT,
  exp_month INTEGER,
  exp_year INTEGER,
  fingerprint TEXT,
  wallet TEXT,
  bank_name TEXT,
  bank_code TEXT,
  routing_number TEXT,
  country TEXT,
  email TEXT,
  billing_details TEXT,
  metadata TEXT,
  stripe_created_at TIMESTAMP,
  user_id TEXT,
  stripe_customer_id TEXT,
  last_stripe_customer_id TEXT,
  detached_at TIMESTAMP,
  stripe_setup_intent_id TEXT,
  "usage" TEXT,
  stripe_mandate_id TEXT,
  snapshot_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (account, livemode, stripe_payment_method_id)
);
CREATE INDEX payment_methods_last_stripe_customer_id_idx
  ON payment_methods (last_stripe_customer_id, account, livemode);
CREATE INDEX payment_methods_user_id_idx ON payment_methods (user_id);

CREATE TABLE stripe_checkout_sessions (
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
  amount_total INTEGER,
  currency TEXT,
  ui_mode TEXT,
  metadata TEXT,
  stripe_created_at TIMESTAMP,
  user_id TEXT,
  snapshot_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (account, livemode, stripe_checkout_session_id)
);
CREATE INDEX stripe_checkout_sessions_stripe_customer_id_idx
  ON stripe_checkout_sessions (stripe_customer_id, account, livemode);
CREATE INDEX stripe_checkout_sessions_user_id_idx ON stripe_checkout_sessions (user_id);

-- What the events themselves say has changed, each once.
CREATE TABLE subscription_changes (
  id TEXT NOT NULL PRIMARY KEY,
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  stripe_subscription_id TEXT NOT NULL,
  stripe_event_id TEXT NOT NULL,
  field TEXT NOT NULL,
  "before" TEXT,
  "after" TEXT,
  changed_at TIMESTAMP NOT NULL
);
CREATE INDEX subscription_changes_subscription_idx
  ON subscription_changes (stripe_subscription_id, changed_at);

-- The head of every object: its lock, and the evidence that package fold keeps
-- of its events.
CREATE TABLE stripe_objects (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  kind TEXT NOT NULL,
  object_id TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT '',
  updated_at TIMESTAMP,
  PRIMARY KEY (account, livemode, kind, object_id)
);
