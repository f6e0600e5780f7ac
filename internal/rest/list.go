package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
)

// MaxPage is the most items of one page of a list.
const MaxPage = 200

// Page is one page of a list.
type Page[T any] struct {
	Items []T `json:"items"`
	// NextCursor is nil on the last page.
	NextCursor *string `json:"next_cursor" doc:"The parameter cursor of the next page; null on the last one."`
}

// WritePage answers with a page. An empty cursor means that it is the last one.
func WritePage[T any](w http.ResponseWriter, r *http.Request, items []T, cursor string) {
	p := Page[T]{Items: items}
	if items == nil {
		p.Items = []T{}
	}
	if cursor != "" {
		p.NextCursor = &cursor
	}
	WriteJSON(w, r, http.StatusOK, p)
}

// PageQuery says which page of a list is wanted.
type PageQuery struct {
	Limit  int // 1 to [MaxPage]; zero leaves it to the list
	Cursor string
}

// ListParams are the query parameters of a list: the page and its filters.
func ListParams(filters ...Param) []Param {
	return append([]Param{
		{Name: "limit", Doc: "How many items a page has; 50 if it is not given.", Type: 0, Min: 1, Max: MaxPage},
		{Name: "cursor", Doc: "The `next_cursor` of the page before."},
	}, filters...)
}

// ListQuery is the query of a list: its filters and the page.
type ListQuery struct {
	url.Values
	Page PageQuery
}

// ReadList reads the query of a list with these filters, like [ReadQuery].
func ReadList(r *http.Request, filters ...Param) (ListQuery, error) {
	values, err := ReadQuery(r, ListParams(filters...)...)
	q := ListQuery{Values: values}
	if err == nil {
		q.Page.Cursor = q.Get("cursor")
		q.Page.Limit, _ = strconv.Atoi(q.Get("limit")) // checked, or not given
	}
	return q, err
}

// ReadQuery reads the query parameters that an endpoint describes, and tells
// everything that is wrong with them at once. A parameter of another name is
// wrong: a filter with a typing mistake must not list everything. An empty
// value counts as not given.
func ReadQuery(r *http.Request, params ...Param) (url.Values, error) {
	values := r.URL.Query()
	var errs []FieldError
	for name, given := range values {
		i := slices.IndexFunc(params, func(p Param) bool { return p.Name == name })
		switch {
		case i < 0:
			errs = append(errs, FieldError{"query." + name, "unknown; known are " + names(params)})
		case len(given) > 1:
			errs = append(errs, FieldError{"query." + name, "given twice"})
		case given[0] != "":
			if problem := params[i].check(given[0]); problem != "" {
				errs = append(errs, FieldError{"query." + name, problem})
			}
		}
	}
	for _, p := range params {
		if p.Required && values.Get(p.Name) == "" && len(values[p.Name]) < 2 {
			errs = append(errs, FieldError{"query." + p.Name, "missing"})
		}
	}
	if errs == nil {
		return values, nil
	}
	slices.SortFunc(errs, func(a, b FieldError) int { return strings.Compare(a.Location, b.Location) })
	return values, Invalid(errs...)
}

// Invalid is the problem of a request with these mistakes.
func Invalid(errs ...FieldError) *Problem {
	p := NewProblem(http.StatusBadRequest, quotekit.EInvalid, "The request cannot be understood.")
	p.Errors = errs
	return p
}

func names(params []Param) string {
	list := make([]string, len(params))
	for i, p := range params {
		list[i] = p.Name
	}
	return strings.Join(list, ", ")
}

// check says what is wrong with a value of p, or nothing.
func (p Param) check(value string) string {
	if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return "want text in UTF-8, without U+0000"
	}
	if allowed := p.values(); allowed != nil && !slices.Contains(allowed, value) {
		return "want one of " + strings.Join(allowed, ", ")
	}
	switch p.Type.(type) {
	case time.Time:
		if _, err := time.Parse(time.RFC3339, value); err != nil {
			return "want a time like 2006-01-02T15:04:05Z"
		}
		return ""
	case uuid.UUID:
		if uuid.Validate(value) != nil || len(value) != 36 {
			return "want a UUID"
		}
		return ""
	case bool:
		if value != "true" && value != "false" {
			return "want true or false"
		}
		return ""
	case int:
		n, err := strconv.Atoi(value)
		switch {
		case p.Max > 0 && (err != nil || n < p.Min || n > p.Max):
			return fmt.Sprintf("want a number from %d to %d", p.Min, p.Max)
		case err != nil || n < p.Min:
			return fmt.Sprintf("want a number from %d", p.Min)
		}
	}
	return ""
}

// enumerated is a string type of which only some values are used.
type enumerated interface {
	Enum() []string
}

// values are those that p may have; nil is any.
func (p Param) values() []string {
	if e, ok := p.Type.(enumerated); ok {
		return e.Enum()
	}
	return p.Enum
}

// enumOf returns the values of an enumerated type; nil is any.
func enumOf(t reflect.Type) []string {
	if e, ok := reflect.Zero(t).Interface().(enumerated); ok {
		return e.Enum()
	}
	return nil
}
