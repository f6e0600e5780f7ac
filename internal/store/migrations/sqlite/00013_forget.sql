-- +goose Up

-- The customer of events that leave no row of the mirror behind by which they could be
-- found when the customer is to be forgotten: without a route, failed, or about an object
-- that is not mirrored. Others have none, and no entry in the index.
ALTER TABLE stripe_webhook_events ADD COLUMN customer_id TEXT;
CREATE INDEX stripe_webhook_events_customer_id_idx
  ON stripe_webhook_events (customer_id, stripe_event_id) WHERE customer_id IS NOT NULL;
