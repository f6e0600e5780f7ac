-- +goose Up

-- A request that delivered an event is found by its id. Ids of our own say when they
-- were made, and need no index: they have 30 characters and begin with req_0. This one
-- has those that came with the request.
CREATE INDEX IF NOT EXISTS webhook_audit_trail_delivered_request_idx
  ON webhook_audit_trail (request_id)
  WHERE action = 'event.delivered' AND NOT (length(request_id) = 30 AND substr(request_id, 1, 5) = 'req_0');

-- What is known of connected accounts is found by its id alone. Without any these
-- indexes have no entry.
CREATE INDEX IF NOT EXISTS stripe_customers_connected_idx
  ON stripe_customers (stripe_customer_id, account, livemode) WHERE account <> '';
CREATE INDEX IF NOT EXISTS stripe_products_connected_idx
  ON stripe_products (stripe_product_id, account, livemode) WHERE account <> '';
CREATE INDEX IF NOT EXISTS stripe_prices_connected_idx
  ON stripe_prices (stripe_price_id, account, livemode) WHERE account <> '';
CREATE INDEX IF NOT EXISTS subscriptions_connected_idx
  ON subscriptions (stripe_subscription_id, account, livemode) WHERE account <> '';
CREATE INDEX IF NOT EXISTS subscription_items_connected_idx
  ON subscription_items (stripe_subscription_item_id, account, livemode) WHERE account <> '';
CREATE INDEX IF NOT EXISTS stripe_invoices_connected_idx
  ON stripe_invoices (stripe_invoice_id, account, livemode) WHERE account <> '';
CREATE INDEX IF NOT EXISTS payment_methods_connected_idx
  ON payment_methods (stripe_payment_method_id, account, livemode) WHERE account <> '';
CREATE INDEX IF NOT EXISTS stripe_checkout_sessions_connected_idx
  ON stripe_checkout_sessions (stripe_checkout_session_id, account, livemode) WHERE account <> '';

-- Puts an event into the dead letter queue, for a person to decide, and returns the
-- id of its letter. An event that lies there already has failed once more. One that
-- the service has kept and not completed is dead from then on; one that was
-- completed is refused. Letters, groups and the audit trail then say the same as if
-- the service had buried it.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION send_to_dead_letter_queue(
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
  micros CONSTANT BIGINT := (EXTRACT(EPOCH FROM at) * 1000000)::BIGINT;
  event RECORD;
  was RECORD;
  letter RECORD;
  stood BOOLEAN;
  touched RECORD;
BEGIN
  IF COALESCE(p_stripe_event_id, '') = '' OR COALESCE(p_failure_reason, '') = '' OR COALESCE(p_failure_count, 0) < 1 THEN
    RAISE EXCEPTION 'a dead letter needs an event id, a reason, and a count of 1 or more'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- In the order of locking: events, then letters, then groups.
  UPDATE stripe_webhook_events AS e
  SET status = 'dead', processed_at = at, error_message = p_error_message, failure_reason = p_failure_reason,
    next_attempt_at = NULL, previous_status = e.status
  WHERE e.stripe_event_id = p_stripe_event_id AND e.status = 'pending'
  RETURNING left(e.event_type, 255) AS event_type, e.received_at INTO event;
  stood := FOUND;
  IF stood THEN
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
  SELECT d.event_type, d.failure_reason, COALESCE(d.error_class, '') AS error_class, d.first_failed_at, d.last_failed_at,
    d.resolved IS NOT TRUE AS open INTO was
  FROM webhook_dead_letter_queue AS d
  WHERE d.id = webhook_dead_letter_id(p_stripe_event_id)
  FOR UPDATE;
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
  RETURNING id, event_type, failure_reason, COALESCE(error_class, '') AS error_class INTO letter;
  -- The group that it joins begins, unless it is there; the one that it leaves is
  -- locked, and resolved if it has no letter left. In the order of their ids.
  FOR touched IN
    WITH groups AS (
      SELECT substr(letter.event_type, 1, 150) AS event_type, substr(letter.failure_reason, 1, 150) AS failure_reason,
        substr(letter.error_class, 1, 150) AS error_class, at AS first_failed_at, at AS last_failed_at, FALSE AS leaves
      UNION ALL
      SELECT substr(was.event_type, 1, 150), substr(was.failure_reason, 1, 150), substr(was.error_class, 1, 150),
        COALESCE(was.first_failed_at, at), COALESCE(was.last_failed_at, at), TRUE
      WHERE was.open
    ), keyed AS (
      SELECT g.*, g.event_type || '|' || g.failure_reason || '|' || g.error_class AS group_key
      FROM groups AS g
    )
    SELECT k.*, left(encode(sha256(convert_to(k.group_key, 'UTF8')), 'hex'), 16) AS id
    FROM keyed AS k
    WHERE NOT k.leaves OR k.group_key <> (SELECT j.group_key FROM keyed AS j WHERE NOT j.leaves)
    ORDER BY id
  LOOP
    INSERT INTO webhook_error_groups AS g (id, group_key, event_type, failure_reason, error_class, first_failed_at, last_failed_at)
    VALUES (touched.id, touched.group_key, touched.event_type, touched.failure_reason, touched.error_class,
      touched.first_failed_at, touched.last_failed_at)
    ON CONFLICT (id) DO NOTHING;
    CONTINUE WHEN NOT touched.leaves;
    UPDATE webhook_error_groups AS g
    SET last_failed_at = greatest(g.last_failed_at, touched.last_failed_at)
    WHERE g.id = touched.id;
    UPDATE webhook_error_groups AS g
    SET resolved_at = at
    WHERE g.id = touched.id AND NOT EXISTS (
      SELECT 1
      FROM webhook_dead_letter_queue AS d
      WHERE d.resolved IS NOT TRUE AND
        (substr(d.event_type, 1, 150) || '|' || substr(d.failure_reason, 1, 150) || '|' || substr(COALESCE(d.error_class, ''), 1, 150))
          = touched.group_key);
  END LOOP;
  -- The id is a UUIDv7 that ascends within a millisecond, too, as the service makes it.
  -- It is no act of an operator, so it is not in the chain.
  INSERT INTO webhook_audit_trail (id, at, actor, action, stripe_event_id, target, "before", "after")
  VALUES (
    (lpad(to_hex(micros / 1000), 12, '0') || '7' || lpad(to_hex(micros % 1000), 3, '0') || '8'
      || right(replace(gen_random_uuid()::TEXT, '-', ''), 15))::UUID,
    at, 'send_to_dead_letter_queue', 'dead_letter.sent', p_stripe_event_id, letter.id::TEXT,
    CASE WHEN stood THEN '{"status": "pending"}'::JSONB END,
    jsonb_build_object('status', 'dead', 'failure_reason', left(p_failure_reason, 150), 'failure_count', p_failure_count));
  RETURN letter.id;
END
$$;
-- +goose StatementEnd
