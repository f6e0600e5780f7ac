package quotekit

import (
	"strconv"
	"time"
)

// BulkAction is what a bulk act does with dead letters.
type BulkAction string

const (
	// BulkRetry attempts their events again.
	BulkRetry BulkAction = "retry"
	// BulkResolve closes them without another attempt.
	BulkResolve BulkAction = "resolve"
)

// BulkKind is the kind of the tasks that are bulk acts.
const BulkKind = "dead_letter_bulk"

// MaxBulkRate is the most letters that a bulk act takes in a second.
const MaxBulkRate = 1000

// BulkRequest is a bulk act on dead letters: those with the ids, or those that
// the filter selects.
type BulkRequest struct {
	Action BulkAction
	Mode   ReplayMode // of a retry
	IDs    []string   // of dead letters or events
	Filter *LetterFilter
	// Rate is how many letters are acted upon in a second, at most [MaxBulkRate]; zero is
	// the default.
	Rate int
	// Limit is how many letters there may be; zero is the default.
	Limit int
}

// BulkPreview is what a bulk act would do.
type BulkPreview struct {
	TaskID string
	// Token starts it until ExpiresAt.
	Token     string
	ExpiresAt time.Time
	// Count is how many letters it is about; More says that the filter fits more.
	Count int
	More  bool
}

// ParseAge reads an age like 30s, 90m, 12h or 7d.
func ParseAge(text string) (time.Duration, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	if n := len(text) - 1; n > 0 {
		number, err := strconv.Atoi(text[:n])
		if unit := units[text[n]]; err == nil && unit > 0 && number >= 0 && number <= int(maxAge/unit) {
			return time.Duration(number) * unit, nil
		}
	}
	return 0, Errorf(EInvalid, "want a number and s, m, h or d, like 90m or 7d")
}

// maxAge is the greatest age of anything.
const maxAge = 100 * 365 * 24 * time.Hour

// LetterFilter selects dead letters that are not resolved. What is not given
// does not restrict.
type LetterFilter struct {
	EventType            string     `json:"event_type,omitempty"`
	Reason               string     `json:"reason,omitempty" doc:"The failure_reason."`
	ErrorClass           string     `json:"error_class,omitempty"`
	OlderThan            string     `json:"older_than,omitempty" doc:"Last failed at least so long ago: a number and s, m, h or d." example:"90m"`
	YoungerThan          string     `json:"younger_than,omitempty" doc:"Last failed less than so long ago: a number and s, m, h or d." example:"2d"`
	FailedBefore         *time.Time `json:"failed_before,omitempty" doc:"Last failed before."`
	FailedAfter          *time.Time `json:"failed_after,omitempty" doc:"Last failed then or later."`
	RequiresManualReview *bool      `json:"requires_manual_review,omitempty"`
	Livemode             *bool      `json:"livemode,omitempty" doc:"Of the event."`
	Resolved             *bool      `json:"resolved,omitempty" doc:"Only false: every dead letter that is not resolved."`
}

// BulkOutcome is what became of a dead letter in a bulk act.
type BulkOutcome string

const (
	// BulkSucceeded was retried, and its event has succeeded.
	BulkSucceeded BulkOutcome = "succeeded"
	// BulkFailed was retried, and its event is dead again.
	BulkFailed BulkOutcome = "failed"
	// BulkPending was retried, and its event is still being attempted.
	BulkPending BulkOutcome = "pending"
	// BulkIgnored was retried, and its event has no route any more.
	BulkIgnored BulkOutcome = "ignored"
	// BulkResolved was resolved.
	BulkResolved BulkOutcome = "resolved"
	// BulkSkipped was left as it was, since it was not dead any more, or resolved.
	BulkSkipped BulkOutcome = "skipped"
	// BulkUnprocessed has not been reached.
	BulkUnprocessed BulkOutcome = "unprocessed"
)

// BulkCounts are the letters of a bulk act by what became of them. They add up to
// their number.
type BulkCounts struct {
	Succeeded   int `json:"succeeded"`
	Failed      int `json:"failed"`
	Pending     int `json:"pending"`
	Ignored     int `json:"ignored"`
	Resolved    int `json:"resolved"`
	Skipped     int `json:"skipped"`
	Unprocessed int `json:"unprocessed"`
}
