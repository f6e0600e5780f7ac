package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

const batchesPath = Path + "/batch-jobs"

func batchPath(id string) string { return batchesPath + "/" + url.PathEscape(id) }

// batchesView is the data of the list of bulk operations.
type batchesView struct {
	monitor.BatchJobs
	filters
	States        []string
	Operations    []string
	Older, Newest string
}

var batchFilters = [][2]string{{"status", "state"}, {"operation", "operation"}, {"user_id", "user"}, {"running", "running"}}

var batchStates = quotekit.BatchStatus("").Enum()

// batches lists bulk operations of all users.
func (d *Dashboard) batches(r *http.Request) (Answer, error) {
	q := r.URL.Query()
	if s := q.Get("status"); s != "" && !slices.Contains(batchStates, s) {
		return Answer{}, rest.Invalid(rest.FieldError{Location: "query.status", Message: "want one of " + strings.Join(batchStates, ", ")})
	}
	asked := monitor.BatchQuery{
		Status: q.Get("status"), Operation: q.Get("operation"), UserID: q.Get("user_id"), Running: q.Get("running") == "true",
	}
	list, err := d.Reads.BatchJobs(r.Context(), asked, listPage(r))
	if err != nil {
		return Answer{}, err
	}
	v := batchesView{
		BatchJobs: list, filters: filtersOf(r, batchFilters...), States: batchStates, Operations: d.Operations,
		Older: older(r, list.NextCursor), Newest: newest(r),
	}
	return Answer{Data: v, JSON: list, API: apiPath("/v1/monitor/batch-jobs", q, "status", "operation", "user_id", "running", "cursor")}, nil
}

// shownFailures is how many items that failed a page shows.
const shownFailures = 50

// batchView is the data of the page of a bulk operation.
type batchView struct {
	monitor.BatchJobItem
	Failures []store.ItemResult
	More     bool // failures than are shown
	Finished bool
	CanUndo  bool
}

// batch shows how far a bulk operation is, and what went wrong.
func (d *Dashboard) batch(r *http.Request) (Answer, error) {
	id, err := uuidOf(r, "bulk operation")
	if err != nil {
		return Answer{}, err
	}
	job, err := d.Reads.BatchJob(r.Context(), id)
	if err != nil {
		return Answer{}, err
	}
	v := batchView{BatchJobItem: job, Finished: quotekit.BatchStatus(job.Status).Finished()}
	v.CanUndo = v.Finished && !job.DryRun && job.SucceededItems > 0 && job.Operation != "undo"
	if job.FailedItems > 0 {
		v.Failures, err = d.Store.BatchItems(r.Context(), job.UserID, id, quotekit.Failed, 0, shownFailures+1)
		if err != nil {
			return Answer{}, err
		}
		if v.More = len(v.Failures) > shownFailures; v.More {
			v.Failures = v.Failures[:shownFailures]
		}
	}
	return Answer{Data: v, Title: "Batch job: " + job.Operation, JSON: job, API: "/v1/monitor/batch-jobs/" + id}, nil
}

// cancelBatch stops a bulk operation.
func (d *Dashboard) cancelBatch(r *http.Request) (Answer, error) {
	return d.actOnBatch(r, func(id string, act quotekit.Act) (to, done string, err error) {
		return batchPath(id), "The job is cancelled. What it had done stays done; it can be undone.", d.Batches.CancelByOperator(r.Context(), id, act)
	})
}

// retryBatch submits the items of a bulk operation again that have failed.
func (d *Dashboard) retryBatch(r *http.Request) (Answer, error) {
	return d.actOnBatch(r, func(id string, act quotekit.Act) (to, done string, err error) {
		newID, err := d.Batches.RetryFailedByOperator(r.Context(), id, act)
		return batchPath(newID), "This new job tries the failed items again.", err
	})
}

// undoBatch takes back what a bulk operation has done.
func (d *Dashboard) undoBatch(r *http.Request) (Answer, error) {
	return d.actOnBatch(r, func(id string, act quotekit.Act) (to, done string, err error) {
		newID, err := d.Batches.UndoByOperator(r.Context(), id, act)
		return batchPath(newID), "This new job takes back what the other had done. Items that were changed since are left alone.", err
	})
}

func (d *Dashboard) actOnBatch(r *http.Request, do func(id string, act quotekit.Act) (to, done string, err error)) (Answer, error) {
	id, err := uuidOf(r, "bulk operation")
	if err != nil {
		return Answer{}, err
	}
	act, err := reasonedAct(r)
	if err != nil {
		return refused(batchPath(id), err)
	}
	to, done, err := do(id, act)
	if err != nil {
		return refused(batchPath(id), err)
	}
	return Answer{To: to, Done: done}, nil
}

// uuidOf is the id of the URL. What is no UUID is the id of nothing.
func uuidOf(r *http.Request, noun string) (string, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil || len(r.PathValue("id")) != 36 {
		return "", quotekit.Errorf(quotekit.ENotFound, "There is no such %s.", noun)
	}
	return id.String(), nil
}
