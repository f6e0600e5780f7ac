package monitor

import (
	"context"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// maxSearch bounds what is searched for, in bytes.
const maxSearch = 300

// Search finds what a text names: an event, an object of Stripe's, a dead letter, an
// error group, a bulk operation, a task, an alert, a line of the audit trail, a
// request, a user, a row of the application's, or the customers with an address. A
// text that names nothing finds nothing. Each look is one into an index.
func (r *Reads) Search(ctx context.Context, text string) ([]Hit, error) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxSearch || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return []Hit{}, nil
	}
	find, asked := r.Store.FindName, text
	if id, err := uuid.Parse(text); err == nil && len(text) == 36 {
		find, text = r.Store.FindUUID, id.String()
	} else if strings.Contains(text, "@") {
		find = r.Store.FindEmail
	}
	found, err := find(ctx, text)
	if err != nil {
		return nil, err
	}
	made, _ := rest.RequestMade(asked)
	requests, err := r.Store.FindRequest(ctx, asked, made)
	if len(found) > 0 && len(requests) > 0 && found[0].ID == requests[0].ID {
		requests = nil // a task, whose id is that of its requests
	}
	hits := []Hit{}
	for _, f := range append(found, requests...) {
		hits = append(hits, hitOf(f))
	}
	return hits, err
}

// hitOf says what was found, and where it is shown. It quotes ids and names of
// ours, never what a row says.
func hitOf(f store.Found) Hit {
	h := Hit{Kind: f.Kind, ID: f.ID, Account: f.Account}
	segment, query := url.PathEscape(f.ID), url.QueryEscape(f.ID)
	switch f.Kind {
	case "event":
		h.Title, h.Path = "Event "+f.Is, "/dashboard/events/"+segment
	case "object":
		h.Title, h.Path = objectTitle(f.Is)+ofAccount(f.Account), "/dashboard/objects/"+segment
		if f.Account != "" {
			h.Path += "?account=" + url.QueryEscape(f.Account)
		}
	case "dead_letter":
		h.Title, h.Path = "Dead letter "+f.Is, "/dashboard/dead-letter-queue/letters/"+segment
		if f.Event != "" {
			h.Path = "/dashboard/events/" + url.PathEscape(f.Event)
		}
	case "error_group":
		h.Title, h.Path = "Error group of "+f.Is, "/dashboard/dead-letter-queue/groups/"+segment
	case "batch_job":
		h.Title, h.Path = "Bulk operation "+f.Is, "/dashboard/batch-jobs/"+segment
	case "task":
		h.Title, h.Path = "Task "+f.Is, "/dashboard/tasks/"+segment
	case "alert":
		h.Title, h.Path = "Alert "+f.Is, "/dashboard/alerts"
	case "audit_line":
		h.Title, h.Path = "Audit trail: "+f.Is, "/dashboard/audit-trail"
		if f.Event != "" {
			h.Path = "/dashboard/audit-trail?stripe_event_id=" + url.QueryEscape(f.Event)
		}
	case "request":
		h.Title, h.Path = "Request that did "+f.Is, "/dashboard/audit-trail?request_id="+query
	case "delivery":
		h.Kind, h.Title, h.Path = "request", "Request that delivered "+f.Is, "/dashboard/events/"+url.PathEscape(f.Event)
		if f.Is == "" {
			h.Title, h.Path = "Request that delivered an event that is not kept any more", "/dashboard/audit-trail?stripe_event_id="+url.QueryEscape(f.Event)
		}
	case "user":
		h.Title, h.Path = "User with bulk operations", "/dashboard/batch-jobs?user_id="+query
	default: // a row of the application's, which has no page: its user's operations have
		h.Kind, h.ID = "user", f.Is
		h.Title, h.Path = "User of this row of "+f.Kind, "/dashboard/batch-jobs?user_id="+url.QueryEscape(f.Is)
	}
	return h
}

// objectTitle says what an object is, by the table that has its row or the type of an
// event that is about it.
func objectTitle(is string) string {
	if kind, _, ok := strings.Cut(is, "."); ok {
		return "Object of events like " + kind
	}
	return "Object in " + is
}
