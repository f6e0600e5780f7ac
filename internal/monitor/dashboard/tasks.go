package dashboard

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// tasksView is the data of the list of tasks.
type tasksView struct {
	Items []taskLine
	filters
	Kinds, States []string
	Older, Newest string
}

// taskLine is a task with its words.
type taskLine struct {
	monitor.Task
	bulkArguments
}

// Heading says what a task is for.
func (t taskLine) Heading() string {
	switch {
	case t.Kind != quotekit.BulkKind:
		return strings.ToUpper(t.Kind[:1]) + t.Kind[1:]
	case t.Retry():
		return "Replay dead letters"
	}
	return "Resolve dead letters"
}

// Ended reports whether nothing more will happen.
func (t taskLine) Ended() bool { return t.Status.Finished() }

func lineOf(t monitor.Task) taskLine {
	line := taskLine{Task: t}
	if t.Kind == quotekit.BulkKind {
		_ = json.Unmarshal(t.Arguments, &line.bulkArguments) // what cannot be read is not shown
	}
	return line
}

var (
	taskKinds  = []string{quotekit.BulkKind, "reconcile", "backfill", quotekit.ForgetKind}
	taskStates = []string{
		string(quotekit.TaskPending), string(quotekit.TaskRunning), string(quotekit.TaskCompleted), string(quotekit.TaskFailed),
		string(quotekit.TaskCancelled), string(quotekit.TaskPreviewed),
	}
)

// tasks lists long work that was started.
func (d *Dashboard) tasks(r *http.Request) (Answer, error) {
	q := r.URL.Query()
	if s := q.Get("status"); s != "" && !slices.Contains(taskStates, s) {
		return Answer{}, rest.Invalid(rest.FieldError{Location: "query.status", Message: "want one of " + strings.Join(taskStates, ", ")})
	}
	list, cursor, err := d.Reads.Tasks(r.Context(), store.TaskFilter{Kind: q.Get("kind"), Status: q.Get("status")}, store.Page{Cursor: q.Get("cursor")})
	if err != nil {
		return Answer{}, err
	}
	page := rest.Page[monitor.Task]{Items: list}
	if cursor != "" {
		page.NextCursor = &cursor
	}
	v := tasksView{
		filters: filtersOf(r, [2]string{"kind", "kind"}, [2]string{"status", "state"}), Kinds: taskKinds, States: taskStates,
		Older: older(r, page.NextCursor), Newest: newest(r),
	}
	for _, t := range list {
		v.Items = append(v.Items, lineOf(t))
	}
	return Answer{Data: v, JSON: page, API: apiPath("/v1/monitor/tasks", q, "kind", "status", "cursor")}, nil
}

// apiPath is an endpoint with those of the parameters that are given.
func apiPath(path string, q map[string][]string, names ...string) string {
	u := rest.ListQuery{Values: map[string][]string{}}
	for _, name := range names {
		if v := q[name]; len(v) > 0 && v[0] != "" {
			u.Set(name, v[0])
		}
	}
	if len(u.Values) == 0 {
		return path
	}
	return path + "?" + u.Encode()
}

// taskView is the data of the page of a task.
type taskView struct {
	taskLine
	// Counts are of a bulk act: its letters by what became of them.
	Counts  []outcomeCount
	Failed  int
	Results []store.BulkResult
	filters
	Older, Newest string
	// Measured is how many letters a second were done; zero before it began.
	Measured float64
	// Took is how long it has been running, and Left how long it will at this pace.
	Took, Left time.Duration
	// Report is what other tasks have found.
	Report string
}

// outcomeCount counts letters of one outcome.
type outcomeCount struct {
	Outcome quotekit.BulkOutcome
	Count   int
	URL     string
}

// bulkOutcomes are what can become of a letter.
var bulkOutcomes = []struct {
	outcome quotekit.BulkOutcome
	of      func(quotekit.BulkCounts) int
}{
	{quotekit.BulkSucceeded, func(c quotekit.BulkCounts) int { return c.Succeeded }},
	{quotekit.BulkResolved, func(c quotekit.BulkCounts) int { return c.Resolved }},
	{quotekit.BulkFailed, func(c quotekit.BulkCounts) int { return c.Failed }},
	{quotekit.BulkPending, func(c quotekit.BulkCounts) int { return c.Pending }},
	{quotekit.BulkSkipped, func(c quotekit.BulkCounts) int { return c.Skipped }},
	{quotekit.BulkIgnored, func(c quotekit.BulkCounts) int { return c.Ignored }},
	{quotekit.BulkUnprocessed, func(c quotekit.BulkCounts) int { return c.Unprocessed }},
}

// task shows how far a task is, and of a bulk act what became of each letter.
func (d *Dashboard) task(r *http.Request) (Answer, error) {
	id, err := taskOf(r)
	if err != nil {
		return Answer{}, err
	}
	q := r.URL.Query()
	t, err := d.Reads.Task(r.Context(), id)
	if err != nil {
		return Answer{}, err
	}
	v := taskView{taskLine: lineOf(t), filters: filtersOf(r, [2]string{"outcome", "outcome"}), Newest: newest(r)}
	if t.StartedAt != nil {
		end := d.Now()
		if t.CompletedAt != nil {
			end = *t.CompletedAt
		}
		v.Took = end.Sub(*t.StartedAt)
		if v.Took > time.Second && t.DoneItems > 0 {
			v.Measured = float64(t.DoneItems) / v.Took.Seconds()
		}
		if t.TotalItems != nil && v.Measured > 0 && !t.Status.Finished() {
			v.Left = time.Duration(float64(*t.TotalItems-t.DoneItems) / v.Measured * float64(time.Second))
		}
	}
	if t.Kind != quotekit.BulkKind {
		if string(t.Report) != "null" {
			v.Report, err = jsonText(t.Report)
		}
		return Answer{Data: v, Title: v.Heading(), JSON: t, API: "/v1/monitor/tasks/" + id}, err
	}
	var counts quotekit.BulkCounts
	if err := json.Unmarshal(t.Report, &counts); err != nil {
		return Answer{}, err
	}
	for _, o := range bulkOutcomes {
		if n := o.of(counts); n > 0 {
			v.Counts = append(v.Counts, outcomeCount{o.outcome, n, with(r.URL, "outcome", string(o.outcome), "cursor", "")})
		}
	}
	v.Failed = counts.Failed
	if err := checkOutcome(q.Get("outcome")); err != nil {
		return Answer{}, err
	}
	results, cursor, err := d.Store.BulkResults(r.Context(), id, q.Get("outcome"), store.Page{Cursor: q.Get("cursor")})
	v.Results, v.Older = results, older(r, &cursor)
	return Answer{Data: v, Title: v.Heading(), JSON: t, API: "/v1/monitor/tasks/" + id}, err
}

func checkOutcome(outcome string) error {
	for _, o := range bulkOutcomes {
		if outcome == "" || outcome == string(o.outcome) {
			return nil
		}
	}
	return rest.Invalid(rest.FieldError{Location: "query.outcome", Message: "none of those that there are"})
}

// taskOf is the id of the URL. What is no UUID is the id of no task.
func taskOf(r *http.Request) (string, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil || len(r.PathValue("id")) != 36 {
		return "", quotekit.Errorf(quotekit.ENotFound, "there is no such task")
	}
	return id.String(), nil
}

// cancelTask stops a task between two steps.
func (d *Dashboard) cancelTask(r *http.Request) (Answer, error) {
	id, err := taskOf(r)
	if err != nil {
		return Answer{}, err
	}
	act, err := reasonedAct(r)
	if err != nil {
		return refused(taskPath(id), err)
	}
	t, err := d.Tasks.Cancel(r.Context(), id, act)
	switch {
	case err != nil:
		return refused(taskPath(id), err)
	case t.Status != quotekit.TaskCancelled:
		return Answer{To: taskPath(id), Done: "The task was " + string(t.Status) + " already, so it stays as it is.", Warned: true}, nil
	}
	return Answer{To: taskPath(id), Done: "The task is cancelled. What it has done stays done, and what was replayed goes on being attempted."}, nil
}

// pauseTask holds a task up between two steps.
func (d *Dashboard) pauseTask(r *http.Request) (Answer, error) {
	return d.holdTask(r, d.Tasks.Pause, "The task is paused. What was replayed goes on being attempted.")
}

// resumeTask lets a paused task go on.
func (d *Dashboard) resumeTask(r *http.Request) (Answer, error) {
	return d.holdTask(r, d.Tasks.Resume, "The task goes on.")
}

func (d *Dashboard) holdTask(r *http.Request, do func(context.Context, string, quotekit.Act) (store.Task, error), done string) (Answer, error) {
	id, err := taskOf(r)
	if err != nil {
		return Answer{}, err
	}
	who, err := act(r)
	if err == nil {
		_, err = do(r.Context(), id, who)
	}
	if err != nil {
		return refused(taskPath(id), err)
	}
	return Answer{To: taskPath(id), Done: done}, nil
}

// rateTask changes how many letters a second a bulk act takes.
func (d *Dashboard) rateTask(r *http.Request) (Answer, error) {
	id, err := taskOf(r)
	if err != nil {
		return Answer{}, err
	}
	rate, err := strconv.Atoi(strings.TrimSpace(r.PostFormValue("rate")))
	if err != nil {
		return refused(taskPath(id), quotekit.Errorf(quotekit.EInvalid, "The rate is a whole number of letters a second."))
	}
	return d.holdTask(r, func(ctx context.Context, id string, who quotekit.Act) (store.Task, error) {
		return d.Tasks.SetRate(ctx, id, rate, who)
	}, "The rate is changed.")
}

// retryFailed shows what it means to replay those letters of a bulk act that are
// dead again.
func (d *Dashboard) retryFailed(r *http.Request) (Answer, error) {
	id, err := taskOf(r)
	if err != nil {
		return Answer{}, err
	}
	request := quotekit.BulkRequest{Action: quotekit.BulkRetry}
	if request.Mode, err = modeOf(r); err != nil {
		return refused(taskPath(id), err)
	}
	for cursor := ""; len(request.IDs) < maxIDs; {
		results, next, err := d.Store.BulkResults(r.Context(), id, string(quotekit.BulkFailed), store.Page{Limit: store.MaxPage, Cursor: cursor})
		if err != nil {
			return Answer{}, err
		}
		for _, b := range results {
			request.IDs = append(request.IDs, b.DeadLetterID)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if len(request.IDs) == 0 {
		return refused(taskPath(id), quotekit.Errorf(quotekit.EConflict, "None of its letters is dead again now."))
	}
	return d.preview(r, request, taskPath(id))
}

// taskResults is what became of each letter of a bulk act, as a file.
func (d *Dashboard) taskResults(r *http.Request) (Answer, error) {
	id, err := taskOf(r)
	if err != nil {
		return Answer{}, err
	}
	if _, err := d.Store.Task(r.Context(), id); err != nil {
		return Answer{}, err
	}
	outcome := r.URL.Query().Get("outcome")
	if err := checkOutcome(outcome); err != nil {
		return Answer{}, err
	}
	return Answer{File: &File{Name: "task-" + id + ".csv", Media: "text/csv; charset=utf-8", Write: func(w io.Writer) error {
		lines := csv.NewWriter(w)
		if err := lines.Write([]string{"position", "dead_letter_id", "stripe_event_id", "outcome", "failure_reason", "error"}); err != nil {
			return err
		}
		for cursor := ""; ; {
			results, next, err := d.Store.BulkResults(r.Context(), id, outcome, store.Page{Limit: store.MaxPage, Cursor: cursor})
			if err != nil {
				return err
			}
			for _, b := range results {
				err := lines.Write([]string{
					strconv.Itoa(b.Position), b.DeadLetterID, rest.Cell(b.StripeEventID), string(b.Outcome), rest.Cell(given(b.FailureReason)),
					rest.Cell(given(b.Error)),
				})
				if err != nil {
					return err
				}
			}
			if cursor = next; cursor == "" {
				lines.Flush()
				return lines.Error()
			}
		}
	}}}, nil
}
