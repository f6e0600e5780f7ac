package batch

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// tag groups the endpoints.
const tag = "batch jobs"

// Submission is the body of a new job.
type Submission struct {
	Operation string                     `json:"operation" doc:"One of GET /v1/operations."`
	Items     []json.RawMessage          `json:"items" doc:"Ids of rows, or objects to create; at most 1,000, 500 for exports."`
	Options   map[string]json.RawMessage `json:"options,omitempty" doc:"See GET /v1/operations."`
	DryRun    bool                       `json:"dry_run,omitempty" doc:"Tell what would happen to each item, and change nothing."`
}

// UndoRequest is the body of an undo.
type UndoRequest struct {
	DryRun bool `json:"dry_run,omitempty" doc:"Tell what would happen to each item, and change nothing."`
}

var (
	keyHeader = rest.Param{
		Name: "Idempotency-Key",
		Doc:  "Names the request, at most 255 printable characters: sent again with the same body it yields the same job, with another body 422.",
	}
	preferHeader = rest.Param{Name: "Prefer", Doc: "`wait=N` waits up to N seconds, 20 at most, for the end of the job; without it, and with `respond-async` alone, the answer comes at once."}
	jobID        = []rest.Param{{Name: "id", Doc: "The id of a job.", Type: uuid.UUID{}}}
)

// submitted are the answers of what makes a job.
func submitted() rest.Answers {
	replayed := rest.Param{Name: "Idempotency-Replayed", Doc: "`true` if the job was there already."}
	location := rest.Param{Name: "Location", Doc: "The URL of the job.", Required: true}
	return rest.Answers{
		http.StatusAccepted: {Doc: "The job.", JSON: Job{}, Headers: []rest.Param{location, replayed, {
			Name: "Retry-After", Doc: "Seconds until a look at the job may show something new.", Type: 0, Required: true,
		}}},
		http.StatusOK: {
			Doc: "The finished job, waited for.", JSON: Job{},
			Headers: []rest.Param{location, replayed, {Name: "Preference-Applied", Doc: "`wait=N`", Required: true}},
		},
	}
}

// SubmitJob takes in a job.
func (s *Service) SubmitJob() rest.Endpoint {
	return rest.Endpoint{
		ID: "submitBatchJob", Summary: "Work on up to 1,000 rows", Tag: tag,
		Doc: "Everything wrong with a request is told at once, and nothing is written. What is wrong with a single row, " +
			"or with an object to create, is that item's failure.",
		Header: []rest.Param{keyHeader, preferHeader}, Body: &rest.Body{Type: Submission{}}, Answers: submitted(),
		Problems: []int{
			http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity,
			http.StatusServiceUnavailable,
		},
		Handler: s.handle(func(w http.ResponseWriter, r *http.Request) error {
			c, err := callerOf(r)
			if err != nil {
				return err
			}
			body, err := readBody(w, r)
			if err != nil {
				return err
			}
			job, replayed, err := s.Submit(r.Context(), c, body)
			if err != nil {
				return err
			}
			return s.answer(w, r, job, replayed)
		}),
	}
}

// UndoJob takes back what a job has done.
func (s *Service) UndoJob() rest.Endpoint {
	return rest.Endpoint{
		ID: "undoBatchJob", Summary: "Take back what a job has done", Tag: tag,
		Doc: "A new job puts deleted rows, statuses and prices back, and deletes what was created. " +
			"A row that was changed since is left alone: `changed_since`.",
		Path: jobID, Header: []rest.Param{keyHeader, preferHeader}, Body: &rest.Body{Type: UndoRequest{}, Optional: true}, Answers: submitted(),
		Problems: []int{
			http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge,
			http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusServiceUnavailable,
		},
		Handler: s.again(true, func(r *http.Request, c Caller, body UndoRequest) (store.BatchJob, bool, error) {
			return s.Undo(r.Context(), c, r.PathValue("id"), body.DryRun)
		}),
	}
}

// RetryFailedJob submits the failed items of a job again.
func (s *Service) RetryFailedJob() rest.Endpoint {
	return rest.Endpoint{
		ID: "retryFailedItems", Summary: "Submit the failed items of a job again, as a new job", Tag: tag,
		Path: jobID, Header: []rest.Param{keyHeader, preferHeader}, Answers: submitted(),
		Problems: []int{
			http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge,
			http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusServiceUnavailable,
		},
		Handler: s.again(false, func(r *http.Request, c Caller, _ UndoRequest) (store.BatchJob, bool, error) {
			return s.RetryFailed(r.Context(), c, r.PathValue("id"))
		}),
	}
}

// again is the handler of what makes a job of another one. dryRuns says whether
// the caller decides if it is a dry run.
func (s *Service) again(dryRuns bool, submit func(*http.Request, Caller, UndoRequest) (store.BatchJob, bool, error)) http.Handler {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		c, err := callerOf(r)
		if err != nil {
			return err
		}
		body, err := readBody(w, r)
		if err != nil {
			return err
		}
		var again UndoRequest
		if len(strings.TrimSpace(string(body))) > 0 {
			if again, err = readRepeat(body, dryRuns); err != nil {
				return err
			}
		}
		if err := checkID(r); err != nil {
			return err
		}
		job, replayed, err := submit(r, c, again)
		if err != nil {
			return err
		}
		return s.answer(w, r, job, replayed)
	})
}

// CancelJob ends a job.
func (s *Service) CancelJob() rest.Endpoint {
	return rest.Endpoint{
		ID: "cancelBatchJob", Summary: "End a job within one chunk", Tag: tag, Path: jobID,
		Doc:      "The answer says what was done until then; the rest is unprocessed. A finished job stays as it is.",
		Answers:  rest.Answers{http.StatusOK: {JSON: Job{}}},
		Problems: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
		Handler: s.handle(func(w http.ResponseWriter, r *http.Request) error {
			if err := checkID(r); err != nil {
				return err
			}
			job, err := s.Cancel(r.Context(), Caller{UserID: rest.ActorFrom(r.Context()).UserID}, r.PathValue("id"))
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, s.show(job))
			return nil
		}),
	}
}

// GetJob shows a job.
func (s *Service) GetJob() rest.Endpoint {
	return rest.Endpoint{
		ID: "getBatchJob", Summary: "One job", Tag: tag, Path: jobID,
		Answers:  rest.Answers{http.StatusOK: {JSON: Job{}}},
		Problems: []int{http.StatusNotFound, http.StatusServiceUnavailable},
		Handler: s.handle(func(w http.ResponseWriter, r *http.Request) error {
			job, err := s.jobOf(r)
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, s.show(job))
			return nil
		}),
	}
}

// ListJobs lists the caller's jobs.
func (s *Service) ListJobs() rest.Endpoint {
	filters := []rest.Param{
		{Name: "operation", Doc: "Only jobs of this operation."},
		{Name: "status", Doc: "Only jobs of this status.", Type: quotekit.BatchStatus("")},
	}
	return rest.Endpoint{
		ID: "listBatchJobs", Summary: "One's own jobs, newest first", Tag: tag, Query: rest.ListParams(filters...),
		Answers:  rest.Answers{http.StatusOK: {JSON: rest.Page[Job]{}}},
		Problems: []int{http.StatusBadRequest, http.StatusServiceUnavailable},
		Handler: s.handle(func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadList(r, filters...)
			if err != nil {
				return err
			}
			f := store.BatchFilter{Operation: q.Get("operation"), Status: q.Get("status")}
			list, cursor, err := s.store.BatchJobs(r.Context(), rest.ActorFrom(r.Context()).UserID, f, store.Page(q.Page))
			if err != nil {
				return err
			}
			jobs := make([]Job, len(list))
			for i, j := range list {
				jobs[i] = s.show(j)
			}
			rest.WritePage(w, r, jobs, cursor)
			return nil
		}),
	}
}
