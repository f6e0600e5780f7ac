// Package handlers turns Stripe events into changes. routes.go is the table of
// event types; every other file has one family of them.
//
// A handler is pure: a fixture in, [quotekit.Changes] out. What a payload can
// get wrong makes a permanent error that names the field, never its value, and
// no payload makes a handler panic.
//
// To add an event type: write a handler, add a line to [Routes], add a fixture.
package handlers
