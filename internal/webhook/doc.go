// Package webhook receives Stripe's events, settles them in groups, attempts
// again what failed, and buries what keeps failing.
//
// # The life of an event
//
//	          signature or body wrong
//	request ───────────────────────────► 400, nothing is kept
//	   │ verified, parsed, handled (pure)
//	   ▼
//	 group ──────────► succeeded   effects, event row and audit row in one commit
//	   │  │  no route
//	   │  └──────────► ignored
//	   │ deferred route, load: kept without an attempt
//	   │ panic, timeout, database refuses this event's rows
//	   ├─────────────► pending ──attempt──► succeeded
//	   │                 │  ▲ fails: after about 1, 4 and 16 s again
//	   │                 │  └─────── operator's retry, redelivery ──┐
//	   │                 ▼ third retry failed                       │
//	   └─────────────► dead ────────────────────────────────────────┘
//	   payload can never be used
//
// A request is answered when the commit that decided its event has returned,
// never before; whatever is answered with 2xx is in the database. An answer of
// 503 promises nothing, and Stripe will deliver again: usually nothing was kept,
// but a commit whose answer was lost may have happened.
//
// A delivery of an event that is succeeded or ignored is a duplicate: it is
// counted and audited and changes nothing else. A delivery of one that is
// pending or dead takes it up again at once, as if it were new: a new round,
// attempts counted from zero. The round fences the jobs of the round before.
//
// # Groups
//
// While one group commits, the requests that arrive wait together and form the
// next one ([Group]). There is no timer. The most urgent priority goes first. A
// group is one transaction ([Settler]); its steps lock in one order everywhere
// (events, then objects, then rows), each sorted, so that processes side by
// side wait for each other instead of deadlocking. When the database refuses
// the rows of a group, the group is halved until the one bad event stands
// alone; that one becomes pending and the others are settled.
//
// # Load
//
// A delivery can be kept: pending without an attempt, its job in the same commit.
// That happens to events of deferred routes, and to those of priority 3 to 5 when the
// oldest delivery has waited too long for a group ([Group]) or they for a handler
// (slots). Priorities 1 and 2 are always settled. When nothing is committed for
// seconds, deliveries are refused.
//
// # Later
//
// A pending event has next_attempt_at. One River job a round attempts it until
// it is settled or dead ([AttemptWorker]). Attempts share transactions too, in
// groups of their own that take turns with those of deliveries. The event row,
// not the job, is the truth: [Sweeper] finds events whose attempt is overdue,
// because a process died or a job was lost, and gives them a new job. A doubled
// job is harmless, since every attempt is decided by a conditional update of the
// event row.
package webhook
