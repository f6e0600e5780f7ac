package monitor

import (
	"net/http"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// ListEvents lists events.
func (a *API) ListEvents() rest.Endpoint {
	filters := []rest.Param{
		{Name: "event_type", Doc: "Only events of this type."},
		{Name: "status", Doc: "Only events in this state.", Type: quotekit.EventStatus("")},
		{Name: "object_id", Doc: "Only events about this object of Stripe's."},
	}
	return rest.Endpoint{
		ID: "listEvents", Summary: "List events, the last received first", Tag: eventsTag,
		Query:    rest.ListParams(filters...),
		Answers:  rest.Answers{http.StatusOK: {JSON: rest.Page[store.EventRecord]{}}},
		Problems: []int{http.StatusBadRequest},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadList(r, filters...)
			if err != nil {
				return err
			}
			f := store.EventFilter{EventType: q.Get("event_type"), Status: q.Get("status"), ObjectID: q.Get("object_id")}
			events, cursor, err := a.Store.Events(r.Context(), f, store.Page(q.Page))
			if err != nil {
				return err
			}
			rest.WritePage(w, r, events, cursor)
			return nil
		}),
	}
}

// EventDetail is everything about one event but its payload.
type EventDetail struct {
	store.EventRecord
	AuditTrail     []store.AuditRecord     `json:"audit_trail" doc:"Oldest first."`
	ProcessingLogs []store.LogRecord       `json:"processing_logs" doc:"Oldest first."`
	DeadLetter     *store.DeadLetterRecord `json:"dead_letter" doc:"Without event_data."`
}

// GetEvent shows one event with its trail.
func (a *API) GetEvent() rest.Endpoint {
	return rest.Endpoint{
		ID: "getEvent", Summary: "Show everything about one event but its payload", Tag: eventsTag,
		Path:     []rest.Param{eventID},
		Answers:  rest.Answers{http.StatusOK: {JSON: EventDetail{}}},
		Problems: []int{http.StatusNotFound},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			id := r.PathValue("event_id")
			var d EventDetail
			var err error
			if d.EventRecord, err = a.Store.Event(r.Context(), id); err != nil {
				return err
			}
			if d.AuditTrail, err = a.Store.EventAudit(r.Context(), id); err != nil {
				return err
			}
			if d.ProcessingLogs, err = a.Store.EventLogs(r.Context(), id); err != nil {
				return err
			}
			letter, err := a.Store.DeadLetter(r.Context(), quotekit.DeadLetterID(id))
			switch {
			case err == nil:
				letter.EventData = nil // GET of the dead letter shows it
				d.DeadLetter = &letter
			case quotekit.CodeOf(err) != quotekit.ENotFound:
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, d)
			return nil
		}),
	}
}

// ReplayEvent makes an event pending again.
func (a *API) ReplayEvent() rest.Endpoint {
	return rest.Endpoint{
		ID: "replayEvent", Summary: "Attempt an event again", Tag: eventsTag,
		Path: []rest.Param{eventID},
		Body: &rest.Body{Type: ActRequest{}, Optional: true},
		Answers: rest.Answers{
			http.StatusAccepted: {Doc: "The event is pending.", JSON: Acted{}},
			http.StatusOK:       {Doc: "The event has succeeded already; nothing is left to do.", JSON: Acted{}},
		},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			act, err := readAct(w, r, false)
			if err != nil {
				return err
			}
			id := r.PathValue("event_id")
			status, err := a.Operator.Replay(r.Context(), id, act)
			if err != nil {
				return err
			}
			code := http.StatusAccepted
			if status == quotekit.EventSucceeded {
				code = http.StatusOK
			}
			rest.WriteJSON(w, r, code, Acted{id, status})
			return nil
		}),
	}
}

var eventID = rest.Param{Name: "event_id", Doc: "Stripe's id of the event."}
