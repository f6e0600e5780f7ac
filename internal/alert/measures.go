package alert

import "time"

// Measures is what the rules look at. What could not be measured here (nil, or
// zero where zero says nothing) makes no condition.
type Measures struct {
	Now time.Time

	// DeadLetters are the dead letters that are not resolved; AtLeast says that
	// there are more.
	DeadLetters int64
	AtLeast     bool

	// Oldest is the pending event that was received first and has never died; nil if
	// none is pending.
	Oldest *PendingEvent

	// Types are the event types of the last quarter of an hour.
	Types []TypeMeasures

	// LastEvent is when the last event was received; zero if none ever was. Hours are
	// the hours of the last eight days that had events. They are read only when the
	// last event is old.
	LastEvent time.Time
	Hours     []time.Time

	// SignatureFailures are the requests of the last five minutes whose signature was
	// missing, malformed, expired or wrong.
	SignatureFailures int64

	// Versions are the API versions of the events of the last day, the last seen
	// first. Expected is the version that was configured, if any.
	Versions []VersionSeen
	Expected string

	// Batches are the unfinished batch jobs that should make progress.
	Batches []BatchProgress

	// Missed is what reconciles of the last day have found; nil if none has.
	Missed *Missed

	// Disk is the file system of the SQLite file; nil on Postgres.
	Disk *Disk

	// Clocks is how far the clock of this process is ahead of others.
	Clocks map[string]time.Duration
}

// PendingEvent is an event that is not processed yet.
type PendingEvent struct {
	ID, Type string
	Received time.Time
}

// TypeMeasures are the figures of one event type.
type TypeMeasures struct {
	EventType     string
	Decided, Dead int64
	// Samples is how many events the percentile is of.
	Samples int64
	P95MS   float64
	// TargetMS is the type's own target; zero if it has none.
	TargetMS float64
}

// VersionSeen is an API version and when the last event of it was seen.
type VersionSeen struct {
	Version string    `json:"version"`
	At      time.Time `json:"at"`
}

// BatchProgress is how a batch job stands.
type BatchProgress struct {
	ID, Operation string
	// Still is since when nothing has happened.
	Still time.Time
}

// Missed is what Stripe had and we had not.
type Missed struct {
	Events int
	// Waiting are those that were only looked for, in a dry run.
	Waiting int
	// Oldest is when the first of them happened.
	Oldest time.Time
}

// Disk is a file system.
type Disk struct {
	Free, Total uint64 // bytes
}
