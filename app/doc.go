// Package app wires the service: it reads the configuration (config.go), opens
// the database and connects the rooms (app.go), and lists every URL
// (routes.go). [New] makes an [App], [App.Run] runs it until it is told to
// stop; [RunDev] runs one on a throwaway database with sample traffic.
//
// # The life of a process
//
//	New ──► listening ──► prepared ──► ready ──────────► draining ──► stopped
//	         │ health      the tables   deliveries are    no new
//	         │ checks, all are up to    settled, jobs     connections
//	         │ else 503    date         are worked
//	         └ as long as the database is away: look again, every 1 to 5 s
//
// A database that goes away later changes nothing here: what needs it fails and
// is tried again by its own room, and /readyz says so.
package app
