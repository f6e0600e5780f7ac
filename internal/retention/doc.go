// Package retention deletes what is older than it has to be kept, so that no table
// grows for ever.
//
// What is kept, and how long, is the configuration's ([Config]). A periodic job takes
// the retention, which one process has at a time, and deletes a piece of each kind in
// turn until nothing old is left: some hundred rows a transaction, found by an index.
// Between two pieces it pauses for three times as long as the last one took, and up to
// a second while deliveries wait for a group: whoever delivers goes first. After a turn it
// gives the retention back and comes again a moment later. How far it has come is
// committed with each piece, so another process goes on where one has died.
//
// It does not run while our clock is far from that of the database or of Stripe: a
// clock that is wrong by a month would make everything old.
//
// # What stays, whatever its age
//
//   - events that are pending;
//   - dead letters that are not resolved, with their events and payloads. What is
//     resolved counts from then on;
//   - the chain of what operators did, if its beginning is not as it was written;
//   - the mirror of Stripe, the history of subscriptions, counts and times by day, and
//     the application's own tables.
//
// Batch jobs, tasks, sessions and alerts have cleaners of their own, in the packages
// that own them.
package retention
