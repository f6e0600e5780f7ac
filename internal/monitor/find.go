package monitor

import (
	"net/http"

	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// Hits is what a search has found.
type Hits struct {
	Items []Hit `json:"items"`
}

// FindAnything finds what a text names.
func (a *API) FindAnything() rest.Endpoint {
	params := []rest.Param{{Name: "q", Doc: "An id of anything, or an e-mail address.", Required: true}}
	return rest.Endpoint{
		ID: "search", Summary: "Find what an id or an address names", Tag: eventsTag,
		Doc: "Ids of events, of Stripe's objects, of dead letters, error groups, batch jobs, tasks, alerts, lines of the audit trail, " +
			"requests, users, quotes, clients and items, also of connected accounts. An address is looked for in stripe_customers only. What names nothing finds nothing.",
		Query:    params,
		Answers:  rest.Answers{http.StatusOK: {JSON: Hits{}}},
		Problems: []int{http.StatusBadRequest},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadQuery(r, params...)
			if err != nil {
				return err
			}
			hits, err := a.Reads.Search(r.Context(), q.Get("q"))
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, Hits{hits})
			return nil
		}),
	}
}

// GetObject shows an object of Stripe's with its events.
func (a *API) GetObject() rest.Endpoint {
	params := []rest.Param{{Name: "account", Doc: "Only what this connected account has of it. Ids that one may choose, like those of products, can be in several."}}
	return rest.Endpoint{
		ID: "getObject", Summary: "Show an object of Stripe's: its rows, and its events in Stripe's order", Tag: eventsTag,
		Path:     []rest.Param{{Name: "id", Doc: "Stripe's id of the object."}},
		Query:    rest.ListParams(params...),
		Answers:  rest.Answers{http.StatusOK: {JSON: ObjectView{}}},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadList(r, params...)
			if err != nil {
				return err
			}
			v, err := a.Reads.Object(r.Context(), q.Get("account"), r.PathValue("id"), store.Page(q.Page))
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, v)
			return nil
		}),
	}
}
