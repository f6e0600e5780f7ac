package monitor

import (
	"net/http"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// ListDeadLetters lists dead letters.
func (a *API) ListDeadLetters() rest.Endpoint {
	filters := []rest.Param{
		{Name: "event_type", Doc: "Only dead letters of events of this type."},
		{Name: "reason", Doc: "Only dead letters with this failure_reason."},
		{Name: "resolved", Doc: "Only those that are resolved, or only those that are not.", Type: false},
	}
	return rest.Endpoint{
		ID: "listDeadLetters", Summary: "List dead letters, the last failed first", Tag: deadLettersTag,
		Query:    rest.ListParams(filters...),
		Answers:  rest.Answers{http.StatusOK: {Doc: "A page, without event_data.", JSON: rest.Page[store.DeadLetterRecord]{}}},
		Problems: []int{http.StatusBadRequest},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadList(r, filters...)
			if err != nil {
				return err
			}
			f := store.DeadLetterFilter{EventType: q.Get("event_type"), Reason: q.Get("reason")}
			if text := q.Get("resolved"); text != "" {
				resolved := text == "true"
				f.Resolved = &resolved
			}
			letters, cursor, err := a.Store.DeadLetters(r.Context(), f, store.Page(q.Page))
			if err != nil {
				return err
			}
			rest.WritePage(w, r, letters, cursor)
			return nil
		}),
	}
}

// GetDeadLetter shows one dead letter with the event as JSON.
func (a *API) GetDeadLetter() rest.Endpoint {
	return rest.Endpoint{
		ID: "getDeadLetter", Summary: "Show a dead letter with its event", Tag: deadLettersTag,
		Path:     []rest.Param{deadLetterID},
		Answers:  rest.Answers{http.StatusOK: {JSON: store.DeadLetterRecord{}}},
		Problems: []int{http.StatusNotFound},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			letter, err := a.Store.DeadLetter(r.Context(), r.PathValue("id"))
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
		Body:     &rest.Body{Type: ActRequest{}, Optional: true},
		Answers:  rest.Answers{http.StatusAccepted: {Doc: "The event is pending.", JSON: Acted{}}},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			act, err := readAct(w, r, false)
			if err != nil {
				return err
			}
			eventID, err := a.Operator.Retry(r.Context(), r.PathValue("id"), act)
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusAccepted, Acted{eventID, quotekit.EventPending})
			return nil
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
			act, err := readAct(w, r, true)
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
