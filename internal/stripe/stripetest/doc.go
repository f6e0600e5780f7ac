// Package stripetest is Stripe's API for tests: a server with a state, that
// lists events and objects as Stripe documents it, forgets after thirty days,
// and fails when it is told to.
//
// What happens at Stripe is told with [Server.Happen]: the events stand in the
// list from then on, and their objects are what the list endpoints show.
package stripetest
