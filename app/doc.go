// Package app wires the service: it reads the configuration (config.go), opens
// the database and connects the rooms (app.go), and lists every URL
// (routes.go). [New] makes an [App], [App.Run] runs it until it is told to
// stop; [RunDev] runs one on a throwaway database with sample traffic.
package app
