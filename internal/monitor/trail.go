package monitor

import (
	"context"
	"encoding/csv"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// auditFilters are the parameters of an [AuditQuery].
var auditFilters = slices.Concat([]rest.Param{
	{Name: "actor", Doc: "Only lines of this actor."},
	{Name: "action", Doc: "Only lines with this action."},
	{Name: "target", Doc: "Only acts upon this, by its id. It finds no deliveries."},
	{Name: "stripe_event_id", Doc: "Only lines about this event."},
	{Name: "request_id", Doc: "Only acts of this request. It finds no deliveries; the search does."},
	{Name: "operators_only", Doc: "Leave out deliveries and what happens by itself.", Type: false},
}, listRange("happened"))

// ReadAuditQuery reads an [AuditQuery] from the parameters of a request.
func ReadAuditQuery(q interface{ Get(string) string }, from, to *time.Time) AuditQuery {
	return AuditQuery{
		Actor: q.Get("actor"), Action: q.Get("action"), Target: q.Get("target"), StripeEventID: q.Get("stripe_event_id"),
		RequestID: q.Get("request_id"), OperatorsOnly: q.Get("operators_only") == "true", From: from, To: to,
	}
}

// ListAuditTrail lists lines of the audit trail.
func (a *API) ListAuditTrail() rest.Endpoint {
	return rest.Endpoint{
		ID: "listAuditTrail", Summary: "List who did what, the newest first", Tag: auditTag,
		Doc: "A line a delivery and a line an act of an operator. With `Accept: text/csv` all lines that fit come as one file, " +
			"at most 100,000 from the cursor on; a cell that a spreadsheet would take for a formula begins with an apostrophe.",
		Query: rest.ListParams(auditFilters...),
		Answers: rest.Answers{http.StatusOK: {
			JSON: AuditTrail{}, Text: []string{mediaCSV}, Headers: []rest.Param{{Name: "Content-Disposition", Doc: "Of a file."}},
		}},
		Problems: []int{http.StatusBadRequest, http.StatusNotAcceptable},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadList(r, auditFilters...)
			if err != nil {
				return err
			}
			from, to, err := readListRange(q.Values, a.Reads.Now())
			if err != nil {
				return err
			}
			media, err := rest.Negotiate(r, "application/json", mediaCSV)
			if err != nil {
				return err
			}
			w.Header().Set("Vary", "Accept")
			f := ReadAuditQuery(q, from, to)
			if media == mediaCSV {
				return a.writeTrail(w, r, f, q.Page.Cursor)
			}
			trail, err := a.Reads.AuditTrail(r.Context(), f, store.Page(q.Page))
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, trail)
			return nil
		}),
	}
}

const mediaCSV = "text/csv"

// writeTrail streams the trail as a file. Once it has begun, a failure cuts the
// connection, so that nobody takes half a file for a whole one.
func (a *API) writeTrail(w http.ResponseWriter, r *http.Request, f AuditQuery, cursor string) error {
	out := &started{Writer: w}
	h := w.Header()
	h.Set("Content-Type", mediaCSV+"; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="audit-trail.csv"`)
	h.Set("Cache-Control", "no-store")
	err := a.Reads.WriteAuditCSV(r.Context(), out, f, cursor)
	switch {
	case err == nil:
		return nil
	case !out.begun:
		h.Del("Content-Disposition") // the answer is a problem, not a file
		return err
	}
	a.Logger.Warn("audit trail cut off", slog.String("error", store.Describe(err)))
	panic(http.ErrAbortHandler)
}

// started knows whether something was written.
type started struct {
	io.Writer
	begun bool
}

func (s *started) Write(b []byte) (int, error) {
	s.begun = true
	return s.Writer.Write(b)
}

// maxAuditFile is the most lines of a file.
const maxAuditFile = 100_000

// WriteAuditCSV writes lines of the audit trail, newest first, as CSV: those that fit
// and come after the cursor, at most 100,000.
func (r *Reads) WriteAuditCSV(ctx context.Context, w io.Writer, f AuditQuery, cursor string) error {
	lines := csv.NewWriter(w)
	page := store.Page{Limit: store.MaxPage, Cursor: cursor}
	for written := 0; written < maxAuditFile; {
		trail, err := r.AuditTrail(ctx, f, page)
		if err != nil {
			return err
		}
		if written == 0 {
			if err := lines.Write(auditColumns); err != nil {
				return err
			}
		}
		for _, a := range trail.Items {
			if err := lines.Write(auditCells(a)); err != nil {
				return err
			}
			written++
		}
		if trail.NextCursor == nil {
			break
		}
		page.Cursor = *trail.NextCursor
	}
	lines.Flush()
	return lines.Error()
}

var auditColumns = []string{
	"id", "at", "actor", "action", "stripe_event_id", "target", "reason", "before", "after", "request_id", "chain_sequence",
}

func auditCells(a store.AuditRecord) []string {
	sequence := ""
	if a.ChainSequence != nil {
		sequence = strconv.FormatInt(*a.ChainSequence, 10)
	}
	cells := []string{
		a.ID, a.At.UTC().Format(time.RFC3339Nano), a.Actor, a.Action, text(a.StripeEventID), text(a.Target), text(a.Reason),
		jsonCell(a.Before), jsonCell(a.After), text(a.RequestID), sequence,
	}
	for i := range cells {
		cells[i] = rest.Cell(cells[i])
	}
	return cells
}

// jsonCell is JSON as a cell; null is empty.
func jsonCell(text []byte) string {
	if string(text) == "null" {
		return ""
	}
	return string(text)
}

// VerifyAuditTrail checks the hash chain.
func (a *API) VerifyAuditTrail() rest.Endpoint {
	return rest.Endpoint{
		ID: "verifyAuditTrail", Summary: "Check that nobody has rewritten what operators did", Tag: auditTag,
		Doc: "Each act of an operator has the hash of the one before, and its own over all that it says. " +
			"Whoever can write to the database can compute the chain anew: keep `head` elsewhere, and compare.",
		Answers: rest.Answers{http.StatusOK: {JSON: ChainCheck{}}},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			check, err := a.Reads.VerifyAudit(r.Context())
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, check)
			return nil
		}),
	}
}
