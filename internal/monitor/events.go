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
	SupersededBy   *store.NewerEvent       `json:"superseded_by" doc:"The newest succeeded event of the same object, if it is newer than this one."`
}

// GetEvent shows everything about one event.
func (a *API) GetEvent() rest.Endpoint {
	return rest.Endpoint{
		ID: "getEvent", Summary: "Show everything about one event, its payload masked", Tag: eventsTag,
		Path:     []rest.Param{eventID},
		Answers:  rest.Answers{http.StatusOK: {JSON: EventView{}}},
		Problems: []int{http.StatusNotFound},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			v, err := a.Reads.Event(r.Context(), r.PathValue("event_id"))
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, v)
			return nil
		}),
	}
}

// ReplayEvent makes an event pending again.
func (a *API) ReplayEvent() rest.Endpoint {
	return rest.Endpoint{
		ID: "replayEvent", Summary: "Attempt an event again", Tag: eventsTag,
		Path: []rest.Param{eventID},
		Body: &rest.Body{Type: ReplayRequest{}, Optional: true},
		Answers: rest.Answers{
			http.StatusAccepted: {Doc: "The event is pending.", JSON: TakenUp{}},
			http.StatusOK:       {Doc: "The event has succeeded already; nothing is left to do.", JSON: TakenUp{}},
		},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			mode, act, err := readReplay(w, r)
			if err != nil {
				return err
			}
			id := r.PathValue("event_id")
			status, err := a.Operator.Replay(r.Context(), id, mode, act)
			if err != nil {
				return err
			}
			return a.takenUp(w, r, id, status)
		}),
	}
}

var eventID = rest.Param{Name: "event_id", Doc: "Stripe's id of the event."}
