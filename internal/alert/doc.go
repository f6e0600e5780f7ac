// Package alert watches over the service and tells people when something needs
// them. What is looked at is the table in rules.go; every rule makes of what was
// measured the conditions that hold, each with a subject (an event type, or
// nothing if it is about the whole service). The life of an alert, of one rule and
// one subject:
//
//	          holds          holds again
//	nothing ─────────► pending ────────► firing ──acknowledge──► acknowledged
//	   ▲                  │              │    ▲                    │    ▲
//	   └──── does not ────┘              │    └──back in 10 min──┐ │    │
//	                                     └────clear for 30 s───► resolved
//
// A firing or acknowledged alert can be silenced until an instant: it shows as
// silenced until then, and nobody hears of it. A rule that says so fires at once.
//
// Told is: that an alert fires, that it became critical, every four hours that it
// still fires and nobody has taken it on, and that it is resolved. An alert that
// comes back within ten minutes is the same one; from then on it is told of once in
// ten minutes at most, unless it became worse. All that one evaluation has to tell
// goes to each channel in one message.
//
// # Who evaluates
//
// Of all processes that work jobs, one every ten seconds: a periodic job of River.
// Its transaction begins with the row of webhook_alert_evaluations, conditional on
// the revision that was read, so two evaluators at once are harmless: the slower
// one does nothing. Where only processes with the role web run, nobody evaluates.
// What needs memory between two evaluations is in that row.
//
// # How it is told
//
// The transaction that decides inserts a row of webhook_alert_deliveries for every
// alert and channel, and a job for every message. The job claims the rows, sends
// outside of any transaction, and notes what came of it; an attempt that failed is
// repeated, eight times in some four hours. A message may arrive twice, after a
// crash between sending and noting: its id is the same. The evaluator finds
// messages whose job was lost.
package alert
