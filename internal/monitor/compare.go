package monitor

import (
	"context"
	"net/http"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/stripe"
)

// lookTimeout bounds how long somebody waits for Stripe, the turn in the budget of
// requests included.
const lookTimeout = 8 * time.Second

// noKey says what is missing where there is no [Looker].
const noKey = "STRIPE_SECRET_KEY is not set, so Stripe cannot be asked for the current object."

// Looker asks Stripe for an object as it is now. It is package stripe's, and is
// never called while a transaction is open.
type Looker interface {
	// Look makes one request within the budget. Of an object that is gone it may
	// return {id, object, "deleted": true}. An error that is marked
	// [quotekit.Permanent] says that it cannot be had. The message of any is shown
	// to operators.
	Look(ctx context.Context, ref stripe.Reference) (stripe.Object, error)
}

// Comparison is the object of an event against what Stripe has now, masked.
type Comparison struct {
	StripeEventID string    `json:"stripe_event_id"`
	ObjectID      string    `json:"object_id"`
	AsOf          time.Time `json:"as_of" doc:"The second whose end Stripe's answer shows."`
	Deleted       bool      `json:"deleted" doc:"Stripe says that the object is deleted; then there are no differences."`
	// Differences are empty if the object is the same.
	Differences []FieldChange `json:"differences" doc:"The object of this event against that at Stripe now, which is after. At most 500."`
}

// NoFetch says why the current object cannot be fetched from Stripe; empty if it can.
func (r *Reads) NoFetch() string {
	if r.Stripe == nil {
		return noKey
	}
	return ""
}

// Compare asks Stripe for the object of an event and says what differs. It fails
// with [quotekit.ENotFound] if there is no such event, with [quotekit.EConflict] if
// the object cannot be had, and with [quotekit.EUnavailable] if it may be later.
func (r *Reads) Compare(ctx context.Context, eventID string) (Comparison, error) {
	e, err := r.Store.Event(ctx, eventID)
	if err != nil {
		return Comparison{}, err
	}
	payload, err := r.Store.EventPayload(ctx, eventID)
	switch {
	case err != nil:
		return Comparison{}, err
	case r.Stripe == nil:
		return Comparison{}, quotekit.Errorf(quotekit.EConflict, noKey)
	case e.PayloadDeletedAt != nil:
		return Comparison{}, quotekit.Errorf(quotekit.EConflict, "%s", PayloadDeleted(e))
	case e.ObjectID == nil || stripe.ObjectOf(payload) == nil:
		return Comparison{}, quotekit.Errorf(quotekit.EConflict, "The event shows no object that could be compared.")
	}
	ref := stripe.ReferenceOf(quotekit.Event{
		ObjectID: *e.ObjectID, Account: e.Account, Livemode: e.Livemode, Object: stripe.ObjectOf(payload),
	})
	looking, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	object, err := r.Stripe.Look(looking, ref)
	switch {
	case err == nil:
	case stripe.IsMissing(err):
		return Comparison{}, quotekit.Errorf(quotekit.EConflict,
			"Stripe finds no %s %s: it was deleted, or is of another account than the key. (%v)", ref.Type, ref.ID, err)
	case quotekit.IsPermanent(err):
		return Comparison{}, quotekit.Errorf(quotekit.EConflict, "The object cannot be fetched: %v.", err)
	case ctx.Err() != nil:
		return Comparison{}, ctx.Err()
	case looking.Err() != nil:
		return Comparison{}, quotekit.Errorf(quotekit.EUnavailable,
			"No answer within %s: Stripe did not answer, or the budget of requests to it is used up.", lookTimeout)
	default:
		return Comparison{}, quotekit.Errorf(quotekit.EUnavailable, "The object could not be fetched: %v.", err)
	}
	c := Comparison{StripeEventID: eventID, ObjectID: ref.ID, AsOf: object.AsOf.Time(), Deleted: stripe.IsDeleted(object.JSON), Differences: []FieldChange{}}
	if !c.Deleted {
		c.Differences = showChanges(stripe.DifferencesTo(payload, object.JSON))
	}
	return c, nil
}

// CompareEvent shows what differs between the object of an event and Stripe's.
func (a *API) CompareEvent() rest.Endpoint {
	return rest.Endpoint{
		ID: "compareEvent", Summary: "Compare the object of an event with what Stripe has now", Tag: eventsTag,
		Doc: "It asks Stripe once, within the budget of requests, and changes nothing. It is answered 409 if the object cannot be had: " +
			"without STRIPE_SECRET_KEY, with a key of the other mode, or where Stripe does not find it.",
		Path:     []rest.Param{eventID},
		Answers:  rest.Answers{http.StatusOK: {JSON: Comparison{}}},
		Problems: []int{http.StatusNotFound, http.StatusConflict},
		Handler: rest.Handle(a.Logger, func(w http.ResponseWriter, r *http.Request) error {
			c, err := a.Reads.Compare(r.Context(), r.PathValue("event_id"))
			if err != nil {
				return err
			}
			rest.WriteJSON(w, r, http.StatusOK, c)
			return nil
		}),
	}
}
