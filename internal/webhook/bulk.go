package webhook

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/task"
)

const (
	// previewFor is how long a preview can be started.
	previewFor = 15 * time.Minute
	// retryRate is how many letters are retried in a second, if nobody says
	// otherwise; resolving them costs nothing but a row.
	retryRate, resolveRate = 50, 1000
	// bulkLimit is how many letters a bulk act has at most, if nobody says
	// otherwise.
	bulkLimit = 10_000
)

// Bulk acts on many dead letters at once: first a preview, which freezes the list
// of letters and gives a token, then, with the token, a task that does it.
type Bulk struct {
	operator *Operator
	tasks    *task.Engine
}

// bulkArguments are those of the task.
type bulkArguments struct {
	Action quotekit.BulkAction    `json:"action"`
	Mode   quotekit.ReplayMode    `json:"mode,omitempty"`
	Filter *quotekit.LetterFilter `json:"filter,omitempty"`
	Rate   int                    `json:"rate"`
	Limit  int                    `json:"limit"`
}

// PreviewBulk freezes the letters that a request is about, and changes nothing else.
// It fails with a [rest.Problem] that names all ids that are unknown, and with
// [quotekit.EConflict] if the mode cannot be had.
func (b *Bulk) PreviewBulk(ctx context.Context, r quotekit.BulkRequest, act quotekit.Act) (p quotekit.BulkPreview, err error) {
	if err := b.operator.CheckMode(r.Mode); err != nil {
		return p, err
	}
	arguments := bulkArguments{Action: r.Action, Mode: r.Mode, Filter: r.Filter, Rate: r.Rate, Limit: r.Limit}
	if arguments.Limit == 0 {
		arguments.Limit = bulkLimit
	}
	if arguments.Rate == 0 {
		arguments.Rate = retryRate
		if r.Action == quotekit.BulkResolve {
			arguments.Rate = resolveRate
		}
	}
	p.TaskID, p.Token = quotekit.NewID(), "bulk_"+rand.Text()
	err = b.operator.store.WithTx(ctx, func(tx *store.Tx) error {
		selection, err := selectionOf(r, arguments.Limit, tx.Now)
		if err != nil {
			return err
		}
		p.ExpiresAt = tx.Now.Add(previewFor)
		text, err := json.Marshal(arguments)
		if err != nil {
			return err
		}
		err = tx.InsertTask(ctx, store.NewTask{
			ID: p.TaskID, Kind: quotekit.BulkKind, Arguments: text, Act: act, TokenHash: store.HashToken(p.Token),
		})
		if err != nil {
			return err
		}
		if p.Count, p.More, err = tx.InsertTaskItems(ctx, p.TaskID, selection); err != nil {
			return err
		}
		if len(r.IDs) == 0 {
			return nil
		}
		items, err := tx.TaskItems(ctx, p.TaskID)
		if err != nil {
			return err
		}
		return unknownIDs(r.IDs, items)
	})
	return p, err
}

// selectionOf is what the store looks for. Ages count from now.
func selectionOf(r quotekit.BulkRequest, limit int, now time.Time) (store.LetterSelection, error) {
	l := store.LetterSelection{Retry: r.Action == quotekit.BulkRetry, Limit: limit}
	for _, id := range r.IDs {
		if parsed, err := uuid.Parse(id); err == nil && len(id) == 36 {
			l.LetterIDs = append(l.LetterIDs, parsed.String())
		} else {
			l.EventIDs = append(l.EventIDs, id)
		}
	}
	f := r.Filter
	if f == nil {
		return l, nil
	}
	l.EventType, l.Reason, l.ErrorClass = f.EventType, f.Reason, f.ErrorClass
	l.RequiresManualReview, l.Livemode = f.RequiresManualReview, f.Livemode
	if f.FailedBefore != nil {
		l.FailedBefore = *f.FailedBefore
	}
	if f.FailedAfter != nil {
		l.FailedSince = *f.FailedAfter
	}
	if f.OlderThan != "" {
		age, err := quotekit.ParseAge(f.OlderThan)
		if err != nil {
			return l, err
		}
		if before := now.Add(-age); l.FailedBefore.IsZero() || before.Before(l.FailedBefore) {
			l.FailedBefore = before
		}
	}
	if f.YoungerThan != "" {
		age, err := quotekit.ParseAge(f.YoungerThan)
		if err != nil {
			return l, err
		}
		if since := now.Add(-age); since.After(l.FailedSince) {
			l.FailedSince = since
		}
	}
	return l, nil
}

// named tells which letters of a list ids name. An id is that of a letter or of
// its event.
func named(ids []string, items []store.TaskItem) (known map[int]bool, unknown []int) {
	at := map[string][]int{}
	for _, i := range items {
		at[i.LetterID] = append(at[i.LetterID], i.Position)
		at[i.StripeEventID] = append(at[i.StripeEventID], i.Position)
	}
	known = map[int]bool{}
	for n, id := range ids {
		if len(id) == 36 && uuid.Validate(id) == nil {
			id = strings.ToLower(id)
		}
		if at[id] == nil {
			unknown = append(unknown, n)
		}
		for _, position := range at[id] {
			known[position] = true
		}
	}
	return known, unknown
}

func unknownIDs(ids []string, items []store.TaskItem) error {
	_, unknown := named(ids, items)
	if len(unknown) == 0 {
		return nil
	}
	p := rest.NewProblem(http.StatusUnprocessableEntity, quotekit.EInvalid, "Not all ids are those of dead letters.")
	for _, n := range unknown {
		_ = p.With(fmt.Sprintf("body.ids[%d]", n), "there is no such dead letter")
	}
	return p
}

// StartBulk begins what a preview has shown, on behalf of act, and returns the task.
// Started is false if somebody has started it before. What r gives besides has to
// be that of the preview, but for the rate.
func (b *Bulk) StartBulk(ctx context.Context, token string, r quotekit.BulkRequest, act quotekit.Act) (t store.Task, started bool, err error) {
	s := b.operator.store
	t, err = s.TaskByToken(ctx, store.HashToken(token))
	if quotekit.CodeOf(err) == quotekit.ENotFound || err == nil && t.Kind != quotekit.BulkKind {
		return t, false, quotekit.Errorf(quotekit.ENotFound, "there is no preview with this token")
	}
	if err != nil {
		return t, false, err
	}
	var arguments bulkArguments
	if err := json.Unmarshal(t.Arguments, &arguments); err != nil {
		return t, false, fmt.Errorf("read the arguments of task %s: %w", t.ID, err)
	}
	if err := b.sameAsPreview(ctx, t, arguments, r); err != nil {
		return t, false, err
	}
	if t.Status != quotekit.TaskPreviewed {
		return t, false, nil
	}
	if act.Reason == "" {
		act.Reason = t.Reason
	}
	if act.Reason == "" && arguments.Action == quotekit.BulkResolve {
		p := rest.NewProblem(http.StatusUnprocessableEntity, quotekit.EInvalid, "A resolution needs a reason.")
		return t, false, p.With("body.reason", "say why; it is kept with the dead letters")
	}
	if r.Rate != 0 {
		arguments.Rate = r.Rate
	}
	text, err := json.Marshal(arguments)
	if err != nil {
		return t, false, err
	}
	err = s.WithTx(ctx, func(tx *store.Tx) error {
		if tx.Now.Sub(t.CreatedAt) > previewFor {
			return rest.NewProblem(http.StatusGone, "preview_expired",
				"The preview is older than 15 minutes, and what it shows may be. Make a new one.")
		}
		started, err = b.tasks.Confirm(ctx, tx, t.ID, text, act, previewFor)
		return err
	})
	if err != nil {
		return t, false, err
	}
	t, err = s.Task(ctx, t.ID)
	return t, started, err
}

// sameAsPreview fails if a request asks for something else than its preview has
// shown. What it leaves out is as in the preview.
func (b *Bulk) sameAsPreview(ctx context.Context, t store.Task, a bulkArguments, r quotekit.BulkRequest) error {
	p := rest.NewProblem(http.StatusUnprocessableEntity, "preview_mismatch", "The token is that of a preview of something else.")
	if r.Action != "" && r.Action != a.Action {
		_ = p.With("body.action", "the preview was one of "+string(a.Action))
	}
	if r.Mode != "" && r.Mode != a.Mode {
		_ = p.With("body.mode", "the preview had another one")
	}
	if r.Limit != 0 && r.Limit != a.Limit {
		_ = p.With("body.limit", fmt.Sprintf("the preview had %d", a.Limit))
	}
	if r.Filter != nil {
		same := a.Filter != nil
		if same {
			given, err := json.Marshal(r.Filter)
			shown, err2 := json.Marshal(a.Filter)
			if err := errors.Join(err, err2); err != nil {
				return err
			}
			same = string(given) == string(shown)
		}
		if !same {
			_ = p.With("body.filter", "the preview had another one")
		}
	}
	if len(r.IDs) > 0 {
		items, err := b.operator.store.TaskItems(ctx, t.ID)
		if err != nil {
			return err
		}
		known, unknown := named(r.IDs, items)
		if a.Filter != nil || len(unknown) > 0 || len(known) != len(items) {
			_ = p.With("body.ids", "the preview had others")
		}
	}
	if p.Errors == nil {
		return nil
	}
	return p
}
