package application

import (
	"log/slog"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// API has the endpoints that read rows of the application.
type API struct {
	Store  *store.Store
	Logger *slog.Logger
}

const tag = "rows"

// list describes the list of a table.
type list struct {
	table   quotekit.ApplicationTable
	id      string // of the endpoint
	summary string
	filters []rest.Param
	search  []string
}

// ListQuotes lists the caller's quotes.
func (a *API) ListQuotes() rest.Endpoint {
	return listRows[quotekit.Quote](a, list{
		table: quotekit.Quotes, id: "listQuotes", summary: "One's own quotes, newest first",
		filters: []rest.Param{
			{Name: "status", Doc: "Only quotes of this status.", Enum: quotekit.QuoteStatuses},
			{Name: "client_id", Doc: "Only quotes for this client.", Type: uuid.UUID{}},
		},
		search: []string{"client_name", "client_email", "quote_number", "notes"},
	})
}

// ListClients lists the caller's clients.
func (a *API) ListClients() rest.Endpoint {
	return listRows[quotekit.Client](a, list{
		table: quotekit.Clients, id: "listClients", summary: "One's own clients, newest first", search: []string{"name", "email", "phone"},
	})
}

// ListItems lists the caller's items.
func (a *API) ListItems() rest.Endpoint {
	return listRows[quotekit.Item](a, list{
		table: quotekit.Items, id: "listItems", summary: "One's own items, newest first",
		filters: []rest.Param{{Name: "category", Doc: "Only items of exactly this category."}},
		search:  []string{"name", "category"},
	})
}

// GetQuote shows a quote of the caller's.
func (a *API) GetQuote() rest.Endpoint {
	return getRow[quotekit.Quote](a, quotekit.Quotes, "getQuote", "One quote")
}

// GetClient shows a client of the caller's.
func (a *API) GetClient() rest.Endpoint {
	return getRow[quotekit.Client](a, quotekit.Clients, "getClient", "One client")
}

// GetItem shows an item of the caller's.
func (a *API) GetItem() rest.Endpoint {
	return getRow[quotekit.Item](a, quotekit.Items, "getItem", "One item")
}

// maxSearch bounds a text to search for, in characters.
const maxSearch = 200

func listRows[T any](a *API, l list) rest.Endpoint {
	search := rest.Param{
		Name: "search",
		Doc: "Only rows with this text in " + strings.Join(l.search, ", ") + ", in either case; at most 200 characters. " +
			"On SQLite the case of letters beyond ASCII matters; on Postgres that depends on its locale.",
	}
	filters := append(l.filters[:len(l.filters):len(l.filters)], search)
	return rest.Endpoint{
		ID: l.id, Summary: l.summary, Tag: tag, Query: rest.ListParams(filters...),
		Answers:  rest.Answers{http.StatusOK: {JSON: rest.Page[T]{}}},
		Problems: []int{http.StatusBadRequest},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadList(r, filters...)
			if err != nil {
				return err
			}
			f := store.RowFilter{Equal: map[string]string{}, Search: q.Get("search"), SearchColumns: l.search}
			for _, p := range l.filters {
				f.Equal[p.Name] = q.Get(p.Name)
				if _, ok := p.Type.(uuid.UUID); ok { // SQLite compares text
					f.Equal[p.Name] = strings.ToLower(f.Equal[p.Name])
				}
			}
			if utf8.RuneCountInString(f.Search) > maxSearch {
				return rest.Invalid(rest.FieldError{Location: "query.search", Message: "longer than 200 characters"})
			}
			rows, cursor, err := store.ListRows[T](r.Context(), a.Store, l.table, rest.ActorFrom(r.Context()).UserID, f, store.Page(q.Page))
			if err != nil {
				return err
			}
			rest.WritePage(w, r, rows, cursor)
			return nil
		}),
	}
}

// getRow shows one row. Whatever is no id of a row of the caller's is not found:
// somebody else's, nobody's, and what is no id at all.
func getRow[T any](a *API, table quotekit.ApplicationTable, id, summary string) rest.Endpoint {
	var row T
	return rest.Endpoint{
		ID: id, Summary: summary, Tag: tag, Path: []rest.Param{{Name: "id", Type: uuid.UUID{}}},
		Answers:  rest.Answers{http.StatusOK: {JSON: row}},
		Problems: []int{http.StatusNotFound},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			rowID := r.PathValue("id")
			if uuid.Validate(rowID) != nil || len(rowID) != 36 {
				return quotekit.Errorf(quotekit.ENotFound, "there is no such row in %s", table)
			}
			row, err := store.ReadRow[T](r.Context(), a.Store, table, rest.ActorFrom(r.Context()).UserID, strings.ToLower(rowID))
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, row)
			return nil
		}),
	}
}
