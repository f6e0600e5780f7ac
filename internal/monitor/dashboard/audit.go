package dashboard

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

const auditPath = Path + "/audit-trail"

// auditView is the data of the page of the audit trail.
type auditView struct {
	monitor.AuditTrail
	filters
	// All is whether deliveries are listed, too.
	All           bool
	Actions       []string
	Older, Newest string
	CSV           string
}

// auditFilters are the parameters that filter the audit trail, with their words.
var auditFilters = [][2]string{
	{"actor", "who"},
	{"action", "what"},
	{"target", "of"},
	{"stripe_event_id", "event"},
	{"request_id", "request"},
	{"from", "since"},
	{"to", "before"},
}

// auditActions are offered by the filter.
var auditActions = []string{
	store.AuditReplay, store.AuditReveal, store.AuditRetry, store.AuditResolve, store.AuditTaskStart, store.AuditTaskCancel,
	store.AuditTaskPause, store.AuditTaskResume, store.AuditTaskRate,
	"error_group.acknowledge", "error_group.ignore", "error_group.reopen", store.AuditBatchCancel, store.AuditBatchRetry, store.AuditBatchUndo, "alert.acknowledge", "alert.silence", "alert.unsilence",
	"alert.test", store.AuditLogin, store.AuditLogout, store.AuditAutoRetry, store.AuditSent, store.AuditRefetched, store.AuditImported,
	store.AuditUserConflict, store.AuditCut, store.AuditForgotten, store.AuditDelivered,
}

// auditTrail shows who did what, and why.
func (d *Dashboard) auditTrail(r *http.Request) (Answer, error) {
	asked, err := auditQuery(r.URL.Query())
	if err != nil {
		return Answer{}, err
	}
	trail, err := d.Reads.AuditTrail(r.Context(), asked, listPage(r))
	if err != nil {
		return Answer{}, err
	}
	v := auditView{
		AuditTrail: trail, filters: filtersOf(r, auditFilters...), All: !asked.OperatorsOnly, Actions: auditActions,
		Older: older(r, trail.NextCursor), Newest: newest(r), CSV: strings.Replace(with(r.URL, "cursor", ""), auditPath, auditPath+".csv", 1),
	}
	api := url.Values{}
	for _, name := range []string{"actor", "action", "target", "stripe_event_id", "request_id", "cursor"} {
		if text := r.URL.Query().Get(name); text != "" {
			api.Set(name, text)
		}
	}
	if asked.OperatorsOnly {
		api.Set("operators_only", "true")
	}
	for name, t := range map[string]*time.Time{"from": asked.From, "to": asked.To} {
		if t != nil {
			api.Set(name, t.Format(time.RFC3339))
		}
	}
	return Answer{Data: v, JSON: trail, API: withQuery("/v1/monitor/audit-trail", api)}, nil
}

// auditQuery reads which lines the parameters ask for. Without all=1, and unless one
// asks for an action or an event, only what people did is shown.
func auditQuery(q url.Values) (monitor.AuditQuery, error) {
	asked := monitor.AuditQuery{
		Actor: q.Get("actor"), Action: q.Get("action"), Target: q.Get("target"), StripeEventID: q.Get("stripe_event_id"),
		RequestID: q.Get("request_id"),
	}
	asked.OperatorsOnly = q.Get("all") == "" && asked.Action == "" && asked.StripeEventID == "" && asked.RequestID == ""
	var err error
	if asked.From, asked.To, err = span(q); err != nil {
		return asked, err
	}
	return asked, nil
}

// span reads a range of time of which both ends may be open.
func span(q url.Values) (from, to *time.Time, err error) {
	var errs []rest.FieldError
	read := func(name string) *time.Time {
		text := q.Get(name)
		if text == "" {
			return nil
		}
		t, err := readTime(text)
		if err != nil {
			errs = append(errs, rest.FieldError{Location: "query." + name, Message: "want a time like 2006-01-02T15:04:05Z"})
		}
		return &t
	}
	from, to = read("from"), read("to")
	if errs != nil {
		return nil, nil, rest.Invalid(errs...)
	}
	return from, to, nil
}

// withQuery is a path with a query, if there is one.
func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// chainView is the data of the page of the hash chain.
type chainView struct{ monitor.ChainCheck }

// auditChain checks that nobody has rewritten what people did.
func (d *Dashboard) auditChain(r *http.Request) (Answer, error) {
	check, err := d.Reads.VerifyAudit(r.Context())
	return Answer{Data: chainView{check}, JSON: check, API: "/v1/monitor/audit-trail/verify"}, err
}

// auditFile is the audit trail, as far as it is asked for, as a file.
func (d *Dashboard) auditFile(r *http.Request) (Answer, error) {
	asked, err := auditQuery(r.URL.Query())
	if err != nil {
		return Answer{}, err
	}
	ctx := r.Context()
	return Answer{File: &File{
		Name: "audit-trail.csv", Media: "text/csv; charset=utf-8",
		Write: func(w io.Writer) error { return d.Reads.WriteAuditCSV(ctx, w, asked, "") },
	}}, nil
}

// raw is JSON as text; null is empty.
func raw(text []byte) string {
	if string(text) == "null" {
		return ""
	}
	return string(text)
}
