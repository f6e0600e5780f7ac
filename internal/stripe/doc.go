// Package stripe knows Stripe and is the only package that does: the signature
// header of a webhook, the envelope of an event, the JSON of the objects in it,
// and the API.
//
// The life of a request body: [VerifySignature] decides whether Stripe sent it,
// [ParseEvent] reads the envelope in one validating pass and leaves the object
// as bytes, and one of the Decode functions turns these bytes into a row of the
// mirror. They also give the row as it
// was before an update.
//
// The decoders read every shape that is still on its way: API versions before
// 2025-03-31.basil ("old": subscription.current_period_end,
// invoice.subscription) and those since ("new": items.data[].current_period_end,
// invoice.parent). The fields present decide, never the event's api_version. What is null or
// missing becomes nil; a field of the wrong JSON kind is an error that names
// the field's path and never its value, since values may be personal data.
//
// Text that goes into typed fields is cleaned of what Postgres refuses: U+0000
// is removed, lone surrogates and bytes that are not UTF-8 become U+FFFD.
// None of this keeps state, calls anybody or reads a clock.
//
// [Client] asks Stripe's API, inside one budget for the process; [Fetcher] merges
// those who ask for the same object. What was fetched becomes an event of our own
// with [FetchedEvent], and goes the way of all events.
package stripe
