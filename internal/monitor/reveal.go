package monitor

import (
	"net/http"
	"unicode/utf8"

	"github.com/quotekit/quotekit/internal/rest"
)

// RevealRequest is the body of a reveal.
type RevealRequest struct {
	Reason string `json:"reason" minLength:"1" doc:"Why, for the audit trail; at most 2,000 bytes."`
}

// Revealed is the payload of an event, unmasked.
type Revealed struct {
	StripeEventID string  `json:"stripe_event_id"`
	Payload       *string `json:"payload" doc:"What was received, byte for byte; null if it is no UTF-8."`
	PayloadBase64 []byte  `json:"payload_base64,omitempty" doc:"What was received, in base64; only if it is no UTF-8."`
}

// RevealEvent shows the payload of an event as it was received. The caller's role is
// checked by the route: an admin.
func (a *API) RevealEvent() rest.Endpoint {
	return rest.Endpoint{
		ID: "revealEvent", Summary: "Show the payload of an event unmasked", Tag: eventsTag,
		Doc: "An event that was never received here is shown as another program has put it into the dead letter queue. " +
			"It needs a reason. That somebody has looked is in the audit trail before the answer is there; the answer is kept nowhere.",
		Path:     []rest.Param{eventID},
		Body:     &rest.Body{Type: RevealRequest{}},
		Answers:  rest.Answers{http.StatusOK: {JSON: Revealed{}}},
		Problems: []int{http.StatusBadRequest, http.StatusNotFound},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			var body RevealRequest
			if err := readBody(w, r, &body, `{"reason": "…"}`); err != nil {
				return err
			}
			act, err := ActOf(r, body.Reason)
			if err == nil && act.Reason == "" {
				err = invalid("body.reason", "say why the payload is to be seen")
			}
			if err != nil {
				return err
			}
			id := r.PathValue("event_id")
			payload, err := a.Revealer.Reveal(r.Context(), id, act)
			if err != nil {
				return err
			}
			out := Revealed{StripeEventID: id}
			if utf8.Valid(payload) {
				text := string(payload)
				out.Payload = &text
			} else {
				out.PayloadBase64 = payload
			}
			rest.WriteJSON(w, r, http.StatusOK, out)
			return nil
		}),
	}
}
