// Package reconcile closes gaps: it finds what Stripe could not deliver, and
// brings what happened before there were deliveries.
//
// # The life of a reconcile
//
// Somebody asks for it, the time has come, or the service starts and has heard
// nothing for longer than that. A task begins (package task), at most one at a
// time. Each of its steps asks Stripe for one page of its list of events, of at
// most 20 types at once and so in several passes, from the newest back to the
// beginning of the window; compares the ids with those that are kept; and imports
// what is missing the way of all events. An event that is imported twice counts
// once, so a step may be made again.
//
// The cursor of a pass is the last event of a page, by its id, so that events in
// one second are not lost between two pages. What happens at Stripe meanwhile
// comes before the first page, and is in the window of the next run. If the
// cursor's event is no longer listed, the pass goes on with the second in which it
// happened.
//
// # The window
//
// A run begins where the last one ended, less an hour: Stripe promises neither an
// order nor an instant at which an event becomes visible in the list. "Ended" is
// by Stripe's clock, the date of the first answer. Only runs without a gap to
// their predecessor count; a dry run or one with a beginning of its own does not,
// unless it begins early enough. The first run begins with the last event that
// was received, or else with the start. Nobody reaches back beyond 30 days:
// Stripe forgets. What is lost to the list is told of, and a backfill brings at
// least the present state.
//
// # The life of a backfill
//
// A task, too. Its steps ask for a page of a list of objects, make of each object
// an event of our own, dated by Stripe's clock, and import these. So an object
// that was listed competes with Stripe's events like an event: what is older
// changes nothing, and an old event that arrives afterwards does not undo it.
// Payment methods are listed per customer, and the customers are those we know.
package reconcile
