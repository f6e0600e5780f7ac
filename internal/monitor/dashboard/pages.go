package dashboard

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/quotekit/quotekit/internal/rest"
)

// Page is a row of the table of pages and acts.
type Page struct {
	// Pattern is one of [http.ServeMux].
	Pattern string
	Title   string
	// Nav is the entry of the navigation that the page belongs to.
	Nav string
	// Role is the least that sees the page, or may do the act.
	Role rest.Role
	// Template is the name of the file in templates, without .html.
	Template string
	// More are templates that the function may name in its answer.
	More []string
	// Topics are those of the event stream that the page is about; empty is all. What
	// the layout shows is brought up to date with them.
	Topics string
	// JSON is whether the same data is at /dashboard/json, too.
	JSON   bool
	Handle func(*Dashboard, *http.Request) (Answer, error)
}

// Answer is what a page shows, or what an act has done.
type Answer struct {
	// Data is the Data of the template.
	Data any
	// JSON is what the endpoint API answers, query included.
	JSON any
	API  string
	// Title and Template are instead of the row's.
	Title, Template string
	// Ranged is whether the page has a range of time to pick.
	Ranged bool
	// To is where an act leads, and Done what it has done.
	To, Done string
	// Warned is whether Done is no success.
	Warned bool
	// Status is 0 for 200.
	Status  int
	Cookies []*http.Cookie
	// File is instead of a page.
	File *File
}

// File is what is downloaded.
type File struct {
	Name, Media string
	// Write writes it. An error after the first byte cuts the connection, so that
	// nobody takes half a file for a whole one.
	Write func(io.Writer) error
}

// pages is every page and every act, but for logging in and the event stream. To
// add one, see doc.go.
var pages = []Page{
	{Pattern: "GET /dashboard", Title: "Overview", Nav: "overview", Role: rest.RoleViewer, Template: "overview", JSON: true, Handle: (*Dashboard).overview},
	{Pattern: "GET /dashboard/login", Title: "Overview", Role: rest.RoleViewer, Handle: (*Dashboard).loggedIn},
	{Pattern: "POST /dashboard/logout", Title: "Log out", Role: rest.RoleViewer, Handle: (*Dashboard).logout},
	{Pattern: "POST /dashboard/preferences", Title: "Preferences", Role: rest.RoleViewer, Handle: (*Dashboard).preferences},

	{Pattern: "GET /dashboard/performance", Title: "Performance", Nav: "performance", Role: rest.RoleViewer, Template: "performance", JSON: true, Topics: "events", Handle: (*Dashboard).performance},

	{Pattern: "GET /dashboard/alerts", Title: "Alerts", Nav: "alerts", Role: rest.RoleViewer, Template: "alerts", JSON: true, Topics: "alerts audit-trail", Handle: (*Dashboard).alerts},
	{Pattern: "POST /dashboard/alerts/test", Title: "Alerts", Nav: "alerts", Role: rest.RoleOperator, Handle: (*Dashboard).testAlerts},
	{Pattern: "POST /dashboard/alerts/{id}/acknowledge", Title: "Alerts", Nav: "alerts", Role: rest.RoleOperator, Handle: (*Dashboard).acknowledgeAlert},
	{Pattern: "POST /dashboard/alerts/{id}/silence", Title: "Alerts", Nav: "alerts", Role: rest.RoleOperator, Handle: (*Dashboard).silenceAlert},
	{Pattern: "POST /dashboard/alerts/{id}/unsilence", Title: "Alerts", Nav: "alerts", Role: rest.RoleOperator, Handle: (*Dashboard).unsilenceAlert},

	{Pattern: "GET /dashboard/audit-trail", Title: "Audit trail", Nav: "audit-trail", Role: rest.RoleViewer, Template: "audit", JSON: true, Handle: (*Dashboard).auditTrail},
	{Pattern: "GET /dashboard/audit-trail.csv", Title: "Audit trail", Nav: "audit-trail", Role: rest.RoleViewer, Handle: (*Dashboard).auditFile},
	{Pattern: "GET /dashboard/audit-trail/chain", Title: "Hash chain of the audit trail", Nav: "audit-trail", Role: rest.RoleViewer, Template: "chain", JSON: true, Topics: "audit-trail", Handle: (*Dashboard).auditChain},

	{Pattern: "GET /dashboard/batch-jobs", Title: "Batch jobs", Nav: "batch-jobs", Role: rest.RoleViewer, Template: "batches", JSON: true, Topics: "batch-jobs", Handle: (*Dashboard).batches},
	{Pattern: "GET /dashboard/batch-jobs/{id}", Title: "Batch job", Nav: "batch-jobs", Role: rest.RoleViewer, Template: "batch", JSON: true, Topics: "batch-jobs", Handle: (*Dashboard).batch},
	{Pattern: "POST /dashboard/batch-jobs/{id}/cancel", Title: "Batch job", Nav: "batch-jobs", Role: rest.RoleOperator, Handle: (*Dashboard).cancelBatch},
	{Pattern: "POST /dashboard/batch-jobs/{id}/retry-failed", Title: "Batch job", Nav: "batch-jobs", Role: rest.RoleOperator, Handle: (*Dashboard).retryBatch},
	{Pattern: "POST /dashboard/batch-jobs/{id}/undo", Title: "Batch job", Nav: "batch-jobs", Role: rest.RoleOperator, Handle: (*Dashboard).undoBatch},

	{Pattern: "GET /dashboard/setup", Title: "Setup", Nav: "setup", Role: rest.RoleViewer, Template: "setup", Handle: (*Dashboard).setup},
	{Pattern: "POST /dashboard/setup/test-event", Title: "Setup", Nav: "setup", Role: rest.RoleOperator, Handle: (*Dashboard).sendTestEvent},

	{Pattern: "GET /dashboard/dead-letter-queue", Title: "Dead letters", Nav: "dead-letters", Role: rest.RoleViewer, Template: "letters", JSON: true, Handle: (*Dashboard).letters},
	{Pattern: "POST /dashboard/dead-letter-queue/preview", Title: "Preview", Nav: "dead-letters", Role: rest.RoleOperator, Template: "preview", Handle: (*Dashboard).previewBulk},
	{Pattern: "POST /dashboard/dead-letter-queue/bulk", Title: "Preview", Nav: "dead-letters", Role: rest.RoleOperator, Template: "preview", Handle: (*Dashboard).startBulk},
	{Pattern: "GET /dashboard/dead-letter-queue/letters/{id}", Title: "Dead letter", Nav: "dead-letters", Role: rest.RoleViewer, Template: "letter", JSON: true, Handle: (*Dashboard).letter},
	{Pattern: "POST /dashboard/dead-letter-queue/letters/{id}/retry", Title: "Retry", Nav: "dead-letters", Role: rest.RoleOperator, Handle: (*Dashboard).retryLetter},
	{Pattern: "POST /dashboard/dead-letter-queue/letters/{id}/resolve", Title: "Resolve", Nav: "dead-letters", Role: rest.RoleOperator, Handle: (*Dashboard).resolveLetter},
	{Pattern: "POST /dashboard/dead-letter-queue/letters/{id}/reveal", Title: "Payload", Nav: "dead-letters", Role: rest.RoleAdmin, Template: "reveal", Handle: (*Dashboard).revealLetter},
	{Pattern: "GET /dashboard/dead-letter-queue/groups/{id}", Title: "Error group", Nav: "dead-letters", Role: rest.RoleViewer, Template: "group", JSON: true, Handle: (*Dashboard).group},
	{Pattern: "POST /dashboard/dead-letter-queue/groups/{id}/replay-one", Title: "Replay one", Nav: "dead-letters", Role: rest.RoleOperator, Handle: (*Dashboard).replayOne},
	{Pattern: "POST /dashboard/dead-letter-queue/groups/{id}/decide", Title: "Error group", Nav: "dead-letters", Role: rest.RoleOperator, Handle: (*Dashboard).decideGroup},

	{Pattern: "GET /dashboard/events", Title: "Events", Nav: "events", Role: rest.RoleViewer, Template: "events", JSON: true, Handle: (*Dashboard).events},
	{Pattern: "GET /dashboard/events/{id}", Title: "Event", Nav: "events", Role: rest.RoleViewer, Template: "event", JSON: true, Handle: (*Dashboard).event},
	{Pattern: "GET /dashboard/events/{id}/payload", Title: "Payload", Nav: "events", Role: rest.RoleViewer, Handle: (*Dashboard).payload},
	{Pattern: "POST /dashboard/events/{id}/replay", Title: "Replay", Nav: "events", Role: rest.RoleOperator, Handle: (*Dashboard).replayEvent},
	{Pattern: "POST /dashboard/events/{id}/resolve", Title: "Resolve", Nav: "events", Role: rest.RoleOperator, Handle: (*Dashboard).resolveEvent},
	{Pattern: "POST /dashboard/events/{id}/compare", Title: "Event", Nav: "events", Role: rest.RoleOperator, Template: "event", Handle: (*Dashboard).compareEvent},
	{Pattern: "POST /dashboard/events/{id}/reveal", Title: "Payload", Nav: "events", Role: rest.RoleAdmin, Template: "reveal", Handle: (*Dashboard).reveal},
	{Pattern: "GET /dashboard/objects/{id}", Title: "Object", Nav: "events", Role: rest.RoleViewer, Template: "object", JSON: true, Handle: (*Dashboard).object},
	{Pattern: "POST /dashboard/objects/{id}/replay", Title: "Preview", Nav: "events", Role: rest.RoleOperator, Template: "preview", Handle: (*Dashboard).replayObject},
	{Pattern: "GET /dashboard/search", Title: "Search", Role: rest.RoleViewer, Template: "search", JSON: true, Handle: (*Dashboard).search},

	{Pattern: "GET /dashboard/tasks", Title: "Tasks", Nav: "tasks", Role: rest.RoleViewer, Template: "tasks", JSON: true, Handle: (*Dashboard).tasks},
	{Pattern: "GET /dashboard/tasks/{id}", Title: "Task", Nav: "tasks", Role: rest.RoleViewer, Template: "task", JSON: true, Handle: (*Dashboard).task},
	{Pattern: "GET /dashboard/tasks/{id}/results.csv", Title: "Results", Nav: "tasks", Role: rest.RoleViewer, Handle: (*Dashboard).taskResults},
	{Pattern: "POST /dashboard/tasks/{id}/cancel", Title: "Cancel", Nav: "tasks", Role: rest.RoleOperator, Handle: (*Dashboard).cancelTask},
	{Pattern: "POST /dashboard/tasks/{id}/pause", Title: "Pause", Nav: "tasks", Role: rest.RoleOperator, Handle: (*Dashboard).pauseTask},
	{Pattern: "POST /dashboard/tasks/{id}/resume", Title: "Resume", Nav: "tasks", Role: rest.RoleOperator, Handle: (*Dashboard).resumeTask},
	{Pattern: "POST /dashboard/tasks/{id}/rate", Title: "Rate", Nav: "tasks", Role: rest.RoleOperator, Handle: (*Dashboard).rateTask},
	{Pattern: "POST /dashboard/tasks/{id}/retry-failed", Title: "Preview", Nav: "tasks", Role: rest.RoleOperator, Template: "preview", Handle: (*Dashboard).retryFailed},
}

// Pages returns the table.
func Pages() []Page { return slices.Clone(pages) }

// Navigation is the entries on the left, in their order.
var navigation = []struct{ Key, Title, Path, Letter string }{
	{"overview", "Overview", "/dashboard", "o"},
	{"performance", "Performance", "/dashboard/performance", "f"},
	{"dead-letters", "Dead letters", "/dashboard/dead-letter-queue", "d"},
	{"events", "Events", "/dashboard/events", "e"},
	{"batch-jobs", "Batch jobs", "/dashboard/batch-jobs", "b"},
	{"tasks", "Tasks", "/dashboard/tasks", "k"},
	{"audit-trail", "Audit trail", "/dashboard/audit-trail", "a"},
	{"alerts", "Alerts", "/dashboard/alerts", "l"},
	{"setup", "Setup", "/dashboard/setup", "s"},
}

// jsonPattern is where the data of a page is as JSON.
func (p Page) jsonPattern() string {
	return strings.Replace(p.Pattern, Path, Path+"/json", 1)
}
