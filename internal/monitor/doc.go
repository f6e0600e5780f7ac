// Package monitor shows people who look after the service what is going on, and
// lets them act: as JSON under /v1/monitor here, as pages in package dashboard,
// which is the room next door. Both ask the same [Reads], so they cannot disagree.
// It reads through the store and acts through an [Operator]; it decides nothing
// itself.
//
// # Where figures come from
//
//	what is shown               read from
//	events by type and state    webhook_event_counts: exact, by minute, hour and day of receipt
//	times                       webhook_latencies: histograms, by minute, hour and day, a moment late
//	refused requests            webhook_refusals: by minute and code, a moment late
//	what waits, what is dead    partial indexes over what is pending, and not resolved
//	lists                       the tables themselves, by keyset
//
// Counts are exact: a transaction that decides events adds one row to
// webhook_count_deltas with what it changes, and every second these rows are folded
// into the counts. An event counts in the minute it was received in, under its
// present state, however often it was delivered or attempted. Times are telemetry:
// each process adds up its own histograms and writes them beside the logs.
//
// A range of time is whole minutes: its beginning is rounded down, its end up.
// Whole days and hours in it are read from the buckets of days and hours.
package monitor
