// Package sample makes Stripe events that look real, for dev mode, for
// quotekit trigger, for load and for tests, and sample rows of the application.
//
// The life of an event: a [Maker] tells a story about one user; a step of the
// story changes an object and emits an event; the event is the object's
// template under templates/ with its places filled in, plus the
// previous_attributes found by comparing it with what the last event showed.
// Everything follows from the maker's source of randomness and its clock, so
// the same seed and time give the same bytes.
package sample
