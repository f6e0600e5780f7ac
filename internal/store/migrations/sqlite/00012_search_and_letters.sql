-- +goose Up

-- A request that delivered an event is found by its id. Ids of our own say when they
-- were made, and need no index: they have 30 characters and begin with req_0. This one
-- has those that came with the request.
CREATE INDEX webhook_audit_trail_delivered_request_idx
  ON webhook_audit_trail (request_id)
  WHERE action = 'event.delivered' AND NOT (length(request_id) = 30 AND substr(request_id, 1, 5) = 'req_0');

-- What is known of connected accounts is found by its id alone. Without any these
-- indexes have no entry.
CREATE INDEX stripe_customers_connected_idx
  ON stripe_customers (stripe_customer_id, account, livemode) WHERE account <> '';
CREATE INDEX stripe_products_connected_idx
  ON stripe_products (stripe_product_id, account, livemode) WHERE account <> '';
CREATE INDEX stripe_prices_connected_idx
  ON stripe_prices (stripe_price_id, account, livemode) WHERE account <> '';
CREATE INDEX subscriptions_connected_idx
  ON subscriptions (stripe_subscription_id, account, livemode) WHERE account <> '';
CREATE INDEX subscription_items_connected_idx
  ON subscription_items (stripe_subscription_item_id, account, livemode) WHERE account <> '';
CREATE INDEX stripe_invoices_connected_idx
  ON stripe_invoices (stripe_invoice_id, account, livemode) WHERE account <> '';
CREATE INDEX payment_methods_connected_idx
  ON payment_methods (stripe_payment_method_id, account, livemode) WHERE account <> '';
CREATE INDEX stripe_checkout_sessions_connected_idx
  ON stripe_checkout_sessions (stripe_checkout_session_id, account, livemode) WHERE account <> '';
