package dashboard

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

const (
	// typedFrom is from how many letters on their number has to be typed in.
	typedFrom = 500
	// maxIDs is how many letters a bulk act may name.
	maxIDs = 10_000
	// samples is how many letters a preview shows.
	samples = 5
	// previewFor is how long a preview can be started; package webhook decides.
	previewFor = 15 * time.Minute
)

// bulkView is the data of a preview.
type bulkView struct {
	store.BulkSummary
	bulkArguments
	TaskID, Token string
	Count         int
	More          bool
	Sample        []store.DeadLetterRecord
	Rates         []pace
	ExpiresAt     time.Time
	// Typed is whether the number has to be typed in.
	Typed bool
	// Reason is what was typed in before, and Problem what was wrong with it.
	Reason, Problem string
	Back            string
}

// bulkArguments are those of a task that is a bulk act, as the API shows them.
type bulkArguments struct {
	Action quotekit.BulkAction    `json:"action"`
	Mode   quotekit.ReplayMode    `json:"mode"`
	Filter *quotekit.LetterFilter `json:"filter"`
	Rate   int                    `json:"rate"`
	Limit  int                    `json:"limit"`
}

// Retry reports whether the letters are retried, and not resolved.
func (b bulkArguments) Retry() bool { return b.Action == quotekit.BulkRetry }

// FilterWords are what the letters were chosen by; nil if by their ids.
func (b bulkArguments) FilterWords() []chip {
	f := b.Filter
	if f == nil {
		return nil
	}
	var words []chip
	add := func(name, value string) {
		if value != "" {
			words = append(words, chip{Name: name, Value: value})
		}
	}
	add("type", f.EventType)
	add("reason", f.Reason)
	add("error", f.ErrorClass)
	add("older than", f.OlderThan)
	add("younger than", f.YoungerThan)
	if f.FailedAfter != nil {
		add("failed since", stamp(*f.FailedAfter))
	}
	if f.FailedBefore != nil {
		add("failed before", stamp(*f.FailedBefore))
	}
	if f.RequiresManualReview != nil {
		add("needs review", strconv.FormatBool(*f.RequiresManualReview))
	}
	if f.Livemode != nil {
		add("live mode", strconv.FormatBool(*f.Livemode))
	}
	return words
}

// pace is a rate that can be chosen, and how long the letters take at it.
type pace struct {
	PerSecond int
	Takes     string
	Chosen    bool
}

// ratesFor are the paces that are offered for so many letters.
func ratesFor(letters, chosen int) []pace {
	paces := []int{1, 10, 50, 200, 1000}
	if !slices.Contains(paces, chosen) {
		paces = append(paces, chosen)
		slices.Sort(paces)
	}
	out := make([]pace, len(paces))
	for i, n := range paces {
		out[i] = pace{n, "about " + duration(max(time.Duration(letters)*time.Second/time.Duration(n), time.Second)), n == chosen}
	}
	return out
}

// previewBulk shows what a bulk act would do, and freezes its letters. The field do
// says what, and with which: those that are selected, or all that match.
func (d *Dashboard) previewBulk(r *http.Request) (Answer, error) {
	back := backTo(r, lettersPath)
	request, err := d.bulkRequest(r)
	if err != nil {
		return refused(back, err)
	}
	return d.preview(r, request, back)
}

func (d *Dashboard) preview(r *http.Request, request quotekit.BulkRequest, back string) (Answer, error) {
	act, err := act(r)
	if err != nil {
		return refused(back, err)
	}
	p, err := d.Bulk.PreviewBulk(r.Context(), request, act)
	if err != nil {
		return refused(back, err)
	}
	if p.Count == 0 {
		return refused(back, quotekit.Errorf(quotekit.EConflict, "No dead letter matches now, or all of them are being attempted."))
	}
	t, err := d.Store.Task(r.Context(), p.TaskID)
	if err != nil {
		return Answer{}, err
	}
	v, err := d.bulkView(r.Context(), t, p.Token)
	v.More, v.Back, v.Reason = p.More, back, act.Reason
	return Answer{Data: v, Title: v.Heading(), Template: "preview"}, err
}

// Heading says what a preview is about.
func (v bulkView) Heading() string {
	what := "Resolve"
	if v.Retry() {
		what = "Replay"
	}
	if v.More {
		return what + " at least " + plural(v.Count, "dead letter", "dead letters")
	}
	return what + " " + plural(v.Count, "dead letter", "dead letters")
}

// bulkRequest reads what is to be done with which letters.
func (d *Dashboard) bulkRequest(r *http.Request) (quotekit.BulkRequest, error) {
	action, which, _ := strings.Cut(r.PostFormValue("do"), "-")
	mode, err := modeOf(r)
	if err != nil {
		return quotekit.BulkRequest{}, err
	}
	request := quotekit.BulkRequest{Action: quotekit.BulkAction(action), Mode: mode}
	switch request.Action {
	case quotekit.BulkRetry:
	case quotekit.BulkResolve:
		request.Mode = ""
	default:
		return request, quotekit.Errorf(quotekit.EInvalid, "Dead letters can be replayed or resolved.")
	}
	switch which {
	case "selected":
		request.IDs = r.PostForm["id"]
		switch {
		case len(request.IDs) == 0:
			return request, quotekit.Errorf(quotekit.EInvalid, "No row is selected: tick some, or take all that match.")
		case len(request.IDs) > maxIDs:
			return request, quotekit.Errorf(quotekit.EInvalid, "More than 10,000 rows are selected.")
		}
		return request, nil
	case "matching":
		// reason is why somebody acts; the filter of this name has another one here.
		filter := maps.Clone(r.PostForm)
		filter["reason"] = r.PostForm["failure_reason"]
		asked, err := letterQuery(filter)
		if err == nil && (asked.Resolved == nil || *asked.Resolved) {
			err = quotekit.Errorf(quotekit.EInvalid, "Nothing is done with dead letters that are resolved.")
		}
		request.Filter = bulkFilter(asked)
		return request, err
	case "group":
		return d.groupRequest(r.Context(), request, r.PostFormValue("group"))
	}
	return request, quotekit.Errorf(quotekit.EInvalid, "It is not said which dead letters.")
}

// wholeClass is the length in characters from which on the class of an error group
// may be the beginning of that of its letters.
const wholeClass = 150

// groupRequest is about the letters of an error group. If it has no class, or one
// that may be cut off, they are named one by one: a filter would not fit just them.
func (d *Dashboard) groupRequest(ctx context.Context, request quotekit.BulkRequest, id string) (quotekit.BulkRequest, error) {
	g, err := d.Reads.ErrorGroup(ctx, id)
	if err != nil {
		return request, err
	}
	if n := utf8.RuneCountInString(g.ErrorClass); n > 0 && n < wholeClass {
		request.Filter = bulkFilter(monitor.LetterQuery{EventType: g.EventType, Reason: g.FailureReason, ErrorClass: g.ErrorClass})
		return request, nil
	}
	open := false
	err = d.eachLetter(ctx, monitor.LetterQuery{GroupID: id, Resolved: &open}, func(l monitor.DeadLetterItem) bool {
		if request.Action == quotekit.BulkResolve || l.Status == quotekit.EventDead {
			request.IDs = append(request.IDs, l.ID)
		}
		return len(request.IDs) < maxIDs
	})
	if err == nil && len(request.IDs) == 0 {
		err = quotekit.Errorf(quotekit.EConflict, "No letter of this group is dead now.")
	}
	return request, err
}

// bulkView is what is shown of a preview.
func (d *Dashboard) bulkView(ctx context.Context, t store.Task, token string) (v bulkView, err error) {
	v = bulkView{TaskID: t.ID, Token: token, ExpiresAt: t.CreatedAt.Add(previewFor), Back: lettersPath}
	if err := json.Unmarshal(t.Arguments, &v.bulkArguments); err != nil {
		return v, fmt.Errorf("read the arguments of task %s: %w", t.ID, err)
	}
	if t.Total != nil {
		v.Count = *t.Total
	}
	v.Typed = v.Count > typedFrom
	v.Rates = ratesFor(v.Count, cmp.Or(v.Rate, 1))
	if v.Sample, err = d.Store.TaskSample(ctx, t.ID, samples); err != nil {
		return v, err
	}
	v.BulkSummary, err = d.Reads.BulkSummary(ctx, t.ID)
	return v, err
}

// startBulk starts what a preview has shown, and leads to its task.
func (d *Dashboard) startBulk(r *http.Request) (Answer, error) {
	back, token := backTo(r, lettersPath), r.PostFormValue("token")
	t, err := d.Store.TaskByToken(r.Context(), store.HashToken(token))
	if err != nil {
		return refused(back, err)
	}
	if t.Status != quotekit.TaskPreviewed {
		return Answer{To: taskPath(t.ID), Done: "This was started before; here is how far it is."}, nil
	}
	act, perSecond, err := confirmed(r, t)
	if err == nil {
		t, _, err = d.Bulk.StartBulk(r.Context(), token, quotekit.BulkRequest{Rate: perSecond}, act)
	}
	if err == nil {
		return Answer{To: taskPath(t.ID), Done: "It has begun. What becomes of each dead letter is shown here."}, nil
	}
	p := rest.ProblemOf(err)
	if p.Status == http.StatusGone || p.Status >= http.StatusInternalServerError {
		return refused(back, err)
	}
	// What was typed in is kept, and the token is still good.
	v, err := d.bulkView(r.Context(), t, token)
	v.Problem, v.Reason, v.Back, v.More = wordsOf(p), r.PostFormValue("reason"), back, r.PostFormValue("more") != ""
	for i, offered := range v.Rates {
		v.Rates[i].Chosen = strconv.Itoa(offered.PerSecond) == r.PostFormValue("rate")
	}
	return Answer{Data: v, Title: v.Heading(), Template: "preview", Status: p.Status}, err
}

// confirmed reads what is typed in on a preview: why, how fast and, of many
// letters, how many.
func confirmed(r *http.Request, t store.Task) (quotekit.Act, int, error) {
	var a bulkArguments
	if err := json.Unmarshal(t.Arguments, &a); err != nil {
		return quotekit.Act{}, 0, fmt.Errorf("read the arguments of task %s: %w", t.ID, err)
	}
	act, err := act(r)
	if a.Action == quotekit.BulkResolve {
		act, err = reasonedAct(r)
	}
	perSecond, err2 := strconv.Atoi(r.PostFormValue("rate"))
	if err2 != nil || perSecond < 1 || perSecond > 1000 {
		err2 = quotekit.Errorf(quotekit.EInvalid, "The rate is 1 to 1,000 letters in a second.")
	}
	if err := errors.Join(err, err2); err != nil {
		return act, 0, err
	}
	if t.Total != nil && *t.Total > typedFrom {
		typed := strings.NewReplacer(",", "", " ", "").Replace(r.PostFormValue("count"))
		if typed != strconv.Itoa(*t.Total) {
			return act, 0, quotekit.Errorf(quotekit.EInvalid, "Type in the number of letters, %s, to say that you mean them all.", count(*t.Total))
		}
	}
	return act, perSecond, nil
}
