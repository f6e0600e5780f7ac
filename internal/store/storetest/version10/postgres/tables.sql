BEGIN;
SET LOCAL check_function_bodies = false;
CREATE TABLE public.quotekit_schema_version (
    id integer NOT NULL,
    version_id bigint NOT NULL,
    is_applied boolean NOT NULL,
    tstamp timestamp without time zone DEFAULT now() NOT NULL
);
CREATE TYPE public.river_job_state AS ENUM (
    'available',
    'cancelled',
    'completed',
    'discarded',
    'pending',
    'retryable',
    'running',
    'scheduled'
);
CREATE FUNCTION public.cleanup_old_batch_jobs(p_days_old integer DEFAULT 30) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'public'
    AS $$
DECLARE
  old UUID[];
BEGIN
  IF p_days_old IS NULL OR p_days_old < 0 THEN
    RAISE EXCEPTION 'p_days_old is %, want 0 or more', p_days_old USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT array_agg(j.id) INTO old
  FROM batch_jobs AS j
  WHERE j.status IN ('completed', 'failed', 'cancelled')
    AND COALESCE(j.completed_at, j.created_at) < now() - make_interval(days => p_days_old)
    AND NOT EXISTS (
      SELECT 1 FROM batch_jobs AS c WHERE c.parent_id = j.id AND c.status IN ('pending', 'processing')
    );
  DELETE FROM batch_job_items WHERE job_id = ANY(old);
  DELETE FROM batch_job_inputs WHERE job_id = ANY(old);
  DELETE FROM batch_jobs AS j WHERE j.id = ANY(old);
  RETURN COALESCE(array_length(old, 1), 0);
END
$$;
CREATE FUNCTION public.get_batch_job_status(p_job_id uuid) RETURNS TABLE(id uuid, operation_type text, status text, total_items integer, processed_items integer, failed_items integer, skipped_items integer, progress_percent integer, error_summary jsonb, execution_time_ms integer, created_at timestamp with time zone, completed_at timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'public'
    AS $$
  SELECT j.id, j.operation_type, j.status, j.total_items, j.processed_items, j.failed_items, j.skipped_items,
    j.progress_percent,
    CASE WHEN j.failed_items = 0 THEN NULL ELSE COALESCE((
      SELECT jsonb_object_agg(e.error_code, e.items)
      FROM (
        SELECT i.error_code, COUNT(*) AS items
        FROM batch_job_items AS i
        WHERE i.job_id = j.id AND i.outcome = 'failed'
        GROUP BY i.error_code
      ) AS e
    ), j.error_details) END,
    j.execution_time_ms, j.created_at, j.completed_at
  FROM batch_jobs AS j
  WHERE j.id = p_job_id
$$;
CREATE FUNCTION public.get_webhook_performance_summary(p_days_back integer DEFAULT 7) RETURNS TABLE(event_type text, avg_processing_time_ms real, p95_processing_time_ms real, total_events bigint, successful_events bigint, failed_events bigint, success_rate real, error_rate real, baseline_time_ms integer, target_time_ms integer, improvement_percent real)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'public'
    AS $$
DECLARE
  since TIMESTAMPTZ;
  first_hour TIMESTAMPTZ;
  first_day TIMESTAMPTZ;
BEGIN
  IF p_days_back IS NULL OR p_days_back < 1 OR p_days_back > 400 THEN
    RAISE EXCEPTION 'p_days_back is %, want 1 to 400', p_days_back USING ERRCODE = 'invalid_parameter_value';
  END IF;
  since := now() - make_interval(days => p_days_back);
  first_hour := date_trunc('hour', since, 'UTC');
  first_day := date_trunc('day', since, 'UTC') + INTERVAL '24 hours';
  RETURN QUERY
  WITH counts AS (
    SELECT c.event_type, c.status, c.events
    FROM webhook_event_counts AS c
    WHERE c.event_type <> '' AND (c.granularity = 'hour' AND c.bucket >= first_hour AND c.bucket < first_day
      OR c.granularity = 'day' AND c.bucket >= first_day)
  ), latencies AS (
    SELECT l.event_type, l.samples, l.sum_us, l.max_us, l.total_histogram
    FROM webhook_latencies AS l
    WHERE l.event_type <> '' AND (l.granularity = 'hour' AND l.bucket >= first_hour AND l.bucket < first_day
      OR l.granularity = 'day' AND l.bucket >= first_day)
  ), recorded AS (
    SELECT DISTINCT ON (r.stripe_event_id) r.stripe_event_id, r.event_type, r.status,
      (SELECT MAX(t.execution_time_ms) FROM webhook_processing_logs AS t
       WHERE t.stripe_event_id = r.stripe_event_id AND t.source IS NOT NULL) AS ms
    FROM webhook_processing_logs AS r
    WHERE r.source IS NOT NULL AND r.created_at >= since
      AND NOT EXISTS (SELECT 1 FROM stripe_webhook_events AS e WHERE e.stripe_event_id = r.stripe_event_id)
    ORDER BY r.stripe_event_id, r.created_at DESC, r.id
  ), events AS (
    SELECT c.event_type, SUM(c.events) AS total,
      SUM(c.events) FILTER (WHERE c.status IN ('succeeded', 'ignored')) AS successful,
      SUM(c.events) FILTER (WHERE c.status = 'dead') AS failed
    FROM (
      SELECT counts.event_type, counts.status, counts.events FROM counts
      UNION ALL
      SELECT recorded.event_type, CASE
        WHEN recorded.status IN ('succeeded', 'success', 'completed', 'processed', 'ignored') THEN 'succeeded'
        WHEN recorded.status IN ('failed', 'failure', 'error', 'timeout', 'timed_out', 'dead') THEN 'dead'
        ELSE 'pending' END, 1
      FROM recorded
    ) AS c
    GROUP BY c.event_type
    HAVING SUM(c.events) > 0
  ), buckets AS (
    SELECT t.event_type, t.bucket, SUM(t.n) AS n
    FROM (
      SELECT l.event_type, split_part(part, ':', 1)::BIGINT AS bucket, split_part(part, ':', 2)::BIGINT AS n
      FROM latencies AS l, unnest((string_to_array(l.total_histogram, ' '))[3:]) AS part
      UNION ALL
      SELECT r.event_type, us.power * 16 + ((r.ms * 1000::BIGINT) >> us.power::INTEGER), 1
      FROM recorded AS r, LATERAL (
        SELECT CASE WHEN r.ms < 1 THEN 0 ELSE greatest(floor(log(2, r.ms * 1000::NUMERIC))::BIGINT - 4, 0) END AS power
      ) AS us
      WHERE r.ms IS NOT NULL
    ) AS t
    GROUP BY t.event_type, t.bucket
  ), ranked AS (
    SELECT b.event_type, b.bucket, b.n, SUM(b.n) OVER below AS upto, ceil(0.95 * SUM(b.n) OVER every_bucket) AS rank
    FROM buckets AS b
    WINDOW below AS (PARTITION BY b.event_type ORDER BY b.bucket), every_bucket AS (PARTITION BY b.event_type)
  ), p95 AS (
    SELECT DISTINCT ON (r.event_type) r.event_type,
      (((r.bucket - p.power * 16) << p.power::INTEGER) + (r.rank - (r.upto - r.n) - 0.5) / r.n * (1::BIGINT << p.power::INTEGER)) AS us
    FROM ranked AS r, LATERAL (SELECT greatest(r.bucket / 16 - 1, 0) AS power) AS p
    WHERE r.upto >= r.rank
    ORDER BY r.event_type, r.bucket
  ), times AS (
    SELECT t.event_type, SUM(t.sum_us) / NULLIF(SUM(t.samples), 0) AS mean_us, MAX(t.max_us) AS max_us
    FROM (
      SELECT l.event_type, l.samples, l.sum_us, l.max_us FROM latencies AS l
      UNION ALL
      SELECT r.event_type, 1, r.ms * 1000::BIGINT, r.ms * 1000::BIGINT FROM recorded AS r WHERE r.ms IS NOT NULL
    ) AS t
    GROUP BY t.event_type
  ), targets AS (
    SELECT b.event_type, MIN(b.baseline_time_ms)::INTEGER AS baseline, MIN(b.target_time_ms)::INTEGER AS target
    FROM webhook_performance_benchmarks AS b
    GROUP BY b.event_type
  )
  SELECT e.event_type, (t.mean_us / 1000)::REAL, (least(p.us, t.max_us) / 1000)::REAL,
    e.total::BIGINT, COALESCE(e.successful, 0)::BIGINT, COALESCE(e.failed, 0)::BIGINT,
    (e.successful / NULLIF(COALESCE(e.successful, 0) + COALESCE(e.failed, 0), 0))::REAL,
    (e.failed / NULLIF(COALESCE(e.successful, 0) + COALESCE(e.failed, 0), 0))::REAL,
    g.baseline, g.target,
    CASE WHEN g.baseline > 0 THEN (100 * (g.baseline - t.mean_us / 1000) / g.baseline)::REAL END
  FROM events AS e
  LEFT JOIN times AS t ON t.event_type = e.event_type
  LEFT JOIN p95 AS p ON p.event_type = e.event_type
  LEFT JOIN targets AS g ON g.event_type = e.event_type
  ORDER BY e.total DESC, e.event_type;
END
$$;
CREATE FUNCTION public.record_webhook_stage(p_stripe_event_id text, p_event_type text, p_stage text, p_status text, p_execution_time_ms integer DEFAULT NULL::integer, p_error_message text DEFAULT NULL::text, p_handler_name text DEFAULT NULL::text, p_metadata jsonb DEFAULT '{}'::jsonb) RETURNS uuid
    LANGUAGE sql
    SET search_path TO 'public'
    AS $$
  INSERT INTO webhook_processing_logs (id, stripe_event_id, event_type, processing_stage, status, handler_name,
    execution_time_ms, error_message, metadata, created_at, source)
  VALUES (gen_random_uuid(), p_stripe_event_id, p_event_type, p_stage, p_status, p_handler_name,
    p_execution_time_ms, p_error_message, COALESCE(p_metadata, '{}'), clock_timestamp(), 'record_webhook_stage')
  RETURNING id
$$;
CREATE FUNCTION public.river_job_state_in_bitmask(bitmask bit, state public.river_job_state) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE state
        WHEN 'available' THEN get_bit(bitmask, 7)
        WHEN 'cancelled' THEN get_bit(bitmask, 6)
        WHEN 'completed' THEN get_bit(bitmask, 5)
        WHEN 'discarded' THEN get_bit(bitmask, 4)
        WHEN 'pending'   THEN get_bit(bitmask, 3)
        WHEN 'retryable' THEN get_bit(bitmask, 2)
        WHEN 'running'   THEN get_bit(bitmask, 1)
        WHEN 'scheduled' THEN get_bit(bitmask, 0)
        ELSE 0
    END = 1;
$$;
CREATE FUNCTION public.send_to_dead_letter_queue(p_stripe_event_id text, p_event_type text, p_event_data jsonb, p_failure_reason text, p_failure_count integer DEFAULT 1, p_error_message text DEFAULT NULL::text) RETURNS uuid
    LANGUAGE plpgsql
    SET search_path TO 'public'
    AS $$
DECLARE
  at CONSTANT TIMESTAMPTZ := clock_timestamp();
  event RECORD;
  letter UUID;
BEGIN
  IF COALESCE(p_stripe_event_id, '') = '' OR COALESCE(p_failure_reason, '') = '' OR COALESCE(p_failure_count, 0) < 1 THEN
    RAISE EXCEPTION 'a dead letter needs an event id, a reason, and a count of 1 or more'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- In the order of locking: events, then letters.
  UPDATE stripe_webhook_events AS e
  SET status = 'dead', processed_at = at, error_message = p_error_message, failure_reason = p_failure_reason,
    next_attempt_at = NULL, previous_status = e.status
  WHERE e.stripe_event_id = p_stripe_event_id AND e.status = 'pending'
  RETURNING left(e.event_type, 255) AS event_type, e.received_at INTO event;
  IF FOUND THEN
    INSERT INTO webhook_count_deltas (id, at, counts)
    SELECT gen_random_uuid(), at, json_agg(json_build_array(
      floor(EXTRACT(EPOCH FROM event.received_at) / 60)::BIGINT, event.event_type, change.status, change.events,
      (EXTRACT(EPOCH FROM event.received_at) * 1000000)::BIGINT))::TEXT
    FROM (VALUES ('dead', 1), ('pending', -1)) AS change (status, events);
  ELSIF EXISTS (
    SELECT 1 FROM stripe_webhook_events AS e
    WHERE e.stripe_event_id = p_stripe_event_id AND e.status IN ('succeeded', 'ignored')
  ) THEN
    RAISE EXCEPTION 'event % is completed', p_stripe_event_id USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  INSERT INTO webhook_dead_letter_queue (id, stripe_event_id, event_type, event_data, failure_reason, failure_count,
    first_failed_at, last_failed_at, requires_manual_review, resolved, error_message)
  VALUES (webhook_dead_letter_id(p_stripe_event_id), p_stripe_event_id, p_event_type, p_event_data, p_failure_reason,
    p_failure_count, at, at, TRUE, FALSE, p_error_message)
  ON CONFLICT (id) DO UPDATE SET
    failure_reason = excluded.failure_reason,
    failure_count = webhook_dead_letter_queue.failure_count + excluded.failure_count,
    last_failed_at = excluded.last_failed_at,
    requires_manual_review = TRUE,
    resolved = FALSE,
    resolved_at = NULL,
    resolved_by = NULL,
    error_class = NULL,
    error_message = excluded.error_message,
    next_retry_at = NULL
  RETURNING id INTO letter;
  RETURN letter;
END
$$;
CREATE FUNCTION public.webhook_audit_trail_is_append_only() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'public'
    AS $$
BEGIN
  IF TG_OP = 'DELETE' AND OLD.at < NOW() - INTERVAL '90 days' THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'webhook_audit_trail is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE FUNCTION public.webhook_dead_letter_id(p_stripe_event_id text) RETURNS uuid
    LANGUAGE plpgsql IMMUTABLE STRICT
    AS $$
DECLARE
  mask CONSTANT BIGINT := 4294967295;
  message BYTEA := decode('5b1c2a606d2f4a4e9a5371756f74656b', 'hex') || convert_to(p_stripe_event_id, 'UTF8');
  bits BIGINT := octet_length(message) * 8;
  h BIGINT[] := ARRAY[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
  w BIGINT[];
  a BIGINT; b BIGINT; c BIGINT; d BIGINT; e BIGINT; f BIGINT; k BIGINT; x BIGINT;
  hash TEXT;
BEGIN
  message := message || '\x80'::BYTEA;
  WHILE octet_length(message) % 64 <> 56 LOOP
    message := message || '\x00'::BYTEA;
  END LOOP;
  message := message || int8send(bits);
  FOR block IN 0 .. octet_length(message) / 64 - 1 LOOP
    FOR i IN 0 .. 15 LOOP
      x := block * 64 + i * 4;
      w[i] := (get_byte(message, x::INTEGER)::BIGINT << 24) | (get_byte(message, x::INTEGER + 1) << 16)
        | (get_byte(message, x::INTEGER + 2) << 8) | get_byte(message, x::INTEGER + 3);
    END LOOP;
    FOR i IN 16 .. 79 LOOP
      x := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
      w[i] := ((x << 1) | (x >> 31)) & mask;
    END LOOP;
    a := h[1]; b := h[2]; c := h[3]; d := h[4]; e := h[5];
    FOR i IN 0 .. 79 LOOP
      IF i < 20 THEN
        f := (b & c) | (~b & mask & d); k := 1518500249;
      ELSIF i < 40 THEN
        f := b # c # d; k := 1859775393;
      ELSIF i < 60 THEN
        f := (b & c) | (b & d) | (c & d); k := 2400959708;
      ELSE
        f := b # c # d; k := 3395469782;
      END IF;
      x := (((a << 5) | (a >> 27)) & mask) + f + e + k + w[i] & mask;
      e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := x;
    END LOOP;
    h := ARRAY[h[1] + a & mask, h[2] + b & mask, h[3] + c & mask, h[4] + d & mask, h[5] + e & mask];
  END LOOP;
  hash := lpad(to_hex(h[1]), 8, '0') || lpad(to_hex(h[2]), 8, '0') || lpad(to_hex(h[3]), 8, '0') || lpad(to_hex(h[4]), 8, '0');
  RETURN overlay(overlay(hash PLACING '5' FROM 13 FOR 1)
    PLACING to_hex(((h[3] >> 28) & 3) | 8) FROM 17 FOR 1)::UUID;
END
$$;
CREATE TABLE public.batch_job_inputs (
    job_id uuid NOT NULL,
    items text NOT NULL
);
CREATE TABLE public.batch_job_items (
    job_id uuid NOT NULL,
    "position" integer NOT NULL,
    item_id uuid,
    outcome text NOT NULL,
    error_code text,
    error_message text,
    before_image json,
    after_image json,
    related json
);
CREATE TABLE public.batch_jobs (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    operation_type text NOT NULL,
    total_items integer DEFAULT 0 NOT NULL,
    processed_items integer DEFAULT 0 NOT NULL,
    failed_items integer DEFAULT 0 NOT NULL,
    progress_percent integer DEFAULT 0 NOT NULL,
    status text DEFAULT 'pending'::text NOT NULL,
    request_id text NOT NULL,
    options jsonb DEFAULT '{}'::jsonb,
    error_details jsonb,
    execution_time_ms integer,
    created_at timestamp with time zone DEFAULT now(),
    completed_at timestamp with time zone,
    skipped_items integer DEFAULT 0 NOT NULL,
    dry_run boolean DEFAULT false NOT NULL,
    parent_id uuid,
    idempotency_key text,
    request_hash text,
    started_at timestamp with time zone,
    revision bigint DEFAULT 0 NOT NULL,
    fence bigint DEFAULT 0 NOT NULL,
    lease_owner text,
    lease_until timestamp with time zone
);
CREATE TABLE public.clients (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    email text,
    phone text,
    address text,
    notes text,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.dashboard_sessions (
    id_hash text NOT NULL,
    actor text NOT NULL,
    user_id text,
    role text NOT NULL,
    fingerprint text,
    created_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    revoked boolean DEFAULT false NOT NULL,
    CONSTRAINT dashboard_sessions_role_check CHECK ((role = ANY (ARRAY['viewer'::text, 'operator'::text, 'admin'::text])))
);
CREATE TABLE public.items (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    unit text,
    unit_price numeric(10,2) NOT NULL,
    category text,
    tags jsonb,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.payment_methods (
    account text DEFAULT ''::text NOT NULL,
    livemode boolean NOT NULL,
    stripe_payment_method_id text NOT NULL,
    type text,
    brand text,
    last4 text,
    exp_month bigint,
    exp_year bigint,
    fingerprint text,
    wallet text,
    bank_name text,
    bank_code text,
    routing_number text,
    country text,
    email text,
    billing_details jsonb,
    metadata jsonb,
    stripe_created_at timestamp with time zone,
    user_id uuid,
    stripe_customer_id text,
    last_stripe_customer_id text,
    detached_at timestamp with time zone,
    stripe_setup_intent_id text,
    usage text,
    stripe_mandate_id text,
    snapshot_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
ALTER TABLE public.quotekit_schema_version ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.quotekit_schema_version_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.quotes (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    client_id uuid,
    client_name text,
    client_email text,
    quote_number text,
    status text DEFAULT 'draft'::text NOT NULL,
    line_items jsonb,
    subtotal numeric(10,2),
    tax_rate numeric(7,4),
    tax_amount numeric(10,2),
    total numeric(10,2) NOT NULL,
    notes text,
    valid_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.river_job (
    id bigint NOT NULL,
    state public.river_job_state DEFAULT 'available'::public.river_job_state NOT NULL,
    attempt smallint DEFAULT 0 NOT NULL,
    max_attempts smallint DEFAULT 25 NOT NULL,
    attempted_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finalized_at timestamp with time zone,
    scheduled_at timestamp with time zone DEFAULT now() NOT NULL,
    priority smallint DEFAULT 1 NOT NULL,
    args jsonb NOT NULL,
    attempted_by text[],
    errors jsonb[],
    kind text NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL,
    tags character varying(255)[] DEFAULT '{}'::character varying[] NOT NULL,
    unique_key bytea,
    unique_states bit(8),
    CONSTRAINT finalized_or_finalized_at_null CHECK ((((finalized_at IS NULL) AND (state <> ALL (ARRAY['cancelled'::public.river_job_state, 'completed'::public.river_job_state, 'discarded'::public.river_job_state]))) OR ((finalized_at IS NOT NULL) AND (state = ANY (ARRAY['cancelled'::public.river_job_state, 'completed'::public.river_job_state, 'discarded'::public.river_job_state]))))),
    CONSTRAINT kind_length CHECK (((char_length(kind) > 0) AND (char_length(kind) < 128))),
    CONSTRAINT max_attempts_is_positive CHECK ((max_attempts > 0)),
    CONSTRAINT priority_in_range CHECK (((priority >= 1) AND (priority <= 4))),
    CONSTRAINT queue_length CHECK (((char_length(queue) > 0) AND (char_length(queue) < 128)))
);
CREATE SEQUENCE public.river_job_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.river_job_id_seq OWNED BY public.river_job.id;
CREATE UNLOGGED TABLE public.river_leader (
    elected_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    leader_id text NOT NULL,
    name text DEFAULT 'default'::text NOT NULL,
    CONSTRAINT leader_id_length CHECK (((char_length(leader_id) > 0) AND (char_length(leader_id) < 128))),
    CONSTRAINT name_length CHECK ((name = 'default'::text))
);
CREATE TABLE public.river_migration (
    line text NOT NULL,
    version bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT line_length CHECK (((char_length(line) > 0) AND (char_length(line) < 128))),
    CONSTRAINT version_gte_1 CHECK ((version >= 1))
);
CREATE TABLE public.river_notification (
    id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    payload text NOT NULL,
    topic text NOT NULL,
    CONSTRAINT topic_length CHECK (((length(topic) > 0) AND (length(topic) < 128)))
);
CREATE SEQUENCE public.river_notification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.river_notification_id_seq OWNED BY public.river_notification.id;
CREATE TABLE public.river_queue (
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    paused_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE TABLE public.stripe_checkout_sessions (
    account text DEFAULT ''::text NOT NULL,
    livemode boolean NOT NULL,
    stripe_checkout_session_id text NOT NULL,
    stripe_customer_id text,
    stripe_subscription_id text,
    stripe_invoice_id text,
    stripe_payment_intent_id text,
    stripe_setup_intent_id text,
    mode text,
    status text,
    payment_status text,
    customer_email text,
    client_reference_id text,
    amount_total bigint,
    currency text,
    ui_mode text,
    metadata jsonb,
    stripe_created_at timestamp with time zone,
    user_id uuid,
    snapshot_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.stripe_customers (
    account text DEFAULT ''::text NOT NULL,
    livemode boolean NOT NULL,
    stripe_customer_id text NOT NULL,
    email text,
    name text,
    phone text,
    currency text,
    balance bigint,
    delinquent boolean,
    default_payment_method_id text,
    default_source_id text,
    metadata jsonb,
    stripe_created_at timestamp with time zone,
    user_id uuid,
    deleted boolean DEFAULT false NOT NULL,
    snapshot_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.stripe_invoices (
    account text DEFAULT ''::text NOT NULL,
    livemode boolean NOT NULL,
    stripe_invoice_id text NOT NULL,
    stripe_customer_id text,
    stripe_subscription_id text,
    parent_type text,
    status text,
    number text,
    currency text,
    amount_due bigint,
    amount_paid bigint,
    amount_remaining bigint,
    subtotal bigint,
    total bigint,
    tax bigint,
    paid boolean,
    billing_reason text,
    attempt_count bigint,
    next_payment_attempt timestamp with time zone,
    finalized_at timestamp with time zone,
    marked_uncollectible_at timestamp with time zone,
    paid_at timestamp with time zone,
    voided_at timestamp with time zone,
    hosted_invoice_url text,
    stripe_payment_intent_id text,
    stripe_charge_id text,
    lines jsonb,
    lines_cut boolean,
    subscription_metadata jsonb,
    metadata jsonb,
    stripe_created_at timestamp with time zone,
    user_id uuid,
    snapshot_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.stripe_objects (
    account text DEFAULT ''::text NOT NULL,
    livemode boolean NOT NULL,
    kind text NOT NULL,
    object_id text NOT NULL,
    state text DEFAULT ''::text NOT NULL,
    updated_at timestamp with time zone
);
CREATE TABLE public.stripe_prices (
    account text DEFAULT ''::text NOT NULL,
    livemode boolean NOT NULL,
    stripe_price_id text NOT NULL,
    stripe_product_id text,
    active boolean,
    currency text,
    type text,
    unit_amount bigint,
    unit_amount_decimal text,
    billing_scheme text,
    tiers_mode text,
    "interval" text,
    interval_count bigint,
    usage_type text,
    trial_period_days bigint,
    aggregate_usage text,
    meter text,
    lookup_key text,
    nickname text,
    metadata jsonb,
    stripe_created_at timestamp with time zone,
    deleted boolean DEFAULT false NOT NULL,
    snapshot_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.stripe_products (
    account text DEFAULT ''::text NOT NULL,
    livemode boolean NOT NULL,
    stripe_product_id text NOT NULL,
    active boolean,
    name text,
    description text,
    image text,
    default_price_id text,
    unit_label text,
    metadata jsonb,
    stripe_updated_at timestamp with time zone,
    stripe_created_at timestamp with time zone,
    deleted boolean DEFAULT false NOT NULL,
    snapshot_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.stripe_webhook_events (
    stripe_event_id text NOT NULL,
    event_type text NOT NULL,
    account text DEFAULT ''::text NOT NULL,
    api_version text,
    livemode boolean DEFAULT false NOT NULL,
    object_id text,
    event_created timestamp with time zone,
    status text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    deliveries integer DEFAULT 0 NOT NULL,
    payload bytea,
    received_at timestamp with time zone NOT NULL,
    processed_at timestamp with time zone,
    error_message text,
    failure_reason text,
    failure_reasons text,
    round integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone,
    settle_id uuid,
    replay_mode text,
    previous_status text,
    CONSTRAINT stripe_webhook_events_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'succeeded'::text, 'ignored'::text, 'dead'::text])))
);
ALTER TABLE ONLY public.stripe_webhook_events ALTER COLUMN payload SET COMPRESSION lz4;
CREATE TABLE public.subscription_changes (
    id uuid NOT NULL,
    account text DEFAULT ''::text NOT NULL,
    livemode boolean NOT NULL,
    stripe_subscription_id text NOT NULL,
    stripe_event_id text NOT NULL,
    field text NOT NULL,
    before jsonb,
    after jsonb,
    changed_at timestamp with time zone NOT NULL
);
CREATE TABLE public.subscription_items (
    account text DEFAULT ''::text NOT NULL,
    livemode boolean NOT NULL,
    stripe_subscription_item_id text NOT NULL,
    stripe_price_id text,
    stripe_product_id text,
    quantity bigint,
    current_period_start timestamp with time zone,
    current_period_end timestamp with time zone,
    metadata jsonb,
    stripe_created_at timestamp with time zone,
    stripe_subscription_id text,
    deleted boolean DEFAULT false NOT NULL,
    snapshot_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.subscriptions (
    account text DEFAULT ''::text NOT NULL,
    livemode boolean NOT NULL,
    stripe_subscription_id text NOT NULL,
    stripe_customer_id text,
    status text,
    stripe_price_id text,
    quantity bigint,
    currency text,
    collection_method text,
    current_period_start timestamp with time zone,
    current_period_end timestamp with time zone,
    cancel_at timestamp with time zone,
    cancel_at_period_end boolean,
    canceled_at timestamp with time zone,
    ended_at timestamp with time zone,
    cancellation_details jsonb,
    trial_start timestamp with time zone,
    trial_end timestamp with time zone,
    pause_collection jsonb,
    default_payment_method_id text,
    default_source_id text,
    latest_invoice_id text,
    discounts jsonb,
    metadata jsonb,
    start_date timestamp with time zone,
    stripe_created_at timestamp with time zone,
    user_id uuid,
    snapshot_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.webhook_alert_deliveries (
    id uuid NOT NULL,
    message_id uuid NOT NULL,
    alert_id uuid,
    rule text NOT NULL,
    subject text NOT NULL,
    event text NOT NULL,
    channel text NOT NULL,
    status text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    error_message text,
    alert jsonb NOT NULL,
    due_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    done_at timestamp with time zone,
    CONSTRAINT webhook_alert_deliveries_channel_check CHECK ((channel = ANY (ARRAY['webhook'::text, 'slack'::text, 'email'::text, 'alertmanager'::text]))),
    CONSTRAINT webhook_alert_deliveries_event_check CHECK ((event = ANY (ARRAY['firing'::text, 'worse'::text, 'reminder'::text, 'resolved'::text, 'test'::text]))),
    CONSTRAINT webhook_alert_deliveries_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text])))
);
CREATE TABLE public.webhook_alert_evaluations (
    id integer NOT NULL,
    revision bigint NOT NULL,
    evaluated_at timestamp with time zone,
    memory jsonb,
    CONSTRAINT webhook_alert_evaluations_id_check CHECK ((id = 1))
);
CREATE TABLE public.webhook_alerts (
    id uuid NOT NULL,
    rule text NOT NULL,
    subject text NOT NULL,
    state text NOT NULL,
    severity text NOT NULL,
    summary text NOT NULL,
    value double precision NOT NULL,
    threshold double precision NOT NULL,
    unit text NOT NULL,
    since timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    pending_since timestamp with time zone,
    clear_since timestamp with time zone,
    resolved_at timestamp with time zone,
    silenced_until timestamp with time zone,
    acknowledged_by text,
    note text,
    flapping boolean DEFAULT false NOT NULL,
    notified_state text,
    notified_severity text,
    last_notified_at timestamp with time zone,
    CONSTRAINT webhook_alerts_severity_check CHECK ((severity = ANY (ARRAY['warning'::text, 'critical'::text]))),
    CONSTRAINT webhook_alerts_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'firing'::text, 'acknowledged'::text, 'resolved'::text])))
);
CREATE TABLE public.webhook_audit_chain (
    id integer NOT NULL,
    sequence bigint NOT NULL,
    hash text NOT NULL,
    began_at timestamp with time zone,
    updated_at timestamp with time zone,
    CONSTRAINT webhook_audit_chain_id_check CHECK ((id = 1))
);
CREATE TABLE public.webhook_audit_trail (
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    stripe_event_id text,
    target text,
    reason text,
    before jsonb,
    after jsonb,
    request_id text,
    chain_sequence bigint,
    chain_previous text,
    chain_hash text
);
CREATE TABLE public.webhook_count_deltas (
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    counts text NOT NULL
);
CREATE TABLE public.webhook_dead_letter_queue (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    stripe_event_id text NOT NULL,
    event_type text NOT NULL,
    event_data jsonb NOT NULL,
    failure_reason text NOT NULL,
    failure_count integer DEFAULT 1 NOT NULL,
    first_failed_at timestamp with time zone DEFAULT now(),
    last_failed_at timestamp with time zone DEFAULT now(),
    requires_manual_review boolean DEFAULT false,
    resolved boolean DEFAULT false,
    resolved_at timestamp with time zone,
    resolved_by uuid,
    resolution_notes text,
    error_class text,
    error_message text,
    automatic_retries integer DEFAULT 0 NOT NULL,
    next_retry_at timestamp with time zone
);
CREATE TABLE public.webhook_error_groups (
    id text NOT NULL,
    group_key text NOT NULL,
    event_type text NOT NULL,
    failure_reason text NOT NULL,
    error_class text NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    owner text,
    note text,
    first_failed_at timestamp with time zone NOT NULL,
    last_failed_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    updated_at timestamp with time zone,
    updated_by text,
    CONSTRAINT webhook_error_groups_state_check CHECK ((state = ANY (ARRAY['open'::text, 'acknowledged'::text, 'ignored'::text])))
);
CREATE TABLE public.webhook_event_counts (
    granularity text NOT NULL,
    event_type text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    status text NOT NULL,
    events bigint NOT NULL,
    last_at timestamp with time zone NOT NULL,
    CONSTRAINT webhook_event_counts_granularity_check CHECK ((granularity = ANY (ARRAY['minute'::text, 'hour'::text, 'day'::text, 'ever'::text])))
);
CREATE TABLE public.webhook_latencies (
    granularity text NOT NULL,
    event_type text NOT NULL,
    bucket timestamp with time zone NOT NULL,
    writer uuid NOT NULL,
    samples bigint NOT NULL,
    sum_us bigint NOT NULL,
    max_us bigint NOT NULL,
    total_histogram text NOT NULL,
    handle_histogram text NOT NULL,
    wait_histogram text NOT NULL,
    commit_histogram text NOT NULL,
    slowest text NOT NULL,
    CONSTRAINT webhook_latencies_granularity_check CHECK ((granularity = ANY (ARRAY['minute'::text, 'hour'::text, 'day'::text])))
);
CREATE TABLE public.webhook_performance_benchmarks (
    event_type text NOT NULL,
    baseline_time_ms integer,
    target_time_ms integer,
    id uuid DEFAULT gen_random_uuid(),
    current_avg_time_ms double precision,
    improvement_percent double precision,
    sample_count bigint,
    updated_at timestamp with time zone
);
CREATE TABLE public.webhook_processing_logs (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    stripe_event_id text NOT NULL,
    event_type text NOT NULL,
    processing_stage text NOT NULL,
    status text NOT NULL,
    handler_name text,
    execution_time_ms integer,
    database_queries integer DEFAULT 0,
    api_calls_made integer DEFAULT 0,
    error_message text,
    retry_attempt integer DEFAULT 0,
    metadata jsonb DEFAULT '{}'::jsonb,
    created_at timestamp with time zone DEFAULT now(),
    source text
);
CREATE TABLE public.webhook_refusals (
    bucket timestamp with time zone NOT NULL,
    code text NOT NULL,
    writer uuid NOT NULL,
    requests bigint NOT NULL
);
CREATE TABLE public.webhook_task_items (
    task_id uuid NOT NULL,
    "position" integer NOT NULL,
    dead_letter_id uuid NOT NULL,
    stripe_event_id text NOT NULL,
    outcome text,
    round integer,
    note text
);
CREATE TABLE public.webhook_tasks (
    id uuid NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    arguments jsonb NOT NULL,
    cursor text,
    report jsonb,
    total_items integer,
    done_items integer DEFAULT 0 NOT NULL,
    step bigint DEFAULT 0 NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    actor text NOT NULL,
    actor_user_id text,
    reason text,
    request_id text,
    token_hash text,
    error_message text,
    due_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    completed_at timestamp with time zone,
    paused boolean DEFAULT false NOT NULL,
    CONSTRAINT webhook_tasks_status_check CHECK ((status = ANY (ARRAY['previewed'::text, 'pending'::text, 'running'::text, 'completed'::text, 'failed'::text, 'cancelled'::text])))
);
ALTER TABLE ONLY public.river_job ALTER COLUMN id SET DEFAULT nextval('public.river_job_id_seq'::regclass);
ALTER TABLE ONLY public.river_notification ALTER COLUMN id SET DEFAULT nextval('public.river_notification_id_seq'::regclass);
INSERT INTO public.quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (1, 0, true, '2026-11-29 15:12:37.481258');
INSERT INTO public.quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (2, 1, true, '2026-11-29 15:12:37.48905');
INSERT INTO public.quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (3, 2, true, '2026-11-29 15:12:37.512812');
INSERT INTO public.quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (4, 3, true, '2026-11-29 15:12:37.544789');
INSERT INTO public.quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (5, 4, true, '2026-11-29 15:12:37.558863');
INSERT INTO public.quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (6, 5, true, '2026-11-29 15:12:37.567879');
INSERT INTO public.quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (7, 6, true, '2026-11-29 15:12:37.578571');
INSERT INTO public.quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (8, 7, true, '2026-11-29 15:12:37.595377');
INSERT INTO public.quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (9, 8, true, '2026-11-29 15:12:37.617704');
INSERT INTO public.quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (10, 9, true, '2026-11-29 15:12:37.630277');
INSERT INTO public.quotekit_schema_version (id, version_id, is_applied, tstamp) VALUES (11, 10, true, '2026-11-29 15:12:37.633866');
INSERT INTO public.river_migration (line, version, created_at) VALUES ('main', 1, '2026-11-29 15:12:37.645325+00');
INSERT INTO public.river_migration (line, version, created_at) VALUES ('main', 2, '2026-11-29 15:12:37.651527+00');
INSERT INTO public.river_migration (line, version, created_at) VALUES ('main', 3, '2026-11-29 15:12:37.667194+00');
INSERT INTO public.river_migration (line, version, created_at) VALUES ('main', 4, '2026-11-29 15:12:37.668341+00');
INSERT INTO public.river_migration (line, version, created_at) VALUES ('main', 5, '2026-11-29 15:12:37.673378+00');
INSERT INTO public.river_migration (line, version, created_at) VALUES ('main', 6, '2026-11-29 15:12:37.687713+00');
INSERT INTO public.river_migration (line, version, created_at) VALUES ('main', 7, '2026-11-29 15:12:37.690337+00');
INSERT INTO public.river_migration (line, version, created_at) VALUES ('main', 8, '2026-11-29 15:12:37.69751+00');
SELECT pg_catalog.setval('public.quotekit_schema_version_id_seq', 12, true);
ALTER TABLE ONLY public.batch_job_inputs
    ADD CONSTRAINT batch_job_inputs_pkey PRIMARY KEY (job_id);
ALTER TABLE ONLY public.batch_job_items
    ADD CONSTRAINT batch_job_items_pkey PRIMARY KEY (job_id, "position");
ALTER TABLE ONLY public.batch_jobs
    ADD CONSTRAINT batch_jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.clients
    ADD CONSTRAINT clients_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dashboard_sessions
    ADD CONSTRAINT dashboard_sessions_pkey PRIMARY KEY (id_hash);
ALTER TABLE ONLY public.items
    ADD CONSTRAINT items_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.payment_methods
    ADD CONSTRAINT payment_methods_pkey PRIMARY KEY (account, livemode, stripe_payment_method_id);
ALTER TABLE ONLY public.quotekit_schema_version
    ADD CONSTRAINT quotekit_schema_version_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.quotes
    ADD CONSTRAINT quotes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.river_job
    ADD CONSTRAINT river_job_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.river_leader
    ADD CONSTRAINT river_leader_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.river_migration
    ADD CONSTRAINT river_migration_pkey1 PRIMARY KEY (line, version);
ALTER TABLE ONLY public.river_notification
    ADD CONSTRAINT river_notification_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.river_queue
    ADD CONSTRAINT river_queue_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.stripe_checkout_sessions
    ADD CONSTRAINT stripe_checkout_sessions_pkey PRIMARY KEY (account, livemode, stripe_checkout_session_id);
ALTER TABLE ONLY public.stripe_customers
    ADD CONSTRAINT stripe_customers_pkey PRIMARY KEY (account, livemode, stripe_customer_id);
ALTER TABLE ONLY public.stripe_invoices
    ADD CONSTRAINT stripe_invoices_pkey PRIMARY KEY (account, livemode, stripe_invoice_id);
ALTER TABLE ONLY public.stripe_objects
    ADD CONSTRAINT stripe_objects_pkey PRIMARY KEY (account, livemode, kind, object_id);
ALTER TABLE ONLY public.stripe_prices
    ADD CONSTRAINT stripe_prices_pkey PRIMARY KEY (account, livemode, stripe_price_id);
ALTER TABLE ONLY public.stripe_products
    ADD CONSTRAINT stripe_products_pkey PRIMARY KEY (account, livemode, stripe_product_id);
ALTER TABLE ONLY public.stripe_webhook_events
    ADD CONSTRAINT stripe_webhook_events_pkey PRIMARY KEY (stripe_event_id);
ALTER TABLE ONLY public.subscription_changes
    ADD CONSTRAINT subscription_changes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.subscription_items
    ADD CONSTRAINT subscription_items_pkey PRIMARY KEY (account, livemode, stripe_subscription_item_id);
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_pkey PRIMARY KEY (account, livemode, stripe_subscription_id);
ALTER TABLE ONLY public.webhook_alert_deliveries
    ADD CONSTRAINT webhook_alert_deliveries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_alert_evaluations
    ADD CONSTRAINT webhook_alert_evaluations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_alerts
    ADD CONSTRAINT webhook_alerts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_audit_chain
    ADD CONSTRAINT webhook_audit_chain_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_audit_trail
    ADD CONSTRAINT webhook_audit_trail_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_count_deltas
    ADD CONSTRAINT webhook_count_deltas_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_dead_letter_queue
    ADD CONSTRAINT webhook_dead_letter_queue_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_error_groups
    ADD CONSTRAINT webhook_error_groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_event_counts
    ADD CONSTRAINT webhook_event_counts_pkey PRIMARY KEY (granularity, event_type, bucket, status);
ALTER TABLE ONLY public.webhook_latencies
    ADD CONSTRAINT webhook_latencies_pkey PRIMARY KEY (granularity, event_type, bucket, writer);
ALTER TABLE ONLY public.webhook_performance_benchmarks
    ADD CONSTRAINT webhook_performance_benchmarks_pkey PRIMARY KEY (event_type);
ALTER TABLE ONLY public.webhook_processing_logs
    ADD CONSTRAINT webhook_processing_logs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_refusals
    ADD CONSTRAINT webhook_refusals_pkey PRIMARY KEY (bucket, code, writer);
ALTER TABLE ONLY public.webhook_task_items
    ADD CONSTRAINT webhook_task_items_pkey PRIMARY KEY (task_id, "position");
ALTER TABLE ONLY public.webhook_tasks
    ADD CONSTRAINT webhook_tasks_pkey PRIMARY KEY (id);
CREATE INDEX batch_jobs_completed_at_idx ON public.batch_jobs USING btree (completed_at);
CREATE INDEX batch_jobs_created_at_idx ON public.batch_jobs USING btree (created_at, id);
CREATE UNIQUE INDEX batch_jobs_idempotency_key ON public.batch_jobs USING btree (user_id, idempotency_key);
CREATE INDEX batch_jobs_operation_type_idx ON public.batch_jobs USING btree (operation_type, created_at, id);
CREATE INDEX batch_jobs_running_idx ON public.batch_jobs USING btree (created_at, id) WHERE (status = ANY (ARRAY['pending'::text, 'processing'::text]));
CREATE INDEX batch_jobs_status_idx ON public.batch_jobs USING btree (status, created_at, id);
CREATE INDEX batch_jobs_unfinished_idx ON public.batch_jobs USING btree (lease_until) WHERE (status = ANY (ARRAY['pending'::text, 'processing'::text]));
CREATE INDEX batch_jobs_user_id_idx ON public.batch_jobs USING btree (user_id, created_at);
CREATE INDEX clients_user_id_idx ON public.clients USING btree (user_id, created_at);
CREATE INDEX dashboard_sessions_expires_at_idx ON public.dashboard_sessions USING btree (expires_at);
CREATE INDEX items_user_id_idx ON public.items USING btree (user_id, created_at);
CREATE INDEX payment_methods_last_stripe_customer_id_idx ON public.payment_methods USING btree (last_stripe_customer_id, account, livemode);
CREATE INDEX payment_methods_user_id_idx ON public.payment_methods USING btree (user_id);
CREATE INDEX quotes_client_id_idx ON public.quotes USING btree (client_id);
CREATE INDEX quotes_user_id_idx ON public.quotes USING btree (user_id, created_at);
CREATE INDEX river_job_args_index ON public.river_job USING gin (args);
CREATE INDEX river_job_kind ON public.river_job USING btree (kind);
CREATE INDEX river_job_metadata_index ON public.river_job USING gin (metadata);
CREATE INDEX river_job_prioritized_fetching_index ON public.river_job USING btree (state, queue, priority, scheduled_at, id);
CREATE INDEX river_job_state_and_finalized_at_index ON public.river_job USING btree (state, finalized_at) WHERE (finalized_at IS NOT NULL);
CREATE UNIQUE INDEX river_job_unique_idx ON public.river_job USING btree (unique_key) WHERE ((unique_key IS NOT NULL) AND (unique_states IS NOT NULL) AND public.river_job_state_in_bitmask(unique_states, state));
CREATE INDEX river_notification_created_at_idx ON public.river_notification USING btree (created_at);
CREATE INDEX river_notification_topic_id_idx ON public.river_notification USING btree (topic, id);
CREATE INDEX stripe_checkout_sessions_stripe_customer_id_idx ON public.stripe_checkout_sessions USING btree (stripe_customer_id, account, livemode);
CREATE INDEX stripe_checkout_sessions_user_id_idx ON public.stripe_checkout_sessions USING btree (user_id);
CREATE INDEX stripe_customers_email_idx ON public.stripe_customers USING btree (substr(lower(email), 1, 150)) WHERE (email IS NOT NULL);
CREATE INDEX stripe_customers_user_id_idx ON public.stripe_customers USING btree (user_id);
CREATE INDEX stripe_invoices_charge_idx ON public.stripe_invoices USING btree (stripe_charge_id) WHERE (stripe_charge_id IS NOT NULL);
CREATE INDEX stripe_invoices_payment_intent_idx ON public.stripe_invoices USING btree (stripe_payment_intent_id) WHERE (stripe_payment_intent_id IS NOT NULL);
CREATE INDEX stripe_invoices_stripe_customer_id_idx ON public.stripe_invoices USING btree (stripe_customer_id, account, livemode);
CREATE INDEX stripe_invoices_user_id_idx ON public.stripe_invoices USING btree (user_id);
CREATE INDEX stripe_webhook_events_dead_idx ON public.stripe_webhook_events USING btree (received_at, stripe_event_id) WHERE (status = 'dead'::text);
CREATE INDEX stripe_webhook_events_next_attempt_at_idx ON public.stripe_webhook_events USING btree (next_attempt_at) WHERE (status = 'pending'::text);
CREATE INDEX stripe_webhook_events_object_idx ON public.stripe_webhook_events USING btree (object_id, event_created);
CREATE INDEX stripe_webhook_events_pending_idx ON public.stripe_webhook_events USING btree (received_at) WHERE (status = 'pending'::text);
CREATE INDEX stripe_webhook_events_received_at_idx ON public.stripe_webhook_events USING btree (received_at);
CREATE INDEX subscription_changes_subscription_idx ON public.subscription_changes USING btree (stripe_subscription_id, changed_at);
CREATE INDEX subscription_items_stripe_subscription_id_idx ON public.subscription_items USING btree (stripe_subscription_id);
CREATE INDEX subscriptions_stripe_customer_id_idx ON public.subscriptions USING btree (stripe_customer_id, account, livemode);
CREATE INDEX subscriptions_user_id_idx ON public.subscriptions USING btree (user_id);
CREATE INDEX webhook_alert_deliveries_created_at_idx ON public.webhook_alert_deliveries USING btree (created_at);
CREATE INDEX webhook_alert_deliveries_due_at_idx ON public.webhook_alert_deliveries USING btree (due_at) WHERE (status = 'pending'::text);
CREATE INDEX webhook_alert_deliveries_message_id_idx ON public.webhook_alert_deliveries USING btree (message_id);
CREATE INDEX webhook_alerts_resolved_at_idx ON public.webhook_alerts USING btree (resolved_at);
CREATE UNIQUE INDEX webhook_alerts_unresolved_key ON public.webhook_alerts USING btree (rule, subject) WHERE (resolved_at IS NULL);
CREATE INDEX webhook_audit_trail_action_idx ON public.webhook_audit_trail USING btree (action, id) WHERE (action <> 'event.delivered'::text);
CREATE INDEX webhook_audit_trail_actor_idx ON public.webhook_audit_trail USING btree (actor, id) WHERE (action <> 'event.delivered'::text);
CREATE INDEX webhook_audit_trail_acts_idx ON public.webhook_audit_trail USING btree (id) WHERE (action <> 'event.delivered'::text);
CREATE UNIQUE INDEX webhook_audit_trail_chain_key ON public.webhook_audit_trail USING btree (chain_sequence) WHERE (chain_sequence IS NOT NULL);
CREATE INDEX webhook_audit_trail_request_id_idx ON public.webhook_audit_trail USING btree (request_id) WHERE (action <> 'event.delivered'::text);
CREATE INDEX webhook_audit_trail_stripe_event_id_idx ON public.webhook_audit_trail USING btree (stripe_event_id);
CREATE INDEX webhook_audit_trail_target_idx ON public.webhook_audit_trail USING btree (target, id) WHERE (action <> 'event.delivered'::text);
CREATE INDEX webhook_dead_letter_queue_error_class_idx ON public.webhook_dead_letter_queue USING btree (substr(error_class, 1, 150), last_failed_at, id) WHERE (resolved IS NOT TRUE);
CREATE INDEX webhook_dead_letter_queue_event_type_idx ON public.webhook_dead_letter_queue USING btree (substr(event_type, 1, 150), last_failed_at, id) WHERE (resolved IS NOT TRUE);
CREATE INDEX webhook_dead_letter_queue_failure_reason_idx ON public.webhook_dead_letter_queue USING btree (substr(failure_reason, 1, 150), last_failed_at, id) WHERE (resolved IS NOT TRUE);
CREATE INDEX webhook_dead_letter_queue_group_idx ON public.webhook_dead_letter_queue USING btree ((((((substr(event_type, 1, 150) || '|'::text) || substr(failure_reason, 1, 150)) || '|'::text) || substr(COALESCE(error_class, ''::text), 1, 150))), last_failed_at, id) WHERE (resolved IS NOT TRUE);
CREATE INDEX webhook_dead_letter_queue_last_failed_at_idx ON public.webhook_dead_letter_queue USING btree (last_failed_at);
CREATE INDEX webhook_dead_letter_queue_next_retry_at_idx ON public.webhook_dead_letter_queue USING btree (next_retry_at) WHERE (next_retry_at IS NOT NULL);
CREATE INDEX webhook_dead_letter_queue_open_idx ON public.webhook_dead_letter_queue USING btree (last_failed_at, id) WHERE (resolved IS NOT TRUE);
CREATE INDEX webhook_dead_letter_queue_stripe_event_id_idx ON public.webhook_dead_letter_queue USING btree (stripe_event_id);
CREATE UNIQUE INDEX webhook_error_groups_group_key_key ON public.webhook_error_groups USING btree (group_key);
CREATE INDEX webhook_error_groups_resolved_at_idx ON public.webhook_error_groups USING btree (resolved_at) WHERE (resolved_at IS NOT NULL);
CREATE INDEX webhook_processing_logs_created_at_idx ON public.webhook_processing_logs USING btree (created_at);
CREATE INDEX webhook_processing_logs_source_idx ON public.webhook_processing_logs USING btree (created_at) WHERE (source IS NOT NULL);
CREATE INDEX webhook_processing_logs_stripe_event_id_idx ON public.webhook_processing_logs USING btree (stripe_event_id);
CREATE INDEX webhook_tasks_created_at_idx ON public.webhook_tasks USING btree (created_at);
CREATE INDEX webhook_tasks_due_at_idx ON public.webhook_tasks USING btree (due_at) WHERE (status = ANY (ARRAY['pending'::text, 'running'::text]));
CREATE UNIQUE INDEX webhook_tasks_one_at_a_time_key ON public.webhook_tasks USING btree (kind) WHERE ((kind = ANY (ARRAY['reconcile'::text, 'backfill'::text])) AND (status = ANY (ARRAY['pending'::text, 'running'::text])));
CREATE UNIQUE INDEX webhook_tasks_token_hash_key ON public.webhook_tasks USING btree (token_hash);
CREATE TRIGGER webhook_audit_trail_append_only BEFORE DELETE OR UPDATE ON public.webhook_audit_trail FOR EACH ROW EXECUTE FUNCTION public.webhook_audit_trail_is_append_only();
CREATE TRIGGER webhook_audit_trail_no_truncate BEFORE TRUNCATE ON public.webhook_audit_trail FOR EACH STATEMENT EXECUTE FUNCTION public.webhook_audit_trail_is_append_only();
ALTER TABLE ONLY public.quotes
    ADD CONSTRAINT quotes_client_id_fkey FOREIGN KEY (client_id) REFERENCES public.clients(id) ON DELETE SET NULL;
COMMIT;
