// Package jobs owns River, the engine for everything that is done later, on
// either database: the client, its queues, its migrations. The workers are the
// features' own; app adds them.
//
// What we know of River and build on (read in the source of v0.51.1):
//
//   - A job with a time in the future waits for the leader's scheduler, which
//     looks every five seconds. A snooze shorter than that is exact. So a job
//     that must run soon but not now is inserted at once and snoozes.
//   - There is no liveness check of clients and no fencing: a job may run twice
//     or, after a crash, not for [rescueAfter]. Every effect is guarded by our
//     own conditional update, and what is due is found in our own tables; River
//     is the wake-up, never the source of truth.
//   - The leader's rescuer discards stuck jobs of kinds it does not know, so a
//     kind that was ever released keeps a worker.
package jobs
