// Package task does long work in steps: bulk acts on dead letters, reconcile,
// backfill, forgetting a person. What the work is, is a [Kind] of a feature; this package makes it
// start once, go on after a crash, stop when it is cancelled, and tell how far
// it is.
//
//	preview ──start──► pending ──► running ──last step──► completed
//	   │                  │          │  │ permanent error
//	   └──────────────────┴──────────┤  └────────────────► failed
//	            cancel               ▼
//	                             cancelled
//
// A task that is under way can be paused: no step of it is made until it is resumed,
// however many jobs it has.
//
// The row in webhook_tasks is the truth. A step reads it, does a bounded piece
// of work, and commits how far the task has come, conditional on the step
// number it has read. So of two processes that make the same step one is
// refused, and after a crash the step is made again: work that a step does
// outside of its transaction must bear that, and what must happen exactly once
// belongs in [Progress.Effects].
//
// A River job only wakes up a process. It makes steps for a turn and then lets
// others have its worker. Whoever finds that his step was made elsewhere ends
// his job, so that doubled jobs become one. The [Engine] looks every few seconds
// for tasks whose step is overdue, because a process died or a job was lost, and
// gives them a new job; a step that takes long says now and then that it lives.
//
// A process leaves kinds alone that it does not know: they are of a newer
// version. Finished tasks are kept for 90 days, and the last completed one of
// each kind for good; a preview is kept for an hour.
package task
