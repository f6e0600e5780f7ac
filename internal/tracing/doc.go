// Package tracing owns the traces that an OpenTelemetry collector is sent.
//
// # What a trace is
//
//	POST /webhooks/stripe                    a request
//	├─ handle                                its handler, with the check of the signature
//	├─ wait                                  for the group under way
//	└─ commit ┄┄┄ link ┄┄┄ settle group      the transaction, shared by up to 128 events
//	                       ├─ INSERT …       its statements (Postgres)
//	job webhook_attempt                      later, if the event is attempted again
//	└─ …
//
// A group of one event is part of its request's trace. One of many is a trace of its
// own, which its requests link to, and which links to them. A job goes on with the
// trace of the request that inserted it: its traceparent stands in the job's metadata.
// Jobs that nobody asked for, such as the periodic ones, are not traced.
//
// # Whose traces are continued
//
// Anybody can send a traceparent header. It is taken as the parent only from addresses
// that are trusted; a request of anybody else begins a trace, with a link to what it
// named. Deliveries of Stripe's are such.
//
// # What is in them
//
// Ids, types, states and times; SQL with its placeholders, never with values; of errors
// their class, never their text. So a trace holds nothing that a log may not.
//
// # What it costs
//
// Nothing without an endpoint: spans are then those of the API's own no-op. With one,
// OTEL_TRACES_SAMPLER decides (parentbased_always_on if it is not set), and what the
// collector does not take in time is dropped, never waited for.
package tracing
