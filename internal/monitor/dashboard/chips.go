package dashboard

import (
	"net/http"
	"net/url"
)

// chip is a filter that is on, with the URL of the page without it.
type chip struct{ Name, Value, URL string }

// chips are those parameters of a page that filter and are given. Each pair is the
// parameter and its words.
func chips(r *http.Request, pairs ...[2]string) (on []chip, clear string) {
	q := r.URL.Query()
	all := []string{"cursor", ""}
	for _, p := range pairs {
		all = append(all, p[0], "")
		if v := q.Get(p[0]); v != "" {
			on = append(on, chip{p[1], v, with(r.URL, p[0], "", "cursor", "")})
		}
	}
	return on, with(r.URL, all...)
}

// filters is what a list with filters shows above its rows.
type filters struct {
	Chips []chip
	// Clear is the URL of the page without any.
	Clear string
	Query url.Values
}

func filtersOf(r *http.Request, pairs ...[2]string) filters {
	on, without := chips(r, pairs...)
	return filters{on, without, r.URL.Query()}
}

// Value is what the form has for a parameter.
func (f filters) Value(name string) string { return f.Query.Get(name) }

// older is the URL of the next page of a list; empty behind the last.
func older(r *http.Request, cursor *string) string {
	if cursor == nil || *cursor == "" {
		return ""
	}
	return with(r.URL, "cursor", *cursor)
}

// newest is the URL of the first page; empty on it.
func newest(r *http.Request) string {
	if r.URL.Query().Get("cursor") == "" {
		return ""
	}
	return with(r.URL, "cursor", "")
}
