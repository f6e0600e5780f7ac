package monitor

import (
	"encoding/json"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

// EventView is everything about one event. Its payload, rows and differences are
// masked: see [Mask].
type EventView struct {
	EventDetail
	Handler  string `json:"handler" doc:"The route's; empty without a route."`
	DaysLeft int    `json:"days_left_at_stripe" doc:"Days until Stripe forgets the event, 30 after it was created; 0 if it has."`
	// Timeline is oldest first.
	Timeline []TimelineEntry `json:"timeline" doc:"The event's life, from the socket to its effect; oldest first."`
	Payload  string          `json:"payload" doc:"The event as JSON text, masked, with its numbers and the order of its keys as they were received; empty if it was deleted, see payload_deleted_at."`
	// PayloadBytes is the length of what was received.
	PayloadBytes int `json:"payload_bytes" doc:"How many bytes were received; 0 if they were deleted."`
	// Changes are what the event says has changed.
	Changes []FieldChange `json:"changes" doc:"What the event itself says has changed: previous_attributes against the object."`
	// PreviousEventID is the event before this one in Stripe's order.
	PreviousEventID *string       `json:"previous_event_id" doc:"The event of the same object before this one, in Stripe's order; null if none is stored."`
	Differences     []FieldChange `json:"differences" doc:"The object of this event against that of the event before."`
	// DifferencesUnknown is whether there is a payload too few to tell.
	DifferencesUnknown bool      `json:"differences_unknown" doc:"There is an event before, but its payload or that of this one was deleted, so that the objects cannot be compared."`
	Rows               []RowView `json:"rows" doc:"The rows that are about the object now."`
	// SubscriptionChanges are the rows of subscription_changes that the event made.
	SubscriptionChanges []SubscriptionChange `json:"subscription_changes" doc:"The rows of subscription_changes that come from the event."`
	Curl                string               `json:"curl" doc:"A command that replays the event by HTTP; the secret is a variable."`
	Command             string               `json:"command" doc:"The same as a command of quotekit."`
}

// LetterView is everything about one dead letter. Its event_data is masked: see [Mask].
type LetterView struct {
	DeadLetterItem
	Handler string `json:"handler" doc:"The route's; empty without a route."`
	// Received is whether the event is here, or was.
	Received bool `json:"received" doc:"Its event was received here; if its status is empty, it was deleted since."`
	// Timeline is oldest first.
	Timeline []TimelineEntry `json:"timeline" doc:"What happened to the event, as far as it is known here; oldest first."`
}

// RowView is a row of a table, masked.
type RowView struct {
	Table   string       `json:"table"`
	Key     string       `json:"key" doc:"Stripe's id."`
	Account string       `json:"account,omitempty" doc:"The connected account; not there for one's own."`
	Columns []ColumnView `json:"columns"`
}

// ColumnView is a column of a row.
type ColumnView struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value" doc:"Any value, masked."`
}

// SubscriptionChange is a field of a subscription that an event has changed.
type SubscriptionChange struct {
	Field     string          `json:"field"`
	Before    json.RawMessage `json:"before" doc:"Any value, masked."`
	After     json.RawMessage `json:"after" doc:"Any value, masked."`
	ChangedAt time.Time       `json:"changed_at"`
}

// Mark says what became of an event of an object.
type Mark string

// The marks.
const (
	// MarkApplied is an event whose state the row took.
	MarkApplied Mark = "applied"
	// MarkStale is one that succeeded after a newer one had: the row kept its state.
	MarkStale   Mark = "stale"
	MarkPending Mark = "pending"
	MarkDead    Mark = "dead"
	MarkIgnored Mark = "ignored"
)

// Enum lists the marks.
func (Mark) Enum() []string {
	return []string{string(MarkApplied), string(MarkStale), string(MarkPending), string(MarkDead), string(MarkIgnored)}
}

// ObjectView is everything about an object of Stripe's.
type ObjectView struct {
	ID      string    `json:"id"`
	Account string    `json:"account,omitempty" doc:"The connected account that was asked for; not there if all that is known is shown."`
	Rows    []RowView `json:"rows" doc:"The rows that are about it now."`
	// Items are its events.
	Items      []ObjectEvent `json:"items" doc:"Its events in Stripe's order, the newest first."`
	NextCursor *string       `json:"next_cursor"`
}

// ObjectEvent is an event of an object.
type ObjectEvent struct {
	store.EventRecord
	Mark Mark `json:"mark"`
}

// ChainCheck is what a look at the hash chain of operators' acts has found.
type ChainCheck struct {
	Valid bool  `json:"valid" doc:"Every line of the chain is as it was written, and none is missing."`
	Lines int64 `json:"lines" doc:"How many lines were checked."`
	// Missing lines at the beginning were deleted by package retention.
	Missing   int64      `json:"missing" doc:"How many lines at the beginning were deleted because of their age, as a line with the action audit_trail.cut tells."`
	Head      string     `json:"head" doc:"The hash of the last line: keep it elsewhere to prove later that nothing was rewritten."`
	From      *time.Time `json:"from" doc:"When the first line that is there was written."`
	To        *time.Time `json:"to" doc:"When the last was."`
	BrokenAt  *int64     `json:"broken_at" doc:"The number of the line where the chain breaks; null if it does not."`
	BrokenID  *string    `json:"broken_id" doc:"The id of that line, if it is there."`
	Breakage  string     `json:"breakage" doc:"What is wrong there; empty if nothing is."`
	CheckedAt time.Time  `json:"checked_at"`
}
