package monitor

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// Tasker acts on tasks, and returns each as it is then. It is package task's.
type Tasker interface {
	// Cancel stops a task between two steps.
	Cancel(ctx context.Context, id string, act quotekit.Act) (store.Task, error)
	// Pause holds a task up between two steps, and Resume lets it go on.
	Pause(ctx context.Context, id string, act quotekit.Act) (store.Task, error)
	Resume(ctx context.Context, id string, act quotekit.Act) (store.Task, error)
	// SetRate changes how many items a second a task takes.
	SetRate(ctx context.Context, id string, rate int, act quotekit.Act) (store.Task, error)
}

const tasksPath = "/v1/monitor/tasks/"

// Task is a task as the API shows it.
type Task struct {
	ID        string              `json:"id" format:"uuid"`
	Kind      string              `json:"kind" doc:"dead_letter_bulk, reconcile, backfill or forget."`
	Status    quotekit.TaskStatus `json:"status"`
	Paused    bool                `json:"paused" doc:"Somebody holds it up: nothing is done until it is resumed."`
	Arguments json.RawMessage     `json:"arguments" doc:"What was asked for."`
	Report    json.RawMessage     `json:"report" doc:"What was found so far, or null. Of a dead_letter_bulk, how many letters have which outcome, now; only where a single task is read."`
	// TotalItems is nil while it is not known.
	TotalItems      *int       `json:"total_items" doc:"Null while it is not known."`
	DoneItems       int        `json:"done_items"`
	ProgressPercent *int       `json:"progress_percent" doc:"Null while the total is not known."`
	Actor           string     `json:"actor"`
	Reason          *string    `json:"reason"`
	ErrorMessage    *string    `json:"error_message" doc:"Why the last step failed; null if it did not."`
	CreatedAt       time.Time  `json:"created_at"`
	StartedAt       *time.Time `json:"started_at"`
	CompletedAt     *time.Time `json:"completed_at"`
	Links           TaskLinks  `json:"links"`
}

// TaskLinks are where to go from a task.
type TaskLinks struct {
	Self    string  `json:"self"`
	Cancel  string  `json:"cancel"`
	Results *string `json:"results" doc:"What became of each dead letter; null for tasks that are no bulk act."`
}

// Task reads a task, and of a bulk act what became of its letters until now. It
// fails with [quotekit.ENotFound].
func (r *Reads) Task(ctx context.Context, id string) (Task, error) {
	t, err := r.Store.Task(ctx, id)
	if err != nil {
		return Task{}, err
	}
	return countedTask(ctx, r.Store, t)
}

// Tasks lists tasks that were started, the newest first. Previews are listed only
// if they are asked for.
func (r *Reads) Tasks(ctx context.Context, f store.TaskFilter, p store.Page) (tasks []Task, cursor string, err error) {
	list, cursor, err := r.Store.Tasks(ctx, f, p)
	tasks = make([]Task, len(list))
	for i, t := range list {
		tasks[i] = showTask(t)
	}
	return tasks, cursor, err
}

func showTask(t store.Task) Task {
	self := tasksPath + t.ID
	out := Task{
		ID: t.ID, Kind: t.Kind, Status: t.Status, Paused: t.Paused, Arguments: t.Arguments, Report: t.Report, TotalItems: t.Total, DoneItems: t.Done,
		Actor: t.Actor, Reason: given(t.Reason), ErrorMessage: given(t.Error), CreatedAt: t.CreatedAt,
		StartedAt: happened(t.StartedAt), CompletedAt: happened(t.CompletedAt),
		Links: TaskLinks{Self: self, Cancel: self + "/cancel"},
	}
	if t.Report == nil {
		out.Report = json.RawMessage("null")
	}
	if t.Kind == quotekit.BulkKind {
		results := self + "/results"
		out.Links.Results = &results
	}
	switch {
	case t.Status == quotekit.TaskCompleted:
		out.ProgressPercent = new(int)
		*out.ProgressPercent = 100
	case t.Total != nil && *t.Total > 0:
		percent := min(t.Done*100 / *t.Total, 100)
		out.ProgressPercent = &percent
	}
	return out
}

func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func happened(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// countedTask is [showTask] with what is counted when a task is read.
func countedTask(ctx context.Context, s *store.Store, t store.Task) (Task, error) {
	out := showTask(t)
	if t.Kind != quotekit.BulkKind {
		return out, nil
	}
	counts, err := s.BulkCounts(ctx, t.ID)
	if err != nil {
		return out, err
	}
	out.Report, err = json.Marshal(counts)
	return out, err
}

var taskID = []rest.Param{{Name: "id", Doc: "The id of a task.", Type: uuid.UUID{}}}

// taskOf is the id of the URL. What is no UUID is the id of no task.
func taskOf(r *http.Request) (string, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil || len(r.PathValue("id")) != 36 {
		return "", quotekit.Errorf(quotekit.ENotFound, "there is no such task")
	}
	return id.String(), nil
}

// ListTasks lists tasks.
func (a *API) ListTasks() rest.Endpoint {
	filters := []rest.Param{
		{Name: "kind", Doc: "Only tasks of this kind: dead_letter_bulk, reconcile, backfill or forget."},
		{Name: "status", Doc: "Only tasks in this state. Previews are listed only if they are asked for.", Type: quotekit.TaskStatus("")},
	}
	return rest.Endpoint{
		ID: "listTasks", Summary: "List long work that was started, the newest first", Tag: tasksTag,
		Query:    rest.ListParams(filters...),
		Answers:  rest.Answers{http.StatusOK: {JSON: rest.Page[Task]{}}},
		Problems: []int{http.StatusBadRequest},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadList(r, filters...)
			if err != nil {
				return err
			}
			tasks, cursor, err := a.Reads.Tasks(r.Context(), store.TaskFilter{Kind: q.Get("kind"), Status: q.Get("status")}, store.Page(q.Page))
			if err != nil {
				return err
			}
			rest.WritePage(w, r, tasks, cursor)
			return nil
		}),
	}
}

// GetTask shows a task.
func (a *API) GetTask() rest.Endpoint {
	return rest.Endpoint{
		ID: "getTask", Summary: "Show a task and how far it is", Tag: tasksTag, Path: taskID,
		Answers:  rest.Answers{http.StatusOK: {JSON: Task{}}},
		Problems: []int{http.StatusNotFound},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			id, err := taskOf(r)
			if err != nil {
				return err
			}
			t, err := a.Store.Task(r.Context(), id)
			if err != nil {
				return err
			}
			return a.writeTask(w, r, http.StatusOK, t)
		}),
	}
}

func (a *API) writeTask(w http.ResponseWriter, r *http.Request, status int, t store.Task) error {
	out, err := countedTask(r.Context(), a.Store, t)
	if err == nil {
		rest.WriteJSON(w, r, status, out)
	}
	return err
}

// TaskResults shows what became of each dead letter of a bulk act.
func (a *API) TaskResults() rest.Endpoint {
	filters := []rest.Param{{Name: "outcome", Doc: "Only dead letters of which this became.", Type: quotekit.BulkOutcome("")}}
	return rest.Endpoint{
		ID: "listTaskResults", Summary: "What became of each dead letter of a bulk act, in its order", Tag: tasksTag, Path: taskID,
		Doc: "What became of a letter that was retried is the state of its event now: `pending` becomes `succeeded` or `failed`, " +
			"and a `failed` one that is taken up later becomes `pending` again. Other tasks have no results.",
		Query:    rest.ListParams(filters...),
		Answers:  rest.Answers{http.StatusOK: {JSON: rest.Page[store.BulkResult]{}}},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadList(r, filters...)
			if err != nil {
				return err
			}
			id, err := taskOf(r)
			if err != nil {
				return err
			}
			if _, err := a.Store.Task(r.Context(), id); err != nil {
				return err
			}
			results, cursor, err := a.Store.BulkResults(r.Context(), id, q.Get("outcome"), store.Page(q.Page))
			if err != nil {
				return err
			}
			rest.WritePage(w, r, results, cursor)
			return nil
		}),
	}
}

// CancelRequest is the body of a cancel, a pause and a resume.
type CancelRequest struct {
	Reason string `json:"reason,omitempty" doc:"Why, for the audit trail; at most 2,000 bytes."`
}

// RateRequest is the body of a change of the rate.
type RateRequest struct {
	Rate   int    `json:"rate" doc:"Items in a second, 1 to 1,000."`
	Reason string `json:"reason,omitempty" doc:"Why, for the audit trail; at most 2,000 bytes."`
}

// CancelTask stops a task.
func (a *API) CancelTask() rest.Endpoint {
	return a.actOnTask(rest.Endpoint{
		ID: "cancelTask", Summary: "Stop a task between two steps",
		Doc:      "What is done stays done; dead letters that were retried go on being attempted. A finished task stays as it is.",
		Problems: []int{http.StatusBadRequest, http.StatusNotFound},
	}, a.Tasks.Cancel)
}

// PauseTask holds a task up.
func (a *API) PauseTask() rest.Endpoint {
	return a.actOnTask(rest.Endpoint{
		ID: "pauseTask", Summary: "Hold a task up between two steps",
		Doc:      "Nothing more is done until it is resumed; dead letters that were retried go on being attempted.",
		Problems: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict},
	}, a.Tasks.Pause)
}

// ResumeTask lets a paused task go on.
func (a *API) ResumeTask() rest.Endpoint {
	return a.actOnTask(rest.Endpoint{
		ID: "resumeTask", Summary: "Let a paused task go on",
		Problems: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict},
	}, a.Tasks.Resume)
}

// actOnTask is an endpoint whose body is a reason.
func (a *API) actOnTask(e rest.Endpoint, do func(context.Context, string, quotekit.Act) (store.Task, error)) rest.Endpoint {
	e.Body = &rest.Body{Type: CancelRequest{}, Optional: true}
	return a.changeTask(e, func(w http.ResponseWriter, r *http.Request, id string) (store.Task, error) {
		var body CancelRequest
		if err := readBody(w, r, &body, `{"reason": "…"}`); err != nil {
			return store.Task{}, err
		}
		act, err := ActOf(r, body.Reason)
		if err != nil {
			return store.Task{}, err
		}
		return do(r.Context(), id, act)
	})
}

// RateTask changes how fast a bulk act is.
func (a *API) RateTask() rest.Endpoint {
	return a.changeTask(rest.Endpoint{
		ID: "rateTask", Summary: "Change how many dead letters a second a bulk act takes",
		Doc: "From the next step on. Other tasks have no rate.", Body: &rest.Body{Type: RateRequest{}},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict},
	}, func(w http.ResponseWriter, r *http.Request, id string) (store.Task, error) {
		var body RateRequest
		if err := readBody(w, r, &body, `{"rate": 100, "reason": "…"}`); err != nil {
			return store.Task{}, err
		}
		act, err := ActOf(r, body.Reason)
		if err != nil {
			return store.Task{}, err
		}
		return a.Tasks.SetRate(r.Context(), id, body.Rate, act)
	})
}

// changeTask is an endpoint that answers with the task as it is afterwards.
func (a *API) changeTask(e rest.Endpoint, do func(http.ResponseWriter, *http.Request, string) (store.Task, error)) rest.Endpoint {
	e.Tag, e.Path, e.Answers = tasksTag, taskID, rest.Answers{http.StatusOK: {JSON: Task{}}}
	e.Handler = rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
		id, err := taskOf(r)
		if err != nil {
			return err
		}
		t, err := do(w, r, id)
		if err != nil {
			return err
		}
		return a.writeTask(w, r, http.StatusOK, t)
	})
	return e
}
