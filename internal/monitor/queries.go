package monitor

import "time"

// LetterQuery selects dead letters; what is empty does not restrict. From and To
// are about the last failure: From is in the range, To is not.
type LetterQuery struct {
	EventType, Reason, ErrorClass string
	GroupID                       string
	Resolved                      *bool
	From, To                      *time.Time
	// RequiresManualReview and Livemode are about letters, not groups: with either no
	// group is listed.
	RequiresManualReview, Livemode *bool
	// GroupsCursor is that of a further page of groups.
	GroupsCursor string
}

// AuditQuery selects lines of the audit trail; what is empty does not restrict.
type AuditQuery struct {
	Actor, Action string
	// Target is what was acted upon. It finds no deliveries: those of an object are
	// found by their events.
	Target        string
	StripeEventID string
	RequestID     string
	// OperatorsOnly leaves out deliveries and what happens by itself: what is left
	// are the lines of the hash chain, and acts from before there was one.
	OperatorsOnly bool
	From, To      *time.Time
}

// BatchQuery selects bulk operations of all users; what is empty does not restrict.
type BatchQuery struct {
	Status, Operation, UserID string
	// Running leaves out jobs that have ended.
	Running  bool
	From, To *time.Time // of created_at
}
