package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// maxBulkBody bounds a request, in bytes: maxBulkIDs, and room.
	maxBulkBody = 4 << 20
	maxBulkIDs  = 10_000
	// maxBulk is the most letters of one bulk act.
	maxBulk = 100_000
	// bulkSample is how many letters are shown.
	bulkSample = 10
)

// BulkBody is the body of a bulk act on dead letters.
type BulkBody struct {
	Action quotekit.BulkAction    `json:"action,omitempty" doc:"Needed for a dry run."`
	IDs    []string               `json:"ids,omitempty" doc:"Dead letters, by their own ids or those of their events; at most 10,000."`
	Filter *quotekit.LetterFilter `json:"filter,omitempty" doc:"Instead of ids: the dead letters that fit all of it; at least one field."`
	Mode   quotekit.ReplayMode    `json:"mode,omitempty" doc:"Of a retry: as for a single one."`
	DryRun bool                   `json:"dry_run,omitempty" doc:"Only tell which letters it would be, and give a token."`
	Reason string                 `json:"reason,omitempty" doc:"Why, for the audit trail; at most 2,000 bytes. A resolve needs one."`
	Token  string                 `json:"token,omitempty" doc:"Of the dry run, which decides which letters it is. What else is given has to be as it was there, but for reason and rate."`
	Rate   int                    `json:"rate,omitempty" doc:"Letters in a second, 1 to 1,000; 50 for a retry and 1,000 for a resolve if it is not given."`
	Limit  int                    `json:"limit,omitempty" doc:"At most so many letters, 1 to 100,000; 10,000 if it is not given."`
}

// BulkAnswer is the answer to a bulk act.
type BulkAnswer struct {
	Count     int                      `json:"count" doc:"How many dead letters it is about."`
	More      bool                     `json:"more" doc:"Of a dry run: the filter fits more letters than the limit."`
	Sample    []store.DeadLetterRecord `json:"sample" doc:"The first of them, at most 10, without event_data."`
	Token     *string                  `json:"token" doc:"Of a dry run: starts it, once, with exactly these letters."`
	ExpiresAt *time.Time               `json:"expires_at" doc:"Of a dry run: how long the token is valid."`
	Summary   *store.BulkSummary       `json:"summary" doc:"Of a dry run: what the letters are like."`
	TaskID    string                   `json:"task_id" format:"uuid"`
	Links     BulkLinks                `json:"links"`
}

// BulkLinks are where to go from a bulk act.
type BulkLinks struct {
	Task    string `json:"task"`
	Results string `json:"results" doc:"What became of each dead letter."`
}

// BulkDeadLetters previews and starts bulk acts.
func (a *API) BulkDeadLetters() rest.Endpoint {
	location := []rest.Param{{Name: "Location", Doc: "The URL of the task.", Required: true}}
	return rest.Endpoint{
		ID: "bulkDeadLetters", Summary: "Retry or resolve many dead letters", Tag: deadLettersTag,
		Doc: "First a dry run, which freezes the list of letters, changes nothing and gives a token; then, within 15 minutes, " +
			"the same with the token, which starts a task with exactly these letters. The same token again finds the same task.",
		Body: &rest.Body{Type: BulkBody{}},
		Answers: rest.Answers{
			http.StatusOK:       {Doc: "A dry run; or the task had been started before.", JSON: BulkAnswer{}},
			http.StatusAccepted: {Doc: "The task is started.", JSON: BulkAnswer{}, Headers: location},
		},
		Problems: []int{
			http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusRequestEntityTooLarge,
			http.StatusUnprocessableEntity,
		},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			body, err := readBulk(w, r)
			if err != nil {
				return err
			}
			act, err := ActOf(r, body.Reason)
			if err != nil {
				return err
			}
			request := quotekit.BulkRequest{
				Action: body.Action, Mode: body.Mode, IDs: body.IDs, Filter: body.Filter, Rate: body.Rate, Limit: body.Limit,
			}
			if body.DryRun {
				p, err := a.Bulk.PreviewBulk(r.Context(), request, act)
				if err != nil {
					return err
				}
				summary, err := a.Reads.BulkSummary(r.Context(), p.TaskID)
				if err != nil {
					return err
				}
				return a.answerBulk(w, r, http.StatusOK, BulkAnswer{
					Count: p.Count, More: p.More, Token: &p.Token, ExpiresAt: &p.ExpiresAt, TaskID: p.TaskID, Summary: &summary,
				})
			}
			t, started, err := a.Bulk.StartBulk(r.Context(), body.Token, request, act)
			if err != nil {
				return err
			}
			status := http.StatusOK
			if started {
				status = http.StatusAccepted
				w.Header().Set("Location", tasksPath+t.ID)
			}
			return a.answerBulk(w, r, status, BulkAnswer{Count: *t.Total, TaskID: t.ID})
		}),
	}
}

func (a *API) answerBulk(w http.ResponseWriter, r *http.Request, status int, out BulkAnswer) (err error) {
	out.Links = BulkLinks{Task: tasksPath + out.TaskID, Results: tasksPath + out.TaskID + "/results"}
	if out.Sample, err = a.Store.TaskSample(r.Context(), out.TaskID, bulkSample); err == nil {
		rest.WriteJSON(w, r, status, out)
	}
	return err
}

// stripeKeeps is how long Stripe can be asked for an event.
const stripeKeeps = 30 * day

// BulkSummary tells what the letters of a bulk act are like.
func (r *Reads) BulkSummary(ctx context.Context, taskID string) (store.BulkSummary, error) {
	b, err := r.Store.BulkSummary(ctx, taskID, r.Now().Add(-stripeKeeps))
	if err != nil {
		return b, err
	}
	types, err := r.Store.TaskTypes(ctx, taskID)
	for name, n := range types {
		if r.handler(name) == "" {
			b.NoHandler += n
		}
	}
	return b, err
}

// readBulk reads a request, and tells everything that is wrong with it at once.
func readBulk(w http.ResponseWriter, r *http.Request) (BulkBody, error) {
	var members map[string]json.RawMessage
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBulkBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return BulkBody{}, rest.NewProblem(http.StatusRequestEntityTooLarge, "body_too_large", "The body is longer than 4 MiB.")
	case err != nil:
		return BulkBody{}, invalid("body", "it ended early")
	case !utf8.Valid(text) || json.Unmarshal(text, &members) != nil || members == nil:
		return BulkBody{}, invalid("body", `want {"action": "retry", "filter": {…}, "dry_run": true}`)
	}
	b := bulkReader{}
	body := b.read(members)
	if b.errs == nil {
		b.check(body, members)
	}
	if b.errs == nil {
		return body, nil
	}
	p := rest.NewProblem(http.StatusUnprocessableEntity, quotekit.EInvalid, "The request cannot be carried out.")
	if !body.DryRun && body.Token == "" && len(b.errs) == 1 {
		p = rest.NewProblem(http.StatusUnprocessableEntity, "preview_required",
			"Preview it first: the same with dry_run: true gives a token.")
	}
	p.Errors = b.errs
	return body, p
}

// bulkReader collects what is wrong with a request.
type bulkReader struct{ errs []rest.FieldError }

func (b *bulkReader) wrong(location, format string, args ...any) {
	b.errs = append(b.errs, rest.FieldError{Location: location, Message: fmt.Sprintf(format, args...)})
}

// read reads the fields of a request, each by itself.
func (b *bulkReader) read(members map[string]json.RawMessage) (body BulkBody) {
	b.fields("body", members, map[string]field{
		"action": {&body.Action, "retry or resolve"}, "ids": {&body.IDs, "a list of texts"}, "filter": {nil, ""},
		"mode": {&body.Mode, "stored or current"}, "dry_run": {&body.DryRun, "true or false"}, "reason": {&body.Reason, "a text"},
		"token": {&body.Token, "a text"}, "rate": {&body.Rate, "a whole number"}, "limit": {&body.Limit, "a whole number"},
	})
	text, ok := members["filter"]
	if !ok {
		return body
	}
	var filter map[string]json.RawMessage
	if json.Unmarshal(text, &filter) != nil || filter == nil {
		b.wrong("body.filter", "want an object")
		return body
	}
	f := &quotekit.LetterFilter{}
	body.Filter = f
	b.fields("body.filter", filter, map[string]field{
		"event_type": {&f.EventType, "a text"}, "reason": {&f.Reason, "a text"}, "error_class": {&f.ErrorClass, "a text"},
		"older_than": {&f.OlderThan, "an age like 90m or 7d"}, "younger_than": {&f.YoungerThan, "an age like 90m or 7d"},
		"failed_before": {&f.FailedBefore, "a time like 2006-01-02T15:04:05Z"}, "failed_after": {&f.FailedAfter, "a time like 2006-01-02T15:04:05Z"},
		"requires_manual_review": {&f.RequiresManualReview, "true or false"}, "livemode": {&f.Livemode, "true or false"},
		"resolved": {&f.Resolved, "false"},
	})
	return body
}

// field is where a member of an object goes, and what it may be.
type field struct {
	into any // nil is read elsewhere
	want string
}

func (b *bulkReader) fields(location string, members map[string]json.RawMessage, known map[string]field) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		f, ok := known[name]
		switch {
		case !ok:
			b.wrong(location+"."+clip(name), "unknown; known are %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case f.into == nil:
		case string(members[name]) == "null" || json.Unmarshal(members[name], f.into) != nil:
			b.wrong(location+"."+name, "want %s", f.want)
		}
	}
}

// check looks at the fields together, once each can be read.
func (b *bulkReader) check(body BulkBody, members map[string]json.RawMessage) {
	_, given := members["ids"]
	switch {
	case given && body.Filter != nil:
		b.wrong("body", "want ids or a filter, not both")
	case given && len(body.IDs) == 0:
		b.wrong("body.ids", "empty; want at least one")
	case len(body.IDs) > maxBulkIDs:
		b.wrong("body.ids", "%d ids; want 10,000 at most", len(body.IDs))
	case body.Filter != nil && *body.Filter == quotekit.LetterFilter{}:
		b.wrong("body.filter", "empty; want at least one field, like resolved: false for all")
	case !given && body.Filter == nil && body.Token == "":
		b.wrong("body", "want ids or a filter")
	}
	for i, id := range body.IDs {
		if id == "" || len(id) > 255 || strings.ContainsRune(id, 0) {
			b.wrong(fmt.Sprintf("body.ids[%d]", i), "want the id of a dead letter or of its event")
		}
	}
	if body.Action == "" {
		if _, given := members["action"]; given || body.Token == "" {
			b.wrong("body.action", "want retry or resolve")
		}
	} else if !slices.Contains(quotekit.BulkAction("").Enum(), string(body.Action)) {
		b.wrong("body.action", "want retry or resolve")
	}
	switch {
	case body.Mode == "":
	case !slices.Contains(quotekit.ReplayMode("").Enum(), string(body.Mode)):
		b.wrong("body.mode", "want stored or current")
	case body.Action == quotekit.BulkResolve:
		b.wrong("body.mode", "a resolve has none")
	}
	b.number("body.rate", members["rate"], body.Rate, quotekit.MaxBulkRate)
	b.number("body.limit", members["limit"], body.Limit, maxBulk)
	b.filter(body.Filter)
	switch {
	case body.DryRun && body.Token != "":
		b.wrong("body.token", "a dry run takes none; it gives one")
	case !body.DryRun && body.Token == "":
		b.wrong("body.token", "missing: preview it first, with dry_run: true")
	}
}

func (b *bulkReader) number(location string, given json.RawMessage, n, most int) {
	if given != nil && (n < 1 || n > most) {
		b.wrong(location, "want 1 to %d", most)
	}
}

func (b *bulkReader) filter(f *quotekit.LetterFilter) {
	if f == nil {
		return
	}
	for name, text := range map[string]string{"event_type": f.EventType, "reason": f.Reason, "error_class": f.ErrorClass} {
		if strings.ContainsRune(text, 0) {
			b.wrong("body.filter."+name, "want text without U+0000")
		}
	}
	for name, age := range map[string]string{"older_than": f.OlderThan, "younger_than": f.YoungerThan} {
		if _, err := quotekit.ParseAge(age); age != "" && err != nil {
			b.wrong("body.filter."+name, "%s", err)
		}
	}
	if f.Resolved != nil && *f.Resolved {
		b.wrong("body.filter.resolved", "want false: nothing is done with dead letters that are resolved")
	}
}

// clip bounds what is quoted of a request.
func clip(s string) string {
	if r := []rune(s); len(r) > 50 {
		return string(r[:50]) + "…"
	}
	return s
}
