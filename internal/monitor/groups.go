package monitor

import (
	"net/http"
	"strings"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

// ErrorGroupList is error groups.
type ErrorGroupList struct {
	Items      []ErrorGroup `json:"items" doc:"The last failed first; at most 200."`
	More       bool         `json:"more" doc:"There are more groups than are listed."`
	NextCursor *string      `json:"next_cursor" doc:"The cursor of the next page; pages come in the order of type, reason and class."`
}

// ListErrorGroups lists error groups.
func (a *API) ListErrorGroups() rest.Endpoint {
	params := []rest.Param{
		{Name: "event_type", Doc: "Only groups of events of this type."},
		{Name: "reason", Doc: "Only groups with this failure_reason."},
		{Name: "error_class", Doc: "Only groups with this error_class."},
		{Name: "resolved", Doc: "Only those that are resolved; without it, only those that are not.", Type: false},
		groupsCursor("cursor"),
	}
	return rest.Endpoint{
		ID: "listErrorGroups", Summary: "List dead letters by what they died of, the last failed first", Tag: deadLettersTag,
		Query:    params,
		Answers:  rest.Answers{http.StatusOK: {JSON: ErrorGroupList{}}},
		Problems: []int{http.StatusBadRequest},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			q, err := rest.ReadQuery(r, params...)
			if err != nil {
				return err
			}
			f := LetterQuery{
				EventType: q.Get("event_type"), Reason: q.Get("reason"), ErrorClass: q.Get("error_class"), Resolved: boolOf(q.Get("resolved")),
				GroupsCursor: q.Get("cursor"),
			}
			groups, next, err := a.Reads.groups(r.Context(), f)
			if err != nil {
				return err
			}
			list := ErrorGroupList{Items: groups, More: next != "", NextCursor: given(next)}
			rest.WriteJSON(w, r, http.StatusOK, list)
			return nil
		}),
	}
}

// groupsCursor is the parameter for a further page of error groups.
func groupsCursor(name string) rest.Param {
	return rest.Param{Name: name, Doc: "That of the next page of error groups, as an answer gives it."}
}

// boolOf is a boolean of a query, nil if it is not given.
func boolOf(text string) *bool {
	if text == "" {
		return nil
	}
	is := text == "true"
	return &is
}

// GroupRequest is the body of an act on an error group.
type GroupRequest struct {
	Reason string `json:"reason,omitempty" doc:"Why, for the audit trail; at most 2,000 bytes. It becomes the note of the group."`
	Owner  string `json:"owner,omitempty" doc:"Who cares for the group; at most 200 bytes. Without it, of an acknowledgement, who acknowledges."`
}

// maxOwner bounds the name of an owner, in bytes.
const maxOwner = 200

// decide is an act on an error group.
func (a *API) decide(id, summary, doc string, state quotekit.GroupState) rest.Endpoint {
	return rest.Endpoint{
		ID: id, Summary: summary, Doc: doc, Tag: deadLettersTag,
		Path:     []rest.Param{{Name: "id", Doc: "The id of an error group."}},
		Body:     &rest.Body{Type: GroupRequest{}, Optional: true},
		Answers:  rest.Answers{http.StatusOK: {JSON: ErrorGroup{}}},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			var body GroupRequest
			if err := readBody(w, r, &body, `{"reason": "…", "owner": "…"}`); err != nil {
				return err
			}
			act, err := ActOf(r, body.Reason)
			if err != nil {
				return err
			}
			owner := strings.TrimSpace(body.Owner)
			switch {
			case len(owner) > maxOwner || strings.ContainsRune(owner, 0):
				return invalid("body.owner", "longer than 200 bytes, or with U+0000")
			case owner == "" && state == quotekit.GroupAcknowledged:
				owner = act.Actor
			case state == quotekit.GroupIgnored && act.Reason == "":
				return invalid("body.reason", "say why; nobody will look at its dead letters")
			}
			if err := a.Groups.DecideGroup(r.Context(), r.PathValue("id"), state, owner, act); err != nil {
				return err
			}
			g, err := a.Reads.ErrorGroup(r.Context(), r.PathValue("id"))
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, g)
			return nil
		}),
	}
}

// AcknowledgeErrorGroup notes that somebody works on an error group.
func (a *API) AcknowledgeErrorGroup() rest.Endpoint {
	return a.decide("acknowledgeErrorGroup", "Say that somebody works on an error group", "", quotekit.GroupAcknowledged)
}

// IgnoreErrorGroup notes that an error group does not matter. It needs a reason.
func (a *API) IgnoreErrorGroup() rest.Endpoint {
	return a.decide("ignoreErrorGroup", "Say that an error group does not matter",
		"It needs a reason. The dead letters stay as they are; if they were resolved and others come, the group is open again.", quotekit.GroupIgnored)
}

// ReopenErrorGroup takes back what was decided about an error group.
func (a *API) ReopenErrorGroup() rest.Endpoint {
	return a.decide("reopenErrorGroup", "Take back what was decided about an error group", "", quotekit.GroupOpen)
}
