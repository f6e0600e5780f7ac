package batch

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// tag groups the endpoints.
const tag = "batch jobs"

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
	Links        Links                     `json:"links"`
}

// Links are where to go from a job.
type Links struct {
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
		Links: Links{
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

// Submission is the body of a new job.
type Submission struct {
	Operation string                     `json:"operation" doc:"One of GET /v1/operations."`
	Items     []json.RawMessage          `json:"items" doc:"Ids of rows, or objects to create; at most 1,000, 500 for exports."`
	Options   map[string]json.RawMessage `json:"options,omitempty" doc:"See GET /v1/operations."`
	DryRun    bool                       `json:"dry_run,omitempty" doc:"Tell what would happen to each item, and change nothing."`
}

// Repeat is the body of an undo.
type Repeat struct {
	DryRun bool `json:"dry_run,omitempty" doc:"Tell what would happen to each item, and change nothing."`
}

// maxBody bounds a submission, in bytes.
const maxBody = 8 << 20

// maxWait bounds how long an answer waits for the end of a job.
const maxWait = 20 * time.Second

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
		Path: jobID, Header: []rest.Param{keyHeader, preferHeader}, Body: &rest.Body{Type: Repeat{}, Optional: true}, Answers: submitted(),
		Problems: []int{
			http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge,
			http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusServiceUnavailable,
		},
		Handler: s.again(true, func(r *http.Request, c Caller, body Repeat) (store.BatchJob, bool, error) {
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
		Handler: s.again(false, func(r *http.Request, c Caller, _ Repeat) (store.BatchJob, bool, error) {
			return s.RetryFailed(r.Context(), c, r.PathValue("id"))
		}),
	}
}

// again is the handler of what makes a job of another one. dryRuns says whether
// the caller decides if it is a dry run.
func (s *Service) again(dryRuns bool, submit func(*http.Request, Caller, Repeat) (store.BatchJob, bool, error)) http.Handler {
	return s.handle(func(w http.ResponseWriter, r *http.Request) error {
		c, err := callerOf(r)
		if err != nil {
			return err
		}
		body, err := readBody(w, r)
		if err != nil {
			return err
		}
		var again Repeat
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

// OperationInfo describes an operation.
type OperationInfo struct {
	Name     string                 `json:"name"`
	Summary  string                 `json:"summary"`
	Kind     quotekit.OperationKind `json:"kind" doc:"A create takes objects, all others ids."`
	Table    string                 `json:"table"`
	MaxItems int                    `json:"max_items"`
	Options  []OptionInfo           `json:"options"`
}

// OptionInfo describes an option of an operation.
type OptionInfo struct {
	Name     string          `json:"name"`
	Summary  string          `json:"summary"`
	Required bool            `json:"required"`
	Example  json.RawMessage `json:"example"`
}

// ListOperations lists what can be submitted.
func (s *Service) ListOperations() rest.Endpoint {
	return rest.Endpoint{
		ID: "listOperations", Summary: "The bulk operations and their options", Tag: tag,
		Answers: rest.Answers{http.StatusOK: {JSON: rest.Page[OperationInfo]{}}},
		Handler: s.handle(func(w http.ResponseWriter, r *http.Request) error {
			rest.WritePage(w, r, Describe(s.catalog.list), "")
			return nil
		}),
	}
}

// Describe describes operations as the API does.
func Describe(list []quotekit.Operation) []OperationInfo {
	infos := make([]OperationInfo, len(list))
	for i, o := range list {
		infos[i] = OperationInfo{
			Name: o.Name, Summary: o.Summary, Kind: o.Kind, Table: string(o.Table), MaxItems: o.Limit(), Options: []OptionInfo{},
		}
		for _, option := range o.Options {
			infos[i].Options = append(infos[i].Options, OptionInfo{
				Name: option.Name, Summary: option.Summary, Required: option.Required, Example: json.RawMessage(option.Example),
			})
		}
	}
	return infos
}

// handle is [rest.Handle] that tells the caller when the database is away.
func (s *Service) handle(h rest.HandlerFunc) http.Handler {
	return rest.Handle(s.logger, func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)
		if class := store.Classify(err); class != store.Unavailable && class != store.Retryable {
			return err
		}
		if r.Context().Err() != nil {
			return nil // the caller has gone
		}
		s.logger.Warn("database away", "error", store.Describe(err), "request_id", rest.RequestIDFrom(r.Context()))
		w.Header().Set("Retry-After", "1")
		return quotekit.Errorf(quotekit.EUnavailable, "The database does not answer. Nothing is known to have changed; try again with the same Idempotency-Key.")
	})
}

// jobOf reads the job of the URL, if it is the caller's.
func (s *Service) jobOf(r *http.Request) (store.BatchJob, error) {
	if err := checkID(r); err != nil {
		return store.BatchJob{}, err
	}
	return s.store.BatchJob(r.Context(), rest.ActorFrom(r.Context()).UserID, r.PathValue("id"))
}

// checkID answers an id that is no UUID like one that is no job. From here on
// the id of the URL is in lower case, as it is stored.
func checkID(r *http.Request) error {
	id := r.PathValue("id")
	parsed, err := uuid.Parse(id)
	if err != nil || len(id) != 36 {
		return quotekit.Errorf(quotekit.ENotFound, "there is no batch job %s", clip(id))
	}
	r.SetPathValue("id", parsed.String())
	return nil
}

func callerOf(r *http.Request) (Caller, error) {
	c := Caller{UserID: rest.ActorFrom(r.Context()).UserID, RequestID: rest.RequestIDFrom(r.Context())}
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return c, nil
	}
	c.IdempotencyKey = values[0]
	printable := !strings.ContainsFunc(c.IdempotencyKey, func(c rune) bool { return c < ' ' || c > '~' })
	if len(values) > 1 || c.IdempotencyKey == "" || len(c.IdempotencyKey) > 255 || !printable {
		return c, rest.Invalid(rest.FieldError{Location: "header.Idempotency-Key", Message: "want one, of 1 to 255 printable ASCII characters"})
	}
	return c, nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if t := r.Header.Get("Content-Type"); t != "" {
		media, _, err := mime.ParseMediaType(t)
		if err != nil || media != "application/json" {
			return nil, rest.NewProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "This takes application/json.")
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, rest.NewProblem(http.StatusRequestEntityTooLarge, "body_too_large", "The body is longer than 8 MiB.")
	case err != nil:
		return nil, rest.Invalid(rest.FieldError{Location: "body", Message: "it ended early"})
	}
	return body, nil
}

// readRepeat reads the body of an undo, as strictly as that of a new job: who
// asks for less than the whole must not get it for a typing mistake. An act
// without a dry run of its own takes nothing but an empty object.
func readRepeat(body []byte, dryRuns bool) (again Repeat, err error) {
	var members map[string]jsontext.Value
	wrong := jsonv2.Unmarshal(body, &members) != nil || members == nil
	for name, value := range members {
		if name != "dry_run" || !dryRuns || (value.Kind() != 't' && value.Kind() != 'f') {
			wrong = true
		}
		again.DryRun = value.Kind() == 't'
	}
	if wrong && dryRuns {
		return again, rest.Invalid(rest.FieldError{Location: "body", Message: `want nothing, or {"dry_run": true}`})
	}
	if wrong {
		return again, rest.Invalid(rest.FieldError{Location: "body", Message: "want nothing: the job is repeated as it was"})
	}
	return again, nil
}

// answer answers with a job that was submitted, and waits for its end as far as
// the caller prefers that.
func (s *Service) answer(w http.ResponseWriter, r *http.Request, job store.BatchJob, replayed bool) error {
	h := w.Header()
	h.Set("Location", jobsPath+job.ID)
	if replayed {
		h.Set("Idempotency-Replayed", "true")
	}
	seconds, wait := preferredWait(r.Header.Values("Prefer"))
	if wait {
		h.Add("Vary", "Prefer")
		last := job
		timer := time.NewTimer(time.Duration(seconds) * time.Second)
		defer timer.Stop()
		err := s.Watch(r.Context(), rest.ActorFrom(r.Context()).UserID, job.ID, timer.C, func(j store.BatchJob) bool {
			last = j
			return true
		}, func() bool { return false })
		if err != nil {
			return err
		}
		if last.Status.Finished() {
			h.Set("Preference-Applied", "wait="+strconv.Itoa(seconds))
			rest.WriteJSON(w, r, http.StatusOK, s.show(last))
			return nil
		}
		job = last
	}
	h.Set("Retry-After", "1")
	rest.WriteJSON(w, r, http.StatusAccepted, s.show(job))
	return nil
}

// preferredWait reads Prefer (RFC 7240): preferences that are not understood are
// ignored. With respond-async a wait says how long to wait before the answer is
// 202, which is what it says without.
func preferredWait(headers []string) (seconds int, ok bool) {
	for _, preference := range strings.Split(strings.Join(headers, ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(preference), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`))
		if err == nil && n > 0 && !ok {
			seconds, ok = min(n, int(maxWait/time.Second)), true
		}
	}
	return seconds, ok
}
