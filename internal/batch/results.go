package batch

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// JobResult is what became of one item.
type JobResult struct {
	Position     int                `json:"position" doc:"The place in the request, from 0."`
	ItemID       *string            `json:"item_id" doc:"The row's id; of a create, the new row's. Null if there is no row."`
	Outcome      quotekit.Outcome   `json:"outcome"`
	ErrorCode    *quotekit.ItemCode `json:"error_code" doc:"Why the item failed or was skipped."`
	ErrorMessage *string            `json:"error_message"`
	Before       json.RawMessage    `json:"before" doc:"A deleted row, or the old values of the columns that changed."`
	After        json.RawMessage    `json:"after" doc:"A created or restored row, or the new values of the columns that changed."`
}

// the columns of results as CSV.
var resultColumns = []string{"position", "item_id", "outcome", "error_code", "error_message", "before", "after"}

// JobResults lists what became of the items of a job.
func (s *Service) JobResults() rest.Endpoint {
	params := []rest.Param{
		{Name: "outcome", Doc: "Only items of this outcome.", Type: quotekit.Outcome("")},
		{Name: "limit", Doc: "How many items a page has; all if it is not given.", Type: 0, Min: 1, Max: quotekit.MaxBatchItems},
		{Name: "cursor", Doc: "The `next_cursor` of the page before."},
	}
	return rest.Endpoint{
		ID: "listBatchJobResults", Summary: "What became of every item, in the order of the request", Tag: tag,
		Doc: "With `Accept: text/csv` or `application/x-ndjson` the items come as lines, and a page that is not the last has a " +
			"header `Link` to the next.",
		Path: jobID, Query: params,
		Answers: rest.Answers{http.StatusOK: {
			JSON: rest.Page[JobResult]{}, Text: []string{mediaCSV, mediaNDJSON}, Headers: []rest.Param{{Name: "Link", Doc: "The next page."}},
		}},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusNotAcceptable, http.StatusServiceUnavailable},
		Handler: s.handle(func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadQuery(r, params...)
			if err != nil {
				return err
			}
			job, err := s.jobOf(r)
			if err != nil {
				return err
			}
			media, err := rest.Negotiate(r, mediaJSON, mediaCSV, mediaNDJSON)
			if err != nil {
				return err
			}
			limit, _ := strconv.Atoi(q.Get("limit")) // checked
			if limit == 0 {
				limit = quotekit.MaxBatchItems
			}
			from := 0
			if c := q.Get("cursor"); c != "" {
				if from, err = strconv.Atoi(c); err != nil || from < 0 || from > job.Total {
					return rest.Invalid(rest.FieldError{Location: "query.cursor", Message: "none of ours"})
				}
			}
			results, next, err := s.results(r.Context(), rest.ActorFrom(r.Context()).UserID, job, quotekit.Outcome(q.Get("outcome")), from, limit)
			if err != nil {
				return err
			}
			w.Header().Set("Vary", "Accept")
			if next != "" {
				values := r.URL.Query()
				values.Set("cursor", next)
				w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.Path, values.Encode()))
			}
			switch media {
			case mediaCSV:
				return writeResultsCSV(w, results)
			case mediaNDJSON:
				return writeResultLines(w, results)
			}
			rest.WritePage(w, r, results, next)
			return nil
		}),
	}
}

// results reads a page of results. The items of a job that is not finished have
// no row yet if they are unprocessed, so these are made up of the request.
func (s *Service) results(ctx context.Context, userID string, job store.BatchJob, outcome quotekit.Outcome, from, limit int) (list []JobResult, next string, err error) {
	var items []store.ItemResult
	if job.Status.Finished() {
		items, err = s.store.BatchItems(ctx, userID, job.ID, outcome, from, limit+1)
	} else {
		items, err = s.unfinished(ctx, userID, job, outcome, from, limit+1)
	}
	if err != nil {
		return nil, "", err
	}
	if len(items) > limit {
		items, next = items[:limit], strconv.Itoa(items[limit].Position)
	}
	operation, _ := s.operationOf(job)
	list = make([]JobResult, len(items))
	for i, item := range items {
		if list[i], err = show(operation, item); err != nil {
			return nil, "", fmt.Errorf("batch job %s, position %d: %w", job.ID, item.Position, err)
		}
	}
	return list, next, nil
}

// operationOf is the operation of a job, and of an undo that of its parent.
func (s *Service) operationOf(job store.BatchJob) (o quotekit.Operation, ok bool) {
	name := job.Operation
	if name == UndoOperation {
		var options undoOptions
		if json.Unmarshal(job.Options, &options) != nil {
			return o, false
		}
		name = options.Operation
	}
	o, ok = s.catalog.byName[name]
	return o, ok
}

func (s *Service) unfinished(ctx context.Context, userID string, job store.BatchJob, outcome quotekit.Outcome, from, limit int) ([]store.ItemResult, error) {
	done, err := s.store.BatchItems(ctx, userID, job.ID, "", 0, job.Total)
	if err != nil {
		return nil, err
	}
	work, err := s.store.BatchWork(ctx, job.ID)
	if quotekit.CodeOf(err) == quotekit.ENotFound {
		return nil, nil // another program's job
	}
	if err != nil {
		return nil, err
	}
	ids := make([]string, job.Total)
	if p, err := s.catalog.plan(work); err == nil {
		ids = p.itemIDs()
	}
	all := make([]store.ItemResult, job.Total)
	for p := range all {
		all[p] = store.ItemResult{Position: p, ItemID: ids[p], Outcome: quotekit.Unprocessed}
	}
	for _, item := range done {
		all[item.Position] = item
	}
	var page []store.ItemResult
	for _, item := range all {
		if item.Position >= from && len(page) < limit && (outcome == "" || item.Outcome == outcome) {
			page = append(page, item)
		}
	}
	return page, nil
}

// show writes an item as the API does.
func show(o quotekit.Operation, item store.ItemResult) (r JobResult, err error) {
	r = JobResult{Position: item.Position, Outcome: item.Outcome}
	if item.ItemID != "" {
		r.ItemID = &item.ItemID
	}
	if item.Code != "" {
		r.ErrorCode = &item.Code
	}
	if item.Message != "" {
		r.ErrorMessage = &item.Message
	}
	if o.Name == "" || o.Kind == quotekit.OperationExport { // an exported row is in the file
		return r, nil
	}
	if item.Before != nil {
		if r.Before, err = item.Before.Show(o.Table); err != nil {
			return r, err
		}
	}
	if item.After != nil {
		r.After, err = item.After.Show(o.Table)
	}
	return r, err
}

func writeResultsCSV(w http.ResponseWriter, results []JobResult) error {
	w.Header().Set("Content-Type", mediaCSV+"; charset=utf-8")
	lines := csv.NewWriter(w)
	_ = lines.Write(resultColumns) // an error is the caller's going, and comes again below
	for _, r := range results {
		_ = lines.Write([]string{
			strconv.Itoa(r.Position), orEmpty(r.ItemID), string(r.Outcome), orEmpty(r.ErrorCode), rest.Cell(orEmpty(r.ErrorMessage)),
			string(r.Before), string(r.After),
		})
	}
	lines.Flush()
	return nil // nobody is left to tell
}

func writeResultLines(w http.ResponseWriter, results []JobResult) error {
	w.Header().Set("Content-Type", mediaNDJSON)
	encoder := json.NewEncoder(w)
	for _, r := range results {
		if encoder.Encode(r) != nil {
			return nil // the caller has gone
		}
	}
	return nil
}

func orEmpty[T ~string](s *T) string {
	if s == nil {
		return ""
	}
	return string(*s)
}

// The media types of results and exports.
const (
	mediaJSON   = "application/json"
	mediaCSV    = "text/csv"
	mediaNDJSON = "application/x-ndjson"
)
