package dashboard

import (
	"net/http"
	"slices"
	"strings"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// eventsView is the data of the list of events.
type eventsView struct {
	Items []store.EventRecord
	filters
	States        []string
	Older, Newest string
}

var eventStates = []string{
	string(quotekit.EventSucceeded), string(quotekit.EventPending), string(quotekit.EventDead), string(quotekit.EventIgnored),
}

// events lists events, the last received first.
func (d *Dashboard) events(r *http.Request) (Answer, error) {
	q := r.URL.Query()
	if s := q.Get("status"); s != "" && !slices.Contains(eventStates, s) {
		return Answer{}, rest.Invalid(rest.FieldError{Location: "query.status", Message: "want one of " + strings.Join(eventStates, ", ")})
	}
	f := store.EventFilter{EventType: q.Get("event_type"), Status: q.Get("status"), ObjectID: q.Get("object_id")}
	list, cursor, err := d.Store.Events(r.Context(), f, store.Page{Cursor: q.Get("cursor")})
	if err != nil {
		return Answer{}, err
	}
	page := rest.Page[store.EventRecord]{Items: list}
	if cursor != "" {
		page.NextCursor = &cursor
	}
	v := eventsView{
		Items: list, filters: filtersOf(r, [2]string{"event_type", "type"}, [2]string{"status", "state"}, [2]string{"object_id", "object"}),
		States: eventStates, Older: older(r, page.NextCursor), Newest: newest(r),
	}
	return Answer{Data: v, JSON: page, API: apiPath("/v1/monitor/events", q, "event_type", "status", "object_id", "cursor")}, nil
}

// objectView is the data of the page of an object.
type objectView struct {
	monitor.ObjectView
	Dead          int
	Older, Newest string
}

// object shows all events of an object in Stripe's order, and its rows.
func (d *Dashboard) object(r *http.Request) (Answer, error) {
	id, cursor := r.PathValue("id"), r.URL.Query().Get("cursor")
	o, err := d.Reads.Object(r.Context(), r.URL.Query().Get("account"), id, store.Page{Cursor: cursor})
	if err != nil {
		return Answer{}, err
	}
	v := objectView{ObjectView: o, Older: older(r, o.NextCursor), Newest: newest(r)}
	for _, e := range o.Items {
		if e.Mark == monitor.MarkDead {
			v.Dead++
		}
	}
	return Answer{Data: v, JSON: o, API: apiPath("/v1/monitor/objects/"+id, r.URL.Query(), "account", "cursor")}, nil
}

// replayObject shows what it means to replay the events of an object that are dead;
// those of a connected account, or without one all.
func (d *Dashboard) replayObject(r *http.Request) (Answer, error) {
	id, account := r.PathValue("id"), r.PostFormValue("account")
	back := objectPath(id, account)
	request := quotekit.BulkRequest{Action: quotekit.BulkRetry}
	var err error
	if request.Mode, err = modeOf(r); err != nil {
		return refused(back, err)
	}
	f := store.EventFilter{ObjectID: id, Status: string(quotekit.EventDead)}
	for cursor := ""; len(request.IDs) < maxIDs; {
		list, next, err := d.Store.Events(r.Context(), f, store.Page{Limit: store.MaxPage, Cursor: cursor})
		if err != nil {
			return Answer{}, err
		}
		for _, e := range list {
			if account == "" || e.Account == account {
				request.IDs = append(request.IDs, e.StripeEventID)
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if len(request.IDs) == 0 {
		return refused(back, quotekit.Errorf(quotekit.EConflict, "None of its events is dead now."))
	}
	return d.preview(r, request, back)
}
