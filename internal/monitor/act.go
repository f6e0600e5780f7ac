package monitor

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// Acted is the answer to an act on an event.
type Acted struct {
	StripeEventID string               `json:"stripe_event_id"`
	Status        quotekit.EventStatus `json:"status" doc:"The event's, after the act."`
}

// TakenUp is the answer to an act that takes an event up again.
type TakenUp struct {
	Acted
	SupersededBy *store.NewerEvent `json:"superseded_by" doc:"The newest succeeded event of the same object, if it is newer: the row then keeps what that one says, unless the current object is fetched."`
}

// ReplayRequest is the body of an act that takes an event up again.
type ReplayRequest struct {
	Reason string              `json:"reason,omitempty" doc:"Why, for the audit trail; at most 2,000 bytes."`
	Mode   quotekit.ReplayMode `json:"mode,omitempty" doc:"What is applied: the stored payload, or the object as it is at Stripe now. Without it the stored payload, unless the route of the event refetches."`
}

// ResolveRequest is the body of an act that needs one.
type ResolveRequest struct {
	Reason string `json:"reason" minLength:"1" doc:"Why, for the audit trail; at most 2,000 bytes. It is kept with the dead letter."`
}

// maxReason bounds the words of an operator, in bytes.
const maxReason = 2000

// readReplay reads a [ReplayRequest]; without a body there is no reason, and the
// mode is left to the route.
func readReplay(w http.ResponseWriter, r *http.Request) (quotekit.ReplayMode, quotekit.Act, error) {
	var body ReplayRequest
	if err := readBody(w, r, &body, `{"reason": "…", "mode": "stored"}`); err != nil {
		return "", quotekit.Act{}, err
	}
	switch body.Mode {
	case "", quotekit.ReplayStored, quotekit.ReplayCurrent:
	default:
		return "", quotekit.Act{}, invalid("body.mode", "want stored or current")
	}
	act, err := ActOf(r, body.Reason)
	return body.Mode, act, err
}

// readResolve reads a [ResolveRequest].
func readResolve(w http.ResponseWriter, r *http.Request) (quotekit.Act, error) {
	var body ResolveRequest
	if err := readBody(w, r, &body, `{"reason": "…"}`); err != nil {
		return quotekit.Act{}, err
	}
	act, err := ActOf(r, body.Reason)
	if err == nil && act.Reason == "" {
		err = invalid("body.reason", "say why; it is kept with the dead letter")
	}
	return act, err
}

// readBody reads a body of JSON into a struct; without one the struct stays empty.
func readBody(w http.ResponseWriter, r *http.Request, body any, want string) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(body); err != nil && !errors.Is(err, io.EOF) {
		return invalid("body", "want "+want)
	}
	return nil
}

// ActOf says who acts, and why. It fails if the reason is too long.
func ActOf(r *http.Request, reason string) (quotekit.Act, error) {
	reason = strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(reason, "\x00", ""), "\uFFFD"))
	if len(reason) > maxReason {
		return quotekit.Act{}, invalid("body.reason", "longer than 2,000 bytes")
	}
	actor := rest.ActorFrom(r.Context())
	return quotekit.Act{
		Actor: actor.Name, UserID: actor.UserID, Reason: reason, RequestID: rest.RequestIDFrom(r.Context()),
	}, nil
}

// takenUp answers an act that takes an event up again.
func (a *API) takenUp(w http.ResponseWriter, r *http.Request, eventID string, status quotekit.EventStatus) error {
	newer, err := a.Store.NewerEvent(r.Context(), eventID)
	if err != nil {
		return err
	}
	code := http.StatusAccepted
	if status == quotekit.EventSucceeded {
		code = http.StatusOK
	}
	rest.WriteJSON(w, r, code, TakenUp{Acted{eventID, status}, newer})
	return nil
}

func invalid(location, message string) error {
	return rest.Invalid(rest.FieldError{Location: location, Message: message})
}
