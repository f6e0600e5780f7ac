// Package monitor answers people who look after the service: events, dead
// letters and what was done about them, as JSON, and the first page. It reads
// through the store and acts through an [Operator]; it decides nothing itself.
package monitor
