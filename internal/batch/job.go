package batch

import (
	"encoding/json"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
)

// Job is a job as the API shows it.
type Job struct {
	ID        string               `json:"id" format:"uuid"`
	Operation string               `json:"operation" doc:"One of GET /v1/operations, or undo."`
	Status    quotekit.BatchStatus `json:"status"`
	DryRun    bool                 `json:"dry_run"`
	Options   json.RawMessage      `json:"options"`

	TotalItems       int `json:"total_items" doc:"processed + unprocessed"`
	ProcessedItems   int `json:"processed_items" doc:"succeeded + failed + skipped"`
	SucceededItems   int `json:"succeeded_items"`
	FailedItems      int `json:"failed_items"`
	SkippedItems     int `json:"skipped_items"`
	UnprocessedItems int `json:"unprocessed_items"`
	ProgressPercent  int `json:"progress_percent"`

	ExecutionTimeMS *int64 `json:"execution_time_ms" doc:"From the first attempt to the end, in milliseconds; null before."`
	// ErrorSummary counts failed items by code.
	ErrorSummary map[quotekit.ItemCode]int `json:"error_summary" nullable:"true" doc:"How many items failed, by error code; null if none did."`
	ErrorMessage *string                   `json:"error_message" doc:"Why a failed job could not run."`
	CreatedAt    time.Time                 `json:"created_at"`
	StartedAt    *time.Time                `json:"started_at"`
	CompletedAt  *time.Time                `json:"completed_at"`
	Links        JobLinks                  `json:"links"`
}

// JobLinks are where to go from a job.
type JobLinks struct {
	Self        string  `json:"self"`
	Results     string  `json:"results"`
	Events      string  `json:"events"`
	Cancel      string  `json:"cancel"`
	RetryFailed string  `json:"retry_failed"`
	Undo        string  `json:"undo"`
	Export      *string `json:"export" doc:"The file of an export."`
	Parent      *string `json:"parent" doc:"The job that this one undoes or retries."`
}

const jobsPath = "/v1/batch-jobs/"

func (s *Service) show(j store.BatchJob) Job {
	self := jobsPath + j.ID
	out := Job{
		ID: j.ID, Operation: j.Operation, Status: j.Status, DryRun: j.DryRun, Options: j.Options,
		TotalItems: j.Total, ProcessedItems: j.Processed, SucceededItems: j.Succeeded(), FailedItems: j.Failed,
		SkippedItems: j.Skipped, UnprocessedItems: j.Total - j.Processed, ProgressPercent: j.ProgressPercent,
		ExecutionTimeMS: j.ExecutionTimeMS, CreatedAt: j.CreatedAt, StartedAt: j.StartedAt, CompletedAt: j.CompletedAt,
		Links: JobLinks{
			Self: self, Results: self + "/results", Events: self + "/events", Cancel: self + "/cancel",
			RetryFailed: self + "/retry-failed", Undo: self + "/undo",
		},
	}
	if len(j.Failures) > 0 {
		out.ErrorSummary = j.Failures
	}
	if j.Message != "" {
		out.ErrorMessage = &j.Message
	}
	if j.ParentID != "" {
		parent := jobsPath + j.ParentID
		out.Links.Parent = &parent
	}
	if s.catalog.byName[j.Operation].Kind == quotekit.OperationExport && !j.DryRun {
		export := self + "/export"
		out.Links.Export = &export
	}
	return out
}
