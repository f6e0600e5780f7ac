package monitor

import (
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

const batchJobsPath = "/v1/monitor/batch-jobs/"

// batchFilters are the parameters of a [BatchQuery].
var batchFilters = slices.Concat([]rest.Param{
	{Name: "operation", Doc: "Only jobs of this operation."},
	{Name: "status", Doc: "Only jobs of this status.", Type: quotekit.BatchStatus("")},
	{Name: "user_id", Doc: "Only jobs of this user.", Type: uuid.UUID{}},
	{Name: "running", Doc: "Only jobs that have not ended.", Type: false},
}, listRange("was submitted"))

// ListAllBatchJobs lists the bulk operations of all users.
func (a *API) ListAllBatchJobs() rest.Endpoint {
	return rest.Endpoint{
		ID: "listAllBatchJobs", Summary: "List the batch jobs of all users, the newest first", Tag: batchJobsTag,
		Query:    rest.ListParams(batchFilters...),
		Answers:  rest.Answers{http.StatusOK: {JSON: BatchJobs{}}},
		Problems: []int{http.StatusBadRequest},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadList(r, batchFilters...)
			if err != nil {
				return err
			}
			from, to, err := readListRange(q.Values, a.Reads.Now())
			if err != nil {
				return err
			}
			jobs, err := a.Reads.BatchJobs(r.Context(), BatchQuery{
				Operation: q.Get("operation"), Status: q.Get("status"), UserID: q.Get("user_id"), Running: q.Get("running") == "true",
				From: from, To: to,
			}, store.Page(q.Page))
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, jobs)
			return nil
		}),
	}
}

var batchJobID = []rest.Param{{Name: "id", Doc: "The id of a batch job.", Type: uuid.UUID{}}}

// batchJobOf is the id of the URL. What is no UUID is the id of no job.
func batchJobOf(r *http.Request) (string, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil || len(r.PathValue("id")) != 36 {
		return "", quotekit.Errorf(quotekit.ENotFound, "there is no batch job %s", clip(r.PathValue("id")))
	}
	return id.String(), nil
}

// GetAnyBatchJob shows a bulk operation of any user.
func (a *API) GetAnyBatchJob() rest.Endpoint {
	return rest.Endpoint{
		ID: "getAnyBatchJob", Summary: "Show a batch job of any user", Tag: batchJobsTag, Path: batchJobID,
		Answers:  rest.Answers{http.StatusOK: {JSON: BatchJobItem{}}},
		Problems: []int{http.StatusNotFound},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			id, err := batchJobOf(r)
			if err != nil {
				return err
			}
			return a.writeBatchJob(w, r, http.StatusOK, id)
		}),
	}
}

func (a *API) writeBatchJob(w http.ResponseWriter, r *http.Request, status int, id string) error {
	job, err := a.Reads.BatchJob(r.Context(), id)
	if err != nil {
		return err
	}
	if status == http.StatusAccepted {
		w.Header().Set("Location", batchJobsPath+id)
	}
	rest.WriteJSON(w, r, status, job)
	return nil
}

// BatchRequest is the body of an operator's act on a bulk operation.
type BatchRequest struct {
	Reason string `json:"reason" minLength:"1" doc:"Why, for the audit trail; at most 2,000 bytes."`
}

// actOnBatch is an act on a job of any user, which shows the job whose id act
// returns.
func (a *API) actOnBatch(id, summary, doc string, status int, act func(ctx context.Context, jobID string, by quotekit.Act) (string, error)) rest.Endpoint {
	answer := rest.Answer{JSON: BatchJobItem{}}
	if status == http.StatusAccepted {
		answer.Doc = "The new job."
		answer.Headers = []rest.Param{{Name: "Location", Doc: "The URL of the new job.", Required: true}}
	}
	return rest.Endpoint{
		ID: id, Summary: summary, Doc: doc, Tag: batchJobsTag, Path: batchJobID,
		Body:     &rest.Body{Type: BatchRequest{}},
		Answers:  rest.Answers{status: answer},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			var body BatchRequest
			if err := readBody(w, r, &body, `{"reason": "…"}`); err != nil {
				return err
			}
			by, err := ActOf(r, body.Reason)
			if err == nil && by.Reason == "" {
				err = invalid("body.reason", "say why; the job is somebody else's")
			}
			if err != nil {
				return err
			}
			jobID, err := batchJobOf(r)
			if err != nil {
				return err
			}
			if jobID, err = act(r.Context(), jobID, by); err != nil {
				return err
			}
			return a.writeBatchJob(w, r, status, jobID)
		}),
	}
}

// CancelAnyBatchJob ends a job of any user.
func (a *API) CancelAnyBatchJob() rest.Endpoint {
	return a.actOnBatch("cancelAnyBatchJob", "End a batch job of any user within one chunk",
		"What was done stays done; the rest is unprocessed. A finished job stays as it is.", http.StatusOK,
		func(ctx context.Context, jobID string, by quotekit.Act) (string, error) {
			return jobID, a.Batches.CancelByOperator(ctx, jobID, by)
		})
}

// UndoAnyBatchJob takes back what a job of any user has done.
func (a *API) UndoAnyBatchJob() rest.Endpoint {
	return a.actOnBatch("undoAnyBatchJob", "Take back what a batch job of any user has done",
		"A new job of the same user, as of their own undo.", http.StatusAccepted,
		func(ctx context.Context, jobID string, by quotekit.Act) (string, error) {
			return a.Batches.UndoByOperator(ctx, jobID, by)
		})
}

// RetryFailedOfAnyBatchJob submits the failed items of a job of any user again.
func (a *API) RetryFailedOfAnyBatchJob() rest.Endpoint {
	return a.actOnBatch("retryFailedItemsOfAnyBatchJob", "Submit the failed items of a batch job of any user again",
		"A new job of the same user.", http.StatusAccepted,
		func(ctx context.Context, jobID string, by quotekit.Act) (string, error) {
			return a.Batches.RetryFailedByOperator(ctx, jobID, by)
		})
}
