package quotekit

import "github.com/google/uuid"

// NewID returns a UUIDv7: unique, and ascending in time within a process.
func NewID() string {
	id, err := uuid.NewV7()
	if err != nil {
		panic("read random bytes: " + err.Error()) // the operating system has none
	}
	return id.String()
}

// DeadLetterID is the id of the one dead letter an event can have, however
// often it dies. It is derived from the event's id, so that two processes
// burying the same event meet in one row.
func DeadLetterID(eventID string) string {
	return uuid.NewSHA1(deadLetterSpace, []byte(eventID)).String()
}

var deadLetterSpace = uuid.MustParse("5b1c2a60-6d2f-4a4e-9a53-71756f74656b")
