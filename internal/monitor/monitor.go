package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// Operator acts on events. It is package webhook's; every act is audited.
type Operator interface {
	// Replay makes an event pending, unless it is succeeded, and returns its
	// status after that.
	Replay(ctx context.Context, eventID string, act quotekit.Act) (quotekit.EventStatus, error)
	// Retry makes the event of a dead letter pending.
	Retry(ctx context.Context, deadLetterID string, act quotekit.Act) (eventID string, err error)
	// Resolve closes a dead letter without applying its event.
	Resolve(ctx context.Context, deadLetterID string, act quotekit.Act) (eventID string, err error)
}

// API has the handlers of /v1/monitor.
type API struct {
	Store    *store.Store
	Operator Operator
	Logger   *slog.Logger
}

// list is a page of a list.
type list[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

func writeList[T any](w http.ResponseWriter, r *http.Request, items []T, cursor string) {
	l := list[T]{Items: items}
	if cursor != "" {
		l.NextCursor = &cursor
	}
	rest.WriteJSON(w, r, http.StatusOK, l)
}

// acted is the answer to an act on an event.
type acted struct {
	StripeEventID string               `json:"stripe_event_id"`
	Status        quotekit.EventStatus `json:"status"`
}

// ListEvents lists events, filtered by event_type, status and object_id.
func (a *API) ListEvents() http.Handler {
	return rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
		q, err := query(r, "event_type", "status", "object_id")
		if err != nil {
			return err
		}
		f := store.EventFilter{EventType: q.Get("event_type"), Status: q.Get("status"), ObjectID: q.Get("object_id")}
		events, cursor, err := a.Store.Events(r.Context(), f, q.page)
		if err != nil {
			return err
		}
		writeList(w, r, events, cursor)
		return nil
	})
}

// eventDetail is everything about one event but its payload.
type eventDetail struct {
	store.EventRecord
	AuditTrail     []store.AuditRecord     `json:"audit_trail"`
	ProcessingLogs []store.LogRecord       `json:"processing_logs"`
	DeadLetter     *store.DeadLetterRecord `json:"dead_letter"`
}

// GetEvent shows one event with its trail.
func (a *API) GetEvent() http.Handler {
	return rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
		id := r.PathValue("event_id")
		var d eventDetail
		var err error
		if d.EventRecord, err = a.Store.Event(r.Context(), id); err != nil {
			return err
		}
		if d.AuditTrail, err = a.Store.EventAudit(r.Context(), id); err != nil {
			return err
		}
		if d.ProcessingLogs, err = a.Store.EventLogs(r.Context(), id); err != nil {
			return err
		}
		letter, err := a.Store.DeadLetter(r.Context(), quotekit.DeadLetterID(id))
		switch {
		case err == nil:
			letter.EventData = nil // GET of the dead letter shows it
			d.DeadLetter = &letter
		case quotekit.CodeOf(err) != quotekit.ENotFound:
			return err
		}
		rest.WriteJSON(w, r, http.StatusOK, d)
		return nil
	})
}

// ReplayEvent makes an event pending again.
func (a *API) ReplayEvent() http.Handler {
	return rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
		act, err := readAct(w, r, false)
		if err != nil {
			return err
		}
		id := r.PathValue("event_id")
		status, err := a.Operator.Replay(r.Context(), id, act)
		if err != nil {
			return err
		}
		code := http.StatusAccepted
		if status == quotekit.EventSucceeded {
			code = http.StatusOK // nothing is left to do
		}
		rest.WriteJSON(w, r, code, acted{id, status})
		return nil
	})
}

// ListDeadLetters lists dead letters, filtered by event_type, reason and resolved.
func (a *API) ListDeadLetters() http.Handler {
	return rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
		q, err := query(r, "event_type", "reason", "resolved")
		if err != nil {
			return err
		}
		f := store.DeadLetterFilter{EventType: q.Get("event_type"), Reason: q.Get("reason")}
		if text := q.Get("resolved"); text != "" {
			resolved, err := strconv.ParseBool(text)
			if err != nil {
				return invalid("query.resolved", "want true or false")
			}
			f.Resolved = &resolved
		}
		letters, cursor, err := a.Store.DeadLetters(r.Context(), f, q.page)
		if err != nil {
			return err
		}
		writeList(w, r, letters, cursor)
		return nil
	})
}

// GetDeadLetter shows one dead letter with the event as JSON. The id is its
// own or that of its event.
func (a *API) GetDeadLetter() http.Handler {
	return rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
		letter, err := a.Store.DeadLetter(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		rest.WriteJSON(w, r, http.StatusOK, letter)
		return nil
	})
}

// RetryDeadLetter attempts the event of a dead letter again.
func (a *API) RetryDeadLetter() http.Handler {
	return rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
		act, err := readAct(w, r, false)
		if err != nil {
			return err
		}
		eventID, err := a.Operator.Retry(r.Context(), r.PathValue("id"), act)
		if err != nil {
			return err
		}
		rest.WriteJSON(w, r, http.StatusAccepted, acted{eventID, quotekit.EventPending})
		return nil
	})
}

// ResolveDeadLetter closes a dead letter. It needs a reason, since the event's
// effects are given up.
func (a *API) ResolveDeadLetter() http.Handler {
	return rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
		act, err := readAct(w, r, true)
		if err != nil {
			return err
		}
		eventID, err := a.Operator.Resolve(r.Context(), r.PathValue("id"), act)
		if err != nil {
			return err
		}
		rest.WriteJSON(w, r, http.StatusOK, acted{eventID, quotekit.EventDead})
		return nil
	})
}

// maxReason bounds the words of an operator, in bytes.
const maxReason = 2000

// readAct reads {"reason": "…"}; without a body there is no reason.
func readAct(w http.ResponseWriter, r *http.Request, needsReason bool) (quotekit.Act, error) {
	var body struct {
		Reason string `json:"reason"`
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		return quotekit.Act{}, invalid("body", `want {"reason": "…"}`)
	}
	reason := strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(body.Reason, "\x00", ""), "\uFFFD"))
	switch {
	case len(reason) > maxReason:
		return quotekit.Act{}, invalid("body.reason", "longer than 2,000 bytes")
	case reason == "" && needsReason:
		return quotekit.Act{}, invalid("body.reason", "say why; it is kept with the dead letter")
	}
	actor := rest.ActorFrom(r.Context())
	return quotekit.Act{
		Actor: actor.Name, UserID: actor.UserID, Reason: reason, RequestID: rest.RequestIDFrom(r.Context()),
	}, nil
}

func invalid(location, message string) error {
	return rest.NewProblem(http.StatusBadRequest, quotekit.EInvalid, "The request cannot be understood.").With(location, message)
}
