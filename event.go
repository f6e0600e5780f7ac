package quotekit

import (
	"database/sql/driver"
	"encoding/json"
	"time"
)

// Event is one Stripe event as it was received: the envelope parsed, the
// object left as the bytes Stripe sent.
type Event struct {
	// ID is Stripe's id of the event, the key of everything we keep about it.
	ID   string
	Type string
	// Account is the connected account the event belongs to, empty for one's own.
	Account string
	// APIVersion is the version the object is rendered in, empty for thin events.
	APIVersion string
	Livemode   bool
	// Created is when the change happened at Stripe, to the second. It is zero
	// when the envelope has none.
	Created Seconds
	// ObjectID is the id of data.object (of related_object in a thin event),
	// empty for an object without one, like that of invoice.upcoming.
	ObjectID string
	// Object is data.object, nil in a thin event.
	Object json.RawMessage
	// Previous is data.previous_attributes, nil when the event has none.
	Previous json.RawMessage
	// Payload is the whole request body, byte for byte.
	Payload []byte
	// Fetched reports that Object is not what an event showed but what Stripe
	// answered when it was asked: the state at the end of the second Created,
	// after everything that happened in that second. Previous is nil.
	Fetched bool
}

// Seconds is a Unix time as Stripe writes it. It is stored as a timestamp.
type Seconds int64

// Time returns the instant in UTC.
func (s Seconds) Time() time.Time { return time.Unix(int64(s), 0).UTC() }

// Value makes a timestamp of s for the database.
func (s Seconds) Value() (driver.Value, error) { return s.Time(), nil }

// EventStatus is the state of an event after its last delivery or attempt.
// The values are those of the database and of the API.
type EventStatus string

const (
	// EventPending is kept and will be attempted again.
	EventPending EventStatus = "pending"
	// EventSucceeded has its effects in the tables.
	EventSucceeded EventStatus = "succeeded"
	// EventIgnored has no route, or is of the other mode; it counts as completed.
	EventIgnored EventStatus = "ignored"
	// EventDead lies in the dead letter queue.
	EventDead EventStatus = "dead"
)

// FailureReason says why an event became pending or dead.
type FailureReason string

const (
	// ReasonMaxRetries is used when the attempts failed for different reasons.
	ReasonMaxRetries FailureReason = "MAX_RETRIES_EXCEEDED"
	// ReasonTimeout means that the time of the route was over before the commit began.
	ReasonTimeout FailureReason = "TIMEOUT_EXCEEDED"
	// ReasonDatabase means that the database refused the rows of the event.
	ReasonDatabase FailureReason = "DATABASE_ERROR"
	// ReasonParsing means that the payload could not be read as an event. Permanent.
	ReasonParsing FailureReason = "PARSING_FAILED"
	// ReasonRejected means that the handler cannot use the payload. Permanent.
	ReasonRejected FailureReason = "HANDLER_REJECTED"
	// ReasonPanic means that the handler panicked.
	ReasonPanic FailureReason = "HANDLER_PANIC"
)

// ReplayMode says what another attempt at an event applies.
type ReplayMode string

const (
	// ReplayStored applies the payload as it was received. Empty means the same.
	ReplayStored ReplayMode = "stored"
	// ReplayCurrent fetches the event's object from Stripe and applies that.
	ReplayCurrent ReplayMode = "current"
)

// Permanent reports whether another attempt with the same payload is pointless.
func (r FailureReason) Permanent() bool { return r == ReasonParsing || r == ReasonRejected }
