package webhook

import (
	"net/http"

	"github.com/quotekit/quotekit/internal/rest"
)

// StripeEvent describes the body of a delivery. What reads it is package stripe.
type StripeEvent struct {
	_    struct{} `additionalProperties:"true"`
	ID   string   `json:"id" doc:"Stripe's id of the event, the key of a delivery." example:"evt_1"`
	Type string   `json:"type" example:"invoice.payment_succeeded"`
}

// Receiver is the endpoint that Stripe delivers to.
func (s *Service) Receiver() rest.Endpoint {
	return rest.Endpoint{
		ID: "receiveStripeEvent", Summary: "Receive an event of Stripe's", Tag: "webhooks",
		Doc: "The answer is sent after the commit that decides the event. Every event gets one answer of success: " +
			"what could not be applied is kept and attempted again.",
		Header: []rest.Param{{
			Name: "Stripe-Signature", Doc: "`t=…,v1=…` over the bytes of the body, at most 300 seconds old.", Required: true,
		}},
		Body: &rest.Body{Type: StripeEvent{}, Doc: "At most 1 MiB, as Stripe sends it: the signature is over its bytes."},
		Answers: rest.Answers{
			http.StatusOK: {Doc: "The event is kept, by this delivery or by one before.", JSON: received{}},
			http.StatusBadRequest: {
				Doc: "`signature_missing`, `signature_malformed`, `signature_expired`, `signature_mismatch` or " +
					"`body_invalid`: nothing has reached a query.", JSON: rest.Problem{},
			},
			http.StatusMethodNotAllowed: {JSON: rest.Problem{}, Headers: []rest.Param{{Name: "Allow", Required: true}}},
			http.StatusServiceUnavailable: {
				Doc: "Not kept: the database does not answer, too many deliveries wait, or no secret is configured.", JSON: rest.Problem{},
				Headers: []rest.Param{{Name: "Retry-After", Doc: "Seconds.", Type: 0, Required: true}},
			},
		},
		Problems:   []int{http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType},
		Handler:    s.receiver,
		AllMethods: true,
	}
}
