package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// lettersView is the data of the page of dead letters.
type lettersView struct {
	monitor.DeadLetterQueue
	filters
	// Asked is what is shown, as a bulk act takes it.
	Asked *monitor.LetterQuery
	// State is open, resolved or all.
	State string
	// Types and Reasons are offered by the filters.
	Types, Reasons []string
	Older, Newest  string
	// MoreGroups and FirstGroups are the URLs of other pages of groups.
	MoreGroups, FirstGroups string
	// CanAct is whether the rows can be acted upon: those that are resolved cannot.
	CanAct bool
}

// letterStates are the values of the parameter resolved; without it only letters
// that are not resolved are shown.
var letterStates = map[string]string{"": "open", "false": "open", "true": "resolved", "all": "all"}

// letterFilters are the parameters that filter dead letters, with their words.
var letterFilters = [][2]string{
	{"event_type", "type"},
	{"reason", "reason"},
	{"error_class", "error"},
	{"from", "failed since"},
	{"to", "failed before"},
	{"resolved", "resolved"},
	{"requires_manual_review", "needs a person"},
	{"livemode", "live mode"},
}

var failureReasons = []string{
	string(quotekit.ReasonRejected), string(quotekit.ReasonParsing), string(quotekit.ReasonPanic), string(quotekit.ReasonTimeout),
	string(quotekit.ReasonDatabase), string(quotekit.ReasonMaxRetries),
}

// letters shows what is lost unless somebody acts: the error groups first.
func (d *Dashboard) letters(r *http.Request) (Answer, error) {
	q := r.URL.Query()
	asked, err := letterQuery(q)
	if err != nil {
		return Answer{}, err
	}
	state, ok := letterStates[q.Get("resolved")]
	if !ok {
		return Answer{}, rest.Invalid(rest.FieldError{Location: "query.resolved", Message: "want true, false or all"})
	}
	queue, err := d.Reads.DeadLetterQueue(r.Context(), asked, store.Page{Cursor: q.Get("cursor")})
	if err != nil {
		return Answer{}, err
	}
	moreGroups, firstGroups := "", ""
	if queue.GroupsCursor != nil {
		moreGroups = with(r.URL, "groups_cursor", *queue.GroupsCursor, "cursor", "")
	}
	if asked.GroupsCursor != "" {
		firstGroups = with(r.URL, "groups_cursor", "", "cursor", "")
	}
	v := lettersView{
		DeadLetterQueue: queue, filters: filtersOf(r, letterFilters...), Asked: &asked, State: state, Reasons: failureReasons,
		Older: older(r, queue.NextCursor), Newest: newest(r), CanAct: state == "open",
		MoreGroups: moreGroups, FirstGroups: firstGroups,
	}
	for _, g := range queue.Groups {
		v.Types = append(v.Types, g.EventType)
	}
	slices.Sort(v.Types)
	v.Types = slices.Compact(v.Types)
	return Answer{Data: v, JSON: queue, API: "/v1/monitor/dead-letter-queue" + apiQuery(asked, q.Get("cursor"))}, nil
}

// letterQuery reads which dead letters the parameters ask for.
func letterQuery(q url.Values) (monitor.LetterQuery, error) {
	asked := monitor.LetterQuery{EventType: q.Get("event_type"), Reason: q.Get("reason"), ErrorClass: q.Get("error_class")}
	asked.GroupsCursor = q.Get("groups_cursor")
	if q.Get("resolved") != "all" {
		resolved := q.Get("resolved") == "true"
		asked.Resolved = &resolved
	}
	var errs []rest.FieldError
	for name, into := range map[string]**bool{"requires_manual_review": &asked.RequiresManualReview, "livemode": &asked.Livemode} {
		switch text := q.Get(name); text {
		case "":
		case "true", "false":
			is := text == "true"
			*into = &is
		default:
			errs = append(errs, rest.FieldError{Location: "query." + name, Message: "want true or false"})
		}
	}
	for name, into := range map[string]**time.Time{"from": &asked.From, "to": &asked.To} {
		text := q.Get(name)
		if text == "" {
			continue
		}
		t, err := readTime(text)
		if err != nil {
			errs = append(errs, rest.FieldError{Location: "query." + name, Message: "want a time like 2006-01-02T15:04:05Z"})
		}
		*into = &t
	}
	if errs != nil {
		return asked, rest.Invalid(errs...)
	}
	return asked, nil
}

// readTime reads a time; one without a zone, which is what forms send, is UTC.
func readTime(text string) (time.Time, error) {
	t, err := time.Parse("2006-01-02T15:04", text)
	if err != nil {
		t, err = time.Parse(time.RFC3339, text)
	}
	return t.UTC(), err
}

// apiQuery is what the endpoint is asked for the same letters.
func apiQuery(asked monitor.LetterQuery, cursor string) string {
	q := url.Values{}
	for name, v := range map[string]string{
		"event_type": asked.EventType, "reason": asked.Reason, "error_class": asked.ErrorClass, "group_id": asked.GroupID, "cursor": cursor,
		"groups_cursor": asked.GroupsCursor,
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	for name, is := range map[string]*bool{
		"resolved": asked.Resolved, "requires_manual_review": asked.RequiresManualReview, "livemode": asked.Livemode,
	} {
		if is != nil {
			q.Set(name, strconv.FormatBool(*is))
		}
	}
	for name, t := range map[string]*time.Time{"from": asked.From, "to": asked.To} {
		if t != nil {
			q.Set(name, t.Format(time.RFC3339))
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// bulkFilter is a query as a bulk act takes it: the letters of it that are not
// resolved.
func bulkFilter(asked monitor.LetterQuery) *quotekit.LetterFilter {
	open := false
	return &quotekit.LetterFilter{
		EventType: asked.EventType, Reason: asked.Reason, ErrorClass: asked.ErrorClass, FailedAfter: asked.From,
		FailedBefore: asked.To, Resolved: &open, RequiresManualReview: asked.RequiresManualReview, Livemode: asked.Livemode,
	}
}
