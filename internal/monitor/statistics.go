package monitor

import (
	"net/http"

	"github.com/quotekit/quotekit/internal/rest"
)

// GetOverview tells whether all is well.
func (a *API) GetOverview() rest.Endpoint {
	return rest.Endpoint{
		ID: "getOverview", Summary: "Tell whether all is well", Tag: statisticsTag,
		Doc: "What a range of time has brought, by type and by time, and what is wrong now. " +
			"Counts are exact, and at most five seconds old. A range of long ago is widened to whole hours or days, as `from` and `to` say.",
		Query:    rangeParams,
		Answers:  rest.Answers{http.StatusOK: {JSON: Overview{}}},
		Problems: []int{http.StatusBadRequest},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadQuery(r, rangeParams...)
			if err != nil {
				return err
			}
			in, err := ParseRange(q, a.Reads.Now(), standardRange)
			if err != nil {
				return err
			}
			o, err := a.Reads.Overview(r.Context(), in)
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, o)
			return nil
		}),
	}
}

// GetPerformance tells what is slow, and where.
func (a *API) GetPerformance() rest.Endpoint {
	params := append([]rest.Param{{Name: "event_type", Doc: "Only events of this type."}}, rangeParams...)
	return rest.Endpoint{
		ID: "getPerformance", Summary: "Tell how long events take, and where", Tag: statisticsTag,
		Doc: "An event counts once, when it is completed, with the time of the attempt that completed it: " +
			"of a first attempt from the arrival to the commit of the effects. " +
			"Percentiles are read off histograms, and are within four percent. " +
			"A range of long ago is widened to whole hours or days, as `from` and `to` say.",
		Query:    params,
		Answers:  rest.Answers{http.StatusOK: {JSON: Performance{}}},
		Problems: []int{http.StatusBadRequest},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadQuery(r, params...)
			if err != nil {
				return err
			}
			in, err := ParseRange(q, a.Reads.Now(), standardRange)
			if err != nil {
				return err
			}
			p, err := a.Reads.Performance(r.Context(), in, q.Get("event_type"))
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, p)
			return nil
		}),
	}
}
