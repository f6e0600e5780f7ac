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
//   - A client that fetches a job of a kind it does not know fails it, and at last
//     discards it. Ours fetch only what they know.
//   - The leader's rescuer knows no such restraint: it discards the stuck jobs of
//     kinds that its version does not know, and so does a client of a release that
//     fetched everything. The leader may be any process.
//   - A client reconnects by itself, its listener too; a start that failed may be
//     repeated. While the database is away a client logs a line per queue and look.
//
// # Rules for versions side by side
//
// During a rollout processes of two versions work on one database. Whatever an
// older one does to a job it does not know (take, fail, discard), no work may be
// lost or stand still. So:
//
//   - A new kind wakes up somebody for a row of ours, and something of ours looks
//     for rows whose wake-up is overdue and inserts another (the sweepers of
//     webhook and task, the runner of batch). A periodic job heals by its next run.
//     A job that is the only place where something is written down is a mistake.
//   - A kind that was ever released keeps its name, its arguments keep their
//     meaning, and it keeps a worker as long as one of its jobs may be there.
//   - A new queue is invisible to older versions, so nothing that they insert may be
//     expected in it, and what is in it waits for a newer one.
package jobs
