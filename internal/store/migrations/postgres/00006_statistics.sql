-- +goose Up

-- What the event was before the statement that changed it last, so that this
-- statement can return it: it is what counts are changed by.
ALTER TABLE stripe_webhook_events ADD COLUMN IF NOT EXISTS previous_status TEXT;

CREATE INDEX IF NOT EXISTS stripe_webhook_events_pending_idx
  ON stripe_webhook_events (received_at) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS webhook_dead_letter_queue_open_idx
  ON webhook_dead_letter_queue (last_failed_at, id) WHERE resolved IS NOT TRUE;

-- What transactions have changed in how events stand, until it is folded into the
-- counts. A row a transaction: two of them never meet here.
CREATE TABLE IF NOT EXISTS webhook_count_deltas (
  id UUID NOT NULL PRIMARY KEY,
  at TIMESTAMPTZ NOT NULL,
  counts TEXT NOT NULL
);

-- Events by the time they were received and by their present state. An empty
-- event_type is all types together; 'ever' is one bucket for all time.
CREATE TABLE IF NOT EXISTS webhook_event_counts (
  granularity TEXT NOT NULL CHECK (granularity IN ('minute', 'hour', 'day', 'ever')),
  event_type TEXT NOT NULL,
  bucket TIMESTAMPTZ NOT NULL,
  status TEXT NOT NULL,
  events BIGINT NOT NULL,
  last_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (granularity, event_type, bucket, status)
);

INSERT INTO webhook_event_counts (granularity, event_type, bucket, status, events, last_at)
WITH minutes AS (
  SELECT left(event_type, 255) AS event_type, date_trunc('minute', received_at, 'UTC') AS bucket, status,
    COUNT(*) AS events, MAX(received_at) AS last_at
  FROM stripe_webhook_events
  GROUP BY 1, 2, 3
), types AS (
  SELECT event_type, bucket, status, events, last_at FROM minutes
  UNION ALL
  SELECT '', bucket, status, events, last_at FROM minutes
), buckets AS (
  SELECT 'minute' AS granularity, event_type, bucket, status, events, last_at FROM types
  UNION ALL
  SELECT 'hour', event_type, date_trunc('hour', bucket, 'UTC'), status, events, last_at FROM types
  UNION ALL
  SELECT 'day', event_type, date_trunc('day', bucket, 'UTC'), status, events, last_at FROM types
  UNION ALL
  SELECT 'ever', event_type, TIMESTAMPTZ '1970-01-01 00:00:00+00', status, events, last_at FROM types
)
SELECT granularity, event_type, bucket, status, SUM(events)::BIGINT, MAX(last_at)
FROM buckets
GROUP BY granularity, event_type, bucket, status
ON CONFLICT (granularity, event_type, bucket, status) DO NOTHING;

-- How long events took, by the time they were completed. Each run of a process
-- has rows of its own (writer); whoever reads adds them up.
CREATE TABLE IF NOT EXISTS webhook_latencies (
  granularity TEXT NOT NULL CHECK (granularity IN ('minute', 'hour', 'day')),
  event_type TEXT NOT NULL,
  bucket TIMESTAMPTZ NOT NULL,
  writer UUID NOT NULL,
  samples BIGINT NOT NULL,
  sum_us BIGINT NOT NULL,
  max_us BIGINT NOT NULL,
  total_histogram TEXT NOT NULL,
  handle_histogram TEXT NOT NULL,
  wait_histogram TEXT NOT NULL,
  commit_histogram TEXT NOT NULL,
  slowest TEXT NOT NULL,
  PRIMARY KEY (granularity, event_type, bucket, writer)
);

-- Requests to the webhook that were refused, by minute and code.
CREATE TABLE IF NOT EXISTS webhook_refusals (
  bucket TIMESTAMPTZ NOT NULL,
  code TEXT NOT NULL,
  writer UUID NOT NULL,
  requests BIGINT NOT NULL,
  PRIMARY KEY (bucket, code, writer)
);

-- Who wrote a row, if it was not the service: what others record through
-- record_webhook_stage is in no other figure.
ALTER TABLE webhook_processing_logs ADD COLUMN IF NOT EXISTS source TEXT;
CREATE INDEX IF NOT EXISTS webhook_processing_logs_source_idx
  ON webhook_processing_logs (created_at) WHERE source IS NOT NULL;

-- The functions of the user's document. It does not tell their arguments, so those
-- of another shape go: two of one name could not be called.
-- +goose StatementBegin
DO $$
DECLARE
  older REGPROCEDURE;
BEGIN
  FOR older IN
    SELECT p.oid
    FROM pg_proc AS p
    JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = current_schema()
      AND p.proname IN ('record_webhook_stage', 'send_to_dead_letter_queue', 'get_webhook_performance_summary',
        'webhook_dead_letter_id')
  LOOP
    EXECUTE format('DROP FUNCTION %s', older);
  END LOOP;
END
$$;
-- +goose StatementEnd

-- Adds a row to the processing logs.
-- +goose StatementBegin
CREATE FUNCTION record_webhook_stage(
  p_stripe_event_id TEXT,
  p_event_type TEXT,
  p_stage TEXT,
  p_status TEXT,
  p_execution_time_ms INTEGER DEFAULT NULL,
  p_error_message TEXT DEFAULT NULL,
  p_handler_name TEXT DEFAULT NULL,
  p_metadata JSONB DEFAULT '{}'
)
RETURNS UUID
LANGUAGE sql
SET search_path FROM CURRENT
AS $$
  INSERT INTO webhook_processing_logs (id, stripe_event_id, event_type, processing_stage, status, handler_name,
    execution_time_ms, error_message, metadata, created_at, source)
  VALUES (gen_random_uuid(), p_stripe_event_id, p_event_type, p_stage, p_status, p_handler_name,
    p_execution_time_ms, p_error_message, COALESCE(p_metadata, '{}'), clock_timestamp(), 'record_webhook_stage')
  RETURNING id
$$;
-- +goose StatementEnd

-- The id of the one dead letter of an event, as the service derives it: a UUID of
-- version 5. Postgres has no SHA-1 of its own.
-- +goose StatementBegin
CREATE FUNCTION webhook_dead_letter_id(p_stripe_event_id TEXT)
RETURNS UUID
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
-- +goose StatementEnd

-- Puts an event into the dead letter queue, for a person to decide, and returns the
-- id of its letter. An event that lies there already has failed once more. One that
-- the service has kept and not completed is dead from then on; one that was
-- completed is refused.
-- +goose StatementBegin
CREATE FUNCTION send_to_dead_letter_queue(
  p_stripe_event_id TEXT,
  p_event_type TEXT,
  p_event_data JSONB,
  p_failure_reason TEXT,
  p_failure_count INTEGER DEFAULT 1,
  p_error_message TEXT DEFAULT NULL
)
RETURNS UUID
LANGUAGE plpgsql
SET search_path FROM CURRENT
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
-- +goose StatementEnd

-- What the last days were like, by event type. An event counts once, under its
-- present state, however often it was delivered or attempted. Events that others
-- recorded, and that the service does not have, are in the state recorded last.
-- +goose StatementBegin
CREATE FUNCTION get_webhook_performance_summary(p_days_back INTEGER DEFAULT 7)
RETURNS TABLE (
  event_type TEXT,
  avg_processing_time_ms REAL,
  p95_processing_time_ms REAL,
  total_events BIGINT,
  successful_events BIGINT,
  failed_events BIGINT,
  success_rate REAL,
  error_rate REAL,
  baseline_time_ms INTEGER,
  target_time_ms INTEGER,
  improvement_percent REAL
)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
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
-- +goose StatementEnd
