package monitor

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/quotekit/quotekit/internal/store"
)

// listQuery is the query of a list: its filters and the page.
type listQuery struct {
	url.Values
	page store.Page
}

// query reads limit, cursor and the named filters. A parameter of another name
// is an error: a filter with a typing mistake must not list everything.
func query(r *http.Request, filters ...string) (listQuery, error) {
	q := listQuery{Values: r.URL.Query()}
	for name, values := range q.Values {
		switch {
		case name != "limit" && name != "cursor" && !slices.Contains(filters, name):
			return q, invalid("query."+name, "unknown; known are limit, cursor, "+strings.Join(filters, ", "))
		case len(values) > 1:
			return q, invalid("query."+name, "given twice")
		}
	}
	q.page.Cursor = q.Get("cursor")
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > store.MaxPage {
			return q, invalid("query.limit", "want a number from 1 to "+strconv.Itoa(store.MaxPage))
		}
		q.page.Limit = n
	}
	return q, nil
}
