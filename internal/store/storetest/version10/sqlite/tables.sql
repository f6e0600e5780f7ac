CREATE TABLE quotekit_schema_version (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	);
CREATE TABLE stripe_webhook_events (
  stripe_event_id TEXT NOT NULL PRIMARY KEY,
  event_type TEXT NOT NULL,
  account TEXT NOT NULL DEFAULT '',
  api_version TEXT,
  livemode BOOLEAN NOT NULL DEFAULT FALSE,
  object_id TEXT,
  event_created TIMESTAMP,
  status TEXT NOT NULL CHECK (status IN ('pending', 'succeeded', 'ignored', 'dead')),
  attempts INTEGER NOT NULL DEFAULT 0,
  deliveries INTEGER NOT NULL DEFAULT 0,
  payload BLOB,
  received_at TIMESTAMP NOT NULL,
  processed_at TIMESTAMP,
  error_message TEXT,
  failure_reason TEXT,
  failure_reasons TEXT,
  round INTEGER NOT NULL DEFAULT 0,
  next_attempt_at TIMESTAMP,
  settle_id TEXT
, replay_mode TEXT, previous_status TEXT);
CREATE TABLE webhook_audit_trail (
  id TEXT NOT NULL PRIMARY KEY,
  at TIMESTAMP NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  stripe_event_id TEXT,
  target TEXT,
  reason TEXT,
  "before" TEXT,
  "after" TEXT,
  request_id TEXT
, chain_sequence BIGINT, chain_previous TEXT, chain_hash TEXT) WITHOUT ROWID;
CREATE TABLE webhook_processing_logs (
  id TEXT NOT NULL PRIMARY KEY,
  stripe_event_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  processing_stage TEXT NOT NULL,
  status TEXT NOT NULL,
  handler_name TEXT,
  execution_time_ms INTEGER,
  database_queries INTEGER DEFAULT 0,
  api_calls_made INTEGER DEFAULT 0,
  error_message TEXT DEFAULT NULL,
  retry_attempt INTEGER DEFAULT 0,
  metadata TEXT DEFAULT '{}',
  created_at TIMESTAMP
, source TEXT) WITHOUT ROWID;
CREATE TABLE webhook_dead_letter_queue (
  id TEXT NOT NULL PRIMARY KEY,
  stripe_event_id TEXT NOT NULL,
  event_type TEXT NOT NULL,
  event_data TEXT NOT NULL,
  failure_reason TEXT NOT NULL,
  failure_count INTEGER NOT NULL DEFAULT 1,
  first_failed_at TIMESTAMP,
  last_failed_at TIMESTAMP,
  requires_manual_review BOOLEAN DEFAULT FALSE,
  resolved BOOLEAN DEFAULT FALSE,
  resolved_at TIMESTAMP DEFAULT NULL,
  resolved_by TEXT,
  resolution_notes TEXT DEFAULT NULL
, error_class TEXT, error_message TEXT, automatic_retries INTEGER NOT NULL DEFAULT 0, next_retry_at TIMESTAMP);
CREATE TABLE webhook_performance_benchmarks (
  event_type TEXT NOT NULL PRIMARY KEY,
  baseline_time_ms INTEGER,
  target_time_ms INTEGER,
  id TEXT,
  current_avg_time_ms REAL,
  improvement_percent REAL,
  sample_count INTEGER,
  updated_at TIMESTAMP
);
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
CREATE TABLE stripe_objects (
  account TEXT NOT NULL DEFAULT '',
  livemode BOOLEAN NOT NULL,
  kind TEXT NOT NULL,
  object_id TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT '',
  updated_at TIMESTAMP,
  PRIMARY KEY (account, livemode, kind, object_id)
);
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
, skipped_items INTEGER NOT NULL DEFAULT 0, dry_run BOOLEAN NOT NULL DEFAULT FALSE, parent_id TEXT, idempotency_key TEXT, request_hash TEXT, started_at TIMESTAMP, revision BIGINT NOT NULL DEFAULT 0, fence BIGINT NOT NULL DEFAULT 0, lease_owner TEXT, lease_until TIMESTAMP);
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
CREATE TABLE batch_job_inputs (
  job_id TEXT NOT NULL PRIMARY KEY,
  items TEXT NOT NULL
);
CREATE TABLE batch_job_items (
  job_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  item_id TEXT,
  outcome TEXT NOT NULL,
  error_code TEXT,
  error_message TEXT,
  before_image TEXT,
  after_image TEXT,
  related TEXT,
  PRIMARY KEY (job_id, position)
) WITHOUT ROWID;
CREATE TABLE webhook_tasks (
  id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('previewed', 'pending', 'running', 'completed', 'failed', 'cancelled')),
  arguments TEXT NOT NULL,
  "cursor" TEXT,
  report TEXT,
  total_items INTEGER,
  done_items INTEGER NOT NULL DEFAULT 0,
  step BIGINT NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  actor TEXT NOT NULL,
  actor_user_id TEXT,
  reason TEXT,
  request_id TEXT,
  token_hash TEXT,
  error_message TEXT,
  due_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL,
  started_at TIMESTAMP,
  completed_at TIMESTAMP
, paused BOOLEAN NOT NULL DEFAULT FALSE);
CREATE TABLE webhook_task_items (
  task_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  dead_letter_id TEXT NOT NULL,
  stripe_event_id TEXT NOT NULL,
  outcome TEXT,
  round INTEGER,
  note TEXT,
  PRIMARY KEY (task_id, position)
) WITHOUT ROWID;
CREATE TABLE webhook_count_deltas (
  id TEXT NOT NULL PRIMARY KEY,
  at TIMESTAMP NOT NULL,
  counts TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE webhook_event_counts (
  granularity TEXT NOT NULL CHECK (granularity IN ('minute', 'hour', 'day', 'ever')),
  event_type TEXT NOT NULL,
  bucket TIMESTAMP NOT NULL,
  status TEXT NOT NULL,
  events BIGINT NOT NULL,
  last_at TIMESTAMP NOT NULL,
  PRIMARY KEY (granularity, event_type, bucket, status)
) WITHOUT ROWID;
CREATE TABLE webhook_latencies (
  granularity TEXT NOT NULL CHECK (granularity IN ('minute', 'hour', 'day')),
  event_type TEXT NOT NULL,
  bucket TIMESTAMP NOT NULL,
  writer TEXT NOT NULL,
  samples BIGINT NOT NULL,
  sum_us BIGINT NOT NULL,
  max_us BIGINT NOT NULL,
  total_histogram TEXT NOT NULL,
  handle_histogram TEXT NOT NULL,
  wait_histogram TEXT NOT NULL,
  commit_histogram TEXT NOT NULL,
  slowest TEXT NOT NULL,
  PRIMARY KEY (granularity, event_type, bucket, writer)
) WITHOUT ROWID;
CREATE TABLE webhook_refusals (
  bucket TIMESTAMP NOT NULL,
  code TEXT NOT NULL,
  writer TEXT NOT NULL,
  requests BIGINT NOT NULL,
  PRIMARY KEY (bucket, code, writer)
) WITHOUT ROWID;
CREATE TABLE webhook_audit_chain (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  sequence BIGINT NOT NULL,
  hash TEXT NOT NULL,
  began_at TIMESTAMP,
  updated_at TIMESTAMP
);
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
CREATE TABLE webhook_alert_evaluations (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  revision BIGINT NOT NULL,
  evaluated_at TIMESTAMP,
  memory TEXT
);
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
CREATE TABLE river_leader (
    elected_at timestamp NOT NULL,
    expires_at timestamp NOT NULL,
    leader_id text NOT NULL,
    name text PRIMARY KEY NOT NULL DEFAULT 'default' CHECK (name = 'default'),
    CONSTRAINT name_length CHECK (length(name) > 0 AND length(name) < 128),
    CONSTRAINT leader_id_length CHECK (length(leader_id) > 0 AND length(leader_id) < 128)
);
CREATE TABLE river_migration (
    line text NOT NULL,
    version integer NOT NULL,
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT line_length CHECK (length(line) > 0 AND length(line) < 128),
    CONSTRAINT version_gte_1 CHECK (version >= 1),
    PRIMARY KEY (line, version)
);
CREATE TABLE river_notification (
    id integer PRIMARY KEY AUTOINCREMENT,
    created_at timestamp NOT NULL DEFAULT (datetime('now', 'subsec')),
    payload text NOT NULL,
    topic text NOT NULL,
    CONSTRAINT topic_length CHECK (length(topic) > 0 AND length(topic) < 128)
);
CREATE TABLE river_queue (
    name text PRIMARY KEY NOT NULL,
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    metadata blob NOT NULL DEFAULT (jsonb('{}')),
    paused_at timestamp,
    updated_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE river_job (
    id integer PRIMARY KEY AUTOINCREMENT,
    args blob NOT NULL DEFAULT (jsonb('{}')),
    attempt integer NOT NULL DEFAULT 0,
    attempted_at timestamp,
    attempted_by blob, -- json
    created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    errors blob, -- json
    finalized_at timestamp,
    kind text NOT NULL,
    max_attempts integer NOT NULL DEFAULT 25,
    metadata blob NOT NULL DEFAULT (jsonb('{}')),
    priority integer NOT NULL DEFAULT 1,
    queue text NOT NULL DEFAULT 'default',
    state text NOT NULL DEFAULT 'available',
    scheduled_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    tags blob NOT NULL DEFAULT (jsonb('[]')),
    unique_key blob,
    unique_states integer,
    CONSTRAINT finalized_or_finalized_at_null CHECK (
        (finalized_at IS NULL AND state NOT IN ('cancelled', 'completed', 'discarded')) OR
        (finalized_at IS NOT NULL AND state IN ('cancelled', 'completed', 'discarded'))
    ),
    CONSTRAINT priority_in_range CHECK (priority >= 1 AND priority <= 4),
    CONSTRAINT queue_length CHECK (length(queue) > 0 AND length(queue) < 128),
    CONSTRAINT kind_length CHECK (length(kind) > 0 AND length(kind) < 128),
    CONSTRAINT state_valid CHECK (state IN ('available', 'cancelled', 'completed', 'discarded', 'pending', 'retryable', 'running', 'scheduled'))
);
CREATE INDEX stripe_webhook_events_received_at_idx
  ON stripe_webhook_events (received_at);
CREATE INDEX stripe_webhook_events_next_attempt_at_idx
  ON stripe_webhook_events (next_attempt_at) WHERE status = 'pending';
CREATE INDEX stripe_webhook_events_object_idx
  ON stripe_webhook_events (object_id, event_created);
CREATE INDEX webhook_audit_trail_stripe_event_id_idx ON webhook_audit_trail (stripe_event_id);
CREATE INDEX webhook_processing_logs_stripe_event_id_idx ON webhook_processing_logs (stripe_event_id);
CREATE INDEX webhook_dead_letter_queue_stripe_event_id_idx ON webhook_dead_letter_queue (stripe_event_id);
CREATE INDEX webhook_dead_letter_queue_last_failed_at_idx ON webhook_dead_letter_queue (last_failed_at);
CREATE INDEX stripe_customers_user_id_idx ON stripe_customers (user_id);
CREATE INDEX subscriptions_stripe_customer_id_idx
  ON subscriptions (stripe_customer_id, account, livemode);
CREATE INDEX subscriptions_user_id_idx ON subscriptions (user_id);
CREATE INDEX subscription_items_stripe_subscription_id_idx ON subscription_items (stripe_subscription_id);
CREATE INDEX stripe_invoices_stripe_customer_id_idx
  ON stripe_invoices (stripe_customer_id, account, livemode);
CREATE INDEX stripe_invoices_user_id_idx ON stripe_invoices (user_id);
CREATE INDEX payment_methods_last_stripe_customer_id_idx
  ON payment_methods (last_stripe_customer_id, account, livemode);
CREATE INDEX payment_methods_user_id_idx ON payment_methods (user_id);
CREATE INDEX stripe_checkout_sessions_stripe_customer_id_idx
  ON stripe_checkout_sessions (stripe_customer_id, account, livemode);
CREATE INDEX stripe_checkout_sessions_user_id_idx ON stripe_checkout_sessions (user_id);
CREATE INDEX subscription_changes_subscription_idx
  ON subscription_changes (stripe_subscription_id, changed_at);
CREATE INDEX batch_jobs_user_id_idx ON batch_jobs (user_id, created_at);
CREATE INDEX clients_user_id_idx ON clients (user_id, created_at);
CREATE INDEX items_user_id_idx ON items (user_id, created_at);
CREATE INDEX quotes_user_id_idx ON quotes (user_id, created_at);
CREATE INDEX quotes_client_id_idx ON quotes (client_id);
CREATE UNIQUE INDEX batch_jobs_idempotency_key ON batch_jobs (user_id, idempotency_key);
CREATE INDEX batch_jobs_unfinished_idx ON batch_jobs (lease_until) WHERE status IN ('pending', 'processing');
CREATE INDEX batch_jobs_completed_at_idx ON batch_jobs (completed_at);
CREATE INDEX webhook_dead_letter_queue_next_retry_at_idx
  ON webhook_dead_letter_queue (next_retry_at) WHERE next_retry_at IS NOT NULL;
CREATE INDEX webhook_tasks_due_at_idx ON webhook_tasks (due_at) WHERE status IN ('pending', 'running');
CREATE INDEX webhook_tasks_created_at_idx ON webhook_tasks (created_at);
CREATE UNIQUE INDEX webhook_tasks_token_hash_key ON webhook_tasks (token_hash);
CREATE UNIQUE INDEX webhook_tasks_one_at_a_time_key
  ON webhook_tasks (kind) WHERE kind IN ('reconcile', 'backfill') AND status IN ('pending', 'running');
CREATE INDEX stripe_webhook_events_pending_idx
  ON stripe_webhook_events (received_at) WHERE status = 'pending';
CREATE INDEX webhook_dead_letter_queue_open_idx
  ON webhook_dead_letter_queue (last_failed_at, id) WHERE resolved IS NOT TRUE;
CREATE UNIQUE INDEX webhook_audit_trail_chain_key
  ON webhook_audit_trail (chain_sequence) WHERE chain_sequence IS NOT NULL;
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
CREATE UNIQUE INDEX webhook_error_groups_group_key_key ON webhook_error_groups (group_key);
CREATE INDEX webhook_error_groups_resolved_at_idx
  ON webhook_error_groups (resolved_at) WHERE resolved_at IS NOT NULL;
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
CREATE INDEX batch_jobs_created_at_idx ON batch_jobs (created_at, id);
CREATE INDEX batch_jobs_status_idx ON batch_jobs (status, created_at, id);
CREATE INDEX batch_jobs_operation_type_idx ON batch_jobs (operation_type, created_at, id);
CREATE INDEX batch_jobs_running_idx ON batch_jobs (created_at, id) WHERE status IN ('pending', 'processing');
CREATE INDEX stripe_customers_email_idx
  ON stripe_customers (substr(lower(email), 1, 150)) WHERE email IS NOT NULL;
CREATE INDEX stripe_invoices_payment_intent_idx
  ON stripe_invoices (stripe_payment_intent_id) WHERE stripe_payment_intent_id IS NOT NULL;
CREATE INDEX stripe_invoices_charge_idx
  ON stripe_invoices (stripe_charge_id) WHERE stripe_charge_id IS NOT NULL;
CREATE UNIQUE INDEX webhook_alerts_unresolved_key
  ON webhook_alerts (rule, subject) WHERE resolved_at IS NULL;
CREATE INDEX webhook_alerts_resolved_at_idx ON webhook_alerts (resolved_at);
CREATE INDEX webhook_alert_deliveries_message_id_idx ON webhook_alert_deliveries (message_id);
CREATE INDEX webhook_alert_deliveries_created_at_idx ON webhook_alert_deliveries (created_at);
CREATE INDEX webhook_alert_deliveries_due_at_idx
  ON webhook_alert_deliveries (due_at) WHERE status = 'pending';
CREATE INDEX dashboard_sessions_expires_at_idx ON dashboard_sessions (expires_at);
CREATE INDEX stripe_webhook_events_dead_idx
  ON stripe_webhook_events (received_at, stripe_event_id) WHERE status = 'dead';
CREATE INDEX river_notification_created_at_idx ON river_notification (created_at);
CREATE INDEX river_notification_topic_id_idx ON river_notification (topic, id);
CREATE INDEX river_job_kind ON river_job (kind);
CREATE INDEX river_job_state_and_finalized_at_index ON river_job (state, finalized_at) WHERE finalized_at IS NOT NULL;
CREATE INDEX river_job_prioritized_fetching_index ON river_job (state, queue, priority, scheduled_at, id);
CREATE UNIQUE INDEX river_job_unique_idx ON river_job (unique_key)
    WHERE unique_key IS NOT NULL
        AND unique_states IS NOT NULL
        AND CASE state
            WHEN 'available' THEN unique_states & (1 << 0)
            WHEN 'cancelled' THEN unique_states & (1 << 1)
            WHEN 'completed' THEN unique_states & (1 << 2)
            WHEN 'discarded' THEN unique_states & (1 << 3)
            WHEN 'pending'   THEN unique_states & (1 << 4)
            WHEN 'retryable' THEN unique_states & (1 << 5)
            WHEN 'running'   THEN unique_states & (1 << 6)
            WHEN 'scheduled' THEN unique_states & (1 << 7)
            ELSE 0
        END >= 1;
CREATE TRIGGER webhook_audit_trail_no_update BEFORE UPDATE ON webhook_audit_trail
BEGIN
  SELECT RAISE(ABORT, 'webhook_audit_trail is append-only');
END;
CREATE TRIGGER webhook_audit_trail_no_replace BEFORE INSERT ON webhook_audit_trail
WHEN EXISTS (SELECT 1 FROM webhook_audit_trail WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'webhook_audit_trail is append-only');
END;
CREATE TRIGGER webhook_audit_trail_no_delete BEFORE DELETE ON webhook_audit_trail
WHEN OLD.at >= strftime('%Y-%m-%d %H:%M:%f', 'now', '-90 days')
BEGIN
  SELECT RAISE(ABORT, 'webhook_audit_trail is append-only');
END;
INSERT INTO quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (1, 0, 1, '2026-11-29 15:12:32');
INSERT INTO quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (10, 9, 1, '2026-11-29 15:12:32');
INSERT INTO quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (11, 10, 1, '2026-11-29 15:12:32');
INSERT INTO quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (2, 1, 1, '2026-11-29 15:12:32');
INSERT INTO quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (3, 2, 1, '2026-11-29 15:12:32');
INSERT INTO quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (4, 3, 1, '2026-11-29 15:12:32');
INSERT INTO quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (5, 4, 1, '2026-11-29 15:12:32');
INSERT INTO quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (6, 5, 1, '2026-11-29 15:12:32');
INSERT INTO quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (7, 6, 1, '2026-11-29 15:12:32');
INSERT INTO quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (8, 7, 1, '2026-11-29 15:12:32');
INSERT INTO quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (9, 8, 1, '2026-11-29 15:12:32');
INSERT INTO river_migration (line, version, created_at) VALUES ('main', 1, '2026-11-29 15:12:32');
INSERT INTO river_migration (line, version, created_at) VALUES ('main', 2, '2026-11-29 15:12:32');
INSERT INTO river_migration (line, version, created_at) VALUES ('main', 3, '2026-11-29 15:12:32');
INSERT INTO river_migration (line, version, created_at) VALUES ('main', 4, '2026-11-29 15:12:32');
INSERT INTO river_migration (line, version, created_at) VALUES ('main', 5, '2026-11-29 15:12:32');
INSERT INTO river_migration (line, version, created_at) VALUES ('main', 6, '2026-11-29 15:12:32');
INSERT INTO river_migration (line, version, created_at) VALUES ('main', 7, '2026-11-29 15:12:32');
INSERT INTO river_migration (line, version, created_at) VALUES ('main', 8, '2026-11-29 15:12:32');
