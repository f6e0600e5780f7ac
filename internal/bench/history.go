package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

// History is a past as it would be after Days days.
type History struct {
	// Events of 1 kB, spread evenly over the days before Until, the last of them
	// pending. One in a thousand is dead and has a letter.
	Events int
	Days   int
	Until  time.Time
	// Logs is how many rows of webhook_processing_logs there are; none if it is zero.
	Logs int
	// Trail adds a line of the audit trail for each event; one in a thousand is an
	// operator's. Jobs is how many bulk operations there are.
	Trail bool
	Jobs  int
	// Histogram is what times are like in every hour and day, and MinuteHistogram, if
	// it is not empty, in every minute; see package histogram.
	Histogram, MinuteHistogram string
}

// eventTypes are those of a history. The first are the most frequent.
var eventTypes = []string{
	"invoice.paid", "invoice.payment_succeeded", "customer.subscription.updated", "checkout.session.completed",
	"customer.updated", "payment_method.attached", "setup_intent.succeeded", "customer.subscription.created",
	"customer.created", "invoice.payment_failed", "charge.succeeded", "charge.updated", "payment_intent.succeeded",
	"payment_intent.created", "invoice.created", "invoice.finalized", "customer.subscription.deleted", "price.updated",
	"product.updated", "price.created", "product.created", "payment_method.detached", "customer.deleted",
	"invoice.voided", "checkout.session.async_payment_failed",
}

// pendingEvents is how many of the last events are pending.
const pendingEvents = 40

// fillPiece is how many events one statement makes.
const fillPiece = 250_000

// Fill makes a history in SQL, which is far faster than to deliver it: events with
// their counts and times, dead letters, and logs. The tables are there, and empty.
func (h History) Fill(ctx context.Context, s *store.Store) error {
	until := h.Until.UTC().Truncate(time.Minute)
	began := until.Add(-time.Duration(h.Days) * 24 * time.Hour)
	f := filler{store: s, words: sqliteWords}
	if s.Postgres() {
		f.words = postgresWords
	}
	f.words = append(slices.Clone(f.words),
		"{types}", "("+strings.Join(typeRows(), "), (")+")",
		"{events}", fmt.Sprint(h.Events),
		"{pending}", fmt.Sprint(pendingEvents),
		"{began}", fmt.Sprint(began.Unix()),
		"{span}", fmt.Sprint(int64(until.Sub(began)/time.Second)),
		"{histogram}", fmt.Sprintf("CASE WHEN granularity = 'minute' THEN '%s' ELSE '%s' END", cmp.Or(h.MinuteHistogram, h.Histogram), h.Histogram),
		"{slowest}", slowestText(began),
		"{logs}", fmt.Sprint(max(h.Logs, 1)),
		"{jobs}", fmt.Sprint(max(h.Jobs, 1)),
	)
	f.pieces(ctx, fillEvents, h.Events)
	f.exec(ctx, fillLetters)
	f.exec(ctx, fillMinutes)
	f.exec(ctx, fillAllTypes)
	for granularity, bucket := range map[string]string{"hour": "{hour}", "day": "{day}", "ever": "{ever}"} {
		f.exec(ctx, fillLonger, "{granularity}", granularity, "{longer}", bucket)
	}
	f.exec(ctx, fillTimes)
	f.pieces(ctx, fillLogs, h.Logs)
	if h.Trail {
		f.pieces(ctx, fillTrail, h.Events)
	}
	f.pieces(ctx, fillJobs, h.Jobs)
	if f.err == nil {
		f.err = vacuum(ctx, s, "stripe_webhook_events", "webhook_dead_letter_queue", "webhook_event_counts", "webhook_latencies",
			"webhook_processing_logs", "webhook_audit_trail", "batch_jobs")
	}
	return f.err
}

// filler runs statements of both engines, in which what differs is a word in braces,
// until one fails.
type filler struct {
	store *store.Store
	words []string
	err   error
}

func (f *filler) exec(ctx context.Context, text string, words ...string) {
	if f.err != nil {
		return
	}
	all := slices.Concat(words, f.words)
	for range 3 { // a word may stand in a word
		text = strings.NewReplacer(all...).Replace(text)
	}
	if _, err := f.store.Writer().ExecContext(ctx, text); err != nil {
		f.err = fmt.Errorf("fill a history: %w\n%.2000s", err, text)
	}
}

// pieces runs a statement for the rows from 1 to n, so many at a time.
func (f *filler) pieces(ctx context.Context, text string, n int) {
	for first := 1; first <= n; first += fillPiece {
		f.exec(ctx, text, "{first}", fmt.Sprint(first), "{last}", fmt.Sprint(min(first+fillPiece-1, n)))
	}
}

func typeRows() []string {
	rows := make([]string, len(eventTypes))
	for i, name := range eventTypes {
		rows[i] = fmt.Sprintf("%d, '%s'", i, name)
	}
	return rows
}

// slowestText is what the slowest events of every bucket are.
func slowestText(at time.Time) string {
	events := make([]string, 5)
	for i := range events {
		events[i] = fmt.Sprintf(`{"stripe_event_id":"evt_%d","event_type":"invoice.paid","took_ms":%d,"at":"%s"}`, i+1, 400-i, at.Format(time.RFC3339))
	}
	return "[" + strings.Join(events, ",") + "]"
}

var postgresWords = []string{
	"{numbers}", "numbers AS (SELECT n FROM generate_series({first}::BIGINT, {last}) AS n)",
	"{at}", "to_timestamp({began} + (n - 1) * {span}::BIGINT / {events})",
	"{millis}", "(({began} + (n - 1) * {span}::BIGINT / {events}) * 1000)",
	"{auditid}", "(lpad(to_hex({millis} >> 16), 8, '0') || '-' || lpad(to_hex({millis} & 65535), 4, '0') || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::UUID",
	"{submitted}", "to_timestamp({began} + (n - 1) * {span}::BIGINT / {jobs})",
	"{user}", "('0b7a2f3e-1c5d-4e6f-8a9b-' || lpad(to_hex(n % 100), 12, '0'))::UUID",
	"{logid}", "{uuid}",
	"{logged}", "to_timestamp({began} + (n - 1) * {span}::BIGINT / {logs})",
	"{payload}", "convert_to('{\"id\":\"evt_' || n || '\",' || repeat('x', 1000) || '}', 'UTF8')",
	"{minute}", "date_trunc('minute', received_at, 'UTC')",
	"{hour}", "date_trunc('hour', bucket, 'UTC')",
	"{day}", "date_trunc('day', bucket, 'UTC')",
	"{ever}", "to_timestamp(0)",
	"{uuid}", "gen_random_uuid()",
	"{false}", "FALSE",
	"{writer}", "'0192f4a0-0000-7000-8000-000000000000'::UUID",
}

var sqliteWords = []string{
	"{numbers}", "RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})",
	"{at}", "strftime('%Y-%m-%d %H:%M:%S', {began} + (n - 1) * {span} / {events}, 'unixepoch') || '+00:00'",
	"{millis}", "(({began} + (n - 1) * {span} / {events}) * 1000)",
	"{auditid}", "printf('%08x-%04x-7000-8000-%012x', {millis} >> 16, {millis} & 65535, n)",
	"{submitted}", "strftime('%Y-%m-%d %H:%M:%S', {began} + (n - 1) * {span} / {jobs}, 'unixepoch') || '+00:00'",
	"{user}", "printf('0b7a2f3e-1c5d-4e6f-8a9b-%012x', n % 100)",
	"{logid}", "printf('%08x-%04x-7000-8000-%012x', {logmillis} >> 16, {logmillis} & 65535, n)", // they stand for the time
	"{logmillis}", "(({began} + (n - 1) * {span} / {logs}) * 1000)",
	"{logged}", "strftime('%Y-%m-%d %H:%M:%S', {began} + (n - 1) * {span} / {logs}, 'unixepoch') || '+00:00'",
	"{payload}", "CAST('{\"id\":\"evt_' || n || '\",' || printf('%.1000c', 'x') || '}' AS BLOB)",
	"{minute}", "substr(received_at, 1, 16) || ':00+00:00'",
	"{hour}", "substr(bucket, 1, 13) || ':00:00+00:00'",
	"{day}", "substr(bucket, 1, 10) || ' 00:00:00+00:00'",
	"{ever}", "'1970-01-01 00:00:00+00:00'",
	"{uuid}", "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-7' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))",
	"{false}", "0",
	"{writer}", "'0192f4a0-0000-7000-8000-000000000000'",
}

const fillEvents = `
INSERT INTO stripe_webhook_events (stripe_event_id, event_type, livemode, object_id, event_created, status, attempts,
  deliveries, payload, received_at, processed_at, failure_reason, next_attempt_at)
WITH {numbers}, types (i, name) AS (VALUES {types}), drawn AS (
  SELECT n, (n * 7919 % 10007) * (n * 7919 % 10007) / 10007 * 25 / 10007 AS i FROM numbers
)
SELECT 'evt_' || n, name, {false}, 'obj_' || (n % (1 + {events} / 10)), {at},
  CASE WHEN n > {events} - {pending} THEN 'pending' WHEN n % 1000 = 7 THEN 'dead' WHEN n % 50 = 3 THEN 'ignored' ELSE 'succeeded' END,
  1, 1, {payload}, {at}, {at}, CASE WHEN n % 1000 = 7 THEN 'HANDLER_REJECTED' END, {at}
FROM drawn
JOIN types ON types.i = drawn.i`

const fillLetters = `
INSERT INTO webhook_dead_letter_queue (id, stripe_event_id, event_type, event_data, failure_reason, failure_count,
  first_failed_at, last_failed_at, requires_manual_review, resolved)
SELECT {uuid}, stripe_event_id, event_type, '{}', failure_reason, 1, received_at, received_at, NOT {false}, {false}
FROM stripe_webhook_events
WHERE status = 'dead'`

const fillMinutes = `
INSERT INTO webhook_event_counts (granularity, event_type, bucket, status, events, last_at)
SELECT 'minute', event_type, {minute}, status, COUNT(*), MAX(received_at)
FROM stripe_webhook_events
GROUP BY 1, 2, 3, 4`

const fillAllTypes = `
INSERT INTO webhook_event_counts (granularity, event_type, bucket, status, events, last_at)
SELECT granularity, '', bucket, status, SUM(events), MAX(last_at)
FROM webhook_event_counts
GROUP BY 1, 2, 3, 4`

const fillLonger = `
INSERT INTO webhook_event_counts (granularity, event_type, bucket, status, events, last_at)
SELECT '{granularity}', event_type, {longer}, status, SUM(events), MAX(last_at)
FROM webhook_event_counts
WHERE granularity = 'minute'
GROUP BY 1, 2, 3, 4`

const fillTimes = `
INSERT INTO webhook_latencies (granularity, event_type, bucket, writer, samples, sum_us, max_us, total_histogram,
  handle_histogram, wait_histogram, commit_histogram, slowest)
SELECT granularity, event_type, bucket, {writer}, SUM(events), 1000 * SUM(events), 400000, {histogram}, {histogram},
  {histogram}, {histogram}, '{slowest}'
FROM webhook_event_counts
WHERE granularity <> 'ever' AND status IN ('succeeded', 'ignored')
GROUP BY 1, 2, 3`

const fillLogs = `
INSERT INTO webhook_processing_logs (id, stripe_event_id, event_type, processing_stage, status, handler_name,
  execution_time_ms, retry_attempt, metadata, created_at)
WITH {numbers}
SELECT {logid}, 'evt_' || (1 + n % {events}), 'invoice.paid', 'completed', 'succeeded', 'payment', n % 200, 0,
  '{"stage_us": {"handle": 100, "wait": 200, "commit": 3000}}', {logged}
FROM numbers`

const fillTrail = `
INSERT INTO webhook_audit_trail (id, at, actor, action, stripe_event_id, target, request_id)
WITH {numbers}
SELECT {auditid}, {at}, CASE WHEN n % 1000 = 11 THEN 'ada' ELSE 'stripe' END,
  CASE WHEN n % 1000 = 11 THEN 'event.replay' ELSE 'event.delivered' END, 'evt_' || n, 'obj_' || (n % (1 + {events} / 10)), 'req_' || n
FROM numbers`

const fillJobs = `
INSERT INTO batch_jobs (id, user_id, operation_type, total_items, processed_items, status, request_id, created_at, started_at)
WITH {numbers}
SELECT {uuid}, {user}, CASE WHEN n % 100 = 3 THEN 'export_quotes' ELSE 'delete_quotes' END, 1000, 500,
  CASE WHEN n % 1000 = 7 THEN 'processing' WHEN n % 100 = 5 THEN 'failed' ELSE 'completed' END, 'r', {submitted}, {submitted}
FROM numbers`
