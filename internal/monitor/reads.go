package monitor

import (
	"context"
	"encoding/json"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// Reads answers what the pages and the JSON show.
type Reads struct {
	Store  *store.Store
	Alerts AlertReader
	// Routes is the table of event types; it names handlers.
	Routes []quotekit.Route
	// Stripe is nil without a key of Stripe's API.
	Stripe Looker
	// MinutesKept and HoursKept are how long figures by minute and by hour are kept,
	// those by day for ever; zero is for ever, too.
	MinutesKept, HoursKept time.Duration
	Now                    func() time.Time
}

// AlertReader is package alert's.
type AlertReader interface {
	// ListAlerts returns all alerts that are not resolved, the worst and newest
	// first, and then those that were resolved since an instant.
	ListAlerts(ctx context.Context, resolvedSince time.Time) ([]quotekit.Alert, error)
	// AlertDeliveries returns the last deliveries, newest first.
	AlertDeliveries(ctx context.Context, limit int) ([]quotekit.AlertDelivery, error)
}

// Range is a range of time in whole minutes: From is in it, To is not.
type Range struct {
	From time.Time `json:"from" doc:"The beginning of the range, to the minute."`
	To   time.Time `json:"to" doc:"The end of the range, to the minute; not in it."`
}

// Counts are events by their present state.
type Counts struct {
	Total     int64 `json:"total" doc:"Events, not deliveries."`
	Succeeded int64 `json:"succeeded"`
	Pending   int64 `json:"pending"`
	Dead      int64 `json:"dead"`
	Ignored   int64 `json:"ignored"`
	// SuccessRate is null while nothing is decided.
	SuccessRate *float64 `json:"success_rate" doc:"Of the decided events those that are not dead, 0 to 1; null if there are none."`
}

// Percentiles are times of events, each with that of the attempt that completed it: of
// a first attempt from the arrival to the commit of the effects.
type Percentiles struct {
	Samples int64    `json:"samples"`
	P50     *float64 `json:"p50_ms" doc:"Milliseconds; null without samples."`
	P95     *float64 `json:"p95_ms"`
	P99     *float64 `json:"p99_ms"`
	Avg     *float64 `json:"avg_ms"`
	Max     *float64 `json:"max_ms"`
}

// Severity says how bad something is.
type Severity string

// The severities.
const (
	SeverityOK       Severity = "ok"
	SeverityWarning  Severity = "warning"
	SeverityCritical Severity = "critical"
)

// Enum lists the severities.
func (Severity) Enum() []string {
	return []string{string(SeverityOK), string(SeverityWarning), string(SeverityCritical)}
}

// Health is the sentence at the top of every page.
type Health struct {
	Status   Severity `json:"status"`
	Sentence string   `json:"sentence" doc:"What is wrong, or that nothing is."`
}

// Overview tells whether all is well.
type Overview struct {
	Range
	Health      Health    `json:"health"`
	GeneratedAt time.Time `json:"generated_at"`
	TotalEvents int64     `json:"total_events" doc:"Events received in the range, not deliveries."`
	Counts      Counts    `json:"counts"`
	SuccessRate *float64  `json:"success_rate" doc:"As in counts."`
	Percentiles
	DeadLetters     int64 `json:"dead_letters" doc:"Dead letters that are not resolved, whenever they died."`
	DeadLettersMore bool  `json:"dead_letters_more" doc:"There are more than are counted."`
	// OldestUnprocessed is 0 if nothing is pending.
	OldestUnprocessed float64      `json:"oldest_unprocessed_seconds" doc:"Age of the pending event that was received first; 0 if none is pending."`
	Pending           int64        `json:"pending_events" doc:"Events that are pending now, whenever they were received."`
	LastEventAt       *time.Time   `json:"last_event_at" doc:"When the last event was received."`
	ByType            []TypeCounts `json:"by_type" doc:"Most events first."`
	Series            []Point      `json:"series"`
	BucketSeconds     int          `json:"bucket_seconds" doc:"How long a point of the series is."`
	NewErrorGroups    []ErrorGroup `json:"new_error_groups" doc:"Error groups that are open and began in the range, the newest first; at most 5."`
	RunningBatches    int64        `json:"running_batch_jobs"`
	FiringAlerts      int64        `json:"firing_alerts"`
}

// TypeCounts are the events of one type.
type TypeCounts struct {
	EventType string `json:"event_type"`
	Counts
	P95         *float64   `json:"p95_ms"`
	TargetMS    *int64     `json:"target_ms" doc:"What the time of most events should be below."`
	LastEventAt *time.Time `json:"last_event_at"`
}

// Point is a moment of a series.
type Point struct {
	At time.Time `json:"at" doc:"The beginning of the bucket."`
	Counts
	Percentiles
}

// Performance tells what is slow, and where.
type Performance struct {
	Range
	Percentiles
	ByType        []TypeTimes          `json:"by_type" doc:"Slowest first, by p95_ms."`
	Series        []Point              `json:"series"`
	BucketSeconds int                  `json:"bucket_seconds"`
	Benchmarks    []store.Benchmark    `json:"benchmarks"`
	Slowest       []store.SlowestEvent `json:"slowest" doc:"The slowest events of the range, at most 20."`
}

// TypeTimes are the times of the events of one type.
type TypeTimes struct {
	EventType string `json:"event_type"`
	Percentiles
	TargetMS *int64 `json:"target_ms"`
	// Stages are handle, wait, commit.
	Stages []StageTimes `json:"stages" doc:"Where the time went: handle is work; wait is waiting for the group before; commit is the database."`
}

// StageTimes are the times of one stage.
type StageTimes struct {
	Stage string `json:"stage"`
	Percentiles
}

// ErrorGroup is dead letters of one event type that died of the same.
type ErrorGroup struct {
	ID            string              `json:"id" doc:"Short and stable, made of type, reason and class."`
	EventType     string              `json:"event_type"`
	FailureReason string              `json:"failure_reason"`
	ErrorClass    string              `json:"error_class"`
	Handler       string              `json:"handler" doc:"The route's; empty without a route."`
	Count         int64               `json:"count" doc:"Letters that are not resolved, at most 10,000."`
	CountMore     bool                `json:"count_more" doc:"There are more letters than are counted."`
	FirstFailedAt time.Time           `json:"first_failed_at"`
	LastFailedAt  time.Time           `json:"last_failed_at"`
	State         quotekit.GroupState `json:"state" doc:"resolved if no letter is left."`
	Owner         string              `json:"owner"`
	Note          string              `json:"note"`
	Regressed     bool                `json:"regressed" doc:"It had been resolved, and came back."`
	SampleID      string              `json:"sample_dead_letter_id" doc:"The letter that failed last."`
	SampleEventID string              `json:"sample_event_id"`
	SampleMessage string              `json:"sample_message" doc:"What the sample failed with, without payload."`
	ResolvedAt    *time.Time          `json:"resolved_at" doc:"When its last letter was resolved, or null."`
	UpdatedAt     *time.Time          `json:"updated_at" doc:"When somebody decided about it last, or null."`
	UpdatedBy     string              `json:"updated_by" doc:"Who did; empty if nobody has."`
	HourlyFrom    *time.Time          `json:"hourly_from" doc:"When the first hour of hourly begins, or null if no letter is left."`
	Hourly        []int64             `json:"hourly" doc:"Letters that failed last within each of 24 hours, up to the one that runs; at most 1,000 of each."`
}

// DeadLetterItem is a dead letter with what an operator asks first.
type DeadLetterItem struct {
	store.DeadLetterRecord
	AgeSeconds int64  `json:"age_seconds" doc:"Since it failed first."`
	DaysLeft   int    `json:"days_left_at_stripe" doc:"Days until Stripe forgets the event, 30 after it was created; 0 if it has."`
	GroupID    string `json:"group_id"`
}

// DeadLetterQueue is what is lost unless somebody acts.
type DeadLetterQueue struct {
	Groups       []ErrorGroup     `json:"groups" doc:"Error groups, the last failed first; at most 200. Only on the first page of letters, or with groups_cursor."`
	GroupsMore   bool             `json:"groups_more" doc:"There are more groups than are listed."`
	GroupsCursor *string          `json:"groups_next_cursor" doc:"The groups_cursor of the next groups, which come in the order of type, reason and class; null if there are none."`
	Items        []DeadLetterItem `json:"items"`
	NextCursor   *string          `json:"next_cursor"`
}

// AuditTrail is who did what.
type AuditTrail struct {
	Items      []store.AuditRecord `json:"items"`
	NextCursor *string             `json:"next_cursor"`
}

// BatchJobs is what bulk operations do.
type BatchJobs struct {
	Items      []BatchJobItem `json:"items"`
	NextCursor *string        `json:"next_cursor"`
}

// BatchJobItem is a job with its rate.
type BatchJobItem struct {
	ID               string            `json:"id" format:"uuid"`
	UserID           string            `json:"user_id"`
	Operation        string            `json:"operation"`
	Status           string            `json:"status"`
	DryRun           bool              `json:"dry_run"`
	ParentID         *string           `json:"parent_id"`
	TotalItems       int               `json:"total_items"`
	ProcessedItems   int               `json:"processed_items"`
	SucceededItems   int               `json:"succeeded_items"`
	FailedItems      int               `json:"failed_items"`
	SkippedItems     int               `json:"skipped_items"`
	UnprocessedItems int               `json:"unprocessed_items"`
	ProgressPercent  int               `json:"progress_percent"`
	ItemsPerSecond   *float64          `json:"items_per_second" doc:"Since it was started; null before."`
	RemainingSeconds *float64          `json:"remaining_seconds" doc:"At this rate; null if it does not run."`
	Stalled          bool              `json:"stalled" doc:"It should run, and nobody has worked on it for a minute."`
	ErrorMessage     *string           `json:"error_message" doc:"Why a failed job could not run."`
	ErrorGroups      []BatchErrorCount `json:"error_groups" doc:"Failed items by code, the most first."`
	CreatedAt        time.Time         `json:"created_at"`
	StartedAt        *time.Time        `json:"started_at"`
	CompletedAt      *time.Time        `json:"completed_at"`
}

// BatchErrorCount counts failed items of one code.
type BatchErrorCount struct {
	ErrorCode string `json:"error_code"`
	Items     int    `json:"items"`
}

// AlertList is what should wake somebody.
type AlertList struct {
	Items      []quotekit.Alert         `json:"items"`
	Deliveries []quotekit.AlertDelivery `json:"deliveries" doc:"The last ones, newest first; at most 50."`
	NextCursor *string                  `json:"next_cursor"`
}

// Hit is what a search has found.
type Hit struct {
	Kind    string `json:"kind" doc:"event, object, dead_letter, error_group, batch_job, task, alert, audit_line, request or user."`
	ID      string `json:"id"`
	Account string `json:"account,omitempty" doc:"The connected account that has the object; not there for one's own, and for what is no object."`
	Title   string `json:"title" doc:"What it is, in words."`
	Path    string `json:"path" doc:"Its page, below /dashboard."`
}

// TimelineEntry is a step of an event's life.
type TimelineEntry struct {
	At time.Time `json:"at"`
	// Took is since the entry before; zero for the first.
	Took   float64 `json:"since_previous_ms"`
	Stage  string  `json:"stage" doc:"received, verified, handled, waited, committed, kept, attempt, retry_scheduled, dead_letter, operator, conflict, refetched."`
	Title  string  `json:"title"`
	Detail string  `json:"detail"`
	Actor  string  `json:"actor"`
	Status string  `json:"status" doc:"ok, failed or waiting."`
}

// FieldChange is a field that differs between two states of an object.
type FieldChange struct {
	Path   string          `json:"path"`
	Before json.RawMessage `json:"before" doc:"Any value, masked; null if it was not there."`
	After  json.RawMessage `json:"after" doc:"Any value, masked; null if it is not there."`
}
