package monitor

import (
	"net/http"
	"slices"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// ListDeadLetters lists dead letters.
func (a *API) ListDeadLetters() rest.Endpoint {
	filters := slices.Concat([]rest.Param{
		{Name: "event_type", Doc: "Only dead letters of events of this type."},
		{Name: "reason", Doc: "Only dead letters with this failure_reason."},
		{Name: "error_class", Doc: "Only dead letters with this error_class."},
		{Name: "group_id", Doc: "Only dead letters of this error group."},
		{Name: "resolved", Doc: "Only those that are resolved, or only those that are not.", Type: false},
		{Name: "requires_manual_review", Doc: "Only those that need a person, or only those that do not.", Type: false},
		{Name: "livemode", Doc: "Only those of events in live mode, or only those in test mode.", Type: false},
		groupsCursor("groups_cursor"),
	}, listRange("failed last"))
	return rest.Endpoint{
		ID: "listDeadLetters", Summary: "List dead letters, the last failed first", Tag: deadLettersTag,
		Doc: "The first page begins with the error groups that fit: those with letters that are not resolved, or, " +
			"with `resolved=true`, those of which none is left. With `requires_manual_review` or `livemode` no group is listed.",
		Query:    rest.ListParams(filters...),
		Answers:  rest.Answers{http.StatusOK: {Doc: "A page, without event_data.", JSON: DeadLetterQueue{}}},
		Problems: []int{http.StatusBadRequest},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadList(r, filters...)
			if err != nil {
				return err
			}
			f := LetterQuery{
				EventType: q.Get("event_type"), Reason: q.Get("reason"), ErrorClass: q.Get("error_class"), GroupID: q.Get("group_id"),
				Resolved: boolOf(q.Get("resolved")), RequiresManualReview: boolOf(q.Get("requires_manual_review")), Livemode: boolOf(q.Get("livemode")),
				GroupsCursor: q.Get("groups_cursor"),
			}
			if f.From, f.To, err = readListRange(q.Values, a.Reads.Now()); err != nil {
				return err
			}
			list, err := a.Reads.DeadLetterQueue(r.Context(), f, store.Page(q.Page))
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, list)
			return nil
		}),
	}
}

// GetDeadLetter shows one dead letter with the event as JSON, masked.
func (a *API) GetDeadLetter() rest.Endpoint {
	return rest.Endpoint{
		ID: "getDeadLetter", Summary: "Show a dead letter with its event, masked", Tag: deadLettersTag,
		Path:     []rest.Param{deadLetterID},
		Answers:  rest.Answers{http.StatusOK: {JSON: LetterView{}}},
		Problems: []int{http.StatusNotFound},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			letter, err := a.Reads.Letter(r.Context(), r.PathValue("id"))
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, letter)
			return nil
		}),
	}
}

// RetryDeadLetter attempts the event of a dead letter again.
func (a *API) RetryDeadLetter() rest.Endpoint {
	return rest.Endpoint{
		ID: "retryDeadLetter", Summary: "Attempt the event of a dead letter again", Tag: deadLettersTag,
		Path:     []rest.Param{deadLetterID},
		Body:     &rest.Body{Type: ReplayRequest{}, Optional: true},
		Answers:  rest.Answers{http.StatusAccepted: {Doc: "The event is pending.", JSON: TakenUp{}}},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			mode, act, err := readReplay(w, r)
			if err != nil {
				return err
			}
			eventID, err := a.Operator.Retry(r.Context(), r.PathValue("id"), mode, act)
			if err != nil {
				return err
			}
			return a.takenUp(w, r, eventID, quotekit.EventPending)
		}),
	}
}

// ResolveDeadLetter closes a dead letter. It needs a reason, since the event's
// effects are given up.
func (a *API) ResolveDeadLetter() rest.Endpoint {
	return rest.Endpoint{
		ID: "resolveDeadLetter", Summary: "Close a dead letter and give up the effects of its event", Tag: deadLettersTag,
		Path:     []rest.Param{deadLetterID},
		Body:     &rest.Body{Type: ResolveRequest{}},
		Answers:  rest.Answers{http.StatusOK: {Doc: "The dead letter is resolved.", JSON: Acted{}}},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			act, err := readResolve(w, r)
			if err != nil {
				return err
			}
			eventID, err := a.Operator.Resolve(r.Context(), r.PathValue("id"), act)
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, Acted{eventID, quotekit.EventDead})
			return nil
		}),
	}
}

var deadLetterID = rest.Param{Name: "id", Doc: "The dead letter's own id, or Stripe's id of its event."}
