package webhook

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/metrics"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
)

const (
	// maxBody is the largest body taken, in bytes. Stripe publishes no limit;
	// the largest events that others report are a tenth of it (stripe-facts 1).
	maxBody = 1 << 20
	// signatureTolerance is how old a signature may be, as in Stripe's libraries.
	signatureTolerance = 300 * time.Second
	// retryAfter is what a sender is told to wait after a 503, in seconds.
	retryAfter = "5"
)

// Receiver answers POST /webhooks/stripe.
type Receiver struct {
	secrets  []string
	clock    *clock
	livemode *bool // nil: events of both modes
	routes   Routes
	group    *Group
	slots    *slots
	fetches  bool // objects can be fetched, so routes that ask for it are deferred
	now      func() time.Time
	logger   *slog.Logger
	observe  observer
	figures  *figures
	metrics  *metrics.Webhook
}

// received is the answer to a delivery that is kept.
type received struct {
	Received  bool                 `json:"received"`
	EventID   string               `json:"event_id"`
	Duplicate bool                 `json:"duplicate" doc:"An earlier delivery has settled the event already."`
	Status    quotekit.EventStatus `json:"status"`
}

// ServeHTTP refuses what is not a signed event, cheapest check first and before
// any query, and waits until the commit that decides the event has returned.
func (rc *Receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrived := rc.now()
	d, err := rc.accept(w, r, arrived)
	if err == nil {
		err = rc.await(w, r, d)
	}
	if err != nil {
		rc.refuse(w, r, err)
	}
}

func (rc *Receiver) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := rest.ProblemOf(err)
	rc.figures.refuse(rc.now(), p.Code)
	rc.metrics.Refused(p.Code)
	switch p.Status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	rest.WriteError(w, r, rc.logger, p)
}

// accept checks a request and runs the handler of its event.
func (rc *Receiver) accept(w http.ResponseWriter, r *http.Request, arrived time.Time) (*delivery, error) {
	body, err := rc.readBody(w, r)
	if err != nil {
		return nil, err
	}
	rc.observe.at(StepRead)
	header := r.Header.Get("Stripe-Signature")
	err = stripe.VerifySignature(body, header, rc.secrets, arrived, signatureTolerance)
	rc.clock.look(body, header, arrived, err)
	if err != nil {
		return nil, signatureProblem(err)
	}
	rc.observe.at(StepVerified)
	event, err := stripe.ParseEvent(body)
	if err != nil && !errors.Is(err, stripe.ErrEnvelope) {
		return nil, rest.NewProblem(http.StatusBadRequest, "body_invalid", "The body is signed, but it is no Stripe event: "+err.Error()+".")
	}
	d := rc.deliver(r.Context(), event, err, arrived)
	d.requestID = rest.RequestIDFrom(r.Context())
	return d, nil
}

// deliver makes a delivery of a parsed event and runs its handler. The error is
// that of the envelope, if it has one.
func (rc *Receiver) deliver(ctx context.Context, event quotekit.Event, envelope error, arrived time.Time) *delivery {
	d := &delivery{
		event: event, arrived: arrived, source: source{"stripe", store.AuditDelivered},
		span: trace.SpanFromContext(ctx), done: make(chan answer, 1),
	}
	switch {
	case envelope != nil:
		d.decision = fail(quotekit.ReasonParsing, envelope.Error())
	case rc.livemode != nil && event.Livemode != *rc.livemode:
		d.decision = decision{status: quotekit.EventIgnored}
	default:
		d.route = rc.routes[event.Type]
		d.decision = rc.decide(context.WithoutCancel(ctx), d.route, event, arrived)
	}
	d.handled = rc.now().Sub(arrived)
	rc.observe.at(StepHandled)
	return d
}

// decide runs the handler of an event, unless it is to be kept: because its route
// is deferred, or because it is not urgent and much waits already. An urgent one
// waits for its turn until its time is over.
func (rc *Receiver) decide(ctx context.Context, r *quotekit.Route, event quotekit.Event, arrived time.Time) decision {
	switch {
	case r == nil:
		return decision{status: quotekit.EventIgnored}
	case rc.deferred(r), r.Priority > urgent && rc.group.behind():
		return keep()
	}
	patience := rc.group.keepAfter / turnShare
	if r.Priority <= urgent {
		patience = r.Timeout - rc.now().Sub(arrived)
	}
	release, ok := rc.slots.take(ctx, r.Priority, patience)
	switch {
	case ok:
		return handleThen(ctx, r, event, rc.now().Sub(arrived), release)
	case r.Priority <= urgent:
		return timedOut(r)
	}
	return keep()
}

// deferred reports whether the handler never runs in the request.
func (rc *Receiver) deferred(r *quotekit.Route) bool {
	return r.Deferred || r.Refetch && rc.fetches
}

// readBody checks what can be checked without the signature.
func (rc *Receiver) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Method != http.MethodPost {
		return nil, rest.NewProblem(http.StatusMethodNotAllowed, "method_not_allowed", "Stripe's events are posted here.")
	}
	if len(rc.secrets) == 0 {
		return nil, rest.NewProblem(http.StatusServiceUnavailable, quotekit.EUnavailable,
			"No event can be verified: STRIPE_WEBHOOK_SECRET is not set.")
	}
	if media := r.Header.Get("Content-Type"); media != "" {
		if kind, _, err := mime.ParseMediaType(media); err != nil || kind != "application/json" {
			return nil, rest.NewProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", "Events are application/json.")
		}
	}
	tooLarge := rest.NewProblem(http.StatusRequestEntityTooLarge, "body_too_large", "The body is larger than 1 MiB.")
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	var buffer bytes.Buffer
	if r.ContentLength > 0 {
		buffer.Grow(int(r.ContentLength) + bytes.MinRead) // so that it never has to be copied
	}
	_, err := buffer.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	var limit *http.MaxBytesError
	switch {
	case errors.As(err, &limit):
		return nil, tooLarge
	case err != nil:
		return nil, rest.NewProblem(http.StatusBadRequest, "body_invalid", "The body could not be read to its end.")
	}
	return buffer.Bytes(), nil
}

func signatureProblem(err error) error {
	code, detail := quotekit.ErrorCode("signature_mismatch"), "No signature fits the body and a configured secret."
	switch {
	case errors.Is(err, stripe.ErrNoSignature):
		code, detail = "signature_missing", "The Stripe-Signature header is missing."
	case errors.Is(err, stripe.ErrMalformedHeader):
		code, detail = "signature_malformed", "The Stripe-Signature header cannot be read."
	case errors.Is(err, stripe.ErrExpired):
		code, detail = "signature_expired", "The signature is older than 300 seconds. If it is new, compare the clocks."
	}
	return rest.NewProblem(http.StatusBadRequest, code, detail)
}

// await hands the delivery to the group and answers with what the commit made
// of it. When the sender goes away the event is settled all the same.
func (rc *Receiver) await(w http.ResponseWriter, r *http.Request, d *delivery) error {
	if err := rc.group.submit(d); err != nil {
		return notKept(err)
	}
	a := <-d.done
	if a.err != nil {
		return notKept(a.err)
	}
	rest.WriteJSON(w, r, http.StatusOK, received{true, d.event.ID, a.duplicate, a.status})
	if rc.observe != nil {
		_ = http.NewResponseController(w).Flush() // else it is sent after this returns
		rc.observe(StepAnswered)
	}
	return nil
}

func notKept(err error) error {
	detail := "The event could not be kept now; deliver it again."
	if errors.Is(err, errOverload) {
		detail = "Too many events wait already; deliver it again."
	}
	return rest.NewProblem(http.StatusServiceUnavailable, quotekit.EUnavailable, detail)
}
