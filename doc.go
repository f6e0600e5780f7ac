// Package quotekit holds the nouns and contracts of QuoteKit and imports
// nothing else of it: the event that Stripe sends, the route that says who
// handles it, the changes a handler derives from it, the rows that these changes
// end in, and the operation that changes many rows of the application at once.
//
// The rooms of the house, from the door to the cellar:
//
//   - cmd/quotekit reads arguments, environment and signals; nobody else does.
//   - app wires everything together, straight down the page, and lists every URL.
//   - handlers has the table of Stripe event types and one pure handler a family.
//   - internal/webhook receives, groups, settles, retries and buries events.
//   - operations has the table of bulk operations, pure as well.
//   - internal/batch submits bulk operations, works on them and takes them back.
//   - internal/application lists a user's own rows.
//   - internal/monitor answers operators: events, dead letters, audit trail.
//   - internal/forget deletes what is kept of a person.
//   - internal/fold owns the rules that make the order of arrival not matter.
//   - internal/store owns all SQL, on SQLite and on Postgres.
//   - internal/jobs owns River, the engine for everything that is done later.
//   - internal/stripe knows signatures, envelopes and the JSON of Stripe objects.
//   - internal/rest knows problem documents, authentication and middleware.
//   - internal/sample makes Stripe events that look real, for dev, trigger and tests.
//
// The path of one event: app/routes.go, webhook.Receiver, stripe.VerifySignature,
// stripe.ParseEvent, the [Route] of its type, its [HandlerFunc], and then the
// group transaction in webhook/settle.go, which folds the [Changes] into the
// rows under a lock.
package quotekit
