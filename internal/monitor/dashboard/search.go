package dashboard

import (
	"net/http"
	"strings"

	"github.com/quotekit/quotekit/internal/monitor"
)

// searchView is the data of the page of what a search has found.
type searchView struct {
	Query string
	Hits  []monitor.Hit
}

// search leads to what a text names, if that is one thing.
func (d *Dashboard) search(r *http.Request) (Answer, error) {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	v := searchView{Query: q, Hits: []monitor.Hit{}}
	if q != "" {
		var err error
		if v.Hits, err = d.Reads.Search(r.Context(), q); err != nil {
			return Answer{}, err
		}
	}
	a := Answer{Data: v, JSON: monitor.Hits{Items: v.Hits}, API: apiPath("/v1/monitor/search", r.URL.Query(), "q")}
	if len(v.Hits) == 1 {
		a.To = v.Hits[0].Path
	}
	return a, nil
}
