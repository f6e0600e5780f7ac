package dashboard

import (
	"net/http"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/store"
)

// act says who acts, and why: the field reason of the form, which may be empty.
func act(r *http.Request) (quotekit.Act, error) {
	return monitor.ActOf(r, r.PostFormValue("reason"))
}

// reasonedAct is [act] where a reason is needed.
func reasonedAct(r *http.Request) (quotekit.Act, error) {
	a, err := act(r)
	if err == nil && a.Reason == "" {
		err = quotekit.Errorf(quotekit.EInvalid, "Say why; the reason is kept in the audit trail.")
	}
	return a, err
}

// backTo is the page that a form says it is on, or another one.
func backTo(r *http.Request, otherwise string) string {
	if back := r.PostFormValue("back"); isLocal(back) {
		return back
	}
	return otherwise
}

// rowsOfPage is how many rows a list has.
const rowsOfPage = 50

// listPage is the part of a list that the URL asks for.
func listPage(r *http.Request) store.Page {
	return store.Page{Limit: rowsOfPage, Cursor: r.URL.Query().Get("cursor")}
}
