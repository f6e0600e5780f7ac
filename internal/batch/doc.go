// Package batch owns bulk operations: it takes a request in, works through its
// items, tells what became of each, and can take it back.
//
// The life of a job:
//
//	           submit                    last item
//	request ───────────▶ pending ──────▶ processing ──────────▶ completed
//	   │                    │  claim         │  ▲ │
//	   │ wrong anywhere     │ cancel         │  └─┘ another process claims it,
//	   ▼                    ▼                │      when the lease has run out
//	refused, nothing     cancelled ◀─────────┤ cancel
//	is written                               │
//	                        failed ◀─────────┘ the operation cannot run at all
//
// # Tables
//
//   - batch_jobs: one row a job: counters, status, and who works on it
//     (lease_owner, lease_until, fence). revision grows with every change.
//   - batch_job_inputs: the items as they were sent.
//   - batch_job_items: one row for every item that has an outcome, with the row
//     before and after. An item without one is unprocessed; when a job ends
//     early, the rest gets rows that say so.
//
// # A chunk is a transaction
//
// It holds, in this order: the effect on up to 50 rows, their outcomes, and one
// conditional update of the job that adds to the counters. That update is the
// fence: it finds the job only while it is processing under the fence number
// this attempt was given when it claimed the job. A stalled process that wakes
// up, and a chunk that comes after a cancel, find nothing, and everything they
// did in the transaction is rolled back. The update comes last, so that chunks
// of one job run side by side and wait for each other only to commit. Twice the
// same item cannot happen besides: (job_id, position) is the key of its outcome.
//
// When the database refuses a chunk for its data, the chunk is halved, each half
// a transaction of its own, until the bad item stands alone; that is its failure.
// When the database is away, busy or restarting, the chunk is tried again until
// the lease is somebody else's.
//
// A dry run runs the very same statements behind a savepoint, and goes back to it
// before it writes the outcomes.
//
// # Who works
//
// A process that takes in a job claims it in the same transaction, if it has
// workers and is not busy with too many. Else a River job wakes up some process
// that has. Each process has a fixed number of chunk workers. They take turns:
// first the user who had the least lately, then that user's job that had; of one
// job only so many chunks run at a time. So a small job is not stuck behind a
// large one, and one user cannot starve the others.
//
// A process renews the lease of its jobs every two seconds; a job whose lease is
// six seconds without renewal is claimed by another, with the next fence number.
// On SQLite there is no other process, so what was under way is claimed at start.
// Whoever claims a job reads which positions have outcomes, and goes on with the
// rest.
//
// # Taking back
//
// A deleted or created row is kept whole in its outcome; of an updated row, the
// operation's columns and updated_at, before and after. Undo is a job like any
// other, whose items are the succeeded ones of its parent. It leaves alone what
// was changed since: a row that is not what the parent job left there, as far as
// that was kept.
package batch
