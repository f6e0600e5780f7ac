// Package forget deletes what is kept of a person: a customer of Stripe's, or a user of
// the application with all of the user's customers.
//
//	request ──► preview: counts by table, a token
//	               │ token, reason
//	               ▼
//	mark ──► objects, with their events ──► other events ──► customer   (of each customer)
//	     ──► objects without a customer ──► bulk operations ──► sessions   (of a user)
//	     ──► a line in the audit trail, with the counts
//
// It is a task in small steps; see package task. The first step is the one that counts:
// it puts a tombstone in the place of the customer's evidence, under the lock that
// everybody takes who writes something of that customer. From its commit on, an event of
// the customer is received, recorded as ignored and answered as ever, and nothing of it
// is kept but what names it: ids, type, times. So nothing new comes up behind the steps
// that follow, which find the person's objects by the indexes of the mirror, and the
// events by those of their objects and of the customer. Each object gets a tombstone of
// its own, since some events do not say whose their object is.
//
// A tombstone is for ever. It holds against late deliveries, imports, backfills, replays
// and retries, which all go through the same place. A person who comes back is a new
// customer at Stripe.
//
// What is kept: the rows of events without their payloads, so that a delivery is known
// as a duplicate; figures, which count; the audit trail, which cannot be changed, and has
// ids and times, but no names; tombstones; rows that are the application's own. An id of
// Stripe's or of a user says nothing by itself to anybody who cannot ask Stripe or the
// application.
package forget
