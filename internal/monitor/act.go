package monitor

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

// Acted is the answer to an act on an event.
type Acted struct {
	StripeEventID string               `json:"stripe_event_id"`
	Status        quotekit.EventStatus `json:"status" doc:"The event's, after the act."`
}

// ActRequest is the body of an act that needs no reason.
type ActRequest struct {
	Reason string `json:"reason,omitempty" doc:"Why, for the audit trail; at most 2,000 bytes."`
}

// ResolveRequest is the body of an act that needs one.
type ResolveRequest struct {
	Reason string `json:"reason" minLength:"1" doc:"Why, for the audit trail; at most 2,000 bytes. It is kept with the dead letter."`
}

// maxReason bounds the words of an operator, in bytes.
const maxReason = 2000

// readAct reads an [ActRequest] or a [ResolveRequest]; without a body there is
// no reason.
func readAct(w http.ResponseWriter, r *http.Request, needsReason bool) (quotekit.Act, error) {
	var body ActRequest
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
	return rest.Invalid(rest.FieldError{Location: location, Message: message})
}
