// Package fold owns the rules that make the order of arrival not matter.
//
// For every Stripe object there is a [State]: the evidence that its succeeded
// events have left. [State.Apply] adds one change. The state is built from
// nothing but maxima, minima and unions, so that any order, any grouping and
// any repetition of the same events ends in the same state; [State.Row] and its
// companions read the row off it. The store keeps the state beside the row, in
// stripe_objects, and locks it while it is folded.
//
// # Snapshots
//
// Snapshots compete by their [quotekit.Order]. The state keeps those of the
// greatest order (the top level) with their rows, and of the order below it
// only digests. Usually the top level has one snapshot and that is the row.
// Several events in the deciding second are read as edges of a graph whose
// nodes are the object's states: an update leads from before (the object with
// previous_attributes put back) to after, a creation leads from nothing. Equal
// edges count once, since Stripe sometimes makes two events for one change;
// edges from a state to itself say nothing. Then, in this order:
//
//  1. a deletion wins over everything else;
//  2. the state that is entered once more often than it is left wins;
//  3. if all are balanced (a change there and back), the state that the level
//     below ended in wins;
//  4. otherwise the later stage, the greater progress (monotone fields), and at
//     last the greatest canonical JSON, only so that all processes agree.
//
// A change there and back twice within one second cannot be told from a
// duplicate: the row then shows the state before that second.
//
// # Facts
//
// Facts merge whatever the fate of the snapshot: the latest *.created and
// *.deleted (an object is deleted when its deletion is not older than its
// creation), the earliest detachment, the last known customer, the user claims.
//
// # Items of a subscription
//
// Every item ever shown is kept with the order of the last snapshot that showed
// it. It is deleted when a complete list of a later order, or the complete list
// of the winner, lacks it; a list that Stripe cut off deletes nothing.
//
// # What is forgotten
//
// A state that was told to forget keeps nothing but that, and takes nothing up any
// more. So it is the greatest of all states, and order does not matter here either.
//
// # Users
//
// Claims are kept per user and source, each with its smallest evidence. The
// smallest (created, source, event id) of all wins. An object with a customer
// follows the customer's user, one without follows its own claims.
package fold
